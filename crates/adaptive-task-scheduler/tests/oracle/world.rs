//! The real side: plays a program on a scheduler and writes down what happens.

use crate::{
    model::Model,
    program::{GATES, LOCKS, Plan, Step},
    support::Order,
};
use adaptive_task_scheduler::{
    DependencyError, Scheduler, TaskErrorKind, TaskHandle, TaskId, TaskName, Watch,
    sync::{OwnedSemaphorePermit, Semaphore},
    yield_now,
};
use std::{
    array,
    collections::HashMap,
    future::{Future, poll_fn},
    panic::resume_unwind,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

/// One entry of the trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Note {
    /// A poll of the task begins.
    Poll(usize),
    /// The task was told the end of another.
    Got(usize, usize, Option<TaskErrorKind>),
    /// The task was told that its wait would close a cycle of those.
    Cycle(usize, Vec<String>),
    /// The task's future is gone.
    Dropped(usize),
}

/// Tasks that wait until something opens, woken in the order of their coming.
#[derive(Debug, Default)]
struct AsyncGate {
    open: bool,
    waiting: Vec<(usize, Waker)>,
}

pub(crate) struct World {
    tasks: Vec<Plan>,
    handles: Mutex<Vec<Option<TaskHandle<()>>>>,
    gates: [Mutex<AsyncGate>; GATES],
    /// Semaphores of one permit, which tell a circle to the one who waits.
    locks: [Arc<Semaphore>; LOCKS],
    trace: Order<Note>,
    /// How many polls are going on.
    polling: AtomicUsize,
    start: Instant,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub(crate) fn new(tasks: Vec<Plan>) -> Arc<Self> {
        Arc::new(Self {
            handles: Mutex::new(tasks.iter().map(|_| None).collect()),
            tasks,
            gates: Default::default(),
            locks: array::from_fn(|lock| Arc::new(Semaphore::named(format!("lock {lock}"), 1))),
            trace: Order::new(),
            polling: AtomicUsize::new(0),
            start: Instant::now(),
        })
    }

    /// Spawns a task, unless it was spawned before.
    pub(crate) fn spawn(self: &Arc<Self>, scheduler: &Scheduler, number: usize) {
        let mut handles = lock(&self.handles);
        if handles[number].is_some() {
            return;
        }
        let plan = &self.tasks[number];
        let mut task = scheduler.task().name(format!("task {number}"));
        task = task.priority(plan.priority).on_cancel(plan.on_cancel);
        if let Some(seconds) = plan.deadline {
            task = task.deadline(self.start + Duration::from_secs(1_000 + seconds));
        }
        task = task.after_all(plan.after.iter().filter_map(|&on| handles[on].as_ref()));
        let inner = Box::pin(play(number, Arc::clone(self)));
        let handle = task.spawn(Traced {
            number,
            world: Arc::clone(self),
            inner,
        });
        handles[number] = Some(handle);
    }

    pub(crate) fn cancel(&self, number: usize) {
        if let Some(handle) = &lock(&self.handles)[number] {
            handle.cancel();
        }
    }

