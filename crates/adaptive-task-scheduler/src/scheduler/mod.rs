//! The scheduler as its users hold it.
//!
//! A [`Scheduler`] is a reference to what all its clones share. When the last
//! is dropped, the scheduler ends: what is unfinished ends as shut down, and
//! its threads stop. Dropping never waits.

mod builder;
mod shutdown;

pub use builder::Builder;
pub use shutdown::ShutdownReport;
pub(crate) use shutdown::live_tasks;

use crate::{
    core::{Core, edges},
    counters::Stats,
    error::DependencyError,
    event::Events,
    explain::{self, Deadlock, Explanation},
    group::TaskGroup,
    handle::{self, TaskHandle},
    inversions::Inversions,
    learning::{
        file::ProfileError,
        profile::{Profile, Profiles},
    },
    load::{Load, intervals::LoadIntervals},
    options::TaskBuilder,
    task::{current, id::TaskId},
    waits::is_live,
};
use std::{
    fmt, future::Future, panic::Location, path::Path, sync::Arc, sync::Mutex, time::Duration,
};
use tokio::runtime::{Handle, Runtime};

type Hook = Arc<dyn Fn() + Send + Sync>;

/// What the builder settled.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) io_slots: usize,
    pub(crate) cpu_threads: usize,
    pub(crate) cpu_niceness: u8,
    pub(crate) blocking_limit: usize,
    pub(crate) max_threads: usize,
    pub(crate) thread_name: String,
    pub(crate) tick: Duration,
    pub(crate) patience: Duration,
    pub(crate) ageing_ticks: Option<u32>,
    pub(crate) promotion: bool,
    pub(crate) learning: bool,
    pub(crate) on_thread_start: Option<Hook>,
    pub(crate) on_thread_stop: Option<Hook>,
}

pub(crate) struct Shared {
    core: Arc<Core>,
    runtime: Mutex<Option<Runtime>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.core.end();
        let runtime = match self.runtime.get_mut() {
            Ok(runtime) => runtime.take(),
            Err(poisoned) => poisoned.into_inner().take(),
        };
        if let Some(runtime) = runtime {
            // A runtime must not be dropped where waiting is not allowed, and
            // this may be anywhere.
            runtime.shutdown_background();
        }
    }
}

/// Runs tasks in the order of their importance, on Tokio.
///
/// Cheap to clone; all clones are the same scheduler. When the last clone is
/// dropped, unfinished tasks end with an error for which
/// [`is_shutdown`](crate::TaskError::is_shutdown) holds; to let them finish first, use
/// [`shutdown`](Self::shutdown).
#[derive(Clone)]
pub struct Scheduler(Arc<Shared>);

impl Scheduler {
    /// Attaches a scheduler to the Tokio runtime that this is called in.
    ///
    /// On a multi-thread runtime it has as many slots as the runtime has
    /// workers; on a current-thread runtime its slots are on threads of its
    /// own.
    ///
    /// # Panics
    ///
    /// Panics outside a Tokio runtime, and if no thread can be started;
    /// [`Builder::build`] gives an error instead.
    pub fn new() -> Self {
        match Self::builder().build() {
            Ok(scheduler) => scheduler,
            Err(error) => panic!("the scheduler could not be built: {error}"),
        }
    }

    /// A scheduler with other settings, or with a runtime of its own.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The scheduler of the current task.
    ///
    /// # Panics
    ///
    /// Panics outside a task, and if the last handle to the scheduler is gone.
    pub fn current() -> Self {
        Self::try_current().expect("Scheduler::current() was called outside of a task")
    }

    /// The scheduler of the current task, if there is one.
    pub fn try_current() -> Option<Self> {
        current::carrying(|carrying| {
            let shared = carrying?.core.shared.get()?.upgrade()?;
            Some(Self(shared))
        })
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.0.core
    }

