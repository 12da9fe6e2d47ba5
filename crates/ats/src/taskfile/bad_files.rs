//! Files with mistakes and what is said about them: whole messages, and what good files mean.

use std::path::Path;
use std::time::Duration;

use adaptive_task_scheduler::Priority;

use super::Wrong;
use super::format::Format;
use super::model::{Action, TaskFile};

fn parse(source: &str) -> Result<TaskFile, Wrong> {
    super::parse(Path::new("tasks.toml"), source.into(), Format::Toml, &[])
}

/// All mistakes as they are shown without colour.
fn shown(source: &str) -> String {
    let wrong = parse(source).expect_err("the file was taken");
    anstream::adapter::strip_str(&wrong.to_string()).to_string()
}

#[track_caller]
fn refused(source: &str, expected: &str) {
    assert_eq!(shown(source).trim_end(), expected.trim_matches('\n'));
}

#[test]
fn all_mistakes_are_shown_at_once_with_their_lines() {
    let source = r#"jobs = 0
[tasks.build]
run = "make"
needs = ["fetch", "fetch", "lnit"]
prority = "production"
timeout = "soon"

[tasks.lint]
priority = "prodction"
retries = -1
run = " "

[tasks.fetch]
env = { A = 1.5 }
"#;
    refused(
        source,
        r#"
error: `jobs` must be from 1 to 256
 --> tasks.toml:1:8
  |
1 | jobs = 0
  |        ^

error: `fetch` is needed twice
 --> tasks.toml:4:19
  |
4 | needs = ["fetch", "fetch", "lnit"]
  |                   ^^^^^^^
  |
  = help: name each task once

error: task `build` needs `lnit`, which is not in this file
 --> tasks.toml:4:28
  |
4 | needs = ["fetch", "fetch", "lnit"]
  |                            ^^^^^^
  |
  = help: did you mean `lint`?

error: unknown key `prority`
 --> tasks.toml:5:1
  |
5 | prority = "production"
  | ^^^^^^^
  |
  = help: did you mean `priority`?

error: `timeout` is not a duration
 --> tasks.toml:6:11
  |
6 | timeout = "soon"
  |           ^^^^^^
  |
  = help: write "30s", "1m 30s" or "500ms", or a number of seconds

error: unknown priority `prodction`
 --> tasks.toml:9:12
  |
9 | priority = "prodction"
  |            ^^^^^^^^^^^
  |
  = help: did you mean `production`? the priorities are free, batch, mid, production, monitoring

error: `retries` must be from 0 to 1000
  --> tasks.toml:10:11
   |
10 | retries = -1
   |           ^^

error: `run` is empty
  --> tasks.toml:11:7
   |
11 | run = " "
   |       ^^^
   |
   = help: give a shell command, or leave `run` out for a task that only gathers others

error: task `fetch` has nothing to run
  --> tasks.toml:13:8
   |
13 | [tasks.fetch]
   |        ^^^^^
   |
   = help: add `run = "a shell command"`, or `needs` if it only gathers others

error: `env.A` must be a string
  --> tasks.toml:14:13
   |
14 | env = { A = 1.5 }
   |             ^^^ this is of type float
   |
   = help: put it in quotes, so that it stays as it is written

tasks.toml: 10 mistakes, nothing was run"#,
    );
}

#[test]
fn every_cycle_is_shown_with_its_whole_path() {
    refused(
        r#"
[tasks.a]
run = "a"
needs = ["c"]
[tasks.b]
run = "b"
needs = ["a"]
[tasks.c]
run = "c"
needs = ["b"]
[tasks.d]
run = "d"
needs = ["d"]
"#,
        r#"
error: tasks need each other in a cycle: `a` needs `c` needs `b` needs `a`
 --> tasks.toml:4:10
  |
4 | needs = ["c"]
  |          ^^^ one of these needs has to go

error: tasks need each other in a cycle: `d` needs `d`
  --> tasks.toml:13:10
   |
13 | needs = ["d"]
   |          ^^^ one of these needs has to go

tasks.toml: 2 mistakes, nothing was run"#,
    );
}

#[test]
fn what_cannot_be_parsed_says_nothing_about_what_may_be_in_it() {
    refused(
        r#"
[tasks.a]
run = "a
needs = ["b"]
retries = true
"#,
        r#"
error: invalid basic string, expected `"`
 --> tasks.toml:3:9
  |
3 | run = "a
  |         ^

error: `retries` must be a whole number
 --> tasks.toml:5:11
  |
5 | retries = true
  |           ^^^^ this is of type boolean

tasks.toml: 2 mistakes, nothing was run"#,
    );
}

#[test]
fn an_empty_file_says_how_to_begin() {
    refused(
        "",
        r#"
error: there are no tasks in this file
 --> tasks.toml:1:1
  |
1 |
  | ^
  |
  = help: begin with
          [tasks.hello]
          run = "echo hello"

tasks.toml: 1 mistake, nothing was run"#,
    );
}

