//! What is linked to one task: whom it waits on, who waits on it.
//!
//! Pure: plain data, changed under the lock of the task's record.
//!
//! Rules, for a task `W` with edges to its blockers:
//!
//! - L1. `lent` counts, for each level, the live edges that point here and
//!   lend that level. Counts are signed: two changes of one edge may arrive in
//!   the other order, and only their sum means anything.
//! - L2. Effective level = max(own, highest level with a positive count). It is
//!   computed and published in the state word under this lock.
//! - L3. Each edge of `waits_on` remembers the level that it lends. Whoever
//!   changes W's level, changes these under the same lock and carries the
//!   differences to the blockers afterwards, one lock at a time. Differences
//!   add up to the truth in whatever order they arrive, and the last to arrive
//!   computes L2 from the true counts. So at rest the levels are right.

use crate::{
    error::TaskError,
    priority::LEVELS,
    task::id::{TaskId, TaskName},
};
use smallvec::SmallVec;
use std::task::Waker;

/// One edge, seen from its waiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) on: TaskId,
    /// The level that this edge lends to `on` at present.
    pub(crate) lent: u8,
    /// The own level of `on` when the wait began; above all of them if `on` is
    /// no task and has none.
    pub(crate) own: u8,
    /// The tick at which the wait began.
    pub(crate) since: u32,
}

/// A task waits on one other at a time, as a rule.
type Edges = SmallVec<[Edge; 1]>;
/// Whom a task that has ended releases.
type Dependents = SmallVec<[TaskId; 2]>;

/// A change of one count of a blocker (rule L1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) to: TaskId,
    pub(crate) minus: Option<u8>,
    pub(crate) plus: Option<u8>,
}

/// Every task in the table has room for these, alive or not, so what few tasks
/// need is apart: there may be ten million of them.
#[derive(Debug)]
pub(crate) struct Links {
    pub(crate) name: Option<TaskName>,
    /// Whoever awaits the handle.
    pub(crate) join: Option<Waker>,
    /// Whom this waits on. Edges to tasks that have ended lend nothing and are
    /// pruned from time to time.
    pub(crate) waits_on: Edges,
    lent: [i32; LEVELS],
    /// Declared dependencies not finished yet, and one more while the task is
    /// being spawned. Of a node: 1 if any of those it waits on is enough.
    pub(crate) missing: u32,
    rare: Option<Box<Rare>>,
}

/// What only tasks have that others are declared to run after, that are watched,
/// that have failed, or that wait on many at once.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    /// Who watches without taking the value.
    pub(crate) watchers: Vec<Watcher>,
    /// Who was spawned to run after this.
    pub(crate) dependents: Dependents,
    pub(crate) error: Option<TaskError>,
    /// How many edges the last pruning left.
    pruned_to: usize,
    /// Where an edge was last taken away.
    removed_at: usize,
}

/// Told of the end of a task it watches.
pub(crate) type Watcher = std::sync::Arc<dyn Watching>;

/// What can watch a task end.
pub(crate) trait Watching: Send + Sync + std::fmt::Debug {
    fn ended(&self, id: TaskId, error: Option<&TaskError>);
}

/// What was linked to a task that has ended, for the caller to serve.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    pub(crate) join: Option<Waker>,
    pub(crate) watchers: Vec<Watcher>,
    pub(crate) dependents: Dependents,
    pub(crate) waits_on: Edges,
    pub(crate) error: Option<TaskError>,
}

impl Links {
    pub(crate) const fn new() -> Self {
        Self {
            name: None,
            join: None,
            waits_on: Edges::new_const(),
            lent: [0; LEVELS],
            missing: 0,
            rare: None,
        }
    }

    /// What few tasks have; made room for at the first use.
    pub(crate) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// How the task failed, or is going to.
    pub(crate) fn error(&self) -> Option<TaskError> {
        self.rare.as_ref()?.error.clone()
    }

    /// Says how the task failed.
    pub(crate) fn set_error(&mut self, error: Option<TaskError>) {
        if error.is_some() || self.rare.is_some() {
            self.rare().error = error;
        }
    }

    /// Whether anybody waits on this task.
    pub(crate) fn has_waiters(&self) -> bool {
        self.lent.iter().any(|&count| count > 0)
    }

    /// Rule L2.
    pub(crate) fn effective(&self, own: u8) -> u8 {
        let lent = (0..LEVELS as u8)
            .rev()
            .find(|&level| self.lent[usize::from(level)] > 0);
        lent.map_or(own, |level| level.max(own))
    }

    /// Counts a change that arrived here (rule L1).
    pub(crate) fn count(&mut self, change: Change) {
        if let Some(level) = change.minus {
            self.lent[usize::from(level)] -= 1;
        }
        if let Some(level) = change.plus {
            self.lent[usize::from(level)] += 1;
        }
    }

    /// Lets all edges lend `level`; what changes is added to `changes`
    /// (rule L3).
    pub(crate) fn lend(&mut self, level: u8, changes: &mut Vec<Change>) {
        for edge in &mut self.waits_on {
            if edge.lent != level {
                let minus = Some(std::mem::replace(&mut edge.lent, level));
                changes.push(Change {
                    to: edge.on,
                    minus,
                    plus: Some(level),
                });
            }
        }
    }

