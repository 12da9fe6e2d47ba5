//! Two processes, so that whichever of them is killed, the other one ends what was started.
//!
//! The *outer* process is the one that people started, see, and may kill with SIGKILL, which nobody
//! can answer. It starts the *inner* one, which is the same program with the same arguments, and does
//! nothing but pass signals on and leave with its exit code. The inner process runs the tasks.
//!
//! 1. Both adopt what their descendants leave behind, so all commands and what those start, in
//!    whatever group or session, are descendants of the inner process and hence of the outer one.
//! 2. When the outer process dies, a thread of the inner one sees it (by its pidfd), lets nothing
//!    more be started, kills all descendants until none is left, and then its own process.
//! 3. When the inner process dies, the outer one has adopted all that is left, kills that, and says
//!    that something went wrong.
//! 4. The inner process leads a group of its own, has another name and other arguments (it reads
//!    the real ones from `/proc`), so that what kills the outer one by group or name passes it by.
//!
//! What is killed together with both, as by the end of a container, is not our business. Where there
//! are no pidfds or no `/proc`, one process does it all, and SIGKILL leaves commands running.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use nix::sys::signal::SigSet;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, getpid, getppid, kill_process, pidfd_open,
    waitpid,
};

use super::children;
use super::signals::Signals;
use crate::exit::{Exit, Failure};
use crate::terminal;

/// The name of the inner process, and the only argument that it has.
const NAME: &str = "task-runner";
const RUNS_FOR: &str = "--runs-for=";

/// Held while a process is started, and for ever once nothing may be started any more.
static STARTING: Mutex<()> = Mutex::new(());

/// What this process is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// It was started by somebody, and may start an inner one.
    Outer,
    /// It was started by an outer one.
    Inner,
    /// It was started by somebody, and can only do everything itself.
    Alone,
}

/// What this process is.
#[must_use]
pub fn role() -> Role {
    if is_inner() {
        Role::Inner
    } else if pidfd_open(getpid(), PidfdFlags::empty()).is_ok() && env::current_exe().is_ok() {
        Role::Outer
    } else {
        Role::Alone
    }
}

/// The process that this one runs for, if it is an inner one.
fn outer() -> Option<Pid> {
    let argument = env::args_os().nth(1)?;
    let pid = argument.to_str()?.strip_prefix(RUNS_FOR)?;
    Pid::from_raw(pid.parse().ok()?)
}

/// The arguments as they were given, the program's name first. An inner process whose outer one is
/// gone has nobody to run for, and ends here.
#[must_use]
pub fn arguments() -> Vec<OsString> {
    let Some(outer) = outer() else {
        return env::args_os().collect();
    };
    let given = fs::read(format!("/proc/{}/cmdline", outer.as_raw_nonzero()));
    match given {
        Ok(mut given) if getppid() == Some(outer) => {
            given.pop();
            let arguments = given.split(|byte| *byte == 0);
            arguments
                .map(|argument| OsString::from_vec(argument.to_vec()))
                .collect()
        }
        _ => std::process::exit(Exit::Internal.code().into()),
    }
}

/// Starts the inner process, and watches over it to its end.
///
/// # Errors
///
/// It could not be started, or it was killed.
pub fn watch_over() -> Result<Exit, Failure> {
    let signals =
        Signals::listen().map_err(|error| Failure::internal("listening to signals", error))?;
    children::adopt_orphans();
    let inner = start().map_err(|error| Failure::internal("starting the runner", error))?;
    let (status, asked) = pass_signals_on(inner, &signals);
    // After a regular end there is nothing left to end.
    children::end_all(|| true);
    if let Some(code) = status.exit_status() {
        return Ok(Exit::of_code(code));
    }
    // It could not take its progress away.
    terminal::begin_a_line();
    asked.ok_or_else(|| {
        let signal = status.terminating_signal().unwrap_or_default();
        let why = format!("it was killed by signal {signal}; what it had started was ended");
        Failure::internal("running the tasks", why)
    })
}

fn start() -> io::Result<Pid> {
    let child = Command::new("/proc/self/exe")
        .arg0(NAME)
        .arg(format!("{RUNS_FOR}{}", getpid().as_raw_nonzero()))
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| io::ErrorKind::Unsupported.into())
}

/// Returns how the inner process ended, and the first signal that asked for it. A third one kills
/// it, should it hang on its own output.
fn pass_signals_on(inner: Pid, signals: &Signals) -> (WaitStatus, Option<Exit>) {
    let mut asked: Vec<Exit> = Vec::new();
    loop {
        if let Ok(Some((_, status))) = waitpid(Some(inner), WaitOptions::NOHANG) {
            return (status, asked.first().copied());
        }
        let mut fds = [PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN)];
        let _ = poll(&mut fds, None);
        signals.clear();
        while let Some(exit) = signals.take() {
            asked.push(exit);
            let signal = match exit {
                _ if asked.len() > 2 => Signal::KILL,
                Exit::Interrupted => Signal::INT,
                _ => Signal::TERM,
            };
            let _ = kill_process(inner, signal);
        }
    }
}

/// Whether this is an inner process, whose standard input is empty.
pub(super) fn is_inner() -> bool {
    outer().is_some()
}

/// In an inner process: makes sure that nothing outlives the outer one.
///
/// # Errors
///
/// The system does not let us watch it.
pub fn watch_outer() -> io::Result<()> {
    let Some(outer) = outer() else {
        return Ok(());
    };
    let _ = rustix::thread::set_name(c"task-runner");
    let outer = pidfd_open(outer, PidfdFlags::empty())?;
    let watch = move || {
        // Signals are for the thread that runs the tasks; each would wake this one for nothing.
        let _ = SigSet::all().thread_block();
        let mut fds = [PollFd::new(&outer, PollFlags::IN)];
        while poll(&mut fds, None).is_err() {}
        let _nothing_more = starting();
        children::end_all(|| true);
        let _ = kill_process(getpid(), Signal::KILL);
    };
    thread::Builder::new()
        .name("watch-outer".into())
        .spawn(watch)?;
    Ok(())
}

/// To be held while a process is started.
pub(super) fn starting() -> MutexGuard<'static, ()> {
    STARTING.lock().unwrap_or_else(PoisonError::into_inner)
}
