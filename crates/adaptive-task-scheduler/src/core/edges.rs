//! Edges between tasks as they come and go: declared ones, and those of
//! awaiting.

use super::{Core, inverted};
use crate::{
    counters::bump,
    error::{DependencyError, DependencyErrorKind, TaskError},
    event::Event,
    learning::watch,
    priority::Priority,
    put_off::PutOff,
    task::{
        current,
        id::{TaskId, TaskName},
        record::Record,
        slab,
        word::{self, CONDEMNED, Snapshot, Stop, Wake},
    },
    waits::{Tasks, cycle, donation, is_live, links::Change},
};
use std::sync::{Mutex, PoisonError, atomic::Ordering::Relaxed};

/// Walks that look for cycles go one at a time: a cycle may pass through several
/// schedulers. Taken inside of a [`PutOff`], since edges that come and go are told.
static CYCLES: Mutex<()> = Mutex::new(());

/// All tasks of this process, to whichever scheduler they belong.
pub(crate) struct Everywhere;

impl Tasks for Everywhere {
    fn record(&self, id: TaskId) -> &Record {
        slab::record(id)
    }

    fn relevelled(&self, id: TaskId, from: Snapshot, level: u8, queued: bool) {
        let record = slab::record(id);
        current::with_core_of(record, |core| {
            announce(core, id, from.level(), level);
            if queued {
                core.push_again(id, record.word.load());
            }
        });
    }
}

fn announce(core: &Core, task: TaskId, from: u8, to: u8) {
    let raised = to > from;
    if raised {
        bump(&core.counters.boosts);
    }
    core.events.emit(|at| {
        let name = name_of(task);
        let (from, to) = (Priority::of_level(from), Priority::of_level(to));
        if raised {
            let waiter = slab::record(task).facts.waiter.load(Relaxed);
            let by = TaskId::from_raw(waiter).map(|waiter| (waiter, name_of(waiter)));
            Event::Boosted {
                at,
                task,
                name,
                from,
                to,
                by,
            }
        } else {
            Event::Unboosted {
                at,
                task,
                name,
                from,
                to,
            }
        }
    });
}

pub(crate) fn name_of(id: TaskId) -> TaskName {
    slab::record(id).name(id.generation())
}

/// The tasks with their names, for errors.
fn named(path: Vec<TaskId>) -> Vec<(TaskId, TaskName)> {
    path.into_iter().map(|id| (id, name_of(id))).collect()
}

/// Adds the edge `waiter -> blocker`, lends along it, and says so.
fn add(core: &Core, waiter: TaskId, blocker: TaskId) {
    if !is_live(&Everywhere, blocker) {
        return;
    }
    let now = core.tick();
    note_waiter(now, waiter, blocker);
    donation::add_edge_at(&Everywhere, waiter, blocker, now);
    core.events.emit(|at| Event::Waiting {
        at,
        task: waiter,
        name: name_of(waiter),
        on: blocker,
        on_name: name_of(blocker),
    });
}

/// Remembers on the blocker since when it is waited on, and by whom, for the
/// sentinel and for events. Only a hint.
fn note_waiter(now: u32, waiter: TaskId, blocker: TaskId) {
    let facts = &slab::record(blocker).facts;
    let _ = facts
        .waited_since
        .compare_exchange(0, now, Relaxed, Relaxed);
    let level = |id: TaskId| slab::record(id).word.load().level();
    let before = TaskId::from_raw(facts.waiter.load(Relaxed));
    if before.is_none_or(|before| level(before) <= level(waiter)) {
        facts.waiter.store(waiter.raw(), Relaxed);
    }
}

/// Forgets since when the blocker is waited on, if nobody waits any more.
pub(crate) fn forget_waiter(blocker: TaskId) {
    if is_live(&Everywhere, blocker) && !cycle::has_waiters(&Everywhere, blocker) {
        let facts = &slab::record(blocker).facts;
        facts.waited_since.store(0, Relaxed);
        facts.waiter.store(0, Relaxed);
    }
}

/// A task begins to await another. `Err` if that closes a cycle.
pub(crate) fn begin_wait(
    core: &Core,
    waiter: TaskId,
    blocker: TaskId,
) -> Result<(), Vec<(TaskId, TaskName)>> {
    let watch = &slab::record(waiter).facts.watch;
    if watch.load(Relaxed) & watch::WAITS == 0 {
        watch.fetch_or(watch::WAITS, Relaxed);
    }
    add(core, waiter, blocker);
    if !cycle::has_waiters(&Everywhere, waiter) && waiter != blocker {
        return Ok(());
    }
    let _put_off = PutOff::begin();
    let _one_at_a_time = CYCLES.lock().unwrap_or_else(PoisonError::into_inner);
    match cycle::find(&Everywhere, waiter, blocker) {
        None => Ok(()),
        Some(path) => {
            let path = named(path);
            end_wait(waiter, blocker);
            Err(path)
        }
    }
}

