//! Requests: offered at a rate, whatever becomes of them, or one for each that was
//! answered, which tells how many fit.

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use crate::{
    engine::{Engine, Importance, Spawn},
    statistics, work,
};

/// After it, an answer is worth nothing, and a request that has not begun is
/// dropped at its beginning.
const DEADLINE: Duration = Duration::from_millis(50);
/// What one request computes: about 0.2 ms.
const CHUNKS: usize = 10;
/// How often the generator looks what is due.
const INJECT_EVERY: Duration = Duration::from_millis(1);
/// So many requests for each worker are under way in the closed loop.
const UNDER_WAY: usize = 32;
/// Of ten requests, so many are important and so many middling; the rest is not.
const BANDS: [Importance; 10] = {
    use Importance::{Important as Top, Middling as Mid, Unimportant as Low};
    [Top, Low, Mid, Low, Low, Top, Mid, Low, Mid, Low]
};

/// What became of one request.
#[derive(Clone, Copy, Debug)]
struct Answer {
    band: Importance,
    /// When it was due, after the beginning.
    due: Duration,
    /// From then to its answer; none if it was dropped.
    taken: Option<Duration>,
}

fn spawn<S: Spawn>(
    spawner: &S,
    number: usize,
    start: Instant,
    due: Duration,
    answers: mpsc::Sender<Answer>,
) {
    let band = BANDS[number % BANDS.len()];
    let task = spawner.spawn_at(band, async move {
        let at = start + due;
        let taken = (at.elapsed() <= DEADLINE).then(|| {
            for _ in 0..CHUNKS {
                work::chunk();
            }
            at.elapsed()
        });
        let _ = answers.send(Answer { band, due, taken });
    });
    S::detach(task);
}

/// Requests a second in a closed loop: the next comes when one is answered.
pub(super) fn capacity<E: Engine>(engine: &E, workers: usize, window: Duration) -> f64 {
    let spawner = engine.outside();
    let (sender, answers) = mpsc::channel();
    let start = Instant::now();
    let mut sent = 0;
    let mut send = |due| {
        spawn(&spawner, sent, start, due, sender.clone());
        sent += 1;
    };
    for _ in 0..UNDER_WAY * workers {
        send(Duration::ZERO);
    }
    let mut answered = 0_usize;
    while start.elapsed() < window {
        let answer = answers.recv().expect("requests are under way");
        answered += usize::from(answer.taken.is_some());
        send(start.elapsed());
    }
    let per_second = answered as f64 / start.elapsed().as_secs_f64();
    drop(sender);
    // What is under way would be work of whatever comes next.
    while answers.recv().is_ok() {}
    per_second
}

/// What was offered at one rate.
pub(super) struct Offer {
    /// Of the requests that were due in the time that counts.
    answers: Vec<Answer>,
    /// That time.
    counted: Duration,
    /// Of the requests that were due, the share that was sent.
    sent: f64,
    /// Requests a second that fit, just before and after it: the mean.
    pub(super) capacity: f64,
}

/// Offers requests at a rate, and waits for the end of all.
pub(super) fn offer<E: Engine>(engine: &E, per_second: f64, window: Duration) -> Offer {
    let spawner = engine.outside();
    let (sender, answers) = mpsc::channel();
    let start = Instant::now();
    let end = window + DEADLINE;
    let mut sent = 0;
    while start.elapsed() < end {
        let due_by_now = (start.elapsed().as_secs_f64() * per_second) as usize;
        while sent < due_by_now {
            // When it was due, not when this thread got round to it.
            let due = Duration::from_secs_f64(sent as f64 / per_second);
            spawn(&spawner, sent, start, due, sender.clone());
            sent += 1;
        }
        thread::sleep(INJECT_EVERY);
    }
    drop(sender);
    let counts = |answer: &Answer| (DEADLINE..window).contains(&answer.due);
    Offer {
        answers: answers.iter().filter(counts).collect(),
        counted: window.saturating_sub(DEADLINE),
        sent: sent as f64 / (end.as_secs_f64() * per_second),
        capacity: per_second,
    }
}

impl Offer {
    /// Whether all that was due was sent, but for what the end cut off.
    pub(super) fn is_complete(&self) -> bool {
        self.sent >= 0.99
    }

    fn of(&self, band: Importance) -> impl Iterator<Item = Option<Duration>> {
        let of_band = self
            .answers
            .iter()
            .filter(move |answer| answer.band == band);
        of_band.map(|answer| answer.taken)
    }

    /// As a share of what fits at that time, since a machine that others share is
    /// not as fast at one time as at another.
    pub(super) fn goodput(&self) -> f64 {
        let good = self.answers.iter().filter(|answer| is_good(answer.taken));
        good.count() as f64 / self.counted.as_secs_f64() / self.capacity
    }

    pub(super) fn good_share_of(&self, band: Importance) -> f64 {
        let good = self.of(band).filter(|taken| is_good(*taken)).count();
        good as f64 / self.of(band).count().max(1) as f64
    }

    /// What was dropped counts as late as its deadline.
    pub(super) fn p99_of(&self, band: Importance) -> f64 {
        let nanoseconds = |taken: Option<Duration>| taken.unwrap_or(DEADLINE).as_nanos() as f64;
        let all: Vec<f64> = self.of(band).map(nanoseconds).collect();
        statistics::quantile(&all, 0.99).unwrap_or(0.0)
    }
}

fn is_good(taken: Option<Duration>) -> bool {
    taken.is_some_and(|taken| taken <= DEADLINE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_answers_in_time_are_goodput() {
        let ms = Duration::from_millis;
        let answer = |band, taken| Answer {
            band,
            due: ms(60),
            taken,
        };
        let offer = Offer {
            answers: vec![
                answer(Importance::Important, Some(ms(1))),
                answer(Importance::Important, Some(ms(51))),
                answer(Importance::Unimportant, None),
                answer(Importance::Unimportant, Some(ms(50))),
            ],
            counted: ms(500),
            sent: 1.0,
            capacity: 8.0,
        };
        assert!((offer.goodput() - 0.5).abs() < 1e-9);
        assert!((offer.good_share_of(Importance::Important) - 0.5).abs() < 1e-9);
    }
}
