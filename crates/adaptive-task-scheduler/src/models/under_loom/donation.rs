//! Donation against ends and cancels: when all walks are over, the level of
//! every live task is the highest of its own and those of its live waiters,
//! and nothing has happened to the tasks that ended.

use super::{Entries, HIGH, LOW, MID, model};
use crate::{
    models::{probe::Probe, table::Table},
    task::{id::TaskId, word},
    waits::{Tasks, donation},
};
use loom::thread;
use std::{sync::Arc, task::Poll};

type Graph = Arc<Table<Entries>>;

/// Suspended tasks of the given levels.
fn graph<const N: usize>(levels: [u8; N]) -> (Graph, [TaskId; N]) {
    let table = Arc::new(Table::new(N as u32, Entries::new()));
    let ids = levels.map(|level| {
        let (job, _) = Probe::new(|| Poll::Pending);
        table
            .open(level, word::HANDLE, job)
            .expect("has places enough")
    });
    (table, ids)
}

fn beside(graph: &Graph, act: impl FnOnce(&Graph) + 'static) -> thread::JoinHandle<()> {
    let graph = Arc::clone(graph);
    thread::spawn(move || act(&graph))
}

/// Ends a task that is suspended.
fn end(graph: &Graph, id: TaskId) {
    let claimed = graph
        .record(id)
        .seize(id.generation())
        .expect("nobody else ends it");
    graph.end(id, claimed, None);
}

fn check<const N: usize>(
    graph: &Graph,
    ids: [TaskId; N],
    others: impl IntoIterator<Item = thread::JoinHandle<()>>,
    expected: [u8; N],
) {
    others
        .into_iter()
        .for_each(|other| other.join().expect("walks"));
    assert_eq!(ids.map(|id| graph.word(id).level()), expected);
}

#[test]
fn both_edges_of_a_chain_at_once_lend_to_its_end() {
    model(|| {
        let (graph, [top, middle, bottom]) = graph([HIGH, MID, LOW]);
        let other = beside(&graph, move |graph| {
            donation::add_edge(&**graph, top, middle);
        });
        donation::add_edge(&*graph, middle, bottom);
        check(&graph, [top, middle, bottom], [other], [HIGH, HIGH, HIGH]);
    });
}

#[test]
fn a_waiter_that_ends_leaves_nothing_lent() {
    model(|| {
        let (graph, [top, middle, bottom]) = graph([HIGH, MID, LOW]);
        donation::add_edge(&*graph, middle, bottom);
        let other = beside(&graph, move |graph| end(graph, top));
        donation::add_edge(&*graph, top, middle);
        check(&graph, [middle, bottom], [other], [MID, MID]);
    });
}

#[test]
fn a_link_of_the_chain_that_ends_takes_back_what_went_through_it() {
    model(|| {
        let (graph, [top, middle, bottom]) = graph([HIGH, MID, LOW]);
        donation::add_edge(&*graph, middle, bottom);
        let other = beside(&graph, move |graph| end(graph, middle));
        donation::add_edge(&*graph, top, middle);
        check(&graph, [top, bottom], [other], [HIGH, LOW]);
    });
}

#[test]
fn an_ended_blocker_is_left_alone() {
    model(|| {
        let (graph, [top, bottom]) = graph([HIGH, LOW]);
        let at_end = beside(&graph, move |graph| {
            end(graph, bottom);
            let ended = graph.word(bottom);
            loom::thread::yield_now();
            assert_eq!(graph.word(bottom), ended);
        });
        donation::add_edge(&*graph, top, bottom);
        at_end.join().expect("ends");
        assert_eq!(graph.line.len(), 0);
    });
}

#[test]
fn an_edge_that_goes_while_a_loan_comes_takes_it_back() {
    model(|| {
        let (graph, [top, middle, bottom]) = graph([HIGH, MID, LOW]);
        donation::add_edge(&*graph, middle, bottom);
        let other = beside(&graph, move |graph| {
            donation::remove_edge(&**graph, middle, bottom);
        });
        donation::add_edge(&*graph, top, middle);
        check(&graph, [middle, bottom], [other], [HIGH, LOW]);
    });
}

#[test]
fn of_two_waiters_the_one_that_stays_counts() {
    model(|| {
        let (graph, [high, mid, bottom]) = graph([HIGH, MID, LOW]);
        let other = beside(&graph, move |graph| {
            donation::add_edge(&**graph, high, bottom);
            donation::remove_edge(&**graph, high, bottom);
        });
        donation::add_edge(&*graph, mid, bottom);
        check(&graph, [bottom], [other], [MID]);
    });
}

#[test]
fn changes_through_two_paths_add_up() {
    model(|| {
        let (graph, [top, left, right, bottom]) = graph([HIGH, LOW, MID, LOW]);
        donation::add_edge(&*graph, left, bottom);
        donation::add_edge(&*graph, right, bottom);
        let other = beside(&graph, move |graph| {
            donation::add_edge(&**graph, top, left);
            donation::remove_edge(&**graph, top, left);
        });
        donation::remove_edge(&*graph, right, bottom);
        check(&graph, [left, right, bottom], [other], [LOW, MID, LOW]);
    });
}

#[test]
fn a_boost_finds_a_queued_task_or_its_end_but_never_neither() {
    model(|| {
        let graph = Arc::new(Table::new(2, Entries::new()));
        let (waiter, _) = Probe::new(|| Poll::Pending);
        let top = graph
            .open(HIGH, word::HANDLE, waiter)
            .expect("has places enough");
        let (job, seen) = Probe::ready();
        let bottom = graph.spawn(LOW, job);
        let carrier = beside(&graph, |graph| {
            graph.step();
        });
        let canceller = beside(&graph, move |graph| graph.stop(bottom, word::CANCEL));
        donation::add_edge(&*graph, top, bottom);
        carrier.join().expect("carries");
        canceller.join().expect("cancels");
        graph.drain();
        assert!(graph.word(bottom).has(word::DONE));
        assert_eq!(seen.polls() + seen.discards(), 1);
    });
}

#[test]
fn of_two_waits_that_close_a_cycle_one_is_told() {
    model(|| {
        let (graph, [first, second]) = graph([HIGH, LOW]);
        let other = {
            let graph = Arc::clone(&graph);
            thread::spawn(move || graph.begin_wait(second, first).err())
        };
        let mine = graph.begin_wait(first, second).err();
        let others = other.join().expect("waits");
        assert!(mine.is_some() != others.is_some());
        let told = mine.or(others).expect("one is told");
        assert_eq!(told.len(), 2);
        // The other's edge stands.
        let is_first_told = told[0] == first;
        let level = if is_first_told { LOW } else { HIGH };
        check(&graph, [first, second], [], [HIGH, level]);
    });
}
