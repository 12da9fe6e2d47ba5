//! Tokio's multi-thread runtime as it comes.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::JoinHandle,
};

use super::{Engine, Spawn};

#[derive(Debug)]
pub(crate) struct Tokio {
    runtime: Runtime,
}

impl Tokio {
    pub(crate) fn start(workers: usize) -> Tokio {
        let runtime = Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .build()
            .expect("a Tokio runtime can be made");
        Tokio { runtime }
    }
}

impl Engine for Tokio {
    type Outside = Outside;
    type Inside = Inside;

    fn outside(&self) -> Outside {
        Outside(self.runtime.handle().clone())
    }

    fn inside(&self) -> Inside {
        Inside
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }
}

/// Spawns by a runtime's handle.
#[derive(Clone, Debug)]
pub(crate) struct Outside(Handle);

/// Spawns by `tokio::spawn`, as tasks do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inside;

/// A join handle whose task is known not to panic.
#[derive(Debug)]
pub(crate) struct Joined<T>(JoinHandle<T>);

impl<T> Future for Joined<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.0)
            .poll(context)
            .map(|result| result.expect("no task of a benchmark panics"))
    }
}

impl Spawn for Outside {
    type Handle<T: Send + 'static> = Joined<T>;

    fn spawn<F>(&self, future: F) -> Joined<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Joined(self.0.spawn(future))
    }

    fn cancel<T: Send + 'static>(handle: &Joined<T>) {
        handle.0.abort();
    }

    fn yield_now() -> impl Future<Output = ()> + Send + 'static {
        tokio::task::yield_now()
    }

    fn sleep_until(at: Instant) -> impl Future<Output = ()> + Send + 'static {
        tokio::time::sleep_until(at.into())
    }
}

impl Spawn for Inside {
    type Handle<T: Send + 'static> = Joined<T>;

    fn spawn<F>(&self, future: F) -> Joined<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Joined(tokio::spawn(future))
    }

    fn yield_now() -> impl Future<Output = ()> + Send + 'static {
        tokio::task::yield_now()
    }

    fn sleep_until(at: Instant) -> impl Future<Output = ()> + Send + 'static {
        tokio::time::sleep_until(at.into())
    }
}
