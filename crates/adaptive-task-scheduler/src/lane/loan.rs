//! Giving way: what is more important than a CPU task runs on its core while it
//! waits at a checkpoint.
//!
//! It owns: the loans, each of a core to a reserve (see [`super::reserve`]).
//!
//! Protocol:
//!
//! 1. A task at a checkpoint finds entries above its own level, more than there
//!    are threads on their way to them. It counts itself as one more on its way,
//!    hands a loan to a free reserve, and sleeps.
//! 2. The reserve takes entries above the level that the *lender* has at that
//!    moment, which may have been boosted since, until there are none. Then it
//!    is free again and closes the loan, which wakes the lender.
//! 3. At every tick the lender looks whether it must go on before that, and then
//!    recalls the loan: the reserve takes nothing more and closes it when its
//!    poll returns. It must if it was told to end, if its own task is as
//!    important by now as the one that runs, if that is asleep in its poll (it
//!    may wait for a lock that the lender holds), or if a permit of the lane has
//!    become free, which it then borrows for the loan.
//!
//! A lender that has waited for as long as the ageing bound is next when the
//! poll returns that its reserve is in, so that it gets one interval between two
//! checkpoints in each such time, however much is more important.
//!
//! The important task never runs on the lender's stack, where a lock of the
//! lender's would be a deadlock for good.
//!
//! Known races, harmless: two lenders may see the same entry; the second's
//! reserve finds nothing and wakes it again. What a recalled reserve is in the
//! middle of uses a core beyond the permits until its poll returns; the sentinel
//! takes a permit of the lane's threads away for it.

