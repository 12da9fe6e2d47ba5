//! Workers: tasks of the CPU lane that run nodes, one after the other.
//!
//! A worker ends a node and takes the best ready one in one visit to the desk. Between two
//! nodes it gives way to more important work of the lane.
//!
//! It measures nodes that are long or not known yet, and one of [`SPARSE`] of the others.

use super::{
    learned::Sample,
    progress::{End, Stop},
    ranks::kind,
    report::NodeError,
    state::{Desk, Expansion, State},
    work::{Attempt, Items, Work},
};
use crate::{
    checkpoint,
    lane::Lane,
    primitives::MutexGuard,
    quietly::quietly,
    task::job::{BoxError, Payload},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Instant,
};

/// Of so many nodes that are neither long nor new one is measured.
const SPARSE: u32 = 64;

/// So many short nodes are run between two looks for more important work: together they
/// take less than one switch of threads.
const SHORTS: u32 = 32;

/// Samples are told when there are so many.
const SAMPLES: usize = 256;

/// What a worker runs next.
enum Job {
    Node(u32),
    /// One of the items of a node.
    Item(u32, Arc<dyn Items>, usize),
}

/// How the work of a node ended, or that it has not.
enum Ran {
    Ended(Result<End, NodeError>),
    /// A future that is suspended, or items that are offered to all workers.
    GoesOn,
}

/// What one worker has at hand.
#[derive(Default)]
struct Hand {
    ran: u32,
    samples: Vec<Sample>,
}

impl State {
    /// One more worker, which is counted already.
    pub(super) fn hire(self: &Arc<Self>, first: u32) {
        let hired = Hired(Some(Arc::clone(self)));
        let priority = self.effective(first);
        self.spawn(
            None,
            |task| task.name("graph worker").priority(priority).cpu(),
            |task| task.spawn_fn(move || hired.work()),
        );
    }

    fn work(self: &Arc<Self>) {
        let mut hand = Hand::default();
        let mut next = self.next(self.desk.lock());
        while let Some(job) = next {
            if !self.give_way(&job, &mut hand) {
                self.put_back(job);
                break;
            }
            next = match job {
                Job::Node(node) => self.run(node, &mut hand),
                Job::Item(node, items, item) => {
                    let end = called(|| items.call(item));
                    self.item_ended(node, end)
                }
            };
        }
        self.tell(&mut hand);
    }

    /// Runs a node, ends it, and takes the next.
    fn run(self: &Arc<Self>, node: u32, hand: &mut Hand) -> Option<Job> {
        let is_measured = self.is_young || self.is(node, kind::LONG) || hand.ran % SPARSE == 0;
        let begun = is_measured.then(Instant::now);
        let ran = self.run_work(node);
        let Ran::Ended(end) = ran else {
            return self.next(self.desk.lock());
        };
        if let Some(begun) = begun
            && end.is_ok()
        {
            hand.samples.push(Sample {
                node,
                took: begun.elapsed(),
                is_calm: true,
            });
            if hand.samples.len() >= SAMPLES {
                self.tell(hand);
            }
        }
        let mut desk = self.desk.lock();
        self.note_end(&mut desk, node, end);
        self.next(desk)
    }

    fn run_work(self: &Arc<Self>, node: u32) -> Ran {
        if (self.may_lack() || self.is(node, kind::SPECIAL))
            && let Some(end) = self.is_not_run(node)
        {
            return Ran::Ended(end);
        }
        match &self.plan.works[node as usize] {
            Work::Call(_, work) => Ran::Ended(called(|| work(self, None))),
            Work::Begin(work) => self.begin_calm(node, || work(self)),
            Work::Expand(lane, work) => {
                let expanded = catch_unwind(AssertUnwindSafe(|| work.expand(self)));
                match expanded {
                    Ok(items) => self.expand(node, *lane, items),
                    Err(payload) => Ran::Ended(Err(panicked(payload))),
                }
            }
            Work::Given if !self.has(node) => Ran::Ended(Err(NodeError::NotGiven)),
            Work::Given | Work::Nothing => Ran::Ended(Ok(End::Done)),
        }
    }

