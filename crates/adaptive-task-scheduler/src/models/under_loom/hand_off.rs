//! Hand-off against the carrier's return: a slot has one holder at a time, the
//! guest that wants its slot gets it, and no entry is lost on the way.

use super::{LOW, model, park::TwoLevels};
use crate::{
    lane::holder::{Boundary, Held, Holder},
    models::{bell::Bell, carrier::Slots},
    queue::{injector::Injector, ready::Taken},
};
use loom::thread;
use std::sync::Arc;

/// Changes of one holder, each by whoever won it.
fn winner<R: 'static>(
    holder: &Arc<Holder>,
    change: impl FnOnce(&Holder) -> R + 'static,
) -> thread::JoinHandle<R> {
    let holder = Arc::clone(holder);
    thread::spawn(move || change(&holder))
}

fn is_held(holder: &Holder, held: Held) -> bool {
    holder.boundary(held) != Boundary::Lost
}

#[test]
fn of_two_hand_offs_one_is_done() {
    model(|| {
        let holder = Arc::new(Holder::guest());
        let first = holder.now();
        let other = winner(&holder, move |holder| holder.hand_off(first, 1));
        let mine = holder.hand_off(first, 0);
        let others = other.join().expect("hands off");
        assert!(mine.is_some() != others.is_some());
        let held = mine.or(others).expect("one won");
        assert!(is_held(&holder, held) && !is_held(&holder, first));
        assert_eq!(holder.now(), held);
        // The same relief again is another hold.
        let relief = held.relief().expect("a relief has it");
        let next = holder.hand_off(held, 2).expect("nobody else");
        let again = holder.hand_off(next, relief).expect("nobody else");
        assert!(is_held(&holder, again) && !is_held(&holder, held));
    });
}

#[test]
fn a_guest_that_returns_holds_its_slot_or_is_told_who_does() {
    model(|| {
        let holder = Arc::new(Holder::guest());
        let first = holder.now();
        let sentinel = winner(&holder, move |holder| holder.hand_off(first, 3));
        let answer = holder.want_back();
        let relief = sentinel
            .join()
            .expect("hands off")
            .expect("nobody else hands off");
        match answer {
            // It asked before the hand-off, and finds out at its next boundary.
            Ok(held) => assert!(held == first && !is_held(&holder, held)),
            Err(number) => {
                assert_eq!(number, 3);
                assert_eq!(holder.boundary(relief), Boundary::GiveBack);
                let back = holder.give_back(relief).expect("it is wanted");
                assert_eq!(back.relief(), None);
                assert!(is_held(&holder, back) && !is_held(&holder, relief));
            }
        }
    });
}

#[test]
fn a_relief_that_gives_back_and_one_that_is_handed_off_are_not_both_heeded() {
    model(|| {
        let holder = Arc::new(Holder::guest());
        let relief = holder.hand_off(holder.now(), 0).expect("nobody else");
        let guest = winner(&holder, Holder::want_back);
        // The relief's boundary.
        let given = winner(&holder, move |holder| match holder.boundary(relief) {
            Boundary::GiveBack => holder.give_back(relief),
            Boundary::Keep | Boundary::Lost => None,
        });
        // The sentinel takes it for stuck.
        let handed = match holder.is_wanted() {
            true => holder.give_back(relief),
            false => holder.hand_off(relief, 1),
        };
        let answer = guest.join().expect("asks");
        let given = given.join().expect("gives back");
        assert!(given.is_none() || handed.is_none());
        if answer == Err(0) && given.is_none() && handed.is_none() {
            // The request came between the sentinel's look and its change, and
            // after the relief's boundary: the next boundary sees it.
            assert_eq!(holder.boundary(relief), Boundary::GiveBack);
        }
        if let Some(held) = given.or(handed) {
            assert!(!is_held(&holder, relief));
            // If the guest asked the next relief, that one sees it.
            let is_wanted = answer == Err(1);
            let expected = if is_wanted {
                Boundary::GiveBack
            } else {
                Boundary::Keep
            };
            assert_eq!(holder.boundary(held), expected);
        }
    });
}

