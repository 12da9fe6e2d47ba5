//! What happened between two looks.
//!
//! All counts of a scheduler only grow; an interval is the difference between
//! two readings, so any number of readers may each have intervals of their own.

use super::delay::{AllCounts, Delay};
use crate::{core::Core, counters::Stats, lane::Lane, priority::LEVELS};
use std::{
    fmt,
    sync::{Arc, Weak, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

/// Intervals of a scheduler's work, one for each call of
/// [`next`](Iterator::next), as `tokio-metrics` gives them. Made by
/// [`Scheduler::load_intervals`](crate::Scheduler::load_intervals). It never
/// waits: how long an interval is, is up to whoever asks.
///
/// ```
/// # let scheduler = adaptive_task_scheduler::Scheduler::builder().build_runtime()?;
/// let mut intervals = scheduler.load_intervals();
/// scheduler.block_on(scheduler.spawn(async {}))?;
/// let interval = intervals.next().ok_or("the scheduler has ended")?;
/// println!("{} tasks ended in {:?}", interval.finished, interval.elapsed);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub struct LoadIntervals {
    core: Weak<Core>,
    before: Totals,
}

/// All that is counted, at one moment.
#[derive(Debug)]
struct Totals {
    at: Instant,
    stats: Stats,
    steals: u64,
    busy: [u64; 3],
    delays: AllCounts,
}

/// What a scheduler did between two looks. The counts are those of
/// [`Stats`], whose fields of the same name say what they count.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LoadInterval {
    /// The time between the two looks.
    pub elapsed: Duration,
    /// Tasks taken.
    pub spawned: u64,
    /// Tasks ended, in whatever way.
    pub finished: u64,
    /// Tasks not taken.
    pub rejected: u64,
    /// Polls, on all lanes but the blocking one.
    pub polls: u64,
    /// How often a slot that had nothing took ready tasks from another.
    pub steals: u64,
    /// Rises of an effective priority through lending.
    pub boosts: u64,
    /// Tasks moved to another lane.
    pub relocations: u64,
    /// Slots given to a relief because their carrier was stuck.
    pub hand_offs: u64,
    /// Slots given back to their Tokio worker.
    pub take_backs: u64,
    /// Parked slots woken for new work.
    pub wakes: u64,
    /// The I/O lane.
    pub io: LaneInterval,
    /// The CPU lane.
    pub cpu: LaneInterval,
    /// The blocking lane.
    pub blocking: LaneInterval,
}

/// What one lane did between two looks.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LaneInterval {
    /// The lane.
    pub lane: Lane,
    /// How long its carriers were at work, all together, as the sentinel's
    /// looks found them: two carriers that were busy for a second give two
    /// seconds.
    pub busy: Duration,
    /// How long tasks waited in line, by level, lowest first; `None` if no wait
    /// was timed.
    pub delays: [Option<Delay>; LEVELS],
}

impl LoadIntervals {
    pub(crate) fn new(core: &Arc<Core>) -> Self {
        Self {
            core: Arc::downgrade(core),
            before: Totals::of(core),
        }
    }
}

impl Totals {
    fn of(core: &Core) -> Self {
        Self {
            at: Instant::now(),
            stats: core.stats(),
            steals: core.io.queue.steals(),
            busy: core
                .load
                .lanes
                .each_ref()
                .map(|lane| lane.busy.load(Relaxed)),
            delays: core.load.delays.all_counts(),
        }
    }

    fn since(&self, before: &Totals) -> LoadInterval {
        let count = |of: fn(&Stats) -> u64| of(&self.stats).saturating_sub(of(&before.stats));
        let lane = |lane: Lane| {
            let at = lane as usize;
            let busy = self.busy[at].saturating_sub(before.busy[at]);
            let delay = |level: usize| {
                let counts = self.delays[at][level].since(&before.delays[at][level]);
                Delay::of(level, &counts)
            };
            LaneInterval {
                lane,
                busy: Duration::from_nanos(busy),
                delays: std::array::from_fn(delay),
            }
        };
        LoadInterval {
            elapsed: self.at.saturating_duration_since(before.at),
            spawned: count(|stats| stats.spawned),
            finished: count(|stats| stats.finished),
            rejected: count(|stats| stats.rejected),
            polls: count(|stats| stats.polls),
            steals: self.steals.saturating_sub(before.steals),
            boosts: count(|stats| stats.boosts),
            relocations: count(|stats| stats.relocations),
            hand_offs: count(|stats| stats.hand_offs),
            take_backs: count(|stats| stats.take_backs),
            wakes: count(|stats| stats.wakes),
            io: lane(Lane::Io),
            cpu: lane(Lane::Cpu),
            blocking: lane(Lane::Blocking),
        }
    }
}

impl Iterator for LoadIntervals {
    type Item = LoadInterval;

    fn next(&mut self) -> Option<LoadInterval> {
        let core = self.core.upgrade().filter(|core| !core.is_ending())?;
        let now = Totals::of(&core);
        let interval = now.since(&self.before);
        self.before = now;
        Some(interval)
    }
}

impl fmt::Debug for LoadIntervals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadIntervals")
            .field("since", &self.before.at)
            .finish_non_exhaustive()
    }
}
