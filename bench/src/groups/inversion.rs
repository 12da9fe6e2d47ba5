//! D. Inversion: an important task awaits unimportant ones that queue behind
//! middling ones. With inheritance its delay does not depend on how many those
//! are; without, it grows with them.
//!
//! One worker is held by a gate while everything is queued, and the time runs
//! from the end of the gate's poll. The gate is a stuck poll with work behind
//! it, which the sentinel would rightly hand off, so the sentinel is off here:
//! donation, which this group is about, needs none.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;

use crate::{
    engine::{self, ASYNC_EXECUTOR, ATS_NO_SENTINEL, Engine, Importance, Scenario, Spawn, TOKIO},
    plan::{self, Bar, Group, Limit, Reading, Row, Unit},
    scale::Scale,
    statistics, work,
};

/// How many middling tasks stand in the way; the metrics are named after them.
const MIDDLING: [(usize, &str); 4] = [
    (10, "delay_behind_10"),
    (100, "delay_behind_100"),
    (1_000, "delay_behind_1000"),
    (10_000, "delay_behind_10000"),
];
/// The delay behind the most over the delay behind the fewest.
const GROWTH: &str = "growth";
/// What each middling and each unimportant task computes.
const WORK: Duration = Duration::from_micros(5);

/// What the important task awaits: so many unimportant ones at once, each of
/// which awaits the next of so many in a chain.
#[derive(Clone, Copy, Debug)]
struct Shape {
    name: &'static str,
    fan_in: usize,
    depth: usize,
}

const fn shape(name: &'static str, fan_in: usize, depth: usize) -> Shape {
    Shape {
        name,
        fan_in,
        depth,
    }
}

const SHAPES: [Shape; 5] = [
    shape("depth_1", 1, 1),
    shape("depth_4", 1, 4),
    shape("depth_16", 1, 16),
    shape("fan_in_8", 8, 1),
    shape("fan_in_64", 64, 1),
];

pub(crate) fn group() -> Group {
    Group {
        letter: 'D',
        title: "Inversion: an important task awaits what queues behind M middling ones",
        prepare: plan::nothing_to_prepare,
        rows: || SHAPES.into_iter().map(row).collect(),
        run,
        summary: |_| Vec::new(),
        notes: || {
            [
                "delay_behind_M is the median time from the moment that the only worker is \
                 free until the important task is done; growth is that of 10,000 over that of 10.",
                "Ours runs without the sentinel, since the gate that holds the worker meanwhile \
                 is itself a stuck poll; donation is on. Group M has it through a mutex.",
            ]
            .map(str::to_owned)
            .to_vec()
        },
        runs: |scale| scale.pick(5, 3),
    }
}

fn row(shape: Shape) -> Row {
    Row {
        name: shape.name.to_owned(),
        engines: vec![TOKIO, ATS_NO_SENTINEL, ASYNC_EXECUTOR],
        baseline: TOKIO,
        bars: vec![Bar {
            engine: ATS_NO_SENTINEL,
            metric: GROWTH,
            limit: Limit::MedianAtMost(1.2),
        }],
        counted: true,
    }
}

fn run(row: &str, engine: &str, scale: Scale) -> Vec<Reading> {
    let shape = SHAPES.into_iter().find(|shape| shape.name == row);
    let scenario = Inversion {
        shape: shape.unwrap_or_else(|| panic!("group D has no row {row}")),
        iterations: scale.pick(21, 7),
    };
    let delays = engine::with(engine, 1, scenario);
    let medians: Vec<f64> = delays
        .iter()
        .map(|delays| statistics::median(delays).expect("there were iterations"))
        .collect();
    let growth = medians[medians.len() - 1] / medians[0];
    let mut readings: Vec<Reading> = MIDDLING
        .iter()
        .zip(&medians)
        .map(|((middling, metric), median)| Reading {
            headline: [10, 10_000].contains(middling),
            ..Reading::headline(*metric, Unit::Nanoseconds, *median)
        })
        .collect();
    readings.push(Reading::headline(GROWTH, Unit::Ratio, growth));
    readings
}

struct Inversion {
    shape: Shape,
    iterations: usize,
}

impl Scenario for Inversion {
    /// The delays for each number of middling tasks.
    type Output = Vec<Vec<f64>>;

    fn run<E: Engine>(self, engine: &E) -> Vec<Vec<f64>> {
        let mut delays = vec![Vec::new(); MIDDLING.len()];
        // The first round finds everything cold and does not count.
        for round in 0..=self.iterations {
            for ((middling, _), delays) in MIDDLING.iter().zip(&mut delays) {
                let delay = once(engine, self.shape, *middling);
                if round > 0 {
                    delays.push(delay.as_nanos() as f64);
                }
            }
        }
        delays
    }
}

/// Queues everything behind a gate, opens it, and waits until all is done.
fn once<E: Engine>(engine: &E, shape: Shape, middling: usize) -> Duration {
    let spawner = engine.outside();
    let gate = Gate::close(&spawner);
    let all_done = spawn_middling(&spawner, middling);
    let awaited: Vec<_> = (0..shape.fan_in)
        .map(|_| chain(&spawner, shape.depth))
        .collect();
    let important = spawner.spawn_at(Importance::Important, async move {
        join_all(awaited).await;
        Instant::now()
    });
    let opened = gate.open();
    let done = engine.block_on(important);
    all_done.recv().expect("the middling tasks end");
    done.duration_since(*opened.get().expect("the gate was open before"))
}

/// A task that holds the only worker in a poll.
struct Gate {
    opener: mpsc::Sender<()>,
    opened: Arc<OnceLock<Instant>>,
}

impl Gate {
    /// Returns when the worker is held.
    fn close<S: Spawn>(spawner: &S) -> Gate {
        let (opener, wait) = mpsc::channel();
        let (held, holding) = mpsc::channel();
        let opened = Arc::new(OnceLock::new());
        let when = opened.clone();
        let task = spawner.spawn_at(Importance::Gate, async move {
            held.send(()).expect("the benchmark waits for it");
            wait.recv().expect("the benchmark opens it");
            let _ = when.set(Instant::now());
        });
        S::detach(task);
        holding.recv().expect("the gate starts");
        Gate { opener, opened }
    }

    /// When the worker was free, to be read after it has been.
    fn open(self) -> Arc<OnceLock<Instant>> {
        self.opener.send(()).expect("the gate waits");
        self.opened
    }
}

/// Spawns the middling tasks; the receiver hears when the last is done.
fn spawn_middling<S: Spawn>(spawner: &S, count: usize) -> mpsc::Receiver<()> {
    let (sender, receiver) = mpsc::channel();
    let remaining = Arc::new(AtomicUsize::new(count));
    for _ in 0..count {
        let (sender, remaining) = (sender.clone(), remaining.clone());
        let task = spawner.spawn_at(Importance::Middling, async move {
            work::spin(WORK);
            if remaining.fetch_sub(1, Relaxed) == 1 {
                let _ = sender.send(());
            }
        });
        S::detach(task);
    }
    receiver
}

/// Spawns a chain of unimportant tasks from its far end; the handle is that of
/// its near one.
fn chain<S: Spawn>(spawner: &S, depth: usize) -> S::Handle<()> {
    let mut next = None;
    for _ in 0..depth {
        let awaited: Option<S::Handle<()>> = next.take();
        next = Some(spawner.spawn_at(Importance::Unimportant, async move {
            if let Some(awaited) = awaited {
                awaited.await;
            }
            work::spin(WORK);
        }));
    }
    next.expect("a chain has a link")
}
