//! The adaptive task scheduler on a runtime of its own.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use adaptive_task_scheduler::{Builder, Priority, Scheduler, TaskHandle};

use crate::machine;

use super::{Counters, Engine, Importance, Spawn};

/// What the threads of the CPU lane are called. They stay once they are started.
const CPU_THREADS: &str = "ats-cpu";

#[derive(Clone)]
pub(crate) struct Ats {
    scheduler: Scheduler,
}

impl Ats {
    /// Starts with so many slots, and what else `configure` sets.
    pub(crate) fn start(slots: usize, configure: impl FnOnce(Builder) -> Builder) -> Ats {
        let scheduler = configure(Scheduler::builder().io_slots(slots))
            .build_runtime()
            .expect("a scheduler can be made");
        Ats { scheduler }
    }

    /// For what only our scheduler can do.
    pub(crate) fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }
}

impl Engine for Ats {
    type Outside = Ats;
    type Inside = Ats;

    fn outside(&self) -> Ats {
        self.clone()
    }

    fn inside(&self) -> Ats {
        self.clone()
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.scheduler.block_on(future)
    }

    fn counters(&self) -> Option<Counters> {
        let stats = self.scheduler.stats();
        Some(Counters {
            hand_offs: stats.hand_offs,
            relocations: stats.relocations,
            peak_threads: stats
                .peak_threads
                .saturating_sub(machine::threads_named(CPU_THREADS)),
        })
    }
}

/// A handle whose task is known to complete.
pub(crate) struct Completed<T>(TaskHandle<T>);

impl<T: 'static> Future for Completed<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.0)
            .poll(context)
            .map(|result| result.expect("every task of a benchmark completes"))
    }
}

impl Spawn for Ats {
    type Handle<T: Send + 'static> = Completed<T>;

    fn spawn<F>(&self, future: F) -> Completed<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Completed(self.scheduler.spawn(future))
    }

    fn spawn_at<F>(&self, importance: Importance, future: F) -> Completed<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let priority = match importance {
            Importance::Unimportant => Priority::Batch,
            Importance::Middling => Priority::Mid,
            Importance::Important => Priority::Production,
            Importance::Gate => Priority::Monitoring,
        };
        Completed(self.scheduler.task().priority(priority).spawn(future))
    }

    fn cancel<T: Send + 'static>(handle: &Completed<T>) {
        handle.0.cancel();
    }

    fn yield_now() -> impl Future<Output = ()> + Send + 'static {
        adaptive_task_scheduler::yield_now()
    }

    fn sleep_until(at: Instant) -> impl Future<Output = ()> + Send + 'static {
        tokio::time::sleep_until(at.into())
    }
}
