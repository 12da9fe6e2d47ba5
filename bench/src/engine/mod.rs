//! The little that all engines have in common: start with so many workers,
//! spawn from outside and from inside a task, yield, sleep, and wait for a
//! future from a thread of one's own.
//!
//! Calls are static and the wrappers are one line each, so that what is measured
//! is the engine. `Outside` and `Inside` differ because Tokio's own suite spawns
//! by the runtime from outside and by `tokio::spawn` inside.

mod async_executor;
mod ats;
mod tokio;

use std::{future::Future, time::Instant};

pub(crate) use self::{
    async_executor::AsyncExecutor,
    ats::Ats,
    tokio::{Inside as TokioInside, Tokio},
};

pub(crate) const TOKIO: &str = "tokio";
pub(crate) const ASYNC_EXECUTOR: &str = "async_executor";
/// Ours, with everything that a user gets switched on.
pub(crate) const ATS: &str = "ats";
/// Ours without the sentinel, and so without hand-off and relocation.
pub(crate) const ATS_NO_SENTINEL: &str = "ats_no_sentinel";
/// Ours, with the threads of the CPU lane nicer than the others by 10.
pub(crate) const ATS_NICE: &str = "ats_nice";

/// An engine that runs tasks on worker threads of its own.
pub(crate) trait Engine: Send + Sync + 'static {
    type Outside: Spawn;
    type Inside: Spawn;

    /// Spawns from any thread.
    fn outside(&self) -> Self::Outside;

    /// Spawns from inside a task of this engine.
    fn inside(&self) -> Self::Inside;

    /// Drives a future on the calling thread while the workers do the tasks.
    fn block_on<F: Future>(&self, future: F) -> F::Output;

    /// What the engine says about its threads; nothing where it cannot.
    fn counters(&self) -> Option<Counters> {
        None
    }
}

/// Spawns tasks of an engine.
pub(crate) trait Spawn: Clone + Send + Sync + 'static {
    type Handle<T: Send + 'static>: Future<Output = T> + Send + Unpin + 'static;

    #[track_caller]
    fn spawn<F>(&self, future: F) -> Self::Handle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Spawns with an importance, which only our engine knows what to do with.
    #[track_caller]
    fn spawn_at<F>(&self, _importance: Importance, future: F) -> Self::Handle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn(future)
    }

    /// Lets the task run on without its handle.
    fn detach<T: Send + 'static>(handle: Self::Handle<T>) {
        drop(handle);
    }

    /// Ends the task at its next suspension, by its handle.
    ///
    /// # Panics
    ///
    /// Where an engine cannot do that by a reference.
    fn cancel<T: Send + 'static>(_handle: &Self::Handle<T>) {
        panic!("this engine cancels only by dropping a handle");
    }

    fn yield_now() -> impl Future<Output = ()> + Send + 'static;

    fn sleep_until(at: Instant) -> impl Future<Output = ()> + Send + 'static;
}

/// How important a task is, in the words of the benchmarks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Importance {
    Unimportant,
    Middling,
    Important,
    /// Above all that is measured: the gate that holds everything back.
    Gate,
}

/// What an engine says about its threads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counters {
    pub(crate) hand_offs: u64,
    pub(crate) relocations: u64,
    /// The most threads that it had at a time, those of Tokio and those of the
    /// CPU lane not counted.
    pub(crate) peak_threads: usize,
}

/// Something to do with an engine, whichever it is.
pub(crate) trait Scenario {
    type Output;
    fn run<E: Engine>(self, engine: &E) -> Self::Output;
}

/// Starts the engine of that name and runs the scenario on it.
///
/// # Panics
///
/// For a name that is none of the constants above.
pub(crate) fn with<S: Scenario>(name: &str, workers: usize, scenario: S) -> S::Output {
    match name {
        TOKIO => scenario.run(kept(Tokio::start(workers))),
        ASYNC_EXECUTOR => scenario.run(kept(AsyncExecutor::start(workers))),
        ATS => scenario.run(kept(Ats::start(workers, |builder| builder))),
        ATS_NO_SENTINEL => scenario.run(kept(Ats::start(workers, |builder| {
            builder.promotion(false)
        }))),
        ATS_NICE => scenario.run(kept(Ats::start(workers, |builder| {
            builder.cpu_niceness(10)
        }))),
        _ => panic!("there is no engine {name}"),
    }
}

/// Keeps an engine until the process ends. To let go of one would mean to wait
/// for the polls that are stuck in it, or to cancel tasks under way.
pub(crate) fn kept<E: Engine>(engine: E) -> &'static E {
    Box::leak(Box::new(engine))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct SpawnsAndYields;

    impl Scenario for SpawnsAndYields {
        type Output = u32;

        fn run<E: Engine>(self, engine: &E) -> u32 {
            let inside = engine.inside();
            let outer = engine.outside().spawn(async move {
                <E::Inside as Spawn>::yield_now().await;
                <E::Inside as Spawn>::sleep_until(Instant::now()).await;
                inside.spawn_at(Importance::Important, async { 20 }).await + 1
            });
            engine.block_on(async { outer.await * 2 })
        }
    }

    #[test]
    fn every_engine_spawns_inside_and_outside() {
        for name in [TOKIO, ASYNC_EXECUTOR, ATS, ATS_NO_SENTINEL, ATS_NICE] {
            assert_eq!(with(name, 2, SpawnsAndYields), 42, "{name}");
        }
    }
}
