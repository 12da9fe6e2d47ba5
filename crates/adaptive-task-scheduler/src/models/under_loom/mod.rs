//! One model for each protocol that atomics carry.

mod claim;
mod dependents;
mod donation;
mod hand_off;
mod park;
mod ready;
mod reuse;
mod ring;
mod value;

use super::table::{Line, Table};
use crate::{
    lane::Lane,
    queue::ready::Taken,
    sync::Mutex,
    task::{id::TaskId, word::Snapshot},
};
use std::collections::VecDeque;

const LOW: u8 = 0;
const MID: u8 = 2;
const HIGH: u8 = 4;

/// The shortest line there is: all lanes and levels, first come.
struct Entries(Mutex<VecDeque<(Taken, Lane)>>);

impl Entries {
    fn new() -> Self {
        Self(Mutex::new(VecDeque::new()))
    }

    fn len(&self) -> usize {
        self.0.lock().len()
    }
}

impl Line for Entries {
    fn push(&self, id: TaskId, word: Snapshot) {
        let taken = Taken {
            entry: id.raw(),
            level: word.level(),
        };
        self.0.lock().push_back((taken, word.lane()));
    }
}

impl Table<Entries> {
    /// Takes one entry and runs what it names. False if there was none.
    fn step(&self) -> bool {
        let next = self.line.0.lock().pop_front();
        if let Some((taken, lane)) = next {
            self.run(taken, lane);
        }
        next.is_some()
    }

    /// Runs all there is.
    fn drain(&self) {
        while self.step() {}
    }
}
