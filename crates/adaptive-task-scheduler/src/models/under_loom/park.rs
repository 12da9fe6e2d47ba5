//! Parking against pushing: an entry is never left with everybody parked. A
//! lost wake-up shows as a deadlock, which loom reports.

use super::{HIGH, LOW, model};
use crate::{
    lane::idle::{Begin, Idle, Park},
    models::{
        bell::Bell,
        carrier::{Entries, Slots},
    },
    queue::{injector::Injector, ready::Taken, ring::Ring},
};
use loom::thread;
use std::sync::Arc;

/// What holds the entries of one level.
pub(super) trait Store {
    fn empty() -> Self;
    fn push(&self, entry: u64) -> bool;
    fn take(&self) -> Option<u64>;
    fn is_empty(&self) -> bool;
}

/// For one carrier. Several would wait for a pusher who is half-way, in turns
/// without end, which loom does not know to be unfair.
impl Store for Ring {
    fn empty() -> Self {
        Ring::new()
    }

    fn push(&self, entry: u64) -> bool {
        self.push(entry).expect("the models push few")
    }

    fn take(&self) -> Option<u64> {
        self.take()
    }

    fn is_empty(&self) -> bool {
        self.is_empty()
    }
}

/// For several carriers.
impl Store for Injector {
    fn empty() -> Self {
        Injector::new()
    }

    fn push(&self, entry: u64) -> bool {
        self.push(entry, 0);
        true
    }

    fn take(&self) -> Option<u64> {
        if self.has_plain() {
            self.take_plain()
        } else {
            None
        }
    }

    fn is_empty(&self) -> bool {
        !self.has_plain()
    }
}

/// Two levels: what parking needs of a queue and no more, so that loom gets
/// through it.
pub(super) struct TwoLevels<S> {
    low: S,
    high: S,
}

impl<S: Store> TwoLevels<S> {
    pub(super) fn new() -> Self {
        Self {
            low: S::empty(),
            high: S::empty(),
        }
    }
}

impl<S: Store> Entries for TwoLevels<S> {
    fn push(&self, entry: u64, level: u8, slot: Option<usize>) -> bool {
        let store = if level == LOW { &self.low } else { &self.high };
        store.push(entry) && slot.is_some()
    }

    fn pick(&self, _: usize, floor: u8) -> Option<Taken> {
        let high = || self.high.take().map(|entry| Taken { entry, level: HIGH });
        let low = || self.low.take().map(|entry| Taken { entry, level: LOW });
        high().or_else(|| if floor == LOW { low() } else { None })
    }

    fn has_work(&self, floor: u8) -> bool {
        !self.high.is_empty() || (floor == LOW && !self.low.is_empty())
    }

    fn top(&self) -> Option<u8> {
        Some(if self.high.is_empty() { LOW } else { HIGH })
    }
}

type Lane<S> = Arc<Slots<TwoLevels<S>>>;

fn lane<S: Store>(slots: usize) -> Lane<S> {
    Arc::new(Slots::new(slots, 0, TwoLevels::new()))
}

/// A thread that carries `slot` and does `run` with each entry.
fn guest<S: Store + 'static>(
    lane: &Lane<S>,
    slot: usize,
    run: impl Fn(Taken) + 'static,
) -> thread::JoinHandle<()> {
    let lane = Arc::clone(lane);
    thread::spawn(move || lane.guest(slot, &|taken, _| run(taken)))
}

fn end<S: Store>(lane: &Lane<S>, carriers: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    lane.end();
    carriers
        .into_iter()
        .for_each(|carrier| carrier.join().expect("carries"));
}

#[test]
fn a_carrier_that_parks_sees_what_was_just_pushed() {
    model(|| {
        let lane = lane::<Ring>(1);
        let taken = Arc::new(Bell::new());
        let carrier = guest(&lane, 0, {
            let taken = Arc::clone(&taken);
            move |_| taken.ring()
        });
        for entry in 1..=2 {
            lane.push(entry, LOW);
            taken.wait();
        }
        end(&lane, [carrier]);
    });
}

