//! The lock on which all locks are built: permits that are counted, and waiters
//! ordered by priority.
//!
//! It owns: the state (how many permits are free, and two flags), the holders'
//! cells, and the line of waiters. While WAITERS is set, the state changes only
//! under the line's lock; while it is not, one compare-and-swap takes or gives.
//!
//! Protocol:
//!
//! 1. Who takes permits without waiting swaps the state, (2.) writes its task into
//!    a cell, and (3.) reads the state again: if WAITERS is set by now, it takes
//!    the line's lock and has the node lend to it.
//! 4. The first waiter, under the line's lock, sets WAITERS, and (5.) then reads
//!    the cells. Both pairs are sequentially consistent, so of a holder and a first
//!    waiter that meet, at least one sees the other: the edge is there, and it is
//!    there once, because it is noted under the line's lock.
//! 6. Who releases leaves its cell and then swaps the state. If WAITERS is set, it
//!    takes the line's lock, has its edge taken away, adds its permits, and serves
//!    the line: the first waiter gets its permits directly, is named as holder,
//!    and only then woken. So a task that begins another wait after that finds all
//!    edges that point to it.
//! 7. A waiting future that is dropped leaves the line, or gives back what it was
//!    granted meanwhile. Either way the line is served anew.
//!
//! Cells that a first waiter reads belong to holders who have not yet swapped the
//! state for their release, because they leave the cell before; these find WAITERS
//! set and come by (6).
//!
//! A holder for whom no cell is free (there are few, so that a fast path is one) is
//! kept in the line, under its lock, and released under it.
//!
//! Permits may also be spent, so that nobody holds them; [`super::spent`] has that.
//!
//! Known race, harmless: of two holds of one task in one cell after the other, the
//! first one's release may take the second one's edge away. That hold is lent
//! nothing then.

use super::{
    acquire::Acquire,
    ground,
    holders::{Hold, Holders},
    line::{Circle, Granted, Line},
};
use crate::{
    primitives::{
        Mutex, MutexGuard,
        atomic::{
            AtomicUsize,
            Ordering::{AcqRel, Acquire as Acq, Relaxed, SeqCst},
        },
        model_fence,
    },
    quietly::quietly,
    task::id::{TaskId, TaskName},
    waits::node::NodeKind,
};
use smallvec::SmallVec;
use std::{
    ops::{Deref, DerefMut},
    task::Waker,
};

/// Somebody waits, or is being served.
const WAITERS: usize = 1;
const CLOSED: usize = 2;
const SHIFT: u32 = 2;

/// The most permits that there may be, as in Tokio.
pub(crate) const MAX_PERMITS: usize = usize::MAX >> 3;

/// Whom a wait for several holders waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitFor {
    /// All of them.
    All,
    /// Any of them may be enough.
    Any,
}

/// Why there are no permits.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Others have them, or are to get them first.
    NoPermits,
    Closed,
    /// Waiting would have closed this circle.
    Deadlock(Circle),
}

pub(crate) type Wakers = SmallVec<[Waker; 1]>;

pub(crate) fn wake_all(wakers: Wakers) {
    for waker in wakers {
        quietly(|| waker.wake());
    }
}

#[derive(Debug)]
pub(crate) struct Permits<const N: usize> {
    /// How many are free, above the flags.
    state: AtomicUsize,
    holders: Holders<N>,
    /// How many there are, free or held.
    total: AtomicUsize,
    wait_for: WaitFor,
    kind: NodeKind,
    name: TaskName,
    /// How many nobody holds, so that only the line's freer gives them back.
    pub(crate) spent: AtomicUsize,
    line: Mutex<Line>,
}

/// The line, locked. Events that are made meanwhile are told when it is not any
/// more.
pub(crate) struct Locked<'a> {
    // Dropped in this order.
    line: MutexGuard<'a, Line>,
    _put_off: ground::PutOff,
}

impl Deref for Locked<'_> {
    type Target = Line;

    fn deref(&self) -> &Line {
        &self.line
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Line {
        &mut self.line
    }
}

