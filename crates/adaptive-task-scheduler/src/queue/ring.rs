//! A bounded lock-free queue of entries, for any number of pushers and
//! takers (Dmitry Vyukov's bounded MPMC queue).
//!
//! It owns: `CAPACITY` cells, each with a turn and an entry, and the places of
//! the next take (`head`) and push (`tail`).
//!
//! Protocol, with cell `i = position % CAPACITY`:
//!
//! 1. A pusher at position `p` may write the cell when its turn is `p`; it wins
//!    `p` by moving `tail` from `p` to `p + 1`, writes the entry, and sets the
//!    turn to `p + 1`.
//! 2. A taker at position `p` may read the cell when its turn is `p + 1`; it
//!    wins `p` by moving `head`, reads, and sets the turn to `p + CAPACITY`.
//!
//! Entries are plain numbers in atomics, so no step needs unsafe code, and a
//! look at the head ([`Ring::peek`]) may be wrong but never undefined.
//!
//! Any thread may push and take: a carrier whose slot was handed off may still
//! wake tasks into it (a queue that only its owner may touch cannot be handed
//! off safely).
//!
//! `head` and `tail` move with `SeqCst` operations: the search protocols of
//! [`super::ready`] and of `lane::idle` rest on "whoever pushes, looks for
//! sleepers afterwards; whoever goes to sleep, looks for entries afterwards".

use crate::primitives::{
    atomic::{AtomicU64, AtomicUsize, Ordering},
    model_fence,
};

#[cfg(not(ats_loom))]
pub(crate) const CAPACITY: usize = 256;
#[cfg(ats_loom)]
pub(crate) const CAPACITY: usize = 4;

#[derive(Debug)]
struct Cell {
    turn: AtomicUsize,
    entry: AtomicU64,
}

/// Keeps its content on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);

impl<T> std::ops::Deref for Padded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[derive(Debug)]
pub(crate) struct Ring {
    head: Padded<AtomicUsize>,
    tail: Padded<AtomicUsize>,
    cells: Box<[Cell; CAPACITY]>,
}

impl Ring {
    pub(crate) fn new() -> Self {
        let cell = |at| Cell {
            turn: AtomicUsize::new(at),
            entry: AtomicU64::new(0),
        };
        Self {
            head: Padded(AtomicUsize::new(0)),
            tail: Padded(AtomicUsize::new(0)),
            cells: Box::new(std::array::from_fn(cell)),
        }
    }

    fn cell(&self, position: usize) -> &Cell {
        &self.cells[position % CAPACITY]
    }

    /// Adds an entry at the back; says whether the ring seemed empty before.
    /// `Err` if the ring is full.
    pub(crate) fn push(&self, entry: u64) -> Result<bool, u64> {
        let mut position = self.tail.load(Ordering::Relaxed);
        loop {
            let cell = self.cell(position);
            // Acquire: pairs with the taker's release of the turn.
            let ahead = cell.turn.load(Ordering::Acquire).wrapping_sub(position) as isize;
            if ahead < 0 {
                return Err(entry);
            }
            if ahead > 0 {
                position = self.tail.load(Ordering::Relaxed);
                continue;
            }
            let next = position.wrapping_add(1);
            let won = self.tail.compare_exchange_weak(
                position,
                next,
                Ordering::SeqCst,
                Ordering::Relaxed,
            );
            match won {
                Ok(_) => {
                    cell.entry.store(entry, Ordering::Relaxed);
                    cell.turn.store(next, Ordering::Release);
                    model_fence();
                    return Ok(self.head.load(Ordering::Relaxed) == position);
                }
                Err(found) => position = found,
            }
        }
    }

    /// Takes the entry at the front.
    pub(crate) fn take(&self) -> Option<u64> {
        let mut position = self.head.load(Ordering::Relaxed);
        loop {
            let cell = self.cell(position);
            let next = position.wrapping_add(1);
            // Acquire: pairs with the pusher's release of the turn.
            let ahead = cell.turn.load(Ordering::Acquire).wrapping_sub(next) as isize;
            if ahead < 0 {
                return None;
            }
            if ahead > 0 {
                position = self.head.load(Ordering::Relaxed);
                continue;
            }
            let won = self.head.compare_exchange_weak(
                position,
                next,
                Ordering::SeqCst,
                Ordering::Relaxed,
            );
            match won {
                Ok(_) => {
                    let entry = cell.entry.load(Ordering::Relaxed);
                    let turn = position.wrapping_add(CAPACITY);
                    cell.turn.store(turn, Ordering::Release);
                    return Some(entry);
                }
                Err(found) => position = found,
            }
        }
    }

    /// The entry at the front, as a hint: it may be gone already.
    pub(crate) fn peek(&self) -> Option<u64> {
        let position = self.head.load(Ordering::Relaxed);
        let cell = self.cell(position);
        let full = cell.turn.load(Ordering::Acquire) == position.wrapping_add(1);
        full.then(|| cell.entry.load(Ordering::Relaxed))
    }

    /// Whether nothing has been pushed that was not taken. An entry that is
    /// just being pushed counts.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        model_fence();
        let head = self.head.load(Ordering::SeqCst);
        let tail = self.tail.load(Ordering::SeqCst);
        // The head may have overtaken the tail that was read before it.
        let len = tail.wrapping_sub(head);
        if len > CAPACITY { 0 } else { len }
    }
}
