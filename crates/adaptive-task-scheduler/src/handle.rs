//! Handles: a task seen by its one owner.
//!
//! A [`TaskHandle`] owns the HANDLE flag of its task's word, and with it the
//! right to the value. While a task awaits it, it also stands for the edge
//! from that task to its own, which is added at the first poll that finds no
//! value and taken away when the value is taken or the handle dropped.

use crate::{
    core::{edges, finish},
    error::TaskError,
    explain::Explanation,
    lane::Lane,
    priority::Priority,
    task::{
        current,
        id::{TaskId, TaskName},
        record::{Ended, Record},
        slab,
        word::{self, BLOCKED, CANCEL, DONE, FAILED, QUEUED, RUNNING, Snapshot},
    },
    watch::Watch,
};
use std::{
    fmt,
    future::{Future, poll_fn},
    marker::PhantomData,
    pin::Pin,
    sync::atomic::Ordering::Relaxed,
    task::{Context, Poll},
};

/// Where a task is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskState {
    /// Waits for the tasks it was spawned to run after.
    Blocked,
    /// Waits in a queue.
    Ready,
    /// Is being polled.
    Running,
    /// Waits to be woken.
    Suspended,
    /// Has ended.
    Finished,
}

impl TaskState {
    pub(crate) fn of(word: Snapshot) -> Self {
        if word.has(DONE) {
            TaskState::Finished
        } else if word.has(BLOCKED) {
            TaskState::Blocked
        } else if word.has(RUNNING) {
            TaskState::Running
        } else if word.has(QUEUED) {
            TaskState::Ready
        } else {
            TaskState::Suspended
        }
    }

    pub(crate) fn of_id(id: TaskId) -> Self {
        let word = slab::record(id).word.load();
        if word.generation() == id.generation() {
            Self::of(word)
        } else {
            TaskState::Finished
        }
    }
}

mod sealed {
    pub trait Sealed {}
    impl<T> Sealed for super::TaskHandle<T> {}
    impl Sealed for crate::Watch {}
    impl Sealed for crate::TaskId {}
}

/// What can stand for a task: its id, its handle, or a watch of it.
pub trait AsTask: sealed::Sealed {
    /// The task's id.
    fn task_id(&self) -> TaskId;

    #[doc(hidden)]
    fn known_error(&self) -> Option<TaskError>;
}

impl<T> AsTask for TaskHandle<T> {
    fn task_id(&self) -> TaskId {
        self.id()
    }

    fn known_error(&self) -> Option<TaskError> {
        match &self.state {
            State::Rejected(error) => Some(error.clone()),
            State::Taken { error, .. } => error.clone(),
            State::Live { .. } => None,
        }
    }
}

impl AsTask for Watch {
    fn task_id(&self) -> TaskId {
        self.id()
    }

    fn known_error(&self) -> Option<TaskError> {
        self.error()
    }
}

impl AsTask for TaskId {
    fn task_id(&self) -> TaskId {
        *self
    }

    fn known_error(&self) -> Option<TaskError> {
        None
    }
}

/// Owns the value of a spawned task.
///
/// Awaiting it gives the value, or the [`TaskError`] that says why there is
/// none. Awaited inside another task, it lends that task's priority to this
/// one for as long as the wait lasts; if the wait would close a cycle of tasks
/// that wait for each other, it gives an error that names them all.
///
/// Dropping the handle detaches the task, which then goes on unobserved, unless
/// it was spawned with
/// [`cancel_on_drop`](crate::TaskBuilder::cancel_on_drop).
///
/// # Cancel safety
///
/// Awaiting `&mut handle` may be given up and begun again; nothing is lost.
///
/// # Panics
///
/// Polling it again after it was ready panics.
#[must_use = "dropping the handle detaches the task; say so with detach()"]
pub struct TaskHandle<T> {
    state: State,
    cancel_on_drop: bool,
    value: PhantomData<fn() -> T>,
}

enum State {
    Live {
        id: TaskId,
        /// The task that awaits this one, in whose links the edge stands.
        waiter: Option<TaskId>,
    },
    Rejected(TaskError),
    /// The value was taken or given up; there was none if there is an error.
    Taken {
        id: TaskId,
        error: Option<TaskError>,
    },
}

