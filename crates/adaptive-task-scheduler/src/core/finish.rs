//! The end of a task, in whatever way, and what follows for others.
//!
//! Every task passes [`end`] exactly once: its claimant's right is consumed
//! there.

use super::{Core, edges, inverted::Lesser, run::fault_error};
use crate::{
    error::TaskError,
    event::Event,
    quietly::quietly,
    task::{
        id::TaskId,
        job::Fault,
        record::{Claimed, Ended, Ending},
        slab,
        word::CONDEMNED,
    },
    waits::donation,
};
use std::{sync::atomic::Ordering::Relaxed, time::Duration};

/// The task's value is there.
pub(crate) fn complete(core: &Core, id: TaskId, claimed: Claimed<'_>) {
    core.events.emit(|at| {
        let started = claimed.record().facts.started.load(Relaxed);
        let since = if started == 0 {
            0
        } else {
            core.nanos(at).saturating_sub(started)
        };
        let elapsed = Duration::from_nanos(since);
        Event::Completed {
            at,
            task: id,
            name: claimed.record().name(id.generation()),
            elapsed,
        }
    });
    end(core, id, claimed, None);
}

/// The task's work ended otherwise.
pub(crate) fn fault(core: &Core, id: TaskId, claimed: Claimed<'_>, fault: Fault) {
    let error = fault_error(id, &claimed, fault);
    end(core, id, claimed, Some(error));
}

/// Ends a task that was cancelled or condemned, instead of polling it.
pub(crate) fn stop(core: &Core, id: TaskId, claimed: Claimed<'_>) {
    let name = claimed.record().name(id.generation());
    let error = if claimed.before().has(CONDEMNED) {
        condemned_for(&claimed, id).unwrap_or_else(|| TaskError::shut_down(id, name))
    } else {
        TaskError::cancelled(id, name)
    };
    discard(core, id, claimed, error);
}

/// Ends a task that the scheduler's end leaves behind.
pub(crate) fn shut_down(core: &Core, id: TaskId, claimed: Claimed<'_>) {
    let name = claimed.record().name(id.generation());
    let error = condemned_for(&claimed, id).unwrap_or_else(|| TaskError::shut_down(id, name));
    discard(core, id, claimed, error);
}

fn condemned_for(claimed: &Claimed<'_>, id: TaskId) -> Option<TaskError> {
    let links = claimed.record().links_of(id.generation())?;
    links.error()
}

/// Drops the work, then ends the task. If the work panics while it is dropped,
/// that is what the task ended with.
fn discard(core: &Core, id: TaskId, mut claimed: Claimed<'_>, error: TaskError) {
    let outside = crate::task::current::set_task(Some(id));
    let discarded = claimed.discard();
    crate::task::current::set_task(outside);
    let error = match discarded {
        Ok(()) => error,
        Err(payload) => fault_error(id, &claimed, Fault::Panicked(payload)),
    };
    end(core, id, claimed, Some(error));
}

fn end(core: &Core, id: TaskId, claimed: Claimed<'_>, error: Option<TaskError>) {
    if let Some(error) = &error {
        let name = error.name();
        core.events.emit(|at| Event::Failed {
            at,
            task: id,
            name: name.clone(),
            error: error.clone(),
        });
    }
    let lesser = Lesser::of(id, claimed.record());
    core.note_end(claimed.record(), error.is_some());
    // Before the handle can tell anybody.
    core.counters.count_finished();
    let (ending, ended) = claimed.end(error);
    serve(id, ending, lesser.as_ref());
    if let Some(ended) = ended {
        free(id, ended);
    }
    core.tell_if_drained();
}

/// Serves what was linked to a task that has ended. `lesser` if somebody more
/// important waited on it.
pub(crate) fn serve(id: TaskId, ending: Ending, lesser: Option<&Lesser>) {
    let error = ending.error;
    let returned = ending.waits_on.iter().map(|edge| edge.returned());
    donation::settle(&edges::Everywhere, returned);
    ending
        .waits_on
        .iter()
        .for_each(|edge| edges::forget_waiter(edge.on));
    for dependent in ending.dependents {
        if let Some(lesser) = lesser {
            lesser.note_declared(dependent, id);
        }
        edges::release(dependent, error.as_ref());
    }
    // Wakers may be anybody's code.
    if let Some(waker) = ending.join {
        quietly(|| waker.wake());
    }
    for watcher in ending.watchers {
        watcher.ended(id, error.as_ref());
    }
}

/// Frees the place of a task that nobody can ask about any more.
pub(crate) fn free(id: TaskId, ended: Ended<'_>) {
    ended.free();
    slab::return_place(id);
}
