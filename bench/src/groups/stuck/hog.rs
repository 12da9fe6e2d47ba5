//! What holds a worker: a sleeping thread, a spinning one, or one that waits for
//! a `std::sync::Mutex`.

use std::{
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
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

/// A thread of ours always holds one of two mutexes, each for `length`, and takes
/// the next before it lets go of the last: whoever wants the one that is held now
/// has to wait. With a single mutex, tasks that take it in a tight loop would keep
/// the thread from ever getting it back.
fn blocked_on_mutex(length: Duration) -> Block {
    let mutexes = Arc::new([Mutex::new(()), Mutex::new(())]);
    let held = Arc::new(AtomicUsize::new(0));
    let (theirs, now) = (mutexes.clone(), held.clone());
    thread::spawn(move || {
        let mut last = lock(&mutexes[0]);
        for turn in 1_usize.. {
            thread::sleep(length);
            let next = lock(&mutexes[turn % 2]);
            held.store(turn % 2, Relaxed);
            drop(mem::replace(&mut last, next));
        }
    });
    Arc::new(move || drop(lock(&theirs[now.load(Relaxed)])))
}

fn lock(mutex: &Mutex<()>) -> MutexGuard<'_, ()> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
