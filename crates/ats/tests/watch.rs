//! `ats run --watch`: what is affected by a change runs again.

#![cfg(unix)]

mod support;

use std::fs;

use rustix::process::Signal;
use support::running::{Running, wait_until};
use support::{Place, ats};

const TASKS: &str = r#"
[tasks.compile]
run = "echo compile >> log; cat input > object"
inputs = ["input"]
outputs = ["object"]
[tasks.use]
run = "echo use >> log"
needs = ["compile"]
[tasks.other]
run = "echo other >> log"
"#;

/// Waits until the run waits for a change, after all these lines in the log.
#[track_caller]
fn rests_after(running: &Running, log: &str) {
    wait_until(&format!("the log is {log:?}"), || {
        fs::read_to_string(running.place.path("log")).is_ok_and(|text| text == log)
    });
}

#[test]
fn only_what_is_affected_runs_again_and_mistakes_are_waited_out() {
    let place = Place::with("tasks.toml", TASKS);
    fs::write(place.path("input"), "one").unwrap();
    let stderr = fs::File::create(place.path("stderr")).unwrap();
    let mut command = ats(&["run", place.file(), "-j1", "--watch"]);
    let child = command.stderr(stderr).spawn().unwrap();
    let running = Running { child, place };
    rests_after(&running, "compile\nother\nuse\n");
    let place = &running.place;
    fs::write(place.path("input"), "two").unwrap();
    rests_after(&running, "compile\nother\nuse\ncompile\nuse\n");
    fs::write(place.file(), "[tasks.compile]\nrun = 1\n").unwrap();
    wait_until("the mistake is told", || {
        let stderr = fs::read_to_string(place.path("stderr"));
        stderr.is_ok_and(|stderr| stderr.contains("`run` must be a string"))
    });
    fs::write(place.file(), TASKS.replace("echo other", "echo changed")).unwrap();
    rests_after(&running, "compile\nother\nuse\ncompile\nuse\nchanged\n");
    running.signal(Signal::INT);
    let (run, _) = running.finish();
    run.expect_plain().expect_code(130);
}

#[test]
fn what_changes_during_a_run_is_a_reason_for_the_next_one() {
    let tasks = r#"
[tasks.slow]
run = "echo $(cat input) >> log; touch began; while ! test -e go-on; do sleep 0.01; done"
inputs = ["input"]
"#;
    let place = Place::with("tasks.toml", tasks);
    fs::write(place.path("input"), "one").unwrap();
    let child = ats(&["run", place.file(), "--watch"]).spawn().unwrap();
    let running = Running { child, place };
    let place = &running.place;
    wait_until("it has begun", || place.path("began").exists());
    fs::write(place.path("input"), "two").unwrap();
    fs::write(place.path("go-on"), "").unwrap();
    rests_after(&running, "one\ntwo\n");
    running.signal(Signal::TERM);
    let (run, _) = running.finish();
    run.expect_code(143);
}
