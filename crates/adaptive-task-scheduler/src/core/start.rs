//! The beginning of a task: from what its spawner said to its first entry in a
//! queue.

use super::{Core, ENDING, edges, finish};
use crate::{
    error::TaskError,
    event::Event,
    lane::{Lane, holder::Tenure},
    learning::{class::OTHERS, observe::Start},
    options::{CancelMode, Late},
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
    waits::node::NodeKind,
};
use std::{
    borrow::Cow, panic::Location, pin::Pin, sync::Arc, sync::atomic::Ordering, time::Duration,
    time::Instant,
};

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
    /// The spawner chose the lane.
    pub(crate) is_hinted: bool,
    /// What is done if the deadline cannot be met.
    pub(crate) late: Late,
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
        let first = self.first_step(description);
        if let Some(expected) = self.is_too_late(description, first.class) {
            return Err(self.reject(description, job, too_late(expected)));
        }
        let Some(place) = slab::take_place() else {
            return Err(self.reject(description, job, "there are too many tasks"));
        };
        let waits = !description.after.is_empty() || description.failed.is_some();
        let flags = if waits { word::BLOCKED } else { word::QUEUED } | word::HANDLE;
        let id = self.open(place, description, first, flags, Some(job));
        self.announce_spawn(id, description, first.lane);
        if description.deadline.is_some() {
            self.watch_deadline(id, description, first.class);
        }
        if waits {
            self.link(id, description);
        } else {
            let level = description.priority.level();
            let word = Snapshot::new(id.generation(), flags, level, first.lane);
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
        why: impl Into<Cow<'static, str>>,
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
        first: Start,
        flags: u64,
        job: Option<Pin<Box<dyn Job>>>,
    ) -> TaskId {
        let new = NewTask {
            core: self.number,
            name: description.name.clone(),
            site: description.site,
            priority: description.priority,
            lane: first.lane,
            deadline: description.deadline.map_or(0, |at| self.nanos(at)),
            cancel_mode: description.cancel_mode as u8,
            is_closure: description.is_closure,
            class: first.class,
            watch: first.watch,
            flags,
        };
        place.open(new, job)
    }

    /// Opens a node of the wait graph that never runs. It lends what is lent to
    /// it, and has no priority of its own.
    pub(crate) fn start_node(&self, name: TaskName, kind: NodeKind) -> Option<TaskId> {
        let description = Description {
            name: Some(name),
            site: Location::caller(),
            priority: Priority::Free,
            lane: Lane::Io,
            deadline: None,
            cancel_mode: CancelMode::Drop,
            is_closure: false,
            is_hinted: true,
            late: Late::Report,
            after: Vec::new(),
            failed: None,
        };
        let first = Start {
            class: OTHERS,
            lane: Lane::Io,
            watch: 0,
        };
        let place = slab::take_place()?;
        let id = self.open(place, &description, first, word::NODE, None);
        slab::record(id).facts.set_kind(kind);
        Some(id)
    }

    fn announce_spawn(&self, id: TaskId, description: &Description, lane: Lane) {
        self.events.emit(|at| Event::Spawned {
            at,
            task: id,
            name: description.task_name(),
            priority: description.priority,
            lane,
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

fn too_late(expected: Duration) -> String {
    format!(
        "its deadline cannot be met: tasks of its class take {expected:.1?}, and less is left; \
         give it more time, or let it start late with on_late"
    )
}
