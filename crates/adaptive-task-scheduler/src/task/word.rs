//! The state word: everything about a task that more than one thread may
//! change at once, in one atomic.
//!
//! It owns: the generation of the task's place, its flags, its effective
//! level, and its lane.
//!
//! ```text
//!            spawn                spawn with unfinished dependencies
//!              |                               |
//!              v          unblock              v
//!           QUEUED <------------------------ BLOCKED
//!           |    ^
//!     claim |    | wake, or suspend when NOTIFIED
//!           v    |
//!          RUNNING --- suspend ---> (no flag: suspended) --- wake ---> QUEUED
//!              |
//!              | end
//!              v
//!            DONE --- handle gone ---> free (generation + 1)
//! ```
//!
//! Protocol:
//!
//! 1. Only the thread whose `claim` turned QUEUED into RUNNING may touch the
//!    job. It gives that right up with `suspend` or `end`.
//! 2. `wake` of a running task sets NOTIFIED; `suspend` then answers that the
//!    task must be queued again. Nobody but the one told `Enqueue` or
//!    `Requeue` pushes the entry, so each time that QUEUED is set, exactly one
//!    entry is pushed for it. A boost pushes one more, at the higher level.
//! 3. An entry names the task, it does not own it. Whoever claims first polls;
//!    the other entry finds the flag gone, or the generation moved, and is
//!    stale. A stale entry that meets the task queued anew claims it all the
//!    same: it is a right to look, not a place in the line.
//! 4. After DONE only the holder of HANDLE touches the job. When both DONE and
//!    not HANDLE hold, whoever made it so frees the place.
//! 5. Every transition compares the generation, so a stale id, waker or entry
//!    changes nothing.
//!
//! Orderings: every successful transition is an `AcqRel` read-modify-write,
//! also where the value stays the same (`wake` of a queued task), so that what
//! happened before a wake is seen by the poll that it causes.

use crate::{
    lane::Lane,
    primitives::atomic::{AtomicU64, Ordering},
    priority::LEVELS,
};

pub(crate) const QUEUED: u64 = 1 << 0;
pub(crate) const RUNNING: u64 = 1 << 1;
pub(crate) const NOTIFIED: u64 = 1 << 2;
pub(crate) const DONE: u64 = 1 << 3;
/// A handle exists that may still take the output.
pub(crate) const HANDLE: u64 = 1 << 4;
/// Something is in the record's links; the end must look there.
pub(crate) const LINKED: u64 = 1 << 5;
/// Waits for declared dependencies.
pub(crate) const BLOCKED: u64 = 1 << 6;
/// Cancelling has been asked for.
pub(crate) const CANCEL: u64 = 1 << 7;
/// The task must end at the next boundary, whatever its cancel mode says;
/// its error stands in the links.
pub(crate) const CONDEMNED: u64 = 1 << 8;
/// Ended with an error, which stands in the links.
pub(crate) const FAILED: u64 = 1 << 9;
/// Only a node of the wait graph (a group): never runs.
pub(crate) const NODE: u64 = 1 << 10;
/// Has been polled at least once.
pub(crate) const STARTED: u64 = 1 << 11;
/// The place belongs to a task.
const OPEN: u64 = 1 << 12;

const LEVEL_SHIFT: u32 = 16;
const LANE_SHIFT: u32 = 20;
const GENERATION_SHIFT: u32 = 32;

/// One value of the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Snapshot(u64);

impl Snapshot {
    pub(crate) fn new(generation: u32, flags: u64, level: u8, lane: Lane) -> Self {
        Self((u64::from(generation) << GENERATION_SHIFT) | flags)
            .with_level(level)
            .with_lane(lane)
    }

    pub(crate) fn generation(self) -> u32 {
        (self.0 >> GENERATION_SHIFT) as u32
    }

    /// Whether the place belongs to a task, ended or not.
    pub(crate) fn is_open(self) -> bool {
        self.has(OPEN)
    }

    pub(crate) fn has(self, flag: u64) -> bool {
        self.0 & flag != 0
    }

    pub(crate) fn level(self) -> u8 {
        ((self.0 >> LEVEL_SHIFT) & 0xf) as u8
    }

    pub(crate) fn lane(self) -> Lane {
        Lane::of_index(((self.0 >> LANE_SHIFT) & 0x3) as u8)
    }

    fn with(self, flags: u64) -> Self {
        Self(self.0 | flags)
    }

    fn without(self, flags: u64) -> Self {
        Self(self.0 & !flags)
    }

    fn with_level(self, level: u8) -> Self {
        debug_assert!(usize::from(level) < LEVELS);
        Self((self.0 & !(0xf << LEVEL_SHIFT)) | (u64::from(level) << LEVEL_SHIFT))
    }

