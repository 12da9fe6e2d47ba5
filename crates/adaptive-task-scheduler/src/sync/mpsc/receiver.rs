//! The end that receives.
//!
//! It owns: the queue's end, and which task it has last been polled by, so that the
//! room is told only of another one.

use super::{super::acquire::block_on, error::TryRecvError, room::Room};
use crate::{
    handle::AsTask,
    task::{
        current,
        id::{TaskId, TaskName},
    },
};
use std::{
    fmt,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::sync::mpsc::UnboundedReceiver;

/// Receives the values, in the order in which they were sent. Senders that wait for
/// room lend their priority to its task; see [the module](super).
pub struct Receiver<T> {
    values: UnboundedReceiver<T>,
    room: Arc<Room>,
    seen: Option<TaskId>,
}

impl<T> Receiver<T> {
    pub(super) fn new(values: UnboundedReceiver<T>, room: Arc<Room>) -> Self {
        Self {
            values,
            room,
            seen: None,
        }
    }

    /// What the channel is called.
    pub fn name(&self) -> &TaskName {
        self.room.permits.name()
    }

    /// The current task receives, and circles through it are deadlocks (see [the
    /// module](super#what-a-promise-says)). Outside tasks this does nothing.
    pub fn promise(&self) {
        if let Some(task) = current::task() {
            self.room.permits.set_freer(Some(task), true);
        }
    }

    /// That task receives, and circles through it are deadlocks.
    pub fn promised_by(&self, task: &impl AsTask) {
        self.room.permits.set_freer(Some(task.task_id()), true);
    }

    /// The current task is seen to receive.
    fn see(&mut self) {
        let task = current::task();
        if task != self.seen {
            self.seen = task;
            self.room.permits.set_freer(task, false);
        }
    }

    /// Waits for the next value. `None` if there will be none any more: all senders
    /// are gone, or the channel was closed, and all that was sent is received.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn recv(&mut self) -> Option<T> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Waits for values, and moves those that are there, but not more than `limit`,
    /// to the end of the buffer. Returns how many it were: 0 if there will be none
    /// any more, or if `limit` is 0.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn recv_many(&mut self, buffer: &mut Vec<T>, limit: usize) -> usize {
        poll_fn(|cx| self.poll_recv_many(cx, buffer, limit)).await
    }

    /// Polls for the next value, as [`recv`](Self::recv).
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.see();
        match self.values.poll_recv(cx) {
            Poll::Ready(Some(value)) => {
                self.room.permits.give_back(1);
                Poll::Ready(Some(value))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending if self.room.poll_over(cx) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Polls for values, as [`recv_many`](Self::recv_many).
    pub fn poll_recv_many(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut Vec<T>,
        limit: usize,
    ) -> Poll<usize> {
        self.see();
        match self.values.poll_recv_many(cx, buffer, limit) {
            Poll::Ready(0) => Poll::Ready(0),
            Poll::Ready(received) => {
                self.room.permits.give_back(received);
                Poll::Ready(received)
            }
            Poll::Pending if self.room.poll_over(cx) => Poll::Ready(0),
            Poll::Pending => Poll::Pending,
        }
    }

    /// The next value, if there is one.
    ///
    /// # Errors
    ///
    /// [`TryRecvError::Empty`] if there is none now,
    /// [`TryRecvError::Disconnected`] if there will be none any more.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.see();
        // In this order: between the two a last value may come.
        let is_over = self.room.is_over();
        match self.values.try_recv() {
            Ok(value) => {
                self.room.permits.give_back(1);
                Ok(value)
            }
            Err(TryRecvError::Empty) if is_over => Err(TryRecvError::Disconnected),
            Err(error) => Err(error),
        }
    }

    /// Waits for the next value, blocking this thread meanwhile. For closures on the
    /// CPU and blocking lanes, and outside asynchronous code.
    ///
    /// # Panics
    ///
    /// In asynchronous code, as Tokio's.
    #[track_caller]
    pub fn blocking_recv(&mut self) -> Option<T> {
        block_on(self.recv())
    }

    /// Waits for values as [`recv_many`](Self::recv_many), blocking this thread
    /// meanwhile.
    ///
    /// # Panics
    ///
    /// As [`blocking_recv`](Self::blocking_recv).
    #[track_caller]
    pub fn blocking_recv_many(&mut self, buffer: &mut Vec<T>, limit: usize) -> usize {
        block_on(self.recv_many(buffer, limit))
    }

    /// Refuses all senders that wait or come later. What was sent can still be
    /// received, and who has reserved room may still send; so call
    /// [`recv`](Self::recv) until it gives `None`.
    pub fn close(&mut self) {
        self.room.close();
    }

    /// Whether it was closed, or all senders are gone.
    pub fn is_closed(&self) -> bool {
        self.room.is_closed() || self.values.is_closed()
    }

    /// Whether there is no value now.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// How many values there are now.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// For how many values there is room now.
    pub fn capacity(&self) -> usize {
        self.room.permits.available()
    }

    /// For how many values there is room if the channel is empty.
    pub fn max_capacity(&self) -> usize {
        self.room.capacity()
    }

    /// How many senders there are.
    pub fn sender_strong_count(&self) -> usize {
        self.values.sender_strong_count()
    }

    /// How many weak senders there are.
    pub fn sender_weak_count(&self) -> usize {
        self.values.sender_weak_count()
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.room.close();
        self.values.close();
        while let Ok(value) = self.values.try_recv() {
            self.room.permits.give_back(1);
            drop(value);
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("name", self.name())
            .field("len", &self.len())
            .field("is_closed", &self.is_closed())
            .finish()
    }
}
