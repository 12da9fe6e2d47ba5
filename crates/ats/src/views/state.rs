//! Pure: what has happened in a run so far. Told event by event, asked by everything that shows it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::course::{Attempt, Course, Pause, Phase, Stretch};
use super::guess::Source;
use super::past::ran;
use super::rows::Rows;
use super::tasks::{Tasks, number};
use crate::exit::Exit;
use crate::runner::ending::Ending;
use crate::runner::note::{Event, Note, Skip};
use crate::runner::stop::Level;

/// How many of a failed task's last lines are kept.
const LAST_LINES: usize = 20;

/// How a task failed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    /// Which task.
    pub task: u32,
    /// How its last attempt ended.
    pub ending: Ending,
    /// How long all attempts took.
    pub took: Duration,
    /// How many there were.
    pub attempts: u32,
    /// The last lines that it printed.
    pub last_lines: Vec<String>,
}

/// A run so far.
#[derive(Debug)]
pub struct State {
    tasks: Tasks,
    courses: Vec<Course>,
    rows: Rows,
    ready: BTreeSet<u32>,
    under_way: BTreeSet<u32>,
    /// In the order in which they failed.
    failures: Vec<Failure>,
    stopped: Vec<u32>,
    done: usize,
    skipped: usize,
    never: usize,
    /// How long what is not over will probably compute, all together.
    work_left: Duration,
    stopping: Level,
}

impl State {
    /// A run of which nothing has happened.
    #[must_use]
    pub fn of(tasks: Tasks) -> Self {
        State {
            courses: vec![Course::default(); tasks.len()],
            rows: Rows::default(),
            ready: BTreeSet::new(),
            under_way: BTreeSet::new(),
            failures: Vec::new(),
            stopped: Vec::new(),
            done: 0,
            skipped: 0,
            never: 0,
            work_left: tasks.work(),
            stopping: Level::Go,
            tasks,
        }
    }

    /// Takes in what has happened.
    pub fn take(&mut self, note: &mut Note) {
        let at = note.at;
        match &mut note.event {
            Event::Ready { task } => self.ready(number(*task), at),
            Event::Started { task, .. } => self.started(number(*task), at),
            Event::Output { .. } => {}
            Event::Retrying { task, ending, .. } => {
                self.retrying(number(*task), ending.clone(), at);
            }
            Event::Paused { task, for_task } => self.paused(number(*task), number(*for_task), at),
            Event::Continued { task } => self.continued(number(*task), at),
            Event::Skipped { task, why } => self.skipped(number(*task), *why, at),
            Event::NeverRun { task, root } => self.never(number(*task), root.map(number), at),
            Event::Stopping { level } => self.stopping = *level,
            Event::Ended {
                task,
                ending: Ending::Success,
                cpu,
                ..
            } => {
                self.courses[*task].cpu = *cpu;
                self.succeeded(number(*task), at);
            }
            Event::Ended {
                task,
                ending,
                took,
                attempts,
                output,
                cpu,
            } => {
                self.courses[*task].cpu = *cpu;
                let failure = Failure {
                    task: number(*task),
                    ending: ending.clone(),
                    took: *took,
                    attempts: *attempts,
                    last_lines: output.last_lines(LAST_LINES),
                };
                self.failed(failure, at);
            }
        }
    }

    /// Only a place is missing from now on.
    fn ready(&mut self, task: u32, at: Duration) {
        let course = &mut self.courses[task as usize];
        course.phase = Phase::Ready;
        course.ready.get_or_insert(at);
        self.under_way.remove(&task);
        self.ready.insert(task);
    }

    /// An attempt begins.
    fn started(&mut self, task: u32, at: Duration) {
        let ends = self
            .tasks
            .get(task)
            .needs
            .iter()
            .map(|&need| self.course(need).ended);
        let released = ends.max().flatten().unwrap_or_default();
        let course = &mut self.courses[task as usize];
        course.ready.get_or_insert(released);
        course.attempts.push(Attempt {
            stretch: Stretch::since(at),
            ending: None,
            row: self.rows.take(self.tasks.get(task)),
        });
        course.phase = Phase::Running;
        self.ready.remove(&task);
        self.under_way.insert(task);
    }

    /// An attempt has failed, and another one will follow.
    fn retrying(&mut self, task: u32, ending: Ending, at: Duration) {
        self.close(task, ending, at);
        self.courses[task as usize].phase = Phase::Resting;
    }

    /// Its command is held up.
    fn paused(&mut self, task: u32, for_task: u32, at: Duration) {
        let course = &mut self.courses[task as usize];
        course.phase = Phase::Paused(for_task);
        course.pauses.push(Pause {
            stretch: Stretch::since(at),
            for_task,
        });
    }

    /// Its command goes on.
    fn continued(&mut self, task: u32, at: Duration) {
        let course = &mut self.courses[task as usize];
        course.end_pause(at);
        course.phase = match course.attempts.last() {
            Some(Attempt { ending: None, .. }) => Phase::Running,
            _ => Phase::Resting,
        };
    }

    /// It counts as done.
    fn skipped(&mut self, task: u32, why: Skip, at: Duration) {
        self.skipped += 1;
        // Its condition may have run, and taken a place.
        self.close(task, Ending::Success, at);
        self.over(task, Phase::Skipped(why), at);
    }

    /// It will never run, because of the task `root` or because the run was stopped.
    fn never(&mut self, task: u32, root: Option<u32>, at: Duration) {
        self.never += 1;
        self.over(task, Phase::Never(root), at);
    }

