//! A million nodes: how long it takes to build them, what memory each takes, and
//! what a run allocates.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use super::{
    ATS, COUNTED, RAYON,
    clock::{Clock, Count, Engine, WARM_UP_RUNS},
    counters,
    ours::{Nodes, Ours},
    shape::Shape,
};
use crate::{
    allocations::{self, Allocations},
    plan::{Reading, Unit},
    program,
    scale::Scale,
};

/// The name of the group, by which a cell starts another.
const GROUP: &str = "H";

pub(super) const BUILD_ALL: &str = "build_all";
pub(super) const BYTES: &str = "bytes_per_node";
pub(super) const ALLOCATIONS: &str = "run_allocations_per_node";

pub(super) fn run(row: &str, engine: &str, shape: &Shape, scale: Scale) -> Vec<Reading> {
    match engine {
        RAYON => timed(&counters::Rayon::start(false), shape, scale),
        ATS => timed(&Ours::start(Nodes::Closures), shape, scale),
        COUNTED => match allocations::now() {
            Some(_) => counted(shape),
            None => by_the_program_that_counts(row, scale),
        },
        other => panic!("group H has no engine {other}"),
    }
}

fn timed<E: Engine>(engine: &E, shape: &Shape, scale: Scale) -> Vec<Reading> {
    let clock = Clock::new(scale);
    let times = clock.time(engine, shape);
    let mut readings = times.readings(shape.len());
    readings.push(Reading::headline(
        BUILD_ALL,
        Unit::Nanoseconds,
        times.best_build(),
    ));
    readings
}

/// What a plan keeps and what a run asks for, by an allocator that counts.
fn counted(shape: &Shape) -> Vec<Reading> {
    let nodes = shape.len() as f64;
    let engine = Ours::start(Nodes::Closures);
    let count = Count::new();
    let before = now();
    let plan = engine.build(shape, count);
    let kept = now().bytes - before.bytes;
    let closures = shape.len() * size_of::<&Count>();
    let run = |plan| engine.run(plan).expect("it can be run again");
    let plan = (0..WARM_UP_RUNS).fold(plan, |plan, _| run(plan));
    let before_run = now();
    let plan = run(plan);
    let asked = now().count - before_run.count;
    let all = (WARM_UP_RUNS as u64 + 1) * shape.len() as u64;
    assert_eq!(count.get(), all, "every node is run once");
    let kept_by_runs = now().bytes - before.bytes - kept;
    drop(plan);
    vec![
        Reading::headline(BYTES, Unit::Count, (kept - closures) as f64 / nodes),
        Reading::detail("kept_by_runs", Unit::Count, kept_by_runs as f64 / nodes),
        Reading::headline(ALLOCATIONS, Unit::Count, asked as f64 / nodes),
        Reading::detail("run_allocations", Unit::Count, asked as f64),
    ]
}

fn now() -> Allocations {
    allocations::now().expect("this program counts")
}

/// This program with an allocator that counts.
pub(super) fn counting_program() -> Result<PathBuf, String> {
    program::built("Cargo.toml", "ats-bench", "ats-bench-counting")
}

/// Counting costs time, so that another program does it: this cell only hands on
/// what that one says.
fn by_the_program_that_counts(row: &str, scale: Scale) -> Vec<Reading> {
    let program = counting_program().unwrap_or_else(|error| panic!("{error}"));
    let mut command = Command::new(program);
    command.args(["cell", "--group", GROUP, "--row", row, "--engine", COUNTED]);
    if scale.quick {
        command.arg("--quick");
    }
    // It ends when this process does.
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = child.expect("the program was built");
    let stdin = child.stdin.take();
    let output = child.wait_with_output().expect("it can be waited for");
    drop(stdin);
    serde_json::from_slice(&output.stdout).expect("a cell gives readings")
}
