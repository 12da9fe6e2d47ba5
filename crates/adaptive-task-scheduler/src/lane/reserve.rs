//! The reserves of the CPU lane: threads beyond its places, that run what is more
//! important than a task which lends its core.
//!
//! It owns: the reserves, started on first use and kept, and the counts of threads
//! on their way to an entry and of threads beyond the permits. The protocol of a
//! loan is in [`super::loan`].

use super::{
    Lane,
    loan::{self, Loan},
    seat::Seat,
    thread,
};
use crate::{
    core::Core,
    counters::bump,
    primitives::Mutex,
    task::current::{Carry, Carrying},
};
use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    thread::Thread,
};

#[derive(Debug, Default)]
pub(crate) struct Reserves {
    lists: Mutex<Lists>,
    /// Threads on their way to an entry that is still queued.
    arriving: AtomicUsize,
    /// Recalled reserves that are still in a poll without a permit of their own.
    pub(super) overdrawn: AtomicUsize,
    /// The tick at which no thread could be had.
    failed: AtomicU32,
}

#[derive(Debug, Default)]
struct Lists {
    all: Vec<Arc<Reserve>>,
    free: Vec<Arc<Reserve>>,
}

#[derive(Debug, Default)]
pub(super) struct Reserve {
    pub(super) seat: Arc<Seat>,
    thread: OnceLock<Thread>,
    loan: Mutex<Option<Arc<Loan>>>,
}

impl Reserves {
    /// One more thread is on its way. How many there were.
    pub(crate) fn set_out(&self) -> usize {
        self.arriving.fetch_add(1, Ordering::SeqCst)
    }

    /// It has arrived.
    pub(crate) fn arrive(&self) {
        self.arriving.fetch_sub(1, Ordering::SeqCst);
    }

    /// How many threads compute beyond the permits.
    pub(crate) fn overdrawn(&self) -> usize {
        self.overdrawn.load(Ordering::Relaxed)
    }

    pub(crate) fn seats(&self) -> Vec<Arc<Seat>> {
        let lists = self.lists.lock();
        lists
            .all
            .iter()
            .map(|each| Arc::clone(&each.seat))
            .collect()
    }

    pub(crate) fn wake_all(&self) {
        for reserve in &self.lists.lock().all {
            reserve.wake();
        }
    }

    /// Hands a loan to a free reserve or to a new one.
    pub(super) fn lend(&self, core: &Arc<Core>, loan: &Arc<Loan>) -> Option<Arc<Reserve>> {
        let free = self.lists.lock().free.pop();
        if let Some(reserve) = free {
            *reserve.loan.lock() = Some(Arc::clone(loan));
            reserve.wake();
            return Some(reserve);
        }
        let now = core.last_tick();
        if self.failed.load(Ordering::Relaxed) == now {
            return None;
        }
        let reserve = Arc::new(Reserve::default());
        *reserve.loan.lock() = Some(Arc::clone(loan));
        let own = Arc::clone(&reserve);
        // Listed before it starts: it may have served its loan and parked before
        // this thread goes on, and the scheduler's end wakes whoever is listed.
        self.lists.lock().all.push(Arc::clone(&reserve));
        if thread::start_computing(core, thread::RESERVE, move |core| carry(core, &own)).is_err() {
            let mut lists = self.lists.lock();
            lists.all.retain(|each| !Arc::ptr_eq(each, &reserve));
            self.failed.store(now, Ordering::Relaxed);
            return None;
        }
        Some(reserve)
    }
}

impl Reserve {
    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

/// The life of a reserve's thread.
fn carry(core: &Arc<Core>, reserve: &Arc<Reserve>) {
    Core::leave(&reserve.thread, std::thread::current);
    loan::mark_thread();
    let carrying = Carrying {
        core: Arc::clone(core),
        seat: Arc::clone(&reserve.seat),
        tenure: None,
        is_guest: false,
    };
    let _carry = Carry::begin(carrying.clone());
    while !core.is_ending() {
        let loan = reserve.loan.lock().take();
        match loan {
            Some(loan) => {
                serve(&carrying, &loan);
                core.cpu
                    .reserves
                    .lists
                    .lock()
                    .free
                    .push(Arc::clone(reserve));
                loan.close(&core.cpu.reserves);
            }
            None => std::thread::park(),
        }
    }
}

/// Takes and polls what is more important than the lender.
fn serve(carrying: &Carrying, loan: &Loan) {
    let core = &carrying.core;
    let lane = &core.cpu;
    bump(&core.counters.gave_way);
    let mut arrived = false;
    while !core.is_ending() && loan.is_open() && !loan.is_overdue(core) {
        let taken = lane.queue.pick(None, loan.floor());
        if !std::mem::replace(&mut arrived, true) {
            lane.reserves.arrive();
        }
        let Some(taken) = taken else { return };
        thread::run_one(carrying, taken, Lane::Cpu);
    }
    if !arrived {
        lane.reserves.arrive();
    }
}
