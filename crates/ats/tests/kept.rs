//! What `ats run` tells programs and keeps of a run: events, logs, traces, learned durations.

#![cfg(unix)]

mod support;

use std::fs;

use serde_json::Value;
use support::{Finished, Place, ats, finish};

const TASKS: &str = r#"
[tasks.fetch]
run = "echo fetched; printf 'ä'"
[tasks."test (os=linux)"]
run = "test -e second || { touch second; echo no; exit 3; }"
retries = 1
needs = ["fetch"]
[tasks.broken]
run = "echo oops >&2; exit 7"
needs = ["test (os=linux)"]
[tasks.release]
run = "echo never"
needs = ["broken"]
priority = "production"
"#;

fn run_in(place: &Place, arguments: &[&str]) -> Finished {
    let mut command = ats(&[&["run", "tasks.toml"], arguments].concat());
    command
        .current_dir(place.directory())
        .env("XDG_CACHE_HOME", place.path("cache"));
    finish(command).expect_plain()
}

fn events(run: &Finished) -> Vec<Value> {
    run.stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect()
}

/// What happened, in short.
fn story(events: &[Value]) -> Vec<String> {
    let told = events.iter().map(|event| {
        assert_eq!(event["version"], 1);
        assert!(event["at"].is_number());
        let words = [
            &event["event"],
            &event["task"],
            &event["outcome"],
            &event["because_of"],
        ];
        let words = words.iter().filter_map(|word| word.as_str());
        words.collect::<Vec<_>>().join(" ")
    });
    told.collect()
}

#[test]
fn every_event_is_an_object_a_line() {
    let place = Place::with("tasks.toml", TASKS);
    let run = run_in(&place, &["-j1", "--output", "json"]).expect_code(1);
    let events = events(&run);
    let story = story(&events);
    let expected = [
        "run-started",
        "task-planned fetch",
        "task-planned test (os=linux)",
        "task-planned broken",
        "task-planned release",
        "task-started fetch",
        "task-output fetch",
        "task-ended fetch done",
        "task-started test (os=linux)",
        "task-retrying test (os=linux) failed",
        "task-started test (os=linux)",
        "task-ended test (os=linux) done",
        "task-started broken",
        "task-output broken",
        "task-ended broken failed",
        "task-never-run release broken",
        "run-ended",
    ];
    let mut rest = story.iter();
    for wanted in expected {
        assert!(
            rest.any(|told| told == wanted),
            "no `{wanted}` in order in {story:#?}"
        );
    }
    let printed = |task: &str| {
        let of_task = events
            .iter()
            .filter(|event| event["event"] == "task-output" && event["task"] == task);
        of_task
            .map(|event| event["text"].as_str().unwrap())
            .collect::<String>()
    };
    assert_eq!(printed("fetch"), "fetched\nä");
    let end = events.last().unwrap();
    assert_eq!(
        (&end["exit_code"], &end["done"], &end["never_run"]),
        (&1.into(), &2.into(), &1.into())
    );
    assert_eq!(run.stderr, "");
}

#[test]
fn logs_are_kept_apart_by_task_and_by_run() {
    let place = Place::with("tasks.toml", TASKS);
    run_in(&place, &["-j1", "--log-dir", "logs"]).expect_code(1);
    let first = fs::canonicalize(place.path("logs/latest")).unwrap();
    let read = |name: &str| fs::read_to_string(first.join(name)).unwrap();
    assert_eq!(read("fetch.log"), "fetched\nä");
    assert_eq!(read("broken.log"), "oops\n");
    let mut names: Vec<_> = fs::read_dir(&first)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names.len(), 3, "{names:?}");
    let retried = names
        .iter()
        .find(|name| name.to_string_lossy().starts_with("test__os_linux_~"));
    assert_eq!(
        read(retried.unwrap().to_str().unwrap()),
        "no\n[ats] attempt 2\n"
    );
    run_in(&place, &["-j1", "--log-dir", "logs"]).expect_code(1);
    assert_ne!(fs::canonicalize(place.path("logs/latest")).unwrap(), first);
}

