//! Pure: the course of one task, from when it could have run to its end.
//!
//! All times are counted from the start of the run.

use std::time::Duration;

use crate::runner::ending::Ending;
use crate::runner::note::Skip;

/// Where a task stands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Phase {
    /// Something that it needs has not ended.
    #[default]
    Waiting,
    /// Only a place is missing.
    Ready,
    /// Its command runs.
    Running,
    /// An attempt failed, the next one has not begun.
    Resting,
    /// Its command is held up, so that this more important task has its place.
    Paused(u32),
    /// It succeeded.
    Done,
    /// It counts as done without having run.
    Skipped(Skip),
    /// It failed.
    Failed,
    /// It was interrupted, which is nobody's failure.
    Stopped,
    /// It never ran, and never will: because this task did not succeed, or because the run was
    /// stopped before its turn.
    Never(Option<u32>),
}

impl Phase {
    /// Whether nothing more is to come.
    #[must_use]
    pub fn is_over(self) -> bool {
        use Phase::{Done, Failed, Never, Skipped, Stopped};
        matches!(self, Done | Skipped(_) | Failed | Stopped | Never(_))
    }

    /// Whether it has begun and not ended.
    #[must_use]
    pub fn is_under_way(self) -> bool {
        matches!(self, Phase::Running | Phase::Resting | Phase::Paused(_))
    }
}

/// From when to when; without an end while it lasts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stretch {
    /// The beginning.
    pub from: Duration,
    /// The end.
    pub to: Option<Duration>,
}

impl Stretch {
    /// One that begins.
    #[must_use]
    pub fn since(from: Duration) -> Self {
        Stretch { from, to: None }
    }

    /// How long it has lasted by `now`.
    #[must_use]
    pub fn length(self, now: Duration) -> Duration {
        self.to.unwrap_or(now).saturating_sub(self.from)
    }
}

/// One attempt at a task's command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Attempt {
    /// When.
    pub stretch: Stretch,
    /// How it ended, if it has.
    pub ending: Option<Ending>,
    /// Which place it took.
    pub row: u32,
}

/// A pause of a task.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pause {
    /// When.
    pub stretch: Stretch,
    /// Who had its place.
    pub for_task: u32,
}

/// All that has happened to a task.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Course {
    /// Where it stands.
    pub phase: Phase,
    /// Since when only a place was missing.
    pub ready: Option<Duration>,
    /// Its attempts so far.
    pub attempts: Vec<Attempt>,
    /// Its pauses so far.
    pub pauses: Vec<Pause>,
    /// When it was over.
    pub ended: Option<Duration>,
    /// How long it computed, where the system tells.
    pub cpu: Option<Duration>,
}

impl Course {
    /// When it began.
    #[must_use]
    pub fn began(&self) -> Option<Duration> {
        self.attempts.first().map(|first| first.stretch.from)
    }

    /// How long it has been paused by `now`.
    #[must_use]
    pub fn paused(&self, now: Duration) -> Duration {
        let pauses = self.pauses.iter();
        pauses.map(|pause| pause.stretch.length(now)).sum()
    }

    /// How long its present or last attempt has run by `now`, pauses not counted.
    #[must_use]
    pub fn last_attempt(&self, now: Duration) -> Duration {
        let Some(last) = self.attempts.last() else {
            return Duration::ZERO;
        };
        let pauses = self.pauses.iter();
        let paused = pauses
            .filter(|pause| pause.stretch.from >= last.stretch.from)
            .map(|pause| pause.stretch.length(now))
            .sum();
        last.stretch.length(now).saturating_sub(paused)
    }

    /// Its pause, if it has one, is over.
    pub(super) fn end_pause(&mut self, at: Duration) {
        if let Some(last) = self.pauses.last_mut() {
            last.stretch.to.get_or_insert(at);
        }
    }
}
