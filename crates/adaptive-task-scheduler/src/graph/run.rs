//! A run of a plan: which nodes are ready, who runs them, and what came of it.
//!
//! It owns, for each node, how many it still waits for, and how it ended. Whoever ends a
//! node counts down those after it; who counts to zero has released that node. A failed
//! node marks those after it before it counts them down, so that whoever releases one
//! sees the mark (the counting is AcqRel).
//!
//! Nodes on the CPU lane go into a heap, ordered by effective priority and then by the
//! longest remaining path. Workers, which are tasks of the CPU lane, take the best one
//! until there is none; there are as many as there is work for and the lane has threads.
//! Other nodes are tasks of their own. All these tasks are in one group, so whoever
//! awaits the run lends to all of them by one edge.
//!
//! A worker or task that starts another does so before it ends itself, under the
//! group's lock. A node whose task ends without running it (the scheduler is ending)
//! stops the run first, so that nothing is started from its destructor.

use super::{
    plan::{Attempt, Planned, Work},
    values::{Output, Values},
};
use crate::{
    group::TaskGroup,
    lane::Lane,
    primitives::Mutex,
    priority::Priority,
    put_off::PutOff,
    quietly::quietly,
    scheduler::Scheduler,
    task::{id::TaskName, job::BoxError},
};
use std::{
    any::Any,
    cmp::Reverse,
    collections::BinaryHeap,
    fmt,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{
            AtomicBool, AtomicU32, AtomicUsize,
            Ordering::{AcqRel, Acquire, Relaxed},
        },
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

/// Why a node gave no output.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum NodeError {
    /// Its work returned this error.
    Failed(Arc<dyn std::error::Error + Send + Sync>),
    /// Its work panicked, with this message.
    Panicked(String),
    /// This node, which it runs after directly or through others, failed.
    Dependency(TaskName),
    /// The run was cancelled, or the scheduler ended, before it was run.
    Cancelled,
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NodeError::Failed(error) => error.fmt(f),
            NodeError::Panicked(message) => write!(f, "panicked: {message}"),
            NodeError::Dependency(root) => write!(f, "not run, since \"{root}\" failed"),
            NodeError::Cancelled => f.write_str("cancelled"),
        }
    }
}

impl std::error::Error for NodeError {}

/// A run that has begun. Awaiting it gives the [`Report`], and lends the priority of
/// the task that awaits it to all that the run is doing.
///
/// Dropping it cancels the run, as [`cancel`](Run::cancel) does.
///
/// # Cancel safety
///
/// Awaiting `&mut run` may be given up and begun again; nothing is lost.
#[must_use = "dropping a run cancels it"]
pub struct Run(Arc<State>);

struct State {
    plan: Arc<Planned>,
    scheduler: Scheduler,
    values: Arc<Values>,
    /// How many nodes each one still waits for.
    left: Box<[AtomicU32]>,
    ends: Box<[OnceLock<Result<(), NodeError>>]>,
    /// For nodes that are not to be run: the node that failed, and one more.
    failed_before: Box<[AtomicU32]>,
    unfinished: AtomicUsize,
    is_stopped: AtomicBool,
    ready: Mutex<Ready>,
    group: Mutex<TaskGroup<()>>,
    waiter: Mutex<Option<Waker>>,
}

#[derive(Default)]
struct Ready {
    heap: BinaryHeap<(Priority, Duration, Reverse<u32>)>,
    workers: usize,
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("nodes", &self.0.plan.nodes.len())
            .field("unfinished", &self.unfinished())
            .finish()
    }
}

impl Run {
    pub(super) fn begin(plan: Arc<Planned>, scheduler: &Scheduler) -> Self {
        let places = plan.nodes.iter().map(|node| (node.place)(node.is_taken));
        let left = plan.shape.dependencies().iter().copied();
        let roots = (0u32..)
            .zip(left.clone())
            .filter(|&(_, left)| left == 0)
            .map(|(node, _)| node)
            .collect();
        let nodes = plan.nodes.len();
        let state = Arc::new(State {
            values: Arc::new(Values(places.collect())),
            left: left.map(AtomicU32::new).collect(),
            ends: (0..nodes).map(|_| OnceLock::new()).collect(),
            failed_before: (0..nodes).map(|_| AtomicU32::new(0)).collect(),
            unfinished: AtomicUsize::new(nodes),
            is_stopped: AtomicBool::new(false),
            ready: Mutex::default(),
            group: Mutex::new(scheduler.group()),
            waiter: Mutex::default(),
            scheduler: scheduler.clone(),
            plan,
        });
        state.start(roots, None);
        Run(state)
    }

    /// How many nodes have not ended yet.
    pub fn unfinished(&self) -> usize {
        self.0.unfinished.load(Acquire)
    }

