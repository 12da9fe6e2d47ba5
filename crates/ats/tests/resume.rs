//! `ats run --resume`: what was done is not done again.

#![cfg(unix)]

mod support;

use std::fs;

use support::{Finished, Place, ats, finish};

const TASKS: &str = r#"
[tasks.fetch]
run = "echo fetch"
[tasks.build]
run = "echo build"
needs = ["fetch"]
[tasks.test]
run = "echo test; test -e fixed"
needs = ["build"]
[tasks.other]
run = "echo other"
priority = "production"
if = "test -e fixed"
[tasks.deploy]
run = "echo deploy"
needs = ["test", "other"]
"#;

fn run(place: &Place, arguments: &[&str]) -> Finished {
    let all = [&["run", place.file(), "-j1"], arguments].concat();
    finish(ats(&all)).expect_plain()
}

/// A run that has failed and could succeed now.
fn failed() -> Place {
    let place = Place::with("tasks.toml", TASKS);
    let first = run(&place, &[]);
    assert_eq!(first.stdout, "fetch\nbuild\ntest\n");
    first.expect_code(1);
    fs::write(place.path("fixed"), "").unwrap();
    place
}

#[test]
fn only_what_was_not_done_is_run() {
    let place = failed();
    let second = run(&place, &["--resume"]);
    assert_eq!(second.stdout, "test\ndeploy\n");
    assert!(second.stderr.contains("3 tasks done"), "{}", second.stderr);
    second.expect_code(0);
    // All is done now.
    let third = run(&place, &["--resume"]);
    assert_eq!(third.stdout, "");
    third.expect_code(0);
    let fresh = run(&place, &[]);
    assert_eq!(fresh.stdout, "other\nfetch\nbuild\ntest\ndeploy\n");
    fresh.expect_code(0);
}

#[test]
fn what_was_changed_is_run_again_with_what_needs_it_and_told() {
    let place = failed();
    let changed = TASKS.replace("echo fetch", "echo fetch again");
    fs::write(place.file(), changed).unwrap();
    let second = run(&place, &["--resume"]);
    assert_eq!(second.stdout, "fetch again\nbuild\ntest\ndeploy\n");
    let told = "changed since then, and run again with what needs them: fetch\n";
    assert!(second.stderr.contains(told), "{}", second.stderr);
    second.expect_code(0);
}

#[test]
fn without_a_run_before_there_is_nothing_to_resume() {
    let place = Place::with("tasks.toml", TASKS);
    let first = run(&place, &["--resume"]).expect_code(2);
    let expected = format!(
        "error: there is no run of {} to resume\n  help: leave out `--resume` to start one\n",
        place.file()
    );
    assert_eq!(first.stderr, expected);
}
