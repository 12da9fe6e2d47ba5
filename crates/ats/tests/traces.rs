//! Traces of our own in the laboratory: a run that was traced is decided the same way again, and
//! what is no trace is refused with what is wrong and where.

mod support;

use std::fs;
use std::path::Path;

use ats::replay::check::check;
use ats::replay::lab::case::Case;
use ats::replay::lab::knowledge::Knowledge;
use ats::replay::lab::learner::Learner;
use ats::replay::lab::machine::Machine;
use ats::replay::lab::policy::{Policy, Ranking};
use ats::replay::wfformat;
use serde_json::{Value, json};
use support::{Place, ats, finish};

/// The names of the tasks in the order in which a policy starts them.
fn order(trace: &Path, cores: usize, policy: Policy) -> Vec<String> {
    let document = wfformat::read(trace).expect("a trace");
    let workflow = check(trace, document).expect("a right one");
    let case = Case::new(&workflow, &[]);
    let learner = || Box::new(Learner::new(&case.plan, Knowledge::default()));
    let ranking = Ranking::fixed(policy, &case).unwrap_or_else(|| Ranking::Learning(learner()));
    let machine = Machine {
        cores,
        preempt: false,
    };
    let order = machine.run(&case, ranking).order;
    let name = |node: &u32| case.plan.nodes[*node as usize].name.to_owned();
    order.iter().map(name).collect()
}

/// The names of the tasks in the order in which they were started when they were traced.
fn traced(trace: &Path) -> Vec<String> {
    let trace: Value = serde_json::from_str(&fs::read_to_string(trace).unwrap()).unwrap();
    let tasks = trace["ats"]["tasks"].as_array().unwrap();
    let start = |task: &&Value| task["start_us"].as_u64().expect("every task ran");
    let mut tasks: Vec<&Value> = tasks.iter().collect();
    tasks.sort_by_key(start);
    let name = |task: &&Value| task["name"].as_str().unwrap().to_owned();
    tasks.iter().map(name).collect()
}

/// Of a run on two places, before which no durations were known: all tasks counted alike.
#[test]
fn a_stored_trace_is_decided_again_as_it_was() {
    let trace = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces/build.json");
    let as_it_was = [
        "fetch", "lint", "compile", "docs", "package", "test", "deploy", "report",
    ];
    assert_eq!(traced(&trace), as_it_was);
    assert_eq!(order(&trace, 2, Policy::Depth), as_it_was);
    assert_eq!(
        order(&trace, 2, Policy::FirstCome),
        [
            "fetch", "lint", "docs", "compile", "test", "package", "deploy", "report"
        ]
    );
    assert_eq!(
        order(&trace, 1, Policy::Perfect),
        [
            "fetch", "compile", "lint", "package", "deploy", "test", "docs", "report"
        ]
    );
}

/// Of a run on two places that knew from the one before how long everything takes.
#[test]
fn a_stored_trace_of_a_run_that_had_learned_is_decided_again_as_it_was() {
    let trace = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces/learned.json");
    let as_it_was = ["slow", "brief", "after", "middle", "quick", "last"];
    assert_eq!(traced(&trace), as_it_was);
    assert_eq!(order(&trace, 2, Policy::Learned), as_it_was);
    // What the first run did, which knew nothing.
    let before = ["brief", "quick", "slow", "after", "middle", "last"];
    assert_eq!(order(&trace, 2, Policy::Depth), before);
}

#[test]
fn a_run_that_is_traced_now_is_decided_again_as_it_was() {
    let file = "
        [tasks.deploy]
        run = 'true'
        needs = ['package', 'check (kind=b)']
        priority = 'production'
        [tasks.check]
        run = 'true'
        needs = ['build']
        matrix = { kind = ['a', 'b'] }
        [tasks.notes]
        run = 'true'
        [tasks.package]
        run = 'true'
        needs = ['build']
        [tasks.build]
        run = 'true'
        priority = 'free'
        [tasks.idle]
        run = 'true'
        priority = 'free'
    ";
    let place = Place::with("ats.toml", file);
    let trace = place.path("trace.json");
    let arguments = [
        "run",
        "-j",
        "1",
        "--no-profile",
        "--trace",
        trace.to_str().unwrap(),
        place.file(),
    ];
    finish(ats(&arguments)).expect_code(0);
    let traced = traced(&trace);
    assert_eq!(traced[0], "build", "it is needed by what is important");
    assert_eq!(order(&trace, 1, Policy::Depth), traced);
}

/// A trace with these tasks.
fn section(tasks: &Value) -> String {
    json!({"traceEvents": [], "ats": {"version": 1, "jobs": 2, "tasks": tasks}}).to_string()
}

