//! Looking at what `ats run` would do: the file that is found, the tasks that are chosen, dry runs,
//! graphs and lists.

mod support;

use std::fs;

use support::{Finished, Place, ats, finish};

const FILE: &str = r#"
vars = { env = "test" }

[tasks.build]
description = "compiles everything"
exec = ["cc", "-o", "out file", "it's"]
env = { A = "1" }

[tasks.fetch]
run = "fetch {{ env }}"
lane = "io"
retries = { count = 2, backoff = "1s" }

[tasks.test]
run = "test {{ matrix.n }}"
needs = ["build"]
matrix = { n = [1, 2] }
timeout = "5m"

[tasks.deploy]
run = "deploy"
needs = ["test", "fetch"]
priority = "production"
if = "test -n x"

[tasks."odd \"name\" <b>\\"]
needs = ["deploy"]
always = true
"#;

fn look(arguments: &[&str]) -> (Finished, Place) {
    let place = Place::with("ats.toml", FILE);
    let mut command = ats(&[&["run"], arguments].concat());
    command.current_dir(place.directory());
    (finish(command).expect_plain(), place)
}

#[test]
fn a_dry_run_tells_the_order_and_all_that_is_unusual() {
    let (run, _place) = look(&["--dry-run", "--", "--env", "a b"]);
    assert_eq!(run.stderr, "");
    insta::assert_snapshot!(run.expect_code(0).stdout);
}

#[test]
fn a_dry_run_for_machines_is_one_object_with_a_version() {
    let (run, _place) = look(&["--dry-run=json", "test", "--only", "fetch"]);
    let value: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&value).unwrap());
    run.expect_code(0);
}

#[test]
fn graphs_mark_the_critical_path_and_escape_names() {
    let (dot, _place) = look(&["--graph", "dot"]);
    insta::assert_snapshot!(dot.expect_code(0).stdout);
    let (mermaid, _place) = look(&["--graph", "mermaid"]);
    insta::assert_snapshot!(mermaid.expect_code(0).stdout);
}

#[test]
fn a_list_tells_what_tasks_are_for() {
    let (list, _place) = look(&["--list"]);
    insta::assert_snapshot!(list.expect_code(0).stdout);
}

#[test]
fn the_usual_file_is_found_from_below() {
    let place = Place::with("ats.yaml", "tasks:\n  here: {run: pwd}\n");
    let below = place.path("a/b");
    fs::create_dir_all(&below).unwrap();
    let mut command = ats(&["run", "here"]);
    command.current_dir(&below);
    let run = finish(command).expect_code(0);
    let printed = fs::canonicalize(run.stdout.trim()).unwrap();
    assert_eq!(printed, fs::canonicalize(place.directory()).unwrap());
}

#[test]
fn a_missing_or_doubled_file_is_explained() {
    let place = Place::with("ats.yaml", "tasks:\n  here: {run: pwd}\n");
    fs::write(place.path("ats.toml"), "").unwrap();
    let mut command = ats(&["run"]);
    command.current_dir(place.directory());
    let run = finish(command).expect_code(2);
    assert!(
        run.stderr
            .contains("there are both ats.toml and ats.yaml in"),
        "{}",
        run.stderr
    );

    let mut command = ats(&["run", "--file", "ats.yaml", "a.toml"]);
    command.current_dir(place.directory());
    let run = finish(command).expect_code(2);
    assert!(
        run.stderr.contains("there is no task `a.toml`"),
        "{}",
        run.stderr
    );
}

#[test]
fn arguments_that_fit_no_variable_are_refused_together() {
    let (run, _place) = look(&["--dry-run", "--", "--evn", "prod", "--env", "--x=1", "y"]);
    insta::assert_snapshot!(run.expect_code(2).stderr);
}