    fn with_lane(self, lane: Lane) -> Self {
        Self((self.0 & !(0x3 << LANE_SHIFT)) | ((lane as u64) << LANE_SHIFT))
    }

    /// Whether this is a live task of the generation.
    fn lives(self, generation: u32) -> bool {
        self.generation() == generation && self.has(OPEN) && !self.has(DONE)
    }
}

/// What a wake obliges its caller to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Wake {
    /// Nothing: it is queued already, will be, or has ended.
    Nothing,
    /// Push one entry for the task.
    Enqueue(Snapshot),
}

/// What an entry turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Claim {
    /// The task is the caller's to poll.
    Poll(Snapshot),
    /// The task was claimed through another entry, or is gone.
    Stale,
    /// The loan that made this entry was taken back, or the task was
    /// relocated: push one entry at its present level and lane instead.
    Elsewhere(Snapshot),
}

/// What the end of a pending poll obliges the poller to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Suspend {
    /// Nothing: a wake will come.
    Idle,
    /// A wake came during the poll: push one entry.
    Requeue(Snapshot),
}

/// What a change of level obliges its maker to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Relevel {
    /// The task is gone, or was at that level already.
    Nothing,
    /// The level was changed, from this snapshot; no entry is needed.
    Changed(Snapshot),
    /// The level rose while the task was queued: push one more entry.
    Raised(Snapshot, Snapshot),
}

/// What became of a request to end a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Stop {
    /// It has ended already, or was asked before.
    Nothing,
    /// It will be seen at the next boundary of the task.
    Noted,
    /// Push one entry, so that a carrier ends it.
    Enqueue(Snapshot),
}

#[derive(Debug)]
pub(crate) struct TaskWord(AtomicU64);

impl TaskWord {
    /// The word of a free place whose next task has generation 1.
    pub(crate) fn free() -> Self {
        Self(AtomicU64::new(1 << GENERATION_SHIFT))
    }

    pub(crate) fn load(&self) -> Snapshot {
        Snapshot(self.0.load(Ordering::Acquire))
    }

    /// Runs `step` until its answer could be stored. `None` leaves the word
    /// as it is.
    fn transition<R>(&self, mut step: impl FnMut(Snapshot) -> (Option<Snapshot>, R)) -> R {
        let mut now = self.0.load(Ordering::Acquire);
        loop {
            let (next, answer) = step(Snapshot(now));
            let Some(next) = next else { return answer };
            let swap =
                self.0
                    .compare_exchange_weak(now, next.0, Ordering::AcqRel, Ordering::Acquire);
            match swap {
                Ok(_) => return answer,
                Err(found) => now = found,
            }
        }
    }

    /// Gives a free place to a task. Returns its generation.
    pub(crate) fn open(&self, flags: u64, level: u8, lane: Lane) -> u32 {
        // Relaxed: the place belongs to the caller alone until the id is
        // published, which happens through a queue, a lock or a return value.
        let generation = Snapshot(self.0.load(Ordering::Relaxed)).generation();
        let opened = Snapshot::new(generation, flags | OPEN, level, lane);
        self.0.store(opened.0, Ordering::Release);
        generation
    }

    /// Frees the place of a task that is done and has no handle.
    pub(crate) fn close(&self) {
        let now = Snapshot(self.0.load(Ordering::Acquire));
        assert!(now.has(DONE) && !now.has(HANDLE), "freed before its end");
        // Places are not used up to the last generation (see `super::slab`).
        let next = now.generation().saturating_add(1);
        let free = u64::from(next) << GENERATION_SHIFT;
        self.0.store(free, Ordering::Release);
    }

    pub(crate) fn wake(&self, generation: u32) -> Wake {
        self.transition(|now| {
            if !now.lives(generation) || now.has(BLOCKED | NODE) {
                (None, Wake::Nothing)
            } else if now.has(RUNNING) {
                (Some(now.with(NOTIFIED)), Wake::Nothing)
            } else if now.has(QUEUED) {
                (Some(now), Wake::Nothing)
            } else {
                let queued = now.with(QUEUED);
                (Some(queued), Wake::Enqueue(queued))
            }
        })
    }

    /// Claims the task for one poll, through an entry of the given level, on
    /// the given lane.
    pub(crate) fn claim(&self, generation: u32, level: u8, lane: Lane) -> Claim {
        self.transition(|now| {
            if !now.lives(generation) || !now.has(QUEUED) {
                (None, Claim::Stale)
            } else if level > now.level() || lane != now.lane() {
                (None, Claim::Elsewhere(now))
            } else {
                let running = now.without(QUEUED).with(RUNNING);
                (Some(running), Claim::Poll(now))
            }
        })
    }

