//! Nodes that are tasks of their own: futures, closures that block, and all whose attempts
//! are watched because they are retried or given up at a time-out.
//!
//! A closure cannot be interrupted. One that is given up goes on: its task is cancelled, so
//! that it can ask [`is_cancelled`](crate::is_cancelled), and what it returns is dropped.
//! The [`Claim`] of an attempt says whose end counts.

use super::{
    learned::Sample,
    progress::{End, Stop},
    report::NodeError,
    special::Special,
    state::State,
    work::{Attempt, Claim, Items, Work},
    workers::{called, outcome, panicked},
};
use crate::{lane::Lane, options::CancelMode};
use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime},
};

/// Ends its node as cancelled if it is dropped without having ended it.
struct Owed {
    state: Arc<State>,
    node: u32,
    is_paid: bool,
}

impl Owed {
    fn new(state: &Arc<State>, node: u32) -> Self {
        let state = Arc::clone(state);
        let is_paid = false;
        Self {
            state,
            node,
            is_paid,
        }
    }

    fn pay(mut self, end: Result<End, NodeError>) {
        self.is_paid = true;
        self.state.end(self.node, end);
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        if !self.is_paid {
            let mut desk = self.state.desk.lock();
            self.state.stop_if_refused(&mut desk);
            let end = Err(NodeError::Cancelled);
            self.state.note_end(&mut desk, self.node, end);
            self.state.leave(desk);
        }
    }
}

/// The same for an item of a node.
struct OwedItem {
    state: Arc<State>,
    node: u32,
    lane: Lane,
    items: Arc<dyn Items>,
    is_paid: bool,
}

impl OwedItem {
    /// The item has ended, and another one begins in its place.
    fn pay(mut self, end: Result<End, NodeError>) {
        self.is_paid = true;
        let mut desk = self.state.note_item(self.node, end);
        let next = desk.expanded.get_mut(&self.node).and_then(|expansion| {
            let item = expansion.next;
            (item < expansion.items.len()).then(|| {
                expansion.next += 1;
                item
            })
        });
        self.state.leave(desk);
        if let Some(item) = next {
            let items = Arc::clone(&self.items);
            self.state.start_item(self.node, self.lane, items, item);
        }
    }
}

impl Drop for OwedItem {
    fn drop(&mut self) {
        if !self.is_paid {
            let end = Err(NodeError::Cancelled);
            let mut desk = self.state.note_item(self.node, end);
            self.state.stop_if_refused(&mut desk);
            if desk.progress.stopped() == Stop::No {
                // By the scheduler, since nothing of this run was.
                self.state.stop_at(&mut desk, Stop::All);
            }
            self.state.leave(desk);
        }
    }
}

impl State {
    /// Begins a released node as a task of its own.
    pub(super) fn start_apart(self: &Arc<Self>, node: u32) {
        let owed = Owed::new(self, node);
        let special = self.plan.special.get(&node);
        if special.is_some_and(Special::is_watched) {
            return self.spawn(
                Some(node),
                |task| self.describe(node, task).io(),
                |task| {
                    task.spawn(async move {
                        let end = watched(&owed.state, node).await;
                        owed.pay(end);
                    })
                },
            );
        }
        match &self.plan.works[node as usize] {
            Work::Begin(_) => self.spawn(
                Some(node),
                |task| self.describe(node, task).io(),
                |task| {
                    task.spawn(async move {
                        let end = match owed.state.is_not_run(node) {
                            Some(end) => end,
                            None => begun(&owed.state, node).await,
                        };
                        owed.pay(end);
                    })
                },
            ),
            _ => self.spawn(
                Some(node),
                |task| self.describe(node, task).blocking(),
                |task| {
                    task.spawn_fn(move || {
                        let not_run = owed.state.is_not_run(node);
                        let end = not_run.unwrap_or_else(|| owed.state.call_measured(node, None));
                        owed.pay(end);
                    })
                },
            ),
        }
    }

    /// A future that was polled by a worker and has suspended after all.
    pub(super) fn go_on_apart(self: &Arc<Self>, node: u32, attempt: Attempt) {
        let begun = Instant::now();
        let owed = Owed::new(self, node);
        self.spawn(
            Some(node),
            |task| self.describe(node, task).io(),
            |task| {
                task.spawn(async move {
                    let end = caught(attempt).await.1;
                    owed.state.learn(node, begun, false, &end);
                    owed.pay(end);
                })
            },
        );
    }

    /// Begins one item of a node as a task of its own.
    pub(super) fn start_item(
        self: &Arc<Self>,
        node: u32,
        lane: Lane,
        items: Arc<dyn Items>,
        item: usize,
    ) {
        let owed = OwedItem {
            state: Arc::clone(self),
            node,
            lane,
            items,
            is_paid: false,
        };
        if lane == Lane::Io {
            return self.spawn(
                Some(node),
                |task| self.describe(node, task).io(),
                |task| {
                    task.spawn(async move {
                        let items = Arc::clone(&owed.items);
                        let attempt = catch_unwind(AssertUnwindSafe(|| items.begin(item)));
                        let end = match attempt {
                            Ok(attempt) => caught(attempt).await.1,
                            Err(payload) => Err(panicked(payload)),
                        };
                        owed.pay(end);
                    })
                },
            );
        }
        self.spawn(
            Some(node),
            |task| self.describe(node, task).blocking(),
            |task| {
                task.spawn_fn(move || {
                    let end = called(|| owed.items.call(item));
                    owed.pay(end);
                })
            },
        );
    }

