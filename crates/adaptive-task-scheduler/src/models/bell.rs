//! What a waker is to a carrier: however often it is rung, it wakes once.

use crate::primitives::Mutex;
#[cfg(ats_loom)]
use loom::sync::Condvar;
#[cfg(ats_shuttle)]
use shuttle::sync::Condvar;
use std::{
    sync::Arc,
    task::{Wake, Waker},
};

#[derive(Debug)]
pub(crate) struct Bell {
    is_rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    pub(crate) fn new() -> Self {
        Self {
            is_rung: Mutex::new(false),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn ring(&self) {
        *self.is_rung.lock() = true;
        self.changed.notify_one();
    }

    /// Waits until it is rung. A checker reports a deadlock if that never
    /// happens, which is how a lost wake-up is found.
    pub(crate) fn wait(&self) {
        let mut is_rung = self.is_rung.lock();
        while !std::mem::take(&mut *is_rung) {
            is_rung = match self.changed.wait(is_rung) {
                Ok(is_rung) => is_rung,
                Err(poisoned) => poisoned.into_inner(),
            };
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}

/// A bell, and the waker that rings it.
pub(crate) fn bell_and_waker() -> (Arc<Bell>, Waker) {
    let bell = Arc::new(Bell::new());
    (Arc::clone(&bell), Waker::from(bell))
}
