//! Who holds a lock: a few cells that name tasks.
//!
//! It owns: the cells, and how many permits each stands for. A cell is taken
//! and left without a lock; what a reader finds in it may be stale only in the
//! ways that the protocol of [`super::permits`] allows. Holders for whom no cell
//! is free are kept in the line, under its lock, with a number beyond the cells.

use super::ground;
use crate::{
    primitives::atomic::{
        AtomicBool, AtomicU64, AtomicUsize,
        Ordering::{Relaxed, Release, SeqCst},
    },
    task::id::TaskId,
};
use std::array;

/// Which cell names the holder, for as long as it holds.
#[derive(Debug)]
#[must_use]
pub(crate) struct Hold {
    owner: Option<TaskId>,
    cell: u32,
}

impl Hold {
    /// Of a holder that is no task.
    pub(crate) const UNKNOWN: Self = Self {
        owner: None,
        cell: 0,
    };

    /// Of a holder for which no cell was free.
    pub(crate) fn beyond(owner: TaskId, cell: u32) -> Self {
        Self {
            owner: Some(owner),
            cell,
        }
    }

    pub(crate) fn owner(&self) -> Option<TaskId> {
        self.owner
    }

    /// The cell and whom it names.
    pub(crate) fn named(&self) -> Option<(u32, TaskId)> {
        self.owner.map(|owner| (self.cell, owner))
    }
}

#[derive(Debug)]
pub(crate) struct Holders<const N: usize> {
    /// Ids of tasks; 0 in a free cell.
    cells: [AtomicU64; N],
    /// For how many permits the cell stands; 0 while that is not known yet.
    amounts: [AtomicUsize; N],
    /// Whether the holder counted as waiting when it took them.
    doubts: [AtomicBool; N],
}

impl<const N: usize> Holders<N> {
    pub(crate) fn new() -> Self {
        Self {
            cells: array::from_fn(|_| AtomicU64::new(0)),
            amounts: array::from_fn(|_| AtomicUsize::new(0)),
            doubts: array::from_fn(|_| AtomicBool::new(false)),
        }
    }

    /// Names the task as a holder of `amount` permits, with a doubt if it counts as
    /// waiting. `None` if no cell is free.
    pub(crate) fn claim(&self, owner: TaskId, amount: usize) -> Option<Hold> {
        if N == 1 {
            // There is one holder at a time, and this is it.
            self.doubts[0].store(ground::is_waiting(owner), Relaxed);
            self.cells[0].store(owner.raw(), SeqCst);
            return Some(Hold {
                owner: Some(owner),
                cell: 0,
            });
        }
        let first = owner.index() as usize;
        for at in (0..N).map(|step| (first + step) % N) {
            let cell = &self.cells[at];
            if cell.load(Relaxed) == 0
                && cell
                    .compare_exchange(0, owner.raw(), SeqCst, Relaxed)
                    .is_ok()
            {
                self.doubts[at].store(ground::is_waiting(owner), SeqCst);
                // Before the state is read again (step 3).
                self.amounts[at].store(amount, SeqCst);
                return Some(Hold {
                    owner: Some(owner),
                    cell: at as u32,
                });
            }
        }
        None
    }

    /// Whether the hold has a cell of its own, or is kept in the line.
    pub(crate) fn is_beyond(hold: &Hold) -> bool {
        hold.cell as usize >= N
    }

    /// Leaves the cell, if the hold has one. Once for each hold.
    pub(crate) fn leave(&self, hold: &Hold) {
        let at = hold.cell as usize;
        if hold.owner.is_some() && at < N {
            if N > 1 {
                self.amounts[at].store(0, Relaxed);
            }
            // Whoever claims the cell next finds the amount as it was left here.
            self.cells[at].store(0, Release);
        }
    }

    /// Changes for how many permits the cell of the hold stands.
    pub(crate) fn set_amount(&self, hold: &Hold, amount: usize) {
        if hold.owner.is_some() {
            self.amounts[hold.cell as usize].store(amount, Relaxed);
        }
    }

    /// For how many permits the cell stands.
    pub(crate) fn amount(&self, cell: u32) -> usize {
        self.amounts[cell as usize].load(SeqCst)
    }

    /// Whether the holder in the cell counted as waiting when it took its permits.
    pub(crate) fn has_doubt(&self, cell: u32) -> bool {
        self.doubts[cell as usize].load(SeqCst)
    }

    /// The cells that name somebody.
    pub(crate) fn named(&self) -> impl Iterator<Item = (u32, TaskId)> + '_ {
        self.cells
            .iter()
            .zip(0..)
            .filter_map(|(cell, at)| Some((at, TaskId::from_raw(cell.load(SeqCst))?)))
    }
}
