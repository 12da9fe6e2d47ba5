//! A channel for one value, whose receiver lends priority to whoever promised to
//! send.
//!
//! It has the methods of `tokio::sync::oneshot`. What is added is the promise: a
//! task that awaits the [`Receiver`] lends its priority to the task that promised to
//! send, and takes it back when the value is sent, the [`Sender`] dropped, or the
//! wait given up.
//!
//! A channel cannot see which task its sender was moved into, so that has to be
//! said, in one of these ways:
//!
//! - [`Receiver::promised_by`], by whoever keeps the receiver and has spawned the
//!   sender's task. It works before that task has begun to run.
//! - [`Sender::promise`], by the task itself.
//! - [`Sender::promised_by`], by whoever has the sender and knows where it will go.
//!
//! A task that merely polls [`Sender::closed`] is lent to as well. The task that
//! makes the pair has promised nothing.
//!
//! ```
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
//! use adaptive_task_scheduler::{sync::oneshot, Scheduler};
//!
//! let scheduler = Scheduler::new();
//! let (sender, receiver) = oneshot::named("answer");
//! let worker = scheduler.spawn(async move { sender.send(42) });
//! receiver.promised_by(&worker);
//! assert_eq!(receiver.await, Ok(42));
//! # })
//! ```
//!
//! # Deadlocks
//!
//! A wait for a value whose promised task waits, directly or through others, for
//! the receiver's is [`error::RecvError`] with the names of all of them. A promise
//! is taken at its word here: it also says that the task will not send while
//! another of its branches (`join!`, `select!`) waits for the receiver's task. Of a
//! task that was only seen with `closed` no circle is told.
//!
//! A promised task that ends without sending breaks nothing by that: if the sender
//! went with it, the receiver is told that the channel is closed; if the sender
//! lives elsewhere, the wait goes on, and lends nothing until somebody promises
//! anew. The last promise counts.

pub mod error;

use super::{
    acquire::block_on,
    promise::Promised,
    slot::{NoValue, Slot},
};
use crate::{
    handle::AsTask,
    task::{
        current,
        id::{TaskId, TaskName},
    },
};
use error::{RecvError, TryRecvError};
use std::{
    fmt,
    future::{Future, poll_fn},
    panic::Location,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::task::coop;

/// Makes a channel for one value. In errors and explanations it is called by the
/// place in the source that made it.
#[track_caller]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    named(TaskName::of_site(Location::caller()))
}

/// Makes a channel for one value with a name, for errors and explanations.
pub fn named<T>(name: impl Into<TaskName>) -> (Sender<T>, Receiver<T>) {
    let slot = Arc::new(Slot::new(name.into()));
    let sender = Sender {
        slot: Arc::clone(&slot),
    };
    let receiver = Receiver {
        slot,
        is_terminated: false,
    };
    (sender, receiver)
}

impl<T> Slot<T> {
    fn declare(&self, task: TaskId) {
        self.promise(Promised {
            task,
            is_declared: true,
        });
    }
}

/// Sends the value. See [the module](self) for who is lent the receiver's priority.
pub struct Sender<T> {
    slot: Arc<Slot<T>>,
}

impl<T> Sender<T> {
    /// What the channel is called.
    pub fn name(&self) -> &TaskName {
        self.slot.name()
    }

    /// The current task will send. Outside tasks this does nothing.
    pub fn promise(&self) {
        if let Some(task) = current::task() {
            self.slot.declare(task);
        }
    }

    /// That task will send.
    pub fn promised_by(&self, task: &impl AsTask) {
        self.slot.declare(task.task_id());
    }

    /// Sends the value. What the receiver's task has lent is taken back first.
    ///
    /// # Errors
    ///
    /// The value, if the receiver was dropped or closed. That there is no error
    /// does not mean that it will be received.
    pub fn send(self, value: T) -> Result<(), T> {
        self.slot.send(value)
    }

