//! Pure: by what ready tasks are put in order, policy by policy, as ranks for the dispatcher.

use std::collections::HashMap;
use std::time::Duration;

use adaptive_task_scheduler::Priority;
use clap::ValueEnum;
use serde::Serialize;

use super::case::{Case, Plan};
use super::learner::Learner;

/// How ready tasks are put in order.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Whatever became ready first; knows no priorities
    FirstCome,
    /// The most tasks on the path behind it, as Ninja does
    Depth,
    /// The longest task, by what it really takes
    LongestFirst,
    /// The longest path, by what the tasks of each class really take on average
    ClassMeans,
    /// The longest path, by what other runs and the tasks that have ended tell
    Learned,
    /// The longest path, by what each task really takes
    Perfect,
}

impl Policy {
    /// All of them, the simplest first.
    pub const ALL: [Policy; 6] = [
        Policy::FirstCome,
        Policy::Depth,
        Policy::LongestFirst,
        Policy::ClassMeans,
        Policy::Learned,
        Policy::Perfect,
    ];

    /// Its name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Policy::FirstCome => "first come",
            Policy::Depth => "depth",
            Policy::LongestFirst => "longest first",
            Policy::ClassMeans => "class means",
            Policy::Learned => "learned",
            Policy::Perfect => "perfect",
        }
    }
}

/// A policy at work on one case: its priorities and ranks, and what changes them.
#[derive(Debug)]
pub enum Ranking<'a> {
    /// Ranks that stay as they are.
    Fixed {
        /// Of each node.
        priorities: Vec<Priority>,
        /// Of each node.
        ranks: Vec<Duration>,
    },
    /// Ranks that follow what is learned.
    Learning(Box<Learner<'a>>),
}

impl Ranking<'_> {
    /// The ranking of a policy that learns nothing; `None` for the one that does.
    #[must_use]
    pub fn fixed(policy: Policy, case: &Case<'_>) -> Option<Self> {
        let plan = &case.plan;
        let ranks = match policy {
            Policy::FirstCome => vec![Duration::ZERO; plan.nodes.len()],
            Policy::Depth => plan.shape.remaining(&units(case)),
            Policy::LongestFirst => case.durations.clone(),
            Policy::ClassMeans => plan.shape.remaining(&class_means(case)),
            Policy::Perfect => plan.shape.remaining(&case.durations),
            Policy::Learned => return None,
        };
        let priorities = match policy {
            Policy::FirstCome => vec![Priority::Mid; plan.nodes.len()],
            _ => effective(plan),
        };
        Some(Ranking::Fixed { priorities, ranks })
    }

    pub(super) fn priorities(&self) -> Vec<Priority> {
        match self {
            Ranking::Fixed { priorities, .. } => priorities.clone(),
            Ranking::Learning(learner) => effective(learner.plan()),
        }
    }

    pub(super) fn ranks(&mut self) -> Vec<Duration> {
        match self {
            Ranking::Fixed { ranks, .. } => ranks.clone(),
            Ranking::Learning(learner) => learner.ranks(),
        }
    }

    pub(super) fn ended(&mut self, node: u32, took: Duration) {
        if let Ranking::Learning(learner) = self {
            learner.ended(node, took);
        }
    }

    /// The ranks, if what has ended changes them.
    pub(super) fn changed(&mut self) -> Option<Vec<Duration>> {
        match self {
            Ranking::Fixed { .. } => None,
            Ranking::Learning(learner) => learner.changed(),
        }
    }
}

fn effective(plan: &Plan<'_>) -> Vec<Priority> {
    let own: Vec<Priority> = plan.nodes.iter().map(|node| node.priority).collect();
    plan.shape.effective(&own)
}

/// Every task counts one, and an arrival nothing.
fn units(case: &Case<'_>) -> Vec<Duration> {
    let unit = |node| Duration::from_secs(u64::from(!case.is_arrival(node)));
    (0..case.durations.len()).map(unit).collect()
}

/// In hindsight: what a scheduler would know that had seen each class before, but no task.
fn class_means(case: &Case<'_>) -> Vec<Duration> {
    let mut sums: HashMap<&str, (Duration, u32)> = HashMap::new();
    let nodes = || case.plan.nodes.iter().zip(&case.durations);
    for (node, &took) in nodes() {
        let (sum, count) = sums.entry(node.class).or_default();
        *sum += took;
        *count += 1;
    }
    let mean = |class| sums.get(class).map(|(sum, count)| *sum / *count);
    nodes()
        .map(|(node, _)| mean(node.class).unwrap_or_default())
        .collect()
}
