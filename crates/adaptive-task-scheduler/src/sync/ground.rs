//! What the locks ask of tasks and of the wait graph.
//!
//! It owns nothing. The protocol of [`super::permits`] knows tasks through this
//! file alone, so that it can be run under a model checker with a graph of the
//! model's own in its place.

use super::line::Circle;
use crate::{
    core::{
        edges::{self, Everywhere},
        finish,
    },
    error::TaskError,
    learning::watch,
    priority::Priority,
    task::{
        current,
        id::{TaskId, TaskName},
        record, slab,
        word::{CONDEMNED, Stop},
    },
    waits::{is_live, node::NodeKind},
};

use std::sync::atomic::Ordering::Relaxed;

pub(super) use super::unused::{Number as Report, granted, taken_up};
pub(super) use crate::{core::inverted::note_member, put_off::PutOff};
pub(super) use edges::{circle_through, end_wait};

/// The task whose poll this thread is in.
pub(super) fn task() -> Option<TaskId> {
    current::task()
}

/// The present effective level of a task or node, or of one that is neither.
pub(super) fn level(task: Option<TaskId>) -> u8 {
    let word = task.map(|task| (task, slab::record(task).word.load()));
    match word {
        Some((task, word)) if word.generation() == task.generation() => word.level(),
        _ => Priority::default().level(),
    }
}

/// Whether the task counts as waiting on others: it polled a handle, and still has
/// it, or waits in other branches.
pub(super) fn is_waiting(task: TaskId) -> bool {
    let record = slab::record(task);
    if record.facts.watch.load(Relaxed) & watch::WAITS == 0 {
        return false;
    }
    let links = record.live_links(task.generation());
    let is_live = |on| is_live(&Everywhere, on);
    let waits = links.is_some_and(|links| links.waits_on.iter().any(|edge| is_live(edge.on)));
    if !waits {
        record.facts.watch.fetch_and(!watch::WAITS, Relaxed);
    }
    waits
}

/// Opens a node of the wait graph, in the scheduler of the task.
pub(super) fn open_node(task: TaskId, name: &TaskName, kind: NodeKind) -> Option<TaskId> {
    let mut node = None;
    current::with_core_of(slab::record(task), |core| {
        node = core.start_node(name.clone(), kind);
    });
    node
}

/// Ends a node; nobody waits on it any more.
pub(super) fn close_node(node: TaskId) {
    let (ending, ended) = record::end_node(slab::record(node));
    finish::serve(node, ending, None);
    finish::free(node, ended);
}

/// The task begins to wait on the node. Whether it lends now; `Err` if that would
/// close a circle.
pub(super) fn begin_wait(task: TaskId, node: TaskId) -> Result<bool, Circle> {
    let mut begun = Ok(false);
    current::with_core_of(slab::record(task), |core| {
        begun = edges::begin_wait(core, task, node).map(|()| true);
    });
    begun
}

/// What is lent to the node is lent to the holder too.
pub(super) fn pass_on(node: TaskId, holder: TaskId) {
    // Its scheduler may be gone, while tasks of another still wait.
    let mut now = 0;
    current::with_core_of(slab::record(node), |core| now = core.tick());
    edges::pass_on(now, node, holder);
}

/// Says whether a wait on the node may end by any of those it waits on.
pub(super) fn set_any_is_enough(node: TaskId, any: bool) {
    if let Some(mut links) = slab::record(node).live_links(node.generation()) {
        links.set_any_is_enough(any);
    }
}

/// Ends the current task with the circle as its error, when its poll is over.
pub(super) fn end_task(circle: Circle) {
    let Some(task) = task() else { return };
    let record = slab::record(task);
    let error = TaskError::of_cycle(task, edges::name_of(task), circle);
    if let Some(mut links) = record.live_links(task.generation())
        && links.error().is_none()
    {
        links.set_error(Some(error));
    }
    match record.word.stop(task.generation(), CONDEMNED) {
        Stop::Enqueue(word) => current::schedule(record, task, word),
        Stop::Nothing | Stop::Noted => {}
    }
}
