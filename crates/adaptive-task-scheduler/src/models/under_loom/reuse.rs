//! A place given to another task against what was left of the task before: a
//! stale id changes nothing.

use super::{Entries, HIGH, LOW, MID, model};
use crate::{
    lane::Lane,
    models::{
        probe::{Probe, Seen},
        table::Table,
    },
    queue::ready::Taken,
    task::{
        id::TaskId,
        word::{self, Relevel, Stop, Wake},
    },
    waits::{Tasks, donation},
};
use loom::thread;
use std::sync::Arc;

type Tasks1 = Table<Entries>;

/// Runs a task to its end and gives its place to another, which is suspended:
/// neither queued nor blocked, so that only a wake would queue it.
fn replace(table: &Tasks1) -> (TaskId, Arc<Seen>) {
    table.drain();
    while table.vacancies() == 0 {
        // The stale id was not stale yet, and its thread ends the task.
        thread::yield_now();
    }
    let (job, seen) = Probe::ready();
    let id = table.open(MID, 0, job).expect("the place is free");
    (id, seen)
}

/// Lets `act` meet a task's place with its id while the task ends and the
/// place is given to another.
fn check(act: impl Fn(&Tasks1, TaskId) + Clone + Send + Sync + 'static) {
    model(move || {
        let table = Arc::new(Table::new(1, Entries::new()));
        let (job, old_seen) = Probe::ready();
        let old = table.spawn(LOW, job);
        table.detach(old);
        let stale = {
            let (table, act) = (Arc::clone(&table), act.clone());
            thread::spawn(move || act(&table, old))
        };
        let (new, seen) = replace(&table);
        stale.join().expect("acts");
        table.drain();
        assert_eq!(old_seen.drops(), 1);
        assert_eq!(new.index(), old.index());
        assert_ne!(new, old);
        let word = table.word(new);
        assert_eq!(word.generation(), new.generation());
        assert!(word.is_open());
        assert!(!word.has(word::QUEUED | word::RUNNING | word::NOTIFIED | word::DONE));
        assert!(!word.has(word::LINKED | word::CANCEL | word::CONDEMNED));
        assert_eq!((word.level(), word.lane()), (MID, Lane::Io));
        assert_eq!((seen.polls(), seen.discards(), seen.drops()), (0, 0, 0));
        let links = table.record(new).links_of(new.generation());
        assert_eq!(
            links.map(|mut links| links.rare().dependents.len()),
            Some(0)
        );
    });
}

#[test]
fn a_stale_wake_wakes_nobody() {
    check(|table, old| {
        if let Wake::Enqueue(word) = table.record(old).word.wake(old.generation()) {
            panic!("a task that was queued once was queued again: {word:?}");
        }
    });
}

#[test]
fn a_stale_unblock_releases_nobody() {
    check(|table, old| {
        assert_eq!(
            table.record(old).word.unblock(old.generation()),
            Wake::Nothing
        );
    });
}

#[test]
fn a_stale_entry_polls_nobody() {
    check(|table, old| {
        table.run(
            Taken {
                entry: old.raw(),
                level: LOW,
            },
            Lane::Io,
        )
    });
}

#[test]
fn a_stale_cancel_stops_nobody() {
    check(|table, old| {
        let stopped = table.record(old).word.stop(old.generation(), word::CANCEL);
        assert!(
            !matches!(stopped, Stop::Enqueue(_)),
            "it was queued already"
        );
    });
}

#[test]
fn a_stale_seizure_seizes_nobody() {
    check(|table, old| {
        if let Some(mut claimed) = table.record(old).seize(old.generation()) {
            drop(claimed.discard());
            table.end(old, claimed, None);
        }
    });
}

#[test]
fn a_stale_link_links_nobody() {
    check(|table, old| {
        if let Some(mut links) = table.record(old).live_links(old.generation()) {
            links.waits_on.clear();
        }
    });
}

#[test]
fn a_stale_loan_raises_nobody() {
    check(|table, old| {
        let change = crate::waits::links::Change {
            to: old,
            minus: None,
            plus: Some(HIGH),
        };
        donation::settle(table, [change]);
    });
}

#[test]
fn a_stale_relocation_moves_nobody() {
    check(|table, old| {
        let _ = table.record(old).word.set_lane(old.generation(), Lane::Cpu);
    });
}

#[test]
fn a_stale_level_is_not_taken() {
    check(|table, old| {
        let relevel = table.record(old).word.set_level(old.generation(), HIGH);
        assert!(!matches!(relevel, Relevel::Raised(from, _) if from.level() == MID));
    });
}

#[test]
fn what_was_linked_to_a_task_is_gone_for_the_next() {
    check(|table, old| {
        let record = table.record(old);
        if let Some(mut links) = record.live_links(old.generation()) {
            links.rare().dependents.push(old);
        }
        if let Some(mut links) = record.links_of(old.generation()) {
            assert!(links.rare().dependents.len() <= 1);
        }
    });
}
