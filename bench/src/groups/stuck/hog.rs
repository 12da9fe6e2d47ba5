//! What holds a worker: a sleeping thread, a spinning one, or one that waits for
//! a `std::sync::Mutex`.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use crate::work;

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Sleep,
    Spin,
    Mutex,
}

/// How a worker is held, and for how long at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hog {
    pub(super) kind: Kind,
    pub(super) length: Duration,
}

/// A block, ready to be run by any thread any number of times.
pub(super) type Block = Arc<dyn Fn() + Send + Sync>;

/// How long the holder leaves the mutex free, so that all who wait get it in
/// turn. Without it the holder would take it back before any of them is awake.
const LET_GO: Duration = Duration::from_micros(100);

impl Hog {
    /// The block, and the number of helper threads that it needed.
    pub(super) fn block(self) -> (Block, usize) {
        let length = self.length;
        match self.kind {
            Kind::Sleep => (Arc::new(move || thread::sleep(length)), 0),
            Kind::Spin => (Arc::new(move || work::spin(length)), 0),
            Kind::Mutex => (blocked_on_mutex(length), 1),
        }
    }
}

/// A thread of ours holds the mutex nearly always, for `length` at a time.
fn blocked_on_mutex(length: Duration) -> Block {
    let mutex = Arc::new(Mutex::new(()));
    let held = mutex.clone();
    thread::spawn(move || {
        loop {
            let guard = held.lock().unwrap_or_else(PoisonError::into_inner);
            thread::sleep(length);
            drop(guard);
            thread::sleep(LET_GO);
        }
    });
    Arc::new(move || drop(mutex.lock().unwrap_or_else(PoisonError::into_inner)))
}