impl<const N: usize> Permits<N> {
    pub(crate) fn new(permits: usize, wait_for: WaitFor, name: TaskName) -> Self {
        assert!(
            permits <= MAX_PERMITS,
            "a semaphore has at most {MAX_PERMITS} permits, not {permits}"
        );
        Self {
            state: AtomicUsize::new(permits << SHIFT),
            holders: Holders::new(),
            total: AtomicUsize::new(permits),
            wait_for,
            kind: NodeKind::Lock,
            name,
            spent: AtomicUsize::new(0),
            line: Mutex::new(Line::new()),
        }
    }

    /// The room of a channel.
    pub(crate) fn of_channel(capacity: usize, name: TaskName) -> Self {
        let mut room = Self::new(capacity, WaitFor::Any, name);
        room.kind = NodeKind::Channel;
        room
    }

    pub(crate) fn lock(&self) -> Locked<'_> {
        let put_off = ground::PutOff::begin();
        Locked {
            line: self.line.lock(),
            _put_off: put_off,
        }
    }

    pub(crate) fn name(&self) -> &TaskName {
        &self.name
    }

    /// How many there are, free, held or spent.
    pub(crate) fn total(&self) -> usize {
        self.total.load(Acq)
    }

    /// How many are free.
    pub(crate) fn available(&self) -> usize {
        self.state.load(Acq) >> SHIFT
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.load(Acq) & CLOSED != 0
    }

    pub(crate) fn has_waiters(&self) -> bool {
        self.state.load(SeqCst) & WAITERS != 0
    }

    /// Takes permits if they are free and nobody waits (steps 1 to 3).
    pub(crate) fn try_take(&self, wanted: usize) -> Result<Hold, Refusal> {
        self.take(wanted).map(|()| self.hold(wanted))
    }

    /// The same without naming a holder (step 1).
    pub(crate) fn take(&self, wanted: usize) -> Result<(), Refusal> {
        let mut now = self.state.load(Acq);
        loop {
            if now & CLOSED != 0 {
                return Err(Refusal::Closed);
            }
            if wanted > 0 && (now & WAITERS != 0 || now >> SHIFT < wanted) {
                return Err(Refusal::NoPermits);
            }
            let next = now - (wanted << SHIFT);
            match self.state.compare_exchange_weak(now, next, AcqRel, Acq) {
                Ok(_) => return Ok(()),
                Err(found) => now = found,
            }
        }
    }

    /// Waits for permits. They are given in the order of priority.
    pub(crate) fn acquire(&self, wanted: usize) -> Acquire<'_, N> {
        Acquire::new(self, wanted)
    }

    /// Names the current task as the holder (steps 2 and 3).
    fn hold(&self, amount: usize) -> Hold {
        let Some(task) = ground::task().filter(|_| amount > 0) else {
            return Hold::UNKNOWN;
        };
        let Some(hold) = self.holders.claim(task, amount) else {
            let mut line = self.lock();
            self.doubt(&line);
            let hold = self.name_holder(&mut line, task, amount);
            self.judge(&line);
            return hold;
        };
        model_fence();
        if self.state.load(SeqCst) & WAITERS != 0
            && let Some(named) = hold.named()
        {
            let mut line = self.lock();
            if self.state.load(SeqCst) & WAITERS != 0 {
                self.doubt(&line);
                line.lend_to(named);
                self.judge(&line);
            }
        }
        hold
    }

    /// Names a holder under the line's lock.
    fn name_holder(&self, line: &mut Line, task: TaskId, amount: usize) -> Hold {
        let claimed = self.holders.claim(task, amount);
        let hold = claimed.unwrap_or_else(|| line.keep(task, amount, N));
        if let Some(named) = hold.named()
            && !line.waiting.is_empty()
        {
            line.lend_to(named);
        }
        hold
    }

    /// A hold is over; under the line's lock.
    pub(crate) fn unname(&self, line: &mut Line, hold: &Hold) {
        line.take_back(hold);
        if Holders::<N>::is_beyond(hold) {
            line.set_kept(hold, 0);
        } else {
            self.holders.leave(hold);
        }
    }

    fn set_amount(&self, line: &mut Line, hold: &Hold, amount: usize) {
        if Holders::<N>::is_beyond(hold) {
            line.set_kept(hold, amount);
        } else {
            self.holders.set_amount(hold, amount);
        }
    }

    /// Gives permits back (step 6).
    pub(crate) fn release(&self, hold: Hold, amount: usize) {
        let is_beyond = Holders::<N>::is_beyond(&hold);
        self.holders.leave(&hold);
        let mut now = self.state.load(Relaxed);
        while now & WAITERS == 0 && !is_beyond {
            let next = now + (amount << SHIFT);
            match self.state.compare_exchange_weak(now, next, AcqRel, Relaxed) {
                Ok(_) => return,
                Err(found) => now = found,
            }
        }
        let mut line = self.lock();
        line.take_back(&hold);
        if is_beyond {
            line.set_kept(&hold, 0);
        }
        self.state.fetch_add(amount << SHIFT, AcqRel);
        let by = hold.owner().or_else(|| line.freer.as_ref()?.hold.owner());
        let wakers = self.serve(&mut line, by);
        drop(line);
        wake_all(wakers);
    }

    /// Adds permits that nobody held.
    pub(crate) fn add(&self, amount: usize) {
        let sum = |before: usize| before.checked_add(amount).filter(|&sum| sum <= MAX_PERMITS);
        if let Err(before) = self.total.fetch_update(AcqRel, Acq, sum) {
            panic!("a semaphore has at most {MAX_PERMITS} permits, not {before} and {amount} more");
        }
        self.release(Hold::UNKNOWN, amount);
    }

    /// A holder's permits are no more.
    pub(crate) fn forget(&self, hold: Hold, amount: usize) {
        self.total.fetch_sub(amount, AcqRel);
        self.release(hold, 0);
    }

    /// Takes up to so many free permits away for good. How many it were.
    pub(crate) fn take_away(&self, amount: usize) -> usize {
        let line = self.lock();
        let mut now = self.state.load(Acq);
        loop {
            let taken = amount.min(now >> SHIFT);
            let next = now - (taken << SHIFT);
            match self.state.compare_exchange_weak(now, next, AcqRel, Acq) {
                Ok(_) => {
                    self.total.fetch_sub(taken, AcqRel);
                    drop(line);
                    return taken;
                }
                Err(found) => now = found,
            }
        }
    }

    /// A part of a hold becomes one of its own.
    pub(crate) fn split(&self, hold: &Hold, left: usize, split: usize) -> Hold {
        let mut line = self.lock();
        self.doubt(&line);
        self.set_amount(&mut line, hold, left);
        let part = match hold.owner() {
            Some(owner) if split > 0 => self.name_holder(&mut line, owner, split),
            _ => Hold::UNKNOWN,
        };
        self.judge(&line);
        part
    }

    /// Two holds become one, of `amount` permits.
    pub(crate) fn merge(&self, hold: &Hold, other: Hold, amount: usize) {
        let mut line = self.lock();
        self.unname(&mut line, &other);
        self.set_amount(&mut line, hold, amount);
        self.judge(&line);
    }

    /// Refuses all who wait or come later.
    pub(crate) fn close(&self) {
        let mut line = self.lock();
        self.state.fetch_or(CLOSED, SeqCst);
        let mut wakers = Wakers::new();
        while !line.waiting.is_empty() {
            wakers.push(line.remove(0).waker);
        }
        wakers.extend(self.serve(&mut line, None));
        drop(line);
        wake_all(wakers);
    }

    /// Takes permits under the line's lock, or says that somebody waits now
    /// (step 4).
    pub(crate) fn take_or_wait(&self, wanted: usize) -> Result<(), Refusal> {
        let mut now = self.state.load(SeqCst);
        loop {
            if now & CLOSED != 0 {
                return Err(Refusal::Closed);
            }
            if now & WAITERS != 0 {
                return Err(Refusal::NoPermits);
            }
            let takes = now >> SHIFT >= wanted;
            let next = if takes {
                now - (wanted << SHIFT)
            } else {
                now | WAITERS
            };
            match self.state.compare_exchange(now, next, SeqCst, SeqCst) {
                Ok(_) if takes => return Ok(()),
                Ok(_) => {
                    model_fence();
                    return Err(Refusal::NoPermits);
                }
                Err(found) => now = found,
            }
        }
    }

    /// Names the holder of what `take_or_wait` gave; not under the line's lock.
    pub(crate) fn taken(&self, wanted: usize) -> Hold {
        self.hold(wanted)
    }

    /// Gives permits to those who come first, while there are enough; `by` has
    /// just released. The caller wakes, without the line's lock.
    pub(crate) fn serve(&self, line: &mut Line, by: Option<TaskId>) -> Wakers {
        let mut wakers = Wakers::new();
        self.doubt(line);
        while let Some(at) = line.first() {
            let wanted = line.waiting[at].wanted;
            if self.available() < wanted {
                break;
            }
            self.state.fetch_sub(wanted << SHIFT, AcqRel);
            let waiter = line.remove_for(at, by);
            let hold = match waiter.task {
                Some(task) if wanted > 0 => self.name_holder(line, task, wanted),
                _ => Hold::UNKNOWN,
            };
            line.grant(Granted {
                key: waiter.key,
                wanted,
                hold,
                report: waiter
                    .task
                    .and_then(|task| ground::granted(task, &self.name)),
            });
            wakers.push(waiter.waker);
        }
        if line.waiting.is_empty() {
            line.close_node();
            self.state.fetch_and(!WAITERS, AcqRel);
        } else {
            self.judge(line);
        }
        wakers
    }

    /// Has the waiter's task lend to the holders (step 5).
    pub(crate) fn begin_lending(&self, line: &mut Line, at: usize) -> Result<(), Circle> {
        let Some(task) = line.waiting[at].task else {
            return Ok(());
        };
        if line.open_node(task, &self.name, self.kind) {
            for named in self.holders.named().chain(line.kept()) {
                line.lend_anew(named);
            }
        }
        self.judge(line);
        line.lend(at)
    }

    /// Gives what was granted to one task to another.
    pub(crate) fn pass_on(
        &self,
        line: &mut Line,
        hold: Hold,
        task: Option<TaskId>,
        amount: usize,
    ) -> Hold {
        self.doubt(line);
        self.unname(line, &hold);
        let hold = match task {
            Some(task) => self.name_holder(line, task, amount),
            None => Hold::UNKNOWN,
        };
        self.judge(line);
        hold
    }

    /// While holders change, no circle is certain; [`judge`](Self::judge) comes
    /// after.
    pub(crate) fn doubt(&self, line: &Line) {
        if let Some(node) = line.node().filter(|_| self.wait_for == WaitFor::Any) {
            ground::set_any_is_enough(node, true);
        }
    }

    /// Says whether a circle through the node is certain to be a deadlock.
    pub(crate) fn judge(&self, line: &Line) {
        if let Some(node) = line.node() {
            ground::set_any_is_enough(node, !self.is_certain(line));
        }
    }

    /// Whether a task that waits here waits for each of the holders, and each of
    /// those for what it counts as waiting on.
    pub(crate) fn is_certain(&self, line: &Line) -> bool {
        let lent_to = line.lent_to();
        let has_doubt = |cell: u32| match (cell as usize) < N {
            true => self.holders.has_doubt(cell),
            false => line.has_doubt(cell),
        };
        if lent_to.iter().any(|&(cell, _)| has_doubt(cell)) {
            return false;
        }
        if self.wait_for == WaitFor::All {
            return true;
        }
        let is_one = lent_to.windows(2).all(|pair| pair[0].1 == pair[1].1);
        let amount = |cell: u32| match (cell as usize) < N {
            true => self.holders.amount(cell),
            false => line.kept_amount(cell),
        };
        let known = || lent_to.iter().map(|&(cell, _)| amount(cell)).sum::<usize>();
        let spent = match &line.freer {
            Some(freer) if freer.is_promised => self.spent(),
            _ => 0,
        };
        is_one && known() + spent + self.available() == self.total()
    }
}
