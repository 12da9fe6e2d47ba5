//! A table of tasks that one run of a model owns.
//!
//! The slab is a static that never shrinks, while a checker begins each run
//! from nothing. Hence a fixed number of records here, and the list of those
//! that are free.

use crate::{
    lane::Lane,
    primitives::Mutex,
    priority::Priority,
    task::{
        id::TaskId,
        job::Job,
        record::{Ended, NewTask, Record},
        word::Snapshot,
    },
    waits::Tasks,
};
use std::panic::Location;

/// Where the entries of queued tasks go.
pub(crate) trait Line {
    fn push(&self, id: TaskId, word: Snapshot);
}

pub(crate) struct Table<L> {
    records: Box<[Record]>,
    free: Mutex<Vec<u32>>,
    /// Walks that look for cycles go one at a time.
    pub(super) cycles: Mutex<()>,
    pub(crate) line: L,
}

impl<L: Line> Table<L> {
    pub(crate) fn new(places: u32, line: L) -> Self {
        Self {
            records: (0..places).map(|_| Record::new()).collect(),
            free: Mutex::new((0..places).rev().collect()),
            cycles: Mutex::new(()),
            line,
        }
    }

    /// Gives a free place to a task; `None` if there is none.
    pub(crate) fn open(&self, level: u8, flags: u64, job: impl Job + 'static) -> Option<TaskId> {
        let index = self.free.lock().pop()?;
        let new = NewTask {
            core: 0,
            name: None,
            site: Location::caller(),
            priority: Priority::of_level(level),
            lane: Lane::Io,
            deadline: 0,
            cancel_mode: 0,
            is_closure: false,
            class: 0,
            watch: 0,
            flags,
        };
        // SAFETY: the place was taken off the free list, which each is on once.
        let generation = unsafe { self.records[index as usize].open(new, Some(Box::pin(job))) };
        Some(TaskId::new(index, generation))
    }

    /// Drops what is left of an ended task and makes its place free.
    pub(crate) fn free(&self, id: TaskId, ended: Ended<'_>) {
        ended.free();
        self.free.lock().push(id.index());
    }

    /// Gives up the handle's interest; what is returned is the right to the
    /// value of a task that has ended. A model has one handle of each task, and
    /// gives it up once.
    #[must_use]
    pub(crate) fn give_up(&self, id: TaskId) -> Option<Ended<'_>> {
        let record = self.record(id);
        // SAFETY: `drop_handle` says that the task is DONE, and HANDLE was
        // given up just now.
        record
            .word
            .drop_handle()
            .then(|| unsafe { Ended::of_handle(record) })
    }

    pub(crate) fn word(&self, id: TaskId) -> Snapshot {
        self.record(id).word.load()
    }

    /// How many places are free.
    pub(crate) fn vacancies(&self) -> usize {
        self.free.lock().len()
    }
}

impl<L: Line> Tasks for Table<L> {
    fn record(&self, id: TaskId) -> &Record {
        &self.records[id.index() as usize]
    }

    fn relevelled(&self, id: TaskId, _: Snapshot, _: u8, queued: bool) {
        if queued {
            self.line.push(id, self.word(id));
        }
    }
}