#[test]
fn a_guest_gets_its_slot_back_from_a_stuck_relief() {
    model(|| {
        let holder = Arc::new(Holder::guest());
        let bell = Arc::new(Bell::new());
        let stuck = holder.hand_off(holder.now(), 0).expect("nobody else");
        let guest = {
            let bell = Arc::clone(&bell);
            winner(&holder, move |holder| {
                while holder.want_back().is_err() {
                    bell.wait();
                }
            })
        };
        // Two looks of the sentinel; the relief never comes to a boundary. If
        // it was not wanted at the first, the slot goes to another relief,
        // which gives it back at its first boundary after the request.
        if holder.is_wanted() && holder.give_back(stuck).is_some() {
            bell.ring();
        } else if let Some(next) = holder.hand_off(stuck, 1) {
            while holder.boundary(next) == Boundary::Keep {
                thread::yield_now();
            }
            assert!(holder.give_back(next).is_some());
            bell.ring();
        } else {
            assert!(holder.is_wanted() && holder.give_back(stuck).is_some());
            bell.ring();
        }
        guest.join().expect("gets it back");
        assert_eq!(holder.now().relief(), None);
        assert_eq!(holder.boundary(stuck), Boundary::Lost);
    });
}

/// A guest, a relief and a sentinel that hands off at any moment, also when
/// the guest's poll has just ended and it is about to park. `pushes` entries
/// come one after the other.
fn carriers_change(pushes: u64) {
    let lane = Arc::new(Slots::new(1, 1, TwoLevels::<Injector>::new()));
    let taken = Arc::new(Bell::new());
    let seen = lane.holder(0).now();
    lane.push(1, LOW);
    let guest = {
        let (lane, taken) = (Arc::clone(&lane), Arc::clone(&taken));
        thread::spawn(move || lane.guest(0, &|_, _| taken.ring()))
    };
    let relief = {
        let (lane, taken) = (Arc::clone(&lane), Arc::clone(&taken));
        thread::spawn(move || lane.relief(0, &|_, _| taken.ring()))
    };
    assert!(lane.hand_off(0, seen));
    taken.wait();
    for entry in 2..=pushes {
        lane.push(entry, LOW);
        taken.wait();
    }
    assert!(lane.idle.parked() <= 1, "one slot is parked twice");
    lane.end();
    guest.join().expect("carries");
    relief.join().expect("carries");
}

#[test]
fn a_hand_off_while_the_guest_parks_loses_no_entry() {
    model(|| carriers_change(2));
}

#[test]
fn an_entry_pushed_by_a_carrier_that_lost_its_slot_is_found() {
    model(|| {
        let lane = Arc::new(Slots::new(1, 1, TwoLevels::<Injector>::new()));
        let (begun, taken) = (Arc::new(Bell::new()), Arc::new(Bell::new()));
        let seen = lane.holder(0).now();
        lane.push(1, LOW);
        // The first entry's poll wakes another task and lasts until that runs.
        let run = {
            let (lane, begun, taken) = (Arc::clone(&lane), Arc::clone(&begun), Arc::clone(&taken));
            move |entry: Taken, tenure| match entry.entry {
                1 => {
                    begun.ring();
                    lane.push_within(2, LOW, tenure, LOW);
                    taken.wait();
                    lane.end();
                }
                _ => taken.ring(),
            }
        };
        let guest = {
            let (lane, run) = (Arc::clone(&lane), run.clone());
            thread::spawn(move || lane.guest(0, &run))
        };
        let relief = {
            let lane = Arc::clone(&lane);
            thread::spawn(move || lane.relief(0, &run))
        };
        // The sentinel sees something ready behind the poll, or the poll has
        // said that it would block.
        begun.wait();
        assert!(lane.hand_off(0, seen));
        guest.join().expect("carries");
        relief.join().expect("carries");
    });
}
