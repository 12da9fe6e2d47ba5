//! Groups: tasks that are awaited together and cancelled together.
//!
//! A group is a node of the wait graph: each of its tasks lends nothing to it,
//! but what is lent to the group it lends to all of them. So a task that waits
//! for the next of a thousand has one edge, not a thousand, and all of the
//! group's unfinished tasks get its priority at once.

use crate::{
    core::{edges, finish, inverted},
    error::TaskError,
    handle::TaskHandle,
    options::TaskBuilder,
    primitives::Mutex,
    quietly::quietly,
    scheduler::Scheduler,
    task::{current, id::TaskId, record, slab},
    waits::{donation, links::Watching, node::NodeKind},
};
use std::{
    collections::{HashMap, VecDeque},
    fmt,
    future::{Future, poll_fn},
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, Waker},
};

/// A set of tasks of one value type, like Tokio's `JoinSet`. Dropping it
/// cancels the tasks that are left.
///
/// ```
/// # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
/// let scheduler = adaptive_task_scheduler::Scheduler::new();
/// let mut squares = scheduler.group();
/// for n in 1..=3u64 {
///     squares.spawn(async move { n * n });
/// }
/// let mut sum = 0;
/// while let Some(square) = squares.join_next().await {
///     sum += square.unwrap();
/// }
/// assert_eq!(sum, 14);
/// # })
/// ```
pub struct TaskGroup<T> {
    scheduler: Scheduler,
    node: Option<TaskId>,
    tasks: HashMap<TaskId, TaskHandle<T>>,
    done: Arc<Done>,
    waiter: Option<TaskId>,
}

/// The members that have ended, in that order.
#[derive(Debug, Default)]
struct Done(Mutex<DoneState>);

#[derive(Debug, Default)]
struct DoneState {
    ended: VecDeque<TaskId>,
    waker: Option<Waker>,
}

impl Done {
    /// Who is to be woken for it.
    fn note(&self, id: TaskId) -> Option<Waker> {
        let mut state = self.0.lock();
        state.ended.push_back(id);
        state.waker.take()
    }
}

impl Watching for Done {
    fn ended(&self, id: TaskId, _: Option<&TaskError>) {
        if let Some(waker) = self.note(id) {
            quietly(|| waker.wake());
        }
    }
}

