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
use super::note::{Event, Note};
use super::plan;
use super::process::Recipe;
use super::report::Report;
use super::stop::{Level, Stop};
use crate::cli::RunOptions;
use crate::exit::{Exit, Failure};
use crate::taskfile::model::{Task, TaskFile};
use crate::views::tasks::number;

const REDRAW: Duration = Duration::from_millis(100);

/// Runs all tasks of the file, at most `jobs` at once.
///
/// # Errors
///
/// The scheduler could not be started, or a task was lost.
pub fn execute(file: TaskFile, jobs: usize, options: &RunOptions) -> Result<Exit, Failure> {
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
    let mut report = Report::open(&options.views, &file, jobs)?;
    let start = Instant::now();
    let (notes, told) = unbounded_channel();
    let run = Run {
        scheduler: &scheduler,
        file: &file,
        keep_going: options.keep_going,
        stop: &stop,
        start,
    };
    let handles = run.spawn_all(jobs, &notes);
    drop(notes);
    let places: HashMap<TaskId, usize> = handles
        .iter()
        .enumerate()
        .map(|(place, handle)| (handle.id(), place))
        .collect();
    let ends = scheduler.block_on(watch(&mut report, handles, told, &stop, start));
    for (task, end) in ends.iter().enumerate() {
        never_run(task, end, &places, &mut report);
    }
    scheduler.block_on(scheduler.shutdown(Duration::from_secs(1)));
    lost(&ends)?;
    Ok(report.finish(stop.signal()))
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
    start: Instant,
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
                let at = start.elapsed();
                report.take(Note { at, event: Event::Stopping { level } });
            }
            Some(note) = told.recv() => tell(report, note),
            ends = &mut all => break ends,
            _ = redraw.tick() => report.draw(),
        }
    };
    while let Ok(note) = told.try_recv() {
        tell(report, note);
    }
    ends
}

/// What a task has printed is told before its end, where that is asked for.
fn tell(report: &mut Report, mut note: Note) {
    if let Event::Ended { task, output, .. } = &mut note.event
        && report.wants_output()
    {
        let mut bytes = Vec::new();
        let _ = output.copy(&mut bytes);
        let (at, task) = (note.at, *task);
        report.take(Note {
            at,
            event: Event::Output { task, bytes },
        });
    }
    report.take(note);
}

/// Tells of a task that never ran, and whose failure was the reason.
fn never_run(task: usize, end: &End, places: &HashMap<TaskId, usize>, report: &mut Report) {
    let Err(error) = end else { return };
    let root = places.get(&error.root_cause().task()).copied();
    let root = root.filter(|_| error.is_dependency());
    if report.state().course(number(task)).phase.is_over() {
        return;
    }
    let root = root.filter(|&root| report.state().course(number(root)).began().is_some());
    let at = report
        .state()
        .course(number(task))
        .ended
        .unwrap_or_default();
    report.take(Note {
        at,
        event: Event::NeverRun { task, root },
    });
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
