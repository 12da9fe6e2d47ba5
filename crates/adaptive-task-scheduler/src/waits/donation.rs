//! Carries changes of lent levels through the graph.
//!
//! Pure: one function for both directions, as in Linux's rt_mutex. It holds
//! one task's lock at a time, never recurses, and stops where a level does not
//! change, so a chain of any length and a fan-in of any width cost only what
//! really changes. In a graph without cycles a walk ends: each step either
//! stops or moves a level, and changes only flow from waiters to blockers.
//!
//! Known race, harmless: between two locks of a walk an observer can see a
//! blocker still at its old level. The levels are right when all walks that
//! have begun are over (rule L3 of [`super::links`]).

use super::{
    Tasks, is_live,
    links::{Change, Edge},
};
use crate::{
    primitives::atomic::Ordering,
    task::{
        id::TaskId,
        word::{NODE, Relevel},
    },
};

/// Adds an edge where nobody asks since when it stands.
#[cfg(any(ats_loom, ats_shuttle))]
pub(crate) fn add_edge(tasks: &impl Tasks, waiter: TaskId, blocker: TaskId) -> bool {
    add_edge_at(tasks, waiter, blocker, 0)
}

/// Adds the edge `waiter -> blocker` at the tick `since` and lends along it.
/// False if the waiter is gone.
pub(crate) fn add_edge_at(tasks: &impl Tasks, waiter: TaskId, blocker: TaskId, since: u32) -> bool {
    let record = tasks.record(waiter);
    let own = own_level(tasks, blocker);
    let Some(mut links) = record.live_links(waiter.generation()) else {
        return false;
    };
    let edge = Edge {
        on: blocker,
        lent: record.word.load().level(),
        own,
        since,
    };
    let change = links.add_edge(edge, |id| is_live(tasks, id));
    drop(links);
    settle(tasks, [change]);
    true
}

/// The own level of a task; above all levels for what is none.
fn own_level(tasks: &impl Tasks, id: TaskId) -> u8 {
    let record = tasks.record(id);
    if record.word.load().has(NODE) {
        return u8::MAX;
    }
    record.facts.own_level.load(Ordering::Relaxed)
}

/// Takes the edge `waiter -> blocker` away and takes back what it lent. An edge
/// to a task that has ended lends nothing and is left to be pruned.
pub(crate) fn remove_edge(tasks: &impl Tasks, waiter: TaskId, blocker: TaskId) {
    if !is_live(tasks, blocker) {
        return;
    }
    let record = tasks.record(waiter);
    let removed = record
        .live_links(waiter.generation())
        .and_then(|mut links| links.remove_edge(blocker));
    settle(tasks, removed);
}

/// Carries the changes to where they lead.
pub(crate) fn settle(tasks: &impl Tasks, changes: impl IntoIterator<Item = Change>) {
    let mut more = Vec::new();
    for change in changes {
        apply(tasks, change, &mut more);
        while let Some(change) = more.pop() {
            apply(tasks, change, &mut more);
        }
    }
}

/// Applies one change to its task; what follows from it is added to `changes`.
fn apply(tasks: &impl Tasks, change: Change, changes: &mut Vec<Change>) {
    let id = change.to;
    let record = tasks.record(id);
    let Some(mut links) = record.live_links(id.generation()) else {
        return;
    };
    links.count(change);
    let level = links.effective(record.facts.own_level.load(Ordering::Relaxed));
    let relevel = record.word.set_level(id.generation(), level);
    let (from, queued) = match relevel {
        Relevel::Nothing => return,
        Relevel::Changed(from) => (from, false),
        Relevel::Raised(from, _) => (from, true),
    };
    links.lend(level, changes);
    drop(links);
    tasks.relevelled(id, from, level, queued);
}
