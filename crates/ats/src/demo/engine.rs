//! The two engines that are compared: plain Tokio and the scheduler, with equally many workers,
//! each on a runtime of its own, given the same futures by the same thread outside.

use std::future::Future;
use std::time::Duration;

use adaptive_task_scheduler::{Priority, Scheduler};
use tokio::runtime::Runtime;

use crate::exit::Failure;

/// What runs the tasks of a comparison.
#[derive(Debug)]
pub enum Engine {
    /// Tokio's multi-thread runtime, as it is. It has no priorities.
    Tokio(Runtime),
    /// The adaptive scheduler, as it is.
    Scheduler(Scheduler),
}

/// Which engine, for futures that have to yield to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// [`Engine::Tokio`].
    Tokio,
    /// [`Engine::Scheduler`].
    Scheduler,
}

impl Kind {
    /// Both, in the order in which they are measured and shown.
    pub const ALL: [Kind; 2] = [Kind::Tokio, Kind::Scheduler];

    /// Starts an engine with so many workers.
    ///
    /// # Errors
    ///
    /// Threads could not be had.
    pub fn start(self, workers: usize) -> Result<Engine, Failure> {
        match self {
            Kind::Tokio => tokio::runtime::Builder::new_multi_thread()
                .worker_threads(workers)
                .enable_all()
                .build()
                .map(Engine::Tokio)
                .map_err(|error| Failure::internal("starting plain Tokio", error)),
            Kind::Scheduler => Scheduler::builder()
                .io_slots(workers)
                .build_runtime()
                .map(Engine::Scheduler)
                .map_err(|error| Failure::internal("starting the scheduler", error)),
        }
    }

    /// Lets the engine's other tasks go first, as each engine's users do.
    pub async fn yield_now(self) {
        match self {
            Kind::Tokio => tokio::task::yield_now().await,
            Kind::Scheduler => adaptive_task_scheduler::yield_now().await,
        }
    }
}

impl Engine {
    /// Which one this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Engine::Tokio(_) => Kind::Tokio,
            Engine::Scheduler(_) => Kind::Scheduler,
        }
    }

    /// Spawns a task that nobody is in a hurry for.
    pub fn unimportant(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn(Priority::Batch, task);
    }

    /// Spawns a task that somebody waits for.
    pub fn important(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn(Priority::Production, task);
    }

    fn spawn(&self, priority: Priority, task: impl Future<Output = ()> + Send + 'static) {
        match self {
            Engine::Tokio(runtime) => drop(runtime.spawn(task)),
            Engine::Scheduler(scheduler) => {
                scheduler.task().priority(priority).spawn(task).detach()
            }
        }
    }

    /// Ends the engine.
    pub fn stop(self) {
        match self {
            Engine::Tokio(runtime) => runtime.shutdown_timeout(Duration::from_secs(2)),
            Engine::Scheduler(scheduler) => {
                scheduler.block_on(scheduler.shutdown(Duration::from_secs(2)));
            }
        }
    }
}
