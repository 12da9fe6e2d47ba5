//! Pure: what a plan has learned of its nodes from its runs.
//!
//! In the first runs every node is measured; then those that are long, and one of 64 of
//! the others, since reading the clock twice takes as long as running two short nodes. The
//! order of the nodes is made anew after runs 1, 2, 3 and 4, and then whenever the number
//! of runs has doubled: making it costs as much as running some nodes.

use super::{
    durations::{Durations, Samples},
    ranks::Known,
    width::Width,
};
use crate::task::id::TaskName;
use std::time::Duration;

/// Of so many runs every node is measured.
const YOUNG: u64 = 4;

/// So many beginnings without a suspension make a future calm.
const CALM: u8 = 2;

/// One measured node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) node: u32,
    pub(super) took: Duration,
    /// It was ready when it was polled for the first time.
    pub(super) is_calm: bool,
}

/// The class of a node that is a class of its own.
pub(super) const OWN: u32 = u32::MAX;

#[derive(Debug, Default)]
pub(super) struct Learned {
    /// By node; empty until the first run.
    nodes: Vec<Samples>,
    calm: Vec<u8>,
    /// Of each node the least time that it took.
    least: Vec<Duration>,
    classes: Vec<Samples>,
    pub(super) width: Width,
    /// Short nodes, of which one may have been long for once. In the next run each is
    /// measured, as if it was not known to be short.
    pub(super) suspects: Vec<u32>,
    /// Runs that have begun.
    runs: u64,
}

impl Learned {
    /// A run begins. Tells whether all nodes are to be measured, and whether it is time
    /// to make the order anew.
    pub(super) fn begin_run(&mut self) -> (bool, bool) {
        let before = self.runs;
        self.runs += 1;
        let is_due = before > 0 && (before <= YOUNG || before.is_power_of_two());
        (before < YOUNG, is_due && !self.nodes.is_empty())
    }

    /// Adds samples of nodes, each of a class.
    pub(super) fn add(&mut self, samples: &[Sample], classes: &[u32], count: usize) {
        self.make_room(classes.len(), count);
        for sample in samples {
            let node = sample.node as usize;
            self.nodes[node].add(sample.took);
            if let Some(class) = self.classes.get_mut(classes[node] as usize) {
                class.add(sample.took);
            }
            self.least[node] = self.least[node].min(sample.took);
            let calm = &mut self.calm[node];
            *calm = if sample.is_calm {
                (*calm + 1).min(CALM)
            } else {
                0
            };
        }
    }

    fn make_room(&mut self, nodes: usize, classes: usize) {
        self.nodes.resize(nodes, Samples::default());
        self.calm.resize(nodes, 0);
        self.least.resize(nodes, Duration::MAX);
        self.classes.resize(classes, Samples::default());
    }

    /// What is known of each node.
    pub(super) fn known(&self, classes: &[u32]) -> Vec<Known> {
        let typical = self.typical(classes);
        let known = |(node, class): (&Samples, &u32)| {
            let class = self.classes.get(*class as usize).unwrap_or(node);
            let (samples, is_sure) = if node.is_enough() {
                (node, true)
            } else {
                (class, class.is_enough())
            };
            let expected = match samples.count() {
                0 => typical,
                _ => samples.mean(),
            };
            (expected, is_sure)
        };
        let calm = self.calm.iter().zip(&self.least);
        let nodes = self.nodes.iter().zip(classes).map(known).zip(calm);
        nodes
            .map(|((expected, is_sure), (&calm, &least))| Known {
                expected,
                at_best: least.min(expected),
                is_sure,
                is_calm: calm >= CALM,
            })
            .collect()
    }

    fn typical(&self, classes: &[u32]) -> Duration {
        let own = self.nodes.iter().zip(classes);
        let own = own
            .filter(|&(_, &class)| class == OWN)
            .map(|(node, _)| node);
        let known = self.classes.iter().chain(own);
        let known = known.filter(|class| class.count() > 0);
        let mut means: Vec<Duration> = known.map(Samples::mean).collect();
        let middle = means.len() / 2;
        match means.is_empty() {
            true => Duration::ZERO,
            false => *means.select_nth_unstable(middle).1,
        }
    }

