//! What the situations share: gates, recorders, and waits that have a limit.
//!
//! No test decides by the clock. The one limit here is against hanging: whoever
//! reaches it panics and says what was awaited.

#![allow(dead_code, reason = "each test file uses its own part")]

mod bystanders;
mod gate;

#[allow(unused_imports, reason = "see above")]
pub(crate) use {
    bystanders::Bystanders,
    gate::{Door, Gate},
};

use adaptive_task_scheduler::{
    Builder, Event, Events, Priority, Scheduler, ShutdownReport, TaskHandle, TaskId, TaskState,
};
use std::{
    collections::HashSet,
    future::{Future, IntoFuture},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread, ThreadId},
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;

/// How long anything may take before it counts as hanging.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Settings under which nothing but priority, deadline and arrival decides.
pub(crate) fn plain() -> Builder {
    Scheduler::builder()
        .cpu_threads(1)
        .promotion(false)
        .ageing(None)
}

/// A scheduler with one slot on a runtime of its own, under [`plain`] settings.
pub(crate) fn one_slot() -> Scheduler {
    plain().io_slots(1).build_runtime().unwrap()
}

/// Occupies one slot of the I/O lane until the gate is opened.
pub(crate) fn hold_slot(scheduler: &Scheduler) -> Gate {
    let gate = Gate::closed("the slot's holder");
    let door = gate.door();
    let task = scheduler
        .task()
        .name("holder")
        .priority(Priority::Monitoring);
    task.spawn(async move { door.pass() }).detach();
    gate.wait_for_arrivals(1);
    gate
}

/// Waits until `holds` does, looking now and then.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !holds() {
        assert!(
            Instant::now() < end,
            "waited {LIMIT:?} in vain until {what}"
        );
        thread::sleep(Duration::from_millis(1));
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future to its end on this thread, with nothing of Tokio's, so that
/// it also notices when a runtime stands still.
pub(crate) fn wait_for<F: IntoFuture>(what: &str, future: F) -> F::Output {
    let mut future = pin!(future.into_future());
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let end = Instant::now() + LIMIT;
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        let left = end.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "waited {LIMIT:?} in vain for {what}");
        thread::park_timeout(left);
    }
}

/// Waits for all the tasks and gives their values.
pub(crate) fn join_all<T: 'static>(handles: impl IntoIterator<Item = TaskHandle<T>>) -> Vec<T> {
    handles
        .into_iter()
        .map(|handle| {
            let name = handle.name().to_string();
            wait_for(&name, handle).unwrap_or_else(|error| panic!("{name}: {error}"))
        })
        .collect()
}

/// Shuts down from a thread outside of the runtime.
pub(crate) fn shut_down(scheduler: &Scheduler, limit: Duration) -> ShutdownReport {
    let _inside = scheduler.runtime().enter();
    wait_for("shutdown", scheduler.shutdown(limit))
}

/// The effective priority of an unfinished task, to whomever its handle
/// belongs.
pub(crate) fn effective(scheduler: &Scheduler, task: TaskId) -> Priority {
    let explanation = scheduler.explain(task).expect("the task has not ended");
    explanation.chain[0].effective_priority
}

/// Remembers in which order things happened.
#[derive(Debug)]
pub(crate) struct Order<T>(Arc<Mutex<Vec<T>>>);

impl<T> Clone for Order<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone> Order<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn note(&self, happened: T) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(happened);
    }

    pub(crate) fn seen(&self) -> Vec<T> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Hands out what was seen and forgets it.
    pub(crate) fn take(&self) -> Vec<T> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The events received so far.
pub(crate) fn drain(events: &mut Events) -> Vec<Event> {
    std::iter::from_fn(|| events.try_recv()).collect()
}

/// Receives events until one `is` what is awaited. Gives all, that one last.
pub(crate) fn events_until(
    what: &str,
    events: &mut Events,
    mut is: impl FnMut(&Event) -> bool,
) -> Vec<Event> {
    let mut all = Vec::new();
    wait_for(what, async {
        while let Some(event) = events.recv().await {
            let found = is(&event);
            all.push(event);
            if found {
                return;
            }
        }
        panic!("the events ended before {what}: {all:#?}");
    });
    all
}

/// Whether the event is a step of promotion that the sentinel takes.
pub(crate) fn is_promotion(event: &Event) -> bool {
    matches!(
        event,
        Event::HandedOff { .. } | Event::Relocated { .. } | Event::Stalled { .. }
    )
}

/// A multi-thread runtime of the test's own, and the threads of its workers.
/// (Tokio gives its blocking threads the same name.)
pub(crate) fn runtime(workers: usize) -> (Runtime, HashSet<ThreadId>) {
    let started = Order::new();
    let noted = started.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .on_thread_start(move || noted.note(thread::current().id()))
        .build()
        .unwrap();
    until("the workers have started", || {
        started.seen().len() == workers
    });
    (runtime, started.seen().into_iter().collect())
}

/// The name of the current thread.
pub(crate) fn thread_name() -> String {
    thread::current().name().unwrap_or("unnamed").to_owned()
}

/// Waits until the task is suspended.
pub(crate) fn until_suspended<T>(task: &TaskHandle<T>) {
    until("the task is suspended", || {
        task.state() == TaskState::Suspended
    });
}
