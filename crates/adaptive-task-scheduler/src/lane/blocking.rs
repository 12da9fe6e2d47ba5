//! The blocking lane: Tokio's own elastic pool of blocking threads, bounded.
//!
//! It owns: the queue, and the number of runners. A runner is one job of
//! Tokio's pool; it takes the best ready task, polls it, and goes on until
//! nothing is ready. There are never more than `limit` runners.
//!
//! Protocol: whoever pushes tries to add a runner. A runner that finds nothing
//! stops counting first and looks once more afterwards; so an entry pushed in
//! between is seen by one of the two.

use super::{seat::Seat, thread};
use crate::{
    core::Core,
    event::Event,
    lane::Lane,
    primitives::Mutex,
    queue::ready::ReadyQueue,
    task::current::{Carry, Carrying},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
};

#[derive(Debug)]
pub(crate) struct BlockingLane {
    pub(crate) queue: ReadyQueue,
    runners: AtomicUsize,
    /// Of the runners at work.
    seats: Mutex<Vec<Arc<Seat>>>,
    limit: usize,
    /// The tick at which nothing was overdue.
    ageing: AtomicU32,
}

impl BlockingLane {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            queue: ReadyQueue::new(0),
            runners: AtomicUsize::new(0),
            seats: Mutex::new(Vec::new()),
            limit,
            ageing: AtomicU32::new(0),
        }
    }

    /// How many runners there are.
    pub(crate) fn runners(&self) -> usize {
        self.runners.load(Ordering::Relaxed)
    }

    /// How many of them are in a poll.
    pub(crate) fn polling(&self) -> usize {
        let seats = self.seats.lock();
        seats.iter().filter(|seat| seat.look().is_polling()).count()
    }

    /// Calls `act` for the seat of each runner at work.
    pub(crate) fn for_each_seat(&self, act: impl FnMut(&Arc<Seat>)) {
        self.seats.lock().iter().for_each(act);
    }

    /// Adds a runner if there is work and room.
    pub(crate) fn notify(&self, core: &Core) {
        if !self.queue.has_work(0) || core.is_ending() {
            return;
        }
        let next = |runners: usize| (runners < self.limit).then_some(runners + 1);
        if self
            .runners
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, next)
            .is_err()
        {
            return;
        }
        let Some(core) = core.me() else { return };
        core.sentinel.rouse();
        let runner = Runner {
            core: Arc::clone(&core),
            seat: Arc::default(),
            has_run: false,
        };
        // Tokio panics if it cannot start its first thread. The task stays
        // queued, and the sentinel tries again.
        let spawned = catch_unwind(AssertUnwindSafe(|| {
            core.handle.spawn_blocking(move || runner.run());
        }));
        if spawned.is_err() {
            let error = "Tokio could not start a blocking thread".to_owned();
            core.events.emit(|at| Event::ThreadFailed {
                at,
                purpose: "blocking",
                error,
            });
            core.sentinel.rouse();
        }
    }
}

/// One place among the runners, given up when dropped, also when Tokio drops
/// the job unrun because its runtime is shutting down.
struct Runner {
    core: Arc<Core>,
    seat: Arc<Seat>,
    has_run: bool,
}

impl Runner {
    fn run(mut self) {
        self.has_run = true;
        self.core.blocking.seats.lock().push(Arc::clone(&self.seat));
        let carrying = Carrying {
            core: Arc::clone(&self.core),
            seat: Arc::clone(&self.seat),
            tenure: None,
            is_guest: false,
        };
        let _carry = Carry::begin(carrying.clone());
        let core = &self.core;
        let lane = &core.blocking;
        for turn in 0.. {
            let next = core.pick_from(&lane.queue, &lane.ageing, None, 0, turn);
            match next {
                Some(taken) if !core.is_ending() => {
                    thread::run_one(&carrying, taken, Lane::Blocking);
                }
                _ => return,
            }
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let mut seats = self.core.blocking.seats.lock();
        seats.retain(|seat| !Arc::ptr_eq(seat, &self.seat));
        drop(seats);
        self.core.blocking.runners.fetch_sub(1, Ordering::SeqCst);
        // One that Tokio refused must not ask Tokio again at once.
        if self.has_run {
            self.core.blocking.notify(&self.core);
        }
    }
}
