//! G. Starvation and overload: what unimportant work gets beneath a flood that
//! never ends, and what becomes of goodput when requests come faster than they
//! can be served.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use super::stuck::ledger::Ledger;
use crate::{
    engine::{self, ATS, Engine, Importance, Scenario, Spawn, TOKIO},
    machine,
    plan::{Bar, Group, Limit, Reading, Row, Unit},
    scale::Scale,
    statistics, work,
};

const FLOOD: &str = "flood_above";
const OVERLOAD: &str = "overload";

/// Tasks of the flood for each worker: something important is always ready.
const FLOOD_PER_WORKER: usize = 64;
/// The bound of waiting that our scheduler has when nobody says.
const AGEING_NS: f64 = 1e9;
const LOW_EVERY: Duration = Duration::from_millis(10);

/// Offered load in tenths of the capacity, with the names of the figures.
const LOADS: [(u32, &str, &str); 5] = [
    (5, "goodput_at_0.5", "top_p99_at_0.5"),
    (10, "goodput_at_1.0", "top_p99_at_1.0"),
    (15, "goodput_at_1.5", "top_p99_at_1.5"),
    (20, "goodput_at_2.0", "top_p99_at_2.0"),
    (30, "goodput_at_3.0", "top_p99_at_3.0"),
];
/// After it, an answer is worth nothing, and a request that has not begun is
/// dropped at its beginning.
const DEADLINE: Duration = Duration::from_millis(50);
/// What one request computes: about 0.2 ms.
const CHUNKS: usize = 10;
/// How often the generator looks what is due.
const INJECT_EVERY: Duration = Duration::from_millis(1);
/// Of ten requests, so many are important and so many middling; the rest is not.
const BANDS: [Importance; 10] = {
    use Importance::{Important as Top, Middling as Mid, Unimportant as Low};
    [Top, Low, Mid, Low, Low, Top, Mid, Low, Mid, Low]
};

pub(crate) fn group() -> Group {
    Group {
        letter: 'G',
        title: "Starvation and overload",
        rows,
        run,
        summary: |_| Vec::new(),
        notes: || {
            [
                "flood_above: important polls of 0.1 ms are always ready, and an unimportant \
                 task comes every 10 ms. low_longest_wait is until its first poll; low_begun \
                 the share that has begun by the end. The ageing bound is the default, 1 s.",
                "overload: open loop at 0.5 to 3 times the capacity, which is measured before and \
                 after each load; goodput is a share of it; 20 % important, 30 % middling. An answer after 50 ms is no goodput; a \
                 request that late at its beginning is dropped there, on every engine. \
                 goodput_lost: how far goodput at 3 times is below the peak. top_p99_growth: \
                 p99 of the important at 3 times over that at 0.5; we call up to 2 flat.",
                "There is no admission yet: nothing is refused, late requests are dropped.",
            ]
            .map(str::to_owned)
            .to_vec()
        },
        runs: |scale| scale.pick(3, 2),
    }
}

fn rows() -> Vec<Row> {
    let bar = |metric, limit| Bar {
        engine: ATS,
        metric,
        limit,
    };
    let row = |name: &str, bars| Row {
        name: name.to_owned(),
        engines: vec![TOKIO, ATS],
        baseline: TOKIO,
        bars,
        counted: true,
    };
    vec![
        row(
            FLOOD,
            vec![bar("low_longest_wait", Limit::EachAtMost(AGEING_NS))],
        ),
        row(
            OVERLOAD,
            vec![
                bar("goodput_lost", Limit::MedianAtMost(0.05)),
                bar("top_p99_growth", Limit::MedianAtMost(2.0)),
            ],
        ),
    ]
}

fn run(row: &str, engine: &str, scale: Scale) -> Vec<Reading> {
    let workers = machine::cores();
    match row {
        FLOOD => {
            let window = scale.milliseconds(6_000, 3_000);
            engine::with(engine, workers, Flood { workers, window })
        }
        OVERLOAD => {
            let overload = Overload {
                workers,
                rounds: scale.pick(5, 3),
                window: scale.milliseconds(1_000, 400),
            };
            engine::with(engine, workers, overload)
        }
        row => panic!("group G has no row {row}"),
    }
}

