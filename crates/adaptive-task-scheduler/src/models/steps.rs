//! What is done with a task from its spawn to its end, without a scheduler
//! around it: the mirror of `core::{start, run, edges, finish}`.

use super::table::{Line, Table};
use crate::{
    error::TaskError,
    lane::Lane,
    queue::ready::Taken,
    task::{
        id::{TaskId, TaskName},
        job::{Fault, Job},
        record::{Claimed, Ending},
        word::{self, CANCEL, CONDEMNED, Claim, Stop, Suspend, Wake},
    },
    waits::{Tasks, cycle, donation},
};
use std::task::{Context, Poll, Waker};

impl<L: Line> Table<L> {
    /// Spawns a task that nothing holds back.
    pub(crate) fn spawn(&self, level: u8, job: impl Job + 'static) -> TaskId {
        let flags = word::QUEUED | word::HANDLE;
        let id = self
            .open(level, flags, job)
            .expect("the model has places enough");
        self.line.push(id, self.word(id));
        id
    }

    /// Spawns a task that runs after others.
    pub(crate) fn spawn_after(
        &self,
        level: u8,
        job: impl Job + 'static,
        after: &[TaskId],
    ) -> TaskId {
        let flags = word::BLOCKED | word::HANDLE;
        let id = self
            .open(level, flags, job)
            .expect("the model has places enough");
        self.link(id, after);
        id
    }

    /// Declares what a blocked task runs after, and lets it go.
    pub(crate) fn link(&self, id: TaskId, after: &[TaskId]) {
        if let Some(mut links) = self.record(id).live_links(id.generation()) {
            links.missing = 1;
        }
        for &blocker in after {
            self.declare(id, blocker);
        }
        self.release(id, None);
    }

    fn declare(&self, waiter: TaskId, blocker: TaskId) {
        if let Some(mut links) = self.record(waiter).live_links(waiter.generation()) {
            links.missing += 1;
        }
        donation::add_edge(self, waiter, blocker);
        let record = self.record(blocker);
        if let Some(mut links) = record.live_links(blocker.generation()) {
            links.rare().dependents.push(waiter);
            return;
        }
        let error = record
            .links_of(blocker.generation())
            .and_then(|links| links.error());
        self.release(waiter, error.as_ref());
    }

    fn release(&self, dependent: TaskId, error: Option<&TaskError>) {
        let record = self.record(dependent);
        let generation = dependent.generation();
        let Some(mut links) = record.live_links(generation) else {
            return;
        };
        links.missing = links.missing.saturating_sub(1);
        if let Some(error) = error {
            if links.error().is_none() {
                let error = error.clone();
                links.set_error(Some(TaskError::of_dependency(
                    dependent,
                    NAME.into(),
                    error,
                )));
            }
            drop(links);
            if let Stop::Enqueue(word) = record.word.stop(generation, CONDEMNED) {
                self.line.push(dependent, word);
            }
        } else if links.missing == 0 {
            links.waits_on.clear();
            drop(links);
            if let Wake::Enqueue(word) = record.word.unblock(generation) {
                self.line.push(dependent, word);
            }
        }
    }

    /// Polls the task that an entry names, if the entry is not stale.
    pub(crate) fn run(&self, taken: Taken, lane: Lane) {
        let Some(id) = TaskId::from_raw(taken.entry) else {
            return;
        };
        match self.record(id).claim(id.generation(), taken.level, lane) {
            Ok(claimed) => {
                let level = claimed.before().level();
                assert!(
                    taken.level <= level,
                    "polled through a loan that was taken back"
                );
                self.poll(id, claimed);
            }
            Err(Claim::Elsewhere(word)) => self.line.push(id, word),
            Err(_) => {}
        }
    }

