//! The beginning of a task: from what its spawner said to its first entry in a
//! queue.

use super::{Core, ENDING, edges, finish};
use crate::{
    error::TaskError,
    event::Event,
    lane::{Lane, holder::Tenure},
    options::CancelMode,
    priority::Priority,
    quietly::quietly,
    task::{
        current,
        id::{TaskId, TaskName},
        job::Job,
        record::NewTask,
        slab::{self, Place},
        word::{self, Snapshot},
    },
};
use std::{panic::Location, pin::Pin, sync::Arc, sync::atomic::Ordering, time::Instant};

/// What a spawner says about a task.
#[derive(Debug, Clone)]
pub(crate) struct Description {
    pub(crate) name: Option<TaskName>,
    pub(crate) site: &'static Location<'static>,
    pub(crate) priority: Priority,
    pub(crate) lane: Lane,
    pub(crate) deadline: Option<Instant>,
    pub(crate) cancel_mode: CancelMode,
    pub(crate) is_closure: bool,
    pub(crate) after: Vec<TaskId>,
    /// A dependency that is known to have failed already.
    pub(crate) failed: Option<TaskError>,
}

impl Description {
    fn task_name(&self) -> TaskName {
        self.name
            .clone()
            .unwrap_or_else(|| TaskName::of_site(self.site))
    }
}

impl Core {
    /// Takes a task. The handle's interest is the caller's.
    pub(crate) fn start(
        self: &Arc<Self>,
        description: &Description,
        job: Pin<Box<dyn Job>>,
    ) -> Result<TaskId, TaskError> {
        self.counters.count_spawned();
        if !self.is_open() {
            return Err(self.reject(description, job, "the scheduler is shutting down"));
        }
        let Some(place) = slab::take_place() else {
            return Err(self.reject(description, job, "there are too many tasks"));
        };
        let waits = !description.after.is_empty() || description.failed.is_some();
        let flags = if waits { word::BLOCKED } else { word::QUEUED } | word::HANDLE;
        let id = self.open(place, description, flags, Some(job));
        self.announce_spawn(id, description);
        if waits {
            self.link(id, description);
        } else {
            let level = description.priority.level();
            let word = Snapshot::new(id.generation(), flags, level, description.lane);
            self.enqueue(slab::record(id), id, word, self.present_tenure());
        }
        if self.phase.load(Ordering::SeqCst) == ENDING {
            // The sentinel's sweep may have passed this place already.
            self.sweep_one(id);
        }
        Ok(id)
    }

    /// Does not take a task that was counted already. Somebody may have waited
    /// for its end in between.
    fn reject(
        &self,
        description: &Description,
        mut job: Pin<Box<dyn Job>>,
        why: &'static str,
    ) -> TaskError {
        if let Err(payload) = job.as_mut().discard() {
            // The spawner asked for a task, not for its destructor's panic.
            quietly(|| drop(payload));
        }
        self.counters.count_rejected();
        self.tell_if_drained();
        TaskError::rejected(slab::unplaced_id(), description.task_name(), why)
    }

    /// The slot of this scheduler that this thread carries, if it does.
    fn present_tenure(&self) -> Option<Tenure> {
        current::carrying(|carrying| match carrying {
            Some(carrying) if carrying.core.number == self.number => carrying.tenure,
            _ => None,
        })
    }

    fn open(
        &self,
        place: Place,
        description: &Description,
        flags: u64,
        job: Option<Pin<Box<dyn Job>>>,
    ) -> TaskId {
        let new = NewTask {
            core: self.number,
            name: description.name.clone(),
            site: description.site,
            priority: description.priority,
            lane: description.lane,
            deadline: description.deadline.map_or(0, |at| self.nanos(at)),
            cancel_mode: description.cancel_mode as u8,
            is_closure: description.is_closure,
            flags,
        };
        place.open(new, job)
    }

    /// Opens a node of the wait graph that never runs: a group. It lends what
    /// is lent to it, and has no priority of its own.
    pub(crate) fn start_node(&self, name: TaskName) -> Option<TaskId> {
        let description = Description {
            name: Some(name),
            site: Location::caller(),
            priority: Priority::Free,
            lane: Lane::Io,
            deadline: None,
            cancel_mode: CancelMode::Drop,
            is_closure: false,
            after: Vec::new(),
            failed: None,
        };
        let place = slab::take_place()?;
        Some(self.open(place, &description, word::NODE, None))
    }

    fn announce_spawn(&self, id: TaskId, description: &Description) {
        self.events.emit(|at| Event::Spawned {
            at,
            task: id,
            name: description.task_name(),
            priority: description.priority,
            lane: description.lane,
            after: description
                .after
                .iter()
                .map(|&on| (on, edges::name_of(on)))
                .collect(),
        });
    }

    /// Declares what a blocked task runs after. One dependency too many stands
    /// for this function itself, so that the task is not released half-way.
    fn link(&self, id: TaskId, description: &Description) {
        if let Some(mut links) = slab::record(id).live_links(id.generation()) {
            links.missing = 1;
        }
        for &blocker in &description.after {
            edges::declare(self, id, blocker);
        }
        edges::release(id, description.failed.as_ref());
    }

    /// Ends one task that the end of the scheduler left behind, unless it is
    /// running; then its carrier will.
    pub(crate) fn sweep_one(&self, id: TaskId) {
        let record = slab::record(id);
        match record.seize(id.generation()) {
            Some(claimed) => finish::shut_down(self, id, claimed),
            None => {
                // If it is not running any more when this arrives, the next
                // sweep finds it.
                let _ = record.word.stop(id.generation(), word::CONDEMNED);
            }
        }
    }
}
