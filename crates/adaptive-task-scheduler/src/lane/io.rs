//! The I/O lane: slots, and who carries them.
//!
//! It owns: the queue with a ring for each slot, the list of idle slots, the
//! slots, and the reliefs.
//!
//! A slot's guest is a Tokio task: its poll takes ready tasks and polls them, on
//! a Tokio worker, so that I/O, timers and `tokio::spawn` work inside them as
//! usual. When the guest is stuck in a task's poll, the slot is handed to a
//! relief, a thread of ours that does the same inside `Handle::block_on`
//! (see [`super::holder`] for the protocol).
//!
//! Behind the slots stand as many *reserves*: slots without a ring or a guest,
//! closed in ordinary times. When polls get stuck, the sentinel opens one with
//! a floor just above the level that was stuck, so that more important work
//! finds a carrier that unimportant work cannot take, however often the others
//! get stuck again.

use super::{
    holder::{Boundary, Held, Holder},
    idle::{Begin, Idle, Park},
    relief::Reliefs,
    seat::Seat,
};
use crate::{
    core::{Core, run},
    counters::bump,
    lane::Lane,
    queue::ready::ReadyQueue,
    task::current::{self, Carrying},
};
use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU32},
    },
    task::Waker,
};

/// How many tasks a carrier polls before it lets Tokio drive I/O. A guess
/// close to Tokio's own interval of 61 polls and its budget of 128 operations.
const POLLS: usize = 128;

#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) holder: Holder,
    /// The guest's waker, always of the same Tokio task.
    pub(crate) guest: OnceLock<Waker>,
    pub(crate) seat: Arc<Seat>,
    /// The guest is to leave its worker free for I/O.
    pub(crate) leave: AtomicBool,
}

#[derive(Debug)]
pub(crate) struct IoLane {
    pub(crate) queue: ReadyQueue,
    pub(crate) idle: Idle,
    /// The slots, then the reserves.
    pub(crate) slots: Box<[Slot]>,
    pub(crate) reliefs: Reliefs,
    /// The tick at which nothing was overdue.
    pub(crate) ageing: AtomicU32,
    count: usize,
}

/// Why a carrier stopped carrying for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Stop {
    /// Nothing to do; it will be woken.
    Parked,
    /// Tokio must run: budget or turns are used up.
    Breathe,
    /// The guest wants the slot back.
    GiveBack,
    /// The slot was handed to somebody else.
    Lost,
    /// The scheduler is ending.
    Ending,
}

impl IoLane {
    pub(crate) fn new(count: usize) -> Self {
        let slot = |_| Slot {
            holder: Holder::guest(),
            guest: OnceLock::new(),
            seat: Arc::default(),
            leave: AtomicBool::new(false),
        };
        Self {
            queue: ReadyQueue::new(count),
            idle: Idle::new(2 * count),
            slots: (0..2 * count).map(slot).collect(),
            reliefs: Reliefs::default(),
            ageing: AtomicU32::new(0),
            count,
        }
    }

    /// How many slots there are, without the reserves.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Wakes one idle slot for new work at `level`, if nobody searches. Whether
    /// it did.
    pub(crate) fn notify(&self, core: &Core, level: u8) -> bool {
        let Some(slot) = self.idle.notify(level) else {
            return false;
        };
        bump(&core.counters.wakes);
        self.wake(core, slot);
        true
    }

    /// Wakes whoever carries `slot`.
    pub(crate) fn wake(&self, core: &Core, slot: usize) {
        core.sentinel.rouse();
        match self.slots[slot].holder.now().relief() {
            Some(relief) => self.reliefs.wake(relief),
            None => self.wake_guest(core, slot),
        }
    }

    fn wake_guest(&self, core: &Core, at: usize) {
        let slot = &self.slots[at];
        if let Some(guest) = slot.guest.get() {
            guest.wake_by_ref();
            if is_inside_a_worker_poll(core) {
                displace(core);
            }
        }
    }

    pub(crate) fn wake_all(&self, core: &Core) {
        for at in 0..self.slots.len() {
            self.wake(core, at);
            if let Some(guest) = self.slots[at].guest.get() {
                guest.wake_by_ref();
            }
        }
        self.reliefs.wake_all();
    }
}

/// Whether a guest woken now would land in the LIFO slot of a worker that is
/// inside a poll.
///
/// That is so inside a guest. Elsewhere on a worker it is either a plain Tokio
/// task or the driver that wakes, and nothing public tells which: a worker runs
/// as a blocking task of Tokio's, so even its driver has a task id. The driver
/// is by far the more frequent, and displacing there makes every I/O event wake
/// a second worker (echo at 0.7 of Tokio). So it is done only while polls get
/// stuck.
fn is_inside_a_worker_poll(core: &Core) -> bool {
    current::carrying(|carrying| match carrying {
        Some(carrying) => carrying.is_guest,
        None => core.is_careful() && tokio::task::try_id().is_some(),
    })
}

