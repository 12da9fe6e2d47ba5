//! How long tasks wait in line: which entries are timed, and the histograms.
//!
//! Of the entries that a thread queues, it times the first of each lane and
//! level in each tick, and every 256th: an idle scheduler times all that matters, and a loaded one pays
//! for a clock now and then. The time stands in the task's facts (`ready_at`)
//! until the poll that the entry leads to takes it away.
//!
//! Known races, harmless: a boosted task may be polled through its second entry
//! before its first was timed; that time then counts up to its next poll. A task
//! that ends unpolled takes its time along.

use super::histogram::{Counts, Histogram};
use crate::{
    core::Core,
    lane::Lane,
    priority::{LEVELS, Priority},
    task::{record::Facts, word::Snapshot},
};
use std::{
    cell::Cell,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

/// One of this many entries is timed, beside the first of its lane and level in
/// each tick.
const EVERY: u16 = 256;

thread_local! {
    static TIMED: Cell<Timed> = const { Cell::new(Timed { tick: 0, seen: 0, count: 0 }) };
}

/// What this thread has timed lately.
#[derive(Debug, Clone, Copy)]
struct Timed {
    /// The tick in which it queued last.
    tick: u32,
    /// A bit for each lane and level of which it timed an entry in that tick.
    seen: u16,
    /// How many entries it has queued since it timed one.
    count: u16,
}

impl Timed {
    /// An entry is queued: whether it is timed.
    fn next(&mut self, tick: u32, word: Snapshot) -> bool {
        let bit = 1 << (usize::from(word.level()) + LEVELS * word.lane() as usize);
        if self.tick != tick {
            (self.tick, self.seen) = (tick, 0);
        }
        let is_timed = self.seen & bit == 0 || self.count + 1 >= EVERY;
        self.seen |= bit;
        self.count = if is_timed { 0 } else { self.count + 1 };
        is_timed
    }
}

/// Delays of all lanes and levels, since the scheduler's start.
#[derive(Debug, Default)]
pub(crate) struct Delays([[Histogram; LEVELS]; 3]);

/// The counts of all lanes and levels at one moment.
pub(super) type AllCounts = [[Counts; LEVELS]; 3];

impl Delays {
    pub(crate) fn of(&self, lane: Lane, level: usize) -> &Histogram {
        &self.0[lane as usize][level]
    }

    pub(super) fn all_counts(&self) -> AllCounts {
        self.0
            .each_ref()
            .map(|lane| lane.each_ref().map(Histogram::counts))
    }
}

/// A task is being queued in this tick, as its word says.
#[inline]
pub(crate) fn stamp(core: &Core, facts: &Facts, tick: u32, word: Snapshot) {
    let is_timed = TIMED.try_with(|cell| {
        let mut timed = cell.get();
        let is_timed = timed.next(tick, word);
        cell.set(timed);
        is_timed
    });
    if is_timed.unwrap_or(false) {
        time(core, facts);
    }
}

/// Moments are counted in units of 64 ns, so that 32 bits hold four minutes.
const UNIT_BITS: u32 = 6;
/// From here on the sentinel's ticks tell a delay well enough.
const COARSE: Duration = Duration::from_secs(60);

/// The present moment in units after the scheduler's start, never 0.
fn now(core: &Core) -> u32 {
    ((core.nanos(Instant::now()) >> UNIT_BITS) as u32).max(1)
}

#[cold]
fn time(core: &Core, facts: &Facts) {
    facts.ready_at.store(now(core), Relaxed);
}

/// A task that was queued is about to be polled, at this level.
#[inline]
pub(crate) fn arrived(core: &Core, facts: &Facts, lane: Lane, level: u8) {
    let ready = facts.ready_at.load(Relaxed);
    if ready != 0 {
        note(core, facts, lane, level, ready);
    }
}

#[cold]
fn note(core: &Core, facts: &Facts, lane: Lane, level: u8, ready: u32) {
    facts.ready_at.store(0, Relaxed);
    let ticks = core.tick().wrapping_sub(facts.ready_tick.load(Relaxed));
    // A thread may not have seen the last tick yet.
    let coarse = core.config.tick * (ticks as i32).max(0) as u32;
    let delay = if coarse < COARSE {
        u64::from(now(core).wrapping_sub(ready)) << UNIT_BITS
    } else {
        coarse.as_nanos() as u64
    };
    let level = usize::from(level).min(LEVELS - 1);
    core.load.delays.of(lane, level).record(delay);
}

impl Delay {
    /// `None` without any sample.
    pub(super) fn of(level: usize, counts: &Counts) -> Option<Self> {
        Some(Self {
            priority: Priority::of_level(level as u8),
            p50: counts.quantile(0.5)?,
            p99: counts.quantile(0.99)?,
            samples: counts.total(),
        })
    }
}

/// How long tasks of one level waited in line before a poll, by sampling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delay {
    /// The level at which they were polled.
    pub priority: Priority,
    /// Half of them waited no longer than this (at most one eighth too high).
    pub p50: Duration,
    /// Of a hundred, 99 waited no longer than this (at most one eighth too
    /// high).
    pub p99: Duration,
    /// How many waits were timed.
    pub samples: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_its_kind_in_a_tick_is_timed_and_then_every_256th() {
        let mut timed = Timed {
            tick: 0,
            seen: 0,
            count: 0,
        };
        let word = |level, lane| Snapshot::new(1, 0, level, lane);
        let io = word(2, Lane::Io);
        assert!(timed.next(7, io));
        let more = (0..512).filter(|_| timed.next(7, io)).count();
        assert_eq!(more, 2);
        assert!(timed.next(7, word(3, Lane::Io)), "another level");
        assert!(timed.next(7, word(2, Lane::Blocking)), "another lane");
        assert!(!timed.next(7, io));
        assert!(timed.next(8, io), "another tick");
    }
}