    /// Claims a live task that is not running, wherever it waits.
    pub(crate) fn seize(&self, generation: u32) -> bool {
        self.transition(|now| {
            if !now.lives(generation) || now.has(RUNNING | NODE) {
                (None, false)
            } else {
                let running = now.without(QUEUED | BLOCKED).with(RUNNING);
                (Some(running), true)
            }
        })
    }

    pub(crate) fn mark_started(&self) {
        self.0.fetch_or(STARTED, Ordering::Relaxed);
    }

    /// The poll is over and the task not at its end. It `yields` if it wants to be
    /// queued although nobody has woken it.
    pub(crate) fn suspend(&self, yields: bool) -> Suspend {
        self.transition(|now| {
            debug_assert!(now.has(RUNNING) && !now.has(DONE | QUEUED));
            if yields || now.has(NOTIFIED) {
                let queued = now.without(RUNNING | NOTIFIED).with(QUEUED);
                (Some(queued), Suspend::Requeue(queued))
            } else {
                (Some(now.without(RUNNING)), Suspend::Idle)
            }
        })
    }

    /// Ends the task unless something is linked to it. The caller must own
    /// RUNNING. The answer is the snapshot before the end.
    pub(crate) fn end_unlinked(&self) -> Option<Snapshot> {
        self.transition(|now| {
            debug_assert!(now.has(RUNNING | NODE) && !now.has(DONE));
            if now.has(LINKED) {
                (None, None)
            } else {
                (Some(now.without(RUNNING | NOTIFIED).with(DONE)), Some(now))
            }
        })
    }

    /// Ends the task. The caller must own RUNNING and hold the lock of the
    /// links, so that nothing can be linked any more after this.
    pub(crate) fn end_linked(&self, failed: bool) -> Snapshot {
        let failed = if failed { FAILED } else { 0 };
        self.transition(|now| {
            debug_assert!(now.has(RUNNING | NODE) && !now.has(DONE));
            let ended = now.without(RUNNING | NOTIFIED).with(DONE | failed);
            (Some(ended), now)
        })
    }

    /// Notes, under the lock of the links, that the end must look there.
    /// False if the task has ended or is another.
    pub(crate) fn link(&self, generation: u32) -> bool {
        self.transition(|now| {
            if !now.lives(generation) {
                (None, false)
            } else if now.has(LINKED) {
                (None, true)
            } else {
                (Some(now.with(LINKED)), true)
            }
        })
    }

    /// Gives up the handle's interest. True if the caller must free the place.
    #[must_use]
    pub(crate) fn drop_handle(&self) -> bool {
        let before = Snapshot(self.0.fetch_and(!HANDLE, Ordering::AcqRel));
        debug_assert!(before.has(HANDLE), "a handle dropped twice");
        before.has(DONE)
    }

    pub(crate) fn set_level(&self, generation: u32, level: u8) -> Relevel {
        self.transition(|now| {
            if !now.lives(generation) || now.level() == level {
                return (None, Relevel::Nothing);
            }
            let next = now.with_level(level);
            if now.has(QUEUED) && level > now.level() {
                (Some(next), Relevel::Raised(now, next))
            } else {
                (Some(next), Relevel::Changed(now))
            }
        })
    }

    /// Moves the task's next polls to a lane. False if it was there already.
    pub(crate) fn set_lane(&self, generation: u32, lane: Lane) -> bool {
        self.transition(|now| {
            if !now.lives(generation) || now.lane() == lane {
                (None, false)
            } else {
                (Some(now.with_lane(lane)), true)
            }
        })
    }

    /// The last dependency is finished: queue the task.
    pub(crate) fn unblock(&self, generation: u32) -> Wake {
        self.transition(|now| {
            if !now.lives(generation) || !now.has(BLOCKED) {
                (None, Wake::Nothing)
            } else {
                let queued = now.without(BLOCKED).with(QUEUED);
                (Some(queued), Wake::Enqueue(queued))
            }
        })
    }

    /// Asks the task to end, with CANCEL or CONDEMNED.
    pub(crate) fn stop(&self, generation: u32, flag: u64) -> Stop {
        self.transition(|now| {
            if !now.lives(generation) || now.has(flag | NODE) {
                (None, Stop::Nothing)
            } else if now.has(RUNNING) {
                (Some(now.with(flag | NOTIFIED)), Stop::Noted)
            } else if now.has(QUEUED) {
                (Some(now.with(flag)), Stop::Noted)
            } else {
                let queued = now.without(BLOCKED).with(flag | QUEUED);
                (Some(queued), Stop::Enqueue(queued))
            }
        })
    }
}
