//! Slots and whoever carries them, without Tokio: the mirror of
//! `lane::{io, guest, relief}` and of the hand-off in `core`.
//!
//! A guest is a thread that runs [`Slots::guest`] and a relief is one that
//! runs [`Slots::relief`]; a [`Bell`] stands for the waker of each. What is a
//! return to Tokio there is a yield here.

use super::bell::Bell;
use crate::{
    lane::{
        holder::{Boundary, Held, Holder, Tenure},
        idle::{Begin, Idle, Park},
    },
    primitives::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    queue::ready::{ReadyQueue, Taken},
};
#[cfg(ats_loom)]
use loom::thread::yield_now;
#[cfg(ats_shuttle)]
use shuttle::thread::yield_now;

/// How many tasks a carrier polls in one turn: few, so that turns end often.
const POLLS: usize = 3;

/// The queue of a lane, as its carriers use it.
pub(crate) trait Entries {
    /// True if the entry is the only one in the slot's ring.
    fn push(&self, entry: u64, level: u8, slot: Option<usize>) -> bool;
    fn pick(&self, slot: usize, floor: u8) -> Option<Taken>;
    fn has_work(&self, floor: u8) -> bool;
    fn top(&self) -> Option<u8>;
}

impl Entries for ReadyQueue {
    fn push(&self, entry: u64, level: u8, slot: Option<usize>) -> bool {
        ReadyQueue::push(self, entry, level, 0, slot)
    }

    fn pick(&self, slot: usize, floor: u8) -> Option<Taken> {
        ReadyQueue::pick(self, Some(slot), floor)
    }

    fn has_work(&self, floor: u8) -> bool {
        ReadyQueue::has_work(self, floor)
    }

    fn top(&self) -> Option<u8> {
        ReadyQueue::top(self)
    }
}

struct Slot {
    holder: Holder,
    guest: Bell,
}

#[derive(Debug, Clone, Copy)]
enum Assignment {
    Spare,
    Slot(usize, Held),
}

struct Relief {
    bell: Bell,
    assignment: Mutex<Assignment>,
}

/// Why a carrier stopped carrying for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Parked,
    Breathe,
    GiveBack,
    Lost,
    Ending,
}

pub(crate) struct Slots<Q> {
    pub(crate) queue: Q,
    pub(crate) idle: Idle,
    slots: Box<[Slot]>,
    reliefs: Box<[Relief]>,
    spare: Mutex<Vec<usize>>,
    is_ending: AtomicBool,
}

impl<Q: Entries> Slots<Q> {
    pub(crate) fn new(slots: usize, reliefs: usize, queue: Q) -> Self {
        let slot = |_| Slot {
            holder: Holder::guest(),
            guest: Bell::new(),
        };
        let relief = |_| Relief {
            bell: Bell::new(),
            assignment: Mutex::new(Assignment::Spare),
        };
        Self {
            queue,
            idle: Idle::new(slots),
            slots: (0..slots).map(slot).collect(),
            reliefs: (0..reliefs).map(relief).collect(),
            spare: Mutex::new((0..reliefs).collect()),
            is_ending: AtomicBool::new(false),
        }
    }

    pub(crate) fn holder(&self, slot: usize) -> &Holder {
        &self.slots[slot].holder
    }

    /// Adds an entry from outside, and wakes a carrier for it.
    pub(crate) fn push(&self, entry: u64, level: u8) {
        self.queue.push(entry, level, None);
        self.notify(level);
    }

    /// Adds an entry from within a poll of level `present`. Nobody is woken for
    /// the only one in the slot's ring, to which its carrier comes, unless it is
    /// more important than that poll, or the carrier has lost the slot.
    pub(crate) fn push_within(&self, entry: u64, level: u8, tenure: Tenure, present: u8) {
        let Tenure { slot, held } = tenure;
        let alone = self.queue.push(entry, level, Some(slot));
        let comes = || self.holder(slot).boundary(held) == Boundary::Keep;
        if !(alone && present >= level && comes()) {
            self.notify(level);
        }
    }

    fn notify(&self, level: u8) -> bool {
        let woken = self.idle.notify(level);
        if let Some(slot) = woken {
            self.wake(slot);
        }
        woken.is_some()
    }

    /// Wakes whoever carries `slot`.
    fn wake(&self, slot: usize) {
        match self.holder(slot).now().relief() {
            Some(relief) => self.reliefs[relief].bell.ring(),
            None => self.slots[slot].guest.ring(),
        }
    }

    /// Stops all carriers.
    pub(crate) fn end(&self) {
        self.is_ending.store(true, Ordering::SeqCst);
        self.slots.iter().for_each(|slot| slot.guest.ring());
        self.reliefs.iter().for_each(|relief| relief.bell.ring());
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }

    /// Hands `slot` from `held` to a spare relief, or back to its guest.
    pub(crate) fn hand_off(&self, slot: usize, held: Held) -> bool {
        let holder = self.holder(slot);
        if holder.is_wanted() && holder.give_back(held).is_some() {
            self.wake(slot);
            return true;
        }
        let Some(relief) = self.spare.lock().pop() else {
            return false;
        };
        match holder.hand_off(held, relief) {
            Some(held) => {
                *self.reliefs[relief].assignment.lock() = Assignment::Slot(slot, held);
                self.reliefs[relief].bell.ring();
                true
            }
            None => {
                self.spare.lock().push(relief);
                false
            }
        }
    }

