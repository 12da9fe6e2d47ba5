//! The place of the one value of a oneshot, and what its two ends leave there for
//! each other.
//!
//! It owns: the value's cell; the flags, which say whose the cell is; and under a
//! lock their wakers and the [`Promise`], with what is lent through it.
//!
//! Protocol:
//!
//! 1. The flags begin as 0. The sender swaps that for SENT or GONE, the receiver for
//!    CLOSED, without the lock: nobody has left anything.
//! 2. Who leaves a waker or a wait for the other takes the lock and swaps 0 for
//!    ATTENDED. While the flags are not 0, they change under the lock only.
//! 3. A sender that finds ATTENDED takes the lock, has what was lent taken back, sets
//!    SENT or GONE, and after unlocking wakes the receiver. So what was lent is back
//!    before the receiver goes on, and no wait begins after.
//! 4. A receiver that closes and finds ATTENDED does the same with CLOSED, and wakes
//!    the sender. Of CLOSED on the one side and SENT and GONE on the other, only the
//!    first happens, and after it the flags never change.
//!
//! - S1. There is one sender and one receiver, and each makes one call at a time
//!   (`oneshot` gives them out by value and by `&mut`). The cell is the sender's until it has
//!   set SENT, by an access that releases; then it is the receiver's, which has read
//!   SENT by one that acquires.

use super::{
    ground::{self, PutOff},
    line::Circle,
    promise::{Promise, Promised},
};
use crate::{
    primitives::{
        Mutex, UnsafeCell,
        atomic::{
            AtomicU8,
            Ordering::{AcqRel, Acquire, Release},
        },
    },
    quietly::quietly,
    task::id::TaskName,
};
use std::task::{Context, Poll, Waker};

/// There may be something under the lock.
const ATTENDED: u8 = 1;
/// There is a value, or was before it was received.
const SENT: u8 = 2;
/// The sender was dropped without sending.
const GONE: u8 = 4;
/// The receiver wants no value any more.
const CLOSED: u8 = 8;
const ENDED: u8 = SENT | GONE | CLOSED;

#[derive(Debug)]
pub(crate) struct Slot<T> {
    name: TaskName,
    flags: AtomicU8,
    value: UnsafeCell<Option<T>>,
    /// Boxed, and only if there is something: most values are sent before anybody
    /// waits, and the slot is made and moved for each.
    left: Mutex<Option<Box<Left>>>,
}

/// What the ends have left for each other.
#[derive(Debug, Default)]
struct Left {
    promise: Promise,
    receiver: Option<Waker>,
    sender: Option<Waker>,
}

/// Why there is no value.
#[derive(Debug)]
pub(crate) enum NoValue {
    /// There will be none.
    Closed,
    /// Waiting would close a circle.
    Deadlock(Circle),
}

// SAFETY: by S1 one end at a time touches the value, so sharing the slot only moves
// it between threads, which `T: Send` allows.
unsafe impl<T: Send> Sync for Slot<T> {}

impl<T> Slot<T> {
    pub(crate) fn new(name: TaskName) -> Self {
        Self {
            name,
            flags: AtomicU8::new(0),
            value: UnsafeCell::new(None),
            left: Mutex::new(None),
        }
    }

    pub(crate) fn name(&self) -> &TaskName {
        &self.name
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.flags.load(Acquire) & CLOSED != 0
    }

    pub(crate) fn is_sent(&self) -> bool {
        self.flags.load(Acquire) & SENT != 0
    }

    /// Moves the flags from 0; what they are if that came too late.
    #[inline]
    fn swap(&self, flags: u8) -> Result<(), u8> {
        match self.flags.compare_exchange(0, flags, AcqRel, Acquire) {
            Ok(_) => Ok(()),
            Err(flags) => Err(flags),
        }
    }

    /// Under the lock: one end leaves something. The flags, if there is an end.
    fn attend(&self) -> Result<(), u8> {
        match self.swap(ATTENDED) {
            Err(flags) if flags & ENDED != 0 => Err(flags),
            _ => Ok(()),
        }
    }

    #[inline]
    fn has_ended(&self) -> bool {
        self.flags.load(Acquire) & ENDED != 0
    }

    /// Under the lock, after ATTENDED was found.
    fn set(&self, end: u8) {
        self.flags.store(ATTENDED | end, Release);
    }

    /// For the sender, once. `Err` if the receiver has closed.
    #[inline]
    pub(crate) fn send(&self, value: T) -> Result<(), T> {
        // SAFETY: S1, the sender's: it sends once.
        self.value.with_mut(|cell| unsafe { *cell = Some(value) });
        if self.end(SENT) {
            return Ok(());
        }
        // SAFETY: S1, still the sender's: it has not set SENT.
        let value = self.value.with_mut(|cell| unsafe { (*cell).take() });
        value.map_or(Ok(()), Err)
    }

    /// For the sender that is dropped; nothing if it has sent.
    #[inline]
    pub(crate) fn leave(&self) {
        if !self.has_ended() {
            self.end(GONE);
        }
    }

    /// For the receiver. What was sent before can be taken still.
    pub(crate) fn close(&self) {
        self.end(CLOSED);
    }

