//! Pure: how far a run is. What each node still waits for, which are ready, and how each
//! ended.
//!
//! A node begins when all that it runs after have ended. It is not run if one of those
//! failed or was not run itself, unless it is run anyway; then the node that failed first
//! is to blame. A node that was skipped keeps nothing from running.

use super::{
    bits::Bits,
    ranks::{Ranks, kind},
    shape::Shape,
};
use std::collections::HashMap;

/// Where a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Stand {
    /// For nodes that it runs after.
    Waiting,
    /// For a worker, or for its own task to begin.
    Ready,
    Running,
    Done,
    /// Its condition did not hold.
    Skipped,
    Failed,
    /// A node that it runs after failed.
    NotRun,
    /// The run was stopped before its turn.
    Cancelled,
}

/// How a node that was begun ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Done,
    Skipped,
    Failed,
    Cancelled,
}

/// What may still begin.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stop {
    #[default]
    No,
    /// Only nodes that are run anyway.
    ButAnyway,
    All,
}

/// How many nodes stand where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) done: u32,
    pub(super) skipped: u32,
    pub(super) failed: u32,
    pub(super) not_run: u32,
    pub(super) cancelled: u32,
    pub(super) begun: u32,
    /// Of the cancelled, those that had begun.
    pub(super) given_up: u32,
}

#[derive(Debug, Default)]
pub(super) struct Progress {
    left: Box<[u32]>,
    stands: Box<[Stand]>,
    /// By rank: nodes that workers run.
    ready: Bits,
    /// Released nodes that are tasks of their own, for whoever released them.
    apart: Vec<u32>,
    blame: HashMap<u32, u32>,
    counts: Counts,
    stop: Stop,
}

impl Progress {
    pub(super) fn new(shape: &Shape) -> Self {
        Self {
            left: shape.dependencies().into(),
            stands: vec![Stand::Waiting; shape.len()].into(),
            ready: Bits::new(shape.len()),
            apart: Vec::new(),
            blame: HashMap::new(),
            counts: Counts::default(),
            stop: Stop::No,
        }
    }

    /// As new, in the memory that is there.
    pub(super) fn reset(&mut self, shape: &Shape) {
        self.left.copy_from_slice(shape.dependencies());
        self.stands.fill(Stand::Waiting);
        self.ready.clear();
        self.apart.clear();
        self.blame.clear();
        self.counts = Counts::default();
        self.stop = Stop::No;
    }

    /// Releases the nodes that run after none.
    pub(super) fn begin(&mut self, shape: &Shape, ranks: &Ranks) {
        for &node in shape.order() {
            if shape.dependencies()[node as usize] > 0 {
                break;
            }
            self.release(ranks, node);
        }
    }

    /// The best ready node, which begins.
    pub(super) fn take(&mut self, ranks: &Ranks) -> Option<u32> {
        let node = ranks.node(self.ready.take_first()?);
        self.start(node);
        Some(node)
    }

    /// As [`take`](Self::take), so many nodes of a kind at most.
    pub(super) fn take_some(&mut self, ranks: &Ranks, kind: u8, most: usize, taken: &mut Vec<u32>) {
        let (stands, begun) = (&mut self.stands, &mut self.counts.begun);
        self.ready.take_from_first_word(|rank| {
            let node = ranks.node(rank);
            let is_wanted = taken.len() < most && ranks.is(node, kind);
            if is_wanted {
                // None of them is offered in parts, so none runs already.
                stands[node as usize] = Stand::Running;
                *begun += 1;
                taken.push(node);
            }
            is_wanted
        });
    }

    /// A node that was taken and not run ends as if it had not begun, if it may not begin any
    /// more. False if it may.
    pub(super) fn put_back(&mut self, shape: &Shape, ranks: &Ranks, node: u32) -> bool {
        match self.fate(ranks, node) {
            Stand::Ready => false,
            fate => {
                self.counts.begun -= 1;
                self.ended(shape, ranks, node, fate);
                true
            }
        }
    }

    /// The best ready node.
    pub(super) fn first(&self, ranks: &Ranks) -> Option<u32> {
        Some(ranks.node(self.ready.first()?))
    }

    /// Released nodes that are tasks of their own, which begin.
    pub(super) fn take_apart(&mut self) -> Vec<u32> {
        let apart = std::mem::take(&mut self.apart);
        apart.iter().for_each(|&node| self.start(node));
        apart
    }

    pub(super) fn has_apart(&self) -> bool {
        !self.apart.is_empty()
    }

    /// A node that has begun gives parts of its work to other workers: its rank is ready
    /// again for as long as there are some.
    pub(super) fn offer(&mut self, ranks: &Ranks, node: u32) {
        self.ready.insert(ranks.rank(node));
    }

    /// A part of an offered node is taken; it was the last.
    pub(super) fn withdraw(&mut self, ranks: &Ranks, node: u32) {
        self.ready.remove(ranks.rank(node));
    }

