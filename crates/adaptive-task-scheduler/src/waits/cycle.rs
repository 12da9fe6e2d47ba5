//! Finds the tasks that wait for themselves.
//!
//! Pure: a walk along `waits_on`, one task's lock at a time, without
//! recursion.
//!
//! Protocol: a waiter first adds its edge and looks for a cycle afterwards, so
//! that of two edges that close a cycle together, the later one's walk sees
//! both. A waiter on whom nobody waits cannot be on a cycle and does not walk;
//! all others walk under one lock of the process, and take their edge away
//! under it if it closed a cycle. So exactly one waiter of a cycle is told.

use super::{Tasks, is_live};
use crate::task::{id::TaskId, word};
use std::collections::{HashMap, hash_map::Entry};

/// Whether anybody waits on the task.
pub(crate) fn has_waiters(tasks: &impl Tasks, id: TaskId) -> bool {
    tasks
        .record(id)
        .live_links(id.generation())
        .is_some_and(|links| links.has_waiters())
}

/// The tasks on a cycle through the edge `waiter -> blocker`, in the order of
/// waiting, beginning with `waiter`; `None` if there is none. Other edges of
/// the waiter were looked at when they were added.
pub(crate) fn find(tasks: &impl Tasks, waiter: TaskId, blocker: TaskId) -> Option<Vec<TaskId>> {
    if waiter == blocker {
        return Some(vec![waiter]);
    }
    // From each task seen, the one that led here.
    let mut reached_from: HashMap<TaskId, TaskId> = HashMap::from([(blocker, waiter)]);
    let mut open = vec![blocker];
    while let Some(at) = open.pop() {
        for on in needed(tasks, at) {
            if on == waiter {
                return Some(path(&reached_from, waiter, at));
            }
            if let Entry::Vacant(unseen) = reached_from.entry(on) {
                unseen.insert(at);
                open.push(on);
            }
        }
    }
    None
}

/// The unfinished tasks that `id` waits on.
pub(crate) fn blockers(tasks: &impl Tasks, id: TaskId) -> Vec<TaskId> {
    let record = tasks.record(id);
    let Some(links) = record.links_of(id.generation()) else {
        return Vec::new();
    };
    let edges = links.waits_on.iter().map(|edge| edge.on);
    edges.filter(|&on| is_live(tasks, on)).collect()
}

/// The unfinished tasks without all of which `id` cannot go on: none if any of
/// several is enough.
pub(crate) fn needed(tasks: &impl Tasks, id: TaskId) -> Vec<TaskId> {
    let record = tasks.record(id);
    let any_is_enough = record.word.load().has(word::NODE)
        && record
            .links_of(id.generation())
            .is_some_and(|links| links.missing > 0);
    if any_is_enough {
        return Vec::new();
    }
    blockers(tasks, id)
}

fn path(reached_from: &HashMap<TaskId, TaskId>, waiter: TaskId, last: TaskId) -> Vec<TaskId> {
    let mut path = vec![last];
    let mut at = last;
    while at != waiter {
        at = reached_from[&at];
        path.push(at);
    }
    path.reverse();
    path
}
