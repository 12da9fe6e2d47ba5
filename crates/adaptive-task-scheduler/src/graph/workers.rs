//! Workers: tasks of the CPU lane that run nodes, one after the other.
//!
//! A worker visits the desk to note what it has done and to take what comes next: the best
//! ready node or, if that is short, a handful of the best short ones. Between two visits it
//! holds back from others what it has taken and not begun, at most [`HANDFUL`] nodes that
//! have always been short. A short node whose only successor waits for nothing else is
//! followed by that one without a visit; this hides nothing, since nobody else could run it.
//!
//! Should a node that was short be long for once, what was taken with it waits for it. The
//! worker sees this by the scheduler's clock, and has these nodes measured in the next run.
//!
//! A worker gives way to more important work of the lane between two visits. It measures
//! nodes that are long or not known yet, and one node of every [`SPARSE`]th handful of short ones.

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
    priority::Priority,
    quietly::quietly,
    task::job::{BoxError, Payload},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll, Waker},
    time::Instant,
};

/// How many short nodes a worker takes at once: so many that a visit to the desk costs each
/// of them little, so few that together they take some microseconds.
const HANDFUL: usize = 16;

/// How many nodes are done without a visit to the desk, at most.
const DONE: usize = 64;

/// In one of so many handfuls of short nodes the first is measured.
const SPARSE: u32 = 8;

/// A handful of short nodes that takes more than so many ticks was none, or the kernel let
/// others run for longer than it usually does.
const LATE: u32 = 4;

/// Samples are told when there are so many.
const SAMPLES: usize = 256;

/// A node that is not short, or an item of one.
enum Job {
    Node(u32),
    Item(u32, Arc<dyn Items>, usize),
}

/// How the work of a node ended, or that it has not.
enum Ran {
    Ended(Result<End, NodeError>),
    /// A future that was known not to suspend, and has.
    Suspended(Attempt),
    /// Items that are offered to all workers.
    GoesOn,
}

/// What one worker has at hand.
#[derive(Default)]
struct Hand {
    /// Short nodes that were taken.
    todo: Vec<u32>,
    job: Option<Job>,
    /// Nodes that are done, and whether the next of them followed without a visit.
    done: Vec<(u32, bool)>,
    /// Nodes that ended otherwise, or were no short ones.
    ended: Vec<(u32, Result<End, NodeError>)>,
    /// A node whose item has ended.
    item: Option<(u32, Result<End, NodeError>)>,
    /// It is counted as running a node that is not short.
    is_at_length: bool,
    /// Of its task, and so of the nodes that it runs.
    priority: Priority,
    handfuls: u32,
    samples: Vec<Sample>,
}

impl State {
    /// One more worker, which is counted already.
    pub(super) fn hire(self: &Arc<Self>, first: u32) {
        let priority = self.effective(first);
        let hired = Hired(Some(Arc::clone(self)), priority);
        self.spawn(
            None,
            |task| task.name("graph worker").priority(priority).cpu(),
            |task| task.spawn_fn(move || hired.work()),
        );
    }

    fn work(self: &Arc<Self>, priority: Priority) {
        let mut hand = Hand {
            priority,
            ..Hand::default()
        };
        self.desk.lock().queued[usize::from(priority.level())] -= 1;
        while self.visit(&mut hand) {
            match hand.job.take() {
                Some(Job::Node(node)) => self.run(node, &mut hand),
                Some(Job::Item(node, items, item)) => {
                    let end = called(|| items.call(item));
                    hand.item = Some((node, end));
                }
                None => self.run_short(&mut hand),
            }
            if hand.samples.len() >= SAMPLES {
                self.tell(&mut hand);
            }
        }
        self.tell(&mut hand);
    }

    /// Notes what was done, and takes what comes next. False if this worker leaves.
    fn visit(self: &Arc<Self>, hand: &mut Hand) -> bool {
        let goes_on = self.gives_way();
        let mut desk = match hand.item.take() {
            None => self.desk.lock(),
            Some((node, end)) => self.note_item(node, end),
        };
        self.note_done(&mut desk, hand);
        if !hand.ended.is_empty() {
            for (node, end) in hand.ended.drain(..) {
                self.note_end(&mut desk, node, end);
            }
        }
        desk.at_length -= usize::from(std::mem::take(&mut hand.is_at_length));
        if goes_on {
            self.take_up(&mut desk, hand);
        }
        let is_idle = hand.job.is_none() && hand.todo.is_empty();
        if is_idle {
            desk.workers -= 1;
        }
        let is_due = desk.progress.has_apart() || !desk.spent.is_empty();
        if is_idle || is_due || self.wanted(&desk) > 0 {
            self.leave(desk);
        }
        !is_idle
    }

