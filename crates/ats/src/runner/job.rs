//! One task under way: which step it is at, what it has printed, and how often it was tried. Pure
//! but for the pipe that it owns.
//!
//! ```text
//! condition -> checking -> command -> recording -> over
//!                          ^     |
//!               queued ----'     '-> resting -> queued
//! ```
//!
//! Whoever moves a job from step to step starts and stops processes; this file knows the times.
//! Time during which a process is paused does not count, neither against its limit nor as
//! time taken.

use std::io::PipeReader;
use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::children::{GRACE, LOOK};
use super::ending::Ending;
use super::fresh::content::Entry;
use super::output::Output;
use super::process::Started;

/// How long after a command's end its output may still arrive.
pub const LAST_WORDS: Duration = Duration::from_millis(100);

/// A pipe is not listened to before a command is so old: most are over by then, and being woken for
/// the end of the pipe and then again for that of the process is one time too many. What a young
/// command prints waits in the pipe.
const LISTEN_AFTER: Duration = Duration::from_millis(3);

/// A task under way.
#[derive(Debug)]
pub struct Job {
    /// What it is doing.
    pub step: Step,
    /// What its attempts have printed.
    pub output: Output,
    /// How many attempts there were, the present one included.
    pub attempts: u32,
    /// How long those took that are over.
    pub took: Duration,
    /// CPU time of all its processes so far.
    pub cpu: Duration,
    /// What it depends on, as it was before the command ran.
    pub inputs: Vec<Entry>,
    /// Whether it gave its place to a more important one.
    pub is_paused: bool,
}

/// What a task under way is doing.
#[derive(Debug)]
pub enum Step {
    /// It is being found out whether it has to run.
    Checking,
    /// A process decides whether it runs.
    Condition(Attempt),
    /// Its command runs.
    Command(Attempt),
    /// It has worked, and it is being written down what it left.
    Recording,
    /// It waits until the next attempt is due.
    Resting {
        /// When that is.
        until: Instant,
    },
    /// It waits for a place for its next attempt.
    Queued,
}

/// A process that runs for a task.
#[derive(Debug)]
pub struct Attempt {
    /// The process, and the group that it leads.
    pub pid: Pid,
    /// Where its output comes from, until that has ended.
    pub pipe: Option<PipeReader>,
    began: Instant,
    limit: Option<Duration>,
    paused: Option<Instant>,
    /// How long it has been paused before.
    pauses: Duration,
    state: State,
}

#[derive(Debug)]
enum State {
    Running,
    /// It was asked to end, for this reason, and is killed at that time.
    Stopping {
        ending: Ending,
        kill_at: Instant,
        /// The command itself has been waited for; what is left is its group.
        leader_ended: bool,
        killed: bool,
    },
    /// It has ended; its output may still come until then.
    Ended {
        ending: Ending,
        until: Instant,
    },
}

/// What an attempt needs by now.
#[derive(Debug, Eq, PartialEq)]
pub enum Due {
    /// Nothing.
    Nothing,
    /// It has taken too long, and has to be asked to end.
    Limit(Duration),
    /// It did not end when it was asked to, and has to be killed.
    Kill,
    /// It may be that its group is empty by now.
    LookAtGroup,
    /// It is over.
    Over,
}

impl Job {
    /// A task that has just been given its place.
    #[must_use]
    pub fn new() -> Self {
        Job {
            step: Step::Checking,
            output: Output::default(),
            attempts: 0,
            took: Duration::ZERO,
            cpu: Duration::ZERO,
            inputs: Vec::new(),
            is_paused: false,
        }
    }

    /// The process that runs for it, if one does.
    #[must_use]
    pub fn attempt(&self) -> Option<&Attempt> {
        match &self.step {
            Step::Condition(attempt) | Step::Command(attempt) => Some(attempt),
            _ => None,
        }
    }

    /// The process that runs for it, to be changed.
    pub fn attempt_mut(&mut self) -> Option<&mut Attempt> {
        match &mut self.step {
            Step::Condition(attempt) | Step::Command(attempt) => Some(attempt),
            _ => None,
        }
    }

    /// When something is due next.
    #[must_use]
    pub fn due_at(&self, now: Instant) -> Option<Instant> {
        match &self.step {
            Step::Condition(attempt) | Step::Command(attempt) => attempt.due_at(now),
            Step::Resting { until } => Some(*until),
            Step::Checking | Step::Recording | Step::Queued => None,
        }
    }
}

impl Default for Job {
    fn default() -> Self {
        Job::new()
    }
}

impl Attempt {
    /// A process that has just been started.
    #[must_use]
    pub fn new(started: Started, limit: Option<Duration>, now: Instant) -> Self {
        Attempt {
            pid: started.pid,
            pipe: Some(started.pipe),
            began: now,
            limit,
            paused: None,
            pauses: Duration::ZERO,
            state: State::Running,
        }
    }

    /// How long it has run, without pauses.
    #[must_use]
    pub fn ran(&self, now: Instant) -> Duration {
        let end = self.paused.unwrap_or(now);
        end.saturating_duration_since(self.began)
            .saturating_sub(self.pauses)
    }

    /// It is paused from now on.
    pub fn pause(&mut self, now: Instant) {
        self.paused = self.paused.or(Some(now));
    }

