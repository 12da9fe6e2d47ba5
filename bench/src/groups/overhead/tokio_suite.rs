//! The rows of Tokio's `benches/rt_multi_threaded.rs`, with its figures. Workers
//! are as many as cores instead of four. What a row does is theirs; that it runs
//! on any engine is ours.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::Clock;
use crate::engine::{Engine, Spawn};

const SPAWNS: usize = 10_000;
const SPAWNS_BUSY2: usize = 1_000;
const YIELDING_TASKS: usize = 200;
const YIELDS: usize = 1_000;
const PINGS: usize = 1_000;
const CHAIN: usize = 1_000;
const STALL: Duration = Duration::from_micros(10);

fn detach<S: Spawn, T: Send + 'static>(_: &S, handle: S::Handle<T>) {
    S::detach(handle);
}

pub(super) fn spawn_many_local<E: Engine>(engine: &E, clock: &Clock) -> f64 {
    let (sender, receiver) = mpsc::sync_channel(1000);
    let remaining = Arc::new(AtomicUsize::new(0));
    let spawner = engine.inside();
    clock.time(SPAWNS, || {
        remaining.store(SPAWNS, Relaxed);
        engine.block_on(async {
            for _ in 0..SPAWNS {
                let (sender, remaining) = (sender.clone(), remaining.clone());
                let task = spawner.spawn(async move {
                    if remaining.fetch_sub(1, Relaxed) == 1 {
                        sender.send(()).unwrap();
                    }
                });
                detach(&spawner, task);
            }
            receiver.recv().unwrap();
        });
    })
}

pub(super) fn spawn_many_remote_idle<E: Engine>(engine: &E, clock: &Clock) -> f64 {
    remote_spawns(engine, clock, SPAWNS)
}

/// Spawns from this thread, then awaits all.
fn remote_spawns<E: Engine>(engine: &E, clock: &Clock, spawns: usize) -> f64 {
    let spawner = engine.outside();
    let mut handles = Vec::with_capacity(spawns);
    clock.time(spawns, || {
        for _ in 0..spawns {
            handles.push(spawner.spawn(async {}));
        }
        engine.block_on(async {
            for handle in handles.drain(..) {
                handle.await;
            }
        });
    })
}

/// The same while two tasks a worker compute and yield.
pub(super) fn spawn_many_remote_busy1<E: Engine>(engine: &E, clock: &Clock, workers: usize) -> f64 {
    let busy = Arc::new(AtomicBool::new(true));
    let spawner = engine.outside();
    for _ in 0..2 * workers {
        let busy = busy.clone();
        let task = spawner.spawn(async move {
            while busy.load(Relaxed) {
                E::Inside::yield_now().await;
                stall();
            }
        });
        detach(&spawner, task);
    }
    let time = remote_spawns(engine, clock, SPAWNS);
    busy.store(false, Relaxed);
    time
}

/// The same while one chain of tasks a worker computes and spawns its successor.
pub(super) fn spawn_many_remote_busy2<E: Engine>(engine: &E, clock: &Clock, workers: usize) -> f64 {
    fn successor<S: Spawn>(spawner: S, busy: Arc<AtomicBool>) {
        let task = spawner.clone().spawn(async move {
            if busy.load(Relaxed) {
                stall();
                successor(spawner, busy);
            }
        });
        S::detach(task);
    }
    let busy = Arc::new(AtomicBool::new(true));
    let outside = engine.outside();
    for _ in 0..workers {
        let (inside, busy) = (engine.inside(), busy.clone());
        detach(
            &outside,
            outside.spawn(async move { successor(inside, busy) }),
        );
    }
    let time = remote_spawns(engine, clock, SPAWNS_BUSY2);
    busy.store(false, Relaxed);
    time
}

/// Yields by `Y`'s function, which need not be the engine's own.
pub(super) fn yield_many<E: Engine, Y: Spawn>(engine: &E, clock: &Clock) -> f64 {
    let (sender, receiver) = mpsc::sync_channel(YIELDING_TASKS);
    let spawner = engine.outside();
    clock.time(YIELDING_TASKS * YIELDS, || {
        for _ in 0..YIELDING_TASKS {
            let sender = sender.clone();
            let task = spawner.spawn(async move {
                for _ in 0..YIELDS {
                    Y::yield_now().await;
                }
                sender.send(()).unwrap();
            });
            detach(&spawner, task);
        }
        for _ in 0..YIELDING_TASKS {
            receiver.recv().unwrap();
        }
    })
}

pub(super) fn ping_pong<E: Engine>(engine: &E, clock: &Clock) -> f64 {
    let (sender, receiver) = mpsc::sync_channel(1000);
    let remaining = Arc::new(AtomicUsize::new(0));
    clock.time(PINGS, || {
        remaining.store(PINGS, Relaxed);
        let (spawner, sender, remaining) = (engine.inside(), sender.clone(), remaining.clone());
        engine.block_on(async {
            let inner = spawner.clone();
            let task = spawner.spawn(async move {
                for _ in 0..PINGS {
                    let round = round(inner.clone(), sender.clone(), remaining.clone());
                    detach(&inner, inner.spawn(round));
                }
            });
            detach(&spawner, task);
            receiver.recv().unwrap();
        });
    })
}

/// One ping and its pong, each in a task.
async fn round<S: Spawn>(spawner: S, sender: mpsc::SyncSender<()>, remaining: Arc<AtomicUsize>) {
    let (ping, pinged) = oneshot::channel();
    let (pong, ponged) = oneshot::channel();
    let task = spawner.spawn(async move {
        pinged.await.unwrap();
        pong.send(()).unwrap();
    });
    S::detach(task);
    ping.send(()).unwrap();
    ponged.await.unwrap();
    if remaining.fetch_sub(1, Relaxed) == 1 {
        sender.send(()).unwrap();
    }
}

pub(super) fn chained_spawn<E: Engine>(engine: &E, clock: &Clock) -> f64 {
    fn link<S: Spawn>(spawner: S, sender: mpsc::SyncSender<()>, left: usize) {
        if left == 0 {
            sender.send(()).unwrap();
        } else {
            let task = spawner
                .clone()
                .spawn(async move { link(spawner, sender, left - 1) });
            S::detach(task);
        }
    }
    let (sender, receiver) = mpsc::sync_channel(1000);
    clock.time(CHAIN, || {
        let (spawner, sender) = (engine.inside(), sender.clone());
        engine.block_on(async {
            let inner = spawner.clone();
            let task = spawner.spawn(async move { link(inner, sender, CHAIN) });
            detach(&spawner, task);
            receiver.recv().unwrap();
        });
    })
}

fn stall() {
    let start = Instant::now();
    while start.elapsed() < STALL {
        std::thread::yield_now();
    }
}
