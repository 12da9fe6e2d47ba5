//! The sentinel: the thread that watches for stuck polls.
//!
//! It owns: what it saw of each slot at its last tick, the reserves, the plug,
//! and the scheduler's coarse clock. It ticks every millisecond while anything
//! runs, and sleeps when nothing has for a while; whoever wakes an idle slot
//! rouses it.
//!
//! Protocol, at each tick, for each slot and open reserve:
//!
//! 1. Read the number of the poll that its carrier is in. If it is even, or
//!    not the one of the last tick, remember it, with the carrier's CPU clock.
//! 2. The same odd number twice is a poll that lasts for at least one tick. Ask
//!    what its thread is doing. A thread that the kernel merely preempted is
//!    left alone.
//! 3. If the poll's task has held a waiting task up for longer than the
//!    patience, relocate it: its next poll runs on the CPU lane if it computes,
//!    on the blocking lane if it sleeps.
//! 4. If something is ready, hand the slot to a relief. Hand-offs from a relief
//!    that got stuck too add a thread, and are damped. Open a reserve for what
//!    is more important than the stuck task.
//! 5. See to it that somebody drives I/O: pull the plug, or let the last guest
//!    leave its worker; and nudge Tokio, which wakes nobody to take over the
//!    driver by itself.
//!
//! Known race, harmless: the poll may end between the look and the hand-off.
//! Then a relief carries the slot for one boundary and gives it back.

use super::{
    policy::{self, Activity, Damping, HandOff, StuckPoll},
    rest::{KEEP_SPARE, QUIET_TICKS},
    stranded::Unanswered,
};
use crate::{
    core::{Core, Home, edges},
    counters::bump,
    event::{Event, Why},
    lane::{
        Lane,
        holder::Held,
        seat::{Look, Seat},
        thread,
    },
    load::observer::Observer,
    scheduler::live_tasks,
    task::{id::TaskId, slab},
};
use std::{
    io,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

pub(crate) fn start(core: &Arc<Core>) -> io::Result<()> {
    let watch = |core: &Arc<Core>| {
        // By itself: it may sleep before its starter goes on.
        Core::leave(&core.sentinel.thread, std::thread::current);
        Sentinel::new(core).watch();
    };
    thread::start(core, thread::SENTINEL, watch).map(drop)
}

/// What was seen of one slot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sighting {
    held: Held,
    look: Look,
    /// When it was first seen.
    since: Instant,
    /// When it was last seen, and the thread's CPU clock then.
    at: Instant,
    cpu: Option<Duration>,
    /// What it was doing since the look before.
    pub(super) activity: Option<Activity>,
    /// Tokio was nudged because of this poll.
    nudged: bool,
}

/// A poll that lost its slot and has not returned yet.
#[derive(Debug)]
pub(crate) struct Displaced {
    pub(crate) look: Look,
    pub(crate) seat: Arc<Seat>,
    pub(crate) task: TaskId,
    pub(crate) activity: Activity,
    pub(crate) since: Instant,
}

pub(super) struct Sentinel<'a> {
    pub(super) core: &'a Arc<Core>,
    pub(super) sightings: Vec<Option<Sighting>>,
    pub(super) unanswered: Vec<Option<Unanswered>>,
    pub(super) displaced: Vec<Displaced>,
    /// Of each slot, the poll that its guest was in at the last tick although a
    /// relief held the slot.
    pub(super) overtaken: Vec<Option<Look>>,
    /// The number of the poll of each CPU thread at the last tick.
    cpu_polls: Vec<u64>,
    damping: Damping,
    pub(super) observer: Observer,
    pub(super) quiet: u32,
    pub(super) is_unplugged: bool,
    pub(super) open_reserves: usize,
    /// How many nudges had run when Tokio was last to be nudged, until one more
    /// has, and for how many ticks that has been awaited.
    pub(super) nudge_due: Option<(u64, u32)>,
    /// When a poll was last found stuck, unless all was undone since.
    pub(super) last_trouble: Option<Instant>,
    start: Instant,
}

impl<'a> Sentinel<'a> {
    fn new(core: &'a Arc<Core>) -> Self {
        Self {
            core,
            sightings: vec![None; core.io.slots.len()],
            unanswered: vec![None; core.io.count()],
            displaced: Vec::new(),
            overtaken: vec![None; core.io.count()],
            cpu_polls: Vec::new(),
            damping: Damping::default(),
            observer: Observer::new(core),
            quiet: 0,
            is_unplugged: false,
            open_reserves: 0,
            nudge_due: None,
            last_trouble: None,
            start: Instant::now(),
        }
    }