impl<T> TaskHandle<T> {
    pub(crate) fn new(started: Result<TaskId, TaskError>, cancel_on_drop: bool) -> Self {
        let state = match started {
            Ok(id) => State::Live { id, waiter: None },
            Err(error) => State::Rejected(error),
        };
        Self {
            state,
            cancel_on_drop,
            value: PhantomData,
        }
    }

    /// The task's id. A rejected task has an id that no other task has had.
    pub fn id(&self) -> TaskId {
        match &self.state {
            State::Live { id, .. } | State::Taken { id, .. } => *id,
            State::Rejected(error) => error.task(),
        }
    }

    fn record(&self) -> Option<&'static Record> {
        match &self.state {
            State::Live { id, .. } => Some(slab::record(*id)),
            State::Rejected(_) | State::Taken { .. } => None,
        }
    }

    /// The task's name.
    pub fn name(&self) -> TaskName {
        match &self.state {
            State::Rejected(error)
            | State::Taken {
                error: Some(error), ..
            } => error.name().clone(),
            State::Live { id, .. } | State::Taken { id, .. } => edges::name_of(*id),
        }
    }

    /// Asks the task to end; what that does is its
    /// [`CancelMode`](crate::CancelMode). Asking an ended task does nothing.
    pub fn cancel(&self) {
        if let State::Live { id, .. } = self.state {
            cancel(id);
        }
    }

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        self.state() == TaskState::Finished
    }

    /// Where the task is on its way.
    pub fn state(&self) -> TaskState {
        self.record().map_or(TaskState::Finished, |record| {
            TaskState::of(record.word.load())
        })
    }

    /// The priority that the task was spawned with.
    pub fn priority(&self) -> Priority {
        let level = self
            .record()
            .map(|record| record.facts.own_level.load(Relaxed));
        level.map_or_else(Priority::default, Priority::of_level)
    }

    /// The priority at which the task is served: the highest of its own and
    /// that of the tasks that wait on it.
    pub fn effective_priority(&self) -> Priority {
        let level = self.record().map(|record| record.word.load().level());
        level.map_or_else(Priority::default, Priority::of_level)
    }

    /// Where the task's next poll will run.
    pub fn lane(&self) -> Lane {
        self.record()
            .map_or(Lane::Io, |record| record.word.load().lane())
    }

    /// Why the task has not ended yet.
    pub fn explain(&self) -> Explanation {
        Explanation::of(self.id())
    }

    /// A view of the task's end that can be cloned and awaited by many.
    pub fn watch(&self) -> Watch {
        match &self.state {
            State::Rejected(error)
            | State::Taken {
                error: Some(error), ..
            } => Watch::of_error(error.clone()),
            State::Live { id, .. } | State::Taken { id, .. } => Watch::of(*id),
        }
    }

    /// Lets the task go on unobserved, also if it was spawned with
    /// [`cancel_on_drop`](crate::TaskBuilder::cancel_on_drop).
    pub fn detach(mut self) {
        self.cancel_on_drop = false;
    }

    /// Keeps the edge that stands for this wait where it belongs.
    fn wait(&mut self) -> Result<(), TaskError> {
        let State::Live { id, waiter } = &mut self.state else {
            return Ok(());
        };
        let now = current::task();
        if *waiter == now {
            return Ok(());
        }
        if let Some(before) = waiter.take() {
            edges::end_wait(before, *id);
        }
        let Some(now) = now else { return Ok(()) };
        let blocker = *id;
        let begun = current::carrying(|carrying| match carrying {
            Some(carrying) => edges::begin_wait(&carrying.core, now, blocker),
            None => Ok(()),
        });
        match begun {
            Ok(()) => {
                *waiter = Some(now);
                Ok(())
            }
            Err(path) => Err(TaskError::of_cycle(now, edges::name_of(now), path)),
        }
    }

    /// Ends the wait, if there is one.
    fn end_wait(&mut self) {
        if let State::Live { id, waiter } = &mut self.state
            && let Some(waiter) = waiter.take()
        {
            edges::end_wait(waiter, *id);
        }
    }

    /// Gives up the handle's interest in a live task. What is returned is the
    /// right to the value of a task that has ended.
    fn give_up(&mut self) -> Option<(TaskId, Ended<'static>)> {
        let State::Live { id, .. } = self.state else {
            return None;
        };
        self.end_wait();
        self.state = State::Taken { id, error: None };
        let record = slab::record(id);
        // SAFETY: `drop_handle` says that the task is DONE, and `Live` stands
        // for the HANDLE flag, which was given up just now.
        record
            .word
            .drop_handle()
            .then(|| (id, unsafe { Ended::of_handle(record) }))
    }
}

