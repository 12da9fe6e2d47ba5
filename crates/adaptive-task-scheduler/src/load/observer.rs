//! The sentinel's part of knowing the load: it looks and publishes.
//!
//! Protocol: at each tick, [`Observer::look`]
//!
//! 1. counts the carriers that are at work and adds the time since the look
//!    before to the lane's windows for each;
//! 2. publishes depths and thread counts;
//! 3. notes on each seat since when its present poll is seen;
//! 4. ten times a second publishes delays, and once a second reads the machine,
//!    if anybody has read the load in the last ten seconds.
//!
//! Before the sentinel sleeps it looks once more, so that what stays published
//! is idleness; when it wakes, [`Observer::wake`] leaves out the time slept.

use super::{
    board::{LaneBoard, PublishedDelay},
    delay::AllCounts,
    histogram::Counts,
    machine::Gauge,
};
use crate::{core::Core, lane::seat::Seat, queue::ready::ReadyQueue};
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

const SECOND: u64 = 1_000_000_000;
/// How often the sentinel looks while only the CPU and the blocking lane work,
/// on what came to them long ago: often enough for how busy they were over a
/// second, and rarely enough to cost nothing. A guess.
const SLOW_LOOK: Duration = Duration::from_millis(50);
/// How often delays are published.
const DELAYS: u64 = SECOND / 10;
/// Half of the time that published delays look back at most.
const HALF_MEMORY: u64 = 5 * SECOND;

/// What the sentinel saw that it needs to know again.
#[derive(Debug)]
pub(crate) struct Observer {
    /// When it looked last, in nanoseconds after the scheduler's start.
    looked: u64,
    gauge: Gauge,
    gauged: Option<u64>,
    /// The counts five to ten seconds ago, up to five, and when published last.
    before: [AllCounts; 2],
    published: AllCounts,
    turned: u64,
}

impl Observer {
    pub(crate) fn new(core: &Core) -> Self {
        Self {
            looked: core.nanos(Instant::now()),
            gauge: Gauge::default(),
            gauged: None,
            before: Default::default(),
            published: Default::default(),
            turned: 0,
        }
    }

    /// One look. `busy_slots` says how many slots are at work.
    pub(crate) fn look(&mut self, core: &Core, now: Instant, busy_slots: usize) {
        let now = core.nanos(now);
        let since = std::mem::replace(&mut self.looked, now);
        let board = &core.load;
        let cpu = core.cpu.seats().filter(|seat| seat.look().is_polling());
        // A fork waits on one seat and computes with the places that it borrowed.
        let cpu = cpu.count() + core.cpu.lent_places();
        let busy = [busy_slots, cpu, core.blocking.polling()];
        for (lane, busy) in board.lanes.iter().zip(busy) {
            lane.add(since, now, busy);
        }
        let queues = [&core.io.queue, &core.cpu.queue, &core.blocking.queue];
        for (lane, queue) in board.lanes.iter().zip(queues) {
            lane.publish_depth(queue);
        }
        let carried = core.io.slots.iter().enumerate();
        let by_relief = carried.filter(|(_, slot)| slot.holder.now().relief().is_some());
        let (slots, reserves): (Vec<usize>, Vec<usize>) = by_relief
            .map(|(at, _)| at)
            .partition(|&at| at < core.io.count());
        board
            .reliefs_at_work
            .store(slots.len() + reserves.len(), Relaxed);
        board.stuck.store(note_polls(core, now), Relaxed);
        let threads = [
            core.io.count() + reserves.len(),
            core.cpu.started(),
            core.blocking.runners(),
        ];
        for (lane, threads) in board.lanes.iter().zip(threads) {
            lane.threads.store(threads, Relaxed);
        }
        self.publish_delays_if_due(core, now);
        self.gauge_if_due(core, now);
    }