    fn watch(mut self) {
        while !self.core.is_ending() {
            std::thread::park_timeout(self.core.config.tick);
            self.core.advance_tick();
            if self.core.config.promotion {
                self.tick(Instant::now());
            }
            self.observe();
            self.core.sound_alarm();
            self.core.judge_deadlines();
            self.core.judge_grants();
            self.retry_starved_lanes();
            self.sleep_if_quiet();
        }
        self.sweep();
    }

    fn tick(&mut self, now: Instant) {
        let stepped_aside = std::mem::take(&mut *self.core.stepped_aside.lock());
        if !stepped_aside.is_empty() {
            self.last_trouble = Some(now);
            self.displaced.extend(stepped_aside);
            self.nudge();
        }
        self.displaced
            .retain(|poll| poll.seat.look().poll == poll.look.poll);
        self.notice_overtaken(now);
        self.relocate_displaced(now);
        let stuck: Vec<bool> = (0..self.sightings.len())
            .map(|slot| self.watch_slot(slot, now))
            .collect();
        self.keep_io_driven(|slot| stuck[slot]);
        self.replace_stranded(now);
        self.nudge_if_due();
        self.count_hogs();
        self.settle_down(now);
    }

    /// One slot at one tick. True if its guest is stuck on a Tokio worker.
    fn watch_slot(&mut self, slot: usize, now: Instant) -> bool {
        let core = self.core;
        let held = core.io.slots[slot].holder.now();
        let is_slot = slot < core.io.count();
        let seat = match held.relief() {
            None if is_slot => Some(Arc::clone(&core.io.slots[slot].seat)),
            None => None,
            Some(relief) => core.io.reliefs.seat(relief),
        };
        let Some(seat) = seat else {
            self.sightings[slot] = None;
            return false;
        };
        let look = seat.look();
        let seen = self.sightings[slot];
        match seen {
            Some(seen) if look.is_polling() && seen.look == look && seen.held == held => {
                self.judge(slot, seen, &seat, now)
            }
            _ => {
                self.sightings[slot] = Some(Sighting {
                    held,
                    look,
                    at: now,
                    cpu: if look.is_polling() {
                        look.thread.cpu_time()
                    } else {
                        None
                    },
                    activity: None,
                    since: now,
                    nudged: false,
                });
                false
            }
        }
    }

    /// A poll that was seen at the last tick too.
    fn judge(&mut self, slot: usize, mut seen: Sighting, seat: &Arc<Seat>, now: Instant) -> bool {
        let core = self.core;
        let is_guest = seen.held.relief().is_none();
        let Some(task) = seen.look.task else {
            return false;
        };
        let cpu = seen.look.thread.cpu_time();
        let used = seen
            .cpu
            .zip(cpu)
            .map(|(before, after)| after.saturating_sub(before));
        let wall = now.duration_since(seen.at);
        let activity = policy::activity(wall, used, || seen.look.thread.is_asleep());
        (seen.at, seen.cpu, seen.activity) = (now, cpu, Some(activity));
        if core.io.queue.has_work(0) {
            // A push may have relied on this poll to end soon.
            core.io.notify(core, core.io.queue.top().unwrap_or(0));
        }
        if activity == Activity::Preempted {
            self.sightings[slot] = Some(seen);
            return false;
        }
        self.last_trouble = Some(now);
        core.set_careful(self.has_strangers());
        let polled = now.duration_since(seen.since);
        let poll = StuckPoll {
            activity,
            waited: self.waited_on(task),
            has_ready: core.io.queue.has_work(0),
            is_relief: !is_guest,
        };
        if policy::relocates(poll, core.config.patience) {
            self.relocate(task, poll, polled);
        }
        if is_guest && !seen.nudged {
            seen.nudged = true;
            self.nudge();
        }
        let mut handed_off = false;
        // The task may end as soon as a relief has the slot.
        let name = core.events.is_listening().then(|| edges::name_of(task));
        if self.may_hand_off(poll) && core.hand_off(slot, seen.held) {
            bump(&core.counters.hand_offs);
            core.events.emit(|at| Event::HandedOff {
                at,
                task,
                name: name.unwrap_or_else(|| edges::name_of(task)),
                slot,
                why: why(activity, polled),
            });
            if seat.look() != seen.look {
                // The poll ended in between. If its carrier has parked already,
                // it must ask for its slot, or for another.
                core.recall(slot, seen.held);
            }
            let (look, seat, since) = (seen.look, Arc::clone(seat), seen.since);
            self.displaced.push(Displaced {
                look,
                seat,
                task,
                activity,
                since,
            });
            handed_off = true;
        }
        if poll.has_ready {
            self.open_reserve(task);
        }
        self.sightings[slot] = (!handed_off).then_some(seen);
        is_guest
    }

