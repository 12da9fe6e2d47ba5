//! Whether a task has to run: not if nothing has changed that it depends on, and if what it left is
//! still there as it left it.
//!
//! What a task depends on is its definition and the content of its `inputs`; what it left is the
//! content of its `outputs`. [`files`] finds them, [`content`] tells what is in them, and a
//! [`record`] keeps both after a success. Content is read only of files whose size, times or
//! number differ from those on record, for the rest what is on record holds. Inputs
//! are looked at before the command runs: what changes meanwhile counts as changed next time.
//!
//! Looking at files takes its time, so it is done on the CPU lane of a scheduler of the library,
//! which is started when the first task asks for it; [`Looks`] hands over what came of it.

pub mod content;
pub mod files;
pub mod record;
pub mod why;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use adaptive_task_scheduler::{Priority, Scheduler};

use self::content::Entry;
use self::record::Record;
use super::fingerprint::fingerprint;
use super::signals::Waker;
use crate::exit::Failure;
use crate::taskfile::model::Task;

/// What came of looking at a task's files.
#[derive(Debug)]
pub enum Found {
    /// Nothing has changed.
    UpToDate,
    /// It has to run; its inputs are these.
    Stale(Vec<Entry>),
    /// What it left is on record.
    Recorded,
}

/// Looks at the files of tasks.
#[derive(Debug)]
pub struct Looks {
    scheduler: Scheduler,
    /// Where records are kept.
    directory: PathBuf,
    /// Whether every task has to run.
    force: bool,
    waker: Arc<Waker>,
    found: Sender<(u32, Found)>,
    finds: Receiver<(u32, Found)>,
}

/// Whether it makes sense to look at the files of a task.
#[must_use]
pub fn has_files(task: &Task) -> bool {
    !task.inputs.is_empty() || !task.outputs.is_empty()
}

impl Looks {
    /// With the records of this directory.
    ///
    /// # Errors
    ///
    /// The scheduler could not be started.
    pub fn new(directory: PathBuf, force: bool, waker: Waker) -> Result<Self, Failure> {
        let scheduler = Scheduler::builder()
            .io_slots(1)
            .ageing(None)
            .build_runtime()
            .map_err(|error| Failure::internal("starting the scheduler", error))?;
        let (found, finds) = channel();
        Ok(Looks {
            scheduler,
            directory,
            force,
            waker: Arc::new(waker),
            found,
            finds,
        })
    }

    /// Finds out whether a task has to run.
    pub fn check(&self, place: u32, task: &Task, priority: Priority) {
        let (task, force) = (task.clone(), self.force);
        let path = record::path(&self.directory, &task.name);
        self.look(place, priority, task.name.clone(), move || {
            let before = record::read(&path);
            let known = before.as_ref().map_or(&[][..], |record| &record.inputs);
            let inputs = content::entries(&files::find(&task.inputs, &task.directory), known);
            let fresh = before
                .filter(|_| !force)
                .and_then(|record| still_fresh(record, &task, &inputs));
            let Some(record) = fresh else {
                // Whatever the command does from now on, what is on record is over.
                record::forget(&path);
                return Found::Stale(inputs);
            };
            if record.needs_writing {
                record::write(&path, &record);
            }
            Found::UpToDate
        });
    }

    /// Writes down what a task left that has worked, and what it depended on.
    pub fn record(&self, place: u32, task: &Task, priority: Priority, inputs: Vec<Entry>) {
        let task = task.clone();
        let path = record::path(&self.directory, &task.name);
        self.look(place, priority, task.name.clone(), move || {
            let outputs = content::entries(&files::find(&task.outputs, &task.directory), &[]);
            let record = Record::new(fingerprint(&task), inputs, outputs);
            record::write(&path, &record);
            Found::Recorded
        });
    }

    fn look(
        &self,
        place: u32,
        priority: Priority,
        name: String,
        look: impl FnOnce() -> Found + Send + 'static,
    ) {
        let (found, waker) = (self.found.clone(), Arc::clone(&self.waker));
        let task = self.scheduler.task().name(name).priority(priority).cpu();
        task.spawn_fn(move || {
            // Nobody listens any more only when the run is over.
            let _ = found.send((place, look()));
            waker.wake();
        })
        .detach();
    }

    /// What came of looking, of one task, if something has.
    #[must_use]
    pub fn take(&self) -> Option<(u32, Found)> {
        self.finds.try_recv().ok()
    }
}

/// The record with what is now known better, if all is still as it says.
fn still_fresh(mut record: Record, task: &Task, inputs: &[Entry]) -> Option<Record> {
    if record.fingerprint != fingerprint(task) || !content::are_alike(&record.inputs, inputs) {
        return None;
    }
    let found = files::find(&task.outputs, &task.directory);
    let outputs = content::entries(&found, &record.outputs);
    if !content::are_alike(&record.outputs, &outputs) {
        return None;
    }
    record.take_over(inputs, outputs);
    Some(record)
}
