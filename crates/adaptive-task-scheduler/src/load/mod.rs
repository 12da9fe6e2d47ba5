//! How loaded the scheduler, its process and its machine are.
//!
//! Parts: carriers time a sample of the waits in line ([`delay`], into
//! [`histogram`]s); the sentinel looks at all seats at each of its ticks and
//! publishes what it saw ([`observer`], into [`window`]s and a [`board`]), and
//! reads the machine's figures once a second ([`machine`]); anybody reads the
//! board without waiting. [`pressure`] makes one number of it, [`intervals`]
//! says what happened between two looks.
//!
//! A busy share is the share of time in which the sentinel's looks found a
//! carrier at work: a slot that is not parked, a CPU thread or a runner of the
//! blocking lane that is in a poll. A carrier of many short polls is found at
//! work as often as it is.
//!
//! While nothing runs the sentinel sleeps and publishes nothing, and what is
//! published is idleness: the queues are empty, and the windows fade by the
//! reader's clock. Only if the load was read in the last ten seconds does it
//! wake once a second for the machine's figures, which it does not read at all
//! while nobody asks.

pub(crate) mod board;
pub(crate) mod delay;
mod figure;
mod histogram;
pub(crate) mod intervals;
pub(crate) mod machine;
pub(crate) mod observer;
pub(crate) mod pressure;
mod window;

pub(crate) use board::Board;
pub(crate) use delay::{arrived, stamp};

use crate::{lane::Lane, priority::LEVELS};
use delay::Delay;
use machine::MachineLoad;

/// How loaded a scheduler, its process and its machine are: what
/// [`Scheduler::load`](crate::Scheduler::load) reads.
///
/// The figures are read one after the other, not at one instant. Each was true
/// at its time: the lanes' at the last tick of the sentinel (1 ms, as a rule),
/// delays within the last tenth of a second, and the machine's as long ago as
/// [`MachineLoad::age`] says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Load {
    /// Nothing runs, and nothing has for about 100 ticks: the sentinel sleeps.
    pub is_idle: bool,
    /// The I/O lane.
    pub io: LaneLoad,
    /// The CPU lane.
    pub cpu: LaneLoad,
    /// The blocking lane.
    pub blocking: LaneLoad,
    /// How often a slot that had nothing took ready tasks from another, since
    /// the scheduler's start.
    pub steals: u64,
    /// How many slots and reserves are carried by a relief, a thread of the
    /// scheduler's own, now. On a current-thread runtime all slots always are.
    pub relief_carriers: usize,
    /// Polls that lost their slot because they lasted, and have not returned.
    pub stuck_polls: usize,
    /// Threads of the scheduler's own, now.
    pub threads: usize,
    /// How many there may be at most.
    pub most_threads: usize,
    /// The process and the machine.
    pub machine: MachineLoad,
}

/// How loaded one lane is.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LaneLoad {
    /// The lane.
    pub lane: Lane,
    /// How busy its carriers are.
    pub busy: Busy,
    /// How many polls may run at once: slots, threads, or the limit of the
    /// blocking lane. Reserves, which open while polls are stuck, come on top.
    pub capacity: usize,
    /// Threads that serve it now: of the I/O lane the Tokio workers and reliefs
    /// that carry its slots and open reserves; of the CPU lane those started; of
    /// the blocking lane those at work.
    pub threads: usize,
    /// Entries in its queues by level, lowest first, stale ones counted.
    pub ready: [usize; LEVELS],
    /// How long tasks waited in line over the last five to ten seconds, by
    /// level, lowest first; `None` if no wait was timed.
    pub delays: [Option<Delay>; LEVELS],
}

/// The share of a lane's carriers that were at work, from 0 to 1, as the
/// sentinel's looks found them: slots that were not parked (their carrier was in a
/// poll, between two, or woken and expected), CPU threads in a poll, and runners
/// of the blocking lane in a poll. For a scheduler younger than the time named, since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct Busy {
    /// Over the last second (to 1.1).
    pub last_second: f64,
    /// Over the last ten seconds (to eleven).
    pub last_ten_seconds: f64,
}

impl Load {
    /// The load of a lane.
    pub fn lane(&self, lane: Lane) -> &LaneLoad {
        match lane {
            Lane::Io => &self.io,
            Lane::Cpu => &self.cpu,
            Lane::Blocking => &self.blocking,
        }
    }

    /// One number for how pressed the scheduler is, with its reasons.
    pub fn pressure(&self) -> pressure::Pressure {
        pressure::of(self)
    }
}
