//! H. Graph overhead: what it costs to build and to run a graph whose nodes do
//! next to nothing.

mod clock;
mod counters;
mod million;
mod onetbb;
mod ours;
mod peers;
mod shape;

use clock::{Clock, Engine, RUN};
use ours::{Nodes, Ours};
use shape::Shape;

use crate::{
    plan::{Bar, Group, Limit, Reading, Row},
    scale::Scale,
};

/// Threads of every engine, whatever the machine has.
const THREADS: usize = 2;

const RAYON: &str = "rayon_and_counters";
const RAYON_TUNED: &str = "rayon_tuned";
const TOKIO: &str = "tokio_and_counters";
const ATS: &str = "ats";
/// Ours, by an allocator that counts.
const COUNTED: &str = "ats_counted";
const ONETBB: &str = "onetbb";
const ASYNC_DAG: &str = "async_dag";
const DAGX: &str = "dagx";
const DAGRS: &str = "dagrs";

const SHAPES: [&str; 5] = ["independent", "chain", "layered", "wavefront", "tree"];
/// Rows of the same shapes, with futures for nodes.
const FUTURES: &str = "_of_futures";
const MILLIONS: [&str; 2] = ["independent_1000000", "layered_1000000"];

pub(crate) fn group() -> Group {
    Group {
        letter: 'H',
        title: "Graph overhead: nodes that do one atomic addition, on two threads",
        prepare: || million::counting_program().map(drop),
        rows,
        run,
        summary: |_| Vec::new(),
        notes: || {
            [
                "run and build are nanoseconds a node, medians over the runs of a process. dagx, \
                 dagrs and async_dag use their graph up, so that each run has a new one.",
                "rayon_tuned runs the first node that another releases at once, instead of \
                 spawning each, and splits the first of all in halves. async_dag has one thread.",
                "*_of_futures: nodes are futures that do not suspend.",
                "*_1000000: build_all is the best build of all nodes together. ats_counted, where \
                 nothing is timed, has an allocator that counts: bytes of a plan beyond its \
                 closures, and how often a run asks for memory.",
            ]
            .map(str::to_owned)
            .into_iter()
            .chain(without_onetbb())
            .collect()
        },
        runs: |scale| scale.pick(5, 3),
    }
}

fn rows() -> Vec<Row> {
    let closures = SHAPES.map(|name| {
        let mut engines = vec![RAYON, RAYON_TUNED, ATS, TOKIO, ASYNC_DAG, DAGX, DAGRS];
        if onetbb::is_there() {
            engines.push(ONETBB);
        }
        let bar = bar(ATS, RUN, Limit::RatioAtMost(0.8));
        row(name.to_owned(), engines, vec![bar])
    });
    let futures = SHAPES.map(|name| {
        let bar = bar(ATS, RUN, Limit::MedianAtMost(100.0));
        row(format!("{name}{FUTURES}"), vec![TOKIO, ATS], vec![bar])
    });
    let millions = MILLIONS.map(|name| {
        let bars = vec![
            bar(ATS, million::BUILD_ALL, Limit::MedianAtMost(0.2e9)),
            bar(COUNTED, million::BYTES, Limit::EachAtMost(128.0)),
            // A few for the whole run, whatever its size.
            bar(COUNTED, million::ALLOCATIONS, Limit::EachAtMost(0.001)),
        ];
        row(name.to_owned(), vec![RAYON, ATS, COUNTED], bars)
    });
    closures
        .into_iter()
        .chain(futures)
        .chain(millions)
        .collect()
}

fn bar(engine: &'static str, metric: &'static str, limit: Limit) -> Bar {
    Bar {
        engine,
        metric,
        limit,
    }
}

fn row(name: String, engines: Vec<&'static str>, bars: Vec<Bar>) -> Row {
    Row {
        name,
        baseline: engines[0],
        engines,
        bars,
        counted: true,
    }
}

fn run(row: &str, engine: &str, scale: Scale) -> Vec<Reading> {
    let (name, nodes) = match row.strip_suffix(FUTURES) {
        Some(name) => (name, Nodes::Futures),
        None => (row, Nodes::Closures),
    };
    let shape = Shape::named(name).unwrap_or_else(|| panic!("group H has no row {row}"));
    let shape = &shape;
    if MILLIONS.contains(&name) {
        return million::run(row, engine, shape, scale);
    }
    match engine {
        RAYON => timed(&counters::Rayon::start(false), shape, scale),
        RAYON_TUNED => timed(&counters::Rayon::start(true), shape, scale),
        TOKIO => timed(&counters::Tokio::start(), shape, scale),
        ATS => timed(&Ours::start(nodes), shape, scale),
        ONETBB => onetbb::time(shape, &Clock::new(scale)).readings(shape.len()),
        ASYNC_DAG => timed(&peers::AsyncDag, shape, scale),
        DAGX => timed(&peers::Dagx::start(), shape, scale),
        DAGRS => timed(&peers::Dagrs::start(), shape, scale),
        other => panic!("group H has no engine {other}"),
    }
}

fn timed<E: Engine>(engine: &E, shape: &Shape, scale: Scale) -> Vec<Reading> {
    Clock::new(scale).time(engine, shape).readings(shape.len())
}

fn without_onetbb() -> Option<String> {
    let note = "oneTBB is left out: g++ or libtbb-dev is not installed.";
    (!onetbb::is_there()).then(|| note.to_owned())
}
