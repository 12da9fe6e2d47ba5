//! Locks that were granted and are not taken up.
//!
//! A released lock goes to the next in line directly. If that future is not
//! polled, because its task polls something else, the lock is held by nobody who
//! could release it. The sentinel tells of it.
//!
//! It owns: the grants of a scheduler's tasks that have not been taken up, in the
//! order in which they were given. Each is told of once.

use crate::{
    core::{Core, edges},
    counters::bump,
    event::Event,
    primitives::Mutex,
    task::{
        current,
        id::{TaskId, TaskName},
        slab,
    },
};
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// How long a grant may wait to be taken up. A guess: longer than a task that can
/// run is kept from it, short enough for whoever looks for a stall.
const LONG: Duration = Duration::from_millis(100);

/// A report that is due, for whoever takes the grant up. No other grant of this
/// process has the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Number(u64);

#[derive(Debug)]
struct Grant {
    task: TaskId,
    lock: TaskName,
    since: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Grants(Mutex<BTreeMap<Number, Grant>>);

/// A lock is granted to a task.
pub(super) fn granted(task: TaskId, lock: &TaskName) -> Option<Number> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut number = None;
    current::with_core_of(slab::record(task), |core| {
        let next = Number(NEXT.fetch_add(1, Ordering::Relaxed));
        let grant = Grant {
            task,
            lock: lock.clone(),
            since: core.tick(),
        };
        core.grants.0.lock().insert(next, grant);
        core.sentinel.rouse();
        number = Some(next);
    });
    number
}

/// The task has what it was granted, or gave it up.
pub(super) fn taken_up(task: TaskId, number: Number) {
    current::with_core_of(slab::record(task), |core| {
        core.grants.0.lock().remove(&number);
    });
}

impl Grants {
    pub(crate) fn are_taken_up(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// The first grant, if it is old enough to be told of.
    fn take_overdue(&self, is_long_ago: impl Fn(u32) -> bool) -> Option<Grant> {
        let mut grants = self.0.lock();
        let first = grants.first_entry()?;
        is_long_ago(first.get().since).then(|| first.remove())
    }
}

impl Core {
    /// Tells of the grants that have waited for long.
    pub(crate) fn judge_grants(&self) {
        let waited = |since| self.config.tick * self.ticks_since(since);
        while let Some(grant) = self.grants.take_overdue(|since| waited(since) >= LONG) {
            let task = grant.task;
            let is_there = slab::record(task).word.load().generation() == task.generation();
            if !is_there {
                continue;
            }
            bump(&self.counters.unused_grants);
            self.events.emit(|at| Event::GrantUnused {
                at,
                task,
                name: edges::name_of(task),
                lock: grant.lock,
                granted: waited(grant.since),
            });
        }
    }
}
