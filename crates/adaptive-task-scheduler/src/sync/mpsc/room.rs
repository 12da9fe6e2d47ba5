//! The room of a channel: places for values, which are permits.
//!
//! It owns: the permits, and who must be told that the channel is closed. A place
//! is free, held by a sender that has reserved it, or spent on a value, which the
//! receiver gives back (see [`spent`](super::super::spent)).
//!
//! Protocol:
//!
//! 1. A sender takes a place, spends it, and then pushes the value. The receiver
//!    takes the value out and then gives the place back. So if all places are free,
//!    there is no value, and none is on its way.
//! 2. Closing refuses senders that wait or come later. Places that are held may
//!    still be spent. So a closed channel is over when all its places are free.
//! 3. A receiver that finds no value in a closed channel leaves its waker, and then
//!    looks whether the channel is over. Who gives a held place of a closed channel
//!    back, takes that waker and wakes it. Of these two at least one sees the
//!    other, since the waker is under a lock.

use super::super::{
    acquire::acquire,
    holders::Hold,
    permits::{MAX_PERMITS, Permits, Refusal},
};
use crate::{primitives::Mutex, quietly::quietly, task::id::TaskName};
use std::task::{Context, Waker};
use tokio::sync::Notify;

#[derive(Debug)]
pub(super) struct Room {
    pub(super) permits: Permits<8>,
    /// Tells whoever waits in `closed`.
    closed: Notify,
    /// The receiver that waits for the end of a closed channel.
    ending: Mutex<Option<Waker>>,
}

impl Room {
    #[track_caller]
    pub(super) fn new(capacity: usize, name: TaskName) -> Self {
        assert!(
            (1..=MAX_PERMITS).contains(&capacity),
            "a channel has room for 1 to {MAX_PERMITS} values, not {capacity}"
        );
        Self {
            permits: Permits::of_channel(capacity, name),
            closed: Notify::new(),
            ending: Mutex::new(None),
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.permits.total()
    }

    /// Waits for a place and spends it.
    pub(super) async fn spend(&self) -> Result<(), Refusal> {
        match self.permits.try_spend() {
            Err(Refusal::NoPermits) => {}
            other => return other,
        }
        let hold = self.reserve(1).await?;
        self.permits.spend(hold, 1);
        Ok(())
    }

    /// Waits for places and holds them.
    pub(super) async fn reserve(&self, places: usize) -> Result<Hold, Refusal> {
        struct Tell<'a>(&'a Room);
        impl Drop for Tell<'_> {
            fn drop(&mut self) {
                self.0.tell_if_over();
            }
        }
        // Dropped after the wait, which gives back what was granted to it.
        let _tell = Tell(self);
        let hold = acquire(&self.permits, places).await?;
        if self.is_closed() {
            // Granted before, but not taken up until now: refused, as Tokio has it.
            self.permits.release(hold, places);
            return Err(Refusal::Closed);
        }
        Ok(hold)
    }

    /// Gives back places that were held and not spent.
    pub(super) fn give_back(&self, hold: Hold, places: usize) {
        self.permits.release(hold, places);
        self.tell_if_over();
    }

    fn tell_if_over(&self) {
        if self.permits.is_closed() && self.permits.are_all_free() {
            let waker = self.ending.lock().take();
            if let Some(waker) = waker {
                quietly(|| waker.wake());
            }
        }
    }

    pub(super) fn close(&self) {
        self.permits.close();
        self.closed.notify_waiters();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.permits.is_closed()
    }

    /// Whether it is closed, and no value can come any more.
    pub(super) fn is_over(&self) -> bool {
        self.is_closed() && self.permits.are_all_free()
    }

    /// The same; if not, the receiver is woken when it may be (step 3).
    pub(super) fn poll_over(&self, cx: &Context<'_>) -> bool {
        if !self.is_closed() {
            return false;
        }
        let waker = cx.waker().clone();
        let before = self.ending.lock().replace(waker);
        drop(before);
        self.is_over()
    }

    pub(super) async fn closed(&self) {
        let notified = self.closed.notified();
        // Whoever closes after this was made tells it.
        if !self.is_closed() {
            notified.await;
        }
    }
}
