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
    cell::Cell,
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, atomic::Ordering},
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
        rescue(core, self.at);
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
                BREATHING.set(Some((core.number, self.at)));
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

thread_local! {
    /// The guest that last breathed on this worker: its scheduler and slot.
    static BREATHING: Cell<Option<(u32, usize)>> = const { Cell::new(None) };
}

/// A guest that breathes is on its worker's list of deferred tasks until that
/// worker polls the driver. If another guest is polled there first, and gets
/// stuck, the deferred one would be stuck with it; so it is woken, and can be
/// stolen. (If it has run since, it is woken once for nothing.)
fn rescue(core: &Core, at: usize) {
    if let Some((number, other)) = BREATHING.take()
        && number == core.number
        && other != at
        && let Some(guest) = core.io.slots[other].guest.get()
    {
        guest.wake_by_ref();
        core.nudge();
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
