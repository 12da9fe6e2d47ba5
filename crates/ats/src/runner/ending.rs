//! How an attempt at a command ended.

use std::fmt;
use std::time::Duration;

use rustix::process::WaitStatus;

use crate::text;

/// How an attempt ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ending {
    /// With exit code 0.
    Success,
    /// With another exit code.
    ExitCode(i32),
    /// By a signal that was not ours.
    Signal(i32),
    /// Stopped by us after this time.
    TimedOut(Duration),
    /// Stopped by us because the run was.
    Stopped,
    /// It never started, or the system lost it.
    Broken(String),
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Success => write!(f, "done"),
            Ending::ExitCode(code) => write!(f, "exit code {code}"),
            Ending::Signal(number) => write!(f, "killed by signal {number}"),
            Ending::TimedOut(limit) => write!(f, "timed out after {}", text::duration(*limit)),
            Ending::Stopped => write!(f, "stopped"),
            Ending::Broken(why) => write!(f, "could not be run: {why}"),
        }
    }
}

impl From<WaitStatus> for Ending {
    fn from(status: WaitStatus) -> Self {
        match (status.exit_status(), status.terminating_signal()) {
            (Some(0), _) => Ending::Success,
            (Some(code), _) => Ending::ExitCode(code),
            (None, Some(number)) => Ending::Signal(number),
            (None, None) => Ending::Broken("it ended in an unknown way".into()),
        }
    }
}
