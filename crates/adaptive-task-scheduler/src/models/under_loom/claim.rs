//! Entries against claims: whatever happens to a queued task, each time that
//! it is queued it is polled once, and by one carrier at a time (loom checks
//! every access to the job).

use super::{Entries, HIGH, LOW, model};
use crate::{
    lane::Lane,
    models::{
        probe::{Probe, Seen},
        table::Table,
    },
    task::{
        id::TaskId,
        word::{self, Relevel},
    },
    waits::Tasks,
};
use loom::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};
use std::{sync::Arc, task::Poll};

type Tasks1 = Arc<Table<Entries>>;

impl Table<Entries> {
    /// What a donation does to one task.
    fn relevel(&self, id: TaskId, level: u8) {
        let word = &self.record(id).word;
        if let Relevel::Raised(..) = word.set_level(id.generation(), level) {
            self.relevelled(id, word.load(), level, true);
        }
    }
}

/// A carrier that serves up to `most` entries.
fn carrier(table: &Tasks1, most: usize) -> thread::JoinHandle<()> {
    let table = Arc::clone(table);
    thread::spawn(move || {
        for _ in 0..most {
            table.step();
        }
    })
}

fn one_task() -> (Tasks1, TaskId, Arc<Seen>) {
    let table = Arc::new(Table::new(1, Entries::new()));
    let (job, seen) = Probe::ready();
    let id = table.spawn(LOW, job);
    (table, id, seen)
}

fn finish(table: &Tasks1, id: TaskId, carriers: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    carriers
        .into_iter()
        .for_each(|carrier| carrier.join().expect("carries"));
    table.drain();
    assert!(table.word(id).has(word::DONE), "{:?}", table.word(id));
}

#[test]
fn a_boosted_task_is_polled_through_one_of_its_two_entries() {
    model(|| {
        let (table, id, seen) = one_task();
        let carriers = [carrier(&table, 1), carrier(&table, 1)];
        table.relevel(id, HIGH);
        finish(&table, id, carriers);
        assert_eq!(seen.polls(), 1);
    });
}

#[test]
fn a_loan_taken_back_leaves_the_task_an_entry() {
    model(|| {
        let (table, id, seen) = one_task();
        let carrier = carrier(&table, 2);
        table.relevel(id, HIGH);
        table.relevel(id, LOW);
        finish(&table, id, [carrier]);
        assert_eq!(seen.polls(), 1);
    });
}

#[test]
fn a_relocated_task_is_polled_once_on_either_lane() {
    model(|| {
        let (table, id, seen) = one_task();
        let carriers = [carrier(&table, 1), carrier(&table, 1)];
        let _ = table.record(id).word.set_lane(id.generation(), Lane::Cpu);
        finish(&table, id, carriers);
        assert_eq!(seen.polls(), 1);
    });
}

#[test]
fn a_task_queued_while_it_is_boosted_has_an_entry_at_its_level() {
    model(|| {
        let table = Arc::new(Table::new(1, Entries::new()));
        let (job, _) = Probe::ready();
        let id = table.open(LOW, word::HANDLE, job).expect("has a place");
        let waker = {
            let table = Arc::clone(&table);
            thread::spawn(move || table.wake(id))
        };
        table.relevel(id, HIGH);
        waker.join().expect("wakes");
        let word = table.word(id);
        assert!(word.has(word::QUEUED) && word.level() == HIGH);
        assert!(
            table.line.has_level(HIGH),
            "a carrier of the high levels would not find it"
        );
    });
}

/// A task that gives its value once `flag` is set.
fn waits_for(flag: &Arc<AtomicBool>) -> (Tasks1, TaskId, Arc<Seen>) {
    let table = Arc::new(Table::new(1, Entries::new()));
    let flag = Arc::clone(flag);
    let (job, seen) = Probe::new(move || match flag.load(Relaxed) {
        true => Poll::Ready(Ok(())),
        false => Poll::Pending,
    });
    let id = table.spawn(LOW, job);
    (table, id, seen)
}

#[test]
fn what_came_before_a_wake_is_seen_by_a_poll_after_it() {
    model(|| {
        let flag = Arc::new(AtomicBool::new(false));
        let (table, id, _) = waits_for(&flag);
        let carriers = [carrier(&table, 1), carrier(&table, 1)];
        flag.store(true, Relaxed);
        table.wake(id);
        finish(&table, id, carriers);
    });
}

#[test]
fn two_wakes_and_a_boost_lose_nothing() {
    model(|| {
        let flag = Arc::new(AtomicBool::new(false));
        let (table, id, _) = waits_for(&flag);
        let carrier = carrier(&table, 2);
        let waker = {
            let (table, flag) = (Arc::clone(&table), Arc::clone(&flag));
            thread::spawn(move || {
                table.wake(id);
                flag.store(true, Relaxed);
                table.wake(id);
            })
        };
        table.relevel(id, HIGH);
        finish(&table, id, [carrier, waker]);
    });
}

#[test]
fn a_cancelled_task_ends_once_wherever_it_was() {
    model(|| {
        let flag = Arc::new(AtomicBool::new(false));
        let (table, id, seen) = waits_for(&flag);
        let carrier = carrier(&table, 2);
        let waker = {
            let (table, flag) = (Arc::clone(&table), Arc::clone(&flag));
            thread::spawn(move || {
                flag.store(true, Relaxed);
                table.wake(id);
            })
        };
        table.stop(id, word::CANCEL);
        finish(&table, id, [carrier, waker]);
        let failed = table.word(id).has(word::FAILED);
        assert_eq!(seen.discards(), usize::from(failed));
    });
}

#[test]
fn a_sweep_and_a_carrier_end_a_task_once() {
    model(|| {
        let (table, id, seen) = one_task();
        let carrier = carrier(&table, 2);
        match table.record(id).seize(id.generation()) {
            Some(mut claimed) => {
                drop(claimed.discard());
                table.end(id, claimed, None);
            }
            None => table.stop(id, word::CONDEMNED),
        }
        finish(&table, id, [carrier]);
        assert_eq!(seen.polls() + seen.discards(), 1);
    });
}
