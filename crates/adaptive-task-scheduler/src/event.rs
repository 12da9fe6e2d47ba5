//! What happens, as one closed set of events.
//!
//! It owns: the subscribers' channels. Events are made only while somebody
//! listens; otherwise an event costs a branch.
//!
//! All events of a scheduler go through one queue, so every subscriber sees them
//! in the same order. A subscriber that does not keep up loses events, which are
//! counted, and never slows a task down.

use crate::{
    core::Core,
    error::TaskError,
    lane::Lane,
    primitives::Mutex,
    priority::Priority,
    put_off,
    quietly::quietly,
    task::id::{TaskId, TaskName},
};
use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::mpsc::{self, error::TrySendError};

/// Something that happened to a task or to the scheduler.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "the fields at, task and name say what they are"
)]
pub enum Event {
    /// A task was spawned, to run after the tasks named.
    Spawned {
        at: Instant,
        task: TaskId,
        name: TaskName,
        priority: Priority,
        lane: Lane,
        after: Vec<(TaskId, TaskName)>,
    },
    /// A task was queued, at its effective priority.
    Ready {
        at: Instant,
        task: TaskId,
        name: TaskName,
        priority: Priority,
        lane: Lane,
    },
    /// A task's first poll begins, on the thread named.
    Started {
        at: Instant,
        task: TaskId,
        name: TaskName,
        lane: Lane,
        thread: String,
    },
    /// A task began to wait on another, declared or by awaiting it.
    Waiting {
        at: Instant,
        task: TaskId,
        name: TaskName,
        on: TaskId,
        on_name: TaskName,
    },
    /// A task has waited longer than the scheduler's patience on one that is
    /// stuck in a poll, which will therefore be relocated.
    Stalled {
        at: Instant,
        task: TaskId,
        name: TaskName,
        on: TaskId,
        on_name: TaskName,
        waited: Duration,
    },
    /// A task's effective priority rose, because of the task named.
    Boosted {
        at: Instant,
        task: TaskId,
        name: TaskName,
        from: Priority,
        to: Priority,
        by: Option<(TaskId, TaskName)>,
    },
    /// What had been lent to a task was taken back.
    Unboosted {
        at: Instant,
        task: TaskId,
        name: TaskName,
        from: Priority,
        to: Priority,
    },
    /// A task's polls run on another lane from now on.
    Relocated {
        at: Instant,
        task: TaskId,
        name: TaskName,
        from: Lane,
        to: Lane,
        why: Why,
    },
    /// The slot of a task that is stuck in a poll was handed to a relief.
    HandedOff {
        at: Instant,
        task: TaskId,
        name: TaskName,
        slot: usize,
        why: Why,
    },
    /// A slot went back from a relief to its Tokio worker.
    TakenBack { at: Instant, slot: usize },
    /// A task gave its value, this long after its first poll began.
    Completed {
        at: Instant,
        task: TaskId,
        name: TaskName,
        elapsed: Duration,
    },
    /// A task ended without a value.
    Failed {
        at: Instant,
        task: TaskId,
        name: TaskName,
        error: TaskError,
    },
    /// Tasks of a class begin on another lane from now on, because of its long
    /// polls. The share is of CPU time in them, from 0 to 1.
    Learned {
        at: Instant,
        class: TaskName,
        lane: Lane,
        long_polls: u32,
        cpu_share: f64,
    },
    /// Tasks of a class do not begin on this lane any more: its polls were short
    /// for long enough.
    Unlearned {
        at: Instant,
        class: TaskName,
        lane: Lane,
    },
    /// A task has not begun, and less time is left to its deadline than tasks of
    /// its class are expected to take. It was boosted if its spawner asked for it.
    DeadlineAtRisk {
        at: Instant,
        task: TaskId,
        name: TaskName,
        deadline: Instant,
        expected: Duration,
        boosted: Option<Priority>,
    },
    /// A lock of [`sync`](crate::sync) was granted to a task this long ago, and the
    /// future that waits for it was not polled since: the task is not polled, or
    /// polls something else. Nobody else can have the lock.
    GrantUnused {
        at: Instant,
        task: TaskId,
        name: TaskName,
        lock: TaskName,
        granted: Duration,
    },
    /// A thread could not be started. Nothing is lost, but the machine is full.
    ThreadFailed {
        at: Instant,
        purpose: &'static str,
        error: String,
    },
}

