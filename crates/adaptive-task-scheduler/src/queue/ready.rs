//! The ready tasks of one lane, and the rule that picks the next.
//!
//! It owns: two rings for each slot and level, one injector for each level, and
//! a mask of the levels that may have entries.
//!
//! Order: the highest level first; in it the earliest deadline, then first
//! come. With one slot that is exact. With several, each slot's rings are first
//! come; what comes from outside may pass up to one ring of them; and a slot with
//! nothing of a level steals it from the others before it looks at a lower level.
//!
//! Rules:
//!
//! - Q1. Every entry is reachable by every carrier from the moment that its push
//!   has returned. (Tokio's LIFO slot hides a child for as long as its parent's
//!   poll lasts.)
//! - Q2. While a level's injector or the slot's second ring, the *spill*, has
//!   entries, what the slot pushes goes to the spill; a full spill goes to the
//!   injector at once, and so does any whenever its slot takes from the injector.
//!   So ring before injector before spill is the order of arrival, the lock is
//!   taken once for many entries, and none waits in the spill for good. A single
//!   slot has nobody to share the lock with, and spills nothing.
//! - Q3. A push first adds the entry and then looks at the mask; so does a
//!   carrier that moved entries from one queue to another, where whoever looks
//!   at one after the other may have missed them. Whoever clears a bit looks at
//!   the level's queues afterwards and sets it again if one is not empty. All
//!   with `SeqCst`, so one of the two sees the other and a bit is never lost for
//!   good.

use super::{
    injector::Injector,
    ring::{CAPACITY, Padded, Ring},
};
use crate::{
    primitives::{
        atomic::{AtomicUsize, Ordering},
        model_fence,
    },
    priority::LEVELS,
};
// A count only, which no model needs to know of.
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How often a level is searched in vain, because an entry is just being pushed,
/// before a search goes on to the levels below.
const VAIN: usize = 16;

/// How many entries a thief takes at most.
const STEAL: usize = CAPACITY / 8;

/// An entry that was taken, and the level at which it was queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) entry: u64,
    pub(crate) level: u8,
}

/// What one slot has of one level.
#[derive(Debug)]
struct Local {
    ring: Ring,
    spill: Ring,
}

impl Local {
    fn new() -> Self {
        Self {
            ring: Ring::new(),
            spill: Ring::new(),
        }
    }

    fn take(&self) -> Option<u64> {
        self.ring.take().or_else(|| self.spill.take())
    }

    fn len(&self) -> usize {
        self.ring.len() + self.spill.len()
    }

    fn is_empty(&self) -> bool {
        self.ring.is_empty() && self.spill.is_empty()
    }

    /// What has been spilt, to be moved to the injector.
    fn spilt(&self) -> impl Iterator<Item = u64> {
        std::iter::from_fn(|| self.spill.take()).take(CAPACITY)
    }
}

#[derive(Debug)]
pub(crate) struct ReadyQueue {
    slots: Box<[[Local; LEVELS]]>,
    injectors: [Injector; LEVELS],
    /// How often a slot took from another.
    steals: AtomicU64,
    /// Bit `l`: level `l` may have entries.
    occupied: Padded<AtomicUsize>,
}

impl ReadyQueue {
    pub(crate) fn new(slots: usize) -> Self {
        Self {
            slots: (0..slots)
                .map(|_| std::array::from_fn(|_| Local::new()))
                .collect(),
            injectors: std::array::from_fn(|_| Injector::new()),
            steals: AtomicU64::new(0),
            occupied: Padded(AtomicUsize::new(0)),
        }
    }

    /// Adds an entry, from a carrier of `slot` or from outside. A `deadline`
    /// of 0 is none. True if the entry is the only one in the slot's ring.
    pub(crate) fn push(&self, entry: u64, level: u8, deadline: u64, slot: Option<usize>) -> bool {
        let alone = self.add(entry, level, deadline, slot);
        self.mark(level);
        alone
    }

