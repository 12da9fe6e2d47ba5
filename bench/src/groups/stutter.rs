//! E. Stutter: long polls that compute, with nothing waiting behind them. There
//! is nothing to be gained by reacting, so reacting must cost nothing: against
//! the same run with the sentinel off.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    engine::{self, ATS, ATS_NO_SENTINEL, Engine, Scenario, Spawn, TOKIO},
    machine,
    plan::{self, Bar, Group, Limit, Reading, Row, Unit},
    scale::Scale,
    work,
};

/// One task a slot: nothing waits behind a poll. The row with the bar.
const ONE: &str = "one_task_a_slot";
/// Four tasks a slot: something always waits, of no more importance. Extra.
const FOUR: &str = "four_tasks_a_slot";

/// Lengths of polls, in milliseconds.
const POLL_MS: std::ops::RangeInclusive<u64> = 5..=50;
/// Polls of one burst.
const BURST: std::ops::RangeInclusive<usize> = 3..=8;
/// Idle between bursts.
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) fn group() -> Group {
    Group {
        letter: 'E',
        title: "Stutter: bursts of polls of 5-50 ms that compute",
        prepare: plan::nothing_to_prepare,
        rows,
        run,
        summary: |_| Vec::new(),
        notes: || {
            [
                "threads: the most of the scheduler's own, those of the CPU lane not counted; \
                 slots are as many as cores.",
                "four_tasks_a_slot is an extra row: there something waits, though nothing more \
                 important.",
            ]
            .map(str::to_owned)
            .to_vec()
        },
        runs: |scale| scale.pick(5, 3),
    }
}

fn rows() -> Vec<Row> {
    let bar = |metric, limit| Bar {
        engine: ATS,
        metric,
        limit,
    };
    let bars = vec![
        bar("throughput", Limit::RatioAtLeast(0.98)),
        bar("threads", Limit::EachAtMost(machine::cores() as f64 + 1.0)),
    ];
    let row = |name: &str, bars, counted| Row {
        name: name.to_owned(),
        engines: vec![ATS_NO_SENTINEL, ATS, TOKIO],
        baseline: ATS_NO_SENTINEL,
        bars,
        counted,
    };
    vec![row(ONE, bars, true), row(FOUR, Vec::new(), false)]
}

fn run(row: &str, engine: &str, scale: Scale) -> Vec<Reading> {
    let slots = machine::cores();
    let tasks = match row {
        ONE => slots,
        FOUR => 4 * slots,
        row => panic!("group E has no row {row}"),
    };
    let window = scale.milliseconds(3_000, 1_000);
    engine::with(engine, slots, Stutter { tasks, window })
}

struct Stutter {
    tasks: usize,
    window: Duration,
}

impl Scenario for Stutter {
    type Output = Vec<Reading>;

    fn run<E: Engine>(self, engine: &E) -> Vec<Reading> {
        let spawner = engine.outside();
        let chunks = Arc::new(AtomicU64::new(0));
        let start = Instant::now();
        for seed in 0..self.tasks {
            let task = bursts::<E::Outside>(seed as u64, chunks.clone());
            <E::Outside as Spawn>::detach(spawner.spawn(task));
        }
        thread::sleep(self.window);
        let done = chunks.load(Relaxed) as f64 / start.elapsed().as_secs_f64();
        let mut readings = vec![Reading::headline("throughput", Unit::PerSecond, done)];
        if let Some(counters) = engine.counters() {
            let threads = counters.peak_threads as f64;
            readings.extend([
                Reading::headline("hand_offs", Unit::Count, counters.hand_offs as f64),
                Reading::headline("threads", Unit::Count, threads),
            ]);
        }
        readings
    }
}

/// Bursts of long polls, the same for the same seed, and pauses between them.
async fn bursts<S: Spawn>(seed: u64, chunks: Arc<AtomicU64>) {
    let mut random = fastrand::Rng::with_seed(seed);
    loop {
        for _ in 0..random.usize(BURST) {
            let length = Duration::from_millis(random.u64(POLL_MS));
            work::chunks_for(length, || {
                chunks.fetch_add(1, Relaxed);
            });
            S::yield_now().await;
        }
        S::sleep_until(Instant::now() + PAUSE).await;
    }
}
