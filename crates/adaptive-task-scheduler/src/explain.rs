//! Why a task has not ended yet.

use crate::{
    core::edges::{self, Everywhere},
    graph::cycle,
    handle::TaskState,
    lane::Lane,
    priority::Priority,
    task::{
        id::{TaskId, TaskName},
        slab,
    },
};
use std::{fmt, sync::atomic::Ordering::Relaxed};

/// The chain of tasks that a task waits on, down to one that waits on no other.
/// A look at a moving thing: each link was true when it was read.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Explanation {
    /// The task asked about, then the task it waits on, and so on.
    pub chain: Vec<Link>,
}

/// One task of an [`Explanation`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Link {
    /// The task.
    pub task: TaskId,
    /// Its name.
    pub name: TaskName,
    /// Where it is on its way.
    pub state: TaskState,
    /// The priority that it was spawned with.
    pub priority: Priority,
    /// The priority at which it is served.
    pub effective_priority: Priority,
    /// Where its polls run.
    pub lane: Lane,
    /// How many unfinished tasks it waits on, of which the chain follows one.
    pub waits_on: usize,
}

/// Longer chains are cut; what matters is at their two ends.
const LONGEST: usize = 64;

impl Explanation {
    pub(crate) fn of(id: TaskId) -> Self {
        let mut chain: Vec<Link> = Vec::new();
        let mut next = Some(id);
        while let Some(id) = next.take() {
            let blockers = cycle::blockers(&Everywhere, id);
            chain.push(link(id, blockers.len()));
            if chain.len() < LONGEST {
                next = blockers
                    .into_iter()
                    .find(|on| chain.iter().all(|link| link.task != *on));
            }
        }
        Self { chain }
    }
}

fn link(id: TaskId, waits_on: usize) -> Link {
    let record = slab::record(id);
    let word = record.word.load();
    Link {
        task: id,
        name: edges::name_of(id),
        state: TaskState::of_id(id),
        priority: Priority::of_level(record.facts.own_level.load(Relaxed)),
        effective_priority: Priority::of_level(word.level()),
        lane: word.lane(),
        waits_on,
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, link) in self.chain.iter().enumerate() {
            if depth > 0 {
                f.write_str("\n  waits on ")?;
            }
            write!(f, "{link}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ", self.name)?;
        let lane = self.lane;
        match self.state {
            TaskState::Blocked => f.write_str("(not started: its dependencies are unfinished)"),
            TaskState::Ready => {
                write!(
                    f,
                    "(queued on the {lane} lane at {})",
                    self.effective_priority
                )
            }
            TaskState::Running => {
                write!(
                    f,
                    "(running on the {lane} lane at {})",
                    self.effective_priority
                )
            }
            TaskState::Suspended if self.waits_on == 0 => {
                f.write_str("(suspended: waits for something that is not a task)")
            }
            TaskState::Suspended => f.write_str("(suspended)"),
            TaskState::Finished => f.write_str("(finished)"),
        }?;
        if self.waits_on > 1 {
            write!(f, " [and {} more]", self.waits_on - 1)?;
        }
        Ok(())
    }
}
