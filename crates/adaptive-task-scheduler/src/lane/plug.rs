//! The plug: keeps the spare worker of a runtime of our own parked.
//!
//! A runtime of our own has one worker more than slots, so that somebody can
//! drive I/O and timers when every slot is stuck. In ordinary times that spare
//! would take the I/O events itself and wake the others for them: 394,000
//! context switches instead of 12,000, and half of the throughput. So a Tokio
//! task of ours, the plug, parks its worker's thread until a slot is stuck, and
//! again when none is any more.
//!
//! The worker that polls the plug has an empty LIFO slot, since Tokio empties
//! that first; what is in its queue others can steal. If it was the last to
//! drive I/O, nobody takes over by himself, so whoever plugs must nudge Tokio
//! with an empty spawn afterwards.

use std::{
    future::poll_fn,
    sync::{Arc, Condvar, Mutex, PoisonError},
    task::{Poll, Waker},
};

#[derive(Debug, Default)]
struct State {
    /// The spare is to be parked.
    wanted: bool,
    /// The spare is parked.
    is_in: bool,
    ended: bool,
    waker: Option<Waker>,
}

#[derive(Debug, Default)]
pub(crate) struct Plug {
    state: Mutex<State>,
    changed: Condvar,
}

impl Plug {
    fn change(&self, change: impl FnOnce(&mut State)) -> Option<Waker> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        self.changed.notify_all();
        state.waker.clone()
    }

    /// Parks the spare worker, as soon as one is free for it.
    pub(crate) fn push_in(&self) {
        let waker = self.change(|state| state.wanted = true);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Lets the spare worker go.
    pub(crate) fn pull_out(&self) {
        self.change(|state| state.wanted = false);
    }

    pub(crate) fn end(&self) {
        let waker = self.change(|state| {
            state.wanted = false;
            state.ended = true;
        });
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Waits until the spare worker is parked, or the plug has ended.
    pub(crate) fn wait_until_in(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.wanted && !state.is_in && !state.ended {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The Tokio task that parks whichever worker polls it.
    pub(crate) async fn sit(self: Arc<Self>) {
        poll_fn(|cx| {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.waker = Some(cx.waker().clone());
            while state.wanted {
                state.is_in = true;
                self.changed.notify_all();
                state = self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            state.is_in = false;
            if state.ended {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}
