//! Pure: learned durations, of each node and of each class of nodes.
//!
//! One run of history can mislead: between two runs of one workflow the durations of
//! single nodes moved by 40 %, and ranks by node made one of them 10 % slower than first
//! come. So a node is expected to take what its class takes, until it has [`ENOUGH`]
//! samples of its own.

use std::{collections::HashMap, sync::OnceLock, time::Duration};

/// From so many samples on, a node is expected to take what it took itself. On recorded
/// workflows type means were better than one sample, and the mean of four better than
/// type means; between these nobody has measured.
const ENOUGH: u64 = 3;

/// A class that is not known is expected to take what the classes take that are; if none
/// is known all nodes are alike, and this is what they take.
const UNKNOWN: Duration = Duration::from_secs(1);

/// Samples of a duration: Welford's running mean and variance.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Samples {
    count: u64,
    mean: f64,
    squares: f64,
}

impl Samples {
    /// As many samples of this mean and standard deviation.
    pub fn new(count: u64, mean: Duration, deviation: Duration) -> Self {
        let deviation = deviation.as_secs_f64();
        Self {
            count,
            mean: mean.as_secs_f64(),
            squares: deviation * deviation * count as f64,
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their mean; zero if there are none.
    pub fn mean(&self) -> Duration {
        seconds(self.mean)
    }

    /// Their standard deviation; zero if there are none.
    pub fn deviation(&self) -> Duration {
        match self.count {
            0 => Duration::ZERO,
            count => seconds((self.squares / count as f64).sqrt()),
        }
    }

    /// Whether they say enough of a node by themselves.
    pub(super) fn is_enough(&self) -> bool {
        self.count >= ENOUGH
    }

    pub(super) fn add(&mut self, took: Duration) {
        let took = took.as_secs_f64();
        self.count += 1;
        let before = took - self.mean;
        self.mean += before / self.count as f64;
        self.squares += before * (took - self.mean);
    }
}

/// Anything that is not a duration is none; files may say what they want.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// From what a duration is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Basis {
    /// What the node itself took.
    Node,
    /// What nodes of its class took.
    Class,
    /// What the known classes take: their median.
    Others,
    /// Nothing is known: all nodes count alike.
    Nothing,
}

/// How long a node is expected to take.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Expected {
    /// The mean.
    pub mean: Duration,
    /// The standard deviation of what it is expected from.
    pub deviation: Duration,
    /// How many samples it is expected from.
    pub samples: u64,
    /// Whose samples these are.
    pub basis: Basis,
}

/// What nodes took in earlier runs, by their names and by the names of their classes.
///
/// ```
/// use adaptive_task_scheduler::graph::{Basis, Durations};
/// use std::time::Duration;
///
/// let mut durations = Durations::new();
/// durations.record("resize", "resize 1", Duration::from_secs(2));
/// durations.record("resize", "resize 2", Duration::from_secs(4));
/// let expected = durations.expected("resize", "resize 3");
/// assert_eq!((expected.mean, expected.basis), (Duration::from_secs(3), Basis::Class));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Durations {
    nodes: HashMap<Box<str>, Samples>,
    classes: HashMap<Box<str>, Samples>,
    /// What the classes take, once somebody has asked.
    others: OnceLock<Expected>,
}

impl Durations {
    /// Nothing is known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A node of this class took so long.
    pub fn record(&mut self, class: &str, node: &str, took: Duration) {
        self.others = OnceLock::new();
        samples_of(&mut self.classes, class).add(took);
        if class != node {
            samples_of(&mut self.nodes, node).add(took);
        }
    }

    /// How long a node of this class will take.
    pub fn expected(&self, class: &str, node: &str) -> Expected {
        let own = self.nodes.get(node).filter(|own| own.is_enough());
        let of_class = || self.classes.get(class).filter(|class| class.count > 0);
        match (own, of_class()) {
            (Some(own), _) => expected(own, Basis::Node),
            (None, Some(class)) => expected(class, Basis::Class),
            (None, None) => *self.others.get_or_init(|| self.of_others()),
        }
    }

