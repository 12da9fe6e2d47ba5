//! One run: its values, how far it is, and who works for it.
//!
//! It owns: the desk, where all that changes is kept under one lock for a few steps at a
//! time; the values, which nodes put and read without it ([`arena`](super::arena)); and the
//! group of all tasks that work for the run, so that who awaits the run lends to all of
//! them by one edge.
//!
//! Protocol:
//!
//! 1. A node is released at the desk, by whoever ends the last one that it runs after.
//! 2. Nodes of the CPU lane wait there, by rank, for a [worker](super::workers): a task of
//!    the CPU lane that runs one after the other. Whoever leaves the desk while more is
//!    ready than there are workers for hires one, if that is worth it.
//! 3. Other nodes become [tasks of their own](super::apart), begun by whoever released
//!    them, after the desk is unlocked.
//! 4. A worker or task that starts another does so before it ends itself. So when none of
//!    the group is left, all nodes have ended; who awaits the run is woken by that, and
//!    nobody else uses the values any more but who keeps a [`Shared`](super::Shared).
//!
//! No code of users runs while the desk is locked; what they may have written a destructor
//! for is left in `spent` and dropped after that. A worker or task that the scheduler does
//! not take stops the run, so that nothing is started from its destructor.

use super::{
    arena::{Arena, Place},
    plan::{Memory, Planned, Way},
    policy::OnFailure,
    progress::{End, Progress, Stop},
    ranks::kind,
    report::NodeError,
    work::Items,
};
use crate::{
    TaskBuilder, TaskHandle,
    group::TaskGroup,
    handle,
    primitives::{Mutex, MutexGuard},
    priority::{LEVELS, Priority},
    put_off::PutOff,
    quietly::quietly,
    scheduler::Scheduler,
    task::id::TaskId,
};
use std::{
    cell::Cell,
    collections::HashMap,
    fmt, mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// One run. Public only as a part of sealed traits.
pub struct State {
    pub(super) plan: Arc<Planned>,
    pub(super) way: Way,
    pub(super) scheduler: Scheduler,
    pub(super) on_failure: OnFailure,
    pub(super) begun: Instant,
    pub(super) arena: Arena,
    pub(super) desk: Mutex<Desk>,
    /// Less is begun than was to be; as a hint, without the desk.
    pub(super) is_stopped: AtomicBool,
    /// A node may lack an input without anybody having failed.
    has_skipped: AtomicBool,
    pub(super) group: Mutex<TaskGroup<()>>,
    /// Tasks of the group whose nodes are run anyway; used under its lock.
    spared: Mutex<Vec<TaskId>>,
}

thread_local! {
    /// This thread is handing a task to a scheduler.
    static IS_SPAWNING: Cell<bool> = const { Cell::new(false) };
}

/// What changes, under one lock.
pub(super) struct Desk {
    pub(super) progress: Progress,
    pub(super) errors: HashMap<u32, NodeError>,
    /// Nodes whose items are being worked on.
    pub(super) expanded: HashMap<u32, Expansion>,
    pub(super) workers: usize,
    /// Of these, by level, those whose tasks have not begun yet.
    pub(super) queued: [usize; LEVELS],
    /// Workers that run nodes that are not short.
    pub(super) at_length: usize,
    pub(super) took: Option<Duration>,
    /// All tasks of the run but those of nodes that are run anyway are to be cancelled once
    /// the desk is unlocked.
    is_to_cancel: bool,
    /// Values of other people, to be dropped once the desk is unlocked.
    pub(super) spent: Vec<Box<dyn Send>>,
}

impl Desk {
    /// Whether all workers are queued, each below this priority: then one that is not is
    /// needed, or what is ready would wait for what is less important.
    fn is_queued_below(&self, priority: Priority) -> bool {
        let level = usize::from(priority.level());
        let queued: usize = self.queued[..level].iter().sum();
        self.workers > 0 && queued == self.workers
    }
}

/// A node whose items are being worked on.
pub(super) struct Expansion {
    pub(super) items: Arc<dyn Items>,
    /// The next item to begin.
    pub(super) next: usize,
    /// Items that have not ended.
    pub(super) left: usize,
    /// How it will end, if not well.
    pub(super) error: Option<NodeError>,
}

impl fmt::Debug for Expansion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expansion")
            .field("items", &self.items.len())
            .field("next", &self.next)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

/// What is to be done once the desk is unlocked.
#[derive(Default)]
pub(super) struct Due {
    /// Nodes that are tasks of their own.
    apart: Vec<u32>,
    /// The best ready node of each worker to be hired.
    hire: Vec<u32>,
    is_to_cancel: bool,
    spent: Vec<Box<dyn Send>>,
}

impl State {
    pub(super) fn new(plan: Arc<Planned>, scheduler: &Scheduler, on_failure: OnFailure) -> Self {
        let Memory { arena, progress } = plan.memory();
        Self {
            way: plan.begin_run(),
            scheduler: scheduler.clone(),
            on_failure,
            begun: Instant::now(),
            arena,
            desk: Mutex::new(Desk {
                progress,
                errors: HashMap::new(),
                expanded: HashMap::new(),
                workers: 0,
                queued: [0; LEVELS],
                at_length: 0,
                took: None,
                is_to_cancel: false,
                spent: Vec::new(),
            }),
            is_stopped: AtomicBool::new(false),
            has_skipped: AtomicBool::new(false),
            group: Mutex::new(scheduler.group()),
            spared: Mutex::default(),
            plan,
        }
    }

    pub(super) fn has(&self, node: u32) -> bool {
        self.arena.has(node)
    }

    pub(super) fn get<T>(&self, place: Place<T>) -> Option<&T> {
        self.arena.get(&self.plan.places, place)
    }

    pub(super) fn read<T>(&self, place: Place<T>) -> &T {
        self.get(place).expect("it runs after the value is there")
    }

    pub(super) fn take<T>(&self, place: Place<T>) -> T {
        let taken = self.arena.take(&self.plan.places, place);
        taken.expect("only this one takes it, after it is there")
    }

    pub(super) fn put<T>(&self, place: Place<T>, value: T) {
        self.arena.put(&self.plan.places, place, value);
    }

    pub(super) fn is(&self, node: u32, kind: u8) -> bool {
        self.way.ranks.is(node, kind)
    }

    pub(super) fn may_lack(&self) -> bool {
        self.has_skipped.load(Relaxed)
    }

    /// Begins with what runs after nothing.
    pub(super) fn begin(self: &Arc<Self>) {
        let mut desk = self.desk.lock();
        desk.progress.begin(&self.plan.shape, &self.way.ranks);
        self.leave(desk);
    }

    /// A node that was begun has ended, on a task of its own.
    pub(super) fn end(self: &Arc<Self>, node: u32, end: Result<End, NodeError>) {
        let mut desk = self.desk.lock();
        self.note_end(&mut desk, node, end);
        self.leave(desk);
    }

    pub(super) fn note_end(&self, desk: &mut Desk, node: u32, end: Result<End, NodeError>) {
        let end = match end {
            Ok(end) => end,
            Err(error) => {
                let is_cancelled = matches!(error, NodeError::Cancelled);
                desk.errors.insert(node, error);
                if is_cancelled {
                    End::Cancelled
                } else {
                    End::Failed
                }
            }
        };
        if end != End::Done {
            // Before anything that runs after it is released.
            self.has_skipped.store(true, Relaxed);
        }
        desk.progress
            .end(&self.plan.shape, &self.way.ranks, node, end);
        match end {
            // What begins after the first failure is run anyway.
            End::Failed
                if self.on_failure != OnFailure::KeepGoing
                    && desk.progress.stopped() == Stop::No =>
            {
                self.stop_at(desk, Stop::ButAnyway);
                desk.is_to_cancel = self.on_failure == OnFailure::Stop;
            }
            // By the scheduler, since nothing of this run was.
            End::Cancelled if desk.progress.stopped() == Stop::No => {
                self.stop_at(desk, Stop::All);
            }
            _ => {}
        }
    }

    /// Begins less from now on.
    pub(super) fn stop(self: &Arc<Self>, stop: Stop) {
        let mut desk = self.desk.lock();
        self.stop_at(&mut desk, stop);
        self.leave(desk);
    }

    pub(super) fn stop_at(&self, desk: &mut Desk, stop: Stop) {
        if desk.progress.stopped() >= stop {
            return;
        }
        self.is_stopped.store(true, Relaxed);
        desk.progress.stop(&self.plan.shape, &self.way.ranks, stop);
        // Items that have not begun are not begun any more.
        let nodes: Vec<u32> = desk.expanded.keys().copied().collect();
        for node in nodes {
            self.cut(desk, node, NodeError::Cancelled);
        }
    }

    /// A task was dropped before it ran. If the scheduler did not take it, it takes no other
    /// either: nothing is started from the destructor, so chains of such nodes need no stack.
    pub(super) fn stop_if_refused(&self, desk: &mut Desk) {
        if IS_SPAWNING.try_with(Cell::get).unwrap_or(true) {
            self.stop_at(desk, Stop::All);
        }
    }

    /// Cancels the tasks that work for this run.
    pub(super) fn cancel_tasks(&self) {
        let _put_off = PutOff::begin();
        self.group.lock().cancel_all();
    }

    /// Cancels the tasks that work for this run, but for those of nodes that are run anyway.
    fn cancel_others(&self) {
        let _put_off = PutOff::begin();
        let group = self.group.lock();
        group.cancel_others(&self.spared.lock());
    }

    /// Begins no more items of a node, which ends with this error after those that have.
    pub(super) fn cut(&self, desk: &mut Desk, node: u32, error: NodeError) {
        let Some(expansion) = desk.expanded.get_mut(&node) else {
            return;
        };
        let items = expansion.items.len();
        expansion.left -= items - expansion.next;
        expansion.next = items;
        match expansion.error {
            None => expansion.error = Some(error),
            Some(_) => desk.spent.push(Box::new(error)),
        }
        let is_over = expansion.left == 0;
        desk.progress.withdraw(&self.way.ranks, node);
        if is_over && let Some(Expansion { error, items, .. }) = desk.expanded.remove(&node) {
            desk.spent.push(Box::new(items));
            self.note_end(desk, node, Err(error.unwrap_or(NodeError::Cancelled)));
        }
    }

    /// Unlocks the desk and does what is due.
    pub(super) fn leave(self: &Arc<Self>, mut desk: MutexGuard<'_, Desk>) {
        let due = self.due(&mut desk);
        drop(desk);
        self.settle(due);
    }

    fn due(&self, desk: &mut Desk) -> Due {
        let mut due = Due {
            is_to_cancel: mem::take(&mut desk.is_to_cancel),
            spent: mem::take(&mut desk.spent),
            apart: match desk.progress.has_apart() {
                true => desk.progress.take_apart(),
                false => Vec::new(),
            },
            ..Due::default()
        };
        let wanted = self.wanted(desk);
        if wanted > 0
            && let Some(first) = desk.progress.first(&self.way.ranks)
        {
            desk.workers += wanted;
            desk.queued[usize::from(self.effective(first).level())] += wanted;
            due.hire = vec![first; wanted];
        }
        if desk.progress.is_finished() && desk.took.is_none() {
            let took = self.begun.elapsed();
            desk.took = Some(took);
            if desk.progress.counts().done as usize == self.plan.names.len() {
                self.plan.end_run(&self.way, took);
            }
        }
        due
    }

    /// How many more workers are worth being hired.
    pub(super) fn wanted(&self, desk: &Desk) -> usize {
        let ready = desk.progress.ready();
        let threads = self.scheduler.core().cpu.threads();
        let free = threads.saturating_sub(desk.workers);
        let Some(first) = desk.progress.first(&self.way.ranks) else {
            return 0;
        };
        if desk.is_queued_below(self.effective(first)) {
            return 1;
        }
        let is_served = desk.workers > desk.at_length;
        if is_served && self.is(first, kind::SHORT) {
            return match self.way.is_alone {
                true => 0,
                false => self.way.ranks.wanted_for_short(ready).min(free),
            };
        }
        ready.min(free)
    }

    fn settle(self: &Arc<Self>, due: Due) {
        if due.is_to_cancel {
            self.cancel_others();
        }
        for value in due.spent {
            quietly(|| drop(value));
        }
        for node in due.apart {
            self.start_apart(node);
        }
        for node in due.hire {
            self.hire(node);
        }
    }

    pub(super) fn effective(&self, node: u32) -> Priority {
        self.plan.effective[node as usize]
    }

    /// A task that works for this run: for a node, or as a worker.
    pub(super) fn spawn(
        &self,
        node: Option<u32>,
        describe: impl FnOnce(TaskBuilder<'_>) -> TaskBuilder<'_>,
        spawn: impl FnOnce(TaskBuilder<'_>) -> TaskHandle<()>,
    ) {
        // Not under the group's lock: a task that the scheduler does not take is dropped
        // here and now, and ends its node.
        let task = describe(self.scheduler.task());
        let before = IS_SPAWNING.replace(true);
        let handle = spawn(task);
        IS_SPAWNING.set(before);
        let id = handle.id();
        let is_anyway = node.is_some_and(|node| self.is(node, kind::ANYWAY));
        let _put_off = PutOff::begin();
        let mut group = self.group.lock();
        if is_anyway {
            self.spared.lock().push(id);
        }
        let waker = group.add(handle);
        drop(group);
        if let Some(waker) = waker {
            quietly(|| waker.wake());
        }
        // It may have been stopped since the node was released.
        if self.is_to_cancel(node) {
            handle::cancel(id);
        }
    }

    fn is_to_cancel(&self, node: Option<u32>) -> bool {
        let stopped = self.desk.lock().progress.stopped();
        let is_anyway = node.is_none_or(|node| self.is(node, kind::ANYWAY));
        match stopped {
            Stop::No => false,
            Stop::ButAnyway => self.on_failure == OnFailure::Stop && !is_anyway,
            Stop::All => true,
        }
    }

    /// As a task's description: its name, its priority, its deadline.
    pub(super) fn describe<'t>(&self, node: u32, task: TaskBuilder<'t>) -> TaskBuilder<'t> {
        let task = task
            .name(self.plan.name(node))
            .priority(self.effective(node));
        let special = self.plan.special.get(&node);
        match special.and_then(|special| special.deadline) {
            // One that is too far away for the clock is none.
            Some(deadline) => match self.begun.checked_add(deadline) {
                Some(at) => task.deadline(at),
                None => task,
            },
            None => task,
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.arena.clear(&self.plan.places);
        let errors = mem::take(&mut self.desk.get_mut().errors);
        quietly(|| drop(errors));
        self.plan.keep(&mut self.arena, self.desk.get_mut());
    }
}
