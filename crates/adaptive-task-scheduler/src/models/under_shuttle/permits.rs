//! The permits of `sync` under many hands: they wait, give up, take several at a
//! time, split and merge what they have; in the end all is back.

use super::{below, under_pct_schedules, under_random_schedules};
use crate::{
    models::ground::{self, become_task},
    sync::permits::{Permits, WaitFor},
};
use shuttle::{
    future::block_on,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};
use std::{
    future::Future,
    pin::pin,
    task::{Context, Waker},
};

const PERMITS: usize = 3;
const TASKS: u32 = 4;
const ROUNDS: usize = 4;

/// One task of the scene. `taken` counts the permits that all of them have.
fn play(permits: &Permits<2>, taken: &AtomicUsize) {
    for _ in 0..ROUNDS {
        let wanted = 1 + below(PERMITS);
        let mut waiting = Box::pin(permits.acquire(wanted));
        if below(3) == 0 {
            let mut cx = Context::from_waker(Waker::noop());
            let polled = pin!(&mut waiting).poll(&mut cx);
            if polled.is_pending() {
                thread::yield_now();
                drop(waiting);
                continue;
            }
            let hold = match polled {
                std::task::Poll::Ready(hold) => hold.expect("open"),
                std::task::Poll::Pending => unreachable!(),
            };
            permits.release(hold, wanted);
            continue;
        }
        let hold = block_on(waiting).expect("no task holds and waits");
        let before = taken.fetch_add(wanted, SeqCst);
        assert!(before + wanted <= PERMITS, "more than there are");
        thread::yield_now();
        taken.fetch_sub(wanted, SeqCst);
        if wanted > 1 && below(2) == 0 {
            let part = permits.split(&hold, wanted - 1, 1);
            if below(2) == 0 {
                permits.merge(&hold, part, wanted);
                permits.release(hold, wanted);
            } else {
                permits.release(part, 1);
                permits.release(hold, wanted - 1);
            }
        } else {
            permits.release(hold, wanted);
        }
    }
}

fn scene(wait_for: WaitFor) {
    ground::begin();
    let permits = Arc::new(Permits::<2>::new(PERMITS, wait_for, "permits".into()));
    let taken = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (1..=TASKS)
        .map(|number| {
            let (permits, taken) = (Arc::clone(&permits), Arc::clone(&taken));
            thread::spawn(move || {
                become_task(number);
                play(&permits, &taken);
            })
        })
        .collect();
    for task in tasks {
        task.join().expect("ends");
    }
    assert_eq!(permits.available(), PERMITS);
    assert!(!permits.has_waiters());
    assert!(ground::is_empty(), "something of a wait is left");
}

#[test]
fn all_permits_are_back_and_no_wait_is_left() {
    under_random_schedules(|| scene(WaitFor::Any));
    under_pct_schedules(|| scene(WaitFor::All));
}
