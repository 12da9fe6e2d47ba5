//! A. Overhead: what it costs to spawn, wake and yield when nothing goes wrong.
//! Tokio's own suite, then that of `async-executor`.

mod clock;
mod executor_suite;
mod summary;
mod tokio_suite;

use clock::Clock;

use crate::{
    engine::{self, ASYNC_EXECUTOR, ATS, Engine, Scenario, TOKIO},
    machine,
    plan::{self, Bar, Group, Limit, Reading, Row, Unit},
    scale::Scale,
};

const METRIC: &str = "time_per_op";
/// A row in which Tokio can be a hundred times slower than anybody else.
const BUSY2: &str = "spawn_many_remote_busy2";

/// Rows that all three engines run by their own `yield_now`.
const ROWS: [&str; 13] = [
    "spawn_many_local",
    "spawn_many_remote_idle",
    "spawn_many_remote_busy1",
    BUSY2,
    "yield_many",
    "ping_pong",
    "chained_spawn",
    "executor_spawn_one",
    "executor_spawn_batch",
    "executor_spawn_many_local",
    "executor_spawn_recursively",
    "executor_yield_now",
    "executor_channels",
];
const WEB_SERVER: &str = "executor_web_server";
/// An extra row, not counted: tasks of ours that yield by Tokio's function.
const TOKIO_YIELD: &str = "yield_many_by_tokio";

pub(crate) fn group() -> Group {
    Group {
        letter: 'A',
        title: "Overhead: Tokio's and async-executor's own suites",
        prepare: plan::nothing_to_prepare,
        rows,
        run,
        summary: summary::of,
        notes: || {
            vec![
                "time_per_op is the median over a run's iterations; everything that a user \
                 gets is switched on."
                    .to_owned(),
                format!("{TOKIO_YIELD} is an extra row and not counted in the summary."),
                format!("Without {BUSY2} the geometric mean is that of the second summary row."),
            ]
        },
        runs: |scale| scale.pick(5, 3),
    }
}

fn rows() -> Vec<Row> {
    let counted = ROWS.into_iter().chain([WEB_SERVER]).map(|name| Row {
        name: name.to_owned(),
        engines: vec![TOKIO, ATS, ASYNC_EXECUTOR],
        baseline: TOKIO,
        bars: vec![Bar {
            engine: ATS,
            metric: METRIC,
            limit: Limit::RatioAtMost(0.8),
        }],
        counted: true,
    });
    let extra = Row {
        name: TOKIO_YIELD.to_owned(),
        engines: vec![TOKIO, ATS],
        baseline: TOKIO,
        bars: Vec::new(),
        counted: false,
    };
    counted.chain([extra]).collect()
}

fn run(row: &str, engine: &str, scale: Scale) -> Vec<Reading> {
    let workers = machine::cores();
    let scenario = Suites {
        row,
        workers,
        clock: Clock::new(scale),
    };
    let nanoseconds = engine::with(engine, workers, scenario);
    vec![Reading::headline(METRIC, Unit::Nanoseconds, nanoseconds)]
}

struct Suites<'a> {
    row: &'a str,
    workers: usize,
    clock: Clock,
}

impl Scenario for Suites<'_> {
    type Output = f64;

    fn run<E: Engine>(self, engine: &E) -> f64 {
        let clock = &self.clock;
        match self.row {
            "spawn_many_local" => tokio_suite::spawn_many_local(engine, clock),
            "spawn_many_remote_idle" => tokio_suite::spawn_many_remote_idle(engine, clock),
            "spawn_many_remote_busy1" => {
                tokio_suite::spawn_many_remote_busy1(engine, clock, self.workers)
            }
            BUSY2 => tokio_suite::spawn_many_remote_busy2(engine, clock, self.workers),
            "yield_many" => tokio_suite::yield_many::<E, E::Inside>(engine, clock),
            TOKIO_YIELD => tokio_suite::yield_many::<E, engine::TokioInside>(engine, clock),
            "ping_pong" => tokio_suite::ping_pong(engine, clock),
            "chained_spawn" => tokio_suite::chained_spawn(engine, clock),
            "executor_spawn_one" => executor_suite::spawn_one(engine, clock),
            "executor_spawn_batch" => executor_suite::spawn_batch(engine, clock),
            "executor_spawn_many_local" => executor_suite::spawn_many_local(engine, clock),
            "executor_spawn_recursively" => executor_suite::spawn_recursively(engine, clock),
            "executor_yield_now" => executor_suite::yield_now(engine, clock),
            "executor_channels" => executor_suite::channels(engine, clock),
            WEB_SERVER => executor_suite::web_server(engine, clock),
            row => panic!("group A has no row {row}"),
        }
    }
}