impl<T: Send + 'static> TaskGroup<T> {
    pub(crate) fn new(scheduler: &Scheduler) -> Self {
        Self {
            scheduler: scheduler.clone(),
            node: scheduler.core().start_node("group".into(), NodeKind::Group),
            tasks: HashMap::new(),
            done: Arc::default(),
            waiter: None,
        }
    }

    /// Spawns a future into the group.
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F) -> TaskId
    where
        F: Future<Output = T> + Send + 'static,
    {
        let handle = self.scheduler.spawn(future);
        self.insert(handle)
    }

    /// Spawns a future into the group, with options.
    #[track_caller]
    pub fn spawn_with<F>(
        &mut self,
        options: impl FnOnce(TaskBuilder<'_>) -> TaskBuilder<'_>,
        future: F,
    ) -> TaskId
    where
        F: Future<Output = T> + Send + 'static,
    {
        let handle = options(self.scheduler.task()).spawn(future);
        self.insert(handle)
    }

    /// Takes a task that was spawned elsewhere into the group.
    pub fn insert(&mut self, handle: TaskHandle<T>) -> TaskId {
        let id = handle.id();
        if let Some(waker) = self.add(handle) {
            quietly(|| waker.wake());
        }
        id
    }

    /// As [`insert`](Self::insert), and leaves it to the caller to wake who waits for the
    /// next task to end: the caller may hold a lock.
    #[must_use = "it is to be woken"]
    pub(crate) fn add(&mut self, handle: TaskHandle<T>) -> Option<Waker> {
        let id = handle.id();
        let waker = match slab::record(id).live_links(id.generation()) {
            Some(mut links) => {
                links.rare().watchers.push(Arc::clone(&self.done) as _);
                drop(links);
                if let Some(node) = self.node {
                    let now = self.scheduler.core().tick();
                    donation::add_edge_at(&edges::Everywhere, node, id, now);
                    // Who waits on the group waits on its members.
                    slab::record(id)
                        .facts
                        .waiter
                        .store(node.raw(), Ordering::Relaxed);
                }
                None
            }
            None => self.done.note(id),
        };
        self.tasks.insert(id, handle);
        waker
    }

    /// How many tasks have not been joined yet.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether all tasks have been joined.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The result of the next task to end; `None` if none is left.
    ///
    /// Inside a task, its priority is lent to all tasks of the group while it
    /// waits here.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no result.
    pub async fn join_next(&mut self) -> Option<Result<T, TaskError>> {
        let waiting = Waiting(self);
        poll_fn(|cx| waiting.0.poll_next(cx)).await
    }

    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, TaskError>>> {
        while !self.tasks.is_empty() {
            let Some(id) = self.next_ended(cx) else {
                return match self.wait() {
                    Ok(()) => Poll::Pending,
                    Err(cycle) => Poll::Ready(Some(Err(self.give_up_on_cycle(cycle)))),
                };
            };
            // Tasks that were detached end as well, but are nobody's any more.
            if let Some(mut handle) = self.tasks.remove(&id) {
                if let (Some(waiter), Some(node)) = (self.waiter, self.node) {
                    inverted::note_member(waiter, node, id);
                    self.end_wait();
                }
                // It has ended, so it is ready, and waits for nobody.
                return std::pin::Pin::new(&mut handle).poll(cx).map(Some);
            }
        }
        Poll::Ready(None)
    }

    fn next_ended(&self, cx: &Context<'_>) -> Option<TaskId> {
        let waker = cx.waker().clone();
        let mut state = self.done.0.lock();
        let next = state.ended.pop_front();
        let before = if next.is_none() {
            state.waker.replace(waker)
        } else {
            None
        };
        drop(state);
        drop(before);
        next
    }

    /// Detaches the member on the cycle, so that each cycle is told once.
    fn give_up_on_cycle(&mut self, cycle: TaskError) -> TaskError {
        let on_cycle = cycle.cycle().unwrap_or_default().iter().map(|(id, _)| *id);
        let members: Vec<TaskId> = on_cycle.filter(|id| self.tasks.contains_key(id)).collect();
        for id in members {
            if let Some(node) = self.node {
                edges::end_wait(node, id);
            }
            self.tasks.remove(&id);
        }
        cycle
    }

    fn wait(&mut self) -> Result<(), TaskError> {
        let (now, Some(node)) = (current::task(), self.node) else {
            return Ok(());
        };
        if self.waiter == now {
            return Ok(());
        }
        self.end_wait();
        let Some(now) = now else { return Ok(()) };
        let begun = current::carrying(|carrying| match carrying {
            Some(carrying) => edges::begin_wait(&carrying.core, now, node),
            None => Ok(()),
        });
        match begun {
            Ok(()) => {
                self.waiter = Some(now);
                Ok(())
            }
            Err(path) => Err(TaskError::of_cycle(now, edges::name_of(now), path)),
        }
    }
}

impl<T> TaskGroup<T> {
    /// Asks all tasks that are left to end. They can still be joined.
    pub fn cancel_all(&self) {
        self.tasks.values().for_each(TaskHandle::cancel);
    }

    /// As [`cancel_all`](Self::cancel_all), but for these.
    pub(crate) fn cancel_others(&self, spared: &[TaskId]) {
        let others = self.tasks.values();
        let others = others.filter(|task| !spared.contains(&task.id()));
        others.for_each(TaskHandle::cancel);
    }

    /// Lets all tasks that are left go on unobserved.
    pub fn detach_all(&mut self) {
        for (id, handle) in self.tasks.drain() {
            // What the group is lent is not for them any more.
            if let Some(node) = self.node {
                edges::end_wait(node, id);
            }
            handle.detach();
        }
    }

    fn end_wait(&mut self) {
        if let (Some(waiter), Some(node)) = (self.waiter.take(), self.node) {
            edges::end_wait(waiter, node);
        }
    }
}

/// Takes the lent priority back when the wait is over or given up.
struct Waiting<'a, T>(&'a mut TaskGroup<T>);

impl<T> Drop for Waiting<'_, T> {
    fn drop(&mut self) {
        self.0.end_wait();
    }
}

impl<T> Drop for TaskGroup<T> {
    fn drop(&mut self) {
        self.cancel_all();
        if let Some(node) = self.node.take() {
            let (ending, ended) = record::end_node(slab::record(node));
            finish::serve(node, ending, None);
            finish::free(node, ended);
        }
    }
}

impl<T> fmt::Debug for TaskGroup<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskGroup")
            .field("left", &self.tasks.len())
            .finish()
    }
}