    fn add(&self, entry: u64, level: u8, deadline: u64, slot: Option<usize>) -> bool {
        let at = usize::from(level);
        let injector = &self.injectors[at];
        let local = slot.and_then(|slot| self.slots.get(slot));
        let Some(local) = local.filter(|_| deadline == 0).map(|local| &local[at]) else {
            injector.push(entry, deadline);
            return false;
        };
        if !injector.has_plain()
            && local.spill.is_empty()
            && let Ok(alone) = local.ring.push(entry)
        {
            return alone;
        }
        if self.slots.len() == 1 {
            injector.push(entry, deadline);
        } else if local.spill.push(entry).is_err() {
            injector.push_all(local.spilt().chain([entry]));
        }
        false
    }

    fn mark(&self, level: u8) {
        let bit = 1 << level;
        if self.occupied.load(Ordering::SeqCst) & bit == 0 {
            self.occupied.fetch_or(bit, Ordering::SeqCst);
            model_fence();
        }
    }

    /// Takes the next entry at or above the level `floor`, for a carrier of
    /// `slot` or for a thread that has none.
    pub(crate) fn pick(&self, slot: Option<usize>, floor: u8) -> Option<Taken> {
        let mut mask = self.occupied.load(Ordering::SeqCst) >> floor << floor;
        let mut vain = 0;
        while mask != 0 {
            let level = mask.ilog2() as u8;
            if let Some(entry) = self.take_level(slot, level) {
                return Some(Taken { entry, level });
            }
            vain += 1;
            if self.clear(level) || vain % VAIN == 0 {
                mask &= !(1 << level);
            }
        }
        None
    }

    fn take_level(&self, slot: Option<usize>, level: u8) -> Option<u64> {
        let at = usize::from(level);
        let injector = &self.injectors[at];
        if injector.has_timed()
            && let Some(entry) = injector.take_timed()
        {
            return Some(entry);
        }
        let own = slot
            .and_then(|slot| self.slots.get(slot))
            .map(|levels| &levels[at]);
        if let Some(entry) = own.and_then(|own| own.ring.take()) {
            return Some(entry);
        }
        let moved = refill(injector, own)
            .or_else(|| own.and_then(|own| own.spill.take()))
            .or_else(|| self.steal(slot, at))?;
        self.mark(level);
        Some(moved)
    }

    /// Takes from another slot, and up to half of what its ring has left into
    /// the own.
    fn steal(&self, slot: Option<usize>, at: usize) -> Option<u64> {
        let slots = self.slots.len();
        let start = slot.map_or(0, |slot| slot + 1);
        let mut victims = (start..start + slots).map(|slot| slot % slots);
        let (victim, first) = victims.find_map(|victim| {
            let victim = &self.slots[victim][at];
            Some((victim, victim.take()?))
        })?;
        self.steals.fetch_add(1, Relaxed);
        if let Some(own) = slot.and_then(|slot| self.slots.get(slot)) {
            for _ in 0..(victim.ring.len() / 2).min(STEAL) {
                let Some(entry) = victim.ring.take() else {
                    break;
                };
                if let Err(entry) = own[at].ring.push(entry) {
                    self.injectors[at].push(entry, 0);
                    break;
                }
            }
        }
        Some(first)
    }

    /// How often a slot, or a thread without one, took from a slot's rings that
    /// are not its own.
    pub(crate) fn steals(&self) -> u64 {
        self.steals.load(Relaxed)
    }

    /// Clears a level's bit, unless the level has entries after all.
    fn clear(&self, level: u8) -> bool {
        self.occupied.fetch_and(!(1 << level), Ordering::SeqCst);
        model_fence();
        if self.level_is_empty(usize::from(level)) {
            return true;
        }
        self.occupied.fetch_or(1 << level, Ordering::SeqCst);
        false
    }

