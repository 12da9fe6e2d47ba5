//! `async-executor` run by as many threads as there are workers, with `async-io`
//! for its timers: the pair that smol is made of.

use std::{future::Future, thread, time::Instant};

use async_executor::{Executor, Task};
use futures_lite::future;

use super::{Engine, Spawn};

/// The executor lives as long as the process, as in its own benchmarks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AsyncExecutor {
    executor: &'static Executor<'static>,
}

impl AsyncExecutor {
    pub(crate) fn start(workers: usize) -> AsyncExecutor {
        let executor: &'static Executor<'static> = Box::leak(Box::new(Executor::new()));
        for _ in 0..workers {
            thread::spawn(|| future::block_on(executor.run(future::pending::<()>())));
        }
        AsyncExecutor { executor }
    }
}

impl Engine for AsyncExecutor {
    type Outside = AsyncExecutor;
    type Inside = AsyncExecutor;

    fn outside(&self) -> AsyncExecutor {
        *self
    }

    fn inside(&self) -> AsyncExecutor {
        *self
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        future::block_on(future)
    }
}

impl Spawn for AsyncExecutor {
    type Handle<T: Send + 'static> = Task<T>;

    fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.executor.spawn(future)
    }

    fn detach<T: Send + 'static>(handle: Task<T>) {
        handle.detach();
    }

    fn yield_now() -> impl Future<Output = ()> + Send + 'static {
        future::yield_now()
    }

    async fn sleep_until(at: Instant) {
        async_io::Timer::at(at).await;
    }
}
