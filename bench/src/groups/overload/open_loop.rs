//! Goodput and delay when requests come faster than they can be served.

use std::time::Duration;

use super::requests::{Offer, capacity, offer};
use crate::{
    engine::{Engine, Importance, Scenario},
    plan::{Reading, Unit},
    statistics,
};

/// Offered load in tenths of what fits, with the names of the figures.
const LOADS: [(u32, &str, &str); 5] = [
    (5, "goodput_at_0.5", "top_p99_at_0.5"),
    (10, "goodput_at_1.0", "top_p99_at_1.0"),
    (15, "goodput_at_1.5", "top_p99_at_1.5"),
    (20, "goodput_at_2.0", "top_p99_at_2.0"),
    (30, "goodput_at_3.0", "top_p99_at_3.0"),
];
/// How often a load is offered anew because the machine changed meanwhile.
const TRIES: usize = 4;

pub(super) struct Overload {
    pub(super) workers: usize,
    pub(super) rounds: usize,
    pub(super) window: Duration,
}

impl Scenario for Overload {
    type Output = Vec<Reading>;

    fn run<E: Engine>(self, engine: &E) -> Vec<Reading> {
        let mut repeated = 0;
        let rounds: Vec<Round> = (0..self.rounds)
            .map(|_| {
                let offers = LOADS.map(|(tenths, ..)| {
                    let (offer, tries) = self.offer(engine, f64::from(tenths) / 10.0);
                    repeated += tries - 1;
                    offer
                });
                Round(offers)
            })
            .collect();
        readings(&Rounds(rounds), repeated)
    }
}

impl Overload {
    /// Offers a load, and offers it again if the machine was another afterwards. How
    /// often it did.
    fn offer<E: Engine>(&self, engine: &E, load: f64) -> (Offer, usize) {
        let mut tries = 0;
        loop {
            tries += 1;
            let before = capacity(engine, self.workers, self.window / 2);
            let mut offered = offer(engine, before * load, self.window);
            let after = capacity(engine, self.workers, self.window / 2);
            offered.capacity = f64::midpoint(before, after);
            let is_steady = (before - after).abs() <= 0.1 * offered.capacity;
            if (is_steady && offered.is_complete()) || tries == TRIES {
                return (offered, tries);
            }
        }
    }
}

/// One offer of each load.
struct Round([Offer; LOADS.len()]);

impl Round {
    /// Goodput at the highest load over the best of the round.
    fn kept(&self) -> f64 {
        let goodput = self.0.each_ref().map(Offer::goodput);
        let peak = goodput.iter().copied().fold(0.0, f64::max);
        goodput[LOADS.len() - 1] / peak
    }

    fn growth(&self) -> f64 {
        let p99 = |at: usize| self.0[at].p99_of(Importance::Important);
        p99(LOADS.len() - 1) / p99(0)
    }
}

/// Figures are medians over the rounds.
struct Rounds(Vec<Round>);

impl Rounds {
    fn median(&self, figure: impl Fn(&Round) -> f64) -> f64 {
        let figures: Vec<f64> = self.0.iter().map(figure).collect();
        statistics::median(&figures).expect("there were rounds")
    }
}

fn readings(rounds: &Rounds, repeated: usize) -> Vec<Reading> {
    let mut readings = Vec::new();
    for (at, (_, goodput, p99)) in LOADS.into_iter().enumerate() {
        let median = |figure: fn(&Offer) -> f64| rounds.median(|round| figure(&round.0[at]));
        readings.extend([
            Reading::detail(goodput, Unit::Ratio, median(Offer::goodput)),
            Reading::detail(
                p99,
                Unit::Nanoseconds,
                median(|offer| offer.p99_of(Importance::Important)),
            ),
        ]);
    }
    let share = |of| rounds.median(|round| round.0[LOADS.len() - 1].good_share_of(of));
    readings.extend([
        Reading::headline("top_good", Unit::Ratio, share(Importance::Important)),
        Reading::headline("middling_good", Unit::Ratio, share(Importance::Middling)),
        Reading::headline("low_good", Unit::Ratio, share(Importance::Unimportant)),
        Reading::headline(
            "goodput_lost",
            Unit::Ratio,
            1.0 - rounds.median(Round::kept),
        ),
        Reading::headline("top_p99_growth", Unit::Ratio, rounds.median(Round::growth)),
        Reading::detail(
            "capacity",
            Unit::PerSecond,
            rounds.median(|round| round.0[0].capacity),
        ),
        Reading::detail("repeated", Unit::Count, repeated as f64),
    ]);
    readings
}