    /// It goes on.
    pub fn go_on(&mut self, now: Instant) {
        if let Some(since) = self.paused.take() {
            self.pauses += now.saturating_duration_since(since);
        }
    }

    /// Whether its output is to be waited for.
    #[must_use]
    pub fn is_listened_to(&self, now: Instant) -> bool {
        self.pipe.is_some() && now >= self.began + LISTEN_AFTER
    }

    /// Whether it runs and nobody has asked it to end.
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(self.state, State::Running)
    }

    /// It was asked to end.
    pub fn stopping(&mut self, ending: Ending, now: Instant) {
        if self.is_running() {
            self.state = State::Stopping {
                ending,
                kill_at: now + GRACE,
                leader_ended: false,
                killed: false,
            };
        }
    }

    /// It was killed; only to be called once it was asked to end.
    pub fn killed(&mut self) {
        if let State::Stopping { killed, .. } = &mut self.state {
            *killed = true;
        }
    }

    /// Its process has been waited for.
    pub fn ended(&mut self, how: Ending, now: Instant) {
        match &mut self.state {
            State::Running => {
                self.go_on(now);
                self.state = State::Ended {
                    ending: how,
                    until: now + LAST_WORDS,
                };
            }
            State::Stopping { leader_ended, .. } => *leader_ended = true,
            State::Ended { .. } => {}
        }
    }

    /// What is due now.
    #[must_use]
    pub fn due(&self, now: Instant) -> Due {
        match &self.state {
            State::Running => match self.limit {
                Some(limit) if self.paused.is_none() && self.ran(now) >= limit => Due::Limit(limit),
                _ => Due::Nothing,
            },
            State::Stopping {
                killed: true,
                leader_ended: true,
                ..
            } => Due::Over,
            State::Stopping { killed: true, .. } => Due::Nothing,
            State::Stopping { kill_at, .. } if now >= *kill_at => Due::Kill,
            State::Stopping {
                leader_ended: true, ..
            } => Due::LookAtGroup,
            State::Stopping { .. } => Due::Nothing,
            State::Ended { until, .. } if self.pipe.is_none() || now >= *until => Due::Over,
            State::Ended { .. } => Due::Nothing,
        }
    }

    fn due_at(&self, now: Instant) -> Option<Instant> {
        match &self.state {
            State::Running => {
                let limit = self.limit.filter(|_| self.paused.is_none());
                let limit = limit.map(|limit| self.began + self.pauses + limit);
                let is_listening = self.pipe.is_none() || self.is_listened_to(now);
                let listen = (!is_listening).then(|| self.began + LISTEN_AFTER);
                [limit, listen].into_iter().flatten().min()
            }
            State::Stopping { killed: true, .. } => None,
            State::Stopping {
                leader_ended: true, ..
            } => Some(now + LOOK),
            State::Stopping { kill_at, .. } => Some(*kill_at),
            State::Ended { until, .. } => Some(*until),
        }
    }

    /// How it ended.
    #[must_use]
    pub fn into_ending(self) -> Ending {
        match self.state {
            State::Running => Ending::Stopped,
            State::Stopping { ending, .. } | State::Ended { ending, .. } => ending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// An attempt that may take ten seconds, and when it began.
    fn attempt() -> (Attempt, Instant) {
        let (pipe, _) = std::io::pipe().unwrap();
        let pid = rustix::process::getpid();
        let now = Instant::now();
        let started = Started { pid, pipe };
        (Attempt::new(started, Some(10 * SECOND), now), now)
    }

    #[test]
    fn pauses_count_neither_as_time_taken_nor_against_the_limit() {
        let (mut attempt, began) = attempt();
        attempt.pause(began + 4 * SECOND);
        assert_eq!(attempt.due(began + 100 * SECOND), Due::Nothing);
        assert_eq!(attempt.ran(began + 100 * SECOND), 4 * SECOND);
        attempt.go_on(began + 100 * SECOND);
        assert_eq!(attempt.due(began + 105 * SECOND), Due::Nothing);
        assert_eq!(attempt.due(began + 106 * SECOND), Due::Limit(10 * SECOND));
        attempt.ended(Ending::Success, began + 107 * SECOND);
        assert_eq!(attempt.ran(began + 107 * SECOND), 11 * SECOND);
    }

    #[test]
    fn what_is_asked_to_end_is_killed_when_its_time_is_over_and_keeps_its_ending() {
        let (mut attempt, began) = attempt();
        attempt.stopping(Ending::TimedOut(SECOND), began);
        attempt.stopping(Ending::Stopped, began);
        assert_eq!(attempt.due(began + SECOND), Due::Nothing);
        assert_eq!(attempt.due(began + GRACE), Due::Kill);
        attempt.killed();
        assert_eq!(attempt.due(began + GRACE), Due::Nothing);
        attempt.ended(Ending::Signal(9), began + GRACE);
        assert_eq!(attempt.due(began + GRACE), Due::Over);
        assert_eq!(attempt.into_ending(), Ending::TimedOut(SECOND));
    }

    #[test]
    fn an_end_is_over_when_the_output_is_or_a_moment_later() {
        let (mut attempt, began) = attempt();
        attempt.ended(Ending::Success, began);
        assert_eq!(attempt.due(began), Due::Nothing);
        assert_eq!(attempt.due(began + LAST_WORDS), Due::Over);
        attempt.pipe = None;
        assert_eq!(attempt.due(began), Due::Over);
    }
}
