//! What a spawner can say about a task: the builder of one task.

use crate::{
    core::start::Description,
    handle::{AsTask, TaskHandle},
    lane::Lane,
    priority::Priority,
    scheduler::Scheduler,
    task::{
        id::TaskName,
        job::{Attempt, BoxError, Call, Cell, Fallible, Plain, Timed},
    },
};
use std::{
    future::Future,
    panic::Location,
    time::{Duration, Instant},
};

/// What cancelling does to a task.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum CancelMode {
    /// The task is dropped at its next suspension, or before it starts, and ends
    /// as cancelled. A poll or a closure that is running is not interrupted;
    /// what it returns counts.
    #[default]
    Drop = 0,
    /// The task is woken and can ask [`is_cancelled`](crate::is_cancelled); it
    /// ends when it returns, with its value. Before its first poll it is dropped
    /// as with `Drop`.
    Cooperate = 1,
    /// Cancelling is ignored. (The end of the scheduler is not.)
    Shield = 2,
}

/// What is done about a task whose [`deadline`](TaskBuilder::deadline) cannot
/// be met any more.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Late {
    /// An event says so: [`Event::DeadlineAtRisk`](crate::Event::DeadlineAtRisk).
    #[default]
    Report,
    /// As `Report`, and the task's own priority rises to this one.
    Boost(Priority),
    /// As `Report`; and if the deadline cannot be met already when the task is
    /// spawned, it is rejected.
    Refuse,
}

/// Describes one task before it is spawned; from
/// [`Scheduler::task`](crate::Scheduler::task).
///
/// ```
/// # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
/// use adaptive_task_scheduler::{Priority, Scheduler};
/// use std::time::Duration;
///
/// let scheduler = Scheduler::new();
/// let prices = scheduler.task().name("prices").spawn(async { 12 });
/// let report = scheduler
///     .task()
///     .name("report")
///     .priority(Priority::Production)
///     .timeout(Duration::from_secs(30))
///     .after(&prices)
///     .spawn(async { "done" });
/// assert_eq!(report.await.unwrap(), "done");
/// # })
/// ```
#[derive(Debug, Clone)]
#[must_use = "a task is spawned by spawn, spawn_fn or spawn_try"]
pub struct TaskBuilder<'a> {
    scheduler: &'a Scheduler,
    description: Description,
    #[cfg(feature = "rayon")]
    parallel: bool,
    timeout: Option<Duration>,
    cancel_on_drop: bool,
}

impl<'a> TaskBuilder<'a> {
    pub(crate) fn new(scheduler: &'a Scheduler, site: &'static Location<'static>) -> Self {
        let description = Description {
            name: None,
            site,
            priority: Priority::default(),
            lane: Lane::Io,
            deadline: None,
            cancel_mode: CancelMode::default(),
            is_closure: false,
            is_hinted: false,
            late: Late::default(),
            after: Vec::new(),
            failed: None,
        };
        Self {
            scheduler,
            description,
            #[cfg(feature = "rayon")]
            parallel: false,
            timeout: None,
            cancel_on_drop: false,
        }
    }

    /// Names the task and its class. Without a name, the call site of
    /// [`Scheduler::task`](crate::Scheduler::task) is the class.
    pub fn name(mut self, name: impl Into<TaskName>) -> Self {
        self.description.name = Some(name.into());
        self
    }

    /// How much the task matters. The default is [`Priority::Mid`].
    pub fn priority(mut self, priority: Priority) -> Self {
        self.description.priority = priority;
        self
    }

    /// When the task should be finished. Among ready tasks of one effective
    /// priority the earliest deadline goes first, and before all without one.
    /// Nothing happens when it passes; see [`timeout`](Self::timeout). If the
    /// scheduler has learned how long tasks of this class take, it says when the
    /// deadline cannot be met any more; see [`on_late`](Self::on_late).
    pub fn deadline(mut self, at: Instant) -> Self {
        self.description.deadline = Some(at);
        self
    }

    /// What is done as soon as the deadline cannot be met any more: if this task
    /// has not begun when too little time is left for what tasks of its class
    /// take (the mean and one standard deviation, once four of them have
    /// completed).
    pub fn on_late(mut self, late: Late) -> Self {
        self.description.late = late;
        self
    }

