//! One task of the file as one task of the scheduler: it holds its place on the blocking lane
//! until the command, with all its retries, has ended.
//!
//! The lane has as many places as there are jobs, so which command starts next is the scheduler's
//! decision and nobody else's. The command itself is watched from the Tokio runtime; the place is
//! held by waiting for that.

use std::fmt;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;

use super::note::{Event, Note};
use super::output::Output;
use super::process::{Ending, Recipe, attempt};
use super::stop::{Level, Stop};

/// Why a job ends as failed. Details have gone with its note.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unsuccessful {
    /// The command failed.
    Failed,
    /// The run was stopped before its turn came.
    NotStarted,
}

impl fmt::Display for Unsuccessful {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unsuccessful::Failed => "the command failed",
            Unsuccessful::NotStarted => "the run was stopped before",
        })
    }
}

impl std::error::Error for Unsuccessful {}

/// A task of the file, ready to be run.
#[derive(Debug)]
pub struct Job {
    /// Its place in the file.
    pub task: usize,
    /// Its command.
    pub recipe: Recipe,
    /// How often the command may be tried again.
    pub retries: u32,
    /// Whether its failure leaves the rest of the run alone.
    pub keep_going: bool,
    /// Whom to obey.
    pub stop: Stop,
    /// When the run began.
    pub begin: Instant,
    /// Whom to tell.
    pub notes: UnboundedSender<Note>,
    /// Where its command is watched.
    pub runtime: Handle,
}

impl Job {
    /// Runs the command and holds the calling thread until it has ended.
    ///
    /// # Errors
    ///
    /// The command failed, or its turn came too late.
    pub fn perform(self) -> Result<(), Unsuccessful> {
        if self.stop.level() > Level::Go {
            return Err(Unsuccessful::NotStarted);
        }
        let (stop, keep_going) = (self.stop.clone(), self.keep_going);
        let (done, is_done) = mpsc::channel();
        let runtime = self.runtime.clone();
        runtime.spawn(async move {
            let _ = done.send(self.attempts().await);
        });
        // An error means that the watching task panicked, or its runtime is gone.
        if is_done.recv() == Ok(true) {
            return Ok(());
        }
        if !keep_going {
            // Said before this place is free, so that nothing slips into it.
            stop.no_more();
        }
        Err(Unsuccessful::Failed)
    }

    /// Tries until it works or no attempt is left; tells whether it worked.
    async fn attempts(self) -> bool {
        let start = Instant::now();
        let mut output = Output::default();
        let mut attempts = 0;
        self.tell(Event::Started {
            task: self.task,
            attempt: 1,
            pid: None,
        });
        let ending = loop {
            attempts += 1;
            let ending = attempt(&self.recipe, &mut output, &self.stop).await;
            let left = (self.retries + 1).saturating_sub(attempts);
            if ending == Ending::Success || left == 0 || self.stop.level() >= Level::Gently {
                break ending;
            }
            self.tell(Event::Retrying {
                task: self.task,
                ending,
                left,
                after: Duration::ZERO,
            });
        };
        let worked = ending == Ending::Success;
        self.tell(Event::Ended {
            task: self.task,
            ending,
            took: start.elapsed(),
            attempts,
            output,
            cpu: None,
        });
        worked
    }

    fn tell(&self, event: Event) {
        let at = self.begin.elapsed();
        // Nobody listens any more only when the whole run is given up.
        let _ = self.notes.send(Note { at, event });
    }
}
