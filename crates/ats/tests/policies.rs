//! `ats run`: conditions, cleanup, places, pauses, and what a failure does to the rest.

#![cfg(unix)]

mod support;

use std::fs;

use rustix::process::Signal;
use support::running::{assert_gone, start, wait_until};
use support::{Finished, Place, ats, finish};

fn run(tasks: &str, arguments: &[&str]) -> (Finished, Place) {
    let place = Place::with("tasks.toml", tasks);
    let all = [&["run", place.file()], arguments].concat();
    (finish(ats(&all)).expect_plain(), place)
}

#[test]
fn a_condition_decides_whether_a_task_runs_and_what_needs_it_goes_on() {
    let tasks = r#"
[tasks.off]
run = "echo off"
if = "echo considering; test -e absent"
[tasks.on]
run = "echo on"
if = "echo considering; test -e tasks.toml"
needs = ["off"]
"#;
    let (run, _) = run(tasks, &[]);
    assert_eq!(run.stdout, "on\n");
    run.expect_code(0);
}

#[test]
fn a_condition_that_cannot_be_found_is_a_failure() {
    let (run, _) = run(
        "[tasks.a]\nrun = \"echo a\"\nif = \"no-such-program --really\"\n",
        &[],
    );
    assert!(
        run.stderr.contains("its `if` failed: exit code 127"),
        "{}",
        run.stderr
    );
    run.expect_code(1);
}

const CLEANUP: &str = r#"
[tasks.start]
run = "echo start"
[tasks.test]
run = "echo test; exit 3"
needs = ["start"]
[tasks.report]
run = "echo never"
needs = ["test"]
[tasks.stop]
run = "echo stop"
needs = ["test", "report"]
always = true
[tasks.notify]
run = "echo notify"
needs = ["stop"]
priority = "free"
"#;

#[test]
fn a_cleanup_runs_after_a_failure_and_nothing_else_does() {
    let (run, _) = run(CLEANUP, &["-j1"]);
    assert_eq!(run.stdout, "start\ntest\nstop\n");
    run.expect_code(1);
}

#[test]
fn what_needs_only_the_cleanup_runs_if_the_run_keeps_going() {
    let (run, _) = run(CLEANUP, &["-j1", "-k"]);
    assert_eq!(run.stdout, "start\ntest\nstop\nnotify\n");
    run.expect_code(1);
}

#[test]
fn stopping_at_once_ends_what_runs_and_still_cleans_up() {
    let tasks = r#"
[tasks.long]
run = "sleep 60 & echo $! > grandchild; echo $$ > child; wait"
[tasks.fails]
run = "while ! test -s child; do sleep 0.01; done; exit 5"
[tasks.clean]
run = "echo clean"
needs = ["long", "fails"]
always = true
"#;
    let (run, place) = run(tasks, &["-j2", "--stop-at-once"]);
    assert_gone(&place, &["child", "grandchild"]);
    assert_eq!(run.stdout, "clean\n");
    assert!(run.stderr.contains("fails: exit code 5"), "{}", run.stderr);
    run.expect_code(1);
}

#[test]
fn an_interrupted_run_cleans_up_and_leaves_the_cleanup_alone() {
    let running = start(
        r#"
[tasks.serve]
run = "echo $$ > child; touch ready; exec sleep 60"
[tasks.clean]
run = "touch cleaning; while ! test -e go-on; do sleep 0.01; done; echo clean"
needs = ["serve"]
always = true
[tasks.later]
run = "echo never"
needs = ["clean"]
"#,
    );
    running.signal(Signal::INT);
    wait_until("the cleanup runs", || {
        running.place.path("cleaning").exists()
    });
    fs::write(running.place.path("go-on"), "").unwrap();
    let (run, place) = running.finish();
    assert_gone(&place, &["child"]);
    assert_eq!(run.stdout, "clean\n");
    run.expect_code(130);
}

#[test]
fn a_second_interrupt_ends_the_cleanup_too() {
    let running = start(
        r#"
[tasks.serve]
run = "touch ready; exec sleep 60"
[tasks.clean]
run = "echo $$ > child; touch cleaning; exec sleep 60"
needs = ["serve"]
always = true
"#,
    );
    running.signal(Signal::TERM);
    wait_until("the cleanup runs", || {
        running.place.path("cleaning").exists()
    });
    running.signal(Signal::TERM);
    let (run, place) = running.finish();
    assert_gone(&place, &["child"]);
    run.expect_code(143);
}

