//! J. Scale: what becomes of costs and memory when a thousand tasks are a
//! million, ten million, a chain of 100,000 or a fan of a million.

mod crowd;
mod idle;
mod shapes;

use crate::{
    engine::{self, ATS, Ats, TOKIO},
    machine,
    plan::{self, Bar, Group, Limit, Reading, Row},
    scale::Scale,
};
use crowd::{COSTS, Crowd, MEMORY};
use shapes::{AwaitedChain, AwaitedFanIn, Fate};

/// Rows of idle tasks, and how many there are.
const CROWDS: [(&str, usize); 3] = [
    ("live_10000", 10_000),
    ("live_1000000", 1_000_000),
    ("live_10000000", 10_000_000),
];
/// The row of idle tasks with bars.
const MILLION: &str = "live_1000000";
/// Beyond this many, only a full run.
const MOST_IN_QUICK: usize = 1_000_000;

const DEPTH: usize = 100_000;
const WIDTH: usize = 1_000_000;

const CHAIN: &str = "chain_100000_awaited";
const FAN_IN: &str = "fan_in_1000000_awaited";
/// Declared graphs, which only our engine has.
const DECLARED: [(&str, Shape, Fate); 6] = [
    ("chain_100000_after", Shape::Chain, Fate::Completes),
    ("chain_100000_fails", Shape::Chain, Fate::Fails),
    ("chain_100000_given_up", Shape::Chain, Fate::GivenUp),
    ("fan_1000000_after", Shape::Fan, Fate::Completes),
    ("fan_1000000_fails", Shape::Fan, Fate::Fails),
    ("fan_1000000_given_up", Shape::Fan, Fate::GivenUp),
];

#[derive(Clone, Copy, Debug)]
enum Shape {
    Chain,
    /// A fan-out, and a fan-in of the same width.
    Fan,
}

pub(crate) fn group() -> Group {
    Group {
        letter: 'J',
        title: "Scale: live tasks by the million, long chains, wide fans",
        prepare: plan::nothing_to_prepare,
        rows,
        run,
        summary: |_| Vec::new(),
        notes: || {
            [
                "live_N: time a task to spawn all and poll them once, to wake all, to begin and \
                 end awaiting all from one important task (donate), to cancel all; *_growth is \
                 that over the same of 1,000. bytes_per_task: resident memory beyond the future \
                 and the handle.",
                "chains and fans: time a task. Nothing may recurse along them: threads have their \
                 usual stacks, and an overflow ends the run. after, fails, given_up: declared \
                 before they start, which only ours can; then completed, cancelled at their \
                 root, or waited for by somebody important who gives up.",
                "--quick leaves 10,000,000 out.",
            ]
            .map(str::to_owned)
            .to_vec()
        },
        runs: |scale| scale.pick(3, 2),
    }
}

fn rows() -> Vec<Row> {
    let crowds = CROWDS.map(|(name, _)| {
        let bars = if name == MILLION { bars() } else { Vec::new() };
        row(name, vec![TOKIO, ATS], bars)
    });
    let awaited = [CHAIN, FAN_IN].map(|name| row(name, vec![TOKIO, ATS], Vec::new()));
    let declared = DECLARED.map(|(name, ..)| row(name, vec![ATS], Vec::new()));
    crowds.into_iter().chain(awaited).chain(declared).collect()
}

fn row(name: &str, engines: Vec<&'static str>, bars: Vec<Bar>) -> Row {
    Row {
        name: name.to_owned(),
        baseline: engines[0],
        engines,
        bars,
        counted: true,
    }
}

fn bars() -> Vec<Bar> {
    let bar = |metric, limit| Bar {
        engine: ATS,
        metric,
        limit: Limit::MedianAtMost(limit),
    };
    let growth = COSTS.map(|(_, growth)| bar(growth, 1.5));
    growth.into_iter().chain([bar(MEMORY, 256.0)]).collect()
}

fn run(row: &str, engine: &str, scale: Scale) -> Vec<Reading> {
    let workers = machine::cores();
    if let Some((_, tasks)) = CROWDS.into_iter().find(|(name, _)| *name == row) {
        if tasks > scale.pick(usize::MAX, MOST_IN_QUICK) {
            return Vec::new();
        }
        return engine::with(engine, workers, Crowd { tasks, rounds: 51 });
    }
    match row {
        CHAIN => engine::with(engine, workers, AwaitedChain { depth: DEPTH }),
        FAN_IN => engine::with(engine, workers, AwaitedFanIn { width: WIDTH }),
        row => declared(row, workers),
    }
}

fn declared(row: &str, workers: usize) -> Vec<Reading> {
    let known = DECLARED.into_iter().find(|(name, ..)| *name == row);
    let (_, shape, fate) = known.unwrap_or_else(|| panic!("group J has no row {row}"));
    let ats = engine::kept(Ats::start(workers, |builder| builder));
    match shape {
        Shape::Chain => shapes::declared_chain(ats, DEPTH, fate),
        Shape::Fan => shapes::declared_fan_out(ats, WIDTH, fate),
    }
}