#[test]
fn wrong_values_are_refused_each_with_one_title() {
    let cases = [
        ("tasks = 1", "`tasks` must be a table"),
        ("[tasks]\na = 1", "task `a` must be a table"),
        ("[tasks.\"\"]\nrun = \"x\"", "a task's name is empty"),
        ("[tasks.a]\nrun = 1", "`run` must be a string"),
        (
            "[tasks.a]\nrun = \"a\\u0000b\"",
            "`run` has a NUL character in it",
        ),
        (
            "[tasks.a]\nrun = \"x\"\nneeds = \"b\"",
            "`needs` must be a list",
        ),
        (
            "[tasks.a]\nrun = \"x\"\nneeds = [1]",
            "`needs` must be a string",
        ),
        ("[tasks.a]\nrun = \"x\"\ntimeout = 0", "`timeout` is zero"),
        (
            "[tasks.a]\nrun = \"x\"\ntimeout = -1.5",
            "`timeout` is not a duration",
        ),
        (
            "[tasks.a]\nrun = \"x\"\ntimeout = nan",
            "`timeout` is not a duration",
        ),
        (
            "[tasks.a]\nrun = \"x\"\ntimeout = true",
            "`timeout` must be a duration",
        ),
        (
            "[tasks.a]\nrun = \"x\"\nretries = 1.5",
            "`retries` must be a whole number",
        ),
        (
            "[tasks.a]\nrun = \"x\"\nretries = 99999999999999999999",
            "`retries` must be from 0 to 1000",
        ),
        ("[tasks.a]\nrun = \"x\"\ncwd = []", "`cwd` must be a string"),
        ("[tasks.a]\nrun = \"x\"\nenv = 1", "`env` must be a table"),
        (
            "[tasks.a]\nrun = \"x\"\nenv = { \"A=B\" = \"x\" }",
            "this cannot be the name of an environment variable",
        ),
        (
            "jobs = 1000\n[tasks.a]\nrun = \"x\"",
            "`jobs` must be from 1 to 256",
        ),
        ("[tasks.a]\nrun = \"x\"\nrun = \"y\"", "duplicate key"),
    ];
    for (source, title) in cases {
        let wrong = parse(source).expect_err(source);
        let titles: Vec<&str> = wrong
            .mistakes
            .iter()
            .map(|mistake| mistake.title.as_str())
            .collect();
        assert_eq!(titles, [title], "for {source}");
    }
}

#[test]
fn deep_nesting_does_not_exhaust_the_stack() {
    assert!(parse(&format!("a = {}", "[".repeat(1_000_000))).is_err());
}

fn parsed(source: &str) -> TaskFile {
    parse(source).unwrap_or_else(|wrong| panic!("{source}: {wrong}"))
}

#[test]
fn tasks_keep_the_order_of_the_file_and_all_they_were_given() {
    let file = parsed(
        r#"
        jobs = 3
        env = { EVERYWHERE = "1" }
        [tasks.z]
        run = "make z"
        needs = ["a"]
        priority = "production"
        timeout = "1m 30s"
        retries = 2
        env = { HERE = "2" }
        cwd = "sub"
        [tasks.a]
        run = "make a"
        timeout = 0.5
        "#,
    );
    assert_eq!(file.jobs, Some(3));
    let [z, a] = file.tasks.as_slice() else {
        panic!("{file:?}")
    };
    assert_eq!(
        (z.name.as_str(), &z.action, z.needs.as_slice()),
        ("z", &Action::Shell("make z".into()), &[1][..])
    );
    assert_eq!((z.priority, z.retries.count), (Priority::Production, 2));
    assert_eq!(z.timeout, Some(Duration::from_secs(90)));
    let both = [
        ("EVERYWHERE".into(), "1".into()),
        ("HERE".into(), "2".into()),
    ];
    assert_eq!(z.env, both);
    assert_eq!(a.env, both[..1]);
    assert_eq!(z.directory, Path::new("sub"));
    assert_eq!(a.directory, Path::new(""));
    assert_eq!((z.place.line, a.place.line), (4, 12));
    assert_eq!((a.priority, a.retries.count), (Priority::Mid, 0));
    assert_eq!(a.timeout, Some(Duration::from_millis(500)));
}

#[test]
fn the_sample_file_is_right() {
    let file = parsed(include_str!("../../examples/pipeline.toml"));
    assert_eq!(file.tasks.len(), 12);
}

#[test]
fn control_characters_of_a_file_do_not_reach_the_terminal() {
    let said = shown(
        "\u{9b}31m = 1\n\"\u{9b}\u{1b}\u{202e}\" = 1\n[tasks.a]\nrun = \"\u{9b}\"\nneeds = [\"\u{9b}\"]",
    );
    assert!(
        said.chars().all(|c| c == '\n' || !c.is_control()),
        "{said:?}"
    );
    assert!(!said.contains('\u{202e}'), "{said:?}");
}
