//! `ats replay`: small generated workflows, all recorded ones that lie around, and bad files.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{Place, ats, finish};

/// A fork and join: one task, so many in parallel, one task.
fn fork_join(wide: usize) -> String {
    let id = |n: usize| format!("work_ID{n:05}");
    let middle: Vec<String> = (1..=wide).map(id).collect();
    let mut specified =
        vec![json!({"id": id(0), "name": id(0), "parents": [], "children": middle})];
    specified.extend(
        middle
            .iter()
            .map(|middle| json!({"id": middle, "name": middle, "parents": [id(0)]})),
    );
    specified.push(json!({"id": "join", "name": "join", "parents": middle}));
    let executed: Vec<Value> = specified
        .iter()
        .enumerate()
        .map(|(n, task)| {
            json!({"id": task["id"], "runtimeInSeconds": n % 3, "avgCPU": n * 37 % 120})
        })
        .collect();
    json!({
        "name": "generated",
        "schemaVersion": "1.5",
        "workflow": {
            "specification": {"tasks": specified},
            "execution": {"makespanInSeconds": 12.5, "tasks": executed},
        },
    })
    .to_string()
}

fn objects(stdout: &str) -> Vec<Value> {
    let parse = |line| serde_json::from_str(line).expect("one JSON object a line");
    stdout.lines().map(parse).collect()
}

#[test]
fn a_workflow_is_replayed_and_measured_beside_plain_tokio() {
    let place = Place::with("forkjoin.json", &fork_join(10));
    let arguments = [
        "replay",
        "--compare",
        "--speed",
        "100",
        "--cores",
        "2",
        place.file(),
    ];
    let run = finish(ats(&arguments)).expect_code(0).expect_plain();
    for expected in [
        "forkjoin.json\n",
        "12 tasks, 20 dependencies, at 100 times the recorded speed on 2 cores; the recorded run took 12.5 s\n",
        "  lower bound ",
        "  makespan ",
        "  plain Tokio ",
        " relocations, ",
    ] {
        assert!(
            run.stdout.contains(expected),
            "no `{expected}` in\n{}",
            run.stdout
        );
    }
}

#[test]
fn results_for_machines_are_one_object_a_file() {
    let place = Place::with("a.json", &fork_join(3));
    fs::write(place.path("b.json"), fork_join(4)).unwrap();
    let b = place.path("b.json");
    let arguments = [
        "replay",
        "--output",
        "json",
        "--speed",
        "1000",
        place.file(),
        b.to_str().unwrap(),
    ];
    let run = finish(ats(&arguments)).expect_code(0).expect_plain();
    let objects = objects(&run.stdout);
    let counts: Vec<&Value> = objects.iter().map(|object| &object["tasks"]).collect();
    assert_eq!(counts, [5, 6]);
    for object in &objects {
        assert_eq!(object["speed"], 1000.0);
        assert_eq!(object["first_come_on_tokio"], Value::Null);
        let runs = object["runs"].as_array().unwrap();
        assert_eq!(runs.len(), 1);
        // No schedule is faster than the lower bound.
        assert!(
            runs[0]["over_lower_bound"].as_f64() >= Some(1.0),
            "{object}"
        );
        // The result's priority reaches every task that has not ended by then.
        assert!(
            runs[0]["promotions"]["boosts"].as_u64() <= object["tasks"].as_u64(),
            "{object}"
        );
    }
}

#[test]
fn a_workflow_in_which_nothing_takes_time_ends() {
    let idle = json!({
        "schemaVersion": "1.5",
        "workflow": {
            "specification": {"tasks": [{"id": "a"}, {"id": "b", "parents": ["a"]}]},
            "execution": {"tasks": [{"id": "a", "runtimeInSeconds": 0}, {"id": "b", "runtimeInSeconds": 0}]},
        },
    });
    let place = Place::with("idle.json", &idle.to_string());
    let arguments = ["replay", "--compare", "--output", "json", place.file()];
    let run = finish(ats(&arguments)).expect_code(0);
    assert_eq!(objects(&run.stdout)[0]["lower_bound"], 0.0);
}

/// Tasks without edges, of a class that computes and of one that waits, 20 ms each.
fn two_kinds(of_each: usize) -> String {
    let kinds = [("computes", 100.0), ("waits", 0.0)];
    let tasks: Vec<(String, f64)> = kinds
        .iter()
        .flat_map(|(kind, share)| (0..of_each).map(move |n| (format!("{kind}_{n}"), *share)))
        .collect();
    let specified: Vec<Value> = tasks.iter().map(|(id, _)| json!({"id": id})).collect();
    let executed: Vec<Value> = tasks
        .iter()
        .map(|(id, share)| json!({"id": id, "runtimeInSeconds": 0.02, "avgCPU": share}))
        .collect();
    json!({
        "schemaVersion": "1.5",
        "workflow": {
            "specification": {"tasks": specified},
            "execution": {"tasks": executed},
        },
    })
    .to_string()
}