    /// Waits until the receiver is dropped or closed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn closed(&mut self) {
        poll_fn(|cx| self.poll_closed(cx)).await;
    }

    /// Whether the receiver was dropped or closed.
    pub fn is_closed(&self) -> bool {
        self.slot.is_closed()
    }

    /// Polls whether the receiver was dropped or closed. The task that polls this
    /// is lent the receiver's priority, unless another has promised to send.
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(task) = current::task() {
            self.slot.promise(Promised {
                task,
                is_declared: false,
            });
        }
        let budget = ready!(coop::poll_proceed(cx));
        let polled = self.slot.poll_closed(cx);
        if polled.is_ready() {
            budget.made_progress();
        }
        polled
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.slot.leave();
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("name", self.name())
            .field("is_closed", &self.is_closed())
            .finish()
    }
}

/// Awaits the value, and lends meanwhile to whoever promised it (see [the
/// module](self)).
///
/// Awaiting it gives the value, or [`RecvError`] if the sender was dropped without
/// sending, or if waiting would close a circle. After an error of the second kind
/// it may be awaited again.
///
/// # Cancel safety
///
/// Awaiting `&mut receiver` may be given up and begun again; nothing is lost. A
/// receiver that was polled by reference counts as waiting, and lends, until it is
/// ready, dropped, closed, or polled by another task.
///
/// # Panics
///
/// Polling it again after it gave the value, or said that there will be none,
/// panics, as Tokio's.
#[must_use = "it does nothing unless it is awaited"]
pub struct Receiver<T> {
    slot: Arc<Slot<T>>,
    is_terminated: bool,
}

impl<T> Receiver<T> {
    /// What the channel is called.
    pub fn name(&self) -> &TaskName {
        self.slot.name()
    }

    /// That task will send.
    pub fn promised_by(&self, task: &impl AsTask) {
        self.slot.declare(task.task_id());
    }

    /// Refuses a value that was not sent yet. One that was sent can still be
    /// received.
    pub fn close(&mut self) {
        self.slot.close();
    }

    /// Whether it gave its value or said that there will be none, so that it must
    /// not be polled any more.
    pub fn is_terminated(&self) -> bool {
        self.is_terminated
    }

    /// Whether there is no value to be received now.
    pub fn is_empty(&self) -> bool {
        self.is_terminated || !self.slot.is_sent()
    }

    /// The value, if it was sent.
    ///
    /// # Errors
    ///
    /// [`TryRecvError::Empty`] if it was not sent yet, [`TryRecvError::Closed`] if
    /// it was received before or will never be.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        if self.is_terminated {
            return Err(TryRecvError::Closed);
        }
        let taken = self.slot.take().ok_or(TryRecvError::Empty)?;
        self.is_terminated = true;
        taken.map_err(|_| TryRecvError::Closed)
    }

    /// Waits for the value, blocking this thread meanwhile. For closures on the CPU
    /// and blocking lanes, which lend as tasks do, and outside asynchronous code.
    ///
    /// # Errors
    ///
    /// As awaiting it.
    ///
    /// # Panics
    ///
    /// In asynchronous code, as Tokio's.
    #[track_caller]
    pub fn blocking_recv(self) -> Result<T, RecvError> {
        block_on(self)
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        assert!(
            !self.is_terminated,
            "a oneshot was polled after it was ready"
        );
        let budget = ready!(coop::poll_proceed(cx));
        let received = ready!(self.slot.poll(cx));
        budget.made_progress();
        let deadlock = match received {
            Err(NoValue::Deadlock(circle)) => circle,
            received => {
                self.is_terminated = true;
                return Poll::Ready(received.map_err(|_| RecvError::CLOSED));
            }
        };
        Poll::Ready(Err(RecvError::of_deadlock(deadlock)))
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        if !self.is_terminated {
            self.slot.close();
            drop(self.slot.take());
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("name", self.name())
            .field("is_terminated", &self.is_terminated())
            .finish()
    }
}
