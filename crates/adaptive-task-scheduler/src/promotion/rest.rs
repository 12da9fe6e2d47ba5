//! When the sentinel sleeps, and what it publishes before.
//!
//! It sleeps when nothing has run on the I/O lane for a while; whoever wakes an
//! idle slot, CPU thread or runner rouses it. From its sleep it looks up now and
//! then while the CPU or the blocking lane works on, and once a second while
//! somebody reads the load.

use super::sentinel::Sentinel;
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

/// Quiet ticks before the sentinel sleeps, the plug goes in again and the
/// reserves close. A guess: long enough that a loaded service does not pay for
/// waking the sentinel, short enough that an idle one does not tick.
pub(super) const QUIET_TICKS: u32 = 100;
/// How long a spare relief beyond the first is kept.
pub(super) const KEEP_SPARE: Duration = Duration::from_secs(10);

impl Sentinel<'_> {
    /// Publishes how loaded the scheduler is.
    pub(super) fn observe(&mut self) {
        let core = self.core;
        // At work: in a poll, between two, or expected to come.
        // A slot that was never woken has been astir since the start, waiting for
        // its carrier's first turn.
        let is_busy = |&slot: &usize| match core.io.idle.wakes_if_astir(slot) {
            None => false,
            Some(0) => core.io.slots[slot].seat.look().is_polling(),
            Some(_) => true,
        };
        let busy = (0..core.io.count()).filter(is_busy).count();
        self.observer.look(core, Instant::now(), busy);
    }

    pub(super) fn sleep_if_quiet(&mut self) {
        let core = self.core;
        if !self.is_quiet() {
            self.quiet = 0;
            return;
        }
        self.quiet += 1;
        if self.quiet < QUIET_TICKS {
            return;
        }
        self.quiet = 0;
        core.sentinel.asleep.store(true, Ordering::SeqCst);
        if self.is_quiet() && !core.is_ending() {
            self.sleep();
        }
        core.advance_tick();
        core.sentinel.asleep.store(false, Ordering::SeqCst);
    }

    /// Sleeps until somebody wakes it, or until there is something to see to.
    fn sleep(&mut self) {
        let core = self.core;
        // Spares are retired in time also if nothing happens, and deadlines
        // looked at.
        let spares = self.last_trouble.map(|_| KEEP_SPARE);
        let due = spares.into_iter().chain(core.next_latest_start()).min();
        let began = Instant::now();
        loop {
            self.observe();
            let (look, works) = self.observer.next_look(core);
            let asleep = Instant::now();
            match look.into_iter().chain(due).min() {
                Some(limit) => std::thread::park_timeout(limit),
                None => std::thread::park(),
            }
            if !works {
                self.observer.wake(core);
            }
            let is_over = due.is_some_and(|limit| began.elapsed() >= limit);
            let timed_out = look.is_some_and(|limit| asleep.elapsed() >= limit);
            if is_over || !timed_out || core.is_ending() || !self.is_quiet() {
                return;
            }
        }
    }

    /// Whether nothing runs that would need watching.
    fn is_quiet(&self) -> bool {
        let core = self.core;
        self.displaced.is_empty()
            && self.nudge_due.is_none()
            && !core.has_alarm()
            && core.stepped_aside.lock().is_empty()
            && core.grants.are_taken_up()
            && self.open_reserves == 0
            && !self.is_unplugged
            && core.io.idle.parked() >= core.io.count()
            && !core.io.queue.has_work(0)
            && !core.cpu.queue.has_work(0)
            && !core.blocking.queue.has_work(0)
    }
}
