//! How others reach the sentinel, and how Tokio's workers are reached.

use crate::{
    core::{Core, Home},
    counters::bump,
};
use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread::Thread,
};

/// How others reach the sentinel.
#[derive(Debug, Default)]
pub(crate) struct Doorbell {
    pub(crate) thread: OnceLock<Thread>,
    pub(crate) asleep: AtomicBool,
}

impl Doorbell {
    pub(crate) fn is_asleep(&self) -> bool {
        self.asleep.load(Ordering::Relaxed)
    }

    /// Wakes the sentinel if it sleeps.
    pub(crate) fn rouse(&self) {
        // SeqCst: pairs with the sentinel's store before it looks at the idle
        // list; whoever took a slot off that list before is seen there.
        if self.asleep.load(Ordering::SeqCst) {
            self.ring();
        }
    }

    pub(crate) fn ring(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

impl Core {
    /// Spawns a Tokio task that does nothing: it wakes a worker, which takes the
    /// driver over when it parks.
    ///
    /// That may fail: while one worker searches, another may park without a last
    /// look at the queues, and what is pushed before it is parked wakes nobody.
    /// Tokio relies on the searcher to come back, and one that finds the plug or
    /// a stuck poll does not. So where it matters a nudge is repeated until one
    /// has run, which `nudges_run` tells.
    pub(crate) fn nudge(&self) {
        if matches!(self.home, Home::Threads) {
            // Whoever blocks on a current-thread runtime drives it.
            return;
        }
        if let Some(core) = self.me() {
            bump(&self.nudges);
            drop(self.handle.spawn(async move { bump(&core.nudges_run) }));
        }
    }
}
