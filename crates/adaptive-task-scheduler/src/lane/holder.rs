//! Who carries a slot: its guest, or a relief.
//!
//! It owns: one word with an epoch, the number of the relief (none: the
//! guest), and whether the guest wants the slot back.
//!
//! Protocol:
//!
//! 1. A carrier holds a [`Held`], the value of the word under which it took the
//!    slot. It may take entries only while [`Holder::boundary`] says `Keep`.
//! 2. `hand_off` raises the epoch and names a relief. The carrier that was
//!    stuck finds its `Held` outdated at its next boundary and touches nothing
//!    of the slot. (Were it to take an entry all the same, nothing would break:
//!    the queues allow any number of takers. The epoch keeps parallelism at
//!    one carrier a slot.)
//! 3. A guest that lost its slot sets WANTED with `want_back`. The relief sees
//!    it at its next boundary and gives the slot back, which raises the epoch.
//!    A relief that gets stuck meanwhile is handed off to the guest itself.

//!
//! The looks at the word are `SeqCst`, as its changes are: whoever pushes an
//! entry and then finds that it still holds its slot may rely on a later hand-off
//! to bring a relief that finds the entry.

use crate::primitives::{
    atomic::{AtomicU64, Ordering},
    model_fence,
};

const WANTED: u64 = 1 << 31;
const EPOCH: u64 = 1 << 32;
const RELIEF_MASK: u64 = WANTED - 1;

/// Who holds a slot, since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held(u64);

impl Held {
    /// The relief's number; `None` for the guest.
    pub(crate) fn relief(self) -> Option<usize> {
        (self.0 & RELIEF_MASK)
            .checked_sub(1)
            .map(|number| number as usize)
    }
}

/// A carrier's hold on a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tenure {
    pub(crate) slot: usize,
    pub(crate) held: Held,
}

/// What a carrier finds between two polls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Boundary {
    Keep,
    /// The guest wants the slot back.
    GiveBack,
    /// The slot was handed to somebody else.
    Lost,
}

#[derive(Debug)]
pub(crate) struct Holder(AtomicU64);

impl Holder {
    /// A slot that its guest holds.
    pub(crate) fn guest() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(crate) fn now(&self) -> Held {
        Held(self.0.load(Ordering::Acquire) & !WANTED)
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.0.load(Ordering::Acquire) & WANTED != 0
    }

    pub(crate) fn boundary(&self, held: Held) -> Boundary {
        model_fence();
        let now = self.0.load(Ordering::SeqCst);
        if now == held.0 {
            Boundary::Keep
        } else if now == held.0 | WANTED {
            Boundary::GiveBack
        } else {
            Boundary::Lost
        }
    }

    /// Hands the slot from `held` to a relief, or, if its guest wants it, to
    /// the guest. `None` if it was no longer held so.
    pub(crate) fn hand_off(&self, held: Held, relief: usize) -> Option<Held> {
        let epoch = (held.0 & !RELIEF_MASK).wrapping_add(EPOCH);
        let next = epoch | (relief as u64 + 1);
        self.replace(held.0, next)
    }

    /// Gives the slot back to the guest that wants it.
    pub(crate) fn give_back(&self, held: Held) -> Option<Held> {
        let next = (held.0 & !RELIEF_MASK).wrapping_add(EPOCH);
        self.replace(held.0 | WANTED, next)
    }

    fn replace(&self, now: u64, next: u64) -> Option<Held> {
        self.0
            .compare_exchange(now, next, Ordering::SeqCst, Ordering::Relaxed)
            .ok()
            .map(|_| {
                model_fence();
                Held(next)
            })
    }

    /// The guest asks for its slot. `Ok` if it holds it; else the relief that
    /// does.
    pub(crate) fn want_back(&self) -> Result<Held, usize> {
        let mut now = self.0.load(Ordering::Acquire);
        loop {
            let Some(relief) = Held(now & !WANTED).relief() else {
                return Ok(Held(now & !WANTED));
            };
            let swap = self.0.compare_exchange_weak(
                now,
                now | WANTED,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            match swap {
                Ok(_) => return Err(relief),
                Err(found) => now = found,
            }
        }
    }
}
