//! Which slots have nothing to do, and whom to wake for new work.
//!
//! It owns: the list of parked slots, the number of slots that are searching,
//! and each slot's floor (the lowest level that it serves; above zero only for
//! a reserve).
//!
//! Protocol:
//!
//! 1. Whoever pushes an entry calls [`Idle::notify`] afterwards. If a slot is
//!    searching, nobody is woken: the searcher will find the entry. Otherwise
//!    one parked slot is woken and counts as searching.
//! 2. A carrier that finds nothing calls [`Idle::park`]: it is listed as
//!    parked, stops counting as searching, and looks at the queues once more.
//!    If there is work it takes itself off the list again, unless somebody else
//!    did, who then wakes it.
//! 3. A searcher that finds work calls [`Idle::found`]. The last one to do so
//!    is told, and wakes the next if more is left.
//!
//! Why no wake-up is lost: a push and the look at `searching` and `parked` are
//! `SeqCst`, and so are the change of those and the look at the queues. If the
//! pusher saw a searcher, that searcher's `park` comes later and sees the entry.
//! If it saw nobody parked, the carrier that parks later sees the entry.
//!
//! A reserve is woken only for its levels and never counts as searching, since
//! it may pass by what a searcher is relied on to take.

use crate::{
    primitives::{
        Mutex,
        atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering},
        model_fence,
    },
    priority::LEVELS,
};

/// The floor of a slot that takes nothing.
pub(crate) const CLOSED: u8 = LEVELS as u8;

const ACTIVE: u8 = 0;
const PARKED: u8 = 1;
/// Woken, and counted as searching.
const SEARCHING: u8 = 2;
/// Woken without being counted: a reserve.
const CALLED: u8 = 3;

#[derive(Debug)]
struct Place {
    phase: AtomicU8,
    floor: AtomicU8,
    /// How often this place was woken.
    wakes: AtomicU32,
}

#[derive(Debug)]
pub(crate) struct Idle {
    searching: AtomicUsize,
    parked: AtomicUsize,
    list: Mutex<Vec<usize>>,
    places: Box<[Place]>,
}

/// What a carrier finds itself to be when it is polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Begin {
    /// Nobody woke it: it stays parked.
    StillParked,
    /// It carries; whether it counts as searching.
    Active { searching: bool },
}

/// What became of an attempt to park.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Park {
    Parked,
    /// There is work after all; whether the slot counts as searching now.
    Work {
        searching: bool,
    },
}

impl Idle {
    /// All slots begin active.
    pub(crate) fn new(slots: usize) -> Self {
        let place = |_| Place {
            phase: AtomicU8::new(ACTIVE),
            floor: AtomicU8::new(0),
            wakes: AtomicU32::new(0),
        };
        Self {
            searching: AtomicUsize::new(0),
            parked: AtomicUsize::new(0),
            list: Mutex::new(Vec::with_capacity(slots)),
            places: (0..slots).map(place).collect(),
        }
    }

    pub(crate) fn floor(&self, slot: usize) -> u8 {
        self.places[slot].floor.load(Ordering::Relaxed)
    }

    /// Sets the lowest level that an active or parked slot serves.
    pub(crate) fn set_floor(&self, slot: usize, floor: u8) {
        self.places[slot].floor.store(floor, Ordering::Relaxed);
    }

    pub(crate) fn parked(&self) -> usize {
        self.parked.load(Ordering::SeqCst)
    }

    /// How many slots that serve every level are parked or searching.
    pub(crate) fn at_hand(&self) -> usize {
        let list = self.list.lock();
        let parked = list.iter().filter(|&&slot| self.floor(slot) == 0).count();
        parked + self.searching.load(Ordering::SeqCst)
    }

    /// Closes a parked slot that serves every level. It is not woken until its
    /// floor is set to another than [`CLOSED`].
    pub(crate) fn close_one(&self) -> Option<usize> {
        let list = self.list.lock();
        let slot = list.iter().copied().find(|&slot| self.floor(slot) == 0)?;
        self.set_floor(slot, CLOSED);
        Some(slot)
    }

