//! `ats run`: order, failures, time-outs, retries, output, and how it stops what it started.

#![cfg(unix)]

mod support;

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use support::running::{assert_gone, start};
use support::{Finished, Place, ats, finish};

/// Runs a file of tasks with these further arguments.
fn run(tasks: &str, arguments: &[&str]) -> (Finished, Place) {
    let place = Place::with("tasks.toml", tasks);
    let all: Vec<&str> = ["run", place.file()]
        .iter()
        .chain(arguments)
        .copied()
        .collect();
    (finish(ats(&all)).expect_plain(), place)
}

/// The last lines of stderr, without the time at the end.
fn summary(run: &Finished, lines: usize) -> Vec<String> {
    let all: Vec<&str> = run.stderr.lines().collect();
    all[all.len().saturating_sub(lines)..]
        .iter()
        .map(|line| line.split(", in ").next().unwrap_or(line).to_owned())
        .collect()
}

const PRIORITIES: &str = r#"
[tasks.docs]
run = "echo docs"
priority = "free"
[tasks.lint]
run = "echo lint"
[tasks.fetch]
run = "echo fetch"
priority = "batch"
[tasks.build]
run = "echo build"
needs = ["fetch"]
[tasks.clean]
run = "echo clean"
[tasks.alarm]
run = "echo alarm"
priority = "monitoring"
[tasks.deploy]
run = "echo deploy"
needs = ["build", "lint"]
priority = "production"
"#;

#[test]
fn one_job_runs_the_most_important_first_and_what_it_needs() {
    let (run, _) = run(PRIORITIES, &["-j1"]);
    let order: Vec<&str> = run.stdout.lines().collect();
    let expected = ["alarm", "fetch", "lint", "build", "deploy", "clean", "docs"];
    assert_eq!(order, expected, "{}", run.stderr);
    run.expect_code(0);
}

#[test]
fn a_dry_run_prints_the_order_and_runs_nothing() {
    let (run, _) = run(PRIORITIES, &["--dry-run"]);
    assert_eq!(
        run.stdout,
        "1. alarm (monitoring): echo alarm
2. fetch (batch, raised to production): echo fetch
3. lint (mid, raised to production): echo lint
4. build (mid, raised to production): echo build
5. deploy (production): echo deploy
6. clean (mid): echo clean
7. docs (free): echo docs
"
    );
    assert_eq!(run.stderr, "");
    run.expect_code(0);
}

#[test]
fn only_named_tasks_run_with_what_they_need() {
    let (run, _) = run(PRIORITIES, &["-j1", "build"]);
    assert_eq!(run.stdout, "fetch\nbuild\n");
    run.expect_code(0);
}

const FAILURE: &str = r#"
[tasks.broken]
run = "echo before; echo complaint >&2; exit 7"
priority = "production"
[tasks.victim]
run = "echo never"
needs = ["broken"]
[tasks.grandchild]
run = "echo never"
needs = ["victim"]
[tasks.other]
run = "echo other"
"#;

#[test]
fn a_failure_skips_what_needs_it_and_starts_nothing_new() {
    let (run, _) = run(FAILURE, &["-j1"]);
    assert_eq!(run.stdout, "before\ncomplaint\n");
    let summary = summary(&run, 6);
    assert!(
        summary[0].starts_with("first failure: broken: exit code 7, after "),
        "{}",
        run.stderr
    );
    assert_eq!(
        summary[1..],
        [
            "    | before",
            "    | complaint",
            "skipped because of broken: victim, grandchild",
            "not started: other",
            "0 of 4 tasks done, 1 failed, 2 skipped, 1 not started",
        ]
    );
    run.expect_code(1);
}

#[test]
fn keep_going_runs_what_does_not_need_the_failure() {
    let (run, _) = run(FAILURE, &["-j1", "--keep-going"]);
    assert_eq!(run.stdout, "before\ncomplaint\nother\n");
    assert_eq!(
        summary(&run, 2),
        [
            "skipped because of broken: victim, grandchild",
            "1 of 4 tasks done, 1 failed, 2 skipped",
        ]
    );
    run.expect_code(1);
}