/// Spawns one more, empty Tokio task, so that the guest woken just before leaves
/// the LIFO slot, where no other worker could find it until this poll ends, for
/// the worker's queue, where all can.
///
/// It has to be a new task each time. Waking a task kept for this does nothing
/// if that is still running somewhere, and the guest stays where it is: with one
/// kept for each slot, one in some thousand wake-ups on a crowded machine waited
/// for the whole poll.
fn displace(core: &Core) {
    core.nudge();
}

/// Carries a slot until there is a reason to stop.
pub(crate) fn carry(carrying: &Carrying, at: usize, held: Held) -> Stop {
    let core = &carrying.core;
    let lane = &core.io;
    let holder = &lane.slots[at].holder;
    if holder.boundary(held) == Boundary::Lost {
        // The slot's place in the idle list is somebody else's now.
        return if core.is_ending() {
            Stop::Ending
        } else {
            Stop::Lost
        };
    }
    let mut searching = match begin(core, at, held) {
        Some(searching) => searching,
        None if core.is_ending() => return Stop::Ending,
        None => return Stop::Parked,
    };
    let mut stop = Stop::Breathe;
    let began = core.last_tick();
    for turn in 0..POLLS {
        if core.is_ending() {
            return Stop::Ending;
        }
        match holder.boundary(held) {
            Boundary::Keep => {}
            Boundary::GiveBack => {
                stop = Stop::GiveBack;
                break;
            }
            Boundary::Lost => {
                stop = Stop::Lost;
                break;
            }
        }
        match core.pick(at, turn) {
            Some(taken) => {
                if std::mem::take(&mut searching) {
                    stop_searching(core);
                }
                run::run(carrying, taken, Lane::Io);
                if carrying.is_guest && core.is_careful() {
                    break;
                }
            }
            None => match lane
                .idle
                .park(at, searching, |floor| lane.queue.has_work(floor))
            {
                Park::Parked if holder.boundary(held) == Boundary::Lost => return Stop::Lost,
                Park::Parked => return Stop::Parked,
                Park::Work { searching: now } => {
                    searching = now;
                    core.sentinel.rouse();
                }
            },
        }
        // A turn ends with its tick as well: Tokio must drive I/O between polls
        // of a millisecond too.
        if core.last_tick() != began || !tokio::task::coop::has_budget_remaining() {
            break;
        }
    }
    if searching {
        stop_searching(core);
    }
    if stop == Stop::Lost || holder.boundary(held) == Boundary::Lost {
        // The new carrier may have found the slot parked by this one, and sleep.
        lane.wake(core, at);
    }
    stop
}

/// Begins a turn of carrying. `None` if the slot stays parked; else whether it
/// counts as searching.
fn begin(core: &Core, at: usize, held: Held) -> Option<bool> {
    let lane = &core.io;
    if let Begin::Active { searching } = lane.idle.begin(at) {
        return Some(searching);
    }
    // The guest may want its slot, which must not go back parked. And the carrier
    // before a hand-off may have parked the slot while the one after it was at
    // work, and left entries to itself.
    let keeps = lane.slots[at].holder.boundary(held) == Boundary::Keep;
    let stays = keeps && !lane.queue.has_work(lane.idle.floor(at));
    (!stays).then(|| take_off(core, at))
}

/// Takes a slot off the list of the parked, if it is there. Whether it counts
/// as searching now.
fn take_off(core: &Core, at: usize) -> bool {
    loop {
        // Either it is still listed, or somebody has just woken it.
        if let Park::Work { searching } = core.io.idle.unpark(at) {
            core.sentinel.rouse();
            return searching;
        }
        if let Begin::Active { searching } = core.io.idle.begin(at) {
            return searching;
        }
    }
}

/// Makes a slot neither parked nor searching.
pub(crate) fn activate(core: &Core, at: usize) {
    if take_off(core, at) {
        stop_searching(core);
    }
}

/// The last searcher that stops searching wakes the next if there is more. As
/// for a lone entry in the own ring (see [`Core::enqueue`]), nobody is woken for
/// a single one: the carrier comes to it after the poll that it is about to
/// begin, and if that lasts, the sentinel sees to it within two ticks. (Woken
/// for one, a second worker took turns with the first and with the client on two
/// cores: TCP echo over 16 connections at 0.8 of Tokio, p99 at 5 times.)
fn stop_searching(core: &Core) {
    let lane = &core.io;
    let enough = if core.config.promotion { 2 } else { 1 };
    if lane.idle.found() && lane.queue.has_entries(enough) {
        lane.notify(core, lane.queue.top().unwrap_or(0));
    }
}
