//! C. Stuck polls: tasks that nobody thought of as blocking are stuck in their
//! polls over and over. How late does an important task start, how late do
//! timers fire, how many threads does it take, and what becomes of other work?

mod hog;
pub(in crate::groups) mod ledger;
mod scene;

use std::time::Duration;

use hog::{Hog, Kind};
use scene::{Placement, Scene};

use crate::{
    engine::{self, ASYNC_EXECUTOR, ATS, ATS_NICE, Engine, Scenario, TOKIO, Tokio},
    machine,
    plan::{self, Bar, Group, Limit, Reading, Row},
    scale::Scale,
};

/// Tokio with each block in `spawn_blocking`, as its documentation asks for.
const TOKIO_SPAWN_BLOCKING: &str = "tokio_spawn_blocking";
/// One Tokio runtime for what is important, another for everything else.
const TOKIO_TWO_RUNTIMES: &str = "tokio_two_runtimes";

const KINDS: [(&str, Kind); 3] = [
    ("sleep", Kind::Sleep),
    ("spin", Kind::Spin),
    ("mutex", Kind::Mutex),
];
const LENGTHS_MS: [u64; 3] = [1, 10, 100];
const ALL: &str = "all";
const ALL_BUT_ONE: &str = "all_but_one";
/// All workers are stuck, and many more tasks that will be stuck stand in line.
const BACKLOG: &str = "backlog";
const BACKLOG_PER_WORKER: usize = 16;
/// As `all`, after a time in which the class of the hogs could be learned.
const ALL_LEARNED: &str = "all_learned";
const BACKLOG_LEARNED: &str = "backlog_learned";
const LEARNING: Duration = Duration::from_secs(2);

pub(crate) fn group() -> Group {
    Group {
        letter: 'C',
        title: "Stuck polls: k of N workers blocked for d, over and over",
        prepare: plan::nothing_to_prepare,
        rows,
        run,
        summary: |_| Vec::new(),
        notes: || {
            [
                "row: kind of block, d, and how many workers are stuck; backlog: all, with 16 \
                 such tasks a worker in line.",
                "An important task is injected every 2 ms; important_* is the time from its \
                 spawn to its first poll. timer_* is the lateness of timers of 1 ms. What has \
                 not happened by the end counts as late as it is by then.",
                "learned: the hogs have run for 2 s before, in which ours learns where their class \
                 belongs; nobody has said anything to it.",
                "ats_nice: ours with cpu_niceness(10). Without, a hog on the CPU lane has the same \
                 right to a core as a worker, which then waits for the kernel's time slice.",
            ]
            .map(str::to_owned)
            .to_vec()
        },
        runs: |scale| scale.pick(3, 2),
    }
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for stuck in [ALL, BACKLOG, ALL_BUT_ONE, ALL_LEARNED, BACKLOG_LEARNED] {
        for (kind, _) in KINDS {
            for length in LENGTHS_MS {
                let name = format!("{kind}_{length}ms_{stuck}");
                rows.push(row(name, most_p99(stuck)));
            }
        }
    }
    rows
}

/// The bar of the important tasks' delay, in nanoseconds.
fn most_p99(stuck: &str) -> Option<f64> {
    match stuck {
        ALL | BACKLOG => Some(2e6),
        ALL_LEARNED | BACKLOG_LEARNED => Some(2e5),
        _ => None,
    }
}

fn row(name: String, most_p99: Option<f64>) -> Row {
    let mut engines = vec![
        TOKIO,
        TOKIO_SPAWN_BLOCKING,
        TOKIO_TWO_RUNTIMES,
        ASYNC_EXECUTOR,
        ATS,
    ];
    if name.ends_with("learned") {
        engines.push(ATS_NICE);
    }
    let ours = engines.iter().filter(|engine| engine.starts_with(ATS));
    let bar = |limit| {
        ours.map(move |&engine| Bar {
            engine,
            metric: scene::IMPORTANT_P99,
            limit: Limit::MedianAtMost(limit),
        })
        .collect()
    };
    Row {
        bars: most_p99.map(bar).unwrap_or_default(),
        name,
        engines,
        baseline: TOKIO,
        counted: true,
    }
}

fn run(row: &str, engine: &str, scale: Scale) -> Vec<Reading> {
    let workers = machine::cores();
    let scene = scene_of(row, workers, scale);
    match engine {
        TOKIO_SPAWN_BLOCKING => {
            let runtime = engine::kept(Tokio::start(workers));
            let placement = Placement::in_one(runtime).with_hogs_in_blocking_pool();
            scene.play(placement)
        }
        TOKIO_TWO_RUNTIMES => {
            let runtime = || engine::kept(Tokio::start(workers));
            scene.play(Placement::in_two(runtime(), runtime()))
        }
        engine => engine::with(engine, workers, InOne(scene)),
    }
}

fn scene_of(row: &str, workers: usize, scale: Scale) -> Scene {
    let mut parts = row.splitn(3, '_');
    let mut part = || parts.next().expect("a row of group C has three parts");
    let (kind, length, stuck) = (part(), part(), part());
    let (_, kind) = KINDS
        .into_iter()
        .find(|(name, _)| *name == kind)
        .expect("a row of group C begins with its kind");
    let milliseconds = length.trim_end_matches("ms").parse().expect("a length");
    Scene {
        hog: Hog {
            kind,
            length: Duration::from_millis(milliseconds),
        },
        hogs: match stuck {
            ALL | ALL_LEARNED => workers,
            ALL_BUT_ONE => workers.saturating_sub(1),
            BACKLOG | BACKLOG_LEARNED => BACKLOG_PER_WORKER * workers,
            other => panic!("no row of group C has {other} stuck"),
        },
        workers,
        warm_up: match stuck {
            ALL_LEARNED | BACKLOG_LEARNED => LEARNING,
            _ => Duration::ZERO,
        },
        window: scale.milliseconds(1_500, 500),
    }
}

struct InOne(Scene);

impl Scenario for InOne {
    type Output = Vec<Reading>;

    fn run<E: Engine>(self, engine: &E) -> Vec<Reading> {
        self.0.play(Placement::in_one(engine))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_describes_its_scene() {
        for row in rows() {
            let scene = scene_of(&row.name, 4, Scale { quick: true });
            assert_eq!(row.bars.is_empty(), scene.hogs == 3, "{}", row.name);
        }
        let scene = scene_of("mutex_10ms_all_but_one", 4, Scale { quick: true });
        assert_eq!(scene.hog.length, Duration::from_millis(10));
        assert!(matches!(scene.hog.kind, Kind::Mutex));
    }
}
