//! One model for each protocol that atomics carry.

mod claim;
mod dependents;
mod donation;
mod hand_off;
mod park;
mod permits;
mod ready;
mod reuse;
mod ring;
mod slot;
mod value;

use super::table::{Line, Table};
use crate::{
    lane::Lane,
    primitives::Mutex,
    queue::ready::Taken,
    task::{id::TaskId, word::Snapshot},
};

/// Checks `run` under every interleaving with up to two preemptions, which find
/// nearly all that can be found, or as many as the environment says.
fn model(run: impl Fn() + Send + Sync + 'static) {
    model_with(2, run);
}

/// [`model`] with at least `preemptions`, for what fewer do not show.
fn model_with(preemptions: usize, run: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    let told = builder.preemption_bound.unwrap_or(preemptions);
    builder.preemption_bound = Some(told.max(preemptions));
    builder.max_branches = builder.max_branches.max(20_000);
    builder.check(run);
}

const LOW: u8 = 0;
const MID: u8 = 2;
const HIGH: u8 = 4;

/// The shortest line there is: of all lanes, the highest level first.
struct Entries(Mutex<Vec<(Taken, Lane)>>);

impl Entries {
    fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    fn len(&self) -> usize {
        self.0.lock().len()
    }

    fn pop(&self) -> Option<(Taken, Lane)> {
        let mut entries = self.0.lock();
        let highest = entries.iter().map(|(taken, _)| taken.level).max()?;
        let at = entries
            .iter()
            .position(|(taken, _)| taken.level == highest)?;
        Some(entries.remove(at))
    }

    fn has_level(&self, level: u8) -> bool {
        self.0.lock().iter().any(|(taken, _)| taken.level == level)
    }
}

impl Line for Entries {
    fn push(&self, id: TaskId, word: Snapshot) {
        let taken = Taken {
            entry: id.raw(),
            level: word.level(),
        };
        self.0.lock().push((taken, word.lane()));
    }
}

impl Table<Entries> {
    /// Takes one entry and runs what it names. False if there was none.
    fn step(&self) -> bool {
        let next = self.line.pop();
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
