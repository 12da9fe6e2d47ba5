//! The rows of `async-executor`'s `benches/executor.rs`, in its multi-thread
//! form and with its figures. Left out: `create`, which makes an executor without
//! threads, and the static and single-thread forms.

use std::{future::Future, hint::black_box, mem, pin::Pin};

use super::Clock;
use crate::engine::{Engine, Spawn};

const TASKS: usize = 300;
const STEPS: usize = 300;
const LIGHT_TASKS: usize = 25_000;
const BATCH: usize = 250;
/// A single spawn is too short to be timed by itself.
const SINGLES: usize = 100;

pub(super) fn spawn_one<E: Engine>(engine: &E, clock: &Clock) -> f64 {
    let spawner = engine.outside();
    clock.time(SINGLES, || {
        for _ in 0..SINGLES {
            engine.block_on(async { spawner.spawn(async {}).await });
        }
    })
}

/// Theirs goes on to the next batch at once and so measures a growing backlog;
/// here the batch is awaited.
pub(super) fn spawn_batch<E: Engine>(engine: &E, clock: &Clock) -> f64 {
    let spawner = engine.outside();
    let mut handles = Vec::with_capacity(BATCH);
    clock.time(BATCH, || {
        handles.extend((0..BATCH).map(|_| spawner.spawn(E::Inside::yield_now())));
        engine.block_on(async {
            for handle in handles.drain(..) {
                handle.await;
            }
        });
    })
}

pub(super) fn spawn_many_local<E: Engine>(engine: &E, clock: &Clock) -> f64 {
    let spawner = engine.outside();
    clock.time(LIGHT_TASKS, || {
        engine.block_on(async {
            let mut tasks = Vec::new();
            for _ in 0..LIGHT_TASKS {
                tasks.push(spawner.spawn(async {}));
            }
            for task in tasks {
                task.await;
            }
        });
    })
}

pub(super) fn spawn_recursively<E: Engine>(engine: &E, clock: &Clock) -> f64 {
    fn descend<S: Spawn>(
        spawner: S,
        depth: usize,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        Box::pin(async move {
            if depth != 0 {
                let below = descend(spawner.clone(), depth - 1);
                spawner.spawn(below).await;
            }
        })
    }
    let outside = engine.outside();
    clock.time(TASKS * (STEPS + 1), || {
        engine.block_on(async {
            let mut tasks = Vec::new();
            for _ in 0..TASKS {
                tasks.push(outside.spawn(descend(engine.inside(), STEPS)));
            }
            for task in tasks {
                task.await;
            }
        });
    })
}

pub(super) fn yield_now<E: Engine>(engine: &E, clock: &Clock) -> f64 {
    let spawner = engine.outside();
    clock.time(TASKS * STEPS, || {
        engine.block_on(async {
            let mut tasks = Vec::new();
            for _ in 0..TASKS {
                tasks.push(spawner.spawn(async {
                    for _ in 0..STEPS {
                        E::Inside::yield_now().await;
                    }
                }));
            }
            for task in tasks {
                task.await;
            }
        });
    })
}

/// A ring of tasks that pass a token on. An operation is one hand-on.
pub(super) fn channels<E: Engine>(engine: &E, clock: &Clock) -> f64 {
    let spawner = engine.outside();
    clock.time(TASKS * STEPS, || {
        engine.block_on(async {
            let mut tasks = Vec::new();
            let (first, mut last) = async_channel::bounded(1);
            for _ in 0..TASKS {
                let (next, receiver) = async_channel::bounded(1);
                let previous = mem::replace(&mut last, receiver);
                tasks.push(spawner.spawn(async move {
                    for _ in 0..STEPS {
                        previous.recv().await.unwrap();
                        next.send(()).await.unwrap();
                    }
                }));
            }
            for _ in 0..STEPS {
                first.send(()).await.unwrap();
                last.recv().await.unwrap();
            }
            for task in tasks {
                task.await;
            }
        });
    })
}

/// Requests that ask one task, the database, again and again. An operation is
/// one request.
pub(super) fn web_server<E: Engine>(engine: &E, clock: &Clock) -> f64 {
    let outside = engine.outside();
    clock.time(TASKS, || {
        let inside = engine.inside();
        engine.block_on(async {
            let (asks, asked) = async_channel::bounded(TASKS / 5);
            let mut database_random = fastrand::Rng::with_seed(0x1234_5678);
            let web_random = database_random.fork();
            let database = outside.spawn(database::<E>(asked, database_random));
            let server = outside.spawn(server::<E>(inside, asks, web_random));
            server.await;
            database.await;
        });
    })
}

type Answers = async_channel::Sender<usize>;

async fn database<E: Engine>(asked: async_channel::Receiver<Answers>, mut random: fastrand::Rng) {
    while let Ok(answer) = asked.recv().await {
        for _ in 0..random.usize(..10) {
            E::Inside::yield_now().await;
        }
        answer.send(random.usize(..)).await.ok();
    }
}

async fn server<E: Engine>(
    spawner: E::Inside,
    asks: async_channel::Sender<Answers>,
    mut random: fastrand::Rng,
) {
    for connection in 0..TASKS {
        if random.usize(..=16) == 16 {
            E::Inside::yield_now().await;
        }
        let request = request::<E>(asks.clone(), random.fork());
        <E::Inside as Spawn>::detach(spawner.spawn(request));
        if connection & 16 == 0 {
            E::Inside::yield_now().await;
        }
    }
}

async fn request<E: Engine>(asks: async_channel::Sender<Answers>, mut random: fastrand::Rng) {
    let cached = random.bool();
    if cached {
        E::Inside::yield_now().await;
        return;
    }
    for _ in 0..random.usize(STEPS / 2..STEPS) {
        let (answer, answered) = async_channel::bounded(1);
        asks.send(answer).await.unwrap();
        black_box(answered.recv().await.unwrap());
    }
    for _ in 0..random.usize(3..16) {
        E::Inside::yield_now().await;
    }
}