    fn poll(&self, id: TaskId, mut claimed: Claimed<'_>) {
        if claimed.before().has(CANCEL | CONDEMNED) {
            return self.end_stopped(id, claimed);
        }
        match claimed.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => match claimed.suspend(false) {
                Suspend::Idle => {}
                Suspend::Requeue(word) => self.line.push(id, word),
            },
            Poll::Ready(Ok(())) => self.end(id, claimed, None),
            Poll::Ready(Err(fault)) => self.end(id, claimed, Some(error_of(id, fault))),
        }
    }

    /// Ends a task that was cancelled or condemned, instead of polling it.
    fn end_stopped(&self, id: TaskId, mut claimed: Claimed<'_>) {
        let is_condemned = claimed.before().has(CONDEMNED);
        let links = self.record(id).links_of(id.generation());
        let condemned_for = links
            .filter(|_| is_condemned)
            .and_then(|links| links.error());
        let error = condemned_for.unwrap_or_else(|| match is_condemned {
            true => TaskError::shut_down(id, NAME.into()),
            false => TaskError::cancelled(id, NAME.into()),
        });
        drop(claimed.discard());
        self.end(id, claimed, Some(error));
    }

    /// Ends a task, and serves what was linked to it.
    pub(crate) fn end(&self, id: TaskId, claimed: Claimed<'_>, error: Option<TaskError>) {
        let (ending, ended) = claimed.end(error);
        self.serve(id, ending);
        if let Some(ended) = ended {
            self.free(id, ended);
        }
    }

    fn serve(&self, id: TaskId, ending: Ending) {
        let returned = ending.waits_on.into_iter().map(|edge| edge.returned());
        donation::settle(self, returned);
        for dependent in ending.dependents {
            self.release(dependent, ending.error.as_ref());
        }
        if let Some(waker) = ending.join {
            waker.wake();
        }
        for watcher in ending.watchers {
            watcher.ended(id, ending.error.as_ref());
        }
    }

    /// A task begins to await another. `Err` if that closes a cycle.
    pub(crate) fn begin_wait(&self, waiter: TaskId, blocker: TaskId) -> Result<(), Vec<TaskId>> {
        donation::add_edge(self, waiter, blocker);
        if !cycle::has_waiters(self, waiter) && waiter != blocker {
            return Ok(());
        }
        let _one_at_a_time = self.cycles.lock();
        match cycle::find(self, waiter, blocker) {
            None => Ok(()),
            Some(path) => {
                donation::remove_edge(self, waiter, blocker);
                Err(path)
            }
        }
    }

    /// Ends one task that the end of the scheduler left behind, unless it is
    /// running; then its carrier will, or the next sweep.
    pub(crate) fn sweep(&self, id: TaskId) {
        let record = self.record(id);
        match record.seize(id.generation()) {
            Some(mut claimed) => {
                drop(claimed.discard());
                self.end(id, claimed, Some(TaskError::shut_down(id, NAME.into())));
            }
            None => {
                let _ = record.word.stop(id.generation(), CONDEMNED);
            }
        }
    }

    pub(crate) fn wake(&self, id: TaskId) {
        if let Wake::Enqueue(word) = self.record(id).word.wake(id.generation()) {
            self.line.push(id, word);
        }
    }

    /// Asks a task to end, with CANCEL or CONDEMNED.
    pub(crate) fn stop(&self, id: TaskId, flag: u64) {
        if let Stop::Enqueue(word) = self.record(id).word.stop(id.generation(), flag) {
            self.line.push(id, word);
        }
    }

    /// What awaiting a task's handle does at one poll: the value or error of an
    /// ended task, or else `waker` is left to be woken at its end.
    pub(crate) fn poll_handle(
        &self,
        id: TaskId,
        waker: &Waker,
    ) -> Poll<Result<Option<u32>, TaskError>> {
        let record = self.record(id);
        if !record.word.load().has(word::DONE)
            && let Some(mut links) = record.live_links(id.generation())
        {
            links.join = Some(waker.clone());
            return Poll::Pending;
        }
        Poll::Ready(self.take(id))
    }

    fn take(&self, id: TaskId) -> Result<Option<u32>, TaskError> {
        let record = self.record(id);
        let failed = record.word.load().has(word::FAILED);
        let mut ended = self.give_up(id).expect("the task has ended");
        let answer = if failed {
            let links = record.links_of(id.generation());
            let error = links.and_then(|links| links.error());
            Err(error.expect("a failed task has an error"))
        } else {
            let mut value: Option<u32> = None;
            ended.take(&mut value);
            Ok(value)
        };
        self.free(id, ended);
        answer
    }

    /// Drops the handle.
    pub(crate) fn detach(&self, id: TaskId) {
        if let Some(ended) = self.give_up(id) {
            self.free(id, ended);
        }
    }
}

/// What every task of a model is called.
const NAME: &str = "modelled";

fn error_of(id: TaskId, fault: Fault) -> TaskError {
    let name = TaskName::from(NAME);
    match fault {
        Fault::Failed(error) => TaskError::failed(id, name, error),
        Fault::Panicked(payload) => TaskError::panicked(id, name, payload),
        Fault::TimedOut(limit) => TaskError::timed_out(id, name, limit),
    }
}
