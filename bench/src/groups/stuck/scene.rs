//! The scene that every engine plays: hogs and other unimportant work, important
//! tasks from outside, and timers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    hog::{Block, Hog},
    ledger::Ledger,
};
use crate::{
    engine::{Counters, Engine, Importance, Spawn},
    machine,
    plan::{Reading, Unit},
    statistics, work,
};

pub(super) const IMPORTANT_P99: &str = "important_p99";

const INJECT_EVERY: Duration = Duration::from_millis(2);
const TIMER_EVERY: Duration = Duration::from_millis(1);
const TIMERS: usize = 4;
/// Tasks of unimportant work for each worker.
const WORK_PER_WORKER: usize = 4;
/// How often threads are counted.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Which spawner gets what.
pub(super) struct Placement<'a, I: Spawn, U: Spawn> {
    important: I,
    unimportant: U,
    hogs_in_blocking_pool: bool,
    counters: Box<dyn Fn() -> Option<Counters> + 'a>,
}

impl<'a, S: Spawn> Placement<'a, S, S> {
    pub(super) fn in_one<E: Engine<Outside = S>>(engine: &'a E) -> Self {
        Placement {
            important: engine.outside(),
            unimportant: engine.outside(),
            hogs_in_blocking_pool: false,
            counters: Box::new(|| engine.counters()),
        }
    }

    pub(super) fn in_two<E: Engine<Outside = S>>(important: &'a E, unimportant: &'a E) -> Self {
        Placement {
            unimportant: unimportant.outside(),
            ..Placement::in_one(important)
        }
    }

    /// Each block goes to Tokio's blocking pool: only for Tokio.
    pub(super) fn with_hogs_in_blocking_pool(self) -> Self {
        Placement {
            hogs_in_blocking_pool: true,
            ..self
        }
    }
}

pub(super) struct Scene {
    pub(super) hog: Hog,
    pub(super) hogs: usize,
    pub(super) workers: usize,
    /// How long the hogs run before anything is measured.
    pub(super) warm_up: Duration,
    pub(super) window: Duration,
}

impl Scene {
    pub(super) fn play<I: Spawn, U: Spawn>(&self, on: Placement<'_, I, U>) -> Vec<Reading> {
        let (block, helper_threads) = self.hog.block();
        let blocks = Arc::new(AtomicU64::new(0));
        let chunks = Arc::new(AtomicU64::new(0));
        for _ in 0..self.hogs {
            spawn_hog(&on, block.clone(), blocks.clone());
        }
        for _ in 0..WORK_PER_WORKER * self.workers {
            spawn_work(&on.unimportant, chunks.clone());
        }
        thread::sleep(self.warm_up);
        let blocks_before = blocks.load(Relaxed);
        let start = Instant::now();
        let end = start + self.window;
        let timers = self.timers(&on.important, start);
        let important = self.inject(on.important.clone(), start);
        let (done_before, threads) = (chunks.load(Relaxed), most_threads_until(end));
        // The thread that looks, the one that injects, the one that waits for the
        // end of the parent, and the hogs' helpers.
        let own = 3 + helper_threads;
        let end = Instant::now();
        let per_second = |count: u64| count as f64 / (end - start).as_secs_f64();
        let mut readings = quantiles("important", &important.delays(end));
        let late: Vec<f64> = timers.iter().flat_map(|timer| timer.delays(end)).collect();
        readings.extend(quantiles("timer", &late));
        let threads = threads.saturating_sub(own) as f64;
        let work = per_second(chunks.load(Relaxed) - done_before);
        readings.extend([
            Reading::detail("threads", Unit::Count, threads),
            Reading::detail("unimportant_work", Unit::PerSecond, work),
            Reading::detail(
                "blocks",
                Unit::PerSecond,
                per_second(blocks.load(Relaxed) - blocks_before),
            ),
        ]);
        if let Some(counters) = (on.counters)() {
            let hand_offs = counters.hand_offs as f64;
            readings.push(Reading::detail("hand_offs", Unit::Count, hand_offs));
            let relocations = counters.relocations as f64;
            readings.push(Reading::detail("relocations", Unit::Count, relocations));
        }
        readings
    }

    /// Starts the tasks that wait for one millisecond after the other, each
    /// deadline counted by itself, whether or not the one before was late.
    fn timers<S: Spawn>(&self, spawner: &S, start: Instant) -> Vec<Arc<Ledger>> {
        let count = (self.window.as_millis() / TIMER_EVERY.as_millis()) as usize;
        let timer = || {
            let ledger = Arc::new(Ledger::new(start, count));
            for index in 0..count {
                ledger.due(index, start + TIMER_EVERY * (index as u32 + 1));
            }
            let kept = ledger.clone();
            let task = async move {
                for index in 0..kept.len() {
                    S::sleep_until(start + TIMER_EVERY * (index as u32 + 1)).await;
                    kept.happened(index, Instant::now());
                }
            };
            S::detach(spawner.spawn_at(Importance::Important, task));
            ledger
        };
        (0..TIMERS).map(|_| timer()).collect()
    }

    /// Starts the thread that spawns an important task at every interval.
    fn inject<S: Spawn>(&self, spawner: S, start: Instant) -> Arc<Ledger> {
        let count = (self.window.as_millis() / INJECT_EVERY.as_millis()) as usize;
        let ledger = Arc::new(Ledger::new(start, count));
        let kept = ledger.clone();
        thread::spawn(move || {
            for index in 0..count {
                let at = start + INJECT_EVERY * (index as u32);
                thread::sleep(at.saturating_duration_since(Instant::now()));
                let ledger = kept.clone();
                kept.due(index, Instant::now());
                let task = async move { ledger.happened(index, Instant::now()) };
                S::detach(spawner.spawn_at(Importance::Important, task));
            }
        });
        ledger
    }
}

fn spawn_hog<I: Spawn, U: Spawn>(on: &Placement<'_, I, U>, block: Block, blocks: Arc<AtomicU64>) {
    let in_blocking_pool = on.hogs_in_blocking_pool;
    let task = async move {
        loop {
            if in_blocking_pool {
                let block = block.clone();
                let blocked = tokio::task::spawn_blocking(move || block());
                blocked.await.expect("a block does not panic");
            } else {
                block();
            }
            blocks.fetch_add(1, Relaxed);
            U::yield_now().await;
        }
    };
    U::detach(on.unimportant.spawn_at(Importance::Unimportant, task));
}

fn spawn_work<S: Spawn>(spawner: &S, chunks: Arc<AtomicU64>) {
    let task = async move {
        loop {
            work::chunk();
            chunks.fetch_add(1, Relaxed);
            S::yield_now().await;
        }
    };
    S::detach(spawner.spawn_at(Importance::Unimportant, task));
}

/// The most threads that this process has had until then.
fn most_threads_until(end: Instant) -> usize {
    let mut most = machine::threads();
    while Instant::now() < end {
        thread::sleep(LOOK_EVERY.min(end.saturating_duration_since(Instant::now())));
        most = most.max(machine::threads());
    }
    most
}

fn quantiles(of: &str, delays: &[f64]) -> Vec<Reading> {
    [("p50", 0.5), ("p99", 0.99), ("max", 1.0)]
        .map(|(name, q)| {
            let metric = format!("{of}_{name}");
            Reading {
                headline: metric == IMPORTANT_P99,
                metric,
                unit: Unit::Nanoseconds,
                value: statistics::quantile(delays, q).unwrap_or(0.0),
            }
        })
        .to_vec()
}