    fn note_done(&self, desk: &mut Desk, hand: &mut Hand) {
        let (shape, ranks) = (&self.plan.shape, &self.way.ranks);
        for (node, is_followed) in hand.done.drain(..) {
            desk.progress.done(shape, ranks, node, is_followed);
        }
    }

    fn take_up(&self, desk: &mut Desk, hand: &mut Hand) {
        let Some(first) = desk.progress.first(&self.way.ranks) else {
            return;
        };
        if self.effective(first) != hand.priority {
            // It is for a worker of its priority, which is hired in place of this one.
            return;
        }
        if !self.is(first, kind::SHORT) {
            desk.at_length += 1;
            hand.is_at_length = true;
            desk.progress.take(&self.way.ranks);
            hand.job = Some(match self.is(first, kind::SPECIAL) {
                true => self.part(desk, first),
                false => Job::Node(first),
            });
            return;
        }
        if self.way.is_alone && desk.workers - desk.at_length > 1 {
            // Two would only get into each other's way.
            return;
        }
        let handful = match self.way.is_alone {
            true => HANDFUL,
            // Some are left for others.
            false => (desk.progress.ready() / (2 * desk.workers)).clamp(1, HANDFUL),
        };
        desk.progress
            .take_some(&self.way.ranks, kind::SHORT, handful, &mut hand.todo);
    }

    /// Runs short nodes.
    fn run_short(self: &Arc<Self>, hand: &mut Hand) {
        let mut is_measured = self.way.is_young || hand.handfuls.is_multiple_of(SPARSE);
        hand.handfuls = hand.handfuls.wrapping_add(1);
        let tick = self.scheduler.core().tick();
        let mut todo = std::mem::take(&mut hand.todo);
        for &node in &todo {
            if self.is_stopped.load(Relaxed) && self.puts_back(node) {
                continue;
            }
            if is_measured {
                is_measured = self.way.is_young;
                self.run(node, hand);
            } else {
                self.run_on(node, hand);
            }
        }
        if self.scheduler.core().tick().wrapping_sub(tick) > LATE {
            self.plan.doubt(&todo);
        }
        todo.clear();
        hand.todo = todo;
    }

    /// Runs a short node, and those that follow it.
    fn run_on(self: &Arc<Self>, first: u32, hand: &mut Hand) {
        let mut node = first;
        loop {
            match self.run_work(node) {
                Ran::Ended(Ok(End::Done)) => {}
                Ran::Ended(end) => return hand.ended.push((node, end)),
                Ran::Suspended(attempt) => {
                    // The desk has to know that it has begun before it can end.
                    let mut desk = self.desk.lock();
                    self.note_done(&mut desk, hand);
                    self.leave(desk);
                    return self.go_on_apart(node, attempt);
                }
                Ran::GoesOn => return,
            }
            let follower = self.follower(node).filter(|_| hand.done.len() < DONE);
            hand.done.push((node, follower.is_some()));
            match follower {
                Some(next) => node = next,
                None => return,
            }
        }
    }

    /// The short node that this one releases, if it is the only one and waits for no other.
    fn follower(&self, node: u32) -> Option<u32> {
        let &[after] = self.plan.shape.successors(node) else {
            return None;
        };
        let is_alone = self.plan.shape.dependencies()[after as usize] == 1;
        let is_short =
            self.way.ranks.is(after, kind::SHORT) && self.way.ranks.is(after, kind::WORKER);
        let may_run = !self.is_stopped.load(Relaxed) && !self.is(after, kind::SPECIAL);
        (is_alone && is_short && may_run).then_some(after)
    }

