//! Locks and channels that lend priority.
//!
//! They have the methods of `tokio::sync`'s, and the same cancel safety, and differ
//! in what they know of tasks:
//!
//! | | who comes first | who is lent to | a deadlock |
//! | --- | --- | --- | --- |
//! | [`Mutex`] | by priority | the holder | ends the task |
//! | [`RwLock`] | by priority | the writer, or all readers | ends the task |
//! | [`Semaphore`] | by priority | all who hold permits | an error |
//! | [`oneshot`] | (there is one receiver) | the task that promised to send | an error |
//! | [`mpsc`], sending | by priority | the receiver's task, and who has reserved room | an error |
//! | [`mpsc`], receiving | (there is one receiver) | nobody: nobody is known to owe a value | |
//!
//! - *Order.* The waiter of the highest effective priority comes first, and
//!   first come, first served within a level. Priorities are read when
//!   something is released, so a waiter that was boosted meanwhile counts as
//!   boosted. The order is strict: while the first in line wants more than
//!   there is, nobody behind it is served, and nobody barges in.
//! - *Donation.* Tasks that wait lend their priority to the tasks that hold the
//!   lock, at once, and through chains of locks, channels and awaits. It is taken
//!   back when the lock is released or the wait is given up.
//! - *Deadlocks.* A task whose wait would close a circle of tasks and locks is
//!   told so, with the names of all of them. [`Mutex::lock`],
//!   [`RwLock::read`] and [`RwLock::write`] cannot return an error, so there the
//!   task ends with it ([`TaskError::is_cycle`](crate::TaskError::is_cycle)), and
//!   what it held is released; [`Semaphore::acquire`], [`mpsc::Sender::send`] and
//!   awaiting a [`oneshot::Receiver`] return it.
//! - *Unused grants.* A lock that was granted to a task whose future does not take
//!   it up (because the task is not polled, or polls something else, as
//!   [tokio#6450](https://github.com/tokio-rs/tokio/issues/6450) has it) is reported
//!   after 100 ms, as [`Event::GrantUnused`](crate::Event::GrantUnused) and in
//!   [`Stats`](crate::Stats).
//!
//! Outside tasks of a scheduler they work like Tokio's: such a waiter counts as
//! of [`Priority::default`](crate::Priority), lends nothing and is lent nothing.
//!
//! ```
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
//! use adaptive_task_scheduler::{sync::Mutex, Scheduler};
//! use std::sync::Arc;
//!
//! let scheduler = Scheduler::new();
//! let sum = Arc::new(Mutex::named("sum", 0));
//! let mut tasks = scheduler.group();
//! for n in 1..=3 {
//!     let sum = Arc::clone(&sum);
//!     tasks.spawn(async move { *sum.lock().await += n });
//! }
//! while tasks.join_next().await.is_some() {}
//! assert_eq!(*sum.lock().await, 6);
//! # })
//! ```
//!
//! # Who holds it
//!
//! A task that acquires a lock is its holder until the guard is dropped, also
//! if the guard is given to another task. For the ninth reader or holder of
//! permits at a time, and those that follow, taking and releasing is slower.
//!
//! Channels cannot see which task an end was moved into. Who is to send on a
//! [`oneshot`], or to receive from an [`mpsc`], *promises* that, or another task says
//! it; see their pages.
//!
//! # Waiting on Tokio's own
//!
//! Tasks may wait on anything of Tokio's: its locks and channels, sockets, timers.
//! That works as ever, but lends nothing, since these do not say who holds them or
//! will send, and a deadlock through them is not found.
//! [`TaskHandle::explain`](crate::TaskHandle::explain) shows such a task as the last
//! of its chain, suspended and waiting for something unknown.
//!
//! # What is not done
//!
//! - A deadlock through a semaphore is told only where it is certain: if all
//!   permits that there are belong to one task. Where several hold permits, any of
//!   them may release one, so circles through such a semaphore are not looked for.
//! - Waits of branches of one task (`join!`, `select!`) count as waits of the
//!   whole task. A handle that was polled and is kept, as in a loop over `select!`,
//!   counts as awaited; so a task that takes a lock while it counts as waiting may
//!   well release it before it goes on with that wait, and circles through such a
//!   holder are not told. Through the ends of channels circles are told only if the
//!   task has promised.
//! - Acquiring and sending take nothing from Tokio's cooperative budget; receiving
//!   does.

mod acquire;
mod holders;
mod line;
pub(crate) mod permits;
pub(crate) mod promise;
#[allow(
    unsafe_code,
    reason = "the value's cell; cites the rules of its module"
)]
pub(crate) mod slot;
mod spent;

#[cfg(all(test, any(ats_loom, ats_shuttle)))]
use crate::models::ground;
#[cfg(not(all(test, any(ats_loom, ats_shuttle))))]
mod ground;

#[cfg(not(ats_loom))]
pub mod mpsc;
#[cfg(not(ats_loom))]
#[allow(
    unsafe_code,
    reason = "the value's cell; cites the rules of its module"
)]
mod mutex;
#[cfg(not(ats_loom))]
pub mod oneshot;
#[cfg(not(ats_loom))]
#[allow(
    unsafe_code,
    reason = "the value's cell; cites the rules of its module"
)]
mod rwlock;
#[cfg(not(ats_loom))]
mod semaphore;
#[cfg(not(ats_loom))]
pub(crate) mod unused;

#[cfg(not(ats_loom))]
pub use mutex::{Mutex, MutexGuard, OwnedMutexGuard, TryLockError};
#[cfg(not(ats_loom))]
pub use rwlock::{
    OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
#[cfg(not(ats_loom))]
pub use semaphore::{
    AcquireError, OwnedSemaphorePermit, Semaphore, SemaphorePermit, TryAcquireError,
};
