//! Permits of the CPU lane that are used elsewhere than on its own threads.
//!
//! As many threads of the lane may compute as it has places: each place is a
//! permit. Permits that nobody uses, of threads that are parked or were never
//! started, can be borrowed: by a fork, for the threads of its pool, or by a task
//! that lent its core and goes on. While a permit is borrowed its thread takes
//! nothing and is not woken.
//!
//! Known race, harmless: an entry may be pushed while the thread that would
//! have taken it is just being closed. So whoever borrows looks at the queue
//! afterwards and gives everything back if there is work, and giving back looks
//! once more.

use crate::{core::Core, priority::LEVELS};
use std::sync::Arc;

/// How long a fork waits for threads that are about to park. A guess: a thread
/// starts and parks in less, and a fork that is not worth this is not worth its
/// hop to other threads either.
#[cfg(feature = "rayon")]
const PATIENCE: std::time::Duration = std::time::Duration::from_micros(200);

/// Whether a place's permit is borrowed, and how it is given back.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lent {
    #[default]
    No,
    /// Its thread is closed.
    Closed,
    /// Its thread was never started.
    Unstarted,
}

/// Borrowed permits, given back when dropped.
#[derive(Debug)]
pub(crate) struct Permits {
    core: Arc<Core>,
    places: Vec<usize>,
}

impl Permits {
    /// As [`borrow`](Self::borrow), and waits a little for threads that have
    /// nothing to do and are just about to park.
    #[cfg(feature = "rayon")]
    pub(crate) fn borrow_patiently(core: &Arc<Core>, most: usize) -> Self {
        let begun = std::time::Instant::now();
        loop {
            let permits = Self::borrow(core, most);
            let may_get_more = permits.count() < most
                && core.cpu.is_anybody_settling()
                && !core.cpu.queue.has_work(0);
            if !may_get_more || begun.elapsed() >= PATIENCE {
                return permits;
            }
            drop(permits);
            std::thread::yield_now();
        }
    }

    /// Borrows up to `most` of the permits that nobody uses and no queued task
    /// needs.
    pub(crate) fn borrow(core: &Arc<Core>, most: usize) -> Self {
        let next = || core.cpu.lend_place();
        let mut permits = Self {
            core: Arc::clone(core),
            places: std::iter::from_fn(next).take(most).collect(),
        };
        if core.cpu.queue.has_work(0) {
            permits.give_back();
        }
        permits
    }

    pub(crate) fn count(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn give_back(&mut self) {
        for at in self.places.drain(..) {
            self.core.cpu.take_place_back(at);
            if self.core.cpu.queue.has_work(0) {
                self.core.cpu.notify(&self.core, LEVELS as u8 - 1);
            }
        }
    }
}

impl Drop for Permits {
    fn drop(&mut self) {
        self.give_back();
    }
}