    fn call_measured(&self, node: u32, claim: Option<&Claim>) -> Result<End, NodeError> {
        let Work::Call(_, work) = &self.plan.works[node as usize] else {
            return Ok(End::Done);
        };
        let begun = Instant::now();
        let end = called(|| work(self, claim));
        self.learn(node, begun, false, &end);
        end
    }

    fn learn(&self, node: u32, begun: Instant, is_calm: bool, end: &Result<End, NodeError>) {
        if end.is_ok() {
            let took = begun.elapsed();
            let sample = Sample {
                node,
                took,
                is_calm,
            };
            self.plan.learn_samples(&[sample]);
        }
    }
}

/// The future of a node, from its beginning to its end.
async fn begun(state: &Arc<State>, node: u32) -> Result<End, NodeError> {
    let Work::Begin(work) = &state.plan.works[node as usize] else {
        return Ok(End::Done);
    };
    let begun = Instant::now();
    let attempt = catch_unwind(AssertUnwindSafe(|| work(state)));
    let (is_calm, end) = match attempt {
        Ok(attempt) => caught(attempt).await,
        Err(payload) => (false, Err(panicked(payload))),
    };
    state.learn(node, begun, is_calm, &end);
    end
}

/// Polls an attempt to its end, and tells whether it was ready at once.
async fn caught(mut attempt: Attempt) -> (bool, Result<End, NodeError>) {
    let mut polls = 0u64;
    let poll = |cx: &mut Context<'_>| {
        polls += 1;
        let polled = catch_unwind(AssertUnwindSafe(|| attempt.as_mut().poll(cx)));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(end)) => Poll::Ready((polls == 1, outcome(Ok(end)))),
            Err(payload) => Poll::Ready((polls == 1, Err(panicked(payload)))),
        }
    };
    poll_fn(poll).await
}

/// All attempts of a node.
async fn watched(state: &Arc<State>, node: u32) -> Result<End, NodeError> {
    if let Some(end) = state.is_not_run(node) {
        return end;
    }
    let special = &state.plan.special[&node];
    let mut failed = 0;
    loop {
        let end = once(state, node, special.timeout).await;
        failed += 1;
        let retries = special.retries.filter(|retries| failed <= retries.count());
        match (end, retries) {
            (Err(error), Some(retries)) if error.is_of_the_node() && state.may_go_on(node) => {
                tokio::time::sleep(retries.delay(failed, jitter())).await;
                if !state.may_go_on(node) {
                    return Err(error);
                }
            }
            (end, _) => return end,
        }
    }
}

/// One attempt, given up at its time-out.
async fn once(state: &Arc<State>, node: u32, limit: Option<Duration>) -> Result<End, NodeError> {
    let Work::Call(lane, _) = &state.plan.works[node as usize] else {
        return within(limit, begun(state, node)).await;
    };
    let claim = Arc::new(Claim::default());
    let _given_up = GiveUp(&claim);
    let (of_call, calls) = (Arc::clone(&claim), Arc::clone(state));
    let task = state.describe(node, state.scheduler.task());
    let task = match lane {
        Lane::Blocking => task.blocking(),
        _ => task.cpu(),
    };
    let mut call = task
        .on_cancel(CancelMode::Cooperate)
        .cancel_on_drop(true)
        .spawn_fn(move || calls.call_measured(node, Some(&of_call)));
    let ended = within(limit, async {
        (&mut call).await.unwrap_or(Err(NodeError::Cancelled))
    });
    match ended.await {
        // The closure was faster, and is just putting its value.
        Err(NodeError::TimedOut(_)) if !claim.is_first() => {
            call.await.unwrap_or(Err(NodeError::Cancelled))
        }
        end => end,
    }
}

/// An attempt that is dropped, since its task was cancelled, does not count any more, though
/// its closure may go on.
struct GiveUp<'a>(&'a Claim);

impl Drop for GiveUp<'_> {
    fn drop(&mut self) {
        self.0.is_first();
    }
}

async fn within(
    limit: Option<Duration>,
    attempt: impl Future<Output = Result<End, NodeError>>,
) -> Result<End, NodeError> {
    match limit {
        None => attempt.await,
        Some(limit) => match tokio::time::timeout(limit, attempt).await {
            Ok(end) => end,
            Err(_) => Err(NodeError::TimedOut(limit)),
        },
    }
}

/// Anything from 0 to 1 that differs between what fails at the same time.
fn jitter() -> f64 {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    f64::from(now.subsec_nanos() % 1_000) / 1_000.0
}

impl State {
    /// Whether a node that failed may be tried again.
    fn may_go_on(&self, node: u32) -> bool {
        let stopped = self.desk.lock().progress.stopped();
        stopped == Stop::No
            || stopped == Stop::ButAnyway && self.is(node, super::ranks::kind::ANYWAY)
    }
}
