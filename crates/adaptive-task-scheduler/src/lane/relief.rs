//! The reliefs: threads that carry slots whose guest is stuck.
//!
//! It owns: all relief threads, and which of them are spare. One spare is
//! started with the scheduler, so that the first hand-off need not start a
//! thread (a parked spare runs in 4 us; a new thread in 20 us, 4 ms under load,
//! and starting it can fail).
//!
//! States of a relief: spare (no assignment) -> assigned a slot -> carrying it
//! -> spare again, when the slot was given back or handed on. A spare may be
//! retired; then its thread ends.

use super::{
    holder::{Held, Tenure},
    io::{self, Stop},
    seat::Seat,
    thread,
};
use crate::{
    core::Core,
    primitives::Mutex,
    task::current::{Carry, Carrying},
};
use std::{
    sync::{Arc, OnceLock},
    task::{Context, Poll, Waker},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Assignment {
    Spare,
    Slot(usize, Held),
    Retired,
}

#[derive(Debug)]
struct Relief {
    seat: Arc<Seat>,
    waker: OnceLock<Waker>,
    assignment: Mutex<Assignment>,
}

impl Relief {
    fn new() -> Self {
        Self {
            seat: Arc::default(),
            waker: OnceLock::new(),
            assignment: Mutex::new(Assignment::Spare),
        }
    }

    fn wake(&self) {
        // Before its first poll there is no waker, and that poll looks at the
        // assignment anyway.
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Reliefs(Mutex<Pool>);

#[derive(Debug, Default)]
struct Pool {
    /// By number; the place of a retired relief is given to the next.
    all: Vec<Arc<Relief>>,
    spare: Vec<usize>,
    vacant: Vec<usize>,
}

impl Reliefs {
    fn get(&self, number: usize) -> Option<Arc<Relief>> {
        self.0.lock().all.get(number).cloned()
    }

    /// Takes a spare relief, or starts one. `None` if that failed.
    pub(crate) fn take(&self, core: &Arc<Core>) -> Option<usize> {
        if let Some(number) = self.0.lock().spare.pop() {
            return Some(number);
        }
        self.start(core)
    }

    /// Starts one relief as a spare.
    pub(crate) fn start_spare(&self, core: &Arc<Core>) -> Option<usize> {
        let number = self.start(core)?;
        self.0.lock().spare.push(number);
        Some(number)
    }

    fn start(&self, core: &Arc<Core>) -> Option<usize> {
        let relief = Arc::new(Relief::new());
        let number = self.admit(&relief);
        let started = thread::start(core, thread::RELIEF, move |core| {
            live(core, number, &relief)
        });
        if started.is_err() {
            self.0.lock().vacant.push(number);
        }
        started.ok().map(|_| number)
    }

    fn admit(&self, relief: &Arc<Relief>) -> usize {
        let mut pool = self.0.lock();
        if let Some(number) = pool.vacant.pop() {
            pool.all[number] = Arc::clone(relief);
            number
        } else {
            pool.all.push(Arc::clone(relief));
            pool.all.len() - 1
        }
    }

    /// Gives a relief that was taken the slot that it now holds.
    pub(crate) fn assign(&self, number: usize, slot: usize, held: Held) {
        if let Some(relief) = self.get(number) {
            *relief.assignment.lock() = Assignment::Slot(slot, held);
            relief.wake();
        }
    }

    /// Puts a relief back that was taken and not assigned.
    pub(crate) fn put_back(&self, number: usize) {
        self.0.lock().spare.push(number);
    }

    pub(crate) fn wake(&self, number: usize) {
        if let Some(relief) = self.get(number) {
            relief.wake();
        }
    }

    pub(crate) fn wake_all(&self) {
        let all = self.0.lock().all.clone();
        all.iter().for_each(|relief| relief.wake());
    }

    pub(crate) fn seat(&self, number: usize) -> Option<Arc<Seat>> {
        self.get(number).map(|relief| Arc::clone(&relief.seat))
    }

    pub(crate) fn seats(&self) -> Vec<Arc<Seat>> {
        self.0
            .lock()
            .all
            .iter()
            .map(|relief| Arc::clone(&relief.seat))
            .collect()
    }

    /// Calls `act` for the seat of each relief.
    pub(crate) fn for_each_seat(&self, mut act: impl FnMut(&Arc<Seat>)) {
        let pool = self.0.lock();
        pool.all.iter().for_each(|relief| act(&relief.seat));
    }

    pub(crate) fn spares(&self) -> usize {
        self.0.lock().spare.len()
    }

    /// Ends the thread of one spare.
    pub(crate) fn retire_one(&self) {
        let Some(number) = self.0.lock().spare.pop() else {
            return;
        };
        if let Some(relief) = self.get(number) {
            *relief.assignment.lock() = Assignment::Retired;
            relief.wake();
        }
    }
}

/// The life of one relief.
fn live(core: &Arc<Core>, number: usize, relief: &Relief) {
    thread::drive(core, |cx| step(core, number, relief, cx));
    let mut pool = core.io.reliefs.0.lock();
    pool.vacant.push(number);
}

fn step(core: &Arc<Core>, number: usize, relief: &Relief, cx: &mut Context<'_>) -> Poll<()> {
    Core::leave(&relief.waker, || cx.waker().clone());
    loop {
        let assignment = *relief.assignment.lock();
        let (slot, held) = match assignment {
            Assignment::Slot(slot, held) => (slot, held),
            Assignment::Retired => return Poll::Ready(()),
            Assignment::Spare if core.is_ending() => return Poll::Ready(()),
            Assignment::Spare => return Poll::Pending,
        };
        match carry(core, relief, slot, held) {
            Stop::Parked => return Poll::Pending,
            Stop::Breathe => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Stop::Ending => return Poll::Ready(()),
            Stop::GiveBack => {
                rest(core, number, relief);
                core.give_back(slot, held);
            }
            Stop::Lost => rest(core, number, relief),
        }
    }
}

fn carry(core: &Arc<Core>, relief: &Relief, slot: usize, held: Held) -> Stop {
    let carrying = Carrying {
        core: Arc::clone(core),
        seat: Arc::clone(&relief.seat),
        tenure: Some(Tenure { slot, held }),
        is_guest: false,
    };
    let _carry = Carry::begin(carrying.clone());
    io::carry(&carrying, slot, held)
}

fn rest(core: &Core, number: usize, relief: &Relief) {
    *relief.assignment.lock() = Assignment::Spare;
    core.io.reliefs.put_back(number);
}
