//! M. Locks and channels: ours beside tokio::sync's, all on our scheduler, so
//! that only they differ.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc as threads,
    },
    time::{Duration, Instant},
};

use adaptive_task_scheduler::{Priority, Scheduler, TaskHandle, TaskState, yield_now};

use crate::{
    engine::{self, Ats},
    machine,
    plan::{self, Bar, Group, Limit, Reading, Row, Unit},
    scale::Scale,
    statistics, work,
};

const OURS: &str = "ats_sync";
const TOKIO: &str = "tokio_sync";

const TIME: &str = "time_per_op";
const DELAY: &str = "important_delay";

/// Operations of a batch; the figure of a run is the median of its batches.
const BATCH: usize = 1_000;

/// Rows without contention.
const ALONE: [&str; 8] = [
    "mutex_lock",
    "mutex_try_lock",
    "mutex_lock_outside_of_tasks",
    "rwlock_read",
    "rwlock_write",
    "semaphore_acquire",
    "semaphore_acquire_many",
    "mpsc_send_and_receive",
];
const ONESHOT: &str = "oneshot_send_and_receive";
/// Tasks of equal importance fight for a lock.
const CONTENDED: &str = "mutex_8_tasks";
/// An important task comes to a line of unimportant ones.
const HAND_OVER: &str = "mutex_hand_over_behind_32";
/// An unimportant task holds what an important one waits for, behind middling ones.
const INVERTED: &str = "mutex_held_behind_1000";

pub(crate) fn group() -> Group {
    Group {
        letter: 'M',
        title: "Locks and channels: ours beside tokio::sync's, both on our scheduler",
        prepare: plan::nothing_to_prepare,
        rows,
        run,
        summary: |_| Vec::new(),
        notes: || {
            [
                "time_per_op is the median of batches of 1,000: taken and given back by one task.",
                "important_delay: mutex_hand_over_behind_32 from the release of a lock for which \
                 32 unimportant tasks wait, each for 50 us of work, and then an important one; \
                 mutex_held_behind_1000 while the unimportant holder needs 20 turns of 5 us, on a \
                 worker with 1,000 middling tasks of 5 us.",
                "Tokio's take from the cooperative budget and yield every 128 operations.",
            ]
            .map(str::to_owned)
            .to_vec()
        },
        runs: |scale| scale.pick(7, 3),
    }
}

fn rows() -> Vec<Row> {
    let row = |name: &str, limit: Option<(&'static str, f64)>| Row {
        name: name.to_owned(),
        engines: vec![TOKIO, OURS],
        baseline: TOKIO,
        bars: limit
            .map(|(metric, limit)| Bar {
                engine: OURS,
                metric,
                limit: Limit::RatioAtMost(limit),
            })
            .into_iter()
            .collect(),
        counted: true,
    };
    let alone = ALONE.iter().chain([&ONESHOT]);
    alone
        .map(|name| row(name, Some((TIME, 1.1))))
        .chain([
            row(CONTENDED, None),
            row(HAND_OVER, Some((DELAY, 1.0))),
            row(INVERTED, Some((DELAY, 1.0))),
        ])
        .collect()
}

fn run(row: &str, engine: &str, scale: Scale) -> Vec<Reading> {
    match engine {
        OURS => ours::run(row, scale),
        TOKIO => tokios::run(row, scale),
        other => panic!("group M has no engine {other}"),
    }
}

