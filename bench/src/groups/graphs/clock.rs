//! Builds and runs a graph over and over, and times both apart.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use super::shape::Shape;
use crate::{
    plan::{Reading, Unit},
    scale::Scale,
    statistics,
};

pub(super) const BUILD: &str = "build";
pub(super) const RUN: &str = "run";

/// Runs that do not count, in which an engine may learn; at least so many where a graph
/// can be run again.
pub(super) const WARM_UP_RUNS: usize = 8;

/// What all nodes do: one atomic addition.
#[derive(Debug)]
pub(super) struct Count(AtomicU64);

impl Count {
    /// Kept until the process ends, so that a node needs only a reference.
    pub(super) fn new() -> &'static Count {
        Box::leak(Box::new(Count(AtomicU64::new(0))))
    }

    pub(super) fn add(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Something that runs graphs.
pub(super) trait Engine {
    type Built;

    fn build(&self, shape: &Shape, count: &'static Count) -> Self::Built;

    /// Runs the graph to its end, and gives it back where it can be run again.
    fn run(&self, built: Self::Built) -> Option<Self::Built>;
}

/// The times of all builds and of all runs, in nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Times {
    pub(super) builds: Vec<f64>,
    pub(super) runs: Vec<f64>,
}

impl Times {
    /// Nanoseconds of the fastest build of the whole graph.
    pub(super) fn best_build(&self) -> f64 {
        statistics::min(&self.builds).expect("there were some")
    }

    /// Nanoseconds a node: the medians, and the best.
    pub(super) fn readings(&self, nodes: usize) -> Vec<Reading> {
        let each = |time: Option<f64>| time.expect("there were some") / nodes as f64;
        let unit = Unit::Nanoseconds;
        vec![
            Reading::headline(RUN, unit, each(statistics::median(&self.runs))),
            Reading::headline(BUILD, unit, each(statistics::median(&self.builds))),
            Reading::detail("best_run", unit, each(statistics::min(&self.runs))),
            Reading::detail("best_build", unit, each(statistics::min(&self.builds))),
        ]
    }
}

/// How long to warm up and to measure, and the fewest builds and runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub(super) warm_up: Duration,
    pub(super) measure: Duration,
    pub(super) fewest: usize,
}

impl Clock {
    pub(super) fn new(scale: Scale) -> Clock {
        Clock {
            warm_up: scale.milliseconds(150, 30),
            measure: scale.milliseconds(600, 120),
            fewest: 5,
        }
    }

    /// # Panics
    ///
    /// If a run was not of every node once.
    pub(super) fn time<E: Engine>(&self, engine: &E, shape: &Shape) -> Times {
        let count = Count::new();
        let mut built = None;
        let start = Instant::now();
        let mut warm_up_runs = 0;
        while start.elapsed() < self.warm_up || (built.is_some() && warm_up_runs < WARM_UP_RUNS) {
            let (_, graph) = build(engine, shape, count, built.take());
            built = run(engine, shape, count, graph).1;
            warm_up_runs += 1;
        }
        let mut times = Times::default();
        let start = Instant::now();
        while start.elapsed() < self.measure || times.runs.len() < self.fewest {
            let (time, graph) = build(engine, shape, count, built.take());
            times.builds.extend(time);
            let (time, again) = run(engine, shape, count, graph);
            times.runs.push(time);
            built = again;
        }
        drop(built);
        while times.builds.len() < self.fewest {
            let (time, unused) = build(engine, shape, count, None);
            times.builds.extend(time);
            drop(unused);
        }
        times
    }
}

/// The graph that is there, or a new one and the time that it took.
fn build<E: Engine>(
    engine: &E,
    shape: &Shape,
    count: &'static Count,
    built: Option<E::Built>,
) -> (Option<f64>, E::Built) {
    if let Some(built) = built {
        return (None, built);
    }
    let start = Instant::now();
    let built = engine.build(shape, count);
    (Some(start.elapsed().as_nanos() as f64), built)
}

fn run<E: Engine>(
    engine: &E,
    shape: &Shape,
    count: &'static Count,
    graph: E::Built,
) -> (f64, Option<E::Built>) {
    let before = count.get();
    let start = Instant::now();
    let again = engine.run(graph);
    let time = start.elapsed().as_nanos() as f64;
    let nodes = count.get() - before;
    assert_eq!(nodes, shape.len() as u64, "every node is run once");
    (time, again)
}