    /// Runs a node that may take its time.
    fn run(self: &Arc<Self>, node: u32, hand: &mut Hand) {
        let begun = Instant::now();
        let end = match self.run_work(node) {
            Ran::Ended(end) => end,
            Ran::Suspended(attempt) => return self.go_on_apart(node, attempt),
            Ran::GoesOn => return,
        };
        if end.is_ok() {
            hand.samples.push(Sample {
                node,
                took: begun.elapsed(),
                is_calm: true,
            });
        }
        hand.ended.push((node, end));
    }

    fn run_work(self: &Arc<Self>, node: u32) -> Ran {
        if (self.may_lack() || self.is(node, kind::SPECIAL))
            && let Some(end) = self.is_not_run(node)
        {
            return Ran::Ended(end);
        }
        match &self.plan.works[node as usize] {
            Work::Call(_, work) => Ran::Ended(called(|| work(self, None))),
            Work::Begin(work) => begin_calm(|| work(self)),
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

    /// A node, or an item of one that is expanded.
    fn part(&self, desk: &mut Desk, node: u32) -> Job {
        let Some(expansion) = desk.expanded.get_mut(&node) else {
            return Job::Node(node);
        };
        let item = expansion.next;
        expansion.next += 1;
        let items = Arc::clone(&expansion.items);
        if expansion.next < items.len() {
            desk.progress.offer(&self.way.ranks, node);
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
            desk.progress.offer(&self.way.ranks, node);
        }
        drop(desk);
        for item in 0..first {
            self.start_item(node, lane, Arc::clone(&items), item);
        }
        Ran::GoesOn
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
            Some(error) => {
                desk.spent.push(Box::new(expansion.items));
                Err(error)
            }
            None => {
                drop(desk);
                // Moves the values, and drops none.
                expansion.items.finish();
                drop(expansion.items);
                desk = self.desk.lock();
                Ok(End::Done)
            }
        };
        self.note_end(&mut desk, node, end);
        desk
    }
}

impl State {
    /// Lets more important work of the lane go first. False if this worker was cancelled,
    /// so that the node that it was running could know; another one goes on in its place.
    fn gives_way(self: &Arc<Self>) -> bool {
        let goes_on = checkpoint().is_ok();
        if !goes_on && self.scheduler.core().is_ending() {
            self.stop(Stop::All);
        }
        goes_on
    }

    /// A short node that was taken is not run. False if it may run, though less may than
    /// before.
    fn puts_back(self: &Arc<Self>, node: u32) -> bool {
        let mut desk = self.desk.lock();
        let (shape, ranks) = (&self.plan.shape, &self.way.ranks);
        let is_put_back = desk.progress.put_back(shape, ranks, node);
        self.leave(desk);
        is_put_back
    }

    fn tell(&self, hand: &mut Hand) {
        if !hand.samples.is_empty() {
            self.plan.learn_samples(&hand.samples);
            hand.samples.clear();
        }
    }
}

/// A worker that may be dropped before it works. If it was cancelled, since a node has
/// failed, another one is hired in its place, if it is still wanted.
struct Hired(Option<Arc<State>>, Priority);

impl Hired {
    fn work(mut self) {
        if let Some(state) = self.0.take() {
            state.work(self.1);
        }
    }
}

impl Drop for Hired {
    fn drop(&mut self) {
        if let Some(state) = self.0.take() {
            let mut desk = state.desk.lock();
            desk.workers -= 1;
            desk.queued[usize::from(self.1.level())] -= 1;
            state.stop_if_refused(&mut desk);
            state.leave(desk);
        }
    }
}

/// Polls a future that is known not to suspend where it is. If it does, it goes on as a task
/// of its own, which polls it at once: so no waker is needed here.
fn begin_calm(begin: impl FnOnce() -> Attempt) -> Ran {
    let attempt = catch_unwind(AssertUnwindSafe(begin));
    let mut attempt = match attempt {
        Ok(attempt) => attempt,
        Err(payload) => return Ran::Ended(Err(panicked(payload))),
    };
    let mut cx = Context::from_waker(Waker::noop());
    let polled = catch_unwind(AssertUnwindSafe(|| attempt.as_mut().poll(&mut cx)));
    match polled {
        Ok(Poll::Ready(end)) => Ran::Ended(outcome(Ok(end))),
        Ok(Poll::Pending) => Ran::Suspended(attempt),
        Err(payload) => Ran::Ended(Err(panicked(payload))),
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
