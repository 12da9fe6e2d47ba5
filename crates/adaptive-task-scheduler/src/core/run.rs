//! One poll of one task: claim, poll, and what follows.

use super::finish;
use crate::{
    core::Core,
    counters::bump,
    event::{Event, Why},
    lane::Lane,
    load,
    options::CancelMode,
    queue::ready::Taken,
    task::{
        current::{self, Carrying},
        id::TaskId,
        job::Fault,
        record::{Claimed, NO_LANE},
        slab, waker,
        word::{CANCEL, CONDEMNED, Claim, STARTED, Snapshot, Suspend},
    },
};
use std::{
    sync::atomic::Ordering::Relaxed,
    task::{Context, Poll},
};

/// Polls the task that an entry names, if the entry is not stale.
pub(crate) fn run(carrying: &Carrying, taken: Taken, lane: Lane) {
    let Some(id) = TaskId::from_raw(taken.entry) else {
        return;
    };
    let record = slab::record(id);
    match record.claim(id.generation(), taken.level, lane) {
        Ok(claimed) => poll(carrying, id, claimed, lane),
        Err(Claim::Elsewhere(word)) => {
            carrying.core.enqueue(record, id, word, carrying.tenure);
        }
        Err(_) => carrying.seat.count_stale(),
    }
}

fn poll(carrying: &Carrying, id: TaskId, mut claimed: Claimed<'_>, lane: Lane) {
    let core = &carrying.core;
    let record = claimed.record();
    let before = claimed.before();
    // Destructors and what follows an end count as part of the poll: they may
    // be as slow, and push entries as well.
    let outside = current::enter(id, before.level());
    load::arrived(core, &record.facts, lane, before.level());
    carrying.seat.begin_poll(id);
    if before.has(CANCEL | CONDEMNED) && must_stop(&claimed, before) {
        finish::stop(core, id, claimed);
        carrying.seat.end_poll();
        current::set_task(outside);
        return;
    }
    if record.facts.last_lane.load(Relaxed) != lane as u8 {
        arrive(core, id, &claimed, before, lane);
    }
    let waker = waker::of(id);
    let mut cx = Context::from_waker(&waker);
    let observed = core.observe(record, &carrying.seat);
    let polled = claimed.poll(&mut cx);
    core.observed(id, record, lane, &carrying.seat, observed);
    let yields = current::take_yield(id);
    match polled {
        Poll::Pending => match claimed.suspend(yields) {
            Suspend::Idle => {}
            Suspend::Requeue(word) => core.enqueue(record, id, word, carrying.tenure),
        },
        Poll::Ready(Ok(())) => finish::complete(core, id, claimed),
        Poll::Ready(Err(fault)) => finish::fault(core, id, claimed, fault),
    }
    carrying.seat.end_poll();
    current::set_task(outside);
}

/// Whether the task ends here instead of being polled.
fn must_stop(claimed: &Claimed<'_>, before: Snapshot) -> bool {
    // A task that has not begun cannot cooperate, and may still be waiting for
    // what it was to run after.
    let mode = claimed.record().facts.cancel_mode();
    let drops = mode == CancelMode::Drop as u8 || !before.has(STARTED);
    before.has(CONDEMNED) || (before.has(CANCEL) && drops)
}

/// The task's first poll, or its first poll on this lane.
#[cold]
fn arrive(core: &Core, id: TaskId, claimed: &Claimed<'_>, before: Snapshot, lane: Lane) {
    let record = claimed.record();
    let from = record.facts.last_lane.swap(lane as u8, Relaxed);
    if !before.has(STARTED) {
        record.word.mark_started();
        core.note_begin(record);
        core.events.emit(|at| {
            record.facts.started.store(core.nanos(at), Relaxed);
            Event::Started {
                at,
                task: id,
                name: record.name(id.generation()),
                lane,
                thread: std::thread::current()
                    .name()
                    .unwrap_or("unnamed")
                    .to_owned(),
            }
        });
    }
    if from != NO_LANE {
        bump(&core.counters.relocations);
        let polled = record.facts.relocated_after();
        core.events.emit(|at| Event::Relocated {
            at,
            task: id,
            name: record.name(id.generation()),
            from: Lane::of_index(from),
            to: lane,
            why: match lane {
                Lane::Blocking => Why::Blocked { polled },
                _ => Why::Computing { polled },
            },
        });
    }
}

pub(crate) fn fault_error(id: TaskId, claimed: &Claimed<'_>, fault: Fault) -> crate::TaskError {
    let name = claimed.record().name(id.generation());
    match fault {
        Fault::Failed(error) => crate::TaskError::failed(id, name, error),
        Fault::Panicked(payload) => crate::TaskError::panicked(id, name, payload),
        Fault::TimedOut(limit) => crate::TaskError::timed_out(id, name, limit),
    }
}
