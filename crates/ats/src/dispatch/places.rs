//! Pure: the places of one kind, who holds them, who was paused, and whose turn is next.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::time::Duration;

use adaptive_task_scheduler::Priority;

use super::Action;

/// A ready task's place in line; the greatest comes first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Turn {
    priority: Priority,
    latest: Reverse<Duration>,
    rank: Duration,
    since: Reverse<u64>,
    task: Reverse<u32>,
}

impl Turn {
    pub(super) fn new(
        priority: Priority,
        latest: Duration,
        rank: Duration,
        since: u64,
        task: u32,
    ) -> Self {
        Turn {
            priority,
            latest: Reverse(latest),
            rank,
            since: Reverse(since),
            task: Reverse(task),
        }
    }

    pub(super) fn task(&self) -> u32 {
        self.task.0
    }

    pub(super) fn since(&self) -> u64 {
        self.since.0
    }
}

/// Places of one kind.
#[derive(Debug)]
pub(super) struct Places {
    number: usize,
    ready: BinaryHeap<Turn>,
    /// The least important first, of equal ones the one that began last.
    running: BTreeSet<(Priority, Reverse<u64>, u32)>,
    /// The one to go on next last, of equal ones the one that began first.
    paused: BTreeSet<(Priority, Reverse<u64>, u32)>,
}

impl Places {
    pub(super) fn new(number: usize) -> Self {
        Places {
            number,
            ready: BinaryHeap::new(),
            running: BTreeSet::new(),
            paused: BTreeSet::new(),
        }
    }

    pub(super) fn is_any_free(&self) -> bool {
        self.running.len() < self.number
    }

    /// Who should get a free place.
    pub(super) fn fill(&self) -> Option<Action> {
        let ready = self.ready.peek();
        match self.paused.last() {
            // Its work is half done and its memory full, so among equals it goes first.
            Some(&(priority, _, task)) if ready.is_none_or(|turn| turn.priority <= priority) => {
                Some(Action::Continue(task))
            }
            _ => ready.map(|turn| Action::Start(turn.task())),
        }
    }

    /// Who should give its place to the next in line, if that one is more important.
    pub(super) fn victim(&self) -> Option<u32> {
        let &(priority, _, task) = self.running.first()?;
        let next = self.ready.peek()?;
        (next.priority > priority).then_some(task)
    }

    pub(super) fn queue(&mut self, turn: Turn) {
        self.ready.push(turn);
    }

    pub(super) fn first(&self) -> Option<Turn> {
        self.ready.peek().copied()
    }

    pub(super) fn take_first(&mut self) {
        self.ready.pop();
    }

    pub(super) fn forget_turns(&mut self) {
        self.ready.clear();
    }

    pub(super) fn occupy(&mut self, priority: Priority, since: u64, task: u32) {
        self.running.insert((priority, Reverse(since), task));
    }

    pub(super) fn pause(&mut self, priority: Priority, since: u64, task: u32) {
        self.paused.insert((priority, Reverse(since), task));
    }

    /// Whether it was running or paused.
    pub(super) fn leave(&mut self, priority: Priority, since: u64, task: u32) {
        let entry = (priority, Reverse(since), task);
        if !self.running.remove(&entry) {
            self.paused.remove(&entry);
        }
    }
}