#[track_caller]
fn refused(content: &str, expected: &[&str]) {
    let place = Place::with("trace.json", content);
    let run = finish(ats(&["replay", "--virtual", place.file()])).expect_code(2);
    assert_eq!(run.stdout, "");
    let expected: Vec<String> = expected
        .iter()
        .map(|problem| format!("error: {}: {problem}\n", place.file()))
        .collect();
    assert_eq!(run.stderr, expected.concat());
}

#[test]
fn everything_that_is_wrong_with_a_trace_is_said_at_once() {
    let tasks = json!([
        {"name": "a", "start_us": 5, "end_us": 3, "outcome": "done"},
        {"name": "b", "needs": [7], "start_us": 0, "end_us": 1, "lane": "cpus"},
        {"name": "b", "start_us": 0, "end_us": 1, "priority": "high", "outcome": "done"},
        {"start_us": 0, "end_us": 1, "outcome": "gone"},
        {"name": "c\u{1b}", "outcome": "done"},
    ]);
    refused(
        &section(&tasks),
        &[
            "ats.tasks[1].needs[0]: task `b` needs the task at 7\n  help: give a place from 0 to 4",
            "ats.tasks[0].end_us: task `a` starts at 5 µs and ends at 3 µs\n  help: give an end that is not before the start, and at most 1e15",
            "ats.tasks[1].lane: task `b` has the lane `cpus`\n  help: did you mean `cpu`?",
            "ats.tasks[2].priority: task `b` has the priority `high`\n  help: give one of free, batch, mid, production, monitoring",
            "ats.tasks[3].outcome: task without name has the outcome `gone`\n  help: did you mean `done`?",
            "ats.tasks[4].start_us: task `c\\u{1b}` has no start_us\n  help: give it, or the outcome `never`",
            "ats.tasks[2]: the name `b` is doubled\n  help: give each task its own; ats.tasks[1] has this one",
            "ats.tasks[3]: the task has no name\n  help: give it a `name`",
        ],
    );
}

#[test]
fn a_cycle_and_an_empty_trace_are_refused() {
    let ran = |name: &str, needs: &[u32]| json!({"name": name, "needs": needs, "start_us": 0, "end_us": 1, "outcome": "done"});
    refused(
        &section(&json!([ran("a", &[1]), ran("b", &[2]), ran("c", &[0])])),
        &[
            "ats.tasks[0]: tasks wait on each other in a cycle: `a` -> `c` -> `b` -> `a`\n  help: remove one of these needs",
        ],
    );
    refused(
        &section(&json!([])),
        &["ats.tasks: there are no tasks\n  help: give a trace with tasks"],
    );
    refused(
        r#"{"ats": {"version": 2}}"#,
        &[
            "ats.version: the trace is of version 2\n  help: give a trace of version 1, which `ats run --trace FILE` writes",
        ],
    );
    refused(
        r#"{"ats": {"tasks": [{"name": "a", "start_us": -1}]}}"#,
        &[
            "line 1, column 48: this is neither WfFormat 1.5 nor a trace of `ats run`: invalid value: integer `-1`, expected u64\n  help: see https://github.com/wfcommons/WfFormat for the type of each field",
        ],
    );
}

#[test]
fn what_did_not_run_takes_no_time_and_is_noted() {
    let tasks = json!([
        {"name": "a", "start_us": 0, "end_us": 2_000_000, "outcome": "failed"},
        {"name": "b", "needs": [0], "outcome": "never"},
        {"name": "c", "ready_us": 3, "outcome": "skipped"},
        {"name": "d", "lane": "io", "start_us": 0, "end_us": 1_000_000, "outcome": "done"},
        {"name": "e", "start_us": 0, "outcome": "stopped"},
    ]);
    let place = Place::with("trace.json", &section(&tasks));
    let run = finish(ats(&["replay", "--cores", "1,2", place.file()])).expect_code(0);
    for expected in [
        "trace.json: 1 task skipped: no time is taken here",
        "1 task never begun",
        "1 task failed",
        "1 task stopped",
    ] {
        assert!(run.stdout.contains(expected), "{}", run.stdout);
    }
    let arguments = [
        "replay",
        "--virtual",
        "--cores",
        "1",
        "--output",
        "json",
        place.file(),
    ];
    let run = finish(ats(&arguments)).expect_code(0);
    let row: Value = serde_json::from_str(run.stdout.lines().next().unwrap()).unwrap();
    assert_eq!(row["lower_bound"], 2.0, "what waits needs no core: {row}");
}
