//! Who waits for a lock, and what the wait graph says of it.
//!
//! It owns: the waiters in the order in which they came, those who were granted
//! what they want but have not been polled since, the holders for whom there was
//! no cell, and the lock's node with its edges. All of it is under the lock of
//! [`super::permits::Permits`].
//!
//! The node exists while there are waiters that are tasks: edges
//! `waiter -> node` lend to it, and edges `node -> holder` pass that on.
//!
//! Choosing the next waiter stops at the first of the node's own level, which is
//! the highest of all. Known race, harmless: while a waiter is being boosted, the
//! node does not have that level yet, and one that came earlier may be chosen.

use super::{ground, holders::Hold};
use crate::{
    task::id::{TaskId, TaskName},
    waits::node::NodeKind,
};
use smallvec::SmallVec;
use std::{
    collections::{HashMap, VecDeque},
    task::Waker,
};

/// The tasks and locks of a circle, in the order of waiting.
pub(crate) type Circle = Vec<(TaskId, TaskName)>;

#[derive(Debug)]
pub(crate) struct Waiter {
    pub(crate) key: u64,
    pub(crate) wanted: usize,
    pub(crate) task: Option<TaskId>,
    pub(crate) waker: Waker,
    /// There is an edge from the task to the node.
    pub(crate) lends: bool,
}

#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) key: u64,
    pub(crate) wanted: usize,
    pub(crate) hold: Hold,
    /// The report that is due if it is not taken up.
    pub(crate) report: Option<ground::Report>,
}

/// A holder for whom there was no cell.
#[derive(Debug, Clone, Copy)]
struct Beyond {
    owner: TaskId,
    amount: usize,
    has_doubt: bool,
}

#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) waiting: VecDeque<Waiter>,
    granted: VecDeque<Granted>,
    next_key: u64,
    node: Option<TaskId>,
    /// The cells and tasks to which the node has an edge.
    lent_to: SmallVec<[(u32, TaskId); 2]>,
    /// By numbers that are no cell's.
    beyond: Option<HashMap<u32, Beyond>>,
    next_beyond: u32,
    /// The task that gives back what is spent.
    pub(crate) freer: Option<Freer>,
    /// Waiters that were told of a circle after they had begun to wait.
    refused: Vec<(u64, Circle)>,
}

/// The one task that gives back what is spent (see [`super::spent`]). It is among
/// the kept holders, for nothing of its own.
#[derive(Debug)]
pub(crate) struct Freer {
    pub(crate) hold: Hold,
    /// Whether circles through it are deadlocks.
    pub(crate) is_promised: bool,
}