    /// The sentinel is about to sleep. Until when it may at most, to see how the
    /// CPU and the blocking lane do, or so that the machine's figures are fresh
    /// for whoever reads them. True if a lane works.
    pub(crate) fn next_look(&self, core: &Core) -> (Option<Duration>, bool) {
        let works = core.blocking.runners() > 0 || core.cpu.is_polling();
        core.load.works.store(works, Relaxed);
        let is_watched = core.load.is_watched(core.nanos(Instant::now()));
        let look = if works {
            Some(SLOW_LOOK)
        } else {
            is_watched.then_some(Duration::from_nanos(SECOND))
        };
        (look, works)
    }

    /// The sentinel wakes; nothing ran while it slept.
    pub(crate) fn wake(&mut self, core: &Core) {
        self.looked = core.nanos(Instant::now());
        self.gauge_if_due(core, self.looked);
    }

    fn gauge_if_due(&mut self, core: &Core, now: u64) {
        let is_due = self.gauged.is_none_or(|before| now - before >= SECOND);
        if is_due && core.load.is_watched(now) {
            self.gauged = Some(now);
            self.gauge.read(&core.load.machine, now);
        }
    }

    fn publish_delays_if_due(&mut self, core: &Core, now: u64) {
        let board = &core.load;
        let published = board.delays_at.load(Relaxed);
        if now.saturating_sub(published) >= DELAYS || published == 0 {
            self.publish_delays(core, now);
        }
    }

    fn publish_delays(&mut self, core: &Core, now: u64) {
        let board = &core.load;
        board.delays_at.store(now, Relaxed);
        if now - self.turned >= 2 * HALF_MEMORY {
            // It slept: all that was published before is too old.
            self.before = [self.published.clone(), self.published.clone()];
            self.turned = now;
        }
        let counts = board.delays.all_counts();
        for (lane, (now, before)) in board.lanes.iter().zip(counts.iter().zip(&self.before[0])) {
            for (published, (now, before)) in lane.delays.iter().zip(now.iter().zip(before)) {
                published.publish(&now.since(before));
            }
        }
        if now - self.turned >= HALF_MEMORY {
            self.turned = now;
            self.before.swap(0, 1);
            self.before[1].clone_from(&counts);
        }
        self.published = counts;
    }
}

/// Notes on each seat since when its present poll is seen. How many carriers of
/// the I/O lane are in one that was seen before, and have no slot any more.
fn note_polls(core: &Core, now: u64) -> usize {
    let holders: Vec<_> = core
        .io
        .slots
        .iter()
        .map(|slot| slot.holder.now().relief())
        .collect();
    let mut stuck = 0;
    for (slot, holder) in core.io.slots[..core.io.count()].iter().zip(&holders) {
        stuck += usize::from(slot.seat.sighted(now) && holder.is_some());
    }
    let mut number = 0;
    core.io.reliefs.for_each_seat(|seat| {
        stuck += usize::from(seat.sighted(now) && !holders.contains(&Some(number)));
        number += 1;
    });
    let note = |seat: &Arc<Seat>| {
        seat.sighted(now);
    };
    core.cpu.seats().for_each(note);
    core.cpu.reserves.seats().iter().for_each(note);
    core.blocking.for_each_seat(note);
    stuck
}

impl LaneBoard {
    fn add(&self, since: u64, now: u64, busy: usize) {
        let busy = busy as u64;
        self.last_second.add(since, now, busy);
        self.last_ten_seconds.add(since, now, busy);
        self.busy.fetch_add((now - since.min(now)) * busy, Relaxed);
    }

    fn publish_depth(&self, queue: &ReadyQueue) {
        for (published, depth) in self.depth.iter().zip(queue.depths()) {
            published.store(depth, Relaxed);
        }
    }
}

impl PublishedDelay {
    fn publish(&self, counts: &Counts) {
        let nanos = |share: f64| {
            let delay = counts.quantile(share).unwrap_or_default();
            delay.as_nanos() as u64
        };
        self.p50.store(nanos(0.5), Relaxed);
        self.p99.store(nanos(0.99), Relaxed);
        self.samples.store(counts.total(), Relaxed);
    }
}
