//! Pure: what is known of durations before a run, and from what has ended in it.
//!
//! By task and by class as the library's [`Durations`] keep them, and within a class by how much a
//! task reads, where that tells most of the difference (StarPU's models are by size, too).

use std::collections::HashMap;
use std::time::Duration;

use adaptive_task_scheduler::graph::{Basis, Durations, Samples};

use super::case::Node;
use crate::replay::workflow::Workflow;

/// The size of what is read is asked only from so many samples on, and only if it explains at least
/// this share of the variance. On recorded workflows 0.3 and 0.5 made one of them 4 % and 1 % worse
/// than first come on 8 cores, 0.7 and 0.9 none; 4, 6 and 10 samples were alike.
const ENOUGH: u64 = 6;
const EXPLAINED: f64 = 0.7;

/// As many samples count as the library wants before it trusts a task's own.
const TRUSTED: u64 = 3;

/// What has been learned.
#[derive(Clone, Debug, Default)]
pub struct Knowledge {
    durations: Durations,
    by_size: HashMap<Box<str>, Line>,
    longest: Option<Duration>,
}

impl Knowledge {
    /// Learns from a whole run; of another workflow it learns about the classes alone.
    pub fn learn(&mut self, run: &Workflow, is_same_workflow: bool) {
        for task in &run.tasks {
            let name = if is_same_workflow {
                &task.id
            } else {
                &task.class
            };
            self.record(&task.class, name, task.input_bytes, task.run_time);
        }
    }

    /// Believes what a record says was expected before it. It counts for the classes, too, so that
    /// what was not expected is seen beside what was.
    pub fn believe(&mut self, nodes: &[Node<'_>]) {
        for node in nodes {
            if let Some(expected) = node.expected {
                self.record(node.class, node.class, None, expected);
                let samples = Samples::new(TRUSTED, expected, Duration::ZERO);
                self.durations.restore_node(node.name, samples);
            }
        }
    }

    /// A task of this class took so long.
    pub fn record(&mut self, class: &str, name: &str, bytes: Option<u64>, took: Duration) {
        self.longest = None;
        self.durations.record(class, name, took);
        if let Some(bytes) = bytes {
            let line = self.by_size.entry(class.into()).or_default();
            line.add(bytes as f64, took.as_secs_f64());
        }
    }

    /// What a task will take; `bytes` once all that it reads is there.
    ///
    /// A class of which nothing is known counts as the longest that is known: what is learned
    /// early helps most, and a long task that starts last hurts most.
    pub fn expected(&mut self, node: &Node<'_>, bytes: Option<u64>) -> Duration {
        let expected = self.durations.expected(node.class, node.name);
        match expected.basis {
            Basis::Class => bytes
                .zip(self.by_size.get(node.class))
                .and_then(|(bytes, line)| line.at(bytes as f64))
                .unwrap_or(expected.mean),
            Basis::Others => self.longest(),
            _ => expected.mean,
        }
    }

    fn longest(&mut self) -> Duration {
        let durations = &self.durations;
        let means = || durations.classes().map(|(_, samples)| samples.mean());
        *self
            .longest
            .get_or_insert_with(|| means().max().unwrap_or_default())
    }
}

/// A line through points, by least squares, kept as running means and squares.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Line {
    count: u64,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
}

impl Line {
    fn add(&mut self, x: f64, y: f64) {
        self.count += 1;
        let (from_x, from_y) = (x - self.x, y - self.y);
        self.x += from_x / self.count as f64;
        self.y += from_y / self.count as f64;
        self.xx += from_x * (x - self.x);
        self.yy += from_y * (y - self.y);
        self.xy += from_x * (y - self.y);
    }

    /// Where it is at `x`, if the points are near enough to it; far out not below a tenth of the
    /// mean.
    fn at(&self, x: f64) -> Option<Duration> {
        let is_known = self.count >= ENOUGH && self.xx > 0.0 && self.yy > 0.0;
        if !is_known || self.xy * self.xy < EXPLAINED * self.xx * self.yy {
            return None;
        }
        let y = self.y + self.xy / self.xx * (x - self.x);
        Duration::try_from_secs_f64(y.max(self.y / 10.0)).ok()
    }
}

#[cfg(test)]
mod tests {
    use adaptive_task_scheduler::Priority;

    use super::*;
    use crate::dispatch::Holds;
    use crate::replay::workflow::RecordedTask;

    fn node<'a>(class: &'a str, name: &'a str) -> Node<'a> {
        Node {
            name,
            class,
            bytes: None,
            expected: None,
            priority: Priority::Mid,
            holds: Holds::Place,
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_unknown_class_counts_as_the_longest_known() {
        let mut knowledge = Knowledge::default();
        knowledge.record("a", "a 1", None, SECOND);
        knowledge.record("b", "b 1", None, 5 * SECOND);
        assert_eq!(knowledge.expected(&node("c", "c 1"), None), 5 * SECOND);
        knowledge.record("c", "c 1", None, 9 * SECOND);
        assert_eq!(knowledge.expected(&node("d", "d 1"), None), 9 * SECOND);
        assert_eq!(knowledge.expected(&node("a", "a 2"), None), SECOND);
    }

    #[test]
    fn what_was_expected_is_believed_and_the_unexpected_seen_beside_it() {
        let expected = Node {
            expected: Some(5 * SECOND),
            ..node("a", "a 1")
        };
        let mut knowledge = Knowledge::default();
        knowledge.believe(&[expected, node("b", "b")]);
        assert_eq!(knowledge.expected(&expected, None), 5 * SECOND);
        assert_eq!(knowledge.expected(&node("b", "b"), None), 5 * SECOND);
    }

    #[test]
    fn sizes_are_asked_where_they_tell_the_difference() {
        let mut knowledge = Knowledge::default();
        for size in 1..=6_u32 {
            let name = format!("{size}");
            let bytes = Some(u64::from(size));
            knowledge.record("grows", &name, bytes, size * SECOND);
            knowledge.record("varies", &name, bytes, (1 + size % 2) * SECOND);
        }
        let near = |duration: Duration, seconds: f64| {
            assert!(
                (duration.as_secs_f64() - seconds).abs() < 1e-6,
                "{duration:?}"
            );
        };
        near(knowledge.expected(&node("grows", "new"), Some(10)), 10.0);
        near(knowledge.expected(&node("grows", "new"), None), 3.5);
        near(knowledge.expected(&node("varies", "new"), Some(10)), 1.5);
    }

    #[test]
    fn another_workflow_teaches_classes_and_not_tasks() {
        let task = |seconds| RecordedTask {
            id: "a 1".into(),
            class: "a".into(),
            run_time: seconds * SECOND,
            ..RecordedTask::default()
        };
        let run = |seconds| Workflow {
            tasks: vec![task(seconds)],
            ..Workflow::default()
        };
        let mut knowledge = Knowledge::default();
        for _ in 0..3 {
            knowledge.learn(&run(2), true);
            knowledge.learn(&run(4), false);
        }
        assert_eq!(knowledge.expected(&node("a", "a 1"), None), 2 * SECOND);
        assert_eq!(knowledge.expected(&node("a", "a 2"), None), 3 * SECOND);
    }
}