#[test]
fn retries_wait_and_give_their_place_away_meanwhile() {
    let tasks = r#"
[tasks.flaky]
run = "echo attempt; test -e other-ran"
priority = "production"
retries = { count = 50, backoff = "20ms" }
[tasks.other]
run = "echo other; touch other-ran"
"#;
    let (run, _) = run(tasks, &["-j1"]);
    assert!(run.stdout.starts_with("other\n"), "{}", run.stdout);
    assert!(run.stdout.ends_with("attempt\nattempt\n"), "{}", run.stdout);
    run.expect_code(0);
}

/// An unimportant task holds the only place when an important one becomes ready.
const URGENT: &str = r#"
[tasks.slow]
run = "echo $$ > slow; while ! test -e finish; do sleep 0.01; done; echo slow"
priority = "batch"
[tasks.usual]
run = "echo usual"
[tasks.arrival]
run = "while ! test -s slow; do sleep 0.01; done; touch arrived"
lane = "io"
priority = "free"
"#;

#[test]
fn an_important_task_gets_the_next_place() {
    // `usual` is less important than `slow`, so that `slow` has the place.
    let tasks = URGENT.replace("[tasks.usual]", "[tasks.usual]\npriority = \"free\"")
        + r#"
[tasks.finish]
run = "while ! test -e arrived; do sleep 0.01; done; touch finish"
lane = "blocking"
[tasks.urgent]
run = "echo urgent"
needs = ["arrival"]
priority = "monitoring"
"#;
    let (run, _) = run(&tasks, &["-j1"]);
    assert_eq!(run.stdout, "slow\nurgent\nusual\n");
    run.expect_code(0);
}

#[test]
fn with_preempt_an_unimportant_task_stands_still_meanwhile() {
    let tasks = URGENT.replace("[tasks.usual]", "[tasks.usual]\npriority = \"free\"")
        + r#"
[tasks.urgent]
run = "until grep -q ') T' /proc/$(cat slow)/stat; do sleep 0.01; done; echo stands; touch finish"
needs = ["arrival"]
priority = "monitoring"
"#;
    let (run, _) = run(&tasks, &["-j1", "--preempt"]);
    assert_eq!(run.stdout, "stands\nslow\nusual\n");
    run.expect_code(0);
}

#[test]
fn a_paused_task_is_stopped_with_all_others() {
    let tasks = URGENT.to_owned()
        + r#"
[tasks.urgent]
run = "echo $$ > urgent; touch ready; exec sleep 60"
needs = ["arrival"]
priority = "monitoring"
"#;
    let place = Place::with("tasks.toml", &tasks);
    let mut command = ats(&["run", place.file(), "-j1", "--preempt", "slow", "urgent"]);
    let child = command.spawn().unwrap();
    wait_until("both have begun", || place.path("ready").exists());
    let running = support::running::Running { child, place };
    running.signal(Signal::TERM);
    let (run, place) = running.finish();
    assert_gone(&place, &["slow", "urgent"]);
    run.expect_code(143);
}

#[test]
fn a_command_without_a_shell_gets_its_words_and_directory() {
    let tasks = r#"
[tasks.script]
run = "./show one two=2"
cwd = "sub"
env = { PWD_IS = "set" }
[tasks.pwd]
exec = ["printenv", "PWD"]
cwd = "sub"
[tasks.odd]
run = "not-executable"
"#;
    let place = Place::with("tasks.toml", tasks);
    fs::create_dir(place.path("sub")).unwrap();
    // Without a line that names a shell, only a shell can run it.
    fs::write(place.path("sub/show"), "echo $0 $@ $PWD_IS\n").unwrap();
    finish_chmod(&place, "sub/show");
    let run = finish(ats(&["run", place.file(), "-j1", "-k"]));
    let sub = place.path("sub").canonicalize().unwrap();
    let expected = format!("./show one two=2 set\n{}\n", sub.display());
    assert!(run.stdout.starts_with(&expected), "{}", run.stdout);
    assert!(run.stderr.contains("odd: exit code 127"), "{}", run.stderr);
    run.expect_code(1);
}

fn finish_chmod(place: &Place, file: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(place.path(file), fs::Permissions::from_mode(0o755)).unwrap();
}
