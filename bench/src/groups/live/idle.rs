//! Tasks that do nothing but live: a future of a known size that counts its
//! polls and its end, and the thread that waits for so many of them.

use std::{
    pin::Pin,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
    thread::{self, Thread},
};

/// Counts up to a goal and tells the one thread that waits for it.
#[derive(Debug)]
pub(super) struct Goal {
    count: AtomicUsize,
    goal: AtomicUsize,
    waiting: Thread,
}

impl Goal {
    /// For the calling thread to wait for.
    pub(super) fn new(goal: usize) -> Goal {
        Goal {
            count: AtomicUsize::new(0),
            goal: AtomicUsize::new(goal),
            waiting: thread::current(),
        }
    }

    pub(super) fn count(&self) {
        if self.count.fetch_add(1, SeqCst) + 1 == self.goal.load(SeqCst) {
            self.waiting.unpark();
        }
    }

    /// Waits until the goal is reached, and starts again from nothing.
    pub(super) fn reached(&self) {
        while self.count.load(SeqCst) < self.goal.load(SeqCst) {
            thread::park();
        }
        self.count.store(0, SeqCst);
    }
}

/// What the idle tasks of one round share with the thread that measures.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) polled: Goal,
    pub(super) dropped: Goal,
    /// Written by each task at its first poll.
    pub(super) wakers: Box<[OnceLock<Waker>]>,
}

impl Shared {
    /// Kept until the process ends, so that a future needs only a reference.
    pub(super) fn of(tasks: usize) -> &'static Shared {
        Box::leak(Box::new(Shared {
            polled: Goal::new(tasks),
            dropped: Goal::new(tasks),
            wakers: (0..tasks).map(|_| OnceLock::new()).collect(),
        }))
    }
}

/// Never ready.
#[derive(Debug)]
pub(super) struct Idle {
    pub(super) shared: &'static Shared,
    pub(super) index: usize,
}

impl Future for Idle {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.shared.wakers[self.index].get_or_init(|| context.waker().clone());
        self.shared.polled.count();
        Poll::Pending
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        self.shared.dropped.count();
    }
}
