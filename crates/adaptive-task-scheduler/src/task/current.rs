//! What this thread is doing: for which scheduler, on which slot, which task.
//!
//! It owns: one thread-local context, set by a carrier for as long as it
//! carries, and a thread-local memory of the last scheduler looked up.

use super::{id::TaskId, record::Record, waker, word::Snapshot};
use crate::{
    core::Core,
    lane::{holder::Tenure, seat::Seat},
    primitives::Mutex,
};
use std::{
    cell::{Cell, RefCell},
    sync::{Arc, Weak, atomic::Ordering},
    task::Waker,
};

/// How this thread carries.
#[derive(Debug, Clone)]
pub(crate) struct Carrying {
    pub(crate) core: Arc<Core>,
    pub(crate) seat: Arc<Seat>,
    /// The slot of the I/O lane.
    pub(crate) tenure: Option<Tenure>,
    /// Whether this thread is a Tokio worker now.
    pub(crate) is_guest: bool,
}

struct Context {
    carrying: RefCell<Option<Carrying>>,
    task: Cell<Option<TaskId>>,
    level: Cell<u8>,
    /// The task whose pieces the pool of this thread runs; 0 for none.
    #[cfg(feature = "rayon")]
    forking: RefCell<Option<Arc<std::sync::atomic::AtomicU64>>>,
    /// The scheduler that was last woken into from outside.
    last: RefCell<(u32, Weak<Core>)>,
}

thread_local! {
    static CONTEXT: Context = const {
        Context {
            carrying: RefCell::new(None),
            task: Cell::new(None),
            level: Cell::new(0),
            #[cfg(feature = "rayon")]
            forking: RefCell::new(None),
            last: RefCell::new((u32::MAX, Weak::new())),
        }
    };
}

thread_local! {
    /// The task, polled on this thread now, that wants to be queued again at the
    /// end of the poll, by id; 0 for none.
    static YIELDS: Cell<u64> = const { Cell::new(0) };
}

/// Notes that the task whose poll this thread is in wants to be queued again at the
/// end of the poll, if that is the task of the waker. False if that was not noted:
/// then the waker is to be woken, which says the same at the price of one more
/// transition.
pub(crate) fn yield_at_end(waker: &Waker) -> bool {
    let Some(id) = CONTEXT
        .try_with(|context| context.task.get())
        .ok()
        .flatten()
    else {
        return false;
    };
    // A poll may be nested in one that has yielded.
    let is_free = YIELDS.get() == 0 || YIELDS.get() == id.raw();
    let is_noted = is_free && waker::is_of(waker, id);
    if is_noted {
        YIELDS.set(id.raw());
    }
    is_noted
}

/// Whether the task's poll, which has just ended, noted that.
#[inline]
pub(crate) fn take_yield(id: TaskId) -> bool {
    let yields = YIELDS.get() == id.raw();
    if yields {
        YIELDS.set(0);
    }
    yields
}

/// All schedulers of this process, by number.
static CORES: Mutex<Vec<Weak<Core>>> = Mutex::new(Vec::new());

/// Registers a scheduler. `make` gets its number.
pub(crate) fn register(make: impl FnOnce(u32) -> Arc<Core>) -> Arc<Core> {
    let mut cores = CORES.lock();
    let free = cores.iter().position(|core| core.strong_count() == 0);
    let at = free.unwrap_or_else(|| {
        cores.push(Weak::new());
        cores.len() - 1
    });
    let core = make(at as u32);
    cores[at] = Arc::downgrade(&core);
    core
}

fn core_of(number: u32) -> Option<Arc<Core>> {
    let known = CONTEXT.try_with(|context| {
        let last = context.last.borrow();
        if last.0 == number {
            last.1.upgrade()
        } else {
            None
        }
    });
    // A number may be given to another scheduler after its first is gone; then
    // the memory cannot be upgraded and is renewed here.
    known.ok().flatten().or_else(|| {
        let core = CORES.lock().get(number as usize)?.upgrade()?;
        let _ = CONTEXT.try_with(|context| {
            *context.last.borrow_mut() = (number, Arc::downgrade(&core));
        });
        Some(core)
    })
}