    /// Its command succeeded.
    fn succeeded(&mut self, task: u32, at: Duration) {
        self.close(task, Ending::Success, at);
        self.done += 1;
        self.over(task, Phase::Done, at);
    }

    /// Its command failed for good, or was stopped.
    fn failed(&mut self, failure: Failure, at: Duration) {
        let task = failure.task;
        self.close(task, failure.ending.clone(), at);
        if failure.ending == Ending::Stopped {
            self.stopped.push(task);
            self.over(task, Phase::Stopped, at);
        } else {
            self.failures.push(failure);
            self.over(task, Phase::Failed, at);
        }
    }

    /// Its present attempt, if there is one, has ended, and its place is free.
    fn close(&mut self, task: u32, ending: Ending, at: Duration) {
        let course = &mut self.courses[task as usize];
        course.end_pause(at);
        if let Some(last) = course.attempts.last_mut()
            && last.ending.is_none()
        {
            last.stretch.to = Some(at);
            last.ending = Some(ending);
            self.rows.give_back(self.tasks.get(task), last.row);
        }
    }

    fn over(&mut self, task: u32, phase: Phase, at: Duration) {
        let course = &mut self.courses[task as usize];
        course.end_pause(at);
        course.phase = phase;
        course.ended = Some(at);
        self.under_way.remove(&task);
        self.ready.remove(&task);
        let work = self.tasks.get(task).work();
        self.work_left = self.work_left.saturating_sub(work);
    }

    /// The tasks as they were known before.
    #[must_use]
    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// What has happened to a task.
    #[must_use]
    pub fn course(&self, task: u32) -> &Course {
        &self.courses[task as usize]
    }

    /// Who has begun and not ended, in the order of the file.
    pub fn under_way(&self) -> impl ExactSizeIterator<Item = u32> + '_ {
        self.under_way.iter().copied()
    }

    /// To whom only a place is missing, in the order of the file.
    pub fn waiting_for_a_place(&self) -> impl ExactSizeIterator<Item = u32> + '_ {
        self.ready.iter().copied()
    }

    /// Who failed, the first first.
    #[must_use]
    pub fn failures(&self) -> &[Failure] {
        &self.failures
    }

    /// Who was interrupted.
    #[must_use]
    pub fn stopped(&self) -> &[u32] {
        &self.stopped
    }

    /// How many commands succeeded.
    #[must_use]
    pub fn done(&self) -> usize {
        self.done
    }

    /// How many count as done without having run.
    #[must_use]
    pub fn skipped_count(&self) -> usize {
        self.skipped
    }

    /// How many never run because of others.
    #[must_use]
    pub fn never_count(&self) -> usize {
        self.never
    }

    /// How many are over, in whatever way.
    #[must_use]
    pub fn over_count(&self) -> usize {
        self.done + self.skipped + self.never + self.failures.len() + self.stopped.len()
    }

    /// How long all that is not over will probably compute, one after the other.
    #[must_use]
    pub fn work_left(&self) -> Duration {
        self.work_left
    }

    /// What the run teaches about durations: class and name of what succeeded, and how long that
    /// took.
    #[must_use]
    pub fn taught(&self) -> Vec<(&str, &str, Duration)> {
        let done = self.tasks.iter().filter(|(task, known)| {
            self.course(*task).phase == Phase::Done && known.guess.source != Source::Nothing
        });
        done.map(|(task, known)| (&*known.class, &*known.name, ran(self.course(task))))
            .collect()
    }

    /// How urgently the run is stopped.
    #[must_use]
    pub fn stopping(&self) -> Level {
        self.stopping
    }

    /// How the process ends, if no signal decides.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self.failures.first().map(|first| &first.ending) {
            Some(Ending::TimedOut(_)) => Exit::TimedOut,
            Some(_) => Exit::TaskFailed,
            None if self.done + self.skipped == self.tasks.len() => Exit::Success,
            // Something was stopped or lost without a failure: only a signal explains that.
            None => Exit::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::Story;
    use super::*;

    #[test]
    fn the_first_failure_decides_the_exit_code() {
        let mut story = Story::of_build();
        story.at(0).begin("fetch").begin("lint");
        story
            .at(10)
            .end("lint", Ending::TimedOut(Duration::from_millis(10)), "");
        story.end("fetch", Ending::ExitCode(1), "");
        assert_eq!(story.state.exit(), Exit::TimedOut);
        let failed: Vec<_> = story
            .state
            .failures()
            .iter()
            .map(|failure| failure.task)
            .collect();
        assert_eq!(failed, [4, 0]);
    }

    #[test]
    fn a_run_in_which_something_is_left_is_no_success() {
        let mut story = Story::of(&super::super::sample::BUILD[..1], 1);
        assert_eq!(story.state.exit(), Exit::Internal);
        story.begin("fetch").done("fetch");
        assert_eq!(story.state.exit(), Exit::Success);
    }

    #[test]
    fn what_succeeded_teaches_how_long_its_last_attempt_ran_and_nothing_else_does() {
        let mut story = Story::of_build();
        story.at(0).begin("fetch");
        story.at(1_000).retry("fetch");
        story.at(5_000).start("fetch", 2);
        story.at(6_000).pause("fetch", "lint");
        story.at(8_000).go_on("fetch");
        story.at(9_000).done("fetch").begin("lint");
        story
            .at(9_500)
            .end("lint", Ending::ExitCode(1), "")
            .skip("docs", Skip::UpToDate);
        assert_eq!(
            story.state.taught(),
            [("fetch", "fetch", Duration::from_secs(2))]
        );
    }
}
