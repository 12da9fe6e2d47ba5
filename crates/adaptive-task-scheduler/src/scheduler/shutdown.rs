//! The orderly end.

use crate::{
    core::{Core, edges},
    task::{
        id::{TaskId, TaskName},
        slab,
        word::{DONE, NODE, RUNNING, Snapshot},
    },
};
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

/// What a shutdown found.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Tasks that finished by themselves while it waited.
    pub finished: u64,
    /// Tasks that it ended.
    pub ended: u64,
    /// Tasks that are inside a poll or closure that does not return. They end
    /// when it does.
    pub stuck: Vec<(TaskId, TaskName)>,
}

/// How long a poll gets to return once everything was told to end. A guess;
/// longer helps only tasks whose polls are that long.
const GRACE: Duration = Duration::from_millis(100);

pub(crate) async fn shutdown(core: &Core, limit: Duration) -> ShutdownReport {
    core.close();
    let before = core.counters.ended();
    drained(core, limit).await;
    let finished = core.counters.ended().saturating_sub(before);
    let left = core.counters.live();
    core.end();
    drained(core, GRACE).await;
    // A task is counted as finished just before its word says so.
    let stuck = if core.counters.live() == 0 {
        Vec::new()
    } else {
        stuck_tasks(core)
    };
    ShutdownReport {
        finished,
        ended: left.saturating_sub(stuck.len() as u64),
        stuck,
    }
}

/// Waits until no task is left, or the limit has passed. The sentinel keeps the
/// time: Tokio's timers stand still while nobody drives them.
async fn drained(core: &Core, limit: Duration) {
    let end = Instant::now().checked_add(limit);
    loop {
        let mut notified = std::pin::pin!(core.drained.notified());
        notified.as_mut().enable();
        if core.counters.live() == 0 || end.is_some_and(|end| end <= Instant::now()) {
            return;
        }
        if let Some(end) = end {
            core.set_alarm(end);
        }
        notified.await;
    }
}

fn stuck_tasks(core: &Core) -> Vec<(TaskId, TaskName)> {
    live_tasks(core)
        .filter(|(_, word)| word.has(RUNNING))
        .map(|(id, _)| (id, edges::name_of(id)))
        .collect()
}

/// The tasks of a scheduler that have not ended.
pub(crate) fn live_tasks(core: &Core) -> impl Iterator<Item = (TaskId, Snapshot)> {
    let number = core.number;
    slab::all().filter_map(move |(index, record)| {
        let word = record.word.load();
        let is_ours = record.facts.core.load(Ordering::Relaxed) == number;
        let live = is_ours && word.is_open() && !word.has(DONE | NODE);
        live.then(|| (TaskId::new(index, word.generation()), word))
    })
}
