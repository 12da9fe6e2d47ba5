//! Tasks of random steps: they yield, wait for gates, await children and
//! groups of them, change lanes, and complete, fail or panic.

use super::{
    below, chance,
    world::{GATES, Lanes, World},
};
use crate::{
    lane::Lane,
    models::{probe::VALUE, table::Table},
    priority::LEVELS,
    task::{
        id::TaskId,
        job::{Fault, Job, Payload},
    },
    waits::{Tasks, donation},
};
use shuttle::thread::yield_now;
use std::{
    any::Any,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
};

/// One step of a task.
#[derive(Debug, Clone)]
enum Step {
    /// Wakes itself and returns.
    Yield,
    /// Lets other threads run in the middle of the poll.
    Linger,
    /// Waits until somebody opens the gate.
    Gate(usize),
    /// Spawns a child and awaits its handle.
    Await(Vec<Step>),
    /// Spawns a child that runs on by itself.
    Detach(Vec<Step>),
    /// Has its next polls on the other lane.
    Relocate,
    Fail,
    Panic,
}

/// How deep scripts spawn.
const DEPTH: usize = 2;

fn steps(depth: usize) -> Vec<Step> {
    (0..below(4)).map(|_| step(depth)).collect()
}

fn step(depth: usize) -> Step {
    match below(if depth == 0 { 12 } else { 18 }) {
        0..=3 => Step::Yield,
        4..=6 => Step::Linger,
        7..=8 => Step::Gate(below(GATES)),
        9 => Step::Relocate,
        10 => Step::Fail,
        11 => Step::Panic,
        12..=15 => Step::Await(steps(depth - 1)),
        _ => Step::Detach(steps(depth - 1)),
    }
}

/// What happened to one task, as its script saw it.
#[derive(Debug, Default)]
pub(super) struct Fate {
    is_polled: AtomicBool,
    /// Its work was dropped, or gave its value.
    ends: AtomicUsize,
    drops: AtomicUsize,
}

impl Fate {
    pub(super) fn check(&self) {
        assert_eq!(self.ends.load(SeqCst), 1, "ended so many times");
        assert_eq!(self.drops.load(SeqCst), 1, "freed so many times");
    }
}

pub(super) struct Script {
    world: Arc<World>,
    /// Set once the task is opened, before its first poll.
    id: Arc<OnceLock<TaskId>>,
    steps: std::vec::IntoIter<Step>,
    /// The child awaited now.
    awaits: Option<TaskId>,
    /// The edge to it stands.
    is_waiting: bool,
    waits_at: Option<usize>,
    fate: Arc<Fate>,
    has_ended: bool,
}

/// Spawns a task of random steps. The handle's interest is the caller's.
pub(super) fn spawn(world: &Arc<World>, after: &[TaskId]) -> Option<TaskId> {
    spawn_steps(world, steps(DEPTH), after)
}

fn spawn_steps(world: &Arc<World>, steps: Vec<Step>, after: &[TaskId]) -> Option<TaskId> {
    let fate = world.new_fate()?;
    let id = Arc::new(OnceLock::new());
    let script = Script {
        world: Arc::clone(world),
        id: Arc::clone(&id),
        steps: steps.into_iter(),
        awaits: None,
        is_waiting: false,
        waits_at: None,
        fate,
        has_ended: false,
    };
    let level = below(LEVELS) as u8;
    Some(world.spawn(level, script, &id, after))
}

impl Script {
    fn id(&self) -> TaskId {
        *self.id.get().expect("set before the first entry is pushed")
    }

    fn table(&self) -> &Table<Lanes> {
        &self.world.table
    }

    /// One step. `Pending` if the poll ends with it.
    fn go(&mut self, step: Step) -> Poll<Result<(), Fault>> {
        match step {
            Step::Yield => {
                self.table().wake(self.id());
                return Poll::Pending;
            }
            Step::Linger => (0..=below(3)).for_each(|_| yield_now()),
            Step::Gate(gate) => {
                self.waits_at = Some(gate);
                return self.wait_at_gate();
            }
            Step::Await(steps) => {
                self.awaits = spawn_steps(&self.world, steps, &[]);
                return self.wait_for_child();
            }
            Step::Detach(steps) => {
                if let Some(child) = spawn_steps(&self.world, steps, &[]) {
                    self.table().detach(child);
                }
            }
            Step::Relocate => {
                let word = &self.table().record(self.id()).word;
                let _ = word.set_lane(self.id().generation(), Lane::Cpu);
            }
            Step::Fail => return Poll::Ready(Err(Fault::Failed("as written".into()))),
            Step::Panic => return Poll::Ready(Err(Fault::Panicked(Box::new("as written")))),
        }
        Poll::Ready(Ok(()))
    }

    fn wait_at_gate(&mut self) -> Poll<Result<(), Fault>> {
        let Some(gate) = self.waits_at else {
            return Poll::Ready(Ok(()));
        };
        if self.world.gates[gate].is_open_or_wakes(self.id()) {
            self.waits_at = None;
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }

    /// As awaiting a handle does: the edge stands from the first poll that
    /// finds no value until the value is taken. Now and then the wait is given
    /// up instead.
    fn wait_for_child(&mut self) -> Poll<Result<(), Fault>> {
        let Some(child) = self.awaits else {
            return Poll::Ready(Ok(()));
        };
        if chance(8) {
            self.stop_waiting(child, true);
            return Poll::Ready(Ok(()));
        }
        if !std::mem::replace(&mut self.is_waiting, true) {
            let begun = self.table().begin_wait(self.id(), child);
            assert_eq!(begun, Ok(()), "a parent and its child are no cycle");
        }
        if self.world.poll_handle(child, self.id()).is_pending() {
            return Poll::Pending;
        }
        self.stop_waiting(child, false);
        Poll::Ready(Ok(()))
    }

    fn stop_waiting(&mut self, child: TaskId, has_handle: bool) {
        self.awaits = None;
        if std::mem::take(&mut self.is_waiting) {
            donation::remove_edge(self.table(), self.id(), child);
        }
        if has_handle {
            self.table().detach(child);
        }
    }

    fn advance(&mut self) -> Poll<Result<(), Fault>> {
        if self.wait_at_gate().is_pending() || self.wait_for_child().is_pending() {
            return Poll::Pending;
        }
        while let Some(step) = self.steps.next() {
            match self.go(step) {
                Poll::Ready(Ok(())) => {}
                other => return other,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn end(&mut self) {
        if !std::mem::replace(&mut self.has_ended, true) {
            self.fate.ends.fetch_add(1, SeqCst);
            if let Some(child) = self.awaits {
                self.stop_waiting(child, true);
            }
        }
    }
}

impl Job for Script {
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let polled_before = self.fate.is_polled.swap(true, SeqCst);
        assert!(!polled_before, "two polls of one task at a time");
        assert!(!self.has_ended, "polled after its end");
        let polled = self.advance();
        if polled.is_ready() {
            self.end();
        }
        self.fate.is_polled.store(false, SeqCst);
        polled
    }

    fn discard(mut self: Pin<&mut Self>) -> Result<(), Payload> {
        self.end();
        Ok(())
    }

    fn take(self: Pin<&mut Self>, target: &mut dyn Any) {
        let target = target.downcast_mut::<Option<u32>>();
        *target.expect("a script gives a u32") = Some(VALUE);
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.fate.drops.fetch_add(1, SeqCst);
        self.world.freed();
    }
}
