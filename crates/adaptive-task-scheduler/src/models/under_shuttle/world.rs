//! A scheduler without Tokio: tasks, two lanes with their carriers, a sentinel
//! that hands off and takes back at any moment, and gates in the place of I/O.

use super::{below, chance, script::Fate};
use crate::{
    lane::{Lane, holder::Tenure},
    models::{
        bell::Bell,
        carrier::Slots,
        table::{Line, Table},
    },
    primitives::{
        Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    priority::LEVELS,
    queue::ready::{ReadyQueue, Taken},
    task::{
        id::TaskId,
        job::Job,
        word::{self, Snapshot},
    },
};
use shuttle::thread;
use std::{
    cell::Cell,
    sync::{Arc, OnceLock, Weak},
    task::{Poll, Wake, Waker},
};

/// Tasks in all; and as many places, which are used again as they get free.
const TASKS: usize = 14;
pub(super) const GATES: usize = 3;
/// Slots of the I/O lane, and reserves behind them.
const SLOTS: usize = 2;
const RESERVES: usize = 1;
const RELIEFS: usize = 2;

shuttle::thread_local! {
    /// On which slot this thread carries now, and the level of its poll.
    static HERE: Cell<Option<(Tenure, u8)>> = Cell::new(None);
}

pub(super) struct Lanes {
    io: Slots<ReadyQueue>,
    /// Its guests are the CPU lane's threads, and it has no reliefs.
    cpu: Slots<ReadyQueue>,
}

impl Line for Lanes {
    fn push(&self, id: TaskId, word: Snapshot) {
        match (word.lane(), HERE.with(Cell::get)) {
            (Lane::Io, Some((tenure, present))) => {
                self.io.push_within(id.raw(), word.level(), tenure, present);
            }
            (Lane::Io, None) => self.io.push(id.raw(), word.level()),
            _ => self.cpu.push(id.raw(), word.level()),
        }
    }
}

/// Something outside that tasks wait for.
#[derive(Debug)]
pub(super) struct Gate(Mutex<(bool, Vec<TaskId>)>);

impl Gate {
    /// Whether it is open; if not, it wakes the task when it opens.
    pub(super) fn is_open_or_wakes(&self, id: TaskId) -> bool {
        let mut gate = self.0.lock();
        if !gate.0 {
            gate.1.push(id);
        }
        gate.0
    }
}

pub(super) struct World {
    pub(super) table: Table<Lanes>,
    pub(super) gates: [Gate; GATES],
    fates: Mutex<Vec<Arc<Fate>>>,
    ids: Mutex<Vec<TaskId>>,
    live: AtomicUsize,
    drained: Bell,
}

impl World {
    pub(super) fn new() -> Arc<Self> {
        let lanes = Lanes {
            io: Slots::new(SLOTS + RESERVES, RELIEFS, ReadyQueue::new(SLOTS)),
            cpu: Slots::new(1, 0, ReadyQueue::new(0)),
        };
        Arc::new(Self {
            table: Table::new(TASKS as u32, lanes),
            gates: std::array::from_fn(|_| Gate(Mutex::new((false, Vec::new())))),
            fates: Mutex::new(Vec::new()),
            ids: Mutex::new(Vec::new()),
            live: AtomicUsize::new(0),
            drained: Bell::new(),
        })
    }

    /// The fate of one task more; `None` if there have been enough.
    pub(super) fn new_fate(&self) -> Option<Arc<Fate>> {
        let mut fates = self.fates.lock();
        if fates.len() == TASKS {
            return None;
        }
        let fate = Arc::new(Fate::default());
        fates.push(Arc::clone(&fate));
        self.live.fetch_add(1, SeqCst);
        Some(fate)
    }

    /// A task's place is about to be freed.
    pub(super) fn freed(&self) {
        if self.live.fetch_sub(1, SeqCst) == 1 {
            self.drained.ring();
        }
    }

    pub(super) fn spawn(
        &self,
        level: u8,
        job: impl Job + 'static,
        told: &OnceLock<TaskId>,
        after: &[TaskId],
    ) -> TaskId {
        let waits = !after.is_empty();
        let flags = if waits { word::BLOCKED } else { word::QUEUED };
        let id = self.table.open(level, flags | word::HANDLE, job);
        let id = id.expect("there are as many places as tasks");
        told.set(id).expect("told once");
        self.ids.lock().push(id);
        if waits {
            self.table.link(id, after);
        } else {
            let word = Snapshot::new(id.generation(), flags, level, Lane::Io);
            self.table.line.push(id, word);
        }
        if self.is_ending() {
            // The sweep may have passed this place already.
            self.table.sweep(id);
        }
        id
    }

    fn is_ending(&self) -> bool {
        self.table.line.io.is_ending()
    }

    /// What `by` does to await the handle of `id` at one poll. `Ready` when the
    /// handle's right is used up.
    pub(super) fn poll_handle(self: &Arc<Self>, id: TaskId, by: TaskId) -> Poll<()> {
        let waker = Waker::from(Arc::new(TaskWaker(Arc::downgrade(self), by)));
        self.table.poll_handle(id, &waker).map(|_| ())
    }

    fn a_task(&self) -> Option<TaskId> {
        let ids = self.ids.lock();
        (!ids.is_empty()).then(|| ids[below(ids.len())])
    }

    /// Ends all tasks that are left, again and again until none is.
    fn sweep(&self) {
        while self.live.load(SeqCst) > 0 {
            let ids = self.ids.lock().clone();
            ids.into_iter().for_each(|id| self.table.sweep(id));
            thread::yield_now();
        }
    }

    pub(super) fn check(&self) {
        self.fates.lock().iter().for_each(|fate| fate.check());
        assert_eq!(self.table.vacancies(), TASKS, "places were lost");
    }
}

struct TaskWaker(Weak<World>, TaskId);

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        if let Some(world) = self.0.upgrade() {
            world.table.wake(self.1);
        }
    }
}

