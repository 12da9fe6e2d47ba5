//! `ats run` killed with SIGKILL: nothing is left running, and `--resume` runs what is missing.
//!
//! The moments are random; `ATS_KILL_ROUNDS` says how many are tried instead of a few.

#![cfg(target_os = "linux")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use support::running::{start, wait_until};
use support::{Place, ats, finish};

/// Each command tells when it begins, and starts what is hard to find: a grandchild in a session
/// of its own, whose parent is gone, and one that stands still.
fn tasks() -> String {
    let mut file = String::new();
    for task in 0..24 {
        let needs = match task {
            0..4 => String::new(),
            _ => format!("\"t{}\", \"t{}\"", task - 4, task - 3),
        };
        file += &format!(
            r#"
[tasks.t{task}]
run = """
echo t{task} >> begun
(setsid sh -c 'sleep 60 & sleep 60' &)
sleep 60 & kill -STOP $!
sleep 0.01
"""
needs = [{needs}]
"#
        );
    }
    file
}

/// Who is killed.
#[derive(Clone, Copy, Debug)]
enum Victim {
    Outer,
    Inner,
    Group,
}

struct Case {
    place: Place,
    mark: String,
}

impl Case {
    fn new(number: u32) -> Self {
        Case {
            place: Place::with("tasks.toml", &tasks()),
            mark: format!("{}-{number}", std::process::id()),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let all = [&["run", self.place.file(), "-j3"], arguments].concat();
        let mut command = ats(&all);
        command
            .env("ATS_TEST_MARK", &self.mark)
            .env("XDG_CACHE_HOME", self.place.path("cache"));
        command
    }

    fn kill(&self, victim: Victim, after: Duration) {
        use std::os::unix::process::CommandExt;
        let mut command = self.command(&[]);
        command.process_group(0);
        let mut outer = command.spawn().unwrap();
        thread::sleep(after);
        let pid = Pid::from_child(&outer);
        let inner = match victim {
            Victim::Inner => child_of(pid),
            _ => None,
        };
        // It may have ended by itself.
        let _ = match (victim, inner) {
            (Victim::Group, _) => kill_process_group(pid, Signal::KILL),
            (_, inner) => kill_process(inner.unwrap_or(pid), Signal::KILL),
        };
        outer.wait().unwrap();
        wait_until(&format!("nothing is left of {:?}", self.mark), || {
            marked(&self.mark).is_empty()
        });
    }

    fn begun(&self) -> Vec<String> {
        let begun = fs::read_to_string(self.place.path("begun")).unwrap_or_default();
        begun.lines().map(str::to_owned).collect()
    }

    /// The tasks that the journal says are done.
    fn done(&self) -> BTreeSet<String> {
        let mut done = BTreeSet::new();
        for journal in journals(&self.place.path("cache/ats/runs")) {
            let text = fs::read_to_string(journal).unwrap();
            // The last line may be torn; a whole one ends with a bracket.
            let whole = text.lines().filter(|line| line.ends_with('}'));
            let names = whole.filter_map(|line| line.split("\"done\":\"").nth(1));
            done.extend(names.map(|rest| rest.split('"').next().unwrap().to_owned()));
        }
        done
    }
}

fn journals(directory: &Path) -> Vec<PathBuf> {
    let of_files = fs::read_dir(directory).into_iter().flatten().flatten();
    let all = of_files.flat_map(|entry| fs::read_dir(entry.path()).into_iter().flatten());
    let paths = all.flatten().map(|entry| entry.path());
    paths
        .filter(|path| path.extension().is_some_and(|end| end == "journal"))
        .collect()
}

/// Processes with this mark in their environment.
fn marked(mark: &str) -> Vec<String> {
    let mark = format!("ATS_TEST_MARK={mark}\0");
    let has_mark = |path: &PathBuf| {
        let environ = fs::read(path.join("environ")).unwrap_or_default();
        let stat = fs::read_to_string(path.join("stat")).unwrap_or_default();
        let is_over = stat
            .rsplit(") ")
            .next()
            .is_none_or(|rest| rest.starts_with(['Z', 'X']));
        !is_over
            && environ
                .windows(mark.len())
                .any(|part| part == mark.as_bytes())
    };
    let all = fs::read_dir("/proc").unwrap().flatten();
    let paths = all.map(|entry| entry.path()).filter(has_mark);
    paths.map(|path| path.display().to_string()).collect()
}

fn child_of(parent: Pid) -> Option<Pid> {
    let parent = parent.as_raw_nonzero();
    let path = format!("/proc/{parent}/task/{parent}/children");
    let children = fs::read_to_string(path).ok()?;
    Pid::from_raw(children.split_whitespace().next()?.parse().ok()?)
}

#[test]
fn nothing_is_left_and_what_is_missing_is_run_after_a_kill_at_any_moment() {
    let rounds = std::env::var("ATS_KILL_ROUNDS");
    let rounds = rounds
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(6);
    let all: BTreeSet<String> = (0..24).map(|task| format!("t{task}")).collect();
    for round in 0..rounds {
        let case = Case::new(round);
        let victim = [Victim::Outer, Victim::Inner, Victim::Group][round as usize % 3];
        // Spread over the time that a whole run takes, by a number that wanders over all of it.
        let after = Duration::from_millis(u64::from(round * 89 % 320));
        case.kill(victim, after);
        let done = case.done();
        let begun = case.begun();
        let context = format!("{victim:?} after {after:?}: begun {begun:?}, done {done:?}");
        for task in &done {
            assert!(begun.contains(task), "{task} never began; {context}");
        }
        fs::remove_file(case.place.path("begun")).unwrap_or_default();
        let resumed = finish(case.command(&["--resume"]));
        let resumed = match resumed.code {
            // It was killed before there was anything to resume.
            Some(2) => finish(case.command(&[])),
            _ => resumed,
        };
        resumed.expect_code(0);
        let again = case.begun();
        let missing: Vec<&String> = all.difference(&done).collect();
        let mut sorted: Vec<&String> = again.iter().collect();
        sorted.sort();
        assert_eq!(sorted, missing, "{context}");
        assert_eq!(marked(&case.mark), [""; 0], "{context}");
    }
}

#[test]
fn a_hung_output_does_not_keep_commands_alive() {
    // Nobody reads what it prints, so that it stands still in the middle of printing.
    let running = start(
        "[tasks.a]\nrun = \"yes | head -c 1000000\"\n[tasks.b]\nneeds = [\"a\"]\nrun = \"true\"\n[tasks.c]\nrun = \"echo $$ > c; touch ready; exec sleep 60\"",
    );
    let inner = child_of(Pid::from_child(&running.child)).unwrap();
    let wchan = format!("/proc/{}/wchan", inner.as_raw_nonzero());
    wait_until("its output is full", || {
        fs::read_to_string(&wchan).is_ok_and(|wchan| wchan.contains("pipe_w"))
            || fs::read_to_string(&wchan).is_ok_and(|wchan| wchan == "0")
    });
    running.signal(Signal::KILL);
    wait_until("the runner is gone", || {
        !support::running::is_running(inner)
    });
    support::running::assert_gone(&running.place, &["c"]);
    let (run, _) = running.finish();
    assert_eq!(run.code, None);
}
