//! A bounded channel for many senders and one receiver, whose waiting senders come
//! by priority and lend it to the receiver.
//!
//! It has the methods of `tokio::sync::mpsc`'s bounded channel. Values are received
//! in the order in which they were sent. What differs is the wait for room:
//!
//! - *Order.* While the channel is full, the sender of the highest effective
//!   priority gets the next room, and of equals the one that came first; nobody
//!   barges in.
//! - *Donation.* Senders that wait lend their priority to the receiver's task,
//!   which is the one that last polled the receiver, or the one of which it was
//!   said with [`Receiver::promise`], [`Receiver::promised_by`] or
//!   [`Sender::promised_by`]; the latest counts. They also lend it to tasks that
//!   have [reserved](Sender::reserve) room and not sent yet. It is taken back when
//!   the room is given, the wait given up, or the channel closed.
//! - *Deadlocks.* If the receiver's task was promised, and waits, directly or
//!   through others, for a task that waits for room, the latter's
//!   [`send`](Sender::send) is an error with the names of all of them, provided that
//!   all room is taken by values (of room that is reserved, it is not certain that
//!   it will be used). Whether the send or the other wait came first, one of the two
//!   is told.
//!
//! A receiver that waits for a value lends nothing: nobody is known to owe one, and
//! any holder of a sender may send. If one certain task is to answer, use a
//! [`oneshot`](super::oneshot).
//!
//! ```
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
//! use adaptive_task_scheduler::{sync::mpsc, Scheduler};
//!
//! let scheduler = Scheduler::new();
//! let (sender, mut receiver) = mpsc::named("numbers", 2);
//! for n in 1..=3 {
//!     let sender = sender.clone();
//!     scheduler.spawn(async move { sender.send(n).await }).detach();
//! }
//! drop(sender);
//! let sums = scheduler.spawn(async move {
//!     receiver.promise();
//!     let mut sum = 0;
//!     while let Some(n) = receiver.recv().await {
//!         sum += n;
//!     }
//!     sum
//! });
//! assert_eq!(sums.await.unwrap(), 6);
//! # })
//! ```
//!
//! # What a promise says
//!
//! That the task receives, and that it does not do so in one branch (of `join!` or
//! `select!`) while it waits in another for tasks that send here. Since this is
//! quite usual, and cannot be seen from outside, no circle is told through a task
//! that was merely seen to receive; and since a task that sends into a channel that
//! it receives from itself may well do so in two branches, it should promise nothing
//! either. Circles that are not told are still shown by
//! [`TaskHandle::explain`](crate::TaskHandle::explain).

pub mod error;
mod permit;
mod receiver;
mod room;
mod sender;

pub use permit::{OwnedPermit, Permit, PermitIterator};
pub use receiver::Receiver;
pub use sender::{Sender, WeakSender};

use crate::task::id::TaskName;
use room::Room;
use std::{panic::Location, sync::Arc};

/// Makes a channel with room for so many values. In errors and explanations it is
/// called by the place in the source that made it.
///
/// # Panics
///
/// If there is room for none, or for more than
/// [`Semaphore::MAX_PERMITS`](super::Semaphore::MAX_PERMITS).
#[track_caller]
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    named(TaskName::of_site(Location::caller()), capacity)
}

/// Makes a channel with a name, for errors and explanations, and with room for so
/// many values.
///
/// # Panics
///
/// As [`channel`].
#[track_caller]
pub fn named<T>(name: impl Into<TaskName>, capacity: usize) -> (Sender<T>, Receiver<T>) {
    let room = Arc::new(Room::new(capacity, name.into()));
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let sender = Sender::new(sender, Arc::clone(&room));
    (sender, Receiver::new(receiver, room))
}