    fn level_is_empty(&self, at: usize) -> bool {
        let injector = &self.injectors[at];
        let slots_empty = self.slots.iter().all(|levels| levels[at].is_empty());
        slots_empty && !injector.has_plain() && !injector.has_timed()
    }

    /// Whether there is an entry at or above `floor`. Looks at the queues
    /// themselves, not at the mask, so that a sleeper may rely on it.
    pub(crate) fn has_work(&self, floor: u8) -> bool {
        (usize::from(floor)..LEVELS).any(|at| !self.level_is_empty(at))
    }

    /// Whether a level below may have entries.
    pub(crate) fn has_below(&self, level: u8) -> bool {
        self.occupied.load(Ordering::Relaxed) & ((1 << level) - 1) != 0
    }

    /// Whether there are `enough` entries, stale ones counted.
    pub(crate) fn has_entries(&self, enough: usize) -> bool {
        let mut found = 0;
        let mut levels = (0..LEVELS).rev();
        levels.any(|at| {
            found += self.depth(at);
            found >= enough
        })
    }

    /// The highest level that may have entries, as a hint.
    pub(crate) fn top(&self) -> Option<u8> {
        let mask = self.occupied.load(Ordering::Relaxed);
        (mask != 0).then(|| mask.ilog2() as u8)
    }

    /// How many entries there are at each level, stale ones counted.
    pub(crate) fn depths(&self) -> [usize; LEVELS] {
        std::array::from_fn(|at| self.depth(at))
    }

    /// How many entries there are at or above `floor`, stale ones counted.
    pub(crate) fn count_from(&self, floor: u8) -> usize {
        (usize::from(floor)..LEVELS).map(|at| self.depth(at)).sum()
    }

    fn depth(&self, at: usize) -> usize {
        let local: usize = self.slots.iter().map(|levels| levels[at].len()).sum();
        local + self.injectors[at].len()
    }

    /// Takes an entry that waited too long behind higher levels or deadlines.
    /// `is_overdue` judges the entries at the fronts.
    pub(crate) fn pick_overdue(&self, is_overdue: impl Fn(u64) -> bool) -> Option<Taken> {
        let mask = self.occupied.load(Ordering::Relaxed);
        let top = mask.checked_ilog2()? as u8;
        (0..=top)
            .filter(|level| mask & (1 << level) != 0)
            .find_map(|level| {
                // Of the highest level only what waits behind deadlines is passed by.
                if level == top && !self.injectors[usize::from(level)].has_timed() {
                    return None;
                }
                let entry = self.take_overdue(usize::from(level), &is_overdue)?;
                Some(Taken { entry, level })
            })
    }

    fn take_overdue(&self, at: usize, is_overdue: &impl Fn(u64) -> bool) -> Option<u64> {
        let is_front_overdue = |ring: &&Ring| ring.peek().is_some_and(is_overdue);
        let ring = self
            .slots
            .iter()
            .flat_map(|levels| [&levels[at].ring, &levels[at].spill])
            .find(is_front_overdue);
        if let Some(entry) = ring.and_then(Ring::take) {
            return Some(entry);
        }
        let injector = &self.injectors[at];
        if injector.len() == 0 {
            return None;
        }
        let [plain, timed] = injector.peek();
        if plain.is_some_and(is_overdue) {
            injector.take_plain()
        } else if timed.is_some_and(is_overdue) {
            injector.take_timed()
        } else {
            None
        }
    }
}

/// Takes from the injector, and as much more as there is room for into the own
/// ring. Taking all matters: it empties the injector, and rule Q2 lets pushes go
/// to the ring again. (With shares only, 300 tasks that yield stayed in the
/// injector for good, and each yield cost 109 ns instead of 26.)
fn refill(injector: &Injector, own: Option<&Local>) -> Option<u64> {
    if !injector.has_plain() {
        return None;
    }
    match own {
        Some(own) => injector.exchange(|entry| own.ring.push(entry).map(drop), own.spilt()),
        None => injector.take_plain(),
    }
}
