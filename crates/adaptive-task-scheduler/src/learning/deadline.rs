//! Deadlines that cannot be met any more, known before they pass.
//!
//! It owns: the tasks with a deadline whose class tells how long they will take,
//! each with its latest start, the earliest first.
//!
//! Protocol: a spawn adds its task and, if it is now the first, lowers the time
//! that the sentinel compares at each tick. The sentinel takes out what is due.
//! A task that has begun by then is on time, as far as anybody knows; one that
//! has not is late, which is told, and the task is boosted if its spawner asked
//! for that.

use super::finish;
use crate::{
    core::{Core, edges, start::Description},
    event::Event,
    options::Late,
    primitives::Mutex,
    priority::Priority,
    task::{
        id::TaskId,
        slab,
        word::{DONE, STARTED},
    },
};
use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// A task and its latest start, in nanoseconds after the scheduler's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Latest {
    at: u64,
    task: TaskId,
    deadline: u64,
    expected: u64,
    /// The level to boost to, and whether to.
    boost: Option<u8>,
}

#[derive(Debug)]
pub(crate) struct Deadlines {
    waiting: Mutex<BinaryHeap<Reverse<Latest>>>,
    next: AtomicU64,
}

impl Deadlines {
    pub(crate) fn new() -> Self {
        Self {
            waiting: Mutex::new(BinaryHeap::new()),
            next: AtomicU64::new(u64::MAX),
        }
    }

    fn add(&self, latest: Latest) {
        let mut waiting = self.waiting.lock();
        waiting.push(Reverse(latest));
        self.publish(&waiting);
    }

    fn publish(&self, waiting: &BinaryHeap<Reverse<Latest>>) {
        let next = waiting.peek().map_or(u64::MAX, |Reverse(first)| first.at);
        self.next.store(next, Ordering::SeqCst);
    }

    fn take_due(&self, now: u64) -> Option<Latest> {
        if self.next.load(Ordering::SeqCst) > now {
            return None;
        }
        let mut waiting = self.waiting.lock();
        let due = waiting.peek().is_some_and(|Reverse(first)| first.at <= now);
        let taken = due.then(|| waiting.pop()).flatten();
        self.publish(&waiting);
        taken.map(|Reverse(latest)| latest)
    }
}

impl Core {
    /// How long tasks of the class take, if that is known.
    pub(crate) fn expected_time(&self, class: u32) -> Option<Duration> {
        finish::expected(&self.classes.at(class).known().total)
    }

    /// Whether the described task is to be refused, because its deadline cannot
    /// be met: how long it takes.
    pub(crate) fn is_too_late(&self, description: &Description, class: u32) -> Option<Duration> {
        let deadline = description.deadline?;
        let Late::Refuse = description.late else {
            return None;
        };
        let expected = self.expected_time(class)?;
        (Instant::now() + expected > deadline).then_some(expected)
    }

    /// Watches over the deadline of a task that was just opened.
    pub(crate) fn watch_deadline(&self, id: TaskId, description: &Description, class: u32) {
        let Some(deadline) = description.deadline.map(|at| self.nanos(at)) else {
            return;
        };
        let Some(expected) = self.expected_time(class) else {
            return;
        };
        let boost = match description.late {
            Late::Boost(priority) => Some(priority.level()),
            Late::Report | Late::Refuse => None,
        };
        let latest = finish::latest_start(Duration::from_nanos(deadline), expected);
        self.deadlines.add(Latest {
            at: latest.as_nanos() as u64,
            task: id,
            deadline,
            expected: expected.as_nanos() as u64,
            boost,
        });
        self.sentinel.rouse();
    }

    /// How long until the next latest start; `None` if there is none.
    pub(crate) fn next_latest_start(&self) -> Option<Duration> {
        let next = self.deadlines.next.load(Ordering::SeqCst);
        let now = self.nanos(Instant::now());
        (next != u64::MAX).then(|| Duration::from_nanos(next.saturating_sub(now)))
    }

    /// Tells of tasks that should have begun by now and have not.
    pub(crate) fn judge_deadlines(&self) {
        if self.deadlines.next.load(Ordering::Relaxed) == u64::MAX {
            return;
        }
        let now = self.nanos(Instant::now());
        while let Some(latest) = self.deadlines.take_due(now) {
            self.judge_deadline(latest);
        }
    }

    fn judge_deadline(&self, latest: Latest) {
        let id = latest.task;
        let record = slab::record(id);
        let word = record.word.load();
        if word.generation() != id.generation() || word.has(DONE | STARTED) {
            return;
        }
        let boosted = latest
            .boost
            .filter(|&level| edges::raise_own(id, level))
            .map(Priority::of_level);
        self.events.emit(|at| Event::DeadlineAtRisk {
            at,
            task: id,
            name: edges::name_of(id),
            deadline: self.instant(latest.deadline),
            expected: Duration::from_nanos(latest.expected),
            boosted,
        });
    }
}
