//! What happens in a run, told once each, in the order in which it happens.

use std::time::Duration;

use super::ending::Ending;
use super::output::Output;
use super::stop::Level;

/// Something that has just happened.
#[derive(Debug)]
pub struct Note {
    /// When, from the start of the run.
    pub at: Duration,
    /// What.
    pub event: Event,
}

/// What can happen; `task` is always a place in the file.
#[derive(Debug)]
pub enum Event {
    /// All that it needs has ended; it waits for a place.
    Ready {
        /// Which task.
        task: usize,
    },
    /// An attempt begins: its command runs.
    Started {
        /// Which task.
        task: usize,
        /// Which attempt, from 1.
        attempt: u32,
        /// The process, where there is one.
        pid: Option<u32>,
    },
    /// It has printed something. Told only where [`super::report::Report::wants_output`] says so;
    /// what is told here comes again with [`Event::Ended`].
    Output {
        /// Which task.
        task: usize,
        /// What it printed, as it came.
        bytes: Vec<u8>,
    },
    /// An attempt failed, and another one will begin.
    Retrying {
        /// Which task.
        task: usize,
        /// How the attempt ended.
        ending: Ending,
        /// How many attempts are left.
        left: u32,
        /// How long until the next one may begin.
        after: Duration,
    },
    /// It stands still so that a more important task can have its place.
    Paused {
        /// Which task.
        task: usize,
        /// For which one.
        for_task: usize,
    },
    /// It goes on after a pause.
    Continued {
        /// Which task.
        task: usize,
    },
    /// It need not run; what needs it goes on as if it had succeeded.
    Skipped {
        /// Which task.
        task: usize,
        /// Why.
        why: Skip,
    },
    /// It will not run in this run.
    NeverRun {
        /// Which task.
        task: usize,
        /// The task because of whose failure; `None` if the run was stopped before its turn.
        root: Option<usize>,
    },
    /// Its last attempt is over.
    Ended {
        /// Which task.
        task: usize,
        /// How.
        ending: Ending,
        /// How long all attempts took, without what was between them.
        took: Duration,
        /// How many there were.
        attempts: u32,
        /// What they printed.
        output: Output,
        /// How much CPU time its processes used, where the system tells.
        cpu: Option<Duration>,
    },
    /// The run is being stopped, this urgently.
    Stopping {
        /// How urgently.
        level: Level,
    },
}

/// Why a task need not run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Skip {
    /// Nothing has changed that it depends on, and its outputs are there.
    UpToDate,
    /// Its `if` says so.
    Condition,
    /// It was done before the run was resumed.
    Resumed,
}
