//! A handle against its task's end: the value is taken once or discarded once,
//! and the place is freed once.

use super::{Entries, LOW, model};
use crate::{
    error::TaskError,
    models::{
        bell::bell_and_waker,
        probe::{Probe, Seen, VALUE},
        table::Table,
    },
    primitives::Mutex,
    task::{id::TaskId, word},
    waits::Tasks,
    waits::links::Watching,
};
use loom::thread;
use std::{sync::Arc, task::Poll};

type Tasks1 = Arc<Table<Entries>>;

/// A task that a carrier on another thread is about to run.
fn running((job, seen): (Probe, Arc<Seen>)) -> (Tasks1, TaskId, Arc<Seen>, thread::JoinHandle<()>) {
    let table = Arc::new(Table::new(1, Entries::new()));
    let id = table.spawn(LOW, job);
    let carrier = {
        let table = Arc::clone(&table);
        thread::spawn(move || table.drain())
    };
    (table, id, seen, carrier)
}

/// Awaits the handle on this thread.
fn join(table: &Tasks1, id: TaskId) -> Result<Option<u32>, TaskError> {
    let (bell, waker) = bell_and_waker();
    loop {
        match table.poll_handle(id, &waker) {
            Poll::Ready(answer) => return answer,
            Poll::Pending => bell.wait(),
        }
    }
}

fn is_freed_once(table: &Tasks1, seen: &Seen) {
    assert_eq!(table.vacancies(), 1);
    assert_eq!(seen.drops(), 1);
}

#[test]
fn a_value_is_taken_once() {
    model(|| {
        let (table, id, seen, carrier) = running(Probe::ready());
        assert_eq!(join(&table, id).expect("completes"), Some(VALUE));
        carrier.join().expect("carries");
        assert_eq!((seen.polls(), seen.takes()), (1, 1));
        is_freed_once(&table, &seen);
    });
}

#[test]
fn an_error_is_there_when_the_end_is_seen() {
    model(|| {
        let (table, id, seen, carrier) = running(Probe::failing());
        let error = join(&table, id).expect_err("fails");
        assert!(error.is_failed() && error.task() == id);
        carrier.join().expect("carries");
        is_freed_once(&table, &seen);
    });
}

#[test]
fn a_dropped_handle_and_the_end_free_the_place_once() {
    model(|| {
        let (table, id, seen, carrier) = running(Probe::ready());
        table.detach(id);
        carrier.join().expect("carries");
        assert_eq!((seen.polls(), seen.takes(), seen.discards()), (1, 0, 1));
        is_freed_once(&table, &seen);
    });
}

#[test]
fn a_cancelled_handle_sees_a_value_or_an_error() {
    model(|| {
        let (table, id, seen, carrier) = running(Probe::ready());
        table.stop(id, word::CANCEL);
        match join(&table, id) {
            Ok(value) => assert_eq!(value, Some(VALUE)),
            Err(error) => assert!(error.is_cancelled()),
        }
        carrier.join().expect("carries");
        is_freed_once(&table, &seen);
    });
}

/// How often it was told, and whether of an error.
#[derive(Debug, Default)]
struct Ends(Mutex<Vec<bool>>);

impl Watching for Ends {
    fn ended(&self, _: TaskId, error: Option<&TaskError>) {
        self.0.lock().push(error.is_some());
    }
}

/// What making a watch does: it is linked to a live task, or told of the end.
fn watch(table: &Tasks1, id: TaskId) -> Arc<Ends> {
    let ends = Arc::new(Ends::default());
    let record = table.record(id);
    if let Some(mut links) = record.live_links(id.generation()) {
        links.rare().watchers.push(Arc::clone(&ends) as _);
        return ends;
    }
    let error = record
        .links_of(id.generation())
        .and_then(|links| links.error());
    ends.ended(id, error.as_ref());
    ends
}

fn check_watch(job: (Probe, Arc<Seen>), fails: bool) {
    let (table, id, seen, carrier) = running(job);
    let other = {
        let table = Arc::clone(&table);
        thread::spawn(move || watch(&table, id))
    };
    let mine = watch(&table, id);
    let others = other.join().expect("watches");
    carrier.join().expect("carries");
    for ends in [mine, others] {
        assert_eq!(*ends.0.lock(), [fails]);
    }
    table.detach(id);
    is_freed_once(&table, &seen);
}

#[test]
fn each_watch_is_told_of_a_value_once() {
    model(|| check_watch(Probe::ready(), false));
}

#[test]
fn each_watch_is_told_of_an_error_once() {
    model(|| check_watch(Probe::failing(), true));
}