    /// Spawns a future, with the default options. It begins when its turn
    /// comes, whether the handle is awaited or not.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.task().spawn(future)
    }

    /// Runs a closure on the CPU lane.
    #[track_caller]
    pub fn cpu<F, T>(&self, f: F) -> TaskHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.task().cpu().spawn_fn(f)
    }

    /// Runs a closure on the blocking lane.
    #[track_caller]
    pub fn blocking<F, T>(&self, f: F) -> TaskHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.task().blocking().spawn_fn(f)
    }

    /// Describes a task to spawn: its name, priority, dependencies and more.
    #[track_caller]
    pub fn task(&self) -> TaskBuilder<'_> {
        TaskBuilder::new(self, Location::caller())
    }

    /// An empty group of tasks.
    pub fn group<T: Send + 'static>(&self) -> TaskGroup<T> {
        TaskGroup::new(self)
    }

    /// Receives all events from now on. The channel holds up to `capacity`
    /// events (at least one); what comes while it is full is dropped and
    /// counted.
    pub fn subscribe(&self, capacity: usize) -> Events {
        self.core().events.subscribe(capacity)
    }

    /// Asks a task to end, as its handle can. False if it has ended, was asked
    /// before, or ignores cancelling.
    pub fn cancel(&self, id: TaskId) -> bool {
        handle::cancel(id)
    }

    /// Why a task has not ended yet; `None` if it has ended.
    pub fn explain(&self, id: TaskId) -> Option<Explanation> {
        is_live(&edges::Everywhere, id).then(|| Explanation::of(id))
    }

    /// The circles of tasks that wait for each other at this moment, told among
    /// this scheduler's unfinished tasks and those that they wait on. There
    /// should be none, since a wait that would close a circle is refused with an
    /// error when it begins.
    ///
    /// It looks at every unfinished task, one after the other.
    pub fn deadlocks(&self) -> Vec<Deadlock> {
        explain::deadlocks(self.core())
    }

    /// How long tasks of this scheduler have waited on less important ones, in
    /// all and by class.
    pub fn inversions(&self) -> Inversions {
        self.core().inversions.read(self.core().config.tick)
    }

    /// Makes `waiter`, which still waits for declared dependencies, run after
    /// `blocker` too.
    ///
    /// # Errors
    ///
    /// If `waiter` does not wait for dependencies any more, and if it would then
    /// wait for itself; the error names all tasks on the cycle.
    pub fn add_dependency(&self, waiter: TaskId, blocker: TaskId) -> Result<(), DependencyError> {
        edges::add_dependency(self.core(), waiter, blocker)
    }

    /// What was learned of the classes of tasks so far.
    pub fn profiles(&self) -> Profiles {
        let classes = self.core().classes.all();
        Profiles::new(classes.map(|class| Profile::new(class.name.clone(), class.known().clone())))
    }

    /// Starts from what was learned before: the profiles take the place of those
    /// of the same classes.
    pub fn restore_profiles(&self, profiles: &Profiles) {
        for profile in profiles.iter() {
            let classes = &self.core().classes;
            classes.restore(profile.class(), profile.known());
        }
    }

    /// Writes the profiles to a file, in the place of what is there. It is
    /// written beside it first, so that there is never half a file.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn save_profiles(&self, path: impl AsRef<Path>) -> Result<(), ProfileError> {
        let path = path.as_ref();
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        std::fs::write(&beside, self.profiles().to_string())
            .and_then(|()| std::fs::rename(&beside, path))
            .map_err(ProfileError::io)
    }

    /// Restores the profiles that [`save_profiles`](Self::save_profiles) wrote;
    /// returns of how many classes.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is not one of profiles, is of another version,
    /// or damaged. Then nothing is restored: the scheduler starts cold, and the
    /// error is a warning.
    pub fn load_profiles(&self, path: impl AsRef<Path>) -> Result<usize, ProfileError> {
        let text = std::fs::read(path).map_err(ProfileError::io)?;
        let profiles: Profiles = String::from_utf8_lossy(&text).parse()?;
        self.restore_profiles(&profiles);
        Ok(profiles.len())
    }

    /// Counts of what was done and what is held now.
    pub fn stats(&self) -> Stats {
        self.core().stats()
    }

    /// How loaded the scheduler, its process and its machine are.
    ///
    /// It reads what the sentinel publishes: it takes no lock, never waits, and
    /// costs less than a microsecond. (Only the first reading after ten seconds
    /// without one also wakes the sentinel, if that sleeps: a system call. The
    /// machine's figures are read while somebody asks for them; that first reading
    /// finds old ones or none, as [`MachineLoad::age`](crate::MachineLoad::age)
    /// says.)
    ///
    /// ```
    /// # let scheduler = adaptive_task_scheduler::Scheduler::builder().build_runtime()?;
    /// let load = scheduler.load();
    /// println!("the CPU lane was busy for {:.0} %", load.cpu.busy.last_second * 100.0);
    /// if load.pressure().value > 0.8 {
    ///     println!("{}", load.pressure());
    /// }
    /// # Ok::<_, adaptive_task_scheduler::BuildError>(())
    /// ```
    pub fn load(&self) -> Load {
        self.core().load()
    }

    /// What happens from now on, between one look and the next: each
    /// [`next`](Iterator::next) is what happened since the one before. It ends
    /// with the scheduler, which it does not keep alive.
    pub fn load_intervals(&self) -> LoadIntervals {
        LoadIntervals::new(self.core())
    }

    /// Runs a future to its end on this thread, inside the scheduler's runtime.
    ///
    /// # Panics
    ///
    /// Panics inside asynchronous code, as Tokio's does.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.core().handle.block_on(future)
    }

    /// The Tokio runtime that carries the I/O lane.
    pub fn runtime(&self) -> &Handle {
        &self.core().handle
    }

    /// Shuts down in order: takes no more tasks, lets those it has finish for
    /// up to `limit`, then ends the rest (dropping each at its next suspension)
    /// and stops its threads. Says what was left.
    ///
    /// Inside a task of the scheduler it waits for that task too, until the
    /// limit. If the future is dropped before it is ready, no more tasks are
    /// taken, but those it has go on.
    ///
    /// Shutting down twice does no harm. A runtime that belongs to the scheduler
    /// goes on until the last handle is dropped.
    pub async fn shutdown(&self, limit: Duration) -> ShutdownReport {
        shutdown::shutdown(self.core(), limit).await
    }
}

impl Default for Scheduler {
    /// As [`Scheduler::new`].
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduler")
            .field("slots", &self.core().io.count())
            .field("cpu_threads", &self.core().cpu.threads())
            .field("live", &self.core().counters.live())
            .finish()
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("io_slots", &self.io_slots)
            .field("cpu_threads", &self.cpu_threads)
            .field("blocking_limit", &self.blocking_limit)
            .field("tick", &self.tick)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}
