//! Pure: which place a task takes, so that a trace has one row for each.

use std::collections::BTreeSet;

use crate::taskfile::model::Lane;

/// The numbers of places that wait begin here; there are never so many that compute.
pub(super) const FIRST_WAITING: u32 = 1_000;

/// The places that are free, of those that have been taken before.
#[derive(Debug, Default)]
pub(super) struct Rows {
    computing: Free,
    waiting: Free,
}

#[derive(Debug, Default)]
struct Free {
    given_back: BTreeSet<u32>,
    taken_ever: u32,
}

impl Rows {
    /// The lowest free place of a lane.
    pub(super) fn take(&mut self, lane: Lane) -> u32 {
        let (free, first) = self.of(lane);
        let row = free.given_back.pop_first().unwrap_or_else(|| {
            free.taken_ever += 1;
            free.taken_ever - 1
        });
        first + row
    }

    /// A place is free again.
    pub(super) fn give_back(&mut self, lane: Lane, row: u32) {
        let (free, first) = self.of(lane);
        free.given_back.insert(row - first);
    }

    fn of(&mut self, lane: Lane) -> (&mut Free, u32) {
        match lane {
            Lane::Cpu => (&mut self.computing, 0),
            Lane::Io | Lane::Blocking => (&mut self.waiting, FIRST_WAITING),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_place_is_taken() {
        let mut rows = Rows::default();
        assert_eq!([rows.take(Lane::Cpu), rows.take(Lane::Cpu)], [0, 1]);
        rows.give_back(Lane::Cpu, 0);
        assert_eq!([rows.take(Lane::Cpu), rows.take(Lane::Cpu)], [0, 2]);
        assert_eq!(rows.take(Lane::Io), FIRST_WAITING);
    }
}
