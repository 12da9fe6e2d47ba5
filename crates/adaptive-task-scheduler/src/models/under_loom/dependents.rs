//! Declared dependencies against the ends of what they name: a dependent is
//! released once, by the last of them or by the first that fails.

use super::{Entries, HIGH, LOW, model};
use crate::{
    models::{
        probe::{Probe, Seen},
        table::Table,
    },
    task::{id::TaskId, word},
};
use loom::thread;
use std::sync::Arc;

type Graph = Arc<Table<Entries>>;

fn graph() -> Graph {
    Arc::new(Table::new(3, Entries::new()))
}

/// A carrier that runs one entry.
fn carrier(graph: &Graph) -> thread::JoinHandle<()> {
    let graph = Arc::clone(graph);
    thread::spawn(move || {
        graph.step();
    })
}

fn spawn(graph: &Graph, (job, seen): (Probe, Arc<Seen>)) -> (TaskId, Arc<Seen>) {
    (graph.spawn(LOW, job), seen)
}

fn spawn_after(graph: &Graph, after: &[TaskId]) -> (TaskId, Arc<Seen>) {
    let (job, seen) = Probe::ready();
    (graph.spawn_after(HIGH, job, after), seen)
}

fn finish(graph: &Graph, carriers: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    carriers
        .into_iter()
        .for_each(|carrier| carrier.join().expect("carries"));
    graph.drain();
}

#[test]
fn a_dependency_that_ends_while_it_is_declared_releases_once() {
    model(|| {
        let graph = graph();
        let (blocker, _) = spawn(&graph, Probe::ready());
        let carrier = carrier(&graph);
        let (dependent, seen) = spawn_after(&graph, &[blocker]);
        assert_eq!(seen.polls(), 0);
        finish(&graph, [carrier]);
        assert!(graph.word(dependent).has(word::DONE) && !graph.word(dependent).has(word::FAILED));
        assert_eq!(seen.polls(), 1);
    });
}

#[test]
fn two_dependencies_that_end_at_once_release_once() {
    model(|| {
        let graph = graph();
        let (first, _) = spawn(&graph, Probe::ready());
        let (second, _) = spawn(&graph, Probe::ready());
        let (dependent, seen) = spawn_after(&graph, &[first, second]);
        // Each was boosted, so there are four entries for two tasks.
        let carriers = [carrier(&graph), carrier(&graph)];
        finish(&graph, carriers);
        assert!(graph.word(dependent).has(word::DONE));
        assert_eq!(seen.polls(), 1);
    });
}

#[test]
fn a_failed_dependency_ends_its_dependent_unpolled() {
    model(|| {
        let graph = graph();
        let (failing, _) = spawn(&graph, Probe::failing());
        let (other, _) = spawn(&graph, Probe::ready());
        let carriers = [carrier(&graph), carrier(&graph)];
        let (dependent, seen) = spawn_after(&graph, &[failing, other]);
        finish(&graph, carriers);
        assert!(graph.word(dependent).has(word::FAILED));
        assert_eq!((seen.polls(), seen.discards()), (0, 1));
        // What it lent to the other was taken back, if that was still live.
        assert!(graph.word(other).has(word::DONE));
    });
}

#[test]
fn a_dependent_that_is_cancelled_while_it_is_released_ends_once() {
    model(|| {
        let graph = graph();
        let (blocker, _) = spawn(&graph, Probe::ready());
        let (dependent, seen) = spawn_after(&graph, &[blocker]);
        let carrier = carrier(&graph);
        graph.stop(dependent, word::CANCEL);
        finish(&graph, [carrier]);
        assert!(graph.word(dependent).has(word::DONE));
        assert_eq!(seen.polls() + seen.discards(), 1);
    });
}
