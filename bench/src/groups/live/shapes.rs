//! Many tasks that wait for each other: a long chain and a wide fan, through
//! awaits on any engine, and declared before they start on ours alone. Anything
//! that recursed along a chain of 100,000 would overflow a stack of 2 MiB here,
//! and end the run.

use std::{future::poll_fn, pin::Pin, sync::Arc, task::Poll, time::Instant};

use adaptive_task_scheduler::{Priority, TaskHandle};
use tokio::sync::oneshot;

use super::idle::Goal;
use crate::{
    engine::{Ats, Engine, Importance, Scenario, Spawn},
    plan::{Reading, Unit},
};

fn time(metric: &str, start: Instant, tasks: usize) -> Reading {
    let each = start.elapsed().as_nanos() as f64 / tasks as f64;
    Reading::headline(metric, Unit::Nanoseconds, each)
}

/// Each task awaits the handle of the one before.
pub(super) struct AwaitedChain {
    pub(super) depth: usize,
}

impl Scenario for AwaitedChain {
    type Output = Vec<Reading>;

    fn run<E: Engine>(self, engine: &E) -> Vec<Reading> {
        let spawner = engine.outside();
        let (opener, gate) = oneshot::channel::<()>();
        let begun = Arc::new(Goal::new(self.depth));
        let start = Instant::now();
        let mut head = spawner.spawn_at(Importance::Unimportant, async {
            gate.await.expect("the gate is opened");
        });
        for _ in 0..self.depth {
            let (begun, next) = (begun.clone(), head);
            head = spawner.spawn_at(Importance::Unimportant, async move {
                begun.count();
                next.await;
            });
        }
        begun.reached();
        let build = time("build", start, self.depth);

        let depth = self.depth;
        let (sender, donated) = std::sync::mpsc::channel();
        let waiter = spawner.spawn_at(Importance::Important, async move {
            let start = Instant::now();
            let mut pinned = Pin::new(&mut head);
            poll_fn(|context| {
                assert!(
                    pinned.as_mut().poll(context).is_pending(),
                    "the gate is shut"
                );
                Poll::Ready(())
            })
            .await;
            let _ = sender.send(time("donate", start, depth));
            head.await;
        });
        let donate = donated.recv().expect("the waiter begins");
        let start = Instant::now();
        opener.send(()).expect("the chain waits");
        engine.block_on(waiter);
        vec![build, donate, time("run", start, depth)]
    }
}

/// One important task awaits all the others at once.
pub(super) struct AwaitedFanIn {
    pub(super) width: usize,
}

impl Scenario for AwaitedFanIn {
    type Output = Vec<Reading>;

    fn run<E: Engine>(self, engine: &E) -> Vec<Reading> {
        let (mut awaited, width) = (Vec::with_capacity(self.width), self.width);
        let spawner = engine.outside();
        let gate = Arc::new(tokio::sync::Semaphore::new(0));
        let begun = Arc::new(Goal::new(width));
        let start = Instant::now();
        for _ in 0..width {
            let (gate, begun) = (gate.clone(), begun.clone());
            awaited.push(spawner.spawn_at(Importance::Unimportant, async move {
                begun.count();
                assert!(gate.acquire().await.is_err(), "it is closed, never given");
            }));
        }
        begun.reached();
        let build = time("build", start, width);
        let (sender, donated) = std::sync::mpsc::channel();
        // By index: a waiter that looked at all of them whenever one has ended
        // would measure itself.
        let waiter = spawner.spawn_at(Importance::Important, async move {
            let start = Instant::now();
            let poll_each = poll_fn(|context| {
                for handle in &mut awaited {
                    let _ = Pin::new(handle).poll(context);
                }
                Poll::Ready(())
            });
            tokio::task::unconstrained(poll_each).await;
            let _ = sender.send(time("donate", start, width));
            for handle in awaited {
                handle.await;
            }
        });
        let donate = donated.recv().expect("the waiter begins");
        let start = Instant::now();
        gate.close();
        engine.block_on(waiter);
        vec![build, donate, time("run", start, width)]
    }
}

/// What becomes of a declared graph.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    Completes,
    /// The task that all others come after is cancelled.
    Fails,
    /// Somebody important waits for the last, and then gives up.
    GivenUp,
}

/// Tasks that were spawned to run one after the other.
pub(super) fn declared_chain(ats: &Ats, depth: usize, fate: Fate) -> Vec<Reading> {
    let (opener, gate) = oneshot::channel::<()>();
    let task = || ats.scheduler().task().priority(Priority::Batch);
    let start = Instant::now();
    let first = task().name("first").spawn(async {
        let _ = gate.await;
    });
    let mut last = task().name("link").after(&first).spawn(async {});
    for _ in 1..depth {
        last = task().name("link").after(&last).spawn(async {});
    }
    let build = time("build", start, depth);
    let (donate, run) = conclude(ats, &first, last, opener, fate, depth);
    vec![build, donate, run]
}

/// As many tasks that were spawned to run after one.
pub(super) fn declared_fan_out(ats: &Ats, width: usize, fate: Fate) -> Vec<Reading> {
    let (opener, gate) = oneshot::channel::<()>();
    let task = || ats.scheduler().task().priority(Priority::Batch);
    let start = Instant::now();
    let first = task().name("first").spawn(async {
        let _ = gate.await;
    });
    let leaves: Vec<_> = (0..width)
        .map(|_| task().name("leaf").after(&first).spawn(async {}))
        .collect();
    // And one that runs after all of those: the fan-in.
    let last = task().name("last").after_all(&leaves).spawn(async {});
    drop(leaves);
    let build = time("build", start, width);
    let (donate, run) = conclude(ats, &first, last, opener, fate, width);
    vec![build, donate, run]
}

/// Lends priority from the end of the graph to its beginning, and lets it go
/// the way that it is meant to.
fn conclude(
    ats: &Ats,
    first: &TaskHandle<()>,
    last: TaskHandle<()>,
    opener: oneshot::Sender<()>,
    fate: Fate,
    tasks: usize,
) -> (Reading, Reading) {
    let (sender, donated) = std::sync::mpsc::channel();
    let important = ats.scheduler().task().priority(Priority::Production);
    let waiter = important.spawn(async move {
        let mut last = last;
        let start = Instant::now();
        let _ = futures_util::future::poll_immediate(&mut last).await;
        let _ = sender.send(time("donate", start, tasks));
        let ended = last.await;
        // Dropping a long chain of causes is part of the cost.
        ended.is_ok()
    });
    let donate = donated.recv().expect("the waiter begins");
    assert_eq!(first.effective_priority(), Priority::Production);
    let start = Instant::now();
    match fate {
        Fate::Completes => opener.send(()).expect("the first waits"),
        Fate::Fails => first.cancel(),
        Fate::GivenUp => {
            waiter.cancel();
            let gone = ats.block_on(waiter);
            assert!(gone.is_err(), "it was cancelled while it waited");
            assert_eq!(first.effective_priority(), Priority::Batch);
            return (donate, time("run", start, tasks));
        }
    }
    let completed = ats.block_on(waiter).expect("the waiter completes");
    assert_eq!(completed, matches!(fate, Fate::Completes));
    (donate, time("run", start, tasks))
}
