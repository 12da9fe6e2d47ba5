//! A gate stops threads until the test opens it.
//!
//! The test keeps the [`Gate`], the threads get [`Door`]s. A gate that is
//! dropped opens, so that a failing test leaves no thread behind it and no
//! runtime waits for one.

use super::LIMIT;
use std::{
    sync::{Arc, Condvar, Mutex, PoisonError, atomic::AtomicBool, atomic::Ordering},
    time::Instant,
};

#[derive(Debug)]
struct State {
    what: &'static str,
    open: AtomicBool,
    arrived: Mutex<usize>,
    changed: Condvar,
}

impl State {
    fn wait_while(&self, goal: &str, waits: impl Fn(usize) -> bool) {
        let arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        let (arrived, timeout) = self
            .changed
            .wait_timeout_while(arrived, LIMIT, |arrived| waits(*arrived))
            .unwrap_or_else(PoisonError::into_inner);
        let arrivals = *arrived;
        drop(arrived);
        let what = self.what;
        assert!(
            !timeout.timed_out(),
            "{what}: waited {LIMIT:?} in vain until {goal} ({arrivals} arrived)"
        );
    }

    fn arrive(&self) {
        *self.arrived.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }

    fn open(&self) {
        let arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        self.open.store(true, Ordering::Release);
        self.changed.notify_all();
        drop(arrived);
    }

    fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }
}

/// The test's end: opens.
#[derive(Debug)]
pub(crate) struct Gate(Arc<State>);

impl Gate {
    pub(crate) fn closed(what: &'static str) -> Self {
        Self(Arc::new(State {
            what,
            open: AtomicBool::new(false),
            arrived: Mutex::new(0),
            changed: Condvar::new(),
        }))
    }

    pub(crate) fn door(&self) -> Door {
        Door(Arc::clone(&self.0))
    }

    /// Waits until that many threads have come to the gate.
    pub(crate) fn wait_for_arrivals(&self, count: usize) {
        self.0
            .wait_while("enough had arrived", |arrived| arrived < count);
    }

    /// How many threads have come to the gate.
    pub(crate) fn arrivals(&self) -> usize {
        *self
            .0
            .arrived
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn open(&self) {
        self.0.open();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
    }
}

/// A thread's end: passes.
#[derive(Debug, Clone)]
pub(crate) struct Door(Arc<State>);

impl Door {
    /// Sleeps in the kernel until the gate is open.
    pub(crate) fn pass(&self) {
        self.0.arrive();
        let state = &self.0;
        state.wait_while("it was opened", |_| !state.is_open());
    }

    /// Computes until the gate is open.
    pub(crate) fn spin(&self) {
        self.0.arrive();
        let end = Instant::now() + LIMIT;
        while !self.0.is_open() {
            assert!(
                Instant::now() < end,
                "{}: spun {LIMIT:?} in vain",
                self.0.what
            );
            std::hint::spin_loop();
        }
    }

    /// Opens the gate from inside a task.
    pub(crate) fn open(&self) {
        self.0.open();
    }
}
