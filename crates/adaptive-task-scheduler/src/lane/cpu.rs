//! The CPU lane: threads of its own, as many as there are cores, best level
//! first.
//!
//! It owns: the queue, the list of idle threads, and the threads, which are
//! started when there is first work for them and stay.
//!
//! Permits: a poll that computes on the I/O lane while its slot was handed on
//! uses a core. The sentinel lowers the number of permits by the number of such
//! hogs; a thread without a permit gets a floor above every level, so it takes
//! nothing and is not woken.

use super::{
    idle::{Begin, Idle, Park},
    seat::Seat,
    thread,
};
use crate::{
    core::Core,
    lane::Lane,
    priority::LEVELS,
    queue::ready::ReadyQueue,
    task::current::{Carry, Carrying},
};
use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
    thread::Thread,
};

#[derive(Debug)]
struct Place {
    seat: Arc<Seat>,
    thread: OnceLock<Thread>,
    /// Its thread has been started, or is just being.
    started: AtomicBool,
}

#[derive(Debug)]
pub(crate) struct CpuLane {
    pub(crate) queue: ReadyQueue,
    idle: Idle,
    /// The tick at which nothing was overdue.
    ageing: AtomicU32,
    places: Box<[Place]>,
    /// How many places have no thread yet, as a hint.
    unstarted: AtomicUsize,
}

impl CpuLane {
    pub(crate) fn new(threads: usize) -> Self {
        let place = |_| Place {
            seat: Arc::default(),
            thread: OnceLock::new(),
            started: AtomicBool::new(false),
        };
        Self {
            queue: ReadyQueue::new(0),
            idle: Idle::new(threads),
            ageing: AtomicU32::new(0),
            places: (0..threads).map(place).collect(),
            unstarted: AtomicUsize::new(threads),
        }
    }

    pub(crate) fn threads(&self) -> usize {
        self.places.len()
    }

    /// How many of the threads have been started.
    pub(crate) fn started(&self) -> usize {
        let unstarted = self.unstarted.load(Ordering::Relaxed);
        self.places.len().saturating_sub(unstarted)
    }

    /// Whether one of the threads is in a poll.
    pub(crate) fn is_polling(&self) -> bool {
        self.seats().any(|seat| seat.look().is_polling())
    }

    pub(crate) fn seats(&self) -> impl Iterator<Item = &Arc<Seat>> {
        self.places.iter().map(|place| &place.seat)
    }

    /// Wakes or starts a thread for new work at `level`.
    pub(crate) fn notify(&self, core: &Core, level: u8) {
        if let Some(at) = self.idle.notify(level) {
            core.sentinel.rouse();
            self.wake(at);
        } else if self.unstarted.load(Ordering::Relaxed) > 0 && self.queue.has_work(0) {
            self.start_one(core);
        }
    }

    /// Whether no thread has been started but the one that is just being.
    pub(crate) fn is_starting_first(&self) -> bool {
        self.unstarted.load(Ordering::Relaxed) + 1 == self.places.len()
    }

    fn start_one(&self, core: &Core) {
        let is_free = |&at: &usize| {
            let may_work = usize::from(self.idle.floor(at)) < LEVELS;
            may_work && !self.places[at].started.swap(true, Ordering::AcqRel)
        };
        let Some(at) = (0..self.places.len()).find(is_free) else {
            return;
        };
        let Some(core) = core.me() else { return };
        self.unstarted.fetch_sub(1, Ordering::Relaxed);
        core.sentinel.rouse();
        if thread::start(&core, thread::CPU, move |core| carry(core, at)).is_err() {
            self.places[at].started.store(false, Ordering::Release);
            self.unstarted.fetch_add(1, Ordering::Relaxed);
            // It tries again.
            core.sentinel.rouse();
        }
    }

    fn wake(&self, at: usize) {
        if let Some(thread) = self.places[at].thread.get() {
            thread.unpark();
        }
    }

    pub(crate) fn wake_all(&self) {
        (0..self.places.len()).for_each(|at| self.wake(at));
    }

    /// Lets only `permits` threads take work: of those that are not `busy` with a
    /// long task as many as are left, but at least one.
    pub(crate) fn set_permits(&self, core: &Core, permits: usize, busy: impl Fn(usize) -> bool) {
        let at_work = (0..self.places.len()).filter(|&at| busy(at)).count();
        let mut left = permits.saturating_sub(at_work).max(1);
        for at in 0..self.places.len() {
            let floor = if busy(at) || left > 0 {
                0
            } else {
                LEVELS as u8
            };
            left -= usize::from(!busy(at) && left > 0);
            if self.idle.floor(at) != floor {
                self.idle.set_floor(at, floor);
            }
        }
        if self.queue.has_work(0) {
            self.notify(core, LEVELS as u8 - 1);
        }
    }
}

/// The life of one CPU thread.
fn carry(core: &Arc<Core>, at: usize) {
    let place = &core.cpu.places[at];
    Core::leave(&place.thread, std::thread::current);
    let seat = Arc::clone(&place.seat);
    let carrying = Carrying {
        core: Arc::clone(core),
        seat,
        tenure: None,
        is_guest: false,
    };
    let _carry = Carry::begin(carrying.clone());
    while !core.is_ending() {
        match core.cpu.idle.begin(at) {
            Begin::StillParked => std::thread::park(),
            Begin::Active { searching } => work(&carrying, at, searching),
        }
    }
}

/// Takes and polls tasks until there is nothing to do.
fn work(carrying: &Carrying, at: usize, mut searching: bool) {
    let core = &carrying.core;
    let lane = &core.cpu;
    for turn in 0.. {
        if core.is_ending() {
            return;
        }
        match core.pick_from(&lane.queue, &lane.ageing, None, lane.idle.floor(at), turn) {
            Some(taken) => {
                if std::mem::take(&mut searching) && lane.idle.found() && lane.queue.has_work(0) {
                    lane.notify(core, taken.level);
                }
                thread::run_one(carrying, taken, Lane::Cpu);
            }
            None => match lane
                .idle
                .park(at, searching, |floor| lane.queue.has_work(floor))
            {
                Park::Parked => return,
                Park::Work { searching: now } => searching = now,
            },
        }
    }
}
