//! `ats run`: tasks with inputs and outputs run only if something has changed.

#![cfg(unix)]

mod support;

use std::fs;

use support::{Place, ats, finish};

/// `log` tells which tasks ran.
const TASKS: &str = r#"
[tasks.compile]
run = "echo compile >> log; cat src/*.txt > object"
inputs = ["src/*.txt"]
outputs = ["object"]
[tasks.link]
run = "echo link >> log; tr a-z A-Z < object > program"
inputs = ["object"]
outputs = ["program"]
needs = ["compile"]
[tasks.always]
run = "echo always >> log"
needs = ["link"]
"#;

fn place() -> Place {
    let place = Place::with("tasks.toml", TASKS);
    fs::create_dir(place.path("src")).unwrap();
    fs::write(place.path("src/one.txt"), "one\n").unwrap();
    place
}

/// What ran.
#[track_caller]
fn ran(place: &Place, arguments: &[&str], expected: &[&str]) {
    let _ = fs::remove_file(place.path("log"));
    let all = [&["run", place.file(), "-j1"], arguments].concat();
    finish(ats(&all)).expect_plain().expect_code(0);
    let log = fs::read_to_string(place.path("log")).unwrap_or_default();
    assert_eq!(log.lines().collect::<Vec<_>>(), expected);
}

const ALL: [&str; 3] = ["compile", "link", "always"];

#[test]
fn nothing_runs_again_that_has_no_reason_to() {
    let place = place();
    ran(&place, &[], &ALL);
    ran(&place, &[], &["always"]);
    ran(&place, &["--force"], &ALL);
    ran(&place, &[], &["always"]);
}

#[test]
fn a_changed_input_runs_what_depends_on_its_content() {
    let place = place();
    ran(&place, &[], &ALL);
    fs::write(place.path("src/one.txt"), "One\n").unwrap();
    ran(&place, &[], &ALL);
    // A new file that adds nothing to the object stops at the object.
    fs::write(place.path("src/two.txt"), "").unwrap();
    ran(&place, &[], &["compile", "always"]);
    // The same content written again is no change.
    fs::write(place.path("src/one.txt"), "One\n").unwrap();
    ran(&place, &[], &["always"]);
    fs::remove_file(place.path("src/two.txt")).unwrap();
    ran(&place, &[], &["compile", "always"]);
}

#[test]
fn outputs_must_be_there_as_they_were_left() {
    let place = place();
    ran(&place, &[], &ALL);
    fs::remove_file(place.path("program")).unwrap();
    ran(&place, &[], &["link", "always"]);
    fs::write(place.path("object"), "tampered\n").unwrap();
    ran(&place, &[], &["compile", "always"]);
}

#[test]
fn a_changed_command_or_environment_is_a_reason() {
    let place = place();
    ran(&place, &[], &ALL);
    let changed = TASKS.replace("tr a-z A-Z", "tr A-Z a-z");
    fs::write(place.file(), &changed).unwrap();
    ran(&place, &[], &["link", "always"]);
    let env = changed.replace("[tasks.link]", "[tasks.link]\nenv = { A = \"1\" }");
    fs::write(place.file(), env).unwrap();
    ran(&place, &[], &["link", "always"]);
    ran(&place, &[], &["always"]);
}

#[test]
fn a_failure_is_not_remembered_as_a_success() {
    let place = place();
    ran(&place, &[], &ALL);
    let failing = TASKS.replace("> object", "> object; test -e fixed");
    fs::write(place.file(), failing).unwrap();
    finish(ats(&["run", place.file()])).expect_code(1);
    finish(ats(&["run", place.file()])).expect_code(1);
    fs::write(place.path("fixed"), "").unwrap();
    ran(&place, &[], &["compile", "always"]);
}