    /// Of each node that is no class of its own, by name, in no order.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, Samples)> {
        self.nodes.iter().map(|(name, samples)| (&**name, *samples))
    }

    /// Of each class, by name, in no order.
    pub fn classes(&self) -> impl Iterator<Item = (&str, Samples)> {
        self.classes
            .iter()
            .map(|(name, samples)| (&**name, *samples))
    }

    /// What this node took, if it is no class of its own.
    pub fn node(&self, node: &str) -> Option<Samples> {
        self.nodes.get(node).copied()
    }

    /// What nodes of this class took, if any did.
    pub fn class(&self, class: &str) -> Option<Samples> {
        self.classes.get(class).copied()
    }

    /// Goes on from samples that were saved of a node.
    pub fn restore_node(&mut self, node: &str, samples: Samples) {
        *samples_of(&mut self.nodes, node) = samples;
    }

    /// Goes on from samples that were saved of a class.
    pub fn restore_class(&mut self, class: &str, samples: Samples) {
        self.others = OnceLock::new();
        *samples_of(&mut self.classes, class) = samples;
    }

    fn of_others(&self) -> Expected {
        let known = self.classes.values().filter(|class| class.count > 0);
        let mut means: Vec<Duration> = known.map(Samples::mean).collect();
        let middle = means.len() / 2;
        let (mean, basis) = if means.is_empty() {
            (UNKNOWN, Basis::Nothing)
        } else {
            (*means.select_nth_unstable(middle).1, Basis::Others)
        };
        Expected {
            mean,
            deviation: Duration::ZERO,
            samples: 0,
            basis,
        }
    }
}

fn samples_of<'a>(all: &'a mut HashMap<Box<str>, Samples>, name: &str) -> &'a mut Samples {
    if !all.contains_key(name) {
        all.insert(name.into(), Samples::default());
    }
    all.get_mut(name).expect("it has just been put there")
}

fn expected(samples: &Samples, basis: Basis) -> Expected {
    Expected {
        mean: samples.mean(),
        deviation: samples.deviation(),
        samples: samples.count,
        basis,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(samples: &[(&str, &str, u64)]) -> Durations {
        let mut durations = Durations::new();
        for &(class, node, took) in samples {
            durations.record(class, node, Duration::from_secs(took));
        }
        durations
    }

    #[track_caller]
    fn check(durations: &Durations, class: &str, node: &str, mean: u64, basis: Basis) {
        let expected = durations.expected(class, node);
        assert_eq!(expected.mean, Duration::from_secs(mean), "{expected:?}");
        assert_eq!(expected.basis, basis);
    }

    #[test]
    fn a_node_counts_from_three_samples_on_and_its_class_before() {
        let mut durations = after(&[("a", "a 1", 1), ("a", "a 1", 1), ("a", "a 2", 4)]);
        check(&durations, "a", "a 1", 2, Basis::Class);
        durations.record("a", "a 1", Duration::from_secs(1));
        check(&durations, "a", "a 1", 1, Basis::Node);
        let of_class = durations.expected("a", "a 3");
        assert_eq!((of_class.samples, of_class.basis), (4, Basis::Class));
    }

    #[test]
    fn an_unknown_class_is_like_the_middle_one() {
        check(&Durations::new(), "a", "a", 1, Basis::Nothing);
        let durations = after(&[("a", "a", 2), ("b", "b", 9), ("c", "c", 3)]);
        check(&durations, "d", "d", 3, Basis::Others);
        check(&durations, "b", "b", 9, Basis::Class);
    }

    #[test]
    fn what_was_saved_goes_on() {
        let mut durations = after(&[("a", "a 1", 1), ("a", "a 1", 2), ("a", "a 2", 6)]);
        let mut restored = Durations::new();
        for (name, samples) in durations.nodes() {
            let (mean, deviation) = (samples.mean(), samples.deviation());
            restored.restore_node(name, Samples::new(samples.count(), mean, deviation));
        }
        for (name, samples) in durations.classes() {
            let (mean, deviation) = (samples.mean(), samples.deviation());
            restored.restore_class(name, Samples::new(samples.count(), mean, deviation));
        }
        for it in [&mut durations, &mut restored] {
            it.record("a", "a 1", Duration::from_secs(3));
        }
        let (kept, again) = (
            durations.expected("a", "a 1"),
            restored.expected("a", "a 1"),
        );
        assert_eq!((kept.mean, kept.samples), (again.mean, again.samples));
        let apart = kept.deviation.abs_diff(again.deviation);
        assert!(apart < Duration::from_nanos(10), "{apart:?}");
    }

    #[test]
    fn samples_that_are_no_durations_do_no_harm() {
        let mut durations = Durations::new();
        durations.record("a", "a", Duration::MAX);
        durations.record("a", "a", Duration::MAX);
        let expected = durations.expected("a", "a");
        assert!(expected.mean <= Duration::MAX);
    }
}
