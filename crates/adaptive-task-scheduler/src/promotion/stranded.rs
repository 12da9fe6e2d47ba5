//! Guests that were woken and do not come.
//!
//! A guest that is woken may lie in the LIFO slot, or among the deferred
//! tasks, of a worker that a plain Tokio task blocks. It cannot be reached
//! there, and keeps others from being woken while it counts as searching. A
//! guest that is neither parked nor has begun a poll between two ticks is
//! given up, and somebody else comes instead. If that is because the machine
//! is crowded, somebody else would not get a core either, and the slot would
//! leave its worker for nothing.

use super::{
    policy::{self, Activity},
    sentinel::{Sentinel, Sighting},
};
use crate::lane::seat::Look;
use std::time::{Duration, Instant};

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

    /// Whether a worker that a guest sits on, or sat on last, waits for a core.
    fn is_crowded(&self, wall: Duration, used: Option<Duration>, look: Look) -> bool {
        let preempted = |seen: &Sighting| seen.activity == Some(Activity::Preempted);
        self.sightings.iter().flatten().any(preempted)
            || policy::activity(wall, used, || look.thread.is_asleep()) == Activity::Preempted
    }
}