struct Flood {
    workers: usize,
    window: Duration,
}

impl Scenario for Flood {
    type Output = Vec<Reading>;

    fn run<E: Engine>(self, engine: &E) -> Vec<Reading> {
        let spawner = engine.outside();
        let polls = Arc::new(AtomicU64::new(0));
        for _ in 0..FLOOD_PER_WORKER * self.workers {
            let polls = polls.clone();
            let flood = spawner.spawn_at(Importance::Important, async move {
                loop {
                    work::spin(Duration::from_micros(100));
                    polls.fetch_add(1, Relaxed);
                    <E::Outside as Spawn>::yield_now().await;
                }
            });
            <E::Outside as Spawn>::detach(flood);
        }
        let start = Instant::now();
        let count = (self.window.as_millis() / LOW_EVERY.as_millis()) as usize;
        let ledger = Arc::new(Ledger::new(start, count));
        let begun = Arc::new(AtomicU64::new(0));
        for index in 0..count {
            let at = start + LOW_EVERY * index as u32;
            thread::sleep(at.saturating_duration_since(Instant::now()));
            let (kept, begun) = (ledger.clone(), begun.clone());
            ledger.due(index, Instant::now());
            let low = spawner.spawn_at(Importance::Unimportant, async move {
                kept.happened(index, Instant::now());
                begun.fetch_add(1, Relaxed);
            });
            <E::Outside as Spawn>::detach(low);
        }
        let end = Instant::now();
        let delays = ledger.delays(end);
        let quantile = |q| statistics::quantile(&delays, q).unwrap_or(0.0);
        let share = begun.load(Relaxed) as f64 / count as f64;
        let flood = polls.load(Relaxed) as f64 / (end - start).as_secs_f64();
        vec![
            Reading::headline("low_longest_wait", Unit::Nanoseconds, quantile(1.0)),
            Reading::headline("low_begun", Unit::Ratio, share),
            Reading::detail("low_p50", Unit::Nanoseconds, quantile(0.5)),
            Reading::detail("flood", Unit::PerSecond, flood),
        ]
    }
}

struct Overload {
    workers: usize,
    rounds: usize,
    window: Duration,
}

impl Scenario for Overload {
    type Output = Vec<Reading>;

    fn run<E: Engine>(self, engine: &E) -> Vec<Reading> {
        let mut offers: Vec<Vec<Offer>> = LOADS.iter().map(|_| Vec::new()).collect();
        for _ in 0..self.rounds {
            for ((tenths, ..), offers) in LOADS.iter().zip(&mut offers) {
                let before = capacity(engine, self.workers, self.window / 2);
                let rate = before * f64::from(*tenths) / 10.0;
                let mut offered = offer(engine, rate, self.window);
                let after = capacity(engine, self.workers, self.window / 2);
                offered.capacity = f64::midpoint(before, after);
                offers.push(offered);
            }
        }
        let offers: Vec<Rounds> = offers.into_iter().map(Rounds).collect();
        let mut readings = Vec::new();
        for ((tenths, goodput, p99), offer) in LOADS.into_iter().zip(&offers) {
            readings.extend([
                Reading::detail(goodput, Unit::Ratio, offer.goodput()),
                Reading::detail(p99, Unit::Nanoseconds, offer.p99_of(Importance::Important)),
            ]);
            if tenths == 30 {
                let share = |of| offer.good_share_of(of);
                readings.extend([
                    Reading::headline("top_good", Unit::Ratio, share(Importance::Important)),
                    Reading::headline("middling_good", Unit::Ratio, share(Importance::Middling)),
                    Reading::headline("low_good", Unit::Ratio, share(Importance::Unimportant)),
                ]);
            }
        }
        let (first, last) = (&offers[0], &offers[LOADS.len() - 1]);
        let peak = offers.iter().map(Rounds::goodput).fold(0.0, f64::max);
        let growth = last.p99_of(Importance::Important) / first.p99_of(Importance::Important);
        readings.extend([
            Reading::headline("goodput_lost", Unit::Ratio, 1.0 - last.goodput() / peak),
            Reading::headline("top_p99_growth", Unit::Ratio, growth),
            Reading::detail("capacity", Unit::PerSecond, first.capacity()),
        ]);
        readings
    }
}