    /// As it can be kept: by names.
    pub(super) fn to_durations(&self, names: &Names<'_>) -> Durations {
        let mut durations = Durations::new();
        for (class, samples) in names.classes.iter().zip(&self.classes) {
            if samples.count() > 0 {
                durations.restore_class(&class.as_str(), *samples);
            }
        }
        for ((name, &class), samples) in names.nodes.iter().zip(names.of).zip(&self.nodes) {
            if samples.count() == 0 {
                continue;
            }
            match class {
                OWN => durations.restore_class(&name.as_str(), *samples),
                _ => durations.restore_node(&name.as_str(), *samples),
            }
        }
        durations
    }

    /// Begins with what was kept.
    pub(super) fn restore(&mut self, durations: &Durations, names: &Names<'_>) {
        self.make_room(names.nodes.len(), names.classes.len());
        for (class, samples) in names.classes.iter().zip(&mut self.classes) {
            *samples = durations.class(&class.as_str()).unwrap_or(*samples);
        }
        for ((name, &class), samples) in names.nodes.iter().zip(names.of).zip(&mut self.nodes) {
            let known = match class {
                OWN => durations.class(&name.as_str()),
                _ => durations.node(&name.as_str()),
            };
            *samples = known.unwrap_or(*samples);
        }
    }
}

/// What nodes and their classes are called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) nodes: &'a [TaskName],
    pub(super) classes: &'a [TaskName],
    /// Of each node its class, or [`OWN`].
    pub(super) of: &'a [u32],
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(node: u32, millis: u64, is_calm: bool) -> Sample {
        Sample {
            node,
            took: Duration::from_millis(millis),
            is_calm,
        }
    }

    #[test]
    fn orders_are_made_anew_ever_more_seldom() {
        let mut learned = Learned::default();
        let mut told = Vec::new();
        for _ in 0..17 {
            told.push(learned.begin_run());
            learned.add(&[sample(0, 1, true)], &[OWN], 0);
        }
        let all: Vec<usize> = (0..17).filter(|&run| told[run].0).collect();
        let due: Vec<usize> = (0..17).filter(|&run| told[run].1).collect();
        assert_eq!((all, due), (vec![0, 1, 2, 3], vec![1, 2, 3, 4, 8, 16]));
    }

    #[test]
    fn a_node_counts_from_three_samples_on_and_its_class_before() {
        let mut learned = Learned::default();
        // Nodes 0 and 1 are of one class, 2 of another, 3 of one that never ran.
        let classes = [0, 0, OWN, OWN];
        let samples = [sample(0, 1, true), sample(0, 1, true), sample(1, 4, false)];
        learned.add(&samples, &classes, 1);
        learned.add(&[sample(2, 9, true)], &classes, 1);
        let expected = |learned: &Learned| -> Vec<u128> {
            let known = learned.known(&classes);
            known.iter().map(|it| it.expected.as_millis()).collect()
        };
        assert_eq!(expected(&learned), [2, 2, 9, 9]);
        learned.add(&[sample(0, 1, true)], &classes, 1);
        assert_eq!(expected(&learned)[..2], [1, 1]);
        let known = learned.known(&classes);
        assert!(known[0].is_sure && known[0].is_calm && !known[1].is_calm);
        assert!(!known[2].is_sure && !known[2].is_calm);
    }

    #[test]
    fn what_was_learned_is_kept_by_names() {
        let names = ["a 1", "a 2", "b"].map(TaskName::from);
        let classes = ["a"].map(TaskName::from);
        let names = Names {
            nodes: &names,
            classes: &classes,
            of: &[0, 0, OWN],
        };
        let mut learned = Learned::default();
        let samples = [(0, 1), (0, 1), (0, 1), (1, 5), (2, 7)];
        let samples = samples.map(|(node, millis)| sample(node, millis, true));
        learned.add(&samples, names.of, 1);
        let kept = learned.to_durations(&names);
        let mut again = Learned::default();
        again.restore(&kept, &names);
        let expected = |it: &Learned| -> Vec<Duration> {
            it.known(names.of).iter().map(|it| it.expected).collect()
        };
        assert_eq!(expected(&again), expected(&learned));
        assert_eq!(expected(&again)[2], Duration::from_millis(7));
    }
}