/// The threads of a world.
pub(super) struct Threads(Vec<thread::JoinHandle<()>>);

impl Threads {
    /// Starts the carriers.
    pub(super) fn carry(world: &Arc<World>) -> Self {
        let mut threads = Self(Vec::new());
        for slot in 0..SLOTS {
            threads.add(world, move |world| {
                world.table.line.io.guest(slot, &|taken, tenure| {
                    run(world, taken, Some(tenure), Lane::Io);
                });
            });
        }
        for number in 0..RELIEFS {
            threads.add(world, move |world| {
                world.table.line.io.relief(number, &|taken, tenure| {
                    run(world, taken, Some(tenure), Lane::Io);
                });
            });
        }
        threads.add(world, |world| {
            world.table.line.cpu.guest(0, &|taken, _| {
                run(world, taken, None, Lane::Cpu);
            });
        });
        threads
    }

    pub(super) fn add(&mut self, world: &Arc<World>, act: impl FnOnce(&World) + Send + 'static) {
        let world = Arc::clone(world);
        self.0.push(thread::spawn(move || act(&world)));
    }

    /// Waits until all tasks have ended by themselves, then for all threads.
    pub(super) fn drain(self, world: &World) {
        world.drained.wait();
        world.table.line.io.end();
        world.table.line.cpu.end();
        self.join();
    }

    /// Ends the scheduler with its tasks unfinished.
    pub(super) fn shut_down(self, world: &World) {
        world.table.line.io.end();
        world.table.line.cpu.end();
        world.sweep();
        self.join();
    }

    fn join(self) {
        self.0
            .into_iter()
            .for_each(|thread| thread.join().expect("ends in order"));
    }
}

fn run(world: &World, taken: Taken, tenure: Option<Tenure>, lane: Lane) {
    let here = tenure.map(|tenure| (tenure, taken.level));
    HERE.with(|now| now.set(here));
    world.table.run(taken, lane);
    HERE.with(|now| now.set(None));
}

/// Opens all gates, in some order.
pub(super) fn open_gates(world: &World) {
    let first = below(GATES);
    for at in 0..GATES {
        let gate = &world.gates[(first + at) % GATES];
        let waiting = {
            let mut gate = gate.0.lock();
            gate.0 = true;
            std::mem::take(&mut gate.1)
        };
        waiting.into_iter().for_each(|id| world.table.wake(id));
        thread::yield_now();
    }
}

/// Cancels some tasks, ended ones among them.
pub(super) fn cancel_some(world: &World) {
    for _ in 0..below(4) {
        if let Some(id) = world.a_task() {
            world.table.stop(id, word::CANCEL);
        }
        thread::yield_now();
    }
}

/// What the sentinel does, at moments that it would not choose.
pub(super) fn meddle(world: &World) {
    let io = &world.table.line.io;
    for _ in 0..below(8) {
        let slot = below(SLOTS);
        match below(4) {
            0 | 1 => {
                let before = io.holder(slot).now();
                thread::yield_now();
                if io.hand_off(slot, before) {
                    io.recall(slot, before);
                }
            }
            2 => meddle_with_a_reserve(world),
            _ => io.replace_stranded(slot),
        }
        thread::yield_now();
    }
}

fn meddle_with_a_reserve(world: &World) {
    let io = &world.table.line.io;
    let held = io.holder(SLOTS).now();
    if held.relief().is_some() {
        io.want_back(SLOTS);
    } else if chance(2) {
        io.idle.set_floor(SLOTS, 1 + below(LEVELS - 1) as u8);
        let _ = io.hand_off(SLOTS, held);
    }
}