#[test]
fn two_pushers_wake_one_carrier_for_both() {
    model(|| {
        let lane = lane::<Ring>(1);
        let taken = [Arc::new(Bell::new()), Arc::new(Bell::new())];
        let carrier = guest(&lane, 0, {
            let taken = taken.clone();
            move |entry| taken[entry.entry as usize - 1].ring()
        });
        let pusher = {
            let lane = Arc::clone(&lane);
            thread::spawn(move || lane.push(1, LOW))
        };
        lane.push(2, LOW);
        taken.iter().for_each(|taken| taken.wait());
        end(&lane, [carrier, pusher]);
    });
}

#[test]
fn the_last_searcher_wakes_the_next() {
    model(|| {
        let lane = lane::<Injector>(2);
        let second = Arc::new(Bell::new());
        let both = Arc::new(Bell::new());
        // The first entry's poll lasts until the second was taken, so one
        // carrier cannot serve both.
        let run = {
            let (second, both) = (Arc::clone(&second), Arc::clone(&both));
            move |taken: Taken| match taken.entry {
                1 => {
                    second.wait();
                    both.ring();
                }
                _ => second.ring(),
            }
        };
        let carriers = [guest(&lane, 0, run.clone()), guest(&lane, 1, run)];
        lane.push(1, LOW);
        lane.push(2, LOW);
        both.wait();
        end(&lane, carriers);
    });
}

#[test]
fn a_reserve_serves_what_is_above_its_floor_and_nothing_else() {
    model(|| {
        // Slot 0 is in a poll all the time; nobody carries it.
        let lane = lane::<Injector>(2);
        lane.idle.set_floor(1, HIGH);
        let taken = Arc::new(Bell::new());
        let reserve = guest(&lane, 1, {
            let taken = Arc::clone(&taken);
            move |entry| {
                assert_eq!(entry.level, HIGH);
                taken.ring();
            }
        });
        lane.push(1, LOW);
        lane.push(2, HIGH);
        taken.wait();
        end(&lane, [reserve]);
        assert!(lane.queue.has_work(LOW) && !lane.queue.has_work(HIGH));
    });
}

#[test]
fn a_reserve_that_parks_takes_no_wake_up_from_a_slot() {
    model(|| {
        let lane = lane::<Injector>(2);
        lane.idle.set_floor(1, HIGH);
        let taken = [Arc::new(Bell::new()), Arc::new(Bell::new())];
        let run = {
            let taken = taken.clone();
            move |entry: Taken| taken[entry.entry as usize - 1].ring()
        };
        let carriers = [guest(&lane, 0, run.clone()), guest(&lane, 1, run)];
        lane.push(1, HIGH);
        lane.push(2, LOW);
        taken.iter().for_each(|taken| taken.wait());
        end(&lane, carriers);
    });
}

/// Gives up on a woken slot while its carrier comes, through `comes`, which
/// says whether it counts as searching.
fn check_given_up(comes: impl Fn(&Idle, usize) -> bool + Clone + Send + Sync + 'static) {
    model(move || {
        let idle = Arc::new(Idle::new(2));
        for slot in 0..2 {
            assert_eq!(idle.park(slot, false, |_| false), Park::Parked);
        }
        let woken = idle.notify(LOW).expect("both are parked");
        let carrier = {
            let (idle, comes) = (Arc::clone(&idle), comes.clone());
            thread::spawn(move || {
                if comes(&idle, woken) {
                    let _ = idle.found();
                }
            })
        };
        let _ = idle.give_up_on(woken);
        carrier.join().expect("comes");
        // Whoever came or did not, nobody counts as searching, so the other
        // slot can be woken.
        assert_eq!(idle.notify(LOW), Some(1 - woken));
    });
}

#[test]
fn a_carrier_that_comes_as_it_is_given_up_is_counted_once() {
    check_given_up(|idle, slot| idle.begin(slot) == Begin::Active { searching: true });
}

#[test]
fn a_second_carrier_that_parks_as_the_slot_is_given_up_is_counted_once() {
    check_given_up(|idle, slot| {
        idle.park(slot, false, |_| false) == Park::Work { searching: true }
    });
}