impl<T: 'static> TaskHandle<T> {
    fn take(&mut self, failed: bool) -> Result<T, TaskError> {
        let (id, mut ended) = self.give_up().expect("the task has ended");
        let mut value: Option<T> = None;
        let answer = if failed {
            let links = slab::record(id).links_of(id.generation());
            let error = links.and_then(|links| links.error());
            Err(error.expect("a failed task has an error"))
        } else {
            ended.take(&mut value);
            Ok(value.expect("a completed task has a value"))
        };
        finish::free(id, ended);
        if let Err(error) = &answer {
            self.state = State::Taken {
                id,
                error: Some(error.clone()),
            };
        }
        answer
    }

    /// Awaits the task without giving up the handle: what awaiting `&mut handle`
    /// does, except that the wait, with what it lends, ends when this future is
    /// dropped, say by a time-out around it. A handle that was only polled by
    /// reference counts as waiting until it is dropped or polled elsewhere.
    ///
    /// # Errors
    ///
    /// As awaiting the handle.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing; it may be called again.
    ///
    /// # Panics
    ///
    /// If the handle was ready before.
    pub async fn join(&mut self) -> Result<T, TaskError> {
        struct Waiting<'a, T>(&'a mut TaskHandle<T>);
        impl<T> Drop for Waiting<'_, T> {
            fn drop(&mut self) {
                self.0.end_wait();
            }
        }
        let waiting = Waiting(self);
        poll_fn(|cx| Pin::new(&mut *waiting.0).poll(cx)).await
    }
}

/// Asks a task to end. False if it has ended, was asked before, or ignores it.
pub(crate) fn cancel(id: TaskId) -> bool {
    let record = slab::record(id);
    if record.facts.cancel_mode() == crate::CancelMode::Shield as u8 {
        return false;
    }
    match record.word.stop(id.generation(), CANCEL) {
        word::Stop::Nothing => false,
        word::Stop::Noted => true,
        word::Stop::Enqueue(word) => {
            current::schedule(record, id, word);
            true
        }
    }
}

impl<T: 'static> Future for TaskHandle<T> {
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let id = match &self.state {
            State::Live { id, .. } => *id,
            State::Rejected(error) => return Poll::Ready(Err(error.clone())),
            State::Taken { .. } => panic!("a task's handle was polled after it was ready"),
        };
        let record = slab::record(id);
        let now = record.word.load();
        if now.has(DONE) {
            return Poll::Ready(self.take(now.has(FAILED)));
        }
        if let Err(cycle) = self.wait() {
            return Poll::Ready(Err(cycle));
        }
        let waker = cx.waker().clone();
        match record.live_links(id.generation()) {
            Some(mut links) => {
                // Wakers may be anybody's code: cloned before the lock is taken
                // and dropped after it is released.
                let before = links.join.replace(waker);
                drop(links);
                drop(before);
                Poll::Pending
            }
            // It ended meanwhile.
            None => {
                let now = record.word.load();
                Poll::Ready(self.take(now.has(FAILED)))
            }
        }
    }
}

impl<T> Drop for TaskHandle<T> {
    fn drop(&mut self) {
        if let State::Live { id, .. } = self.state
            && self.cancel_on_drop
        {
            cancel(id);
        }
        if let Some((id, ended)) = self.give_up() {
            finish::free(id, ended);
        }
    }
}

impl<T> fmt::Debug for TaskHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskHandle")
            .field("id", &self.id())
            .field("name", &self.name())
            .field("state", &self.state())
            .finish()
    }
}
