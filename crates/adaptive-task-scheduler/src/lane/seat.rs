//! What a carrier publishes about itself, for the sentinel to read.
//!
//! It owns: the number of the poll that the carrier is in (odd while polling),
//! the task of that poll, and the carrier's thread. Only the carrier writes;
//! with plain relaxed stores, since the sentinel judges only "the same number
//! seen twice, this far apart". Beside it the sentinel alone notes since when it
//! has seen the present poll, for whoever asks.

use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicU64, Ordering::Relaxed},
};

use crate::{os, primitives::Mutex, queue::ring::Padded, task::id::TaskId};

#[derive(Debug, Default)]
pub(crate) struct Seat(
    Padded<Published>,
    Sighted,
    /// Those of the threads that compute for it while it waits.
    Mutex<Option<Helpers>>,
);

/// The poll that the sentinel saw last, and when it saw it first, in
/// nanoseconds after the scheduler's start.
#[derive(Debug, Default)]
struct Sighted {
    poll: AtomicU64,
    since: AtomicU64,
}

/// The seats of a pool, or of what a core was lent to.
pub(crate) type Helpers = Arc<[Arc<Seat>]>;

#[derive(Debug, Default)]
struct Published {
    poll: AtomicU64,
    task: AtomicU64,
    thread: AtomicU64,
    stale: AtomicU64,
    /// What the sentinel found at its looks since the carrier read them.
    signs: AtomicU8,
}

/// Signs that the sentinel leaves at its looks for the carrier. One that comes just
/// when the carrier clears them is lost.
pub(crate) mod sign {
    /// It has looked.
    pub(crate) const LOOKED: u8 = 1;
    /// It saw the same poll as at the look before.
    pub(crate) const LASTED: u8 = 2;
}

/// One look at a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// Odd while in a poll.
    pub(crate) poll: u64,
    pub(crate) task: Option<TaskId>,
    pub(crate) thread: os::ThreadId,
}

impl Look {
    pub(crate) fn is_polling(self) -> bool {
        self.poll % 2 == 1
    }
}

impl Seat {
    /// The carrier sits on this thread now.
    pub(crate) fn sit(&self) {
        self.0.thread.store(os::ThreadId::current().raw(), Relaxed);
    }

    /// Others compute for it from now on, or none do any more.
    pub(crate) fn set_helpers(&self, helpers: Option<Helpers>) {
        *self.2.lock() = helpers;
    }

    /// This thread, those that compute for it, and so on.
    pub(crate) fn threads(&self) -> Vec<os::ThreadId> {
        let helpers = self.2.lock().clone();
        let helpers = helpers.iter().flat_map(|seats| seats.iter());
        std::iter::once(self.look().thread)
            .chain(helpers.flat_map(|seat| seat.threads()))
            .collect()
    }

    pub(crate) fn begin_poll(&self, id: TaskId) {
        self.0.task.store(id.raw(), Relaxed);
        let poll = self.0.poll.load(Relaxed);
        self.0.poll.store(poll | 1, Relaxed);
    }

    pub(crate) fn end_poll(&self) {
        let poll = self.0.poll.load(Relaxed);
        self.0.poll.store(poll + 1, Relaxed);
    }

    /// What the sentinel found: bits of [`sign`].
    #[inline]
    pub(crate) fn signs(&self) -> u8 {
        self.0.signs.load(Relaxed)
    }

    /// The carrier acts on what the sentinel found.
    pub(crate) fn clear_signs(&self) {
        self.0.signs.store(0, Relaxed);
    }

    pub(crate) fn count_stale(&self) {
        self.0.stale.store(self.0.stale.load(Relaxed) + 1, Relaxed);
    }

    pub(crate) fn look(&self) -> Look {
        Look {
            poll: self.0.poll.load(Relaxed),
            task: TaskId::from_raw(self.0.task.load(Relaxed)),
            thread: os::ThreadId::of_raw(self.0.thread.load(Relaxed)),
        }
    }

    /// The sentinel looks at this moment. Whether it saw the same poll before.
    pub(crate) fn sighted(&self, now: u64) -> bool {
        let poll = self.0.poll.load(Relaxed);
        let before = self.1.poll.load(Relaxed);
        if poll % 2 == 1 && before != poll {
            self.1.since.store(now, Relaxed);
            self.1.poll.store(poll, Relaxed);
        }
        let lasts = poll % 2 == 1 && before == poll;
        let signs = sign::LOOKED | if lasts { sign::LASTED } else { 0 };
        if self.signs() & signs != signs {
            self.0.signs.fetch_or(signs, Relaxed);
        }
        lasts
    }

    /// When the sentinel first saw this poll, if it has.
    pub(crate) fn seen_since(&self, poll: u64) -> Option<u64> {
        (self.1.poll.load(Relaxed) == poll).then(|| self.1.since.load(Relaxed))
    }

    /// How many polls this carrier has made.
    pub(crate) fn polls(&self) -> u64 {
        self.0.poll.load(Relaxed).div_ceil(2)
    }

    pub(crate) fn stale(&self) -> u64 {
        self.0.stale.load(Relaxed)
    }
}