/// The circle through an edge that stands already, beginning with its waiter.
pub(crate) fn circle_through(waiter: TaskId, blocker: TaskId) -> Option<Vec<(TaskId, TaskName)>> {
    let _one_at_a_time = CYCLES.lock().unwrap_or_else(PoisonError::into_inner);
    cycle::find(&Everywhere, waiter, blocker).map(named)
}

/// What is lent to a node of the graph is lent to `holder` too, from the tick `now`
/// on.
pub(crate) fn pass_on(now: u32, node: TaskId, holder: TaskId) {
    if is_live(&Everywhere, holder) {
        note_waiter(now, node, holder);
        donation::add_edge_at(&Everywhere, node, holder, now);
    }
}

/// A task does not await another any more.
pub(crate) fn end_wait(waiter: TaskId, blocker: TaskId) {
    end_wait_on(waiter, blocker, || name_of(blocker));
}

/// The same, for who knows the blocker's name although its place may belong to
/// another by now.
pub(crate) fn end_wait_on(waiter: TaskId, blocker: TaskId, name: impl FnOnce() -> TaskName) {
    inverted::note_awaited(waiter, blocker, name);
    donation::remove_edge(&Everywhere, waiter, blocker);
    forget_waiter(blocker);
}

/// Makes `waiter`, which is BLOCKED, run after `blocker`. What is known of an
/// ended blocker is acted upon at once.
pub(crate) fn declare(core: &Core, waiter: TaskId, blocker: TaskId) {
    if let Some(mut links) = slab::record(waiter).live_links(waiter.generation()) {
        links.missing += 1;
    }
    add(core, waiter, blocker);
    let record = slab::record(blocker);
    if let Some(mut links) = record.live_links(blocker.generation()) {
        links.rare().dependents.push(waiter);
        return;
    }
    let error = record
        .links_of(blocker.generation())
        .and_then(|links| links.error());
    release(waiter, error.as_ref());
}

/// One dependency of a task has ended (or the spawner has declared all).
pub(crate) fn release(dependent: TaskId, error: Option<&TaskError>) {
    let record = slab::record(dependent);
    let generation = dependent.generation();
    let name = error.map(|_| name_of(dependent));
    let Some(mut links) = record.live_links(generation) else {
        return;
    };
    links.missing = links.missing.saturating_sub(1);
    let wake = if let (Some(error), Some(name)) = (error, name) {
        if links.error().is_none() {
            let error = TaskError::of_dependency(dependent, name, error.clone());
            links.set_error(Some(error));
        }
        drop(links);
        match record.word.stop(generation, CONDEMNED) {
            Stop::Enqueue(word) => Some(word),
            Stop::Nothing | Stop::Noted => None,
        }
    } else if links.missing == 0 {
        if record.word.load().has(word::BLOCKED) {
            // All edges of a blocked task are declared ones, and all are over.
            links.waits_on.clear();
        }
        drop(links);
        match record.word.unblock(generation) {
            Wake::Enqueue(word) => Some(word),
            Wake::Nothing => None,
        }
    } else {
        None
    };
    if let Some(word) = wake {
        current::schedule(record, dependent, word);
    }
}

/// Adds a dependency to a task that still waits for others.
pub(crate) fn add_dependency(
    core: &Core,
    waiter: TaskId,
    blocker: TaskId,
) -> Result<(), DependencyError> {
    let record = slab::record(waiter);
    let _put_off = PutOff::begin();
    let _one_at_a_time = CYCLES.lock().unwrap_or_else(PoisonError::into_inner);
    // One dependency more keeps the task blocked while this one is declared.
    let is_blocked = record
        .live_links(waiter.generation())
        .is_some_and(|mut links| {
            let blocked = record.word.load().has(word::BLOCKED) && links.missing > 0;
            links.missing += u32::from(blocked);
            blocked
        });
    if !is_blocked {
        return Err(DependencyError(DependencyErrorKind::AlreadyReady(name_of(
            waiter,
        ))));
    }
    let now = core.tick();
    if is_live(&Everywhere, blocker) {
        note_waiter(now, waiter, blocker);
    }
    donation::add_edge_at(&Everywhere, waiter, blocker, now);
    let path = cycle::find(&Everywhere, waiter, blocker).map(named);
    let answer = match path {
        Some(path) => Err(DependencyError(DependencyErrorKind::Cycle(path))),
        None => {
            declare(core, waiter, blocker);
            Ok(())
        }
    };
    // Of two equal edges one. While there was none, somebody else's walk would
    // not have seen that the waiter waits.
    donation::remove_edge(&Everywhere, waiter, blocker);
    forget_waiter(blocker);
    release(waiter, None);
    answer
}

/// Raises a task's own level. False if it is gone or was there already.
pub(crate) fn raise_own(id: TaskId, level: u8) -> bool {
    let record = slab::record(id);
    let raised = record.live_links(id.generation()).is_some_and(|_links| {
        let own = &record.facts.own_level;
        own.fetch_max(level, Relaxed) < level
    });
    if raised {
        donation::settle(&Everywhere, [Change::nothing(id)]);
    }
    raised
}
