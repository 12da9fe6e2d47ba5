//! `ats run` on a terminal, as people see it: a pseudo terminal whose screen is looked at.

#![cfg(unix)]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Command, Pty};
use support::Place;

const TASKS: &str = r#"
[tasks.long]
run = "echo said; while ! test -e go; do sleep 0.01; done"
[tasks.later]
run = "echo after"
needs = ["long"]
"#;

/// The program on a terminal.
struct Terminal {
    child: Child,
    pty: Arc<Pty>,
    screen: Arc<Mutex<vt100::Parser>>,
    /// All that was written to it.
    written: Arc<Mutex<Vec<u8>>>,
    place: Place,
}

impl Terminal {
    fn run(tasks: &str, rows: u16, columns: u16, environment: &[(&str, &str)]) -> Self {
        let place = Place::with("tasks.toml", tasks);
        let (pty, pts) = pty_process::blocking::open().unwrap();
        pty.resize(Size::new(rows, columns)).unwrap();
        let command = Command::new(env!("CARGO_BIN_EXE_ats"))
            .args(["run", "tasks.toml", "-j2"])
            .current_dir(place.directory())
            .env("XDG_CACHE_HOME", place.directory())
            .env("TERM", "xterm-256color")
            .env("LC_ALL", "C.UTF-8")
            .env_remove("CI")
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE")
            .envs(environment.iter().copied());
        let child = command.spawn(pts).unwrap();
        let terminal = Terminal {
            child,
            pty: Arc::new(pty),
            screen: Arc::new(Mutex::new(vt100::Parser::new(some(rows), some(columns), 0))),
            written: Arc::default(),
            place,
        };
        terminal.show();
        terminal
    }

    /// What the program writes appears on the screen.
    fn show(&self) {
        let (pty, screen) = (Arc::clone(&self.pty), Arc::clone(&self.screen));
        let written = Arc::clone(&self.written);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = (&*pty).read(&mut bytes) {
                written.lock().unwrap().extend_from_slice(&bytes[..read]);
                screen.lock().unwrap().process(&bytes[..read]);
            }
        });
    }

    fn contents(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    #[track_caller]
    fn wait_for(&self, text: &str) -> String {
        let patience = Instant::now() + Duration::from_secs(20);
        loop {
            let contents = self.contents();
            if contents.contains(text) {
                return contents;
            }
            assert!(Instant::now() < patience, "no `{text}` on\n{contents}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn release(&self) {
        fs::write(self.place.path("go"), "").unwrap();
    }

    /// The screen after the end, and the exit code.
    fn finish(mut self) -> (String, Option<i32>) {
        let code = self.child.wait().unwrap().code();
        // The last line of each run.
        let contents = self.wait_for("tasks done");
        (contents, code)
    }
}

fn some(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap()
}

/// A line without the time at its end.
fn without_time(line: &str) -> &str {
    let end = line.rfind("  ").filter(|end| !line[..*end].ends_with(' '));
    let line = line.split(", in ").next().unwrap_or(line);
    end.filter(|end| *end > 8).map_or(line, |end| &line[..end])
}

#[test]
fn progress_is_drawn_and_leaves_nothing_behind() {
    let terminal = Terminal::run(TASKS, 24, 80, &[]);
    let during = terminal.wait_for("0 of 2 tasks");
    assert!(during.contains("▸ long"), "{during}");
    assert!(during.contains("longest chain: long › later"), "{during}");
    assert!(during.contains("later waits on long"), "{during}");
    terminal.release();
    let (after, code) = terminal.finish();
    assert_eq!(code, Some(0));
    let whole: Vec<&str> = after.lines().map(without_time).collect();
    let expected = [
        "done    long",
        "said",
        "done    later",
        "after",
        "2 of 2 tasks done",
    ];
    assert_eq!(whole, expected, "{after}");
}

#[test]
fn it_follows_the_size_of_the_terminal_and_is_never_higher() {
    let terminal = Terminal::run(TASKS, 24, 80, &[]);
    terminal.wait_for("0 of 2 tasks");
    terminal
        .screen
        .lock()
        .unwrap()
        .screen_mut()
        .set_size(some(3), some(30));
    terminal.pty.resize(Size::new(3, 30)).unwrap();
    terminal.wait_for("0 of 2, ");
    let during = terminal.contents();
    assert!(during.lines().count() <= 3, "{during}");
    terminal.release();
    assert_eq!(terminal.finish().1, Some(0));
}

#[test]
fn an_interrupt_takes_the_progress_away_and_sums_up() {
    let terminal = Terminal::run(TASKS, 24, 80, &[]);
    terminal.wait_for("▸ long");
    (&*terminal.pty).write_all(b"\x03").unwrap();
    let (after, code) = terminal.finish();
    assert_eq!(code, Some(130));
    assert!(after.contains("stopped: long"), "{after}");
    assert!(after.contains("skipped because of long: later"), "{after}");
    assert!(!after.contains("so far"), "{after}");
}

#[test]
fn without_colours_only_the_cursor_moves() {
    let terminal = Terminal::run(TASKS, 24, 80, &[("NO_COLOR", "1")]);
    terminal.wait_for("0 of 2 tasks");
    terminal.release();
    let written = Arc::clone(&terminal.written);
    terminal.finish();
    let written = String::from_utf8_lossy(&written.lock().unwrap()).into_owned();
    assert!(written.contains("\x1b[J"), "{written:?}");
    assert!(
        !written.contains("\x1b[0m") && !written.contains("\x1b[1m"),
        "{written:?}"
    );
}

#[test]
fn a_dumb_terminal_gets_plain_lines() {
    let terminal = Terminal::run(TASKS, 24, 80, &[("TERM", "dumb")]);
    terminal.wait_for("start   long");
    terminal.release();
    let written = Arc::clone(&terminal.written);
    assert_eq!(terminal.finish().1, Some(0));
    let written = String::from_utf8_lossy(&written.lock().unwrap()).into_owned();
    assert!(!written.contains('\x1b'), "{written:?}");
}

/// The process that runs the tasks cannot take its progress away when it is killed, but what its
/// guard says begins on a line of its own.
#[test]
#[cfg(target_os = "linux")]
fn what_is_said_after_a_kill_stands_on_its_own_line() {
    let mut terminal = Terminal::run(TASKS, 24, 80, &[]);
    terminal.wait_for("▸ long");
    let outer = terminal.child.id();
    let inner = fs::read_to_string(format!("/proc/{outer}/task/{outer}/children")).unwrap();
    let inner = inner
        .trim()
        .parse()
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(inner.unwrap(), rustix::process::Signal::KILL).unwrap();
    let after = terminal.wait_for("was killed by signal 9");
    assert_eq!(terminal.child.wait().unwrap().code(), Some(3));
    assert!(
        after.lines().any(|line| line.starts_with("error: ")),
        "{after}"
    );
}
