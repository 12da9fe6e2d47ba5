//! The inside of a scheduler: what its handles, carriers, threads and tasks
//! share.
//!
//! It owns: the lanes, the sentinel's doorbell, the events, the counters, and
//! the phase. A scheduler is open, then closed (takes no tasks), then ending
//! (carriers stop, and the sentinel ends every task that is left).
//!
//! Calls go down from here to the queues and lanes; waking comes up through
//! `task::current::schedule`, finishing through [`run`].

pub(crate) mod edges;
pub(crate) mod finish;
pub(crate) mod inverted;
pub(crate) mod run;
pub(crate) mod start;

use crate::{
    counters::{Counters, Stats, bump},
    event::{Event, EventSink},
    inversions::Ledger,
    lane::{
        Lane,
        blocking::BlockingLane,
        cpu::CpuLane,
        holder::{Boundary, Held, Tenure},
        io::{self, IoLane},
        plug::Plug,
        seat::Seat,
    },
    learning::{class::Classes, deadline::Deadlines},
    load, primitives,
    promotion::{doorbell::Doorbell, policy::Activity, sentinel::Displaced},
    queue::ready::{ReadyQueue, Taken},
    scheduler::{Config, Shared},
    task::{current, id::TaskId, record::Record, slab, word::Snapshot},
};
use std::{
    fmt,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering, fence},
    },
    time::{Duration, Instant, SystemTime},
};
use tokio::{runtime::Handle, sync::Notify};

pub(crate) const OPEN: u8 = 0;
pub(crate) const CLOSED: u8 = 1;
pub(crate) const ENDING: u8 = 2;

/// Where the slots live.
#[derive(Debug, Clone)]
pub(crate) enum Home {
    /// On a runtime of our own, whose spare worker is plugged.
    Own(Arc<Plug>),
    /// On the workers of somebody's multi-thread runtime.
    Attached,
    /// On threads of ours, beside a current-thread runtime.
    Threads,
}

