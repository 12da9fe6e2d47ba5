//! Threads of the scheduler's own, and the loop that carries on them.
//!
//! A thread that polls futures does so inside `Handle::block_on`, so that
//! Tokio's context is there and every poll of the outer future has a cooperative
//! budget of its own. (A thread that only entered the runtime would have no
//! budget at all: one poll of an always-ready channel made 10,000 of 10,000
//! operations without yielding.) Closures run outside of it, where they may
//! block as in Tokio's `spawn_blocking`.

use crate::{
    core::{Core, run},
    event::Event,
    lane::Lane,
    os,
    queue::ready::Taken,
    quietly::quietly,
    task::{current::Carrying, id::TaskId, slab},
};
use std::{
    future::poll_fn,
    io,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    thread,
};

/// What a thread is for, as its name says.
pub(crate) const CPU: &str = "cpu";
pub(crate) const RESERVE: &str = "reserve";
#[cfg(feature = "rayon")]
pub(crate) const FORK: &str = "fork";
pub(crate) const RELIEF: &str = "relief";
pub(crate) const SENTINEL: &str = "sentinel";

#[cfg(feature = "rayon")]
fn is_nice(purpose: &str) -> bool {
    purpose == CPU || purpose == FORK
}

#[cfg(not(feature = "rayon"))]
fn is_nice(purpose: &str) -> bool {
    purpose == CPU
}

/// Starts a thread of the scheduler.
pub(crate) fn start(
    core: &Arc<Core>,
    purpose: &'static str,
    body: impl FnOnce(&Arc<Core>) + Send + 'static,
) -> io::Result<thread::JoinHandle<()>> {
    let counters = &core.counters;
    counters.thread_started();
    let limit = core.config.max_threads;
    // The CPU lane must have one thread, however many reliefs there are.
    let is_first_of_lane = purpose == CPU && core.cpu.is_starting_first();
    let room = is_first_of_lane || counters.threads.load(Ordering::Relaxed) <= limit;
    let started = if room {
        let inner = Arc::clone(core);
        thread::Builder::new()
            .name(format!("{}-{purpose}", core.config.thread_name))
            .spawn(move || run(inner, purpose, body))
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

fn run(core: Arc<Core>, purpose: &str, body: impl FnOnce(&Arc<Core>)) {
    if is_nice(purpose) && core.config.cpu_niceness > 0 {
        os::be_nicer(core.config.cpu_niceness);
    }
    if let Some(hook) = &core.config.on_thread_start {
        quietly(|| hook());
    }
    body(&core);
    core.counters.thread_stopped();
    if let Some(hook) = &core.config.on_thread_stop {
        quietly(|| hook());
    }
}

/// Polls `step` on this thread, inside Tokio's context, until it is ready.
pub(crate) fn drive(core: &Core, mut step: impl FnMut(&mut Context<'_>) -> Poll<()>) {
    core.handle.block_on(poll_fn(|cx| step(cx)));
}

/// Polls one task on a thread that carries no slot: a future with a budget of
/// its own, a closure where it may block.
pub(crate) fn run_one(carrying: &Carrying, taken: Taken, lane: Lane) {
    let id = TaskId::from_raw(taken.entry);
    let is_closure = id.is_some_and(|id| slab::record(id).facts.is_closure());
    if is_closure {
        let _context = carrying.core.handle.enter();
        run::run(carrying, taken, lane);
    } else {
        let mut taken = Some(taken);
        drive(&carrying.core, |_| {
            if let Some(taken) = taken.take() {
                run::run(carrying, taken, lane);
            }
            Poll::Ready(())
        });
    }
    #[cfg(feature = "rayon")]
    super::pool::run_left_behind();
}

/// Starts a thread of the CPU lane. With Rayon, what its tasks ask of that stays
/// on it.
pub(crate) fn start_computing(
    core: &Arc<Core>,
    purpose: &'static str,
    body: impl FnOnce(&Arc<Core>) + Send + 'static,
) -> io::Result<thread::JoinHandle<()>> {
    #[cfg(feature = "rayon")]
    let body = move |core: &Arc<Core>| super::pool::alone(core, body);
    start(core, purpose, body)
}
