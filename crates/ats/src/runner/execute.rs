//! A run from its start to its exit code: every task is given to the scheduler at once, with its
//! priority and what it runs after; from then on the scheduler decides and this module listens.

use std::collections::HashMap;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use adaptive_task_scheduler::{Priority, Scheduler, TaskError, TaskHandle, TaskId};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{MissedTickBehavior, interval};

use super::group;
use super::job::Job;
use super::note::Note;
use super::plan;
use super::process::Recipe;
use super::report::Report;
use super::stop::{Level, Stop};
use crate::exit::{Exit, Failure};
use crate::taskfile::model::{Task, TaskFile};

const REDRAW: Duration = Duration::from_millis(100);

/// Runs all tasks of the file, at most `jobs` at once.
///
/// # Errors
///
/// The scheduler could not be started, or a task was lost.
pub fn execute(file: TaskFile, jobs: usize, keep_going: bool) -> Result<Exit, Failure> {
    // The commands have the cores. Ageing is for runs without an end; here every task has its
    // turn, and the order of the priorities is what was asked for.
    let scheduler = Scheduler::builder()
        .io_slots(1)
        .cpu_threads(1)
        .blocking_limit(jobs)
        .ageing(None)
        .build_runtime()
        .map_err(|error| Failure::internal("starting the scheduler", error))?;
    group::adopt_orphans();
    let stop = Stop::default();
    stop.listen(scheduler.runtime())
        .map_err(|error| Failure::internal("listening to signals", error))?;
    let names = file.tasks.iter().map(|task| task.name.clone()).collect();
    let mut report = Report::new(names);
    let (notes, told) = unbounded_channel();
    let run = Run {
        scheduler: &scheduler,
        file: &file,
        keep_going,
        stop: &stop,
        start: Instant::now(),
    };
    let handles = run.spawn_all(jobs, &notes);
    drop(notes);
    let places = handles
        .iter()
        .enumerate()
        .map(|(place, handle)| (handle.id(), place))
        .collect();
    let ends = scheduler.block_on(watch(&mut report, handles, told, &stop));
    report.summary(|task| root_of(&ends[task], &places));
    scheduler.block_on(scheduler.shutdown(Duration::from_secs(1)));
    lost(&ends)?;
    Ok(stop.signal().unwrap_or_else(|| report.state().exit()))
}

type End = Result<(), TaskError>;

struct Run<'a> {
    scheduler: &'a Scheduler,
    file: &'a TaskFile,
    keep_going: bool,
    stop: &'a Stop,
    /// What stands first in the file goes first among equals. The scheduler orders those by
    /// deadline, so each task's is its place, counted from here in microseconds.
    start: Instant,
}

impl Run<'_> {
    /// The handles in the order of the file.
    fn spawn_all(&self, jobs: usize, notes: &UnboundedSender<Note>) -> Vec<TaskHandle<()>> {
        // Were the places free, the first task of the file would take one before the scheduler
        // has heard of the more important ones behind it.
        let gate = Gate::close(self.scheduler, jobs.min(self.file.tasks.len()));
        let mut handles: Vec<Option<TaskHandle<()>>> = Vec::new();
        handles.resize_with(self.file.tasks.len(), || None);
        for place in plan::needs_first(&self.file.tasks) {
            let handle = self.spawn(place, &handles, notes);
            handles[place] = Some(handle);
        }
        gate.open();
        handles.into_iter().flatten().collect()
    }

    fn spawn(
        &self,
        place: usize,
        handles: &[Option<TaskHandle<()>>],
        notes: &UnboundedSender<Note>,
    ) -> TaskHandle<()> {
        let task = &self.file.tasks[place];
        let job = Job {
            task: place,
            recipe: recipe(task),
            retries: task.retries.count,
            keep_going: self.keep_going,
            stop: self.stop.clone(),
            begin: self.start,
            notes: notes.clone(),
            runtime: self.scheduler.runtime().clone(),
        };
        self.scheduler
            .task()
            .name(task.name.clone())
            .priority(task.priority)
            .deadline(self.start + Duration::from_micros(place as u64))
            .after_all(task.needs.iter().filter_map(|&need| handles[need].as_ref()))
            .blocking()
            .spawn_try(async move { job.perform() })
    }
}

fn recipe(task: &Task) -> Recipe {
    Recipe {
        action: task.action.clone(),
        env: task.env.clone(),
        directory: task.directory.clone(),
        timeout: task.timeout,
    }
}

/// Holds all places of the blocking lane until every task has been spawned.
struct Gate(Arc<Barrier>);

impl Gate {
    fn close(scheduler: &Scheduler, places: usize) -> Self {
        let barrier = Arc::new(Barrier::new(places + 1));
        for _ in 0..places {
            let barrier = Arc::clone(&barrier);
            let hold = move || {
                barrier.wait();
                barrier.wait();
            };
            let task = scheduler.task().name("gate").priority(Priority::Monitoring);
            task.blocking().spawn_fn(hold).detach();
        }
        barrier.wait();
        Gate(barrier)
    }

    fn open(self) {
        self.0.wait();
    }
}

/// Shows the run until every task has ended; returns how each did, in the order of the file.
async fn watch(
    report: &mut Report,
    handles: Vec<TaskHandle<()>>,
    mut told: UnboundedReceiver<Note>,
    stop: &Stop,
) -> Vec<End> {
    let mut all = std::pin::pin!(async {
        let mut ends = Vec::with_capacity(handles.len());
        for handle in handles {
            ends.push(handle.await);
        }
        ends
    });
    let mut redraw = interval(REDRAW);
    redraw.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut known = Level::Go;
    let ends = loop {
        tokio::select! {
            level = stop.above(known) => {
                known = level;
                report.stopping(level);
            }
            Some(note) = told.recv() => report.take(note),
            ends = &mut all => break ends,
            _ = redraw.tick(), if report.is_live() => report.draw(),
        }
    };
    while let Ok(note) = told.try_recv() {
        report.take(note);
    }
    ends
}

/// The task whose own failure is why this one did not run.
fn root_of(end: &End, places: &HashMap<TaskId, usize>) -> Option<usize> {
    let error = end.as_ref().err().filter(|error| error.is_dependency())?;
    places.get(&error.root_cause().task()).copied()
}

/// A task that ended in any way but the ones we know was lost by the scheduler or by us.
fn lost(ends: &[End]) -> Result<(), Failure> {
    let errors = ends.iter().filter_map(|end| end.as_ref().err());
    match errors
        .map(TaskError::root_cause)
        .find(|error| !error.is_failed())
    {
        Some(error) => Err(Failure::internal("running the tasks", error)),
        None => Ok(()),
    }
}