    /// How a node ends that is not run although its turn has come: an input is missing, or
    /// its condition does not hold.
    pub(super) fn is_not_run(&self, node: u32) -> Option<Result<End, NodeError>> {
        if self.may_lack() && self.plan.needs(node).any(|before| !self.has(before)) {
            return Some(Ok(End::Skipped));
        }
        let condition = self.plan.special.get(&node)?.condition.as_ref()?;
        match catch_unwind(AssertUnwindSafe(|| condition(self))) {
            Ok(true) => None,
            Ok(false) => Some(Ok(End::Skipped)),
            Err(payload) => Some(Err(panicked(payload))),
        }
    }

    /// Polls a future that is known not to suspend where it is. If it does, it goes on as
    /// a task of its own, which polls it at once: so no waker is needed here.
    fn begin_calm(self: &Arc<Self>, node: u32, begin: impl FnOnce() -> Attempt) -> Ran {
        let begun = Instant::now();
        let attempt = catch_unwind(AssertUnwindSafe(begin));
        let mut attempt = match attempt {
            Ok(attempt) => attempt,
            Err(payload) => return Ran::Ended(Err(panicked(payload))),
        };
        let mut cx = Context::from_waker(Waker::noop());
        let polled = catch_unwind(AssertUnwindSafe(|| attempt.as_mut().poll(&mut cx)));
        match polled {
            Ok(Poll::Ready(end)) => Ran::Ended(outcome(Ok(end))),
            Ok(Poll::Pending) => {
                self.go_on_apart(node, attempt, begun);
                Ran::GoesOn
            }
            Err(payload) => Ran::Ended(Err(panicked(payload))),
        }
    }

    /// Unlocks the desk with the next job of this worker. If there is none, it leaves.
    fn next(self: &Arc<Self>, mut desk: MutexGuard<'_, Desk>) -> Option<Job> {
        let node = desk.progress.take(&self.ranks);
        if node.is_none() {
            desk.workers -= 1;
        }
        let job = node.map(|node| match self.is(node, kind::SPECIAL) {
            true => self.part(&mut desk, node),
            false => Job::Node(node),
        });
        let is_quiet = node.is_some() && !desk.progress.has_apart();
        if is_quiet && self.wanted(&desk, node) == 0 {
            return job;
        }
        let due = self.due(&mut desk, node);
        drop(desk);
        self.settle(due);
        job
    }

    /// A node, or an item of one that is expanded.
    fn part(&self, desk: &mut Desk, node: u32) -> Job {
        let Some(expansion) = desk.expanded.get_mut(&node) else {
            return Job::Node(node);
        };
        let item = expansion.next;
        expansion.next += 1;
        let items = Arc::clone(&expansion.items);
        if expansion.next < items.len() {
            desk.progress.offer(&self.ranks, node);
        }
        Job::Item(node, items, item)
    }

    /// Offers the items of a node: to all workers, or as tasks of their own.
    fn expand(self: &Arc<Self>, node: u32, lane: Lane, items: Arc<dyn Items>) -> Ran {
        let count = items.len();
        if count == 0 {
            return Ran::Ended(called(|| {
                items.finish();
                Ok(())
            }));
        }
        let special = self.plan.special.get(&node);
        let at_once = special.and_then(|special| special.at_once);
        let first = match lane {
            Lane::Cpu => 0,
            _ => at_once.unwrap_or(count).min(count),
        };
        let mut desk = self.desk.lock();
        let expansion = Expansion {
            items: Arc::clone(&items),
            next: 0,
            left: count,
            error: None,
        };
        desk.expanded.insert(node, expansion);
        if desk.progress.stopped() > Stop::No {
            self.cut(&mut desk, node, NodeError::Cancelled);
            self.leave(desk);
            return Ran::GoesOn;
        }
        if let Some(expansion) = desk.expanded.get_mut(&node) {
            expansion.next = first;
        }
        if lane == Lane::Cpu {
            desk.progress.offer(&self.ranks, node);
        }
        drop(desk);
        for item in 0..first {
            self.start_item(node, lane, Arc::clone(&items), item);
        }
        Ran::GoesOn
    }