    /// Chooses a parked slot for new work at `level`. The caller must wake it.
    #[must_use]
    pub(crate) fn notify(&self, level: u8) -> Option<usize> {
        model_fence();
        if self.parked.load(Ordering::SeqCst) == 0 || self.searching.load(Ordering::SeqCst) > 0 {
            return None;
        }
        let mut list = self.list.lock();
        if self.searching.load(Ordering::SeqCst) > 0 {
            return None;
        }
        let serves = |floor: u8| list.iter().rposition(|&slot| self.floor(slot) <= floor);
        let at = serves(0).or_else(|| serves(level))?;
        let slot = list.remove(at);
        self.parked.store(list.len(), Ordering::SeqCst);
        self.places[slot].wakes.fetch_add(1, Ordering::Relaxed);
        let phase = if self.floor(slot) == 0 {
            self.searching.fetch_add(1, Ordering::SeqCst);
            SEARCHING
        } else {
            CALLED
        };
        self.places[slot].phase.store(phase, Ordering::Release);
        Some(slot)
    }

    /// The carrier of `slot` has been polled.
    pub(crate) fn begin(&self, slot: usize) -> Begin {
        let phase = &self.places[slot].phase;
        loop {
            match phase.load(Ordering::Acquire) {
                PARKED => return Begin::StillParked,
                ACTIVE => return Begin::Active { searching: false },
                woken => {
                    // Exactly one takes the wake-up: for a moment after a
                    // hand-off a slot has two carriers, and a stranded wake-up
                    // may just be given up.
                    let taken =
                        phase.compare_exchange(woken, ACTIVE, Ordering::AcqRel, Ordering::Relaxed);
                    if taken.is_ok() {
                        return Begin::Active {
                            searching: woken == SEARCHING,
                        };
                    }
                }
            }
        }
    }

    /// The carrier of `slot` found nothing. `has_work` looks at the queues.
    pub(crate) fn park(&self, slot: usize, searching: bool, has_work: impl Fn(u8) -> bool) -> Park {
        let mut list = self.list.lock();
        let place = &self.places[slot];
        match place.phase.load(Ordering::Acquire) {
            ACTIVE => {
                list.push(slot);
                self.parked.store(list.len(), Ordering::SeqCst);
                place.phase.store(PARKED, Ordering::Release);
            }
            // For a moment after a hand-off a slot has two carriers. The other
            // one parked it,
            PARKED => {}
            // and it was woken since.
            _ => {
                // Unless the sentinel has just given it up (see `give_up_on`).
                let woken = place.phase.swap(ACTIVE, Ordering::AcqRel) == SEARCHING;
                if searching && woken {
                    self.searching.fetch_sub(1, Ordering::SeqCst);
                }
                return Park::Work {
                    searching: searching || woken,
                };
            }
        }
        if searching {
            self.searching.fetch_sub(1, Ordering::SeqCst);
        }
        drop(list);
        model_fence();
        if has_work(self.floor(slot)) {
            self.unpark(slot)
        } else {
            Park::Parked
        }
    }

    /// Takes `slot` off the list again, unless somebody else did.
    pub(crate) fn unpark(&self, slot: usize) -> Park {
        let mut list = self.list.lock();
        let Some(at) = list.iter().position(|&parked| parked == slot) else {
            return Park::Parked;
        };
        list.swap_remove(at);
        self.parked.store(list.len(), Ordering::SeqCst);
        let searching = self.floor(slot) == 0;
        if searching {
            self.searching.fetch_add(1, Ordering::SeqCst);
        }
        self.places[slot].phase.store(ACTIVE, Ordering::Release);
        Park::Work { searching }
    }

    /// How often the slot was woken, unless it is parked now.
    pub(crate) fn wakes_if_astir(&self, slot: usize) -> Option<u32> {
        let place = &self.places[slot];
        let wakes = place.wakes.load(Ordering::Relaxed);
        (place.phase.load(Ordering::Acquire) != PARKED).then_some(wakes)
    }

    /// Stops counting a slot as searching whose carrier does not come. True if
    /// it had not come yet.
    #[must_use]
    pub(crate) fn give_up_on(&self, slot: usize) -> bool {
        let phase = &self.places[slot].phase;
        let stranded = phase
            .compare_exchange(SEARCHING, CALLED, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok();
        if stranded {
            self.searching.fetch_sub(1, Ordering::SeqCst);
        }
        stranded
    }

    /// A searcher found work, or stops searching. True for the last one.
    #[must_use]
    pub(crate) fn found(&self) -> bool {
        self.searching.fetch_sub(1, Ordering::SeqCst) == 1
    }
}