    /// Begins no more nodes, and cancels those that are suspended. Closures that are
    /// running end first; awaiting the run waits for that.
    pub fn cancel(&self) {
        self.0.is_stopped.store(true, Relaxed);
        let _put_off = PutOff::begin();
        self.0.group.lock().cancel_all();
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if self.unfinished() > 0 {
            self.cancel();
        }
    }
}

impl Future for Run {
    type Output = Report;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Report> {
        let state = &self.0;
        let before = state.waiter.lock().replace(cx.waker().clone());
        drop(before);
        let _put_off = PutOff::begin();
        loop {
            let polled = state.group.lock().poll_next(cx);
            if state.unfinished.load(Acquire) == 0 {
                return Poll::Ready(Report(Arc::clone(state)));
            }
            match polled {
                Poll::Ready(Some(ended)) => drop(ended),
                // Whoever ends the last node wakes.
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// Ends its node if it is dropped without having run it.
struct Owed {
    state: Arc<State>,
    node: u32,
    is_paid: bool,
}

impl Owed {
    fn pay(mut self, end: Result<(), NodeError>) {
        self.is_paid = true;
        self.state.end(self.node, end);
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        if !self.is_paid {
            self.state.is_stopped.store(true, Relaxed);
            self.state.end(self.node, Err(NodeError::Cancelled));
        }
    }
}

impl State {
    /// Starts what was released; one of the nodes of the CPU lane is the caller's to
    /// run if it is a worker.
    fn start(self: &Arc<Self>, released: Vec<u32>, worker: Option<&mut Option<u32>>) {
        let mut computes = Vec::new();
        for node in released {
            match &self.plan.nodes[node as usize].work {
                Work::Call(Lane::Cpu, _) => computes.push(node),
                Work::Call(..) => {
                    let owed = self.owe(node);
                    self.spawn(node, |task| {
                        task.blocking().spawn_fn(move || {
                            let end = owed.state.call(node);
                            owed.pay(end);
                        })
                    });
                }
                Work::Future(begin) => {
                    let attempt = catch_unwind(AssertUnwindSafe(|| begin(&self.values)));
                    let owed = self.owe(node);
                    self.spawn(node, |task| {
                        task.spawn(async move {
                            let end = match attempt {
                                Ok(attempt) => caught(attempt).await,
                                Err(payload) => Err(panicked(payload)),
                            };
                            owed.pay(end);
                        })
                    });
                }
            }
        }
        self.compute(computes, worker);
    }

    fn owe(self: &Arc<Self>, node: u32) -> Owed {
        Owed {
            state: Arc::clone(self),
            node,
            is_paid: false,
        }
    }

    fn spawn(
        &self,
        node: u32,
        spawn: impl FnOnce(crate::TaskBuilder<'_>) -> crate::TaskHandle<()>,
    ) {
        let task = self.scheduler.task();
        let task = task.name(self.plan.nodes[node as usize].name.clone());
        let task = task.priority(self.plan.effective[node as usize]);
        let _put_off = PutOff::begin();
        let mut group = self.group.lock();
        let handle = spawn(task);
        group.insert(handle);
        if self.is_stopped.load(Relaxed) {
            // It may have been stopped since the node was released.
            group.cancel_all();
        }
    }

    /// Nodes of the CPU lane are ready.
    fn compute(self: &Arc<Self>, nodes: Vec<u32>, worker: Option<&mut Option<u32>>) {
        let mut hire = Vec::new();
        {
            let mut ready = self.ready.lock();
            for node in nodes {
                let priority = self.plan.effective[node as usize];
                let remaining = self.plan.remaining[node as usize];
                ready.heap.push((priority, remaining, Reverse(node)));
            }
            if let Some(next) = worker {
                *next = ready.heap.pop().map(|(_, _, Reverse(node))| node);
                if next.is_none() {
                    ready.workers -= 1;
                }
            }
            let threads = self.scheduler.core().cpu.threads();
            let best = ready.heap.peek().map(|&(priority, ..)| priority);
            let wanted = ready.heap.len().min(threads.saturating_sub(ready.workers));
            ready.workers += wanted;
            hire.extend(best.into_iter().cycle().take(wanted));
        }
        for priority in hire {
            let state = Arc::clone(self);
            let hired = Hired(Arc::clone(self));
            let task = self.scheduler.task().name("graph worker");
            let task = task.priority(priority);
            let _put_off = PutOff::begin();
            let mut group = self.group.lock();
            group.insert(task.cpu().spawn_fn(move || {
                std::mem::forget(hired);
                state.work();
            }));
        }
    }

    fn work(self: &Arc<Self>) {
        let mut next = None;
        self.compute(Vec::new(), Some(&mut next));
        while let Some(node) = next.take() {
            if crate::checkpoint().is_err() {
                self.is_stopped.store(true, Relaxed);
            }
            let end = self.call(node);
            let released = self.finish(node, end);
            self.start(released, Some(&mut next));
        }
    }

    fn call(&self, node: u32) -> Result<(), NodeError> {
        let Work::Call(_, call) = &self.plan.nodes[node as usize].work else {
            return Ok(());
        };
        if self.is_stopped.load(Relaxed) {
            return Err(NodeError::Cancelled);
        }
        outcome(catch_unwind(AssertUnwindSafe(|| call(&self.values))))
    }

    fn end(self: &Arc<Self>, node: u32, end: Result<(), NodeError>) {
        let released = self.finish(node, end);
        if !released.is_empty() {
            self.start(released, None);
        }
    }

    /// Ends the node, and those that will not be run. Gives those that are ready now.
    fn finish(&self, node: u32, end: Result<(), NodeError>) -> Vec<u32> {
        let mut released = Vec::new();
        let mut ended = vec![(node, end)];
        let mut count = 0;
        while let Some((node, end)) = ended.pop() {
            let root = match &end {
                Ok(()) => 0,
                Err(NodeError::Dependency(_)) => self.failed_before[node as usize].load(Relaxed),
                Err(_) => node + 1,
            };
            drop(self.ends[node as usize].set(end));
            count += 1;
            for &after in self.plan.shape.successors(node) {
                if root != 0 {
                    self.failed_before[after as usize].store(root, Relaxed);
                }
                if self.left[after as usize].fetch_sub(1, AcqRel) != 1 {
                    continue;
                }
                match self.failed_before[after as usize].load(Relaxed) {
                    _ if self.is_stopped.load(Relaxed) => {
                        ended.push((after, Err(NodeError::Cancelled)));
                    }
                    0 => released.push(after),
                    root => {
                        let root = self.plan.nodes[root as usize - 1].name.clone();
                        ended.push((after, Err(NodeError::Dependency(root))));
                    }
                }
            }
        }
        if self.unfinished.fetch_sub(count, AcqRel) == count
            && let Some(waker) = self.waiter.lock().take()
        {
            quietly(|| waker.wake());
        }
        released
    }
}

/// A worker that was not taken by the scheduler: what it would have run is cancelled.
struct Hired(Arc<State>);

impl Drop for Hired {
    fn drop(&mut self) {
        self.0.is_stopped.store(true, Relaxed);
        let left = {
            let mut ready = self.0.ready.lock();
            ready.workers -= 1;
            std::mem::take(&mut ready.heap)
        };
        for (_, _, Reverse(node)) in left {
            self.0.finish(node, Err(NodeError::Cancelled));
        }
    }
}

async fn caught(mut attempt: Attempt) -> Result<(), NodeError> {
    let poll = |cx: &mut Context<'_>| {
        let polled = catch_unwind(AssertUnwindSafe(|| attempt.as_mut().poll(cx)));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(end)) => Poll::Ready(outcome(Ok(end))),
            Err(payload) => Poll::Ready(outcome(Err(payload))),
        }
    };
    poll_fn(poll).await
}

fn outcome(end: Result<Result<(), BoxError>, Box<dyn Any + Send>>) -> Result<(), NodeError> {
    match end {
        Ok(end) => end.map_err(|error| NodeError::Failed(error.into())),
        Err(payload) => Err(panicked(payload)),
    }
}

fn panicked(payload: Box<dyn Any + Send>) -> NodeError {
    let message = match payload.downcast_ref::<&str>() {
        Some(message) => (*message).to_owned(),
        None => match payload.downcast_ref::<String>() {
            Some(message) => message.clone(),
            None => "a value that is no text".to_owned(),
        },
    };
    quietly(|| drop(payload));
    NodeError::Panicked(message)
}

/// What came of a run.
pub struct Report(Arc<State>);

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report")
            .field("nodes", &self.0.plan.nodes.len())
            .field("failures", &self.failures().count())
            .finish()
    }
}

impl Report {
    /// The output of a node; `None` if there is none, another node has taken it, or
    /// it is of another graph.
    pub fn get<T: Send + Sync + 'static>(&self, output: &Output<T>) -> Option<&T> {
        if output.graph != self.0.plan.graph {
            return None;
        }
        self.0.values.get(output.node)
    }

    /// Whether all nodes have given their outputs.
    pub fn is_ok(&self) -> bool {
        self.failures().next().is_none()
    }

    /// The nodes that gave no output and why, in the order of their declaration.
    pub fn failures(&self) -> impl Iterator<Item = (&TaskName, &NodeError)> {
        let ends = self.0.plan.nodes.iter().zip(&self.0.ends);
        ends.filter_map(|(node, end)| match end.get() {
            Some(Err(error)) => Some((&node.name, error)),
            _ => None,
        })
    }
}
