//! All that was started: waiting for it, and sending signals to it.
//!
//! A command leads a process group; what it starts belongs to that group unless it leaves it. On
//! Linux this process adopts what its commands leave behind ([`adopt_orphans`]), so all that they
//! started, in whatever group or session, is its descendant until it has ended, and is found
//! in `/proc`. No child left to wait for means that nothing is left at all.
//!
//! The number of a group or process is given to nobody else before it has been waited for. Known
//! race: a descendant that is no child of ours may be waited for by its parent, and its number
//! given away, between the look at `/proc` and the signal. That needs the system to run
//! through all process ids within microseconds.

use std::collections::HashMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, kill_process_group,
    test_kill_process_group, wait,
};

/// How long what was asked to end may take before it is killed.
pub const GRACE: Duration = Duration::from_secs(5);

/// How often it is looked whether something has ended that nobody tells us about.
pub const LOOK: Duration = Duration::from_millis(10);

/// Makes this process the parent of what its descendants leave behind.
pub fn adopt_orphans() {
    // Where this is not possible, what leaves its group is not found, and that is all.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_child_subreaper(Some(getpid()));
}

/// A child that has ended and been waited for.
#[derive(Debug)]
pub struct Ended {
    /// Which.
    pub pid: Pid,
    /// How.
    pub status: WaitStatus,
    /// How much CPU time it used, with all its own children that it has waited for.
    pub cpu: Duration,
}

/// Waits for children.
#[derive(Debug)]
pub struct Reaper {
    /// CPU time of all children so far.
    cpu: Duration,
}

impl Default for Reaper {
    fn default() -> Self {
        Reaper { cpu: cpu() }
    }
}

impl Reaper {
    /// A child that has ended, if there is one.
    pub fn take(&mut self) -> Option<Ended> {
        let (pid, status) = wait(WaitOptions::NOHANG).ok()??;
        let all = cpu();
        let cpu = all.saturating_sub(self.cpu);
        self.cpu = all;
        Some(Ended { pid, status, cpu })
    }
}

/// CPU time of all children that have been waited for.
fn cpu() -> Duration {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_CHILDREN) else {
        return Duration::ZERO;
    };
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(micros.unsigned_abs())
}

/// Sends a signal to a process group.
pub fn signal_group(group: Pid, signal: Signal) {
    // The only error that can happen here is that nobody is left.
    let _ = kill_process_group(group, signal);
}

/// Whether nothing is left of a process group.
#[must_use]
pub fn is_empty(group: Pid) -> bool {
    test_kill_process_group(group) == Err(Errno::SRCH)
}

/// Sends a signal to a command's group and to all that it started outside of it.
pub fn signal_all_of(command: Pid, signal: Signal) {
    let outside = descendants(command);
    signal_group(command, signal);
    for pid in outside {
        let _ = kill_process(pid, signal);
    }
}

/// All that descends from this process: children, their children and so on.
#[must_use]
pub fn descendants(of: Pid) -> Vec<Pid> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.parse::<i32>().ok());
        if let Some((pid, parent)) = pid.and_then(|pid| Some((pid, parent(pid)?))) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = Vec::new();
    let mut open = vec![of.as_raw_nonzero().get()];
    while let Some(pid) = open.pop() {
        let below = children.remove(&pid).unwrap_or_default();
        open.extend(&below);
        found.extend(below.into_iter().filter_map(Pid::from_raw));
    }
    found
}

/// The parent of a process that has not ended.
fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it may have anything in it, brackets too.
    let mut rest = stat.rsplit(')').next()?.split_whitespace();
    match rest.next()? {
        "Z" | "X" => None,
        _ => rest.next()?.parse().ok(),
    }
}

/// Ends everything that is left of what was started, and returns how much that was. What does not
/// end when it is asked to, for [`GRACE`] or until `hurry` says so, is killed.
pub fn end_all(mut hurry: impl FnMut() -> bool) -> usize {
    if !cfg!(target_os = "linux") || is_childless() {
        return 0;
    }
    let begin = Instant::now();
    let mut asked: Vec<Pid> = Vec::new();
    while !is_childless() {
        let kill = hurry() || begin.elapsed() >= GRACE;
        for pid in descendants(getpid()) {
            if kill {
                let _ = kill_process(pid, Signal::KILL);
            } else if !asked.contains(&pid) {
                let _ = kill_process(pid, Signal::TERM);
                let _ = kill_process(pid, Signal::CONT);
            }
            if !asked.contains(&pid) {
                asked.push(pid);
            }
        }
        thread::sleep(Duration::from_millis(1));
    }
    asked.len()
}

/// Waits for all that has ended; whether that was everything.
fn is_childless() -> bool {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return false,
            Err(_) => return true,
        }
    }
}