/// Why a task was promoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// It computed in one poll for this long.
    Computing {
        /// How long, when it was seen.
        polled: Duration,
    },
    /// It slept in one poll for this long.
    Blocked {
        /// How long, when it was seen.
        polled: Duration,
    },
    /// It said that it would block.
    WillBlock,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Computing { polled } => write!(f, "computing in one poll for {polled:.1?}"),
            Why::Blocked { polled } => write!(f, "blocked in one poll for {polled:.1?}"),
            Why::WillBlock => f.write_str("about to block, as it said"),
        }
    }
}

impl Event {
    /// When it happened.
    pub fn at(&self) -> Instant {
        match self {
            Event::Spawned { at, .. }
            | Event::Ready { at, .. }
            | Event::Started { at, .. }
            | Event::Waiting { at, .. }
            | Event::Stalled { at, .. }
            | Event::Boosted { at, .. }
            | Event::Unboosted { at, .. }
            | Event::Relocated { at, .. }
            | Event::HandedOff { at, .. }
            | Event::TakenBack { at, .. }
            | Event::Completed { at, .. }
            | Event::Failed { at, .. }
            | Event::Learned { at, .. }
            | Event::Unlearned { at, .. }
            | Event::DeadlineAtRisk { at, .. }
            | Event::GrantUnused { at, .. }
            | Event::ThreadFailed { at, .. } => *at,
        }
    }

    /// The task it happened to, if it happened to one.
    pub fn task(&self) -> Option<TaskId> {
        match self {
            Event::Spawned { task, .. }
            | Event::Ready { task, .. }
            | Event::Started { task, .. }
            | Event::Waiting { task, .. }
            | Event::Stalled { task, .. }
            | Event::Boosted { task, .. }
            | Event::Unboosted { task, .. }
            | Event::Relocated { task, .. }
            | Event::HandedOff { task, .. }
            | Event::Completed { task, .. }
            | Event::DeadlineAtRisk { task, .. }
            | Event::GrantUnused { task, .. }
            | Event::Failed { task, .. } => Some(*task),
            Event::TakenBack { .. }
            | Event::Learned { .. }
            | Event::Unlearned { .. }
            | Event::ThreadFailed { .. } => None,
        }
    }
}

/// Receives the events of a scheduler, from
/// [`Scheduler::subscribe`](crate::Scheduler::subscribe) on.
#[derive(Debug)]
pub struct Events {
    receiver: mpsc::Receiver<Event>,
    dropped: Arc<AtomicU64>,
}

impl Events {
    /// The next event; `None` when the scheduler is gone and all were received.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no event.
    pub async fn recv(&mut self) -> Option<Event> {
        self.receiver.recv().await
    }

    /// The next event, if there is one now.
    pub fn try_recv(&mut self) -> Option<Event> {
        self.receiver.try_recv().ok()
    }

    /// The next event, waiting for it on this thread.
    ///
    /// # Panics
    ///
    /// Panics when called inside asynchronous code, as Tokio's does.
    pub fn blocking_recv(&mut self) -> Option<Event> {
        self.receiver.blocking_recv()
    }

    /// How many events were lost because this subscriber did not keep up.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct Subscriber {
    sender: mpsc::Sender<Event>,
    dropped: Arc<AtomicU64>,
}

/// Where a scheduler's events go.
///
/// Delivering an event wakes its receiver, which may be a task whose waking is
/// an event itself. So events are queued under the lock and delivered without
/// it, by one thread at a time, and not while that holds a lock (see `put_off`).
#[derive(Debug)]
pub(crate) struct EventSink {
    core: Weak<Core>,
    listening: AtomicUsize,
    state: Mutex<SinkState>,
}

#[derive(Debug, Default)]
struct SinkState {
    subscribers: Vec<Arc<Subscriber>>,
    pending: VecDeque<Event>,
    is_delivering: bool,
}

