//! What code can ask and say inside a task.

use crate::{
    counters::bump,
    error::Cancelled,
    event::{Event, Why},
    lane::holder::Tenure,
    task::{
        current,
        id::TaskId,
        slab,
        word::{CANCEL, CONDEMNED},
    },
};
use std::{
    future::poll_fn,
    task::{Poll, Waker},
};

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
        Waker::wake_by_ref(cx.waker());
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

/// Asks whether to go on, inside a long closure.
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
    if is_cancelled() {
        Err(Cancelled)
    } else {
        Ok(())
    }
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
