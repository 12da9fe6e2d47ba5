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
//!
//! Tasks that have begun or ended are dropped whenever their number has doubled, so
//! that many short tasks with distant deadlines need no more room than those that
//! still wait.

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

impl Latest {
    /// Whether the task has neither begun nor ended.
    fn waits(&self) -> bool {
        let word = slab::record(self.task).word.load();
        word.generation() == self.task.generation() && !word.has(DONE | STARTED)
    }
}

#[derive(Debug)]
pub(crate) struct Deadlines {
    waiting: Mutex<Waiting>,
    next: AtomicU64,
}

#[derive(Debug)]
struct Waiting {
    heap: BinaryHeap<Reverse<Latest>>,
    /// How many the last pruning left.
    pruned_to: usize,
}

impl Waiting {
    const fn new() -> Self {
        Self {
            heap: BinaryHeap::new(),
            pruned_to: 0,
        }
    }

    fn add(&mut self, latest: Latest, waits: impl Fn(&Latest) -> bool) {
        if self.heap.len() > 2 * self.pruned_to + FEW {
            self.heap.retain(|Reverse(latest)| waits(latest));
            self.heap.shrink_to(2 * self.heap.len() + FEW);
            self.pruned_to = self.heap.len();
        }
        self.heap.push(Reverse(latest));
    }

    /// The earliest latest start; `u64::MAX` if there is none.
    fn next(&self) -> u64 {
        self.heap.peek().map_or(u64::MAX, |Reverse(first)| first.at)
    }
}

/// Up to so many are not worth pruning.
const FEW: usize = 64;

impl Deadlines {
    pub(crate) fn new() -> Self {
        Self {
            waiting: Mutex::new(Waiting::new()),
            next: AtomicU64::new(u64::MAX),
        }
    }

    fn add(&self, latest: Latest) {
        let mut waiting = self.waiting.lock();
        waiting.add(latest, Latest::waits);
        self.publish(&waiting);
    }

    fn publish(&self, waiting: &Waiting) {
        self.next.store(waiting.next(), Ordering::SeqCst);
    }

    fn take_due(&self, now: u64) -> Option<Latest> {
        if self.next.load(Ordering::SeqCst) > now {
            return None;
        }
        let mut waiting = self.waiting.lock();
        let due = waiting.next() <= now;
        let taken = due.then(|| waiting.heap.pop()).flatten();
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
        if !latest.waits() {
            return;
        }
        let id = latest.task;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn latest(at: u64) -> Latest {
        Latest {
            at,
            task: TaskId::new(at as u32, 1),
            deadline: at,
            expected: 0,
            boost: None,
        }
    }

    #[test]
    fn tasks_that_are_over_need_no_room() {
        let mut waiting = Waiting::new();
        for at in 0..100_000 {
            // One in a hundred is still there a thousand tasks later.
            let is_there = |one: &Latest| {
                one.at + 10 > at || (one.at.is_multiple_of(100) && one.at + 1_000 > at)
            };
            waiting.add(latest(at), is_there);
            assert!(waiting.heap.len() < 200, "{}", waiting.heap.len());
        }
        assert!(waiting.heap.capacity() < 1_000);
    }

    #[test]
    fn tasks_that_wait_are_kept_and_the_earliest_comes_first() {
        let mut waiting = Waiting::new();
        assert_eq!(waiting.next(), u64::MAX);
        for at in (0..1_000).rev() {
            waiting.add(latest(at), |_| true);
            assert_eq!(waiting.next(), at);
        }
        assert_eq!(waiting.heap.len(), 1_000);
    }
}
