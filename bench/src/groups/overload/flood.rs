//! Unimportant tasks beneath a flood of important ones that never ends.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    engine::{Engine, Importance, Scenario, Spawn},
    groups::stuck::ledger::Ledger,
    plan::{Reading, Unit},
    statistics, work,
};

/// Tasks of the flood for each worker: something important is always ready.
const FLOOD_PER_WORKER: usize = 64;
const LOW_EVERY: Duration = Duration::from_millis(10);

pub(super) struct Flood {
    pub(super) workers: usize,
    pub(super) window: Duration,
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
