//! Room that a sender has reserved.
//!
//! It owns: the hold of the places, which is spent or given back once.

use super::{super::holders::Hold, sender::Sender};
use std::{fmt, iter::FusedIterator, mem};

/// Room for one value; dropping gives it back.
#[must_use = "if it is not used, the room is given back at once"]
pub struct Permit<'a, T> {
    sender: &'a Sender<T>,
    /// `None` once it has sent.
    hold: Option<Hold>,
}

impl<'a, T> Permit<'a, T> {
    pub(super) fn new(sender: &'a Sender<T>, hold: Hold) -> Self {
        Self {
            sender,
            hold: Some(hold),
        }
    }

    /// Sends the value, also if the receiver was closed meanwhile. If it was
    /// dropped, so is the value.
    pub fn send(mut self, value: T) {
        if let Some(hold) = self.hold.take() {
            self.sender.room.permits.spend(hold, 1);
            let _ = self.sender.push(value);
        }
    }
}

impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        if let Some(hold) = self.hold.take() {
            self.sender.room.give_back(hold, 1);
        }
    }
}

impl<T> fmt::Debug for Permit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("sender", self.sender)
            .finish()
    }
}

/// Room for several values, as so many permits; dropping gives back what is left.
#[must_use = "if it is not used, the room is given back at once"]
pub struct PermitIterator<'a, T> {
    sender: &'a Sender<T>,
    hold: Hold,
    left: usize,
}

impl<'a, T> PermitIterator<'a, T> {
    pub(super) fn new(sender: &'a Sender<T>, hold: Hold, left: usize) -> Self {
        Self { sender, hold, left }
    }
}

impl<'a, T> Iterator for PermitIterator<'a, T> {
    type Item = Permit<'a, T>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let part = if self.left == 0 || self.hold.owner().is_none() {
            mem::replace(&mut self.hold, Hold::UNKNOWN)
        } else {
            self.sender.room.permits.split(&self.hold, self.left, 1)
        };
        Some(Permit::new(self.sender, part))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T> ExactSizeIterator for PermitIterator<'_, T> {}
impl<T> FusedIterator for PermitIterator<'_, T> {}

impl<T> Drop for PermitIterator<'_, T> {
    fn drop(&mut self) {
        if self.left > 0 {
            let hold = mem::replace(&mut self.hold, Hold::UNKNOWN);
            self.sender.room.give_back(hold, self.left);
        }
    }
}

impl<T> fmt::Debug for PermitIterator<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PermitIterator")
            .field("sender", self.sender)
            .field("left", &self.left)
            .finish()
    }
}

/// Room for one value, with the sender; dropping gives the room back.
#[must_use = "if it is not used, the room is given back at once"]
pub struct OwnedPermit<T> {
    /// `None` once it has sent or given back.
    inner: Option<(Sender<T>, Hold)>,
}

impl<T> OwnedPermit<T> {
    pub(super) fn new(sender: Sender<T>, hold: Hold) -> Self {
        Self {
            inner: Some((sender, hold)),
        }
    }

    fn take(mut self) -> (Sender<T>, Hold) {
        self.inner
            .take()
            .expect("it is taken only when the permit is moved")
    }

    fn sender(&self) -> Option<&Sender<T>> {
        self.inner.as_ref().map(|(sender, _)| sender)
    }

    /// Sends the value, also if the receiver was closed meanwhile, and gives the
    /// sender back. If the receiver was dropped, so is the value.
    pub fn send(self, value: T) -> Sender<T> {
        let (sender, hold) = self.take();
        sender.room.permits.spend(hold, 1);
        let _ = sender.push(value);
        sender
    }

    /// Gives the room back, and the sender.
    pub fn release(self) -> Sender<T> {
        let (sender, hold) = self.take();
        sender.room.give_back(hold, 1);
        sender
    }

    /// Whether both are of the same channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        let both = self.sender().zip(other.sender());
        both.is_some_and(|(one, other)| one.same_channel(other))
    }

    /// Whether the sender is of the same channel.
    pub fn same_channel_as_sender(&self, sender: &Sender<T>) -> bool {
        self.sender().is_some_and(|one| one.same_channel(sender))
    }
}

impl<T> Drop for OwnedPermit<T> {
    fn drop(&mut self) {
        if let Some((sender, hold)) = self.inner.take() {
            sender.room.give_back(hold, 1);
        }
    }
}

impl<T> fmt::Debug for OwnedPermit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedPermit")
            .field("sender", &self.sender())
            .finish()
    }
}