impl Line {
    pub(crate) const fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            granted: VecDeque::new(),
            next_key: 0,
            node: None,
            lent_to: SmallVec::new_const(),
            beyond: None,
            next_beyond: 0,
            freer: None,
            refused: Vec::new(),
        }
    }

    /// Adds a waiter at the end. Returns its key.
    pub(crate) fn push(&mut self, wanted: usize, task: Option<TaskId>, waker: Waker) -> u64 {
        let key = self.next_key;
        self.next_key += 1;
        self.waiting.push_back(Waiter {
            key,
            wanted,
            task,
            waker,
            lends: false,
        });
        key
    }

    /// The index of the waiter that comes first: the first come of the highest
    /// present level.
    pub(crate) fn first(&self) -> Option<usize> {
        let highest = ground::level(self.node).max(ground::level(None));
        let levels = self.waiting.iter().map(|waiter| ground::level(waiter.task));
        let mut best: Option<(usize, u8)> = None;
        for (at, level) in levels.enumerate() {
            if best.is_none_or(|(_, before)| level > before) {
                best = Some((at, level));
            }
            if level >= highest {
                break;
            }
        }
        best.map(|(at, _)| at)
    }

    pub(crate) fn position(&self, key: u64) -> Option<usize> {
        let found = self.waiting.binary_search_by_key(&key, |waiter| waiter.key);
        found.ok()
    }

    /// Takes a waiter out; its edge goes.
    pub(crate) fn remove(&mut self, at: usize) -> Waiter {
        let mut waiter = self.waiting.remove(at).expect("it was found at this place");
        self.end_lending(&mut waiter);
        waiter
    }

    /// The same for one that waited for `by`, which has released now.
    pub(crate) fn remove_for(&mut self, at: usize, by: Option<TaskId>) -> Waiter {
        let waiter = &self.waiting[at];
        if let (true, Some(task), Some(node), Some(by)) = (waiter.lends, waiter.task, self.node, by)
        {
            ground::note_member(task, node, by);
        }
        self.remove(at)
    }

    fn end_lending(&self, waiter: &mut Waiter) {
        if std::mem::take(&mut waiter.lends)
            && let (Some(task), Some(node)) = (waiter.task, self.node)
        {
            ground::end_wait(task, node);
        }
    }

    pub(crate) fn grant(&mut self, granted: Granted) {
        self.granted.push_back(granted);
    }

    pub(crate) fn take_granted(&mut self, key: u64) -> Option<Granted> {
        let at = self.granted.iter().position(|one| one.key == key)?;
        let granted = self.granted.remove(at)?;
        if let (Some(report), Some(task)) = (granted.report, granted.hold.owner()) {
            ground::taken_up(task, report);
        }
        Some(granted)
    }

    /// Takes a waiter's task out of the line because of a circle. Its waker.
    pub(crate) fn refuse(&mut self, task: TaskId, circle: Circle) -> Option<Waker> {
        let mut tasks = self.waiting.iter().map(|waiter| waiter.task);
        let at = tasks.position(|waiter| waiter == Some(task))?;
        let waiter = self.remove(at);
        self.refused.push((waiter.key, circle));
        Some(waiter.waker)
    }

    /// Why a waiter was taken out of the line.
    pub(crate) fn take_refused(&mut self, key: u64) -> Option<Circle> {
        let at = self
            .refused
            .iter()
            .position(|(refused, _)| *refused == key)?;
        Some(self.refused.swap_remove(at).1)
    }

    /// Keeps a holder for whom there is no cell.
    pub(crate) fn keep(&mut self, owner: TaskId, amount: usize, cells: usize) -> Hold {
        let beyond = self.beyond.get_or_insert_default();
        let number = loop {
            let number = self.next_beyond.max(cells as u32);
            self.next_beyond = number.wrapping_add(1);
            if !beyond.contains_key(&number) {
                break number;
            }
        };
        let has_doubt = amount > 0 && ground::is_waiting(owner);
        let kept = Beyond {
            owner,
            amount,
            has_doubt,
        };
        beyond.insert(number, kept);
        Hold::beyond(owner, number)
    }

    /// Changes for how many permits a kept holder stands; none lets it go.
    pub(crate) fn set_kept(&mut self, hold: &Hold, amount: usize) {
        let (Some(beyond), Some((number, _))) = (&mut self.beyond, hold.named()) else {
            return;
        };
        if amount == 0 {
            beyond.remove(&number);
        } else if let Some(kept) = beyond.get_mut(&number) {
            kept.amount = amount;
        }
    }

    /// For how many permits a kept holder stands.
    pub(crate) fn kept_amount(&self, number: u32) -> usize {
        let kept = self.beyond.as_ref().and_then(|beyond| beyond.get(&number));
        kept.map_or(0, |kept| kept.amount)
    }

    /// Whether a kept holder counted as waiting when it took its permits.
    pub(crate) fn has_doubt(&self, number: u32) -> bool {
        let kept = self.beyond.as_ref().and_then(|beyond| beyond.get(&number));
        kept.is_some_and(|kept| kept.has_doubt)
    }

    /// The holders for whom there is no cell.
    pub(crate) fn kept(&self) -> Vec<(u32, TaskId)> {
        let kept = self.beyond.iter().flatten();
        kept.map(|(&number, kept)| (number, kept.owner)).collect()
    }

    /// The node, if there is one.
    pub(crate) fn node(&self) -> Option<TaskId> {
        self.node
    }

    /// Makes sure that there is a node, for a wait of `task`. True if it is new:
    /// the holders must be named to it.
    pub(crate) fn open_node(&mut self, task: TaskId, name: &TaskName, kind: NodeKind) -> bool {
        if self.node.is_some() {
            return false;
        }
        self.node = ground::open_node(task, name, kind);
        self.node.is_some()
    }

    /// The waiter's task lends to the node. `Err` if that would close a circle.
    pub(crate) fn lend(&mut self, at: usize) -> Result<(), Circle> {
        let waiter = &mut self.waiting[at];
        let (Some(task), Some(node)) = (waiter.task, self.node) else {
            return Ok(());
        };
        waiter.lends = ground::begin_wait(task, node)?;
        Ok(())
    }

    /// The waiter is another task from now on.
    pub(crate) fn move_to(&mut self, at: usize, task: Option<TaskId>) {
        let node = self.node;
        let waiter = &mut self.waiting[at];
        if std::mem::take(&mut waiter.lends)
            && let (Some(before), Some(node)) = (waiter.task, node)
        {
            ground::end_wait(before, node);
        }
        waiter.task = task;
    }

    /// What is lent to the node is lent to this holder too.
    pub(crate) fn lend_to(&mut self, named: (u32, TaskId)) {
        if !self.lent_to.contains(&named) {
            self.lend_anew(named);
        }
    }

    /// The same for a holder to whom the node does not lend yet.
    pub(crate) fn lend_anew(&mut self, named: (u32, TaskId)) {
        let Some(node) = self.node else { return };
        ground::pass_on(node, named.1);
        self.lent_to.push(named);
    }

    /// What was lent to this holder is taken back.
    pub(crate) fn take_back(&mut self, hold: &Hold) {
        let (Some(node), Some(named)) = (self.node, hold.named()) else {
            return;
        };
        if let Some(at) = self.lent_to.iter().position(|one| *one == named) {
            self.lent_to.swap_remove(at);
            ground::end_wait(node, named.1);
        }
    }

    /// The holders to which the node lends.
    pub(crate) fn lent_to(&self) -> &[(u32, TaskId)] {
        &self.lent_to
    }

    /// Ends the node; nobody waits any more.
    pub(crate) fn close_node(&mut self) {
        self.lent_to.clear();
        if let Some(node) = self.node.take() {
            ground::close_node(node);
        }
    }
}

impl Drop for Line {
    /// A waiter whose future was leaked is still here.
    fn drop(&mut self) {
        self.close_node();
    }
}
