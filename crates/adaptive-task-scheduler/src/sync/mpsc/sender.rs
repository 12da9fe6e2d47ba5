//! The end that sends, and its weak form.
//!
//! It owns nothing of its own: the queue takes values, the room gives places.

use super::{
    super::{acquire::block_on, holders::Hold, permits::Refusal},
    error::{SendError, TrySendError},
    permit::{OwnedPermit, Permit, PermitIterator},
    room::Room,
};
use crate::{handle::AsTask, task::id::TaskName};
use std::{fmt, sync::Arc};
use tokio::sync::mpsc::{UnboundedSender, WeakUnboundedSender};

/// Sends values, waiting for room. It may be cloned; see [the module](super) for
/// who comes first and who is lent the priority of those who wait.
pub struct Sender<T> {
    values: UnboundedSender<T>,
    pub(super) room: Arc<Room>,
}

/// Why there is no room at once, with what was to be sent.
fn refused<T>(refusal: Refusal, value: T) -> TrySendError<T> {
    match refusal {
        Refusal::Closed => TrySendError::Closed(value),
        Refusal::NoPermits | Refusal::Deadlock(_) => TrySendError::Full(value),
    }
}

impl<T> Sender<T> {
    pub(super) fn new(values: UnboundedSender<T>, room: Arc<Room>) -> Self {
        Self { values, room }
    }

    /// Sends a value for which a place was spent. The value if the receiver is gone.
    pub(super) fn push(&self, value: T) -> Result<(), T> {
        self.values.send(value).map_err(|error| error.0)
    }

    /// What the channel is called.
    pub fn name(&self) -> &TaskName {
        self.room.permits.name()
    }

    /// That task receives, and circles through it are deadlocks (see [the
    /// module](super#what-a-promise-says)).
    pub fn promised_by(&self, task: &impl AsTask) {
        self.room.permits.set_freer(Some(task.task_id()), true);
    }

    /// Waits for room and sends the value. That there is no error does not mean that
    /// it will be received.
    ///
    /// # Errors
    ///
    /// [`SendError`] with the value if the receiver was dropped or closed, or if
    /// waiting would close a circle.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, the value was not sent, and is
    /// dropped with it; the place in the line is given up. To keep the value, wait
    /// with [`reserve`](Self::reserve).
    pub async fn send(&self, value: T) -> Result<(), SendError<T>> {
        match self.room.spend().await {
            Ok(()) => {
                let pushed = self.push(value);
                pushed.map_err(|value| SendError::new(value, Refusal::Closed))
            }
            Err(refusal) => Err(SendError::new(value, refusal)),
        }
    }

