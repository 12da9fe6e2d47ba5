//! The permits of `sync`: nobody holds more than there is, nobody who waits is
//! forgotten, and the wait graph has every holder once while somebody waits, and
//! nothing when nobody does.

use super::model;
use crate::{
    models::ground::{self, become_task, is_node, task_of},
    sync::permits::{Permits, Refusal, WaitFor},
};
use loom::{
    future::block_on,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};
use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

/// Permits with room for two names: fewer runs than eight, and the same code.
type Few = Permits<2>;

fn one_permit<const N: usize>() -> Arc<Permits<N>> {
    ground::begin();
    Arc::new(Permits::new(1, WaitFor::All, "lock".into()))
}

/// Takes a permit, counts who is inside, and gives it back.
fn enter<const N: usize>(permits: &Permits<N>, inside: &AtomicUsize) {
    let hold = block_on(permits.acquire(1)).expect("it is never closed");
    assert_eq!(inside.fetch_add(1, Relaxed), 0, "two hold the one permit");
    inside.fetch_sub(1, Relaxed);
    permits.release(hold, 1);
}

fn as_task<T: 'static>(number: u32, act: impl FnOnce() -> T + 'static) -> thread::JoinHandle<T> {
    thread::spawn(move || {
        become_task(number);
        act()
    })
}

fn check_all_is_back<const N: usize>(permits: &Permits<N>) {
    assert_eq!(permits.available(), permits.total());
    assert!(!permits.has_waiters());
    assert!(ground::is_empty(), "something of a wait is left");
}

fn two_enter<const N: usize>() {
    model(|| {
        let permits = one_permit::<N>();
        let inside = Arc::new(AtomicUsize::new(0));
        let other = {
            let (permits, inside) = (Arc::clone(&permits), Arc::clone(&inside));
            as_task(2, move || enter(&permits, &inside))
        };
        become_task(1);
        enter(&permits, &inside);
        other.join().expect("enters");
        check_all_is_back(&permits);
    });
}

#[test]
fn two_tasks_never_hold_a_mutex_together_and_both_get_it() {
    two_enter::<1>();
}

#[test]
fn two_tasks_never_hold_one_permit_together_and_both_get_it() {
    two_enter::<2>();
}

fn holder_and_first_waiter<const N: usize>() {
    model(|| {
        let permits = one_permit::<N>();
        let holder = {
            let permits = Arc::clone(&permits);
            as_task(1, move || permits.try_take(1).ok())
        };
        become_task(2);
        let mut waiting = pin!(permits.acquire(1));
        let polled = waiting
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        let held = holder.join().expect("takes");
        match (polled, held) {
            (Poll::Pending, Some(held)) => {
                assert_eq!(ground::edges(|id| id == task_of(2), is_node), 1);
                assert_eq!(ground::edges(is_node, |id| id == task_of(1)), 1);
                permits.release(held, 1);
                assert_eq!(ground::edges(is_node, |id| id == task_of(1)), 0);
                let hold = block_on(waiting).expect("it is never closed");
                permits.release(hold, 1);
            }
            (Poll::Ready(Ok(hold)), None) => permits.release(hold, 1),
            other => panic!("{other:?}"),
        }
        check_all_is_back(&permits);
    });
}

#[test]
fn a_first_waiter_of_a_mutex_lends_to_the_holder_once() {
    holder_and_first_waiter::<1>();
}

#[test]
fn a_first_waiter_for_a_permit_lends_to_the_holder_once() {
    holder_and_first_waiter::<2>();
}

#[test]
fn a_permit_granted_to_a_waiter_that_gives_up_goes_on() {
    model(|| {
        let permits = one_permit::<1>();
        become_task(1);
        let held = permits.try_take(1).expect("it is free");
        let gives_up = {
            let permits = Arc::clone(&permits);
            as_task(2, move || {
                let mut waiting = pin!(permits.acquire(1));
                let mut cx = Context::from_waker(Waker::noop());
                match waiting.as_mut().poll(&mut cx) {
                    Poll::Ready(hold) => permits.release(hold.expect("open"), 1),
                    Poll::Pending => {}
                }
            })
        };
        let waits = {
            let permits = Arc::clone(&permits);
            as_task(3, move || {
                let hold = block_on(permits.acquire(1)).expect("open");
                permits.release(hold, 1);
            })
        };
        permits.release(held, 1);
        gives_up.join().expect("gives up");
        waits.join().expect("gets it");
        check_all_is_back(&permits);
    });
}

#[test]
fn who_waits_when_the_permits_are_closed_is_told_or_served() {
    model(|| {
        let permits = one_permit::<2>();
        become_task(1);
        let held = permits.try_take(1).expect("it is free");
        let waits = {
            let permits = Arc::clone(&permits);
            as_task(2, move || match block_on(permits.acquire(1)) {
                Ok(hold) => permits.release(hold, 1),
                Err(Refusal::Closed) => {}
                Err(other) => panic!("{other:?}"),
            })
        };
        let closes = {
            let permits = Arc::clone(&permits);
            thread::spawn(move || permits.close())
        };
        permits.release(held, 1);
        waits.join().expect("ends");
        closes.join().expect("closes");
        check_all_is_back(&permits);
    });
}

#[test]
fn a_waiter_and_who_spends_the_last_permit_know_of_each_other() {
    model(|| {
        ground::begin();
        let room: Arc<Few> = Arc::new(Permits::of_channel(1, "channel".into()));
        room.set_freer(Some(task_of(1)), true);
        let spends = {
            let room = Arc::clone(&room);
            as_task(2, move || room.try_spend().is_ok())
        };
        become_task(3);
        let mut waiting = Box::pin(room.acquire(1));
        let polled = waiting
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        let has_spent = spends.join().expect("spends");
        match polled {
            Poll::Pending => {
                assert!(has_spent);
                assert_eq!(ground::edges(is_node, |id| id == task_of(1)), 1);
                assert_eq!(ground::any_is_enough(), Some(false));
            }
            Poll::Ready(hold) => {
                assert!(!has_spent);
                room.release(hold.expect("open"), 1);
            }
        }
        if has_spent {
            room.give_back(1);
        }
        // What it was granted now, it gives back unseen.
        drop(waiting);
        assert!(room.are_all_free());
    });
}
