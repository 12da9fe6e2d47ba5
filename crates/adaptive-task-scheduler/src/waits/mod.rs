//! Who waits on whom: edges, and the priority that is lent along them.
//!
//! An edge `waiter -> blocker` stands in the waiter's links, together with the
//! level that it lends and since when. The blocker keeps only a count for each level, so a
//! fan-in of a million costs what a fan-in of one does. The rules are in
//! [`links`]; [`donation`] carries a change through the graph; [`cycle`] finds
//! the tasks that wait for themselves, [`circles`] all of them at once.
//!
//! Pure: files of this folder know no runtime, no clock and no queue.

pub(crate) mod circles;
pub(crate) mod cycle;
pub(crate) mod donation;
pub(crate) mod links;
pub(crate) mod node;

use crate::task::{
    id::TaskId,
    record::Record,
    word::{self, Snapshot},
};

/// What the graph asks of its surroundings.
pub(crate) trait Tasks {
    /// The record at the id's place; whether it is still about that task is
    /// for the caller to check.
    fn record(&self, id: TaskId) -> &Record;

    /// A task's level changed, from what it was to what it is. If `queued`, it
    /// rose while it was queued and needs an entry at its new level.
    fn relevelled(&self, id: TaskId, from: Snapshot, level: u8, queued: bool);
}

/// Whether a task has not ended.
pub(crate) fn is_live(tasks: &impl Tasks, id: TaskId) -> bool {
    let now = tasks.record(id).word.load();
    now.generation() == id.generation() && !now.has(word::DONE)
}