#[test]
fn a_failure_is_retried_as_often_as_allowed() {
    let tasks = r#"
[tasks.third-time-lucky]
run = "echo x >> attempts; test $(wc -l < attempts) -eq 3"
retries = 2
[tasks.hopeless]
run = "echo no; exit 1"
retries = 1
needs = ["third-time-lucky"]
"#;
    let (run, place) = run(tasks, &[]);
    assert_eq!(
        fs::read_to_string(place.path("attempts")).unwrap(),
        "x\nx\nx\n"
    );
    assert_eq!(run.stdout, "no\nno\n");
    assert!(
        run.stderr
            .contains("retry   third-time-lucky: exit code 1, 1 attempt left"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains(" and 2 attempts\n"), "{}", run.stderr);
    run.expect_code(1);
}

#[test]
fn environment_and_directory_are_as_the_file_says() {
    let tasks = r#"
env = { BOTH = "file", FILE = "1" }
[tasks.make]
run = "mkdir sub"
[tasks.show]
run = "echo $BOTH $FILE; basename $(pwd)"
env = { BOTH = "task" }
cwd = "sub"
needs = ["make"]
[tasks.lost]
run = "pwd"
cwd = "absent"
needs = ["show"]
"#;
    let (run, place) = run(tasks, &[]);
    assert_eq!(run.stdout, "task 1\nsub\n");
    let expected = format!(
        "first failure: lost: could not be run: there is no directory {}",
        place.path("absent").display()
    );
    assert_eq!(summary(&run, 2)[0], expected);
    run.expect_code(1);
}

#[test]
fn the_output_of_each_task_stays_together_in_its_order() {
    // Each waits for the other to have printed, so that both run and print at the same time.
    let tasks = r#"
[tasks.one]
run = "echo one 1; touch a; while ! test -e b; do sleep 0.01; done; echo one 2 >&2; echo one 3"
[tasks.two]
run = "echo two 1 >&2; touch b; while ! test -e a; do sleep 0.01; done; echo two 2; echo two 3 > /dev/stderr"
"#;
    let (run, _) = run(tasks, &["-j2"]);
    let one = "one 1\none 2\none 3\n";
    let two = "two 1\ntwo 2\ntwo 3\n";
    let orders = [format!("{one}{two}"), format!("{two}{one}")];
    assert!(orders.contains(&run.stdout), "{}", run.stdout);
    run.expect_code(0);
}

#[test]
fn a_large_output_comes_whole() {
    let (run, _) = run(
        "[tasks.large]\nrun = \"yes 0123456789 | head -c 5000000\"",
        &[],
    );
    assert_eq!(run.stdout.len(), 5_000_000);
    run.expect_code(0);
}

#[test]
fn what_stays_in_the_background_serves_later_tasks_and_ends_with_the_run() {
    let tasks = r#"
[tasks.serve]
run = "sleep 60 & echo $! > server; setsid sleep 60 & echo $! > daemon"
[tasks.use]
run = "kill -0 $(cat server) && kill -0 $(cat daemon) && echo served"
needs = ["serve"]
"#;
    let (run, place) = run(tasks, &[]);
    assert_eq!(run.stdout, "served\n");
    assert_gone(&place, &["server", "daemon"]);
    run.expect_code(0);
}

#[test]
fn a_signal_that_was_not_ours_is_a_failure() {
    let (run, _) = run("[tasks.victim]\nrun = \"kill -9 $$\"", &[]);
    assert!(
        run.stderr.contains("victim: killed by signal 9"),
        "{}",
        run.stderr
    );
    run.expect_code(1);
}

#[test]
fn a_time_out_ends_the_command_and_its_children() {
    let tasks = r#"
[tasks.slow]
run = "sleep 60 & echo $! > grandchild; echo $$ > child; wait"
timeout = "500ms"
"#;
    let (run, place) = run(tasks, &[]);
    assert_gone(&place, &["child", "grandchild"]);
    assert!(
        run.stderr.contains("slow: timed out after 500 ms"),
        "{}",
        run.stderr
    );
    run.expect_code(124);
}

#[test]
fn the_first_failure_decides_even_if_a_time_out_follows() {
    let tasks = r#"
[tasks.fails]
run = "exit 1"
[tasks.slow]
run = "while ! test -e never; do sleep 0.01; done"
timeout = 0.5
"#;
    let (run, _) = run(tasks, &["-j2", "-k"]);
    assert!(
        run.stderr.contains("also failed: slow: timed out"),
        "{}",
        run.stderr
    );
    run.expect_code(1);
}

/// A command with a grandchild that is told by a file when both run.
const LONG: &str = r#"
[tasks.long]
run = "sleep 60 & echo $! > grandchild; echo $$ > child; touch ready; wait"
[tasks.later]
run = "echo never"
needs = ["long"]
"#;

/// The same, deaf to requests.
const STUBBORN: &str = r#"
[tasks.stubborn]
run = """
trap '' TERM
sleep 60 & echo $! > grandchild
echo $$ > child
touch ready
wait
"""
"#;

#[test]
fn an_interrupt_ends_commands_and_their_children() {
    let running = start(LONG);
    running.signal(Signal::INT);
    let (run, place) = running.finish();
    assert_gone(&place, &["child", "grandchild"]);
    assert_eq!(
        summary(&run, 3),
        [
            "stopped: long",
            "skipped because of long: later",
            "0 of 2 tasks done, 1 stopped, 1 skipped",
        ]
    );
    run.expect_plain().expect_code(130);
}

#[test]
fn a_request_to_terminate_does_the_same() {
    let running = start(LONG);
    running.signal(Signal::TERM);
    let (run, place) = running.finish();
    assert_gone(&place, &["child", "grandchild"]);
    run.expect_code(143);
}

#[test]
fn a_second_interrupt_kills_what_does_not_listen() {
    let mut running = start(STUBBORN);
    running.signal(Signal::INT);
    // The first is known to have arrived when the program says so.
    let mut seen = String::new();
    let mut stderr = running.child.stderr.take().unwrap();
    while !seen.contains("at once when asked again") {
        let mut byte = [0];
        let read = std::io::Read::read(&mut stderr, &mut byte).unwrap();
        assert_eq!(read, 1, "it ended too early: {seen}");
        seen.push(char::from(byte[0]));
    }
    let asked = Instant::now();
    running.signal(Signal::INT);
    let (run, place) = running.finish();
    drop(stderr);
    assert_gone(&place, &["child", "grandchild"]);
    // Not a measurement: the grace that was cut short is much longer than this.
    assert!(
        asked.elapsed() < Duration::from_secs(4),
        "it was not killed at once"
    );
    run.expect_code(130);
}

#[test]
fn mistakes_in_the_file_run_nothing() {
    let (run, place) = run("[tasks.a]\nrun = \"touch ran\"\nneeds = [\"b\"]\n", &[]);
    let expected = format!(
        r#"error: task `a` needs `b`, which is not in this file
 --> {0}:3:10
  |
3 | needs = ["b"]
  |          ^^^
  |
  = help: did you mean `a`?

{0}: 1 mistake, nothing was run
"#,
        place.file()
    );
    assert_eq!(run.stderr, expected);
    assert!(!place.path("ran").exists());
    run.expect_code(2);
}

#[test]
fn an_unknown_task_or_file_is_refused() {
    let (unknown, _) = run(PRIORITIES, &["delpoy"]);
    assert_eq!(
        unknown.stderr,
        "error: there is no task `delpoy`\n  help: did you mean `deploy`?\n"
    );
    unknown.expect_code(2);
    let absent = finish(ats(&["run", "no/such/file.toml"])).expect_code(2);
    assert_eq!(
        absent.stderr,
        "error: no/such/file.toml: there is no such file\n  help: check the spelling, and the directory you are in\n"
    );
}
