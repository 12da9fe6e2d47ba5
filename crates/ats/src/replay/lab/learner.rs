//! Pure: ranks by what is known, which follow what ends while a workflow runs.
//!
//! A learner sees the [`Plan`] and is told of each task that has ended; it cannot see what the
//! others will take. How much a task reads counts once everything that it needs has ended, because
//! only then is it there to be measured. Of paths of equal length, which are many while little is
//! known, the one whose first task has more tasks right behind it goes first.

use std::time::Duration;

use super::case::Plan;
use super::knowledge::Knowledge;
use crate::dispatch::Holds;

/// Ranks are worked out anew at most so many times in a run, and less often in graphs of more than
/// 20,000 tasks, for each time costs as much as the graph is large.
const MOST_RANKINGS: usize = 1000;
const MOST_RANKED: usize = 20_000_000;

/// Knows, learns and ranks.
#[derive(Debug)]
pub struct Learner<'a> {
    plan: &'a Plan<'a>,
    knowledge: Knowledge,
    /// How many needs of each node have not ended.
    left: Vec<u32>,
    /// How many nodes have ended since the last ranking.
    news: usize,
    ranks: Vec<Duration>,
}

impl<'a> Learner<'a> {
    /// Begins with what is known from other runs, and with what the record says was expected.
    #[must_use]
    pub fn new(plan: &'a Plan<'a>, mut knowledge: Knowledge) -> Self {
        knowledge.believe(&plan.nodes);
        let mut learner = Learner {
            plan,
            knowledge,
            left: plan.shape.dependencies().to_vec(),
            news: 0,
            ranks: Vec::new(),
        };
        learner.rank();
        learner
    }

    /// What is known beforehand.
    #[must_use]
    pub fn plan(&self) -> &'a Plan<'a> {
        self.plan
    }

    /// The present ranks.
    #[must_use]
    pub fn ranks(&self) -> Vec<Duration> {
        self.ranks.clone()
    }

    /// A task has ended.
    pub fn ended(&mut self, node: u32, took: Duration) {
        let known = &self.plan.nodes[node as usize];
        self.knowledge
            .record(known.class, known.name, known.bytes, took);
        for &after in self.plan.shape.successors(node) {
            self.left[after as usize] -= 1;
        }
        self.news += 1;
    }

    /// The ranks, if they are others now.
    pub fn changed(&mut self) -> Option<Vec<Duration>> {
        let nodes = self.plan.nodes.len().max(1);
        let rankings = (MOST_RANKED / nodes).clamp(1, MOST_RANKINGS);
        if self.news == 0 || self.news < nodes / rankings {
            return None;
        }
        self.news = 0;
        let before = std::mem::take(&mut self.ranks);
        self.rank();
        (self.ranks != before).then(|| self.ranks.clone())
    }

    fn rank(&mut self) {
        let mut expected = Vec::with_capacity(self.left.len());
        for (node, &left) in self.plan.nodes.iter().zip(&self.left) {
            expected.push(match node.holds {
                Holds::Nothing => Duration::ZERO,
                _ => {
                    let bytes = node.bytes.filter(|_| left == 0);
                    self.knowledge.expected(node, bytes)
                }
            });
        }
        self.ranks = self.plan.shape.remaining(&expected);
        let shape = &self.plan.shape;
        for (node, rank) in (0..).zip(&mut self.ranks) {
            let after = shape.successors(node).len().min(1_000_000);
            *rank = rank.saturating_add(Duration::from_nanos(after as u64));
        }
    }
}
