//! What code can ask and say inside a task.

use crate::{
    core::Core,
    counters::bump,
    error::Cancelled,
    event::{Event, Why},
    lane::holder::Tenure,
    lane::loan,
    task::{
        current,
        id::TaskId,
        slab,
        word::{CANCEL, CONDEMNED},
    },
};
use std::{future::poll_fn, sync::Arc, task::Poll};

/// Goes to the back of the queue of the task's own level, once. Outside a task
/// it lets the caller's executor poll others.
///
/// # Cancel safety
///
/// Dropping the future does no harm.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        if !current::yield_at_end(cx.waker()) {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await;
}

/// The task whose poll this thread is in.
pub fn current_task() -> Option<TaskId> {
    current::task()
}

/// Whether ending the current task has been asked for, by cancelling it or by
/// the scheduler's shutdown. False outside a task.
pub fn is_cancelled() -> bool {
    current::task().is_some_and(|id| slab::record(id).word.load().has(CANCEL | CONDEMNED))
}

/// Gives way to what is more important, and asks whether to go on, inside a
/// long computation.
///
/// On the CPU lane, while something is queued there whose effective priority is
/// above that of the current task (as lent to it by now), and no thread of the
/// lane is free for it, this thread sleeps and another runs that on its core. It
/// goes on when nothing of that is left, and before that if its task is told to
/// end or has become as important itself, or if what runs in its place sleeps in
/// a poll; so holding a lock here is no deadlock, even if what is more important
/// wants the same. However much is more important, it goes on for one interval
/// between two checkpoints in each [ageing](crate::Builder::ageing) bound.
/// Elsewhere it only asks whether to go on.
///
/// Calling it costs some nanoseconds while nothing is more important, so it can
/// be called every few microseconds; the time between two calls is what an
/// important task may have to wait for a core.
///
/// # Errors
///
/// [`Cancelled`] if ending the current task has been asked for.
///
/// ```
/// # tokio::runtime::Builder::new_multi_thread().build().unwrap().block_on(async {
/// use adaptive_task_scheduler::{checkpoint, Scheduler};
///
/// let scheduler = Scheduler::new();
/// let sum = scheduler.cpu(|| {
///     let mut sum = 0u64;
///     for n in 0..1_000 {
///         checkpoint()?;
///         sum += n;
///     }
///     Ok::<_, adaptive_task_scheduler::Cancelled>(sum)
/// });
/// assert_eq!(sum.await.unwrap(), Ok(499_500));
/// # })
/// ```
pub fn checkpoint() -> Result<(), Cancelled> {
    let Some(task) = current::task() else {
        return Ok(());
    };
    let word = slab::record(task).word.load();
    if word.has(CANCEL | CONDEMNED) {
        return Err(Cancelled);
    }
    let more_important = loan::has_permit()
        .then(|| core_with_work_above(word.level()))
        .flatten();
    match more_important {
        Some(core) => loan::give_way(&core, task, word.level()),
        None => Ok(()),
    }
}

/// The scheduler of this thread, if something may be queued on its CPU lane
/// above `level`.
fn core_with_work_above(level: u8) -> Option<Arc<Core>> {
    current::carrying(|carrying| {
        let core = &carrying?.core;
        let top = core.cpu.queue.top()?;
        (top > level).then(|| Arc::clone(core))
    })
}

/// Says that `f` is about to block this thread, and runs it. In a task on the
/// I/O lane the slot is first handed to another thread, so that the other
/// tasks go on without delay. Elsewhere it only runs `f`.
pub fn will_block<T>(f: impl FnOnce() -> T) -> T {
    current::carrying(|carrying| {
        let Some(carrying) = carrying else { return };
        let (Some(Tenure { slot, held }), Some(task)) = (carrying.tenure, current::task()) else {
            return;
        };
        let core = &carrying.core;
        if core.step_aside(slot, held, task, &carrying.seat) {
            bump(&core.counters.hand_offs);
            core.events.emit(|at| Event::HandedOff {
                at,
                task,
                name: slab::record(task).name(task.generation()),
                slot,
                why: Why::WillBlock,
            });
        }
    });
    f()
}