    /// Steps 1, 3 and 4. Whether this was the first end.
    #[inline]
    fn end(&self, end: u8) -> bool {
        match self.swap(end) {
            Ok(()) => true,
            Err(flags) if flags & ENDED != 0 => false,
            Err(_) => self.end_attended(end),
        }
    }

    #[cold]
    fn end_attended(&self, end: u8) -> bool {
        let _put_off = PutOff::begin();
        let mut guard = self.left.lock();
        if self.has_ended() {
            return false;
        }
        let left = guard.get_or_insert_default();
        if end == CLOSED {
            left.promise.end_wait();
        } else {
            left.promise.keep();
        }
        let of_receiver = left.receiver.take();
        let of_sender = left.sender.take();
        self.set(end);
        drop(guard);
        let (wakes, unused) = if end == CLOSED {
            (of_sender, of_receiver)
        } else {
            (of_receiver, of_sender)
        };
        if let Some(waker) = wakes {
            quietly(|| waker.wake());
        }
        // It may be the last of its task, whose destructor may do anything.
        quietly(|| drop(unused));
        true
    }

    /// For the receiver: the value, if it was sent; `None` if it is not known yet
    /// whether it will be. The value is there once.
    #[inline]
    pub(crate) fn take(&self) -> Option<Result<T, NoValue>> {
        let flags = self.flags.load(Acquire);
        (flags & ENDED != 0).then(|| self.take_after(flags))
    }

    #[inline]
    fn take_after(&self, flags: u8) -> Result<T, NoValue> {
        if flags & SENT == 0 {
            return Err(NoValue::Closed);
        }
        // SAFETY: S1, the receiver's: the flags are read by an access that acquires.
        let value = self.value.with_mut(|cell| unsafe { (*cell).take() });
        value.ok_or(NoValue::Closed)
    }

    /// For the receiver: waits, if there is no value yet, and lends meanwhile.
    #[inline]
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Result<T, NoValue>> {
        match self.take() {
            Some(taken) => Poll::Ready(taken),
            None => self.wait(cx),
        }
    }

    #[cold]
    fn wait(&self, cx: &Context<'_>) -> Poll<Result<T, NoValue>> {
        let waker = cx.waker().clone();
        let task = ground::task();
        let _put_off = PutOff::begin();
        let mut guard = self.left.lock();
        let left = guard.get_or_insert_default();
        let (waited, unused) = match self.attend() {
            Err(flags) => (Err(flags), Some(waker)),
            Ok(()) => match left.promise.wait(task, &self.name) {
                Ok(()) => (Ok(None), left.receiver.replace(waker)),
                Err(circle) => (Ok(Some(circle)), left.receiver.replace(waker)),
            },
        };
        drop(guard);
        drop(unused);
        match waited {
            Ok(None) => Poll::Pending,
            Ok(Some(circle)) => Poll::Ready(Err(NoValue::Deadlock(circle))),
            Err(flags) => Poll::Ready(self.take_after(flags)),
        }
    }

    /// For the sender: waits until the receiver closes.
    pub(crate) fn poll_closed(&self, cx: &Context<'_>) -> Poll<()> {
        if self.is_closed() {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        let mut guard = self.left.lock();
        let left = guard.get_or_insert_default();
        let (polled, unused) = match self.attend() {
            Ok(()) => (Poll::Pending, left.sender.replace(waker)),
            Err(_) => (Poll::Ready(()), Some(waker)),
        };
        drop(guard);
        drop(unused);
        polled
    }

    /// It was said, or is seen, which task will send.
    pub(crate) fn promise(&self, promised: Promised) {
        let _put_off = PutOff::begin();
        let mut guard = self.left.lock();
        if self.has_ended() {
            return;
        }
        let left = guard.get_or_insert_default();
        let begins_anew = left.promise.set(promised);
        let waker = if begins_anew {
            left.receiver.clone()
        } else {
            None
        };
        drop(guard);
        if let Some(waker) = waker {
            quietly(|| waker.wake());
        }
    }
}

#[cfg(all(test, not(any(ats_loom, ats_shuttle))))]
mod tests {
    use super::*;
    use std::{sync::Arc, thread};

    fn slot<T>() -> Slot<T> {
        Slot::new("slot".into())
    }

    #[test]
    fn a_value_crosses_threads_once() {
        let slot = Arc::new(slot::<Box<u32>>());
        let sends = Arc::clone(&slot);
        let sender = thread::spawn(move || sends.send(Box::new(7)));
        let value = loop {
            if let Some(taken) = slot.take() {
                break taken;
            }
            thread::yield_now();
        };
        assert_eq!(*value.unwrap(), 7);
        sender.join().unwrap().unwrap();
        assert!(matches!(slot.take(), Some(Err(NoValue::Closed))));
    }

    #[test]
    fn a_value_that_is_refused_comes_back_and_one_not_taken_is_dropped() {
        let refuses = slot();
        refuses.close();
        assert_eq!(refuses.send(Box::new(1)), Err(Box::new(1)));
        let keeps = slot();
        let value = Arc::new(());
        keeps.send(Arc::clone(&value)).unwrap();
        drop(keeps);
        assert_eq!(Arc::strong_count(&value), 1);
    }
}