use super::{
    permit::Permits,
    reserve::Reserves,
    seat::{Helpers, Look, Seat},
};
use crate::{
    core::Core,
    error::Cancelled,
    learning::probe,
    os::ThreadId,
    promotion::policy::{self, Activity},
    task::{
        current,
        id::TaskId,
        slab,
        word::{CANCEL, CONDEMNED},
    },
};
use std::{
    cell::Cell,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

thread_local! {
    /// This thread computes with a permit of the CPU lane, which it may lend.
    static HAS_PERMIT: Cell<bool> = const { Cell::new(false) };
}

/// This thread computes with a permit of the CPU lane from now on.
pub(crate) fn mark_thread() {
    HAS_PERMIT.with(|mark| mark.set(true));
}

pub(crate) fn has_permit() -> bool {
    HAS_PERMIT.try_with(Cell::get).unwrap_or(false)
}

/// A core, lent by a task to a reserve.
#[derive(Debug)]
pub(super) struct Loan {
    lender: TaskId,
    /// The tick at which it was given.
    since: u32,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    stage: Stage,
    /// The lender went on with its own permit; this one is for the reserve.
    permit: Option<Permits>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    #[default]
    Open,
    /// The lender went on.
    Recalled,
    /// The reserve has nothing more to do.
    Closed,
}

impl Loan {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_open(&self) -> bool {
        self.state().stage == Stage::Open
    }

    pub(super) fn close(&self, reserves: &Reserves) {
        let mut state = self.state();
        if state.stage == Stage::Recalled && state.permit.is_none() {
            reserves.overdrawn.fetch_sub(1, Ordering::Relaxed);
        }
        *state = State {
            stage: Stage::Closed,
            permit: None,
        };
        self.changed.notify_one();
    }

    /// Whether the lender has waited for too long.
    pub(super) fn is_overdue(&self, core: &Core) -> bool {
        let waited = core.last_tick().wrapping_sub(self.since);
        core.config.ageing_ticks.is_some_and(|bound| waited > bound)
    }

    /// The lowest level that is more important than the lender is now.
    pub(super) fn floor(&self) -> u8 {
        slab::record(self.lender).word.load().level() + 1
    }

    /// Sleeps for a tick, or until the loan is closed. Whether it is.
    fn sleep(&self, tick: Duration) -> bool {
        let is_open = |state: &mut State| state.stage == Stage::Open;
        let slept = self.changed.wait_timeout_while(self.state(), tick, is_open);
        let (state, _) = slept.unwrap_or_else(PoisonError::into_inner);
        state.stage == Stage::Closed
    }

    /// The lender goes on. A permit is for what the reserve still does.
    fn recall(&self, reserves: &Reserves, permit: Option<Permits>) {
        let mut state = self.state();
        if state.stage != Stage::Open {
            return;
        }
        if permit.is_none() {
            reserves.overdrawn.fetch_add(1, Ordering::Relaxed);
        }
        *state = State {
            stage: Stage::Recalled,
            permit,
        };
    }
}

/// Lends this thread's core for as long as something is queued that is more
/// important than its task, if nobody else is coming for it.
///
/// # Errors
///
/// If the task was told to end meanwhile.
#[cold]
pub(crate) fn give_way(core: &Arc<Core>, task: TaskId, level: u8) -> Result<(), Cancelled> {
    let lane = &core.cpu;
    let waiting = lane.queue.count_from(level + 1);
    if waiting == 0 {
        return Ok(());
    }
    let coming = lane.reserves.set_out() + lane.at_hand();
    let loan = Arc::new(Loan {
        lender: task,
        since: core.tick(),
        state: Mutex::default(),
        changed: Condvar::new(),
    });
    let reserve = if waiting > coming {
        lane.reserves.lend(core, &loan)
    } else {
        None
    };
    match reserve {
        Some(reserve) => {
            let begun = Instant::now();
            let own = current::carrying(|carrying| Some(Arc::clone(&carrying?.seat)));
            // Who lent its core to this thread must not take it for asleep.
            let say = |helpers: Option<Helpers>| {
                if let Some(own) = &own {
                    own.set_helpers(helpers);
                }
            };
            say(Some(Arc::new([Arc::clone(&reserve.seat)])));
            wait(core, &loan, &reserve.seat);
            say(None);
            probe::has_lent_since(begun);
        }
        None => lane.reserves.arrive(),
    }
    if is_to_end(core, task) {
        Err(Cancelled)
    } else {
        Ok(())
    }
}

/// The end of the scheduler is known before its tasks are told.
fn is_to_end(core: &Core, task: TaskId) -> bool {
    core.is_ending() || slab::record(task).word.load().has(CANCEL | CONDEMNED)
}

/// Sleeps until the loan is closed, or must be recalled.
fn wait(core: &Arc<Core>, loan: &Loan, seat: &Seat) {
    let mut watch = Watch::default();
    while !loan.sleep(core.config.tick) {
        if must_go_on(core, loan, seat, &mut watch) {
            return loan.recall(&core.cpu.reserves, None);
        }
        let permit = Permits::borrow(core, 1);
        if permit.count() > 0 {
            return loan.recall(&core.cpu.reserves, Some(permit));
        }
    }
}

fn must_go_on(core: &Core, loan: &Loan, seat: &Seat, watch: &mut Watch) -> bool {
    if is_to_end(core, loan.lender) {
        return true;
    }
    let word = slab::record(loan.lender).word.load();
    let look = seat.look();
    let served = look.task.filter(|_| look.is_polling());
    let is_equal = |task: TaskId| word.level() >= slab::record(task).word.load().level();
    served.is_some_and(is_equal) || watch.is_asleep(look, &seat.threads(), core.config.patience)
}

/// What the lender saw of the reserve.
#[derive(Debug, Default)]
struct Watch {
    seen: Option<Seen>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    look: Look,
    since: Instant,
    at: Instant,
    cpu: Option<Duration>,
}

impl Watch {
    /// Whether the reserve sleeps in a poll that it was in at the last tick, and
    /// so do all `threads` that compute for it. Where the operating system does
    /// not tell, a poll that has lasted for `patience` counts as asleep.
    fn is_asleep(&mut self, look: Look, threads: &[ThreadId], patience: Duration) -> bool {
        let now = Instant::now();
        let cpu = threads.iter().map(|thread| thread.cpu_time()).sum();
        let before = self.seen.filter(|seen| seen.look == look);
        self.seen = Some(Seen {
            look,
            since: before.map_or(now, |seen| seen.since),
            at: now,
            cpu,
        });
        let Some(before) = before.filter(|_| look.is_polling()) else {
            return false;
        };
        let used = before
            .cpu
            .zip(cpu)
            .map(|(before, after)| after.saturating_sub(before));
        if used.is_none() && now.duration_since(before.since) < patience {
            return false;
        }
        let wall = now.duration_since(before.at);
        let are_asleep = || {
            let mut answers = threads.iter().map(|thread| thread.is_asleep());
            answers.try_fold(true, |all, asleep| Some(all && asleep?))
        };
        policy::activity(wall, used, are_asleep) == Activity::Blocked
    }
}