#[test]
fn a_trace_is_kept_of_any_run() {
    let place = Place::with("tasks.toml", TASKS);
    run_in(&place, &["-j1", "--trace", "trace.json"]).expect_code(1);
    let trace: Value =
        serde_json::from_str(&fs::read_to_string(place.path("trace.json")).unwrap()).unwrap();
    let outcomes: Vec<&str> = trace["ats"]["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["done", "done", "failed", "never"]);
    let slices = trace["traceEvents"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["ph"] == "X");
    assert_eq!(slices.count(), 4, "one for each attempt");
    assert!(trace["ats"]["makespan_us"].as_u64() > Some(0));
}

#[test]
fn what_cannot_be_kept_is_said_before_anything_runs() {
    let place = Place::with("tasks.toml", "[tasks.a]\nrun = \"touch ran\"\n");
    for arguments in [
        ["--trace", "absent/trace.json"],
        ["--log-dir", "tasks.toml/logs"],
    ] {
        let run = run_in(&place, &arguments).expect_code(2);
        assert!(
            run.stderr.contains("cannot be written to"),
            "{}",
            run.stderr
        );
    }
    assert!(!place.path("ran").exists());
}

#[test]
fn durations_are_learned_from_run_to_run() {
    let place = Place::with("tasks.toml", "[tasks.a]\nrun = \"true\"\n");
    let expected = |arguments: &[&str]| {
        let run = run_in(&place, &[&["--output", "json"], arguments].concat()).expect_code(0);
        let planned = events(&run)
            .into_iter()
            .find(|event| event["event"] == "task-planned");
        planned.unwrap()["expected"].clone()
    };
    assert_eq!(expected(&[]), Value::Null);
    assert!(expected(&[]).is_number());
    assert_eq!(expected(&["--no-profile"]), Value::Null);
    assert_eq!(expected(&["--profile", "own.json"]), Value::Null);
    assert!(place.path("own.json").exists());
    let kept: Vec<_> = fs::read_dir(place.path("cache/ats/durations"))
        .unwrap()
        .collect();
    assert!(!kept.is_empty());
}

#[test]
fn a_damaged_profile_is_a_warning_and_no_more() {
    let place = Place::with("tasks.toml", "[tasks.a]\nrun = \"true\"\n");
    fs::write(place.path("own.json"), "{ half").unwrap();
    let run = run_in(&place, &["--profile", "own.json"]).expect_code(0);
    assert!(
        run.stderr.starts_with("warning: own.json: it is damaged"),
        "{}",
        run.stderr
    );
    let again = run_in(&place, &["--profile", "own.json"]).expect_code(0);
    assert!(!again.stderr.contains("warning"), "{}", again.stderr);
}

#[test]
fn a_task_is_explained_and_nothing_is_run() {
    let place = Place::with("tasks.toml", TASKS);
    let run = run_in(&place, &["-j1", "--explain", "fetch"]).expect_code(0);
    let priority = "priority    mid, raised to production by release, which needs it through";
    assert!(run.stdout.contains(priority), "{}", run.stdout);
    assert!(run.stdout.contains("starts      at once"), "{}", run.stdout);
    assert!(!place.path("second").exists());
    let wrong = run_in(&place, &["--explain", "realese"]).expect_code(2);
    assert!(
        wrong.stderr.contains("did you mean `release`?"),
        "{}",
        wrong.stderr
    );
}

#[test]
fn an_explanation_tells_whether_a_task_is_up_to_date_and_why_not() {
    let tasks =
        "[tasks.copy]\nrun = \"cp in out\"\ninputs = [\"in\", \"more*\"]\noutputs = [\"out\"]\n";
    let place = Place::with("tasks.toml", tasks);
    fs::write(place.path("in"), "1").unwrap();
    let check = |arguments: &[&str]| {
        let run = run_in(&place, &[&["--explain", "copy"], arguments].concat()).expect_code(0);
        let line = run
            .stdout
            .lines()
            .find_map(|line| line.trim().strip_prefix("up to date"));
        line.unwrap()
            .trim()
            .replace(&format!("{}/", place.directory().display()), "")
    };
    assert_eq!(
        check(&[]),
        "no: there is no record of a run in which it worked"
    );
    run_in(&place, &[]).expect_code(0);
    for _ in 0..2 {
        assert_eq!(check(&[]), "yes, as things are now: it would be skipped");
    }
    assert_eq!(check(&["--force"]), "no: it was asked for by `--force`");
    fs::write(place.path("in"), "2").unwrap();
    fs::write(place.path("more1"), "").unwrap();
    assert_eq!(
        check(&[]),
        "no: inputs have changed: in (changed), more1 (new)"
    );
    run_in(&place, &[]).expect_code(0);
    fs::remove_file(place.path("out")).unwrap();
    assert_eq!(
        check(&[]),
        "no: outputs are not as it left them: out (gone)"
    );
    fs::write(
        place.path("tasks.toml"),
        tasks.replace("cp in out", "cat in > out"),
    )
    .unwrap();
    let changed = check(&[]);
    assert!(
        changed.starts_with("no: it has been changed since"),
        "{changed}"
    );
}

#[test]
fn a_run_that_can_go_on_later_says_so() {
    let place = Place::with("tasks.toml", TASKS);
    let run = run_in(&place, &["-j1"]).expect_code(1);
    assert!(
        run.stderr.ends_with("; --resume goes on from here\n"),
        "{}",
        run.stderr
    );
}