fn request() {
    for _ in 0..CHUNKS {
        work::chunk();
    }
}

/// Requests a second with all workers at it, always with more in line.
fn capacity<E: Engine>(engine: &E, workers: usize, window: Duration) -> f64 {
    let (start, done) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let streams: Vec<_> = (0..4 * workers)
        .map(|_| {
            let done = done.clone();
            engine.outside().spawn(async move {
                while start.elapsed() < window {
                    request();
                    done.fetch_add(1, Relaxed);
                    <E::Outside as Spawn>::yield_now().await;
                }
            })
        })
        .collect();
    engine.block_on(futures_util::future::join_all(streams));
    done.load(Relaxed) as f64 / start.elapsed().as_secs_f64()
}

/// What was offered at one rate, and how long each answer took; none if dropped.
struct Offer {
    taken: Vec<(Importance, Option<Duration>)>,
    window: Duration,
    /// Requests a second just before and after it: the mean.
    capacity: f64,
}

/// What was offered at one rate, in several rounds; figures are medians.
struct Rounds(Vec<Offer>);

impl Rounds {
    fn median(&self, figure: impl Fn(&Offer) -> f64) -> f64 {
        let figures: Vec<f64> = self.0.iter().map(figure).collect();
        statistics::median(&figures).expect("there were rounds")
    }

    fn goodput(&self) -> f64 {
        self.median(Offer::goodput)
    }

    fn good_share_of(&self, band: Importance) -> f64 {
        self.median(|offer| offer.good_share_of(band))
    }

    fn p99_of(&self, band: Importance) -> f64 {
        self.median(|offer| offer.p99_of(band))
    }

    fn capacity(&self) -> f64 {
        self.median(|offer| offer.capacity)
    }
}

impl Offer {
    fn of(&self, band: Importance) -> impl Iterator<Item = Option<Duration>> {
        let of_band = self.taken.iter().filter(move |(of, _)| *of == band);
        of_band.map(|(_, taken)| *taken)
    }

    /// As a share of the capacity at that time, since a machine that others
    /// share is not as fast at one time as at another.
    fn goodput(&self) -> f64 {
        let good = self.taken.iter().filter(|(_, taken)| is_good(*taken));
        good.count() as f64 / self.window.as_secs_f64() / self.capacity
    }

    fn good_share_of(&self, band: Importance) -> f64 {
        let good = self.of(band).filter(|taken| is_good(*taken)).count();
        good as f64 / self.of(band).count().max(1) as f64
    }

    /// What was dropped counts as late as its deadline.
    fn p99_of(&self, band: Importance) -> f64 {
        let nanoseconds = |taken: Option<Duration>| taken.unwrap_or(DEADLINE).as_nanos() as f64;
        let all: Vec<f64> = self.of(band).map(nanoseconds).collect();
        statistics::quantile(&all, 0.99).unwrap_or(0.0)
    }
}

fn is_good(taken: Option<Duration>) -> bool {
    taken.is_some_and(|taken| taken <= DEADLINE)
}

/// Spawns requests at a rate, whatever becomes of them, and waits for their end.
fn offer<E: Engine>(engine: &E, per_second: f64, window: Duration) -> Offer {
    let spawner = engine.outside();
    let (sender, answers) = mpsc::channel();
    let start = Instant::now();
    let mut sent = 0;
    while start.elapsed() < window {
        let due_by_now = (start.elapsed().as_secs_f64() * per_second) as usize;
        while sent < due_by_now {
            let (band, sender) = (BANDS[sent % BANDS.len()], sender.clone());
            // When it was due, not when this thread got round to it.
            let due = start + Duration::from_secs_f64(sent as f64 / per_second);
            let task = spawner.spawn_at(band, async move {
                let taken = (due.elapsed() <= DEADLINE).then(|| {
                    request();
                    due.elapsed()
                });
                let _ = sender.send((band, taken));
            });
            <E::Outside as Spawn>::detach(task);
            sent += 1;
        }
        thread::sleep(INJECT_EVERY);
    }
    drop(sender);
    Offer {
        taken: answers.iter().collect(),
        window,
        capacity: per_second,
    }
}
