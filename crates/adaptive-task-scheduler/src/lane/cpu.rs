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
    core::{Core, run},
    lane::Lane,
    priority::LEVELS,
    queue::ready::ReadyQueue,
    task::current::{Carry, Carrying},
};
use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

/// How many polls a CPU thread makes before it renews its budget.
const POLLS: usize = 32;

#[derive(Debug)]
struct Place {
    seat: Arc<Seat>,
    waker: OnceLock<Waker>,
}

#[derive(Debug)]
pub(crate) struct CpuLane {
    pub(crate) queue: ReadyQueue,
    idle: Idle,
    places: Box<[Place]>,
    started: AtomicUsize,
}

impl CpuLane {
    pub(crate) fn new(threads: usize) -> Self {
        let place = |_| Place {
            seat: Arc::default(),
            waker: OnceLock::new(),
        };
        Self {
            queue: ReadyQueue::new(0),
            idle: Idle::new(threads),
            places: (0..threads).map(place).collect(),
            started: AtomicUsize::new(0),
        }
    }

    pub(crate) fn threads(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn seats(&self) -> impl Iterator<Item = &Arc<Seat>> {
        self.places.iter().map(|place| &place.seat)
    }

    /// Wakes or starts a thread for new work at `level`.
    pub(crate) fn notify(&self, core: &Core, level: u8) {
        if let Some(at) = self.idle.notify(level) {
            self.wake(at);
        } else if self.started.load(Ordering::Relaxed) < self.places.len() && self.queue.has_work(0)
        {
            self.start_one(core);
        }
    }

    fn start_one(&self, core: &Core) {
        let next = |started: usize| (started < self.places.len()).then_some(started + 1);
        let claimed = self
            .started
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        let (Ok(at), Some(core)) = (claimed, core.me()) else {
            return;
        };
        if thread::start(&core, "cpu", move |core| carry(core, at)).is_err() {
            // Another push, or the sentinel, tries again.
            self.started.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn wake(&self, at: usize) {
        if let Some(waker) = self.places[at].waker.get() {
            waker.wake_by_ref();
        }
    }

    pub(crate) fn wake_all(&self) {
        (0..self.places.len()).for_each(|at| self.wake(at));
    }

    /// Lets only the first `permits` threads take work.
    pub(crate) fn set_permits(&self, core: &Core, permits: usize) {
        for at in 0..self.places.len() {
            let floor = if at < permits { 0 } else { LEVELS as u8 };
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
    let seat = Arc::clone(&core.cpu.places[at].seat);
    let carrying = Carrying {
        core: Arc::clone(core),
        seat,
        tenure: None,
        is_guest: false,
    };
    let _carry = Carry::begin(carrying.clone());
    thread::drive(core, |cx| step(&carrying, at, cx));
}

fn step(carrying: &Carrying, at: usize, cx: &mut Context<'_>) -> Poll<()> {
    let core = &carrying.core;
    let lane = &core.cpu;
    lane.places[at].waker.get_or_init(|| cx.waker().clone());
    let Begin::Active { mut searching } = lane.idle.begin(at) else {
        return if core.is_ending() {
            Poll::Ready(())
        } else {
            Poll::Pending
        };
    };
    for _ in 0..POLLS {
        if core.is_ending() {
            return Poll::Ready(());
        }
        match lane.queue.pick(None, lane.idle.floor(at)) {
            Some(taken) => {
                if std::mem::take(&mut searching) && lane.idle.found() && lane.queue.has_work(0) {
                    lane.notify(core, taken.level);
                }
                run::run(carrying, taken, Lane::Cpu);
            }
            None => match lane
                .idle
                .park(at, searching, |floor| lane.queue.has_work(floor))
            {
                Park::Parked => return Poll::Pending,
                Park::Work { searching: now } => searching = now,
            },
        }
        if !tokio::task::coop::has_budget_remaining() {
            break;
        }
    }
    if searching && lane.idle.found() && lane.queue.has_work(0) {
        lane.notify(core, LEVELS as u8 - 1);
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}