    /// How long the task may take, counted from its first poll. After that it
    /// is dropped at its next suspension and ends as timed out. A poll or a
    /// closure that is running is not interrupted.
    ///
    /// # Panics
    ///
    /// The task panics at its first poll if the Tokio runtime has no timers.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Starts the task only when `on` has completed. If that ends otherwise,
    /// this task is not run and ends with a dependency error. May be called
    /// several times. A task known only by its id, of which no handle or watch
    /// is left, counts as completed once it has ended.
    pub fn after(mut self, on: &impl AsTask) -> Self {
        self.description.after.push(on.task_id());
        if self.description.failed.is_none() {
            self.description.failed = on.known_error();
        }
        self
    }

    /// As [`after`](Self::after), for each of the tasks.
    pub fn after_all<'h, I, A>(self, on: I) -> Self
    where
        I: IntoIterator<Item = &'h A>,
        A: AsTask + 'h,
    {
        on.into_iter().fold(self, |builder, on| builder.after(on))
    }

    /// What cancelling does to the task.
    pub fn on_cancel(mut self, mode: CancelMode) -> Self {
        self.description.cancel_mode = mode;
        self
    }

    /// Whether dropping the handle cancels the task. By default it goes on, as
    /// Tokio's tasks do.
    pub fn cancel_on_drop(mut self, yes: bool) -> Self {
        self.cancel_on_drop = yes;
        self
    }

    fn hint(mut self, lane: Lane) -> Self {
        self.description.lane = lane;
        self.description.is_hinted = true;
        self
    }

    /// Runs the task on the I/O lane (the default of futures).
    pub fn io(self) -> Self {
        self.hint(Lane::Io)
    }

    /// Runs the task on the CPU lane (the default of closures).
    pub fn cpu(self) -> Self {
        self.hint(Lane::Cpu)
    }

    /// Runs the task on the blocking lane.
    pub fn blocking(self) -> Self {
        self.hint(Lane::Blocking)
    }

    /// Runs the task on the CPU lane, and its closure inside [`fork`](crate::fork()): what
    /// it asks of Rayon is spread over the cores of the lane that nobody uses. A
    /// future must fork by itself. Needs the feature `rayon`.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_multi_thread().build().unwrap().block_on(async {
    /// use adaptive_task_scheduler::Scheduler;
    /// use rayon::prelude::*;
    ///
    /// let scheduler = Scheduler::new();
    /// let squares = scheduler.task().parallel().spawn_fn(|| {
    ///     (0..1_000u64).into_par_iter().map(|n| n * n).sum::<u64>()
    /// });
    /// assert_eq!(squares.await.unwrap(), 332_833_500);
    /// # })
    /// ```
    #[cfg(feature = "rayon")]
    pub fn parallel(mut self) -> Self {
        self.parallel = true;
        self.cpu()
    }

    /// Spawns a future.
    pub fn spawn<F>(self, future: F) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.start(Plain { future })
    }

    /// Spawns a closure, on the CPU lane unless hinted otherwise.
    pub fn spawn_fn<F, T>(mut self, f: F) -> TaskHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        if !self.description.is_hinted {
            self.description.lane = Lane::Cpu;
        }
        #[cfg(feature = "rayon")]
        if self.parallel {
            return self.start(Call(Some(move || crate::fork(f))));
        }
        self.start(Call(Some(f)))
    }

    /// Spawns a future whose `Err` is a failure of the task: it ends with an
    /// error that holds it, and the tasks that run after it are not run.
    pub fn spawn_try<F, T, E>(self, future: F) -> TaskHandle<T>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Into<BoxError> + 'static,
    {
        self.start(Fallible { future })
    }

    fn start<A: Attempt + 'static>(mut self, work: A) -> TaskHandle<A::Value> {
        self.description.is_closure = A::IS_CLOSURE;
        let cancel_on_drop = self.cancel_on_drop;
        let core = self.scheduler.core();
        let started = match self.timeout {
            None => core.start(&self.description, Box::pin(Cell::new(work))),
            Some(limit) => core.start(
                &self.description,
                Box::pin(Cell::new(Timed::new(work, limit))),
            ),
        };
        TaskHandle::new(started, cancel_on_drop)
    }
}