    /// One item has ended. Gives a worker its next job.
    fn item_ended(self: &Arc<Self>, node: u32, end: Result<End, NodeError>) -> Option<Job> {
        let desk = self.note_item(node, end);
        self.next(desk)
    }

    /// One item has ended; the last one ends the node.
    pub(super) fn note_item(
        self: &Arc<Self>,
        node: u32,
        end: Result<End, NodeError>,
    ) -> MutexGuard<'_, Desk> {
        let mut desk = self.desk.lock();
        if let Err(error) = end {
            // This item is still counted, so the node does not end here.
            self.cut(&mut desk, node, error);
        }
        let Some(expansion) = desk.expanded.get_mut(&node) else {
            return desk;
        };
        expansion.left -= 1;
        if expansion.left > 0 {
            return desk;
        }
        let expansion = desk.expanded.remove(&node).expect("it has just been there");
        let end = match expansion.error {
            Some(error) => Err(error),
            None => {
                drop(desk);
                // Moves the values, and drops none.
                expansion.items.finish();
                desk = self.desk.lock();
                Ok(End::Done)
            }
        };
        self.note_end(&mut desk, node, end);
        desk
    }
}

impl State {
    /// Looks whether something more important wants this thread. False if this worker was
    /// cancelled, so that the node that it was running could know.
    fn give_way(self: &Arc<Self>, job: &Job, hand: &mut Hand) -> bool {
        hand.ran = hand.ran.wrapping_add(1);
        let is_short = matches!(job, Job::Node(node) if self.is(*node, kind::SHORT));
        if is_short && hand.ran % SHORTS != 0 || checkpoint().is_ok() {
            return true;
        }
        if self.scheduler.core().is_ending() {
            self.stop(Stop::All);
        }
        false
    }

    /// What this worker has taken is for another one, if it is to be run at all.
    fn put_back(self: &Arc<Self>, job: Job) {
        let mut desk = self.desk.lock();
        desk.workers -= 1;
        match job {
            Job::Node(node) => {
                let (shape, ranks) = (&self.plan.shape, &self.ranks);
                desk.progress.put_back(shape, ranks, node);
                self.leave(desk);
            }
            Job::Item(node, ..) => {
                drop(desk);
                let desk = self.note_item(node, Err(NodeError::Cancelled));
                self.leave(desk);
            }
        }
    }

    fn tell(&self, hand: &mut Hand) {
        if !hand.samples.is_empty() {
            self.plan.learn_samples(&hand.samples);
            hand.samples.clear();
        }
    }
}

/// A worker that may be dropped by the scheduler before it works: then the run is stopped.
struct Hired(Option<Arc<State>>);

impl Hired {
    fn work(mut self) {
        if let Some(state) = self.0.take() {
            state.work();
        }
    }
}

impl Drop for Hired {
    fn drop(&mut self) {
        if let Some(state) = self.0.take() {
            let mut desk = state.desk.lock();
            desk.workers -= 1;
            state.stop_at(&mut desk, Stop::All);
            state.leave(desk);
        }
    }
}

/// Calls other people's code; a panic is a value.
pub(super) fn called(call: impl FnOnce() -> Result<(), BoxError>) -> Result<End, NodeError> {
    outcome(catch_unwind(AssertUnwindSafe(call)))
}

pub(super) fn outcome(end: Result<Result<(), BoxError>, Payload>) -> Result<End, NodeError> {
    match end {
        Ok(Ok(())) => Ok(End::Done),
        Ok(Err(error)) => Err(NodeError::Failed(error.into())),
        Err(payload) => Err(panicked(payload)),
    }
}

pub(super) fn panicked(payload: Payload) -> NodeError {
    let message = match payload.downcast_ref::<&str>() {
        Some(message) => (*message).to_owned(),
        None => match payload.downcast_ref::<String>() {
            Some(message) => message.clone(),
            None => "a value that is no text".to_owned(),
        },
    };
    quietly(|| drop(payload));
    NodeError::Panicked(message)
}