/// The same rows with the types of either: their methods have the same names.
macro_rules! rows_of {
    ($family:ident, $($sync:ident)::+) => {
        mod $family {
            use super::*;
            use $($sync)::+::{Mutex, RwLock, Semaphore, mpsc, oneshot};

            pub(super) fn run(row: &str, scale: Scale) -> Vec<Reading> {
                match row {
                    CONTENDED => vec![per_op(contended(scale))],
                    HAND_OVER => vec![delay(hand_over(scale))],
                    INVERTED => vec![delay(inverted(scale))],
                    "mutex_lock_outside_of_tasks" => {
                        let runtime = tokio::runtime::Builder::new_current_thread()
                            .build()
                            .expect("a runtime can be made");
                        vec![per_op(runtime.block_on(alone("mutex_lock", scale)))]
                    }
                    row => {
                        let row = row.to_owned();
                        let ats = start(machine::cores(), true);
                        let task = ats.spawn(async move { alone(&row, scale).await });
                        vec![per_op(ats.block_on(task).expect("it completes"))]
                    }
                }
            }

            /// The time of an operation in each batch.
            async fn alone(row: &str, scale: Scale) -> Vec<f64> {
                let mutex = Mutex::new(0_u64);
                let rwlock = RwLock::new(0_u64);
                let semaphore = Semaphore::new(8);
                let (sender, mut receiver) = mpsc::channel(8);
                let mut times = Vec::new();
                for _ in 0..scale.pick(400, 100) {
                    yield_now().await;
                    let start = Instant::now();
                    for _ in 0..BATCH {
                        match row {
                            "mutex_lock" => *mutex.lock().await += 1,
                            "mutex_try_lock" => *mutex.try_lock().expect("it is free") += 1,
                            "rwlock_read" => {
                                std::hint::black_box(*rwlock.read().await);
                            }
                            "rwlock_write" => *rwlock.write().await += 1,
                            "semaphore_acquire" => {
                                drop(semaphore.acquire().await.expect("it is open"));
                            }
                            "semaphore_acquire_many" => {
                                drop(semaphore.acquire_many(3).await.expect("it is open"));
                            }
                            "mpsc_send_and_receive" => {
                                sender.send(1_u64).await.expect("it is open");
                                std::hint::black_box(receiver.recv().await);
                            }
                            ONESHOT => {
                                let (sender, receiver) = oneshot::channel();
                                sender.send(1_u64).expect("it is received");
                                std::hint::black_box(receiver.await.expect("it is sent"));
                            }
                            other => panic!("group M has no row {other}"),
                        }
                    }
                    times.push(start.elapsed().as_nanos() as f64 / BATCH as f64);
                }
                times
            }

            /// Tasks that hold the lock across a yield.
            fn contended(scale: Scale) -> Vec<f64> {
                const TASKS: usize = 8;
                const LOCKS: usize = 200;
                let ats = start(machine::cores(), true);
                let lock = Arc::new(Mutex::new(0_u64));
                let round = || {
                    let start = Instant::now();
                    let tasks: Vec<_> = (0..TASKS)
                        .map(|_| {
                            let lock = Arc::clone(&lock);
                            ats.spawn(async move {
                                for _ in 0..LOCKS {
                                    let mut held = lock.lock().await;
                                    *held += 1;
                                    yield_now().await;
                                    drop(held);
                                }
                            })
                        })
                        .collect();
                    for task in tasks {
                        ats.block_on(task).expect("it completes");
                    }
                    start.elapsed().as_nanos() as f64 / (TASKS * LOCKS) as f64
                };
                (0..scale.pick(40, 10)).map(|_| round()).collect()
            }

            /// From the release of the lock to the important task's having it.
            fn hand_over(scale: Scale) -> Vec<f64> {
                const LINE: usize = 32;
                const WORK: Duration = Duration::from_micros(50);
                let ats = start(machine::cores(), true);
                let round = || {
                    let lock = Arc::new(Mutex::new(()));
                    let held = ats.block_on(lock.lock());
                    let line: Vec<_> = (0..LINE)
                        .map(|_| {
                            let lock = Arc::clone(&lock);
                            spawn(&ats, Priority::Batch, async move {
                                let _held = lock.lock().await;
                                work::spin(WORK);
                            })
                        })
                        .collect();
                    line.iter().for_each(until_suspended);
                    let waits = Arc::clone(&lock);
                    let important = spawn(&ats, Priority::Production, async move {
                        let _held = waits.lock().await;
                        Instant::now()
                    });
                    until_suspended(&important);
                    let released = Instant::now();
                    drop(held);
                    let has_it = ats.block_on(important).expect("it completes");
                    for task in line {
                        ats.block_on(task).expect("it completes");
                    }
                    has_it.duration_since(released).as_nanos() as f64
                };
                (0..scale.pick(100, 30)).map(|_| round()).collect()
            }

            /// From the moment that the only worker is free to the important task's
            /// having the lock.
            fn inverted(scale: Scale) -> Vec<f64> {
                const MIDDLING: usize = 1_000;
                const TURNS: usize = 20;
                const WORK: Duration = Duration::from_micros(5);
                let ats = start(1, false);
                let round = || {
                    let lock = Arc::new(Mutex::new(()));
                    let (go, gone) = tokio::sync::oneshot::channel::<()>();
                    let holds = Arc::clone(&lock);
                    let holder = spawn(&ats, Priority::Batch, async move {
                        let _held = holds.lock().await;
                        gone.await.expect("it is told");
                        for _ in 0..TURNS {
                            work::spin(WORK);
                            yield_now().await;
                        }
                    });
                    until_suspended(&holder);
                    let waits = Arc::clone(&lock);
                    let important = spawn(&ats, Priority::Production, async move {
                        let _held = waits.lock().await;
                        Instant::now()
                    });
                    until_suspended(&important);
                    let (open, opened) = threads::channel::<()>();
                    let (close, closed) = threads::channel::<()>();
                    let gate = spawn(&ats, Priority::Monitoring, async move {
                        close.send(()).expect("the benchmark waits for it");
                        opened.recv().expect("the benchmark opens it");
                        Instant::now()
                    });
                    closed.recv().expect("the gate starts");
                    let left = Arc::new(AtomicUsize::new(MIDDLING));
                    for _ in 0..MIDDLING {
                        let left = Arc::clone(&left);
                        spawn(&ats, Priority::Mid, async move {
                            work::spin(WORK);
                            left.fetch_sub(1, SeqCst);
                        })
                        .detach();
                    }
                    go.send(()).expect("the holder waits");
                    open.send(()).expect("the gate waits");
                    let free = ats.block_on(gate).expect("it completes");
                    let has_it = ats.block_on(important).expect("it completes");
                    ats.block_on(holder).expect("it completes");
                    while left.load(SeqCst) > 0 {
                        std::thread::yield_now();
                    }
                    has_it.duration_since(free).as_nanos() as f64
                };
                (0..scale.pick(50, 15)).map(|_| round()).collect()
            }
        }
    };
}

rows_of!(ours, adaptive_task_scheduler::sync);
rows_of!(tokios, tokio::sync);

/// A scheduler that is kept until the process ends.
fn start(slots: usize, promotion: bool) -> &'static Scheduler {
    let ats = Ats::start(slots, |builder| builder.promotion(promotion));
    engine::kept(ats).scheduler()
}

fn spawn<T: Send + 'static>(
    ats: &Scheduler,
    priority: Priority,
    future: impl Future<Output = T> + Send + 'static,
) -> TaskHandle<T> {
    ats.task().priority(priority).spawn(future)
}

fn until_suspended<T>(task: &TaskHandle<T>) {
    while task.state() != TaskState::Suspended {
        std::thread::yield_now();
    }
}

fn median(times: &[f64]) -> f64 {
    statistics::median(times).expect("there were rounds")
}

fn per_op(times: Vec<f64>) -> Reading {
    Reading::headline(TIME, Unit::Nanoseconds, median(&times))
}

fn delay(delays: Vec<f64>) -> Reading {
    Reading::headline(DELAY, Unit::Nanoseconds, median(&delays))
}