    pub(crate) fn release(&self, gate: usize) {
        let waiting = {
            let mut gate = lock(&self.gates[gate]);
            gate.open = true;
            std::mem::take(&mut gate.waiting)
        };
        waiting.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// `None` if one of the two was not spawned yet.
    pub(crate) fn add_dependency(
        &self,
        scheduler: &Scheduler,
        waiter: usize,
        blocker: usize,
    ) -> Option<Result<(), DependencyError>> {
        let handles = lock(&self.handles);
        let (waiter, blocker) = (
            handles[waiter].as_ref()?.id(),
            handles[blocker].as_ref()?.id(),
        );
        Some(scheduler.add_dependency(waiter, blocker))
    }

    fn watch(&self, number: usize) -> Option<Watch> {
        lock(&self.handles)[number].as_ref().map(TaskHandle::watch)
    }

    /// The numbers' ids.
    pub(crate) fn ids(&self) -> HashMap<usize, TaskId> {
        let handles = lock(&self.handles);
        let id = |(number, handle): (usize, &Option<TaskHandle<()>>)| {
            handle.as_ref().map(|handle| (number, handle.id()))
        };
        handles.iter().enumerate().filter_map(id).collect()
    }

    pub(crate) fn take_handles(&self) -> Vec<(usize, TaskHandle<()>)> {
        let handles = std::mem::take(&mut *lock(&self.handles));
        let taken = handles.into_iter().enumerate();
        taken
            .filter_map(|(number, handle)| Some((number, handle?)))
            .collect()
    }

    pub(crate) fn take_trace(&self) -> Vec<Note> {
        self.trace.take()
    }

    /// While the slot is held: states and effective priorities are the model's.
    pub(crate) fn check_agrees(&self, model: &Model) {
        for (number, handle) in lock(&self.handles).iter().enumerate() {
            let Some(handle) = handle else { continue };
            assert_eq!(Some(handle.state()), model.state(number), "task {number}");
            if !handle.is_finished() {
                let level = handle.effective_priority();
                assert_eq!(level, model.effective(number), "task {number}");
            }
        }
    }

    async fn pass(&self, me: usize, gate: usize) {
        poll_fn(|cx| {
            let mut gate = lock(&self.gates[gate]);
            if gate.open {
                return Poll::Ready(());
            }
            if gate.waiting.iter().all(|(task, _)| *task != me) {
                gate.waiting.push((me, cx.waker().clone()));
            }
            Poll::Pending
        })
        .await;
    }

    async fn wait(&self, me: usize, on: usize) {
        let Some(watch) = self.watch(on) else { return };
        let ended = watch.await;
        let note = match ended.as_ref().err().and_then(|error| error.cycle()) {
            Some(path) => Note::Cycle(me, names(path)),
            None => Note::Got(me, on, ended.err().map(|error| error.kind())),
        };
        self.trace.note(note);
    }
}

fn names(path: &[(TaskId, TaskName)]) -> Vec<String> {
    path.iter().map(|(_, name)| name.to_string()).collect()
}

/// What a task does.
async fn play(me: usize, world: Arc<World>) {
    let mut permits: [Option<OwnedSemaphorePermit>; LOCKS] = array::from_fn(|_| None);
    for step in world.tasks[me].steps.clone() {
        match step {
            Step::Yield => yield_now().await,
            Step::Await(on) => world.wait(me, on).await,
            Step::Pass(gate) => world.pass(me, gate).await,
            Step::Release(gate) => world.release(gate),
            Step::Lock(lock) if permits[lock].is_some() => {}
            Step::Lock(lock) => match Arc::clone(&world.locks[lock]).acquire_owned().await {
                Ok(permit) => permits[lock] = Some(permit),
                Err(error) => {
                    let path = error.cycle().expect("nobody closes it");
                    world.trace.note(Note::Cycle(me, names(path)));
                }
            },
            Step::Unlock(lock) => drop(permits[lock].take()),
            Step::Cancel(task) => world.cancel(task),
            Step::Spawn(task) => world.spawn(&Scheduler::current(), task),
            // Without the panic hook, which would print.
            Step::Panic => resume_unwind(Box::new("planned")),
        }
    }
}

/// Notes the polls and the end of a task's future.
struct Traced {
    number: usize,
    world: Arc<World>,
    inner: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// One poll that is going on, of which there is one at a time.
struct Polling<'a>(&'a AtomicUsize);

impl<'a> Polling<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        assert_eq!(
            count.fetch_add(1, Ordering::SeqCst),
            0,
            "two polls at a time on one slot"
        );
        Self(count)
    }
}

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Future for Traced {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let world = Arc::clone(&self.world);
        let _polling = Polling::begin(&world.polling);
        world.trace.note(Note::Poll(self.number));
        self.inner.as_mut().poll(cx)
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        self.world.trace.note(Note::Dropped(self.number));
    }
}
