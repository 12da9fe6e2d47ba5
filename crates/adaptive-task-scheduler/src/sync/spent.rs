//! Permits that are spent: nobody holds them any more, and one task, the freer,
//! gives them back. In a channel these are the places of the values in it, and the
//! freer is the receiver's task.
//!
//! It owns no data; the permits count what is spent, and their line knows the
//! freer, as one of the kept holders, so that waiters lend to it as to the others.
//!
//! Protocol, beside that of [`super::permits`]:
//!
//! 1. Who spends has permits. It counts them as spent, and then looks whether
//!    somebody waits. If not, it leaves its cell, which is a release of nothing, and
//!    looks again; if so, it leaves it under the line's lock. A waiter reads the count
//!    after it has said that it waits. Both pairs are sequentially consistent, so one
//!    of the two judges by the new count.
//! 2. Who gives back counts them as not spent any more, then releases them. So at
//!    every moment at least that many are spent as are counted and not free.
//! 3. A circle through the freer is a deadlock if the freer was promised, and all
//!    permits are spent or its own. If that becomes so while somebody waits (a
//!    permit that was granted is spent, or a promise comes), whoever changed it
//!    looks for a circle, and takes the waiter on it out of the line. All other
//!    circles are found by the wait that closes them.

use super::{
    ground,
    holders::Hold,
    line::{Circle, Freer, Line},
    permits::{Permits, Refusal, Wakers, wake_all},
};
use crate::{
    primitives::{
        atomic::Ordering::{AcqRel, SeqCst},
        model_fence,
    },
    task::id::TaskId,
};

impl<const N: usize> Permits<N> {
    /// Spends a permit if one is free and nobody waits (step 1).
    pub(crate) fn try_spend(&self) -> Result<(), Refusal> {
        self.take(1)?;
        self.spend(Hold::UNKNOWN, 1);
        Ok(())
    }

    /// Spends permits that were taken (step 1).
    pub(crate) fn spend(&self, hold: Hold, amount: usize) {
        self.spent.fetch_add(amount, SeqCst);
        model_fence();
        let mut named = hold.owner().is_some().then_some(hold);
        if !self.has_waiters() {
            let Some(hold) = named.take() else { return };
            self.release(hold, 0);
            model_fence();
            if !self.has_waiters() {
                return;
            }
        }
        let mut line = self.lock();
        if let Some(hold) = named {
            self.unname(&mut line, &hold);
        }
        self.judge(&line);
        let wakers = self.find_deadlocked(&mut line);
        drop(line);
        wake_all(wakers);
    }

    /// Gives back what was spent (step 2).
    pub(crate) fn give_back(&self, amount: usize) {
        self.spent.fetch_sub(amount, AcqRel);
        self.release(Hold::UNKNOWN, amount);
    }

    /// Whether all permits are free.
    pub(crate) fn are_all_free(&self) -> bool {
        self.available() == self.total()
    }

    /// The task gives back what is spent from now on. A promise of the same task
    /// stays one.
    pub(crate) fn set_freer(&self, task: Option<TaskId>, is_promised: bool) {
        let mut line = self.lock();
        let before = line.freer.as_ref();
        let is_same = before.and_then(|before| before.hold.owner()) == task;
        if is_same && (!is_promised || before.is_some_and(|before| before.is_promised)) {
            return;
        }
        self.doubt(&line);
        if let Some(before) = line.freer.take() {
            self.unname(&mut line, &before.hold);
        }
        if let Some(task) = task {
            let hold = line.keep(task, 0, N);
            if let Some(named) = hold.named() {
                line.lend_to(named);
            }
            line.freer = Some(Freer { hold, is_promised });
        }
        self.judge(&line);
        let wakers = self.find_deadlocked(&mut line);
        drop(line);
        wake_all(wakers);
    }

    /// Takes the waiter out of the line that is on a circle with the freer, if there
    /// is one now (step 3).
    fn find_deadlocked(&self, line: &mut Line) -> Wakers {
        let mut wakers = Wakers::new();
        // Branches of one task may wait several times.
        while let Some((waiter, circle)) = self.deadlocked(line) {
            let Some(waker) = line.refuse(waiter, circle) else {
                break;
            };
            wakers.push(waker);
            wakers.extend(self.serve(line, None));
        }
        wakers
    }

    fn deadlocked(&self, line: &Line) -> Option<(TaskId, Circle)> {
        let freer = line.freer.as_ref().filter(|freer| freer.is_promised)?;
        let (node, freer) = (line.node()?, freer.hold.owner()?);
        if !self.is_certain(line) {
            return None;
        }
        let mut circle = ground::circle_through(node, freer)?;
        // It begins with the node; the waiter is last.
        circle.rotate_right(1);
        Some((circle[0].0, circle))
    }

    /// How many permits are spent.
    pub(crate) fn spent(&self) -> usize {
        self.spent.load(SeqCst)
    }
}