    /// Whether there are Tokio tasks that are not ours, and could be stranded
    /// behind a stuck poll.
    fn has_strangers(&self) -> bool {
        let count = self.core.io.count();
        let ours = match self.core.home {
            // The guests and the plug.
            Home::Own(_) => count + 1,
            Home::Attached => count,
            // Polls are stuck on threads of ours; nobody is stranded there.
            Home::Threads => return false,
        };
        let run = self.core.nudges_run.load(Ordering::Relaxed);
        let nudges = self.core.nudges.load(Ordering::Relaxed).saturating_sub(run);
        self.core.handle.metrics().num_alive_tasks() > ours + nudges as usize
    }

    fn may_hand_off(&mut self, poll: StuckPoll) -> bool {
        match policy::hand_off(poll) {
            HandOff::No => false,
            HandOff::Free => true,
            HandOff::Growth => self.damping.admits(self.start.elapsed()),
        }
    }

    /// How long a task has been waited on, if it is.
    fn waited_on(&self, task: TaskId) -> Option<Duration> {
        let record = slab::record(task);
        let is_same = record.word.load().generation() == task.generation();
        let mut since = record.facts.waited_since.load(Ordering::Relaxed);
        let waiter = TaskId::from_raw(record.facts.waiter.load(Ordering::Relaxed));
        if since == 0
            && let Some(group) = waiter
        {
            // A member of a group is waited on when its group is.
            since = slab::record(group)
                .facts
                .waited_since
                .load(Ordering::Relaxed);
        }
        (since != 0 && is_same)
            .then(|| self.core.config.tick * self.core.tick().wrapping_sub(since))
    }

    /// A poll may lose its slot long before the patience of those who wait on
    /// its task ends.
    fn relocate_displaced(&self, now: Instant) {
        for displaced in &self.displaced {
            let poll = StuckPoll {
                activity: displaced.activity,
                waited: self.waited_on(displaced.task),
                has_ready: false,
                is_relief: false,
            };
            if policy::relocates(poll, self.core.config.patience) {
                self.relocate(displaced.task, poll, now.duration_since(displaced.since));
            }
        }
    }

    fn relocate(&self, task: TaskId, poll: StuckPoll, polled: Duration) {
        let record = slab::record(task);
        let lane = match poll.activity {
            Activity::Blocked => Lane::Blocking,
            Activity::Computing | Activity::Preempted => Lane::Cpu,
        };
        // Once is enough: a task that computes and blocks by turns must not
        // flap between lanes.
        if record.word.load().lane() != Lane::Io {
            return;
        }
        record.facts.note_relocated_after(polled);
        if record.word.set_lane(task.generation(), lane) {
            self.announce_stall(task, poll.waited.unwrap_or_default());
        }
    }

    fn announce_stall(&self, on: TaskId, waited: Duration) {
        let record = slab::record(on);
        let waiter = TaskId::from_raw(record.facts.waiter.load(Ordering::Relaxed));
        if let Some(waiter) = waiter {
            self.core.events.emit(|at| Event::Stalled {
                at,
                task: waiter,
                name: slab::record(waiter).name(waiter.generation()),
                on,
                on_name: record.name(on.generation()),
                waited,
            });
        }
    }

    /// Opens a reserve for what is more important than a stuck task, unless
    /// one that is not stuck itself serves it already.
    fn open_reserve(&mut self, task: TaskId) {
        let core = self.core;
        let level = slab::record(task).word.load().level();
        let Some(floor) = policy::reserve_floor(level) else {
            return;
        };
        let count = core.io.count();
        let open = count..count + self.open_reserves;
        let serves = |slot: usize| {
            core.io.idle.floor(slot) <= floor
                && !self.sightings[slot].is_some_and(|seen| seen.look.is_polling())
        };
        if open.clone().any(serves) || self.open_reserves == count {
            return;
        }
        let slot = open.end;
        core.io.idle.set_floor(slot, floor);
        let held = core.io.slots[slot].holder.now();
        if held.relief().is_none() && core.hand_off(slot, held) {
            self.open_reserves += 1;
        }
    }

    /// Reserves close in the order in which they were not opened.
    fn close_reserves(&mut self) {
        let count = self.core.io.count();
        for slot in count..count + self.open_reserves {
            if let Err(relief) = self.core.io.slots[slot].holder.want_back() {
                self.core.io.reliefs.wake(relief);
            }
        }
        self.open_reserves = 0;
    }

    /// Nudges Tokio at once, and again, ever more rarely, until a nudge has run.
    pub(super) fn nudge(&mut self) {
        if !matches!(self.core.home, Home::Threads) {
            self.nudge_due = Some((self.core.nudges_run.load(Ordering::Relaxed), 0));
            self.core.nudge();
        }
    }

    fn nudge_if_due(&mut self) {
        let run = self.core.nudges_run.load(Ordering::Relaxed);
        let due = self.nudge_due.filter(|&(before, _)| before == run);
        self.nudge_due = due.map(|(before, ticks)| (before, ticks.saturating_add(1)));
        let is_time = |(_, ticks): (u64, u32)| {
            ticks > 1 && (ticks.is_power_of_two() || ticks.is_multiple_of(128))
        };
        if self.nudge_due.is_some_and(is_time) {
            self.core.nudge();
        }
    }

