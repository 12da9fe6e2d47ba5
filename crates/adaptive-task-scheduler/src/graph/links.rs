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

/// A task waits on one or two others, as a rule.
type Edges = SmallVec<[Edge; 2]>;

/// A change of one count of a blocker (rule L1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) to: TaskId,
    pub(crate) minus: Option<u8>,
    pub(crate) plus: Option<u8>,
}

#[derive(Debug)]
pub(crate) struct Links {
    pub(crate) name: Option<TaskName>,
    /// Whoever awaits the handle.
    pub(crate) join: Option<Waker>,
    /// Who watches without taking the value.
    pub(crate) watchers: Vec<Watcher>,
    /// Who was spawned to run after this.
    pub(crate) dependents: Vec<TaskId>,
    /// Whom this waits on. Edges to tasks that have ended lend nothing and are
    /// pruned from time to time.
    pub(crate) waits_on: Edges,
    /// How many edges the last pruning left.
    pruned_to: usize,
    lent: [i32; LEVELS],
    /// Declared dependencies not finished yet, and one more while the task is
    /// being spawned.
    pub(crate) missing: u32,
    pub(crate) error: Option<TaskError>,
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
    pub(crate) dependents: Vec<TaskId>,
    pub(crate) waits_on: Edges,
    pub(crate) error: Option<TaskError>,
}

impl Links {
    pub(crate) const fn new() -> Self {
        Self {
            name: None,
            join: None,
            watchers: Vec::new(),
            dependents: Vec::new(),
            waits_on: Edges::new_const(),
            pruned_to: 0,
            lent: [0; LEVELS],
            missing: 0,
            error: None,
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
        if self.waits_on.len() > 2 * self.pruned_to + 8 {
            self.waits_on.retain(|edge| is_live(edge.on));
            self.pruned_to = self.waits_on.len();
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
        self.waits_on.iter().find(|edge| edge.on == on).copied()
    }

    /// Takes one edge to `on` away.
    pub(crate) fn remove_edge(&mut self, on: TaskId) -> Option<Change> {
        let at = self.waits_on.iter().position(|edge| edge.on == on)?;
        let edge = self.waits_on.swap_remove(at);
        Some(edge.returned())
    }

    /// Hands out what an ending task must serve. The name and the error stay
    /// for the handle to read.
    pub(crate) fn take_ending(&mut self) -> Ending {
        Ending {
            join: self.join.take(),
            watchers: std::mem::take(&mut self.watchers),
            dependents: std::mem::take(&mut self.dependents),
            waits_on: std::mem::take(&mut self.waits_on),
            error: self.error.clone(),
        }
    }
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
