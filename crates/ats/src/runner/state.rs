//! What has happened in a run so far. Pure: told by notes, asked by the report.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::process::Ending;
use crate::exit::Exit;

/// Where a task stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Standing {
    /// Its turn has not come, and perhaps never does.
    Waiting,
    /// Its command runs.
    Running,
    /// It succeeded.
    Done,
    /// It failed, in this way.
    Failed(Failed),
}

/// How a task failed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failed {
    /// How its last attempt ended.
    pub ending: Ending,
    /// How long all attempts took.
    pub took: Duration,
    /// How many there were.
    pub attempts: u32,
    /// The last lines that it printed.
    pub last_lines: Vec<String>,
}

/// All tasks of a run.
#[derive(Debug)]
pub struct RunState {
    standings: Vec<Standing>,
    running: BTreeSet<usize>,
    done: usize,
    /// In the order in which they failed. What was stopped is not a failure of its own.
    failed: Vec<usize>,
    stopped: Vec<usize>,
}

impl RunState {
    /// So many tasks, of which none has started.
    #[must_use]
    pub fn of(tasks: usize) -> Self {
        RunState {
            standings: vec![Standing::Waiting; tasks],
            running: BTreeSet::new(),
            done: 0,
            failed: Vec::new(),
            stopped: Vec::new(),
        }
    }

    /// A task's command begins.
    pub fn start(&mut self, task: usize) {
        self.standings[task] = Standing::Running;
        self.running.insert(task);
    }

    /// A task succeeded.
    pub fn succeed(&mut self, task: usize) {
        self.running.remove(&task);
        self.standings[task] = Standing::Done;
        self.done += 1;
    }

    /// A task failed, or was stopped.
    pub fn fail(&mut self, task: usize, failed: Failed) {
        self.running.remove(&task);
        if failed.ending == Ending::Stopped {
            self.stopped.push(task);
        } else {
            self.failed.push(task);
        }
        self.standings[task] = Standing::Failed(failed);
    }

    /// How many tasks there are.
    #[must_use]
    pub fn total(&self) -> usize {
        self.standings.len()
    }

    /// How many succeeded.
    #[must_use]
    pub fn done(&self) -> usize {
        self.done
    }

    /// How many have ended, in whatever way.
    #[must_use]
    pub fn ended(&self) -> usize {
        self.done + self.failed.len() + self.stopped.len()
    }

    /// Whose commands run now, in the order of the file.
    pub fn running(&self) -> impl Iterator<Item = usize> + '_ {
        self.running.iter().copied()
    }

    /// Who failed, the first first, each with how.
    pub fn failed(&self) -> impl Iterator<Item = (usize, &Failed)> + '_ {
        self.failed
            .iter()
            .filter_map(|&task| match &self.standings[task] {
                Standing::Failed(failed) => Some((task, failed)),
                _ => None,
            })
    }

    /// Who was stopped while running.
    #[must_use]
    pub fn stopped(&self) -> &[usize] {
        &self.stopped
    }

    /// Groups what never started by whose failure is the reason; `None` where there is no such
    /// failure. `reason` names the task at the root of a failed dependency.
    #[must_use]
    pub fn never_started(
        &self,
        reason: impl Fn(usize) -> Option<usize>,
    ) -> HashMap<Option<usize>, Vec<usize>> {
        let mut groups: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
        for (task, standing) in self.standings.iter().enumerate() {
            if *standing == Standing::Waiting {
                let root = reason(task).filter(|root| self.standings[*root] != Standing::Waiting);
                groups.entry(root).or_default().push(task);
            }
        }
        groups
    }

    /// How the process ends, if no signal decides.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self.failed().next() {
            Some((
                _,
                Failed {
                    ending: Ending::TimedOut(_),
                    ..
                },
            )) => Exit::TimedOut,
            Some(_) => Exit::TaskFailed,
            None if self.done == self.total() => Exit::Success,
            // Something was stopped or lost without a failure: only a signal explains that.
            None => Exit::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(ending: Ending) -> Failed {
        Failed {
            ending,
            took: Duration::from_secs(1),
            attempts: 1,
            last_lines: vec![],
        }
    }

    #[test]
    fn the_first_failure_decides_the_exit_code() {
        let mut state = RunState::of(3);
        state.start(2);
        state.fail(2, failed(Ending::TimedOut(Duration::from_secs(1))));
        state.start(0);
        state.fail(0, failed(Ending::ExitCode(1)));
        assert_eq!(state.exit(), Exit::TimedOut);
        let order: Vec<usize> = state.failed().map(|(task, _)| task).collect();
        assert_eq!(order, [2, 0]);
    }

    #[test]
    fn what_never_started_is_grouped_by_its_reason() {
        let mut state = RunState::of(5);
        state.start(0);
        state.fail(0, failed(Ending::ExitCode(1)));
        // 1 and 2 wait on 0; 3 was not started; 4 waits on 3.
        let groups = state.never_started(|task| [None, Some(0), Some(0), None, Some(3)][task]);
        assert_eq!(groups[&Some(0)], [1, 2]);
        assert_eq!(groups[&None], [3, 4]);
    }

    #[test]
    fn a_whole_run_is_a_success() {
        let mut state = RunState::of(1);
        assert_eq!(state.exit(), Exit::Internal);
        state.start(0);
        assert_eq!(state.running().collect::<Vec<_>>(), [0]);
        state.succeed(0);
        assert_eq!(
            (state.exit(), state.done(), state.ended()),
            (Exit::Success, 1, 1)
        );
    }
}
