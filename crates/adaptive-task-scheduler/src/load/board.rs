//! What the sentinel publishes about load, for anybody to read.
//!
//! It owns: busy windows, depths and thread counts of each lane, the published
//! delays, the machine's figures, and the histograms that polls record into.
//!
//! Who may touch what: the sentinel writes all but the histograms, which any
//! carrier adds to; anybody reads. All are relaxed atomics without agreement
//! between them, so reading takes no lock and never waits: a [`Load`] is a number
//! of figures each of which was true at its time, the oldest a tick ago (the
//! machine's, a second; delays, a tenth of one).

use super::{Busy, Delay, LaneLoad, Load, delay::Delays, machine::MachineBoard, window::Window};
use crate::{
    core::Core,
    lane::Lane,
    priority::{LEVELS, Priority},
};
use std::{
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

const SECOND: u64 = 1_000_000_000;
/// How long the machine's figures are kept fresh for a reader that does not come
/// again.
const ATTENTION: u64 = 10 * SECOND;
/// Delays older than this are not shown.
const MEMORY: u64 = 10 * SECOND;

#[derive(Debug)]
pub(crate) struct Board {
    pub(crate) delays: Delays,
    pub(super) lanes: [LaneBoard; 3],
    pub(super) machine: MachineBoard,
    /// When delays were published last, in nanoseconds after the start.
    pub(super) delays_at: AtomicU64,
    pub(super) reliefs_at_work: AtomicUsize,
    pub(super) stuck: AtomicUsize,
    /// Whether the CPU or the blocking lane works although the sentinel sleeps.
    pub(super) works: AtomicBool,
    /// When `load()` was called last, in nanoseconds after the start; 0 for
    /// never.
    read_at: AtomicU64,
}

#[derive(Debug)]
pub(super) struct LaneBoard {
    pub(super) last_second: Window,
    pub(super) last_ten_seconds: Window,
    /// Since the start, in nanoseconds, of all carriers together.
    pub(super) busy: AtomicU64,
    pub(super) capacity: AtomicUsize,
    pub(super) threads: AtomicUsize,
    pub(super) depth: [AtomicUsize; LEVELS],
    pub(super) delays: [PublishedDelay; LEVELS],
}

#[derive(Debug, Default)]
pub(super) struct PublishedDelay {
    pub(super) p50: AtomicU64,
    pub(super) p99: AtomicU64,
    pub(super) samples: AtomicU64,
}

impl LaneBoard {
    fn new(capacity: usize) -> Self {
        Self {
            last_second: Window::new(SECOND / 10),
            last_ten_seconds: Window::new(SECOND),
            busy: AtomicU64::new(0),
            capacity: AtomicUsize::new(capacity),
            threads: AtomicUsize::new(0),
            depth: Default::default(),
            delays: Default::default(),
        }
    }

    fn load(&self, lane: Lane, now: u64, has_delays: bool) -> LaneLoad {
        let capacity = self.capacity.load(Relaxed);
        LaneLoad {
            lane,
            busy: Busy {
                last_second: self.last_second.share(now, capacity),
                last_ten_seconds: self.last_ten_seconds.share(now, capacity),
            },
            capacity,
            threads: self.threads.load(Relaxed),
            ready: std::array::from_fn(|level| self.depth[level].load(Relaxed)),
            delays: std::array::from_fn(|level| {
                let published = &self.delays[level];
                published.get(level as u8).filter(|_| has_delays)
            }),
        }
    }
}

impl PublishedDelay {
    fn get(&self, level: u8) -> Option<Delay> {
        let samples = self.samples.load(Relaxed);
        (samples > 0).then(|| Delay {
            priority: Priority::of_level(level),
            p50: Duration::from_nanos(self.p50.load(Relaxed)),
            p99: Duration::from_nanos(self.p99.load(Relaxed)),
            samples,
        })
    }
}

impl Board {
    pub(crate) fn new(io: usize, cpu: usize, blocking: usize) -> Self {
        Self {
            delays: Delays::default(),
            lanes: [io, cpu, blocking].map(LaneBoard::new),
            machine: MachineBoard::new(),
            delays_at: AtomicU64::new(0),
            reliefs_at_work: AtomicUsize::new(0),
            stuck: AtomicUsize::new(0),
            works: AtomicBool::new(false),
            read_at: AtomicU64::new(0),
        }
    }

    /// Whether somebody read the load lately.
    pub(super) fn is_watched(&self, now: u64) -> bool {
        let read_at = self.read_at.load(Relaxed);
        read_at != 0 && now.saturating_sub(read_at) < ATTENTION
    }

    fn load(&self, core: &Core, now: u64) -> Load {
        let is_idle = core.sentinel.is_asleep() && !self.works.load(Relaxed);
        let has_delays = now.saturating_sub(self.delays_at.load(Relaxed)) < MEMORY;
        let lane = |lane: Lane| self.lanes[lane as usize].load(lane, now, has_delays);
        Load {
            is_idle,
            io: lane(Lane::Io),
            cpu: lane(Lane::Cpu),
            blocking: lane(Lane::Blocking),
            steals: core.io.queue.steals(),
            relief_carriers: self.reliefs_at_work.load(Relaxed),
            stuck_polls: self.stuck.load(Relaxed),
            threads: core.counters.threads.load(Relaxed),
            most_threads: core.config.max_threads,
            machine: self.machine.load(now),
        }
    }
}

impl Core {
    /// Reads what is published, and lets the sentinel know that somebody does.
    pub(crate) fn load(&self) -> Load {
        let now = self.nanos(Instant::now());
        let is_news = !self.load.is_watched(now);
        self.load.read_at.store(now, Relaxed);
        let load = self.load.load(self, now);
        if is_news {
            // So that it sees that the machine's figures are wanted.
            self.sentinel.rouse();
        }
        load
    }
}