    /// Lets the carrier that held `slot` before a hand-off look around.
    pub(crate) fn recall(&self, slot: usize, before: Held) {
        match before.relief() {
            Some(relief) => self.reliefs[relief].bell.ring(),
            None => self.slots[slot].guest.ring(),
        }
    }

    /// Stops relying on a carrier that was woken and has not come, and has
    /// another come instead.
    pub(crate) fn replace_stranded(&self, slot: usize) {
        if self.idle.wakes_if_astir(slot).is_none() || !self.queue.has_work(0) {
            return;
        }
        let before = self.holder(slot).now();
        let counted = self.idle.give_up_on(slot);
        let comes = counted && self.notify(self.queue.top().unwrap_or(0));
        if !comes && self.hand_off(slot, before) {
            self.recall(slot, before);
        }
    }

    /// Somebody wants `slot` back, as when reserves are closed.
    pub(crate) fn want_back(&self, slot: usize) {
        if let Err(relief) = self.holder(slot).want_back() {
            self.reliefs[relief].bell.ring();
        }
    }

    /// The life of a guest.
    pub(crate) fn guest(&self, at: usize, run: &impl Fn(Taken, Tenure)) {
        while !self.is_ending() {
            let held = match self.holder(at).want_back() {
                Ok(held) => held,
                Err(relief) => {
                    self.reliefs[relief].bell.ring();
                    self.slots[at].guest.wait();
                    continue;
                }
            };
            match self.carry(at, held, run) {
                Stop::Parked => self.slots[at].guest.wait(),
                Stop::Breathe | Stop::Lost | Stop::GiveBack => yield_now(),
                Stop::Ending => return,
            }
        }
    }

    /// The life of a relief.
    pub(crate) fn relief(&self, number: usize, run: &impl Fn(Taken, Tenure)) {
        let relief = &self.reliefs[number];
        loop {
            let assignment = *relief.assignment.lock();
            let (slot, held) = match assignment {
                Assignment::Slot(slot, held) => (slot, held),
                Assignment::Spare if self.is_ending() => return,
                Assignment::Spare => {
                    relief.bell.wait();
                    continue;
                }
            };
            match self.carry(slot, held, run) {
                Stop::Parked => relief.bell.wait(),
                Stop::Breathe => yield_now(),
                Stop::Ending => return,
                Stop::GiveBack => {
                    self.rest(number);
                    if self.holder(slot).give_back(held).is_some() {
                        self.slots[slot].guest.ring();
                    }
                }
                Stop::Lost => self.rest(number),
            }
        }
    }

    fn rest(&self, number: usize) {
        *self.reliefs[number].assignment.lock() = Assignment::Spare;
        self.spare.lock().push(number);
    }

    /// Carries a slot until there is a reason to stop.
    fn carry(&self, at: usize, held: Held, run: &impl Fn(Taken, Tenure)) -> Stop {
        if self.holder(at).boundary(held) == Boundary::Lost {
            return match self.is_ending() {
                true => Stop::Ending,
                false => Stop::Lost,
            };
        }
        let mut searching = match self.begin(at, held) {
            Some(searching) => searching,
            None if self.is_ending() => return Stop::Ending,
            None => return Stop::Parked,
        };
        let mut stop = Stop::Breathe;
        for _ in 0..POLLS {
            if self.is_ending() {
                return Stop::Ending;
            }
            match self.holder(at).boundary(held) {
                Boundary::Keep => {}
                Boundary::GiveBack => {
                    stop = Stop::GiveBack;
                    break;
                }
                Boundary::Lost => {
                    stop = Stop::Lost;
                    break;
                }
            }
            match self.queue.pick(at, self.idle.floor(at)) {
                Some(taken) => {
                    if std::mem::take(&mut searching) {
                        self.stop_searching();
                    }
                    run(taken, Tenure { slot: at, held });
                }
                None => match self
                    .idle
                    .park(at, searching, |floor| self.queue.has_work(floor))
                {
                    Park::Parked if self.holder(at).boundary(held) == Boundary::Lost => {
                        return Stop::Lost;
                    }
                    Park::Parked => return Stop::Parked,
                    Park::Work { searching: now } => {
                        searching = now;
                        // An entry that is just being pushed is seen before it
                        // can be taken.
                        yield_now();
                    }
                },
            }
        }
        if searching {
            self.stop_searching();
        }
        if stop == Stop::Lost || self.holder(at).boundary(held) == Boundary::Lost {
            self.wake(at);
        }
        stop
    }

    fn begin(&self, at: usize, held: Held) -> Option<bool> {
        if let Begin::Active { searching } = self.idle.begin(at) {
            return Some(searching);
        }
        let keeps = self.holder(at).boundary(held) == Boundary::Keep;
        let stays = keeps && !self.queue.has_work(self.idle.floor(at));
        (!stays).then(|| self.take_off(at))
    }

    fn take_off(&self, at: usize) -> bool {
        loop {
            if let Park::Work { searching } = self.idle.unpark(at) {
                return searching;
            }
            if let Begin::Active { searching } = self.idle.begin(at) {
                return searching;
            }
            yield_now();
        }
    }

    fn stop_searching(&self) {
        if self.idle.found() && self.queue.has_work(0) {
            self.notify(self.queue.top().unwrap_or(0));
        }
    }
}