impl EventSink {
    /// Of the scheduler.
    pub(crate) fn new(core: Weak<Core>) -> Self {
        Self {
            core,
            listening: AtomicUsize::new(0),
            state: Mutex::default(),
        }
    }

    pub(crate) fn subscribe(&self, capacity: usize) -> Events {
        let (sender, receiver) = mpsc::channel(capacity.clamp(1, MOST_EVENTS));
        let dropped = Arc::new(AtomicU64::new(0));
        let mut state = self.state.lock();
        state.subscribers.push(Arc::new(Subscriber {
            sender,
            dropped: Arc::clone(&dropped),
        }));
        self.listening
            .store(state.subscribers.len(), Ordering::Release);
        Events { receiver, dropped }
    }

    #[inline]
    pub(crate) fn is_listening(&self) -> bool {
        cfg!(feature = "tracing") || self.listening.load(Ordering::Relaxed) > 0
    }

    /// Sends the event that `make` makes, if anybody listens.
    #[inline]
    pub(crate) fn emit(&self, make: impl FnOnce(Instant) -> Event) {
        if self.is_listening() {
            self.send(make(Instant::now()));
        }
    }

    #[cold]
    fn send(&self, event: Event) {
        {
            let mut state = self.state.lock();
            state.pending.push_back(event);
            if std::mem::replace(&mut state.is_delivering, true) {
                return;
            }
        }
        if !put_off::is_put_off(|| self.core.upgrade()) {
            self.deliver();
        }
    }

    /// Delivers all that is queued. Only for whom `send` made the one who delivers.
    pub(crate) fn deliver(&self) {
        while let Some((event, subscribers)) = self.next() {
            #[cfg(feature = "tracing")]
            quietly(|| trace(&event));
            for subscriber in &subscribers {
                quietly(|| deliver(subscriber, &event));
            }
        }
    }

    /// The next event to deliver, and to whom. With none left, delivering ends.
    fn next(&self) -> Option<(Event, Vec<Arc<Subscriber>>)> {
        let mut state = self.state.lock();
        let is_gone = |subscriber: &Arc<Subscriber>| subscriber.sender.is_closed();
        let mut gone = Vec::new();
        while let Some(at) = state.subscribers.iter().position(is_gone) {
            gone.push(state.subscribers.swap_remove(at));
        }
        self.listening
            .store(state.subscribers.len(), Ordering::Release);
        let event = state.pending.pop_front();
        state.is_delivering = event.is_some();
        let subscribers = match event {
            Some(_) => state.subscribers.clone(),
            None => Vec::new(),
        };
        drop(state);
        // Dropping a sender may wake a task, which is an event of its own.
        quietly(|| drop(gone));
        Some((event?, subscribers))
    }
}

/// The most that a subscriber's channel can hold, as Tokio limits it.
const MOST_EVENTS: usize = tokio::sync::Semaphore::MAX_PERMITS;

fn deliver(subscriber: &Subscriber, event: &Event) {
    if let Err(TrySendError::Full(_)) = subscriber.sender.try_send(event.clone()) {
        subscriber.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(feature = "tracing")]
fn trace(event: &Event) {
    match event {
        Event::Failed {
            task, name, error, ..
        } => {
            tracing::warn!(target: "adaptive_task_scheduler", %task, %name, %error, "failed");
        }
        Event::ThreadFailed { purpose, error, .. } => {
            tracing::warn!(target: "adaptive_task_scheduler", purpose, error, "thread failed");
        }
        Event::GrantUnused {
            task, name, lock, ..
        } => {
            tracing::warn!(target: "adaptive_task_scheduler", %task, %name, %lock, "grant unused");
        }
        Event::Relocated { .. }
        | Event::HandedOff { .. }
        | Event::Stalled { .. }
        | Event::Learned { .. }
        | Event::Unlearned { .. }
        | Event::DeadlineAtRisk { .. } => {
            tracing::info!(target: "adaptive_task_scheduler", ?event);
        }
        _ => tracing::trace!(target: "adaptive_task_scheduler", ?event),
    }
}