/// Marks this thread as carrying until dropped.
pub(crate) struct Carry {
    before: Option<Carrying>,
}

impl Carry {
    pub(crate) fn begin(carrying: Carrying) -> Self {
        carrying.seat.sit();
        let before = CONTEXT.with(|context| context.carrying.replace(Some(carrying)));
        Self { before }
    }
}

impl Drop for Carry {
    fn drop(&mut self) {
        let before = self.before.take();
        let _ = CONTEXT.try_with(|context| context.carrying.replace(before));
    }
}

/// Sets the current task; returns the one before.
pub(crate) fn set_task(id: Option<TaskId>) -> Option<TaskId> {
    CONTEXT
        .try_with(|context| context.task.replace(id))
        .ok()
        .flatten()
}

/// The task whose poll or piece this thread is in.
pub(crate) fn task() -> Option<TaskId> {
    CONTEXT
        .try_with(|context| context.task.get().or_else(|| context.forking()))
        .ok()
        .flatten()
}

impl Context {
    #[cfg(feature = "rayon")]
    fn forking(&self) -> Option<TaskId> {
        let forking = self.forking.borrow();
        TaskId::from_raw(forking.as_ref()?.load(Ordering::Acquire))
    }

    #[cfg(not(feature = "rayon"))]
    fn forking(&self) -> Option<TaskId> {
        None
    }
}

/// This thread runs pieces of the task that `task` names from now on.
#[cfg(feature = "rayon")]
pub(crate) fn set_forking(task: Arc<std::sync::atomic::AtomicU64>) {
    CONTEXT.with(|context| context.forking.replace(Some(task)));
}

/// Whether this thread runs pieces of tasks.
#[cfg(feature = "rayon")]
pub(crate) fn is_forked() -> bool {
    CONTEXT
        .try_with(|context| context.forking.borrow().is_some())
        .unwrap_or(false)
}

/// The effective level of the task whose poll this thread is in or has just
/// ended; 0 if there is none.
pub(crate) fn level() -> u8 {
    CONTEXT.try_with(|context| context.level.get()).unwrap_or(0)
}

/// A poll of the task begins, at its effective level. The task before.
pub(crate) fn enter(id: TaskId, level: u8) -> Option<TaskId> {
    let entered = CONTEXT.try_with(|context| {
        context.level.set(level);
        context.task.replace(Some(id))
    });
    entered.ok().flatten()
}

/// How this thread carries, if it does.
pub(crate) fn carrying<R>(look: impl FnOnce(Option<&Carrying>) -> R) -> R {
    // `look` may drop what is given to it even if the thread is ending.
    let mut look = Some(look);
    let inside = CONTEXT.try_with(|context| {
        let carrying = context.carrying.borrow();
        look.take().map(|look| look(carrying.as_ref()))
    });
    match inside {
        Ok(Some(answer)) => answer,
        _ => match look.take() {
            Some(look) => look(None),
            None => unreachable!("taken only when called"),
        },
    }
}

/// Queues a task with its scheduler; `word` has just said that it must be.
pub(crate) fn schedule(record: &Record, id: TaskId, word: Snapshot) {
    let number = record.facts.core.load(Ordering::Relaxed);
    let inside = carrying(|carrying| match carrying {
        Some(carrying) if carrying.core.number == number => {
            carrying.core.enqueue(record, id, word, carrying.tenure);
            true
        }
        _ => false,
    });
    if !inside && let Some(core) = core_of(number) {
        core.enqueue(record, id, word, None);
    }
}

/// Calls `act` with the scheduler of a task, unless that is gone.
pub(crate) fn with_core_of(record: &Record, act: impl FnOnce(&Core)) {
    let number = record.facts.core.load(Ordering::Relaxed);
    let mut act = Some(act);
    carrying(|carrying| {
        if let Some(carrying) = carrying
            && carrying.core.number == number
            && let Some(act) = act.take()
        {
            act(&carrying.core);
        }
    });
    if let Some(act) = act
        && let Some(core) = core_of(number)
    {
        act(&core);
    }
}
