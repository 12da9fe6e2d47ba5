//! The CPU lane: threads of its own, as many as there are cores, best level
//! first.
//!
//! It owns: the queue, the list of idle threads, and the threads, which are
//! started when there is first work for them and stay.
//!
//! Permits: a poll that computes on the I/O lane while its slot was handed on
//! uses a core. The sentinel lowers the number of permits by the number of such
//! hogs; a thread without a permit gets a floor above every level, so it takes
//! nothing and is not woken. Permits that are free may be borrowed (see
//! [`super::permit`]), and a task at a checkpoint lends its own to what is more
//! important (see [`super::loan`]).

use super::{
    idle::{Begin, CLOSED, Idle, Park},
    loan,
    permit::Lent,
    reserve::Reserves,
    seat::Seat,
    thread,
};
use crate::{
    core::Core,
    lane::Lane,
    primitives,
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
    /// Of each place. Whoever changes floors holds this.
    lent: primitives::Mutex<Box<[Lent]>>,
    pub(crate) reserves: Reserves,
    #[cfg(feature = "rayon")]
    pub(crate) pools: super::pool::Pools,
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
            lent: primitives::Mutex::new(vec![Lent::No; threads].into()),
            reserves: Reserves::default(),
            #[cfg(feature = "rayon")]
            pools: super::pool::Pools::default(),
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

    /// How many threads are parked, or on their way to an entry.
    pub(crate) fn at_hand(&self) -> usize {
        self.idle.at_hand()
    }

    /// How many permits are used elsewhere than on their own threads.
    pub(crate) fn lent_places(&self) -> usize {
        let lent = self.lent.lock();
        lent.iter().filter(|&&each| each != Lent::No).count()
    }

    /// Takes a permit that nobody uses, for somebody else to use.
    pub(crate) fn lend_place(&self) -> Option<usize> {
        let mut lent = self.lent.lock();
        if let Some(at) = self.idle.close_one() {
            lent[at] = Lent::Closed;
            return Some(at);
        }
        let at = self.claim_unstarted()?;
        lent[at] = Lent::Unstarted;
        Some(at)
    }

    /// Whether a thread that may work is neither parked nor in a poll.
    #[cfg(feature = "rayon")]
    pub(crate) fn is_anybody_settling(&self) -> bool {
        let lent = self.lent.lock();
        let is_settling = |at: usize| {
            let place = &self.places[at];
            lent[at] == Lent::No
                && place.started.load(Ordering::Acquire)
                && self.idle.wakes_if_astir(at).is_some()
                && !place.seat.look().is_polling()
        };
        (0..self.places.len()).any(is_settling)
    }

    pub(crate) fn take_place_back(&self, at: usize) {
        let mut lent = self.lent.lock();
        match std::mem::take(&mut lent[at]) {
            Lent::No => unreachable!("only what was lent is given back"),
            Lent::Closed => self.idle.set_floor(at, 0),
            Lent::Unstarted => self.unclaim(at),
        }
    }

    /// Takes a place whose thread was never started.
    fn claim_unstarted(&self) -> Option<usize> {
        let is_free = |&at: &usize| {
            self.idle.floor(at) < CLOSED && !self.places[at].started.swap(true, Ordering::AcqRel)
        };
        let at = (0..self.places.len()).find(is_free)?;
        self.unstarted.fetch_sub(1, Ordering::Relaxed);
        Some(at)
    }

    fn unclaim(&self, at: usize) {
        self.places[at].started.store(false, Ordering::Release);
        self.unstarted.fetch_add(1, Ordering::Relaxed);
    }

    fn start_one(&self, core: &Core) {
        let Some(core) = core.me() else { return };
        let Some(at) = self.claim_unstarted() else {
            return;
        };
        core.sentinel.rouse();
        self.reserves.set_out();
        if thread::start_computing(&core, thread::CPU, move |core| carry(core, at)).is_err() {
            self.reserves.arrive();
            self.unclaim(at);
            // It tries again.
            core.sentinel.rouse();
        }
    }

    fn wake(&self, at: usize) {
        if let Some(thread) = self.places[at].thread.get() {
            thread.unpark();
        }
    }

    /// The scheduler is ending.
    pub(crate) fn end(&self) {
        #[cfg(feature = "rayon")]
        self.pools.end();
        (0..self.places.len()).for_each(|at| self.wake(at));
        self.reserves.wake_all();
    }

    /// Lets only `permits` threads take work: of those that are not `busy` with a
    /// long task as many as are left, but at least one.
    pub(crate) fn set_permits(&self, core: &Core, permits: usize, busy: impl Fn(usize) -> bool) {
        let lent = self.lent.lock();
        let is_lent = |at: usize| lent[at] != Lent::No;
        let is_used = |at: usize| is_lent(at) || busy(at);
        let at_work = (0..self.places.len()).filter(|&at| is_used(at)).count();
        let mut left = permits.saturating_sub(at_work).max(1);
        for at in (0..self.places.len()).filter(|&at| !is_lent(at)) {
            let floor = if busy(at) || left > 0 { 0 } else { CLOSED };
            left -= usize::from(!busy(at) && left > 0);
            if self.idle.floor(at) != floor {
                self.idle.set_floor(at, floor);
            }
        }
        drop(lent);
        if self.queue.has_work(0) {
            self.notify(core, LEVELS as u8 - 1);
        }
    }
}

/// The life of one CPU thread.
fn carry(core: &Arc<Core>, at: usize) {
    let place = &core.cpu.places[at];
    Core::leave(&place.thread, std::thread::current);
    core.cpu.reserves.arrive();
    loan::mark_thread();
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