    /// Sees to it that some Tokio worker can drive I/O and timers. `is_stuck`
    /// says of which slots the guest was found stuck at this tick.
    fn keep_io_driven(&mut self, is_stuck: impl Fn(usize) -> bool) {
        let core = self.core;
        let slots = &core.io.slots[..core.io.count()];
        let is_away = |slot: usize| {
            let seat = &slots[slot].seat;
            is_stuck(slot)
                || self
                    .displaced
                    .iter()
                    .any(|poll| Arc::ptr_eq(&poll.seat, seat))
        };
        let away: Vec<bool> = (0..slots.len()).map(is_away).collect();
        match &core.home {
            Home::Own(plug) if away.contains(&true) && !self.is_unplugged => {
                plug.pull_out();
                self.is_unplugged = true;
                self.nudge();
            }
            Home::Attached => self.free_last_worker(&away),
            Home::Own(_) | Home::Threads => {}
        }
    }

    /// While all guests but one are stuck, that one leaves its worker.
    fn free_last_worker(&self, away: &[bool]) {
        let core = self.core;
        let free = away.iter().filter(|&&away| !away).count();
        let is_every_worker = away.len() == core.handle.metrics().num_workers();
        let is_last = is_every_worker && away.len() > 1 && free <= 1;
        for (slot, &away) in core.io.slots.iter().zip(away) {
            let leave = is_last && !away;
            if slot.leave.swap(leave, Ordering::AcqRel) != leave
                && let Some(guest) = slot.guest.get()
            {
                guest.wake_by_ref();
            }
        }
    }

    /// Takes CPU permits away for polls that compute elsewhere.
    fn count_hogs(&mut self) {
        let polls: Vec<u64> = self.core.cpu.seats().map(|seat| seat.look().poll).collect();
        // What was in the same poll at the last tick.
        let before = std::mem::replace(&mut self.cpu_polls, polls);
        let busy =
            |at: usize| self.cpu_polls[at] % 2 == 1 && before.get(at) == self.cpu_polls.get(at);
        let computing = |poll: &&Displaced| poll.activity == Activity::Computing;
        let hogs = self.displaced.iter().filter(computing).count();
        let hogs = hogs + self.core.cpu.reserves.overdrawn();
        let permits = self.core.cpu.threads().saturating_sub(hogs).max(1);
        self.core.cpu.set_permits(self.core, permits, busy);
    }

    /// Undoes what was set up, when nothing has been stuck for a while.
    fn settle_down(&mut self, now: Instant) {
        let core = self.core;
        let Some(last) = self.last_trouble else {
            return;
        };
        let calm = now.duration_since(last);
        if !self.displaced.is_empty() || calm < core.config.tick * QUIET_TICKS {
            return;
        }
        core.set_careful(false);
        if self.open_reserves > 0 {
            self.close_reserves();
        }
        if let Home::Own(plug) = &core.home
            && std::mem::take(&mut self.is_unplugged)
        {
            plug.push_in();
            self.nudge();
        }
        if calm < KEEP_SPARE {
            return;
        }
        if core.io.reliefs.spares() > 1 {
            core.io.reliefs.retire_one();
        } else {
            self.last_trouble = None;
        }
    }

    /// A thread that could not be started when work came is tried again.
    fn retry_starved_lanes(&self) {
        let core = self.core;
        if core.io.idle.parked() >= core.io.count() && core.io.queue.has_work(0) {
            core.io.notify(core, core.io.queue.top().unwrap_or(0));
        }
        if core.cpu.queue.has_work(0) {
            core.cpu.notify(core, 0);
        }
        if core.blocking.queue.has_work(0) {
            core.blocking.notify(core);
        }
    }

    /// Ends every task that is left. Those inside a poll end when it returns,
    /// so this goes on, ever more rarely, until none is left.
    fn sweep(&self) {
        let core = self.core;
        let mut pause = Duration::from_millis(1);
        // Destructors may want Tokio's context.
        let _context = core.handle.enter();
        loop {
            // Counted before the pass: a carrier that has gone by now has left
            // its task where this pass finds it.
            let is_alone = Arc::strong_count(core) == 1;
            for (id, _) in live_tasks(core) {
                core.sweep_one(id);
            }
            core.drained.notify_waiters();
            if core.counters.live() == 0 || is_alone {
                return;
            }
            std::thread::park_timeout(pause);
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }
}

fn why(activity: Activity, polled: Duration) -> Why {
    match activity {
        Activity::Blocked => Why::Blocked { polled },
        Activity::Computing | Activity::Preempted => Why::Computing { polled },
    }
}
