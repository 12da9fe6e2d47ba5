//! Pure: which place a task takes, so that a trace has one row for each.

use std::collections::BTreeSet;

use super::tasks::Known;
use crate::taskfile::model::Lane;

/// The numbers of places that wait begin here; there are never so many that compute.
pub(super) const FIRST_WAITING: u32 = 1_000;

/// The numbers for what takes no place begin here.
pub(super) const FIRST_WITHOUT: u32 = 10_000;

/// The rows that are free, of those that have been taken before.
#[derive(Debug, Default)]
pub(super) struct Rows {
    computing: Free,
    waiting: Free,
    without: Free,
}

#[derive(Debug, Default)]
struct Free {
    given_back: BTreeSet<u32>,
    taken_ever: u32,
}

impl Rows {
    /// The lowest free row for a task.
    pub(super) fn take(&mut self, task: &Known) -> u32 {
        let (free, first) = self.of(task);
        let row = free.given_back.pop_first().unwrap_or_else(|| {
            free.taken_ever += 1;
            free.taken_ever - 1
        });
        first + row
    }

    /// The row of a task is free again.
    pub(super) fn give_back(&mut self, task: &Known, row: u32) {
        let (free, first) = self.of(task);
        free.given_back.insert(row - first);
    }

    fn of(&mut self, task: &Known) -> (&mut Free, u32) {
        match task.lane {
            _ if task.gathers => (&mut self.without, FIRST_WITHOUT),
            Lane::Cpu => (&mut self.computing, 0),
            Lane::Io | Lane::Blocking => (&mut self.waiting, FIRST_WAITING),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::Story;
    use super::*;

    #[test]
    fn the_lowest_free_place_is_taken() {
        let story = Story::of_build();
        let mut task = story.state.tasks().get(0).clone();
        let mut rows = Rows::default();
        assert_eq!([rows.take(&task), rows.take(&task)], [0, 1]);
        rows.give_back(&task, 0);
        assert_eq!([rows.take(&task), rows.take(&task)], [0, 2]);
        task.lane = Lane::Io;
        assert_eq!(rows.take(&task), FIRST_WAITING);
        task.gathers = true;
        assert_eq!(rows.take(&task), FIRST_WITHOUT);
    }
}
