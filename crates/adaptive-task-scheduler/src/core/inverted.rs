//! Notes waits on less important tasks where they end.
//!
//! A wait by a handle, watch or group ends with the waiter, who calls
//! [`note_awaited`] or [`note_member`] while the edge still stands. A declared
//! dependency ends with the blocker, which is asked before its end whether it was
//! a [`Lesser`] one; most are not, and cost two loads.
//!
//! Since when a wait lasts is read off its edge. Of a waiter with more than
//! [`FEW`] edges none is searched for, and the wait counts since the blocker's
//! first present waiter began; so a fan-in of a million stays linear.
//!
//! Known race, harmless: levels are read when the wait ends. One that changes at
//! that moment may count as it was or as it is.

use crate::task::{
    current,
    id::{TaskId, TaskName},
    record::Record,
    slab,
    word::NODE,
};
use crate::{
    core::edges::{self, Everywhere},
    waits::is_live,
};
use std::sync::atomic::Ordering::Relaxed;

/// Up to so many edges of a waiter are searched.
const FEW: usize = 32;

/// `waiter` does not await `blocker` any more; called while the edge stands.
pub(crate) fn note_awaited(waiter: TaskId, blocker: TaskId, name: impl FnOnce() -> TaskName) {
    let level = slab::record(waiter).word.load().level();
    let record = slab::record(blocker);
    let is_there = record.word.load().generation() == blocker.generation();
    if is_there && record.facts.own_level.load(Relaxed) >= level {
        return;
    }
    let Some(mut links) = slab::record(waiter).live_links(waiter.generation()) else {
        return;
    };
    let (own, since) = if links.waits_on.len() <= FEW {
        let Some(edge) = links.edge(blocker) else {
            return;
        };
        if !is_live(&Everywhere, blocker) {
            // It lends nothing any more, and must not be counted twice.
            let _ = links.remove_edge(blocker);
        }
        (edge.own, edge.since)
    } else if is_there && !record.word.load().has(NODE) {
        let facts = &record.facts;
        (
            facts.own_level.load(Relaxed),
            facts.waited_since.load(Relaxed),
        )
    } else {
        return;
    };
    drop(links);
    if own < level && since != 0 {
        note(waiter, name(), since);
    }
}

/// `waiter` waited on the group `node`, and `member` has ended the wait.
pub(crate) fn note_member(waiter: TaskId, node: TaskId, member: TaskId) {
    let level = slab::record(waiter).word.load().level();
    if slab::record(member).facts.own_level.load(Relaxed) >= level {
        return;
    }
    let since = slab::record(waiter)
        .live_links(waiter.generation())
        .and_then(|links| links.edge(node))
        .map(|edge| edge.since);
    if let Some(since) = since {
        note(waiter, edges::name_of(member), since);
    }
}

/// A task that is about to end, and whom a more important one waited on.
#[derive(Debug)]
pub(crate) struct Lesser {
    own: u8,
    /// The tick at which its donors began to wait.
    waited_since: u32,
    name: TaskName,
}

impl Lesser {
    /// `None` if nobody more important waits on the task.
    pub(crate) fn of(id: TaskId, record: &Record) -> Option<Self> {
        let own = record.facts.own_level.load(Relaxed);
        (record.word.load().level() > own).then(|| Self {
            own,
            waited_since: record.facts.waited_since.load(Relaxed),
            name: edges::name_of(id),
        })
    }

    /// `dependent` was declared to run after this task, whose id is `blocker`.
    pub(crate) fn note_declared(&self, dependent: TaskId, blocker: TaskId) {
        let record = slab::record(dependent);
        let level = record.word.load().level();
        if self.own >= level {
            return;
        }
        let Some(links) = record.live_links(dependent.generation()) else {
            return;
        };
        let since = if links.waits_on.len() <= FEW {
            links.edge(blocker).map_or(0, |edge| edge.since)
        } else {
            self.waited_since
        };
        drop(links);
        if since != 0 {
            note(dependent, self.name.clone(), since);
        }
    }
}

fn note(waiter: TaskId, blocker: TaskName, since: u32) {
    let record = slab::record(waiter);
    let name = edges::name_of(waiter);
    current::with_core_of(record, |core| {
        core.inversions.note(name, blocker, core.ticks_since(since));
    });
}
