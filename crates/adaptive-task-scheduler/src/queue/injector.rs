//! Where entries of one level come in from outside the slots, and where those go
//! that a slot has no room for: first those with a deadline, earliest first, then the
//! others, first come.
//!
//! It owns: a heap and a queue behind one lock, and their lengths, which may
//! be read without it. The lengths are stored with `SeqCst` while the lock is
//! held; see [`super::ring`] for why.

use crate::primitives::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
    model_fence,
};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

#[derive(Debug, Default)]
struct Entries {
    /// Deadline, order of arrival, entry.
    timed: BinaryHeap<Reverse<(u64, u64, u64)>>,
    plain: VecDeque<u64>,
    arrived: u64,
}

#[derive(Debug)]
pub(crate) struct Injector {
    entries: Mutex<Entries>,
    timed: AtomicUsize,
    plain: AtomicUsize,
}

impl Injector {
    pub(crate) fn new() -> Self {
        Self {
            entries: Mutex::new(Entries::default()),
            timed: AtomicUsize::new(0),
            plain: AtomicUsize::new(0),
        }
    }

    /// Adds an entry; a `deadline` of 0 is none.
    pub(crate) fn push(&self, entry: u64, deadline: u64) {
        let mut entries = self.entries.lock();
        if deadline == 0 {
            entries.plain.push_back(entry);
            self.plain.store(entries.plain.len(), Ordering::SeqCst);
        } else {
            let arrived = entries.arrived;
            entries.arrived += 1;
            entries.timed.push(Reverse((deadline, arrived, entry)));
            self.timed.store(entries.timed.len(), Ordering::SeqCst);
        }
        model_fence();
    }

    /// Adds entries that a slot has no room for. They are asked for under the
    /// lock, so that those of one slot keep their order.
    pub(crate) fn push_all(&self, overflow: impl Iterator<Item = u64>) {
        let mut entries = self.entries.lock();
        entries.plain.extend(overflow);
        self.plain.store(entries.plain.len(), Ordering::SeqCst);
        model_fence();
    }

    pub(crate) fn has_timed(&self) -> bool {
        model_fence();
        self.timed.load(Ordering::SeqCst) > 0
    }

    pub(crate) fn has_plain(&self) -> bool {
        model_fence();
        self.plain.load(Ordering::SeqCst) > 0
    }

    pub(crate) fn len(&self) -> usize {
        self.timed.load(Ordering::SeqCst) + self.plain.load(Ordering::SeqCst)
    }

    /// The entry with the earliest deadline.
    pub(crate) fn take_timed(&self) -> Option<u64> {
        let mut entries = self.entries.lock();
        let Reverse((_, _, entry)) = entries.timed.pop()?;
        self.timed.store(entries.timed.len(), Ordering::SeqCst);
        Some(entry)
    }

    /// The first come of the others.
    pub(crate) fn take_plain(&self) -> Option<u64> {
        let mut entries = self.entries.lock();
        let first = entries.plain.pop_front()?;
        self.plain.store(entries.plain.len(), Ordering::SeqCst);
        Some(first)
    }

    /// The first come of the others. Those that follow it go to `keep`, until it
    /// gives one back; then `spilt` come in at the back.
    pub(crate) fn exchange(
        &self,
        mut keep: impl FnMut(u64) -> Result<(), u64>,
        spilt: impl Iterator<Item = u64>,
    ) -> Option<u64> {
        let mut entries = self.entries.lock();
        let first = entries.plain.pop_front()?;
        while let Some(entry) = entries.plain.pop_front() {
            if let Err(entry) = keep(entry) {
                entries.plain.push_front(entry);
                break;
            }
        }
        entries.plain.extend(spilt);
        self.plain.store(entries.plain.len(), Ordering::SeqCst);
        model_fence();
        Some(first)
    }

    /// The entry that came first of those without a deadline, and of those
    /// with one the earliest, as hints.
    pub(crate) fn peek(&self) -> [Option<u64>; 2] {
        let entries = self.entries.lock();
        let timed = entries.timed.peek().map(|Reverse((_, _, entry))| *entry);
        [entries.plain.front().copied(), timed]
    }
}
