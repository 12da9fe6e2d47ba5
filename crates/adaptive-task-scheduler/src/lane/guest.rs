//! The guests: Tokio tasks that carry the slots.
//!
//! It owns: nothing but the future's own slot number. Dropping a guest means
//! that Tokio's runtime is shutting down, and ends the scheduler.

use super::{
    holder::{Held, Tenure},
    io::{self, Stop},
};
use crate::{
    core::Core,
    task::current::{Carry, Carrying},
};
use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, Weak, atomic::Ordering},
    task::{Context, Poll},
};

pub(crate) struct Guest {
    core: Arc<Core>,
    at: usize,
}

impl Guest {
    pub(crate) fn new(core: &Arc<Core>, at: usize) -> Self {
        Self {
            core: Arc::clone(core),
            at,
        }
    }

    fn carrying(&self, held: Held) -> Carrying {
        Carrying {
            core: Arc::clone(&self.core),
            seat: Arc::clone(&self.core.io.slots[self.at].seat),
            tenure: Some(Tenure {
                slot: self.at,
                held,
            }),
            is_guest: true,
        }
    }
}

impl Future for Guest {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let core = &self.core;
        let slot = &core.io.slots[self.at];
        Core::leave(&slot.guest, || cx.waker().clone());
        if core.is_ending() {
            return Poll::Ready(());
        }
        if slot.leave.load(Ordering::Acquire) {
            core.leave_worker(self.at);
            return Poll::Pending;
        }
        let held = match slot.holder.want_back() {
            Ok(held) => held,
            Err(relief) => {
                core.io.reliefs.wake(relief);
                return Poll::Pending;
            }
        };
        let carrying = self.carrying(held);
        let stop = {
            let _carry = Carry::begin(carrying.clone());
            io::carry(&carrying, self.at, held)
        };
        match stop {
            Stop::Parked => Poll::Pending,
            Stop::Ending => Poll::Ready(()),
            Stop::Breathe => {
                breathe(cx);
                Poll::Pending
            }
            // Asks for the slot at the next poll, which comes at once.
            Stop::Lost | Stop::GiveBack => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

/// Lets Tokio drive I/O and timers before this guest is polled again. Tokio
/// defers a task that yields like this until its driver was polled, and wakes
/// no other worker for it, as it would if the guest just woke itself.
fn breathe(cx: &mut Context<'_>) {
    let yielded = pin!(tokio::task::yield_now()).poll(cx);
    debug_assert!(yielded.is_pending(), "a yield yields once");
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.core.end();
    }
}

/// A Tokio task that does nothing but leave its worker's LIFO slot to others;
/// see [`io`].
pub(crate) struct Displacer {
    core: Weak<Core>,
    at: usize,
}

impl Displacer {
    pub(crate) fn new(core: &Arc<Core>, at: usize) -> Self {
        Self {
            core: Arc::downgrade(core),
            at,
        }
    }
}

impl Future for Displacer {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(core) = self.core.upgrade() else {
            return Poll::Ready(());
        };
        let slot = &core.io.slots[self.at];
        Core::leave(&slot.displacer, || cx.waker().clone());
        slot.displacer_ready.store(true, Ordering::Release);
        if core.is_ending() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}
