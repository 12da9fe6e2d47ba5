//! Counts of what happened, spread over cache lines.
//!
//! It owns: a few shards of two counters, chosen by thread, and the rarer
//! counts, which are not spread.

use crate::queue::ring::Padded;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const SHARDS: usize = 16;

#[derive(Debug, Default)]
struct Shard {
    spawned: AtomicU64,
    finished: AtomicU64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    shards: [Padded<Shard>; SHARDS],
    pub(crate) rejected: AtomicU64,
    pub(crate) boosts: AtomicU64,
    pub(crate) relocations: AtomicU64,
    pub(crate) hand_offs: AtomicU64,
    pub(crate) take_backs: AtomicU64,
    pub(crate) gave_way: AtomicU64,
    pub(crate) unused_grants: AtomicU64,
    pub(crate) wakes: AtomicU64,
    pub(crate) threads: AtomicUsize,
    pub(crate) peak_threads: AtomicUsize,
}

static NEXT_SHARD: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static SHARD: usize = NEXT_SHARD.fetch_add(1, Ordering::Relaxed) % SHARDS;
}

impl Counters {
    fn shard(&self) -> &Shard {
        &self.shards[SHARD.try_with(|&shard| shard).unwrap_or(0)]
    }

    /// `SeqCst`, so that whoever closes the scheduler and then reads no live
    /// tasks knows that every later spawn sees it closed.
    pub(crate) fn count_spawned(&self) {
        self.shard().spawned.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn count_finished(&self) {
        self.shard().finished.fetch_add(1, Ordering::SeqCst);
    }

    /// A task that was counted as spawned is not taken after all.
    pub(crate) fn count_rejected(&self) {
        bump(&self.rejected);
        self.count_finished();
    }

    pub(crate) fn finished(&self) -> u64 {
        self.shards
            .iter()
            .map(|shard| shard.finished.load(Ordering::SeqCst))
            .sum()
    }

    /// Tasks that were taken and have ended.
    pub(crate) fn ended(&self) -> u64 {
        // A rejected task is counted as such before it is as finished.
        let finished = self.finished();
        finished.saturating_sub(self.rejected.load(Ordering::Relaxed))
    }

    pub(crate) fn spawned(&self) -> u64 {
        self.shards
            .iter()
            .map(|shard| shard.spawned.load(Ordering::SeqCst))
            .sum()
    }

    /// Tasks spawned and not ended. Ends are read first, so it is never too
    /// low.
    pub(crate) fn live(&self) -> u64 {
        let finished = self.finished();
        self.spawned().saturating_sub(finished)
    }

    pub(crate) fn thread_started(&self) {
        let now = self.threads.fetch_add(1, Ordering::Relaxed) + 1;
        self.peak_threads.fetch_max(now, Ordering::Relaxed);
    }

    pub(crate) fn thread_stopped(&self) {
        self.threads.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Adds one to a rare count.
pub(crate) fn bump(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// What a scheduler has done and what it holds now. All counts are since its
/// start; they are read one after the other, not at one instant.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Tasks taken.
    pub spawned: u64,
    /// Tasks ended, in whatever way.
    pub finished: u64,
    /// Tasks taken and not ended.
    pub live: u64,
    /// Tasks not taken, because the scheduler was shutting down.
    pub rejected: u64,
    /// Polls of tasks, on all lanes but the blocking one.
    pub polls: u64,
    /// Rises of an effective priority through lending.
    pub boosts: u64,
    /// Tasks moved to another lane.
    pub relocations: u64,
    /// Slots given to a relief because their carrier was stuck.
    pub hand_offs: u64,
    /// Slots given back to their Tokio worker.
    pub take_backs: u64,
    /// How often a task on the CPU lane gave way at a checkpoint.
    pub gave_way: u64,
    /// Locks of [`sync`](crate::sync) that were granted to a task and not taken up
    /// for 100 ms.
    pub unused_grants: u64,
    /// Queue entries that turned out stale.
    pub stale_entries: u64,
    /// Threads of the scheduler's own, now: the sentinel, reliefs, CPU
    /// threads and their reserves; not Tokio's.
    pub threads: usize,
    /// The largest number of such threads.
    pub peak_threads: usize,
    /// Parked slots woken for new work.
    pub wakes: u64,
    /// Entries in the I/O lane's queues by level, lowest first, stale ones
    /// counted.
    pub ready: [usize; 5],
}
