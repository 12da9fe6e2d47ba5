//! Threads of the scheduler's own, and the loop that carries on them.
//!
//! A thread that polls tasks runs one future inside `Handle::block_on`, so that
//! Tokio's context is there and every poll of that future has a cooperative
//! budget of its own. (A thread that only entered the runtime would have no
//! budget at all: one poll of an always-ready channel made 10,000 of 10,000
//! operations without yielding.)

use crate::{core::Core, event::Event};
use std::{
    future::poll_fn,
    io,
    sync::Arc,
    task::{Context, Poll},
    thread,
};

/// Starts a thread of the scheduler.
pub(crate) fn start(
    core: &Arc<Core>,
    purpose: &'static str,
    body: impl FnOnce(&Arc<Core>) + Send + 'static,
) -> io::Result<thread::JoinHandle<()>> {
    let counters = &core.counters;
    counters.thread_started();
    let limit = core.config.max_threads;
    let room = counters.threads.load(std::sync::atomic::Ordering::Relaxed) <= limit;
    let started = if room {
        let inner = Arc::clone(core);
        thread::Builder::new()
            .name(format!("{}-{purpose}", core.config.thread_name))
            .spawn(move || run(inner, body))
    } else {
        Err(io::Error::other(format!(
            "the limit of {limit} threads is reached"
        )))
    };
    if let Err(error) = &started {
        counters.thread_stopped();
        let error = error.to_string();
        core.events
            .emit(|at| Event::ThreadFailed { at, purpose, error });
    }
    started
}

fn run(core: Arc<Core>, body: impl FnOnce(&Arc<Core>)) {
    if let Some(hook) = &core.config.on_thread_start {
        hook();
    }
    body(&core);
    core.counters.thread_stopped();
    if let Some(hook) = &core.config.on_thread_stop {
        hook();
    }
}

/// Polls `step` on this thread, inside Tokio's context, until it is ready.
pub(crate) fn drive(core: &Core, mut step: impl FnMut(&mut Context<'_>) -> Poll<()>) {
    core.handle.block_on(poll_fn(|cx| step(cx)));
}