    /// A node that was begun has ended.
    pub(super) fn end(&mut self, shape: &Shape, ranks: &Ranks, node: u32, end: End) {
        debug_assert_eq!(self.stands[node as usize], Stand::Running);
        match end {
            End::Done => self.done(shape, ranks, node, false),
            End::Skipped => self.ended(shape, ranks, node, Stand::Skipped),
            End::Failed => self.ended(shape, ranks, node, Stand::Failed),
            End::Cancelled => {
                self.counts.given_up += 1;
                self.ended(shape, ranks, node, Stand::Cancelled);
            }
        }
    }

    /// A node has given its output. If it is followed, its only successor was begun
    /// already, without having been ready.
    #[inline]
    pub(super) fn done(&mut self, shape: &Shape, ranks: &Ranks, node: u32, is_followed: bool) {
        self.stands[node as usize] = Stand::Done;
        self.counts.done += 1;
        for &after in shape.successors(node) {
            let left = &mut self.left[after as usize];
            *left -= 1;
            if *left > 0 {
                continue;
            }
            if is_followed {
                self.start(after);
            } else {
                self.released(shape, ranks, after);
            }
        }
    }

    /// Nothing is left to wait for. Apart from `done`, which is the hot path.
    #[inline]
    fn released(&mut self, shape: &Shape, ranks: &Ranks, node: u32) {
        if self.stop == Stop::No && self.blame.is_empty() {
            return self.release(ranks, node);
        }
        match self.fate(ranks, node) {
            Stand::Ready => self.release(ranks, node),
            fate => self.ended(shape, ranks, node, fate),
        }
    }

    fn fate(&self, ranks: &Ranks, node: u32) -> Stand {
        let is_anyway = ranks.is(node, kind::ANYWAY);
        match self.stop {
            _ if !is_anyway && self.blame.contains_key(&node) => Stand::NotRun,
            Stop::No => Stand::Ready,
            Stop::ButAnyway if is_anyway => Stand::Ready,
            Stop::ButAnyway | Stop::All => Stand::Cancelled,
        }
    }

    #[inline]
    fn release(&mut self, ranks: &Ranks, node: u32) {
        self.stands[node as usize] = Stand::Ready;
        if ranks.is(node, kind::WORKER) {
            self.ready.insert(ranks.rank(node));
        } else {
            self.apart.push(node);
        }
    }

    fn start(&mut self, node: u32) {
        let stand = &mut self.stands[node as usize];
        if *stand != Stand::Running {
            *stand = Stand::Running;
            self.counts.begun += 1;
        }
    }

    /// Ends a node, and those after it that are not run because of it.
    fn ended(&mut self, shape: &Shape, ranks: &Ranks, node: u32, stand: Stand) {
        let mut ended = vec![(node, stand)];
        while let Some((node, stand)) = ended.pop() {
            self.stands[node as usize] = stand;
            *self.count(stand) += 1;
            let root = match stand {
                Stand::Failed => Some(node),
                Stand::NotRun => self.blame.get(&node).copied(),
                _ => None,
            };
            for &after in shape.successors(node) {
                if let Some(root) = root {
                    self.blame.entry(after).or_insert(root);
                }
                self.left[after as usize] -= 1;
                if self.left[after as usize] > 0 {
                    continue;
                }
                match self.fate(ranks, after) {
                    Stand::Ready => self.release(ranks, after),
                    fate => ended.push((after, fate)),
                }
            }
        }
    }

    fn count(&mut self, stand: Stand) -> &mut u32 {
        match stand {
            Stand::Skipped => &mut self.counts.skipped,
            Stand::Failed => &mut self.counts.failed,
            Stand::NotRun => &mut self.counts.not_run,
            Stand::Cancelled => &mut self.counts.cancelled,
            _ => &mut self.counts.done,
        }
    }

    /// Lets less begin from now on; what is ready and may not begin ends.
    pub(super) fn stop(&mut self, shape: &Shape, ranks: &Ranks, stop: Stop) {
        if stop <= self.stop {
            return;
        }
        self.stop = stop;
        let mut ready = std::mem::take(&mut self.apart);
        while let Some(rank) = self.ready.take_first() {
            ready.push(ranks.node(rank));
        }
        for node in ready {
            match self.stands[node as usize] {
                // Parts of it are not begun any more.
                Stand::Running => {}
                _ => match self.fate(ranks, node) {
                    Stand::Ready => self.release(ranks, node),
                    fate => self.ended(shape, ranks, node, fate),
                },
            }
        }
    }

    pub(super) fn stopped(&self) -> Stop {
        self.stop
    }

    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    pub(super) fn stand(&self, node: u32) -> Stand {
        self.stands[node as usize]
    }

    /// The node whose failure kept this one from running.
    pub(super) fn root(&self, node: u32) -> Option<u32> {
        self.blame.get(&node).copied()
    }

    pub(super) fn is_finished(&self) -> bool {
        self.unfinished() == 0
    }

    pub(super) fn unfinished(&self) -> usize {
        let counts = &self.counts;
        let ended = counts.done + counts.skipped + counts.failed;
        self.stands.len() - (ended + counts.not_run + counts.cancelled) as usize
    }
}