/// How many tasks of each run began on the right lane.
fn right_lanes(stdout: &str) -> Vec<u64> {
    let object = &objects(stdout)[0];
    let runs = object["runs"].as_array().unwrap();
    let right = |run: &Value| run["first_lanes"]["right"].as_u64().unwrap();
    assert!(runs.iter().all(|run| run["first_lanes"]["clear"] == 16));
    runs.iter().map(right).collect()
}

#[test]
fn later_runs_begin_on_the_lanes_that_the_first_taught() {
    let place = Place::with("kinds.json", &two_kinds(8));
    let json = ["--output", "json", "--speed", "1", "--cores", "2"];
    let mut arguments = vec!["replay", "--runs", "3"];
    arguments.extend(json);
    arguments.push(place.file());
    let run = finish(ats(&arguments)).expect_code(0);
    let right = right_lanes(&run.stdout);
    // Nothing is known when all tasks of the first run are spawned.
    assert_eq!(right, [0, 16, 16]);
}

#[test]
fn what_was_learned_is_kept_in_a_file_for_the_next_replay() {
    let place = Place::with("kinds.json", &two_kinds(8));
    let profiles = place.path("profiles.txt");
    let profiles = profiles.to_str().unwrap();
    let arguments = [
        "replay",
        "--profiles",
        profiles,
        "--output",
        "json",
        "--speed",
        "1",
        "--cores",
        "2",
        place.file(),
    ];
    let first = finish(ats(&arguments)).expect_code(0);
    assert_eq!(right_lanes(&first.stdout), [0]);
    let second = finish(ats(&arguments)).expect_code(0);
    assert_eq!(right_lanes(&second.stdout), [16]);
    fs::write(profiles, "not profiles at all").unwrap();
    let third = finish(ats(&arguments)).expect_code(0);
    assert_eq!(right_lanes(&third.stdout), [0]);
    assert!(
        third
            .stderr
            .contains("warning: nothing was learned before: "),
        "{}",
        third.stderr
    );
}

#[test]
fn every_bad_file_is_named_before_anything_runs() {
    let place = Place::with("good.json", &fork_join(1));
    fs::write(place.path("text.json"), "not JSON").unwrap();
    fs::write(place.path("old.json"), r#"{"schemaVersion": "1.3"}"#).unwrap();
    let path = |name: &str| place.path(name).to_str().unwrap().to_owned();
    let directory = place.directory().to_str().unwrap().to_owned();
    let arguments = [
        "replay".to_owned(),
        path("good.json"),
        path("text.json"),
        path("old.json"),
        path("absent.json"),
        directory.clone(),
    ];
    let run = finish(ats(&arguments)).expect_code(2).expect_plain();
    assert_eq!(run.stdout, "");
    let expected = format!(
        "error: {directory}/text.json: line 1, column 2: this is not JSON: expected ident
  help: give a WfFormat 1.5 file in JSON
error: {directory}/old.json: schemaVersion: the schema is 1.3
  help: give a file of WfFormat 1.5, or convert it with the tools of WfCommons
error: {directory}/absent.json: there is no such file
  help: check the spelling, and the directory you are in
error: {directory}: this is a directory
  help: name the files in it
"
    );
    assert_eq!(run.stderr, expected);
}

#[test]
fn a_file_of_two_gigabytes_is_refused_unread() {
    let place = Place::with("huge.json", "");
    // A hole: the file has this size and takes no room.
    let file = fs::File::options().write(true).open(place.file()).unwrap();
    file.set_len(2 << 30).unwrap();
    let run = finish(ats(&["replay", place.file()])).expect_code(2);
    let expected = format!(
        "error: {}: the file is larger than 256 MiB
  help: check that it is the right one; a file that large has to be split
",
        place.file()
    );
    assert_eq!(run.stderr, expected);
}

#[test]
fn a_wrong_speed_is_a_mistake_of_usage() {
    let run = finish(ats(&["replay", "--speed", "0", "x.json"])).expect_code(2);
    assert!(
        run.stderr.contains("`0` is not a number from 0.001 to 1e9"),
        "{}",
        run.stderr
    );
}

/// Where recorded runs lie, if any do.
fn recorded() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let directory = std::env::var_os("ATS_WORKFLOWS_DIR")
        .map_or_else(|| root.join("../shared/data/workflows"), PathBuf::from);
    let Ok(entries) = fs::read_dir(directory) else {
        return vec![];
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    files.sort();
    files
}

#[test]
fn all_recorded_workflows_run() {
    let files = recorded();
    if files.is_empty() {
        eprintln!("no recorded workflows here; ATS_WORKFLOWS_DIR says where they are");
        return;
    }
    let mut arguments: Vec<String> = ["replay", "--output", "json", "--speed", "20000"]
        .map(String::from)
        .to_vec();
    arguments.extend(files.iter().map(|path| path.display().to_string()));
    let run = finish(ats(&arguments)).expect_code(0);
    assert_eq!(objects(&run.stdout).len(), files.len());
}
