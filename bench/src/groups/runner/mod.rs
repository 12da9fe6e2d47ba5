//! K. The runner: `ats run` beside the tools that people run commands with.

mod tools;
mod work;

use std::{
    env,
    fs::{self, File},
    path::PathBuf,
    process::{self, Stdio},
    time::Instant,
};

use tools::{Order, Tool};
use work::Work;

use crate::{
    plan::{Bar, Group, Limit, Reading, Row, Unit},
    program,
    scale::Scale,
    statistics,
};

const TIME: &str = "time";
const FIRST: &str = "to_first_process";

const LAYERS: &str = "true_1000";
const START_UP: &str = "start_up";
const START_UP_OF_1000: &str = "start_up_of_1000";
const PLAN: &str = "plan_100000";

/// The named pipe by which a first process says that it is there.
const PIPE: &str = "begun";

pub(crate) fn group() -> Group {
    Group {
        letter: 'K',
        title: "The runner: `ats run` beside make, ninja, just and go-task",
        prepare: || program::ats().map(drop),
        rows,
        run,
        summary: |_| Vec::new(),
        notes,
        runs: |scale| scale.pick(5, 3),
    }
}

fn notes() -> Vec<String> {
    let mut notes = [
        "true_1000: /bin/true in 50 layers of 20, two jobs. start_up: from the start of the tool \
         until its first command, `sh -c`, opens a pipe; _of_1000 in a file of a thousand tasks.",
        "plan_100000: reads a file of 100,000 tasks and says what it would run.",
        "The first run of each process finds a cold cache and does not count.",
    ]
    .map(str::to_owned)
    .to_vec();
    for tool in Tool::ALL.into_iter().filter(|tool| !tool.is_there()) {
        notes.push(format!("{} is left out: it is not installed.", tool.name()));
    }
    notes
}

fn rows() -> Vec<Row> {
    let all = Tool::ALL;
    // make took over 45 s to say what it would do.
    let planners = [Tool::Ninja, Tool::Ats];
    let twenty = Limit::MedianAtMost(20e6);
    vec![
        row(LAYERS, &all, TIME, Limit::RatioAtMost(1.0)),
        row(START_UP, &all, FIRST, twenty),
        row(START_UP_OF_1000, &all, FIRST, twenty),
        row(PLAN, &planners, TIME, Limit::MedianAtMost(1e9)),
    ]
}

/// The baseline is the first tool that is installed.
fn row(name: &str, tools: &[Tool], metric: &'static str, limit: Limit) -> Row {
    let there = tools.iter().filter(|tool| tool.is_there());
    let engines: Vec<_> = there.map(|tool| tool.name()).collect();
    Row {
        name: name.to_owned(),
        baseline: engines[0],
        engines,
        bars: vec![Bar {
            engine: Tool::Ats.name(),
            metric,
            limit,
        }],
        counted: true,
    }
}

fn run(row: &str, engine: &str, scale: Scale) -> Vec<Reading> {
    let tool = Tool::named(engine).unwrap_or_else(|| panic!("group K has no tool {engine}"));
    let (work, order, rounds) = match row {
        LAYERS => (Work::layers(50, 20), Order::RunAll, scale.pick(3, 1)),
        START_UP => (Work::layers(0, 0), Order::RunFirst, scale.pick(40, 10)),
        START_UP_OF_1000 => (Work::layers(50, 20), Order::RunFirst, scale.pick(20, 5)),
        PLAN => (Work::layers(1_000, 100), Order::Plan, scale.pick(3, 1)),
        row => panic!("group K has no row {row}"),
    };
    let folder = Folder::new();
    let (metric, work) = match order {
        Order::RunFirst => (FIRST, work.begun_by(PIPE)),
        _ => (TIME, work),
    };
    tool.write(&work, &folder.0).expect("a file can be written");
    let once = || match order {
        Order::RunFirst => folder.until_begun(tool.command(order, &folder.0)),
        _ => until_ended(tool.command(order, &folder.0)),
    };
    once();
    let times: Vec<f64> = (0..rounds).map(|_| once()).collect();
    let median = statistics::median(&times).expect("there were rounds");
    let best = statistics::min(&times).expect("there were rounds");
    vec![
        Reading::headline(metric, Unit::Nanoseconds, median),
        Reading::detail(format!("best_{metric}"), Unit::Nanoseconds, best),
    ]
}

/// Nanoseconds until the tool has ended.
///
/// # Panics
///
/// If it did not end well.
fn until_ended(mut command: process::Command) -> f64 {
    let start = Instant::now();
    let status = command.status().expect("the tool starts");
    let time = start.elapsed().as_nanos() as f64;
    assert!(status.success(), "the tool ended with {status}");
    time
}

/// A folder of this process, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        let name = format!("ats-bench-{}", process::id());
        let folder = env::temp_dir().join(name);
        fs::create_dir(&folder).expect("a folder can be made");
        let made = process::Command::new("mkfifo")
            .arg(folder.join(PIPE))
            .stdin(Stdio::null())
            .status();
        assert!(made.is_ok_and(|status| status.success()), "mkfifo works");
        Folder(folder)
    }

    /// Nanoseconds until the tool's first process has opened the pipe.
    fn until_begun(&self, mut command: process::Command) -> f64 {
        let start = Instant::now();
        let mut tool = command.spawn().expect("the tool starts");
        // Returns when somebody opens it for writing.
        let pipe = File::open(self.0.join(PIPE)).expect("the pipe is there");
        let time = start.elapsed().as_nanos() as f64;
        let status = tool.wait().expect("the tool can be waited for");
        assert!(status.success(), "the tool ended with {status}");
        drop(pipe);
        time
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