pub(crate) struct Core {
    /// This scheduler's number in this process.
    pub(crate) number: u32,
    pub(crate) config: Config,
    pub(crate) handle: Handle,
    pub(crate) home: Home,
    pub(crate) io: IoLane,
    pub(crate) cpu: CpuLane,
    pub(crate) blocking: BlockingLane,
    pub(crate) events: EventSink,
    pub(crate) counters: Counters,
    pub(crate) load: load::Board,
    pub(crate) inversions: Ledger,
    pub(crate) sentinel: Doorbell,
    pub(crate) classes: Classes,
    pub(crate) deadlines: Deadlines,
    pub(crate) grants: crate::sync::unused::Grants,
    /// Told when a task ended and none is left.
    pub(crate) drained: Notify,
    pub(crate) shared: OnceLock<Weak<Shared>>,
    /// How many nudges of Tokio there were, and how many of them have run.
    pub(crate) nudges: AtomicU64,
    pub(crate) nudges_run: AtomicU64,
    /// Polls that handed their slot on themselves, for the sentinel to take.
    pub(crate) stepped_aside: primitives::Mutex<Vec<Displaced>>,
    me: Weak<Core>,
    start: Instant,
    /// The same moment, since the Unix epoch.
    start_epoch: Duration,
    /// Ticks since the start, kept by the sentinel while anything runs.
    tick: AtomicU32,
    phase: AtomicU8,
    careful: AtomicBool,
    /// When the sentinel is to tell those who wait for the end of all tasks, in
    /// nanoseconds after the start; `u64::MAX` for never.
    alarm: AtomicU64,
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl Core {
    pub(crate) fn new(
        me: Weak<Core>,
        number: u32,
        config: Config,
        handle: Handle,
        home: Home,
    ) -> Self {
        slab::init();
        Self {
            number,
            handle,
            home,
            io: IoLane::new(config.io_slots),
            cpu: CpuLane::new(config.cpu_threads),
            blocking: BlockingLane::new(config.blocking_limit),
            events: EventSink::new(me.clone()),
            counters: Counters::default(),
            inversions: Ledger::default(),
            load: load::Board::new(config.io_slots, config.cpu_threads, config.blocking_limit),
            sentinel: Doorbell::default(),
            classes: Classes::new(),
            deadlines: Deadlines::new(),
            grants: crate::sync::unused::Grants::default(),
            drained: Notify::new(),
            shared: OnceLock::new(),
            nudges: AtomicU64::new(0),
            nudges_run: AtomicU64::new(0),
            stepped_aside: primitives::Mutex::new(Vec::new()),
            me,
            start: Instant::now(),
            start_epoch: SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_or_default(),
            tick: AtomicU32::new(1),
            phase: AtomicU8::new(OPEN),
            careful: AtomicBool::new(false),
            alarm: AtomicU64::new(u64::MAX),
            config,
        }
    }

    /// `None` only while the last reference is being dropped.
    pub(crate) fn me(&self) -> Option<Arc<Core>> {
        self.me.upgrade()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.phase.load(Ordering::SeqCst) == OPEN
    }

    /// Leaves `value` where the scheduler's end looks for whom to wake. After
    /// this, [`is_ending`](Self::is_ending) sees an end that did not see it.
    pub(crate) fn leave<T>(cell: &OnceLock<T>, value: impl FnOnce() -> T) {
        if cell.get().is_none() {
            let _ = cell.set(value());
            fence(Ordering::SeqCst);
        }
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == ENDING
    }

    /// Takes no tasks any more.
    pub(crate) fn close(&self) {
        self.phase.fetch_max(CLOSED, Ordering::SeqCst);
    }

    /// Stops everything. What is left to do, the sentinel does.
    pub(crate) fn end(&self) {
        if self.phase.swap(ENDING, Ordering::SeqCst) == ENDING {
            return;
        }
        if let Home::Own(plug) = &self.home {
            plug.end();
        }
        // Pairs with the fence of a carrier that has just left its waker: one of
        // the two sees the other.
        fence(Ordering::SeqCst);
        self.sentinel.ring();
        self.cpu.end();
        self.io.wake_all(self);
    }

    /// Whether guests return to Tokio after every poll. While polls get stuck
    /// they must: a Tokio task that was woken in the poll before sits in the
    /// worker's LIFO slot, and would be stuck there with the next one.
    pub(crate) fn is_careful(&self) -> bool {
        self.careful.load(Ordering::Relaxed)
    }

    pub(crate) fn set_careful(&self, careful: bool) {
        self.careful.store(careful, Ordering::Relaxed);
    }

    /// Nanoseconds between the scheduler's start and `at`, at least 1.
    pub(crate) fn nanos(&self, at: Instant) -> u64 {
        (at.saturating_duration_since(self.start).as_nanos() as u64).max(1)
    }

    /// The moment so many nanoseconds after the scheduler's start.
    pub(crate) fn instant(&self, nanos: u64) -> Instant {
        self.start + Duration::from_nanos(nanos)
    }

    /// The time since the Unix epoch, as a clock that never goes back tells it.
    pub(crate) fn since_epoch(&self) -> Duration {
        self.start_epoch + self.start.elapsed()
    }

    /// Wakes those who wait for the end of all tasks, if that has come.
    pub(crate) fn tell_if_drained(&self) {
        if !self.is_open() && self.counters.live() == 0 {
            self.drained.notify_waiters();
        }
    }

    /// Lets the sentinel wake those who wait in `drained`, at `at` or before.
    pub(crate) fn set_alarm(&self, at: Instant) {
        self.alarm.fetch_min(self.nanos(at), Ordering::SeqCst);
        self.sentinel.ring();
    }

    pub(crate) fn has_alarm(&self) -> bool {
        self.alarm.load(Ordering::SeqCst) != u64::MAX
    }

    /// Wakes those who wait in `drained`, if it is time.
    pub(crate) fn sound_alarm(&self) {
        if self.alarm.load(Ordering::SeqCst) <= self.nanos(Instant::now()) {
            self.alarm.store(u64::MAX, Ordering::SeqCst);
            self.drained.notify_waiters();
        }
    }

    /// The present tick. The sentinel keeps it; while that sleeps it is read
    /// off the clock.
    pub(crate) fn tick(&self) -> u32 {
        if self.sentinel.is_asleep() {
            self.advance_tick();
        }
        self.last_tick()
    }

    /// How many ticks have begun since one was read off this clock.
    pub(crate) fn ticks_since(&self, since: u32) -> u32 {
        // Another thread's reading may be a tick ahead of this one's.
        (self.tick().wrapping_sub(since) as i32).max(0) as u32
    }

    /// The tick that the sentinel saw last.
    pub(crate) fn last_tick(&self) -> u32 {
        self.tick.load(Ordering::Relaxed)
    }

    pub(crate) fn advance_tick(&self) -> u32 {
        let ticks = self.start.elapsed().as_nanos() / self.config.tick.as_nanos().max(1);
        let tick = (ticks as u32).max(1);
        self.tick.store(tick, Ordering::Relaxed);
        tick
    }

    /// Picks the next task for a carrier of the slot.
    pub(crate) fn pick(&self, slot: usize, turn: usize) -> Option<Taken> {
        let floor = self.io.idle.floor(slot);
        self.pick_from(&self.io.queue, &self.io.ageing, Some(slot), floor, turn)
    }

    /// Picks the next task of a lane. On every second turn an entry that waited
    /// longer than the ageing bound goes first; if there was none, that is asked
    /// again at the next tick.
    pub(crate) fn pick_from(
        &self,
        queue: &ReadyQueue,
        ageing: &AtomicU32,
        slot: Option<usize>,
        floor: u8,
        turn: usize,
    ) -> Option<Taken> {
        if turn & 1 == 1
            && floor == 0
            && let Some(bound) = self.config.ageing_ticks
            && ageing.load(Ordering::Relaxed) != self.last_tick()
        {
            let now = self.last_tick();
            if let Some(taken) = queue.pick_overdue(|entry| is_overdue(entry, now, bound)) {
                return Some(taken);
            }
            ageing.store(now, Ordering::Relaxed);
        }
        queue.pick(slot, floor)
    }

    /// Queues a task whose word has said so: from the carrier that has `tenure`
    /// here, or from outside.
    pub(crate) fn enqueue(
        &self,
        record: &Record,
        id: TaskId,
        word: Snapshot,
        tenure: Option<Tenure>,
    ) {
        let tick = self.tick();
        record.facts.ready_tick.store(tick, Ordering::Relaxed);
        load::stamp(self, &record.facts, tick, word);
        self.events.emit(|at| Event::Ready {
            at,
            task: id,
            name: record.name(id.generation()),
            priority: crate::Priority::of_level(word.level()),
            lane: word.lane(),
        });
        self.push(record, id, word, tenure);
    }

    /// Pushes an entry of a task onto its lane's queue and wakes a carrier.
    ///
    /// Nobody is woken for the only entry of the present carrier's own ring,
    /// unless it is more important than the poll that pushes it, or something less
    /// important waits too: the carrier comes to it as soon as that poll ends, and
    /// if it does not end, the sentinel sees it within two ticks. If the carrier has lost its slot, nobody
    /// comes, so that is asked after the push; if it loses the slot later, the
    /// relief comes and looks. (One wake-up for each local schedule cost Tokio a
    /// third of one service's throughput, tokio#8065.)
    fn push(&self, record: &Record, id: TaskId, word: Snapshot, tenure: Option<Tenure>) {
        let deadline = record.facts.deadline.load(Ordering::Relaxed);
        let level = word.level();
        match word.lane() {
            Lane::Io => {
                let slot = tenure.map(|tenure| tenure.slot);
                let alone = self.io.queue.push(id.raw(), level, deadline, slot);
                let is_next = alone && current::level() >= level && !self.io.queue.has_below(level);
                if !(is_next && self.will_come(tenure)) {
                    self.io.notify(self, level);
                }
            }
            Lane::Cpu => {
                self.cpu.queue.push(id.raw(), level, deadline, None);
                self.cpu.notify(self, level);
            }
            Lane::Blocking => {
                self.blocking.queue.push(id.raw(), level, deadline, None);
                self.blocking.notify(self);
            }
        }
    }

    /// Whether a carrier holds its slot and, if its poll lasts, the sentinel
    /// will see to it.
    fn will_come(&self, tenure: Option<Tenure>) -> bool {
        self.config.promotion
            && tenure.is_some_and(|Tenure { slot, held }| {
                self.io.slots[slot].holder.boundary(held) == Boundary::Keep
            })
    }

    /// Pushes the second entry of a queued task whose level rose.
    pub(crate) fn push_again(&self, id: TaskId, word: Snapshot) {
        self.push(slab::record(id), id, word, None);
    }

    /// Hands `slot` from `held` to a relief. False if no relief could be had,
    /// or if the slot was no longer held so.
    pub(crate) fn hand_off(&self, slot: usize, held: Held) -> bool {
        let holder = &self.io.slots[slot].holder;
        if holder.is_wanted() && holder.give_back(held).is_some() {
            self.io.wake(self, slot);
            return true;
        }
        let Some(core) = self.me() else { return false };
        let Some(relief) = self.io.reliefs.take(&core) else {
            return false;
        };
        match holder.hand_off(held, relief) {
            Some(held) => {
                self.io.reliefs.assign(relief, slot, held);
                true
            }
            None => {
                self.io.reliefs.put_back(relief);
                false
            }
        }
    }

    /// Wakes the carrier that held the slot before a hand-off.
    pub(crate) fn recall(&self, slot: usize, before: Held) {
        match before.relief() {
            Some(relief) => self.io.reliefs.wake(relief),
            None => {
                if let Some(guest) = self.io.slots[slot].guest.get() {
                    guest.wake_by_ref();
                }
            }
        }
    }

    /// A poll that is about to block hands its slot on. True if it held it.
    pub(crate) fn step_aside(
        &self,
        slot: usize,
        held: Held,
        task: TaskId,
        seat: &Arc<Seat>,
    ) -> bool {
        let keeps = self.io.slots[slot].holder.boundary(held) == Boundary::Keep;
        if !keeps || !self.hand_off(slot, held) {
            return false;
        }
        if self.config.promotion {
            // The sentinel must know that this worker is away from I/O.
            self.stepped_aside.lock().push(Displaced {
                look: seat.look(),
                seat: Arc::clone(seat),
                task,
                activity: Activity::Blocked,
                since: Instant::now(),
            });
            self.sentinel.ring();
        }
        self.nudge();
        true
    }

    /// A relief gives the slot back to the guest that wants it.
    pub(crate) fn give_back(&self, slot: usize, held: Held) {
        if self.io.slots[slot].holder.give_back(held).is_some() {
            if slot < self.io.count() {
                bump(&self.counters.take_backs);
                self.events.emit(|at| Event::TakenBack { at, slot });
            }
            if let Some(guest) = self.io.slots[slot].guest.get() {
                guest.wake_by_ref();
            }
        }
    }

    /// The guest leaves its worker free for I/O; a relief carries instead.
    pub(crate) fn leave_worker(&self, at: usize) {
        let slot = &self.io.slots[at];
        let held = slot.holder.now();
        if held.relief().is_some() {
            return;
        }
        // The relief begins with a slot that is neither parked nor searching.
        io::activate(self, at);
        if !self.hand_off(at, held) {
            // No thread to be had: stay on the worker.
            slot.leave.store(false, Ordering::Release);
            if let Some(guest) = slot.guest.get() {
                guest.wake_by_ref();
            }
        }
    }

    /// The seats of all carriers.
    pub(crate) fn seats(&self) -> Vec<Arc<Seat>> {
        let slots = self.io.slots.iter().map(|slot| Arc::clone(&slot.seat));
        let mut seats: Vec<_> = slots
            .chain(self.io.reliefs.seats())
            .chain(self.cpu.seats().map(Arc::clone))
            .chain(self.cpu.reserves.seats())
            .collect();
        self.blocking
            .for_each_seat(|seat| seats.push(Arc::clone(seat)));
        seats
    }

    pub(crate) fn stats(&self) -> Stats {
        let counters = &self.counters;
        let slots = self.io.slots.iter().map(|slot| Arc::clone(&slot.seat));
        let seats: Vec<_> = slots
            .chain(self.io.reliefs.seats())
            .chain(self.cpu.seats().map(Arc::clone))
            .chain(self.cpu.reserves.seats())
            .collect();
        let ended = counters.ended();
        let rejected = counters.rejected.load(Ordering::Relaxed);
        Stats {
            finished: ended,
            spawned: counters.spawned().saturating_sub(rejected),
            live: counters.live(),
            rejected,
            polls: seats.iter().map(|seat| seat.polls()).sum(),
            stale_entries: seats.iter().map(|seat| seat.stale()).sum(),
            boosts: counters.boosts.load(Ordering::Relaxed),
            relocations: counters.relocations.load(Ordering::Relaxed),
            hand_offs: counters.hand_offs.load(Ordering::Relaxed),
            gave_way: counters.gave_way.load(Ordering::Relaxed),
            unused_grants: counters.unused_grants.load(Ordering::Relaxed),
            take_backs: counters.take_backs.load(Ordering::Relaxed),
            threads: counters.threads.load(Ordering::Relaxed),
            peak_threads: counters.peak_threads.load(Ordering::Relaxed),
            wakes: counters.wakes.load(Ordering::Relaxed),
            ready: self.io.queue.depths(),
        }
    }
}

/// Whether the task of an entry was queued so long ago that, if it goes first now, it
/// has begun within `bound` ticks: a 64th is for those that are overdue with it.
fn is_overdue(entry: u64, now: u32, bound: u32) -> bool {
    TaskId::from_raw(entry).is_some_and(|id| {
        let ready = slab::record(id).facts.ready_tick.load(Ordering::Relaxed);
        // What was queued in a tick that this thread has not seen yet is young.
        now.wrapping_sub(ready) as i32 > (bound - bound / 64) as i32
    })
}