    /// Sends the value if there is room and nobody waits for it.
    ///
    /// # Errors
    ///
    /// [`TrySendError`] with the value if there is none, or the receiver was dropped
    /// or closed.
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        match self.room.permits.try_spend() {
            Ok(()) => self.push(value).map_err(TrySendError::Closed),
            Err(refusal) => Err(refused(refusal, value)),
        }
    }

    /// Waits for room and sends the value, blocking this thread meanwhile. For
    /// closures on the CPU and blocking lanes, and outside asynchronous code.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Panics
    ///
    /// In asynchronous code, as Tokio's.
    #[track_caller]
    pub fn blocking_send(&self, value: T) -> Result<(), SendError<T>> {
        block_on(self.send(value))
    }

    /// Waits for room, to send a value later. Until then the current task is a
    /// holder: who waits for room lends to it too.
    ///
    /// # Errors
    ///
    /// [`SendError`] if the receiver was dropped or closed, or if waiting would close
    /// a circle.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up the place in the line; room that was granted
    /// meanwhile goes to the next.
    pub async fn reserve(&self) -> Result<Permit<'_, T>, SendError<()>> {
        let hold = self.reserve_places(1).await?;
        Ok(Permit::new(self, hold))
    }

    /// Waits for room for several values at once.
    ///
    /// # Errors
    ///
    /// As [`reserve`](Self::reserve), and if the channel never has that much room.
    ///
    /// # Cancel safety
    ///
    /// As [`reserve`](Self::reserve).
    pub async fn reserve_many(
        &self,
        values: usize,
    ) -> Result<PermitIterator<'_, T>, SendError<()>> {
        let hold = self.reserve_places(values).await?;
        Ok(PermitIterator::new(self, hold, values))
    }

    /// Waits for room, giving this sender away to the permit.
    ///
    /// # Errors
    ///
    /// As [`reserve`](Self::reserve). The sender is dropped then.
    ///
    /// # Cancel safety
    ///
    /// As [`reserve`](Self::reserve), and the sender is dropped.
    pub async fn reserve_owned(self) -> Result<OwnedPermit<T>, SendError<()>> {
        let hold = self.reserve_places(1).await?;
        Ok(OwnedPermit::new(self, hold))
    }

    async fn reserve_places(&self, places: usize) -> Result<Hold, SendError<()>> {
        if places > self.max_capacity() {
            return Err(SendError::new((), Refusal::Closed));
        }
        let reserved = self.room.reserve(places).await;
        reserved.map_err(|refusal| SendError::new((), refusal))
    }

    /// Reserves room if there is some and nobody waits for it.
    ///
    /// # Errors
    ///
    /// [`TrySendError`] if there is none, or the receiver was dropped or closed.
    pub fn try_reserve(&self) -> Result<Permit<'_, T>, TrySendError<()>> {
        match self.room.permits.try_take(1) {
            Ok(hold) => Ok(Permit::new(self, hold)),
            Err(refusal) => Err(refused(refusal, ())),
        }
    }

    /// Reserves room for several values if there is enough and nobody waits for it.
    ///
    /// # Errors
    ///
    /// As [`try_reserve`](Self::try_reserve).
    pub fn try_reserve_many(
        &self,
        values: usize,
    ) -> Result<PermitIterator<'_, T>, TrySendError<()>> {
        if values > self.max_capacity() {
            return Err(TrySendError::Full(()));
        }
        match self.room.permits.try_take(values) {
            Ok(hold) => Ok(PermitIterator::new(self, hold, values)),
            Err(refusal) => Err(refused(refusal, ())),
        }
    }

    /// Reserves room if there is some, giving this sender away to the permit.
    ///
    /// # Errors
    ///
    /// As [`try_reserve`](Self::try_reserve), with the sender.
    pub fn try_reserve_owned(self) -> Result<OwnedPermit<T>, TrySendError<Self>> {
        match self.room.permits.try_take(1) {
            Ok(hold) => Ok(OwnedPermit::new(self, hold)),
            Err(refusal) => Err(refused(refusal, self)),
        }
    }

    /// Waits until the receiver is dropped or closed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn closed(&self) {
        self.room.closed().await;
    }

    /// Whether the receiver was dropped or closed.
    pub fn is_closed(&self) -> bool {
        self.room.is_closed()
    }

    /// Whether both send to the same channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.room, &other.room)
    }

    /// For how many values there is room now.
    pub fn capacity(&self) -> usize {
        self.room.permits.available()
    }

    /// For how many values there is room if the channel is empty.
    pub fn max_capacity(&self) -> usize {
        self.room.capacity()
    }

    /// A sender that does not keep the channel open.
    #[must_use = "this makes a weak sender and keeps this one"]
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender {
            values: self.values.downgrade(),
            room: Arc::clone(&self.room),
        }
    }

    /// How many senders there are.
    pub fn strong_count(&self) -> usize {
        self.values.strong_count()
    }

    /// How many weak senders there are.
    pub fn weak_count(&self) -> usize {
        self.values.weak_count()
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self {
            values: self.values.clone(),
            room: Arc::clone(&self.room),
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("name", self.name())
            .field("capacity", &self.capacity())
            .field("is_closed", &self.is_closed())
            .finish()
    }
}

/// A sender that does not keep the channel open: when only weak ones are left, the
/// receiver is told that no value will come.
pub struct WeakSender<T> {
    values: WeakUnboundedSender<T>,
    room: Arc<Room>,
}

impl<T> WeakSender<T> {
    /// A sender, if there is another one yet.
    pub fn upgrade(&self) -> Option<Sender<T>> {
        let values = self.values.upgrade()?;
        Some(Sender::new(values, Arc::clone(&self.room)))
    }

    /// How many senders there are.
    pub fn strong_count(&self) -> usize {
        self.values.strong_count()
    }

    /// How many weak senders there are.
    pub fn weak_count(&self) -> usize {
        self.values.weak_count()
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> Self {
        Self {
            values: self.values.clone(),
            room: Arc::clone(&self.room),
        }
    }
}

impl<T> fmt::Debug for WeakSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakSender")
            .field("name", self.room.permits.name())
            .finish()
    }
}
