//! Guests that were woken and do not come.
//!
//! A guest that is woken may lie in the LIFO slot, or among the deferred
//! tasks, of a worker that a plain Tokio task blocks. It cannot be reached
//! there, and keeps others from being woken while it counts as searching. A
//! guest that is neither parked nor has begun a poll between two ticks is
//! given up, and somebody else comes instead. If that is because the machine
//! is crowded, somebody else would not get a core either, and the slot would
//! leave its worker for nothing.
//!
//! Known race: the guest may begin a poll just when its slot is given away, after
//! the last look at its seat. It loses its slot at that poll's end. If the poll gets
//! stuck before, no look at the slot shows it, since the relief carries that; so
//! guests are looked at whose slot is a relief's, and one that is in the same poll at
//! two ticks is noted as displaced.

use super::{
    policy::{self, Activity},
    sentinel::{Displaced, Sentinel, Sighting},
};
use crate::lane::seat::Look;
use std::{
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

/// How many ticks a guest is awaited while the kernel runs something else than
/// Tokio's workers. A guess: some time slices.
const CROWDED_TICKS: u32 = 16;

/// A slot whose guest is awaited.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unanswered {
    /// How often it was woken, and the number of its last poll.
    seen: (u32, u64),
    ticks: u32,
    at: Instant,
    /// The CPU clock of the thread that the guest sat on last.
    cpu: Option<Duration>,
}

impl Sentinel<'_> {
    /// Lets somebody else come for guests that do not.
    pub(super) fn replace_stranded(&mut self, now: Instant) {
        let core = self.core;
        for at in 0..core.io.count() {
            let slot = &core.io.slots[at];
            let held = slot.holder.now();
            let look = slot.seat.look();
            let astir = core.io.idle.wakes_if_astir(at);
            let waits = !look.is_polling() && held.relief().is_none();
            let Some(wakes) = astir.filter(|_| waits) else {
                self.unanswered[at] = None;
                continue;
            };
            let seen = (wakes, look.poll);
            let cpu = look.thread.cpu_time();
            let before = self.unanswered[at].filter(|before| before.seen == seen);
            let ticks = before.map_or(0, |before| before.ticks + 1);
            self.unanswered[at] = Some(Unanswered {
                seen,
                ticks,
                at: now,
                cpu,
            });
            let Some(before) = before.filter(|_| core.io.queue.has_work(0)) else {
                continue;
            };
            let used = before
                .cpu
                .zip(cpu)
                .map(|(then, now)| now.saturating_sub(then));
            let wall = now.duration_since(before.at);
            if ticks < CROWDED_TICKS && self.is_crowded(wall, used, look) {
                continue;
            }
            self.last_trouble = Some(now);
            core.set_careful(true);
            let counted = core.io.idle.give_up_on(at);
            let came = counted && core.io.notify(core, core.io.queue.top().unwrap_or(0));
            if !came && core.hand_off(at, held) {
                // If it came after all in between, it must ask for its slot.
                core.recall(at, held);
            }
        }
    }

    /// Notes guests that are in a poll although a relief holds their slot, and of
    /// which no hand-off told.
    pub(super) fn notice_overtaken(&mut self, now: Instant) {
        for (at, slot) in self.core.io.slots[..self.core.io.count()]
            .iter()
            .enumerate()
        {
            let look = slot.seat.look();
            let overtaken = look.is_polling() && slot.holder.now().relief().is_some();
            let before = mem::replace(&mut self.overtaken[at], overtaken.then_some(look));
            let is_known = |poll: &Displaced| {
                Arc::ptr_eq(&poll.seat, &slot.seat) && poll.look.poll == look.poll
            };
            let is_news = overtaken && before == Some(look);
            let Some(task) = look.task.filter(|_| is_news) else {
                continue;
            };
            if self.displaced.iter().any(is_known) {
                continue;
            }
            let activity = match look.thread.is_asleep() {
                Some(false) => Activity::Computing,
                Some(true) | None => Activity::Blocked,
            };
            self.displaced.push(Displaced {
                look,
                seat: Arc::clone(&slot.seat),
                task,
                activity,
                since: now,
            });
            self.last_trouble = Some(now);
            self.nudge();
        }
    }

    /// Whether a worker that a guest sits on, or sat on last, waits for a core.
    fn is_crowded(&self, wall: Duration, used: Option<Duration>, look: Look) -> bool {
        let preempted = |seen: &Sighting| seen.activity == Some(Activity::Preempted);
        self.sightings.iter().flatten().any(preempted)
            || policy::activity(wall, used, || look.thread.is_asleep()) == Activity::Preempted
    }
}

#[cfg(all(test, not(any(ats_loom, ats_shuttle))))]
mod tests {
    use crate::{Lane, Scheduler, task::slab};
    use std::{
        sync::mpsc,
        time::{Duration, Instant},
    };

    #[test]
    fn a_guest_that_lost_its_slot_unnoticed_and_got_stuck_is_relocated() {
        let scheduler = Scheduler::builder()
            .io_slots(1)
            .build_runtime()
            .expect("a scheduler");
        let (tell, told) = mpsc::channel();
        let (go, gone) = mpsc::channel::<()>();
        let stuck = scheduler.spawn(async move {
            tell.send(()).expect("somebody listens");
            let _ = gone.recv();
        });
        let id = stuck.id();
        told.recv().expect("it is in its poll");
        // As if it had begun just after the last look at its seat.
        let core = scheduler.core();
        let held = core.io.slots[0].holder.now();
        assert!(held.relief().is_none() && core.hand_off(0, held));
        let waiter = scheduler.spawn(stuck);
        let limit = Instant::now() + Duration::from_secs(60);
        while slab::record(id).word.load().lane() == Lane::Io {
            assert!(Instant::now() < limit, "nobody saw the stuck poll");
            std::thread::yield_now();
        }
        drop(go);
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let ended = runtime.expect("a runtime").block_on(waiter);
        assert!(ended.is_ok_and(|ended| ended.is_ok()));
    }
}