    /// Adds an edge. What it changes is for the caller to carry on.
    ///
    /// Edges to ended tasks are dropped whenever their number has doubled, so
    /// that a task may wait for any number of others, one after the other or at
    /// once, at a constant cost for each.
    pub(crate) fn add_edge(&mut self, edge: Edge, is_live: impl Fn(TaskId) -> bool) -> Change {
        if !self.waits_on.spilled() {
            // So that a task that awaits one after the other needs no room.
            self.waits_on.retain(|edge| is_live(edge.on));
        } else if self.waits_on.len() > 2 * self.rare().pruned_to + 8 {
            self.waits_on.retain(|edge| is_live(edge.on));
            self.rare().pruned_to = self.waits_on.len();
        }
        self.waits_on.push(edge);
        Change {
            to: edge.on,
            minus: None,
            plus: Some(edge.lent),
        }
    }

    /// The edge to `on`, if there is one.
    pub(crate) fn edge(&self, on: TaskId) -> Option<Edge> {
        let near = self.rare.as_ref().map_or(0, |rare| rare.removed_at);
        nearest(&self.waits_on, near, |edge| edge.on == on).map(|at| self.waits_on[at])
    }

    /// Says of a node that waiting on it may end by any of those it waits on, so
    /// that a circle through it is no deadlock.
    pub(crate) fn set_any_is_enough(&mut self, any: bool) {
        // A node has no declared dependencies.
        self.missing = u32::from(any);
    }

    /// Takes one edge to `on` away.
    ///
    /// It is looked for around the place of the last that was taken away. Since
    /// the last edge of all takes the place of one that goes, edges that go in
    /// the order in which they came, or in the reverse, are found at once: a
    /// task that gives up waiting on a million others does not search a million
    /// times through a million.
    pub(crate) fn remove_edge(&mut self, on: TaskId) -> Option<Change> {
        let near = self.rare.as_ref().map_or(0, |rare| rare.removed_at);
        let at = nearest(&self.waits_on, near, |edge| edge.on == on)?;
        let edge = self.waits_on.swap_remove(at);
        if self.waits_on.spilled() {
            self.rare().removed_at = at;
        }
        Some(edge.returned())
    }

    /// Hands out what an ending task must serve. The name and the error stay
    /// for the handle to read.
    pub(crate) fn take_ending(&mut self) -> Ending {
        let mut ending = Ending {
            join: self.join.take(),
            waits_on: std::mem::take(&mut self.waits_on),
            ..Ending::default()
        };
        if let Some(rare) = &mut self.rare {
            ending.watchers = std::mem::take(&mut rare.watchers);
            ending.dependents = std::mem::take(&mut rare.dependents);
            ending.error = rare.error.clone();
        }
        ending
    }
}

/// The index nearest to `near` of what is looked for.
fn nearest<T>(among: &[T], near: usize, is_it: impl Fn(&T) -> bool) -> Option<usize> {
    let near = near.min(among.len());
    (0..=near.max(among.len() - near)).find_map(|distance| {
        let here = |at: usize| among.get(at).is_some_and(&is_it).then_some(at);
        here(near + distance).or_else(|| here(near.checked_sub(distance)?))
    })
}

impl Change {
    /// Changes no count; the task's level is computed anew.
    pub(crate) fn nothing(to: TaskId) -> Self {
        Self {
            to,
            minus: None,
            plus: None,
        }
    }
}

impl Edge {
    /// The change that taking this edge away makes.
    pub(crate) fn returned(self) -> Change {
        Change {
            to: self.on,
            minus: Some(self.lent),
            plus: None,
        }
    }
}

#[cfg(all(test, not(any(ats_loom, ats_shuttle))))]
mod tests {
    use super::*;

    fn ids(count: u32) -> Vec<TaskId> {
        (0..count).map(|at| TaskId::new(at, 1)).collect()
    }

    fn edge(on: TaskId) -> Edge {
        Edge {
            on,
            lent: 2,
            own: 0,
            since: 1,
        }
    }

    fn waits_on(ids: &[TaskId]) -> Links {
        let mut links = Links::new();
        for &id in ids {
            links.add_edge(edge(id), |_| true);
        }
        links
    }

    #[test]
    fn edges_go_in_any_order() {
        let ids = ids(7);
        for step in 1..7 {
            let mut links = waits_on(&ids);
            for turn in 0..7 {
                let on = ids[turn * step % 7];
                let change = links.remove_edge(on).expect("it waits on that");
                assert_eq!((change.to, change.minus), (on, Some(2)));
                assert_eq!(links.remove_edge(on), None);
            }
            assert!(links.waits_on.is_empty());
        }
    }

    #[test]
    fn the_nearest_is_found_on_either_side() {
        let among = [1, 0, 0, 0, 1];
        let find = |near| nearest(&among, near, |&one| one == 1);
        assert_eq!([0, 1, 3, 4, 9].map(find), [0, 0, 4, 4, 4].map(Some));
        assert_eq!(nearest(&[0; 0], 0, |_| true), None);
    }

    #[test]
    fn awaiting_one_after_the_other_needs_no_room() {
        let ids = ids(50);
        let mut links = Links::new();
        for &id in &ids {
            links.add_edge(edge(id), |_| false);
            assert!(!links.waits_on.spilled());
        }
        assert_eq!(links.waits_on.len(), 1);
    }
}
