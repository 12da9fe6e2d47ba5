//! The slot of a oneshot: a value is received, or comes back, once; nobody who waits
//! is forgotten; and what was lent is back before the receiver goes on.

use super::model;
use crate::{
    models::{
        bell::bell_and_waker,
        ground::{self, become_task, is_node, task_of},
    },
    sync::{
        promise::Promised,
        slot::{NoValue, Slot},
    },
};
use loom::{sync::Arc, thread};
use std::task::{Context, Poll, Waker};

/// Loom reports one that is not dropped.
type Value = Arc<u32>;

fn slot() -> Arc<Slot<Value>> {
    ground::begin();
    Arc::new(Slot::new("slot".into()))
}

/// The other end, as a thread of its own.
fn beside<T: 'static>(
    slot: &Arc<Slot<Value>>,
    number: u32,
    act: impl FnOnce(&Slot<Value>) -> T + 'static,
) -> thread::JoinHandle<T> {
    let slot = Arc::clone(slot);
    thread::spawn(move || {
        become_task(number);
        act(&slot)
    })
}

const SENDS: u32 = 1;
const WAITS: u32 = 2;

fn declared(slot: &Slot<Value>) {
    slot.promise(Promised {
        task: task_of(SENDS),
        is_declared: true,
    });
}

fn lent() -> usize {
    ground::edges(|id| id == task_of(WAITS), is_node)
}

fn receive(slot: &Slot<Value>) -> Result<Value, NoValue> {
    let (bell, waker) = bell_and_waker();
    loop {
        match slot.poll(&Context::from_waker(&waker)) {
            Poll::Pending => bell.wait(),
            Poll::Ready(received) => {
                assert_eq!(lent(), 0, "the receiver goes on while it lends");
                return received;
            }
        }
    }
}

fn check_value(received: Result<Value, NoValue>) {
    assert_eq!(*received.expect("it was sent"), 7);
    assert!(ground::is_empty(), "something of a wait is left");
}

#[test]
fn a_value_is_received_and_nothing_is_lent_any_more() {
    model(|| {
        let slot = slot();
        let sender = beside(&slot, SENDS, |slot| {
            declared(slot);
            slot.send(Arc::new(7)).expect("it is open");
            slot.leave();
        });
        become_task(WAITS);
        check_value(receive(&slot));
        sender.join().expect("sends");
    });
}

#[test]
fn a_receiver_that_moves_is_woken_where_it_was_polled_last() {
    model(|| {
        let slot = slot();
        let sender = beside(&slot, SENDS, |slot| {
            slot.send(Arc::new(7)).expect("it is open");
        });
        become_task(WAITS);
        let first = slot.poll(&Context::from_waker(Waker::noop()));
        let received = match first {
            Poll::Ready(received) => received,
            Poll::Pending => {
                become_task(3);
                receive(&slot)
            }
        };
        check_value(received);
        sender.join().expect("sends");
    });
}

#[test]
fn a_sender_that_is_gone_ends_the_wait() {
    model(|| {
        let slot = slot();
        let sender = beside(&slot, SENDS, |slot| {
            declared(slot);
            slot.leave();
        });
        become_task(WAITS);
        assert!(matches!(receive(&slot), Err(NoValue::Closed)));
        sender.join().expect("goes");
        assert!(ground::is_empty());
    });
}

fn sending_meets_closing(waits: bool) {
    model(move || {
        let slot = slot();
        let sender = beside(&slot, SENDS, |slot| slot.send(Arc::new(7)).err());
        become_task(WAITS);
        let polled = waits.then(|| slot.poll(&Context::from_waker(Waker::noop())));
        slot.close();
        let received = match polled {
            Some(Poll::Ready(received)) => Some(received),
            _ => slot.take(),
        };
        let came_back = sender.join().expect("sends");
        match received.expect("it is decided") {
            Ok(value) => assert!(*value == 7 && came_back.is_none()),
            Err(_) => assert_eq!(*came_back.expect("it comes back"), 7),
        }
        assert!(ground::is_empty());
    });
}

#[test]
fn a_value_that_meets_a_closing_is_received_or_comes_back() {
    sending_meets_closing(false);
}

#[test]
fn a_value_that_meets_the_closing_of_a_wait_is_received_or_comes_back() {
    sending_meets_closing(true);
}

#[test]
fn a_value_that_nobody_takes_is_dropped_with_the_slot() {
    model(|| {
        let slot = slot();
        let sender = beside(&slot, SENDS, |slot| {
            slot.send(Arc::new(7)).expect("it is open");
        });
        sender.join().expect("sends");
    });
}

#[test]
fn a_sender_that_waits_for_the_closing_is_told() {
    model(|| {
        let slot = slot();
        let sender = beside(&slot, SENDS, |slot| {
            let (bell, waker) = bell_and_waker();
            while slot.poll_closed(&Context::from_waker(&waker)).is_pending() {
                bell.wait();
            }
            slot.send(Arc::new(7)).is_err()
        });
        become_task(WAITS);
        let polled = slot.poll(&Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        slot.close();
        assert!(slot.take().is_some_and(|taken| taken.is_err()));
        assert!(sender.join().expect("is told"));
        assert!(ground::is_empty());
    });
}

#[test]
fn a_promise_and_a_wait_that_meet_give_one_edge() {
    model(|| {
        let slot = slot();
        let promises = beside(&slot, 3, declared);
        become_task(WAITS);
        let polled = slot.poll(&Context::from_waker(Waker::noop()));
        promises.join().expect("promises");
        assert!(polled.is_pending());
        assert_eq!(lent(), 1);
        assert_eq!(ground::edges(is_node, |id| id == task_of(SENDS)), 1);
        assert_eq!(ground::any_is_enough(), Some(false));
        slot.close();
        assert!(ground::is_empty());
    });
}
