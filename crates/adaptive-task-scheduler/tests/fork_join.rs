//! CPU tasks that fork with Rayon: on which threads, how many at once, and what
//! gives way to what.

mod support;

use adaptive_task_scheduler::{
    CancelMode, Cancelled, Lane, Priority, Scheduler, TaskHandle, TaskId, checkpoint, current_task,
    fork, is_cancelled,
};
use rayon::prelude::*;
use std::{
    collections::HashSet,
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use support::{Gate, LIMIT, Order, join_all, plain, thread_name, until, wait_for};

fn cpu_threads(count: usize) -> Scheduler {
    plain()
        .io_slots(1)
        .cpu_threads(count)
        .thread_name("forks")
        .build_runtime()
        .unwrap()
}

/// Counts who is inside, and the most that were at once.
#[derive(Debug, Default)]
struct Inside {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Inside {
    fn compute(&self) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        for _ in 0..20 {
            std::hint::black_box((0..500u64).sum::<u64>());
            thread::yield_now();
        }
        self.now.fetch_sub(1, Ordering::SeqCst);
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

/// Calls checkpoints until `holds` does.
fn checkpoints_until(holds: impl Fn() -> bool) -> Result<(), Cancelled> {
    let end = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < end, "checkpoints gave way in vain");
        checkpoint()?;
        thread::yield_now();
    }
    Ok(())
}

/// Has all the threads of the fork meet, and gives what each says.
fn on_each_thread<T: Send>(threads: usize, say: impl Fn() -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(threads);
    let said = Mutex::new(Vec::new());
    rayon::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|_| {
                barrier.wait();
                let says = say();
                said.lock().unwrap().push(says);
            });
        }
    });
    said.into_inner().unwrap()
}

#[test]
fn a_fork_in_an_idle_lane_is_as_wide_as_the_lane() {
    let scheduler = cpu_threads(3);
    let ids = || wide(&scheduler, 3, || (thread_name(), thread::current().id()));
    let (first, second) = (join_wide(ids()), join_wide(ids()));
    assert!(
        first.iter().all(|(name, _)| name == "forks-fork"),
        "{first:?}"
    );
    // The next fork has the same threads.
    let set = |ids: Vec<_>| ids.into_iter().collect::<HashSet<_>>();
    assert_eq!(set(first), set(second));
}

#[test]
fn a_parallel_task_forks_by_itself() {
    let scheduler = cpu_threads(2);
    let names = wide(&scheduler, 2, thread_name);
    assert_eq!(join_wide(names), ["forks-fork"; 2]);
}

#[test]
fn without_a_fork_rayon_stays_on_the_thread_of_the_task() {
    let scheduler = cpu_threads(3);
    let threads = || {
        let names = (0..1_000).into_par_iter().map(|_| thread::current().id());
        let (one, other) = rayon::join(thread::current, thread::current);
        let mut ids: HashSet<_> = names.collect();
        ids.extend([one.id(), other.id()]);
        (
            ids == HashSet::from([thread::current().id()]),
            thread_name(),
        )
    };
    let plain = scheduler.cpu(threads);
    let future = scheduler.task().cpu().spawn(async move { threads() });
    let expected = (true, "forks-cpu".to_owned());
    assert_eq!(join_all([plain, future]), [expected.clone(), expected]);
}

#[test]
fn with_one_thread_a_fork_stays_on_it() {
    let scheduler = cpu_threads(1);
    let name = scheduler.cpu(|| fork(thread_name));
    assert_eq!(join_all([name]), ["forks-cpu"]);
}

#[test]
fn outside_of_cpu_tasks_a_fork_only_calls() {
    let here = thread::current().id();
    assert_eq!(fork(|| thread::current().id()), here);
    let scheduler = cpu_threads(2);
    let is_here = || {
        let here = thread::current().id();
        fork(move || thread::current().id() == here)
    };
    let tasks = [
        scheduler.task().io().spawn_fn(is_here),
        scheduler.blocking(is_here),
    ];
    assert_eq!(join_all(tasks), [true, true]);
}

#[test]
fn a_fork_in_a_piece_uses_the_same_threads() {
    let scheduler = cpu_threads(2);
    let names = wide(&scheduler, 2, || {
        let outside = rayon::current_num_threads();
        fork(|| (thread_name(), rayon::current_num_threads() == outside))
    });
    assert_eq!(join_wide(names), vec![("forks-fork".to_owned(), true); 2]);
}

#[test]
fn the_threads_that_compute_are_never_more_than_the_lane_has() {
    let scheduler = Scheduler::builder()
        .io_slots(1)
        .cpu_threads(4)
        .learning(false)
        .build_runtime()
        .unwrap();
    let inside = Arc::new(Inside::default());
    let spawn = |number: usize| {
        let inside = Arc::clone(&inside);
        let task = scheduler.task().priority(Priority::ALL[number % 5]);
        match number % 3 {
            0 => task.spawn_fn(move || inside.compute()),
            1 => task.spawn_fn(move || {
                fork(|| (0..100).into_par_iter().for_each(|_| inside.compute()));
            }),
            _ => task.parallel().spawn_fn(move || {
                (0..50).into_par_iter().for_each(|_| {
                    checkpoint().expect("nobody cancels");
                    inside.compute();
                });
            }),
        }
    };
    for _ in 0..5 {
        join_all((0..12).map(spawn).collect::<Vec<_>>());
        // Alone it is wide.
        join_all([spawn(1)]);
    }
    assert!((2..=4).contains(&inside.most()), "{inside:?}");
    // The sentinel, the spare relief, 4 threads, as many reserves, and the pools.
    let stats = scheduler.stats();
    assert!(stats.peak_threads <= 2 + 4 + 16 + 16, "{stats:?}");
}

#[test]
fn a_class_that_forks_computes_although_its_thread_sleeps_meanwhile() {
    let scheduler = Scheduler::builder()
        .io_slots(1)
        .cpu_threads(2)
        .build_runtime()
        .unwrap();
    let spawn = || {
        let task = scheduler.task().name("forking class");
        task.spawn_fn(|| {
            let end = Instant::now() + Duration::from_millis(5);
            fork(|| {
                on_each_thread(rayon::current_num_threads(), || {
                    while Instant::now() < end {
                        std::hint::spin_loop();
                    }
                })
            });
        })
    };
    for _ in 0..20 {
        let task = spawn();
        assert_eq!(task.lane(), Lane::Cpu);
        join_all([task]);
    }
}

#[test]
fn pieces_know_their_task() {
    let scheduler = cpu_threads(2);
    for _ in 0..2 {
        let ids = wide(&scheduler, 2, current_task);
        let id: Option<TaskId> = Some(ids.id());
        assert_eq!(join_wide(ids), [id; 2]);
    }
    let ids = scheduler.cpu(|| (current_task(), fork(current_task)));
    let id = Some(ids.id());
    assert_eq!(join_all([ids]), [(id, id)]);
}

#[test]
fn pieces_can_spawn_tasks_and_use_tokio() {
    let scheduler = cpu_threads(2);
    let spawned = wide(&scheduler, 2, || {
        let ours = Scheduler::current().spawn(async { 20 });
        (ours, tokio::spawn(async { 1 }))
    });
    let mut sum = 0;
    for (ours, tokio) in join_wide(spawned) {
        sum += join_all([ours])[0] + wait_for("tokio's task", tokio).unwrap();
    }
    assert_eq!(sum, 42);
}

/// A task that gives what each of its pieces says, if it was wide.
type Wide<T> = TaskHandle<Option<Vec<T>>>;

/// Starts a forking task, again until it finds the lane idle and is as wide as
/// that. All its pieces have begun; they do as `each` says.
fn wide<T: Send + 'static>(
    scheduler: &Scheduler,
    threads: usize,
    each: impl Fn() -> T + Send + Sync + 'static,
) -> Wide<T> {
    let each = Arc::new(each);
    loop {
        let begun = Gate::closed("the pieces");
        let (door, each) = (begun.door(), Arc::clone(&each));
        let task = scheduler
            .task()
            .priority(Priority::Batch)
            .on_cancel(CancelMode::Cooperate)
            .parallel();
        let task = task.spawn_fn(move || {
            let is_wide = rayon::current_num_threads() == threads;
            is_wide.then(|| {
                on_each_thread(threads, || {
                    door.pass();
                    each()
                })
            })
        });
        until("the task began", || {
            begun.arrivals() == threads || task.is_finished()
        });
        if begun.arrivals() == threads {
            return task;
        }
    }
}

/// The values of a task that was wide.
fn join_wide<T: 'static>(task: Wide<T>) -> Vec<T> {
    join_all([task]).remove(0).expect("it was wide")
}

/// A wide task whose pieces call checkpoints until the flag is set.
fn saturating(
    scheduler: &Scheduler,
    threads: usize,
) -> (Wide<Result<(), Cancelled>>, Arc<AtomicBool>) {
    let flag = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&flag);
    let each = move || checkpoints_until(|| seen.load(Ordering::SeqCst));
    (wide(scheduler, threads, each), flag)
}

#[test]
fn what_is_more_important_starts_while_pieces_saturate_the_lane() {
    let scheduler = cpu_threads(2);
    let (low, flag) = saturating(&scheduler, 2);
    for _ in 0..20 {
        let high = scheduler
            .task()
            .priority(Priority::Production)
            .spawn_fn(thread_name);
        assert_eq!(join_all([high]), ["forks-reserve"]);
    }
    let equal = scheduler.task().priority(Priority::Batch).cpu();
    let equal = equal.spawn_fn(thread_name);
    assert!(!low.is_finished());
    flag.store(true, Ordering::SeqCst);
    assert_eq!(join_wide(low), [Ok(()); 2]);
    assert_eq!(join_all([equal]), ["forks-cpu"]);
}

#[test]
fn each_more_important_task_stops_one_piece() {
    let scheduler = cpu_threads(2);
    let inside = Arc::new(Inside::default());
    let done = Arc::new(AtomicBool::new(false));
    let (pieces, ends) = (Arc::clone(&inside), Arc::clone(&done));
    let low = wide(&scheduler, 2, move || {
        checkpoints_until(|| {
            pieces.compute();
            ends.load(Ordering::SeqCst)
        })
    });
    let spawn = |_| {
        let inside = Arc::clone(&inside);
        scheduler
            .task()
            .priority(Priority::Production)
            .spawn_fn(move || (0..10).for_each(|_| inside.compute()))
    };
    for _ in 0..10 {
        join_all((0..4).map(spawn).collect::<Vec<_>>());
    }
    done.store(true, Ordering::SeqCst);
    assert_eq!(join_wide(low), [Ok(()); 2]);
    assert_eq!(inside.most(), 2);
}

#[test]
fn a_waiting_parent_runs_nothing_else() {
    let scheduler = cpu_threads(2);
    let (low, flag) = saturating(&scheduler, 2);
    let order = Order::new();
    let spawn = |_| {
        let order = order.clone();
        let task = scheduler.task().priority(Priority::Batch);
        task.spawn_fn(move || order.note(thread_name()))
    };
    let equals: Vec<_> = (0..10).map(spawn).collect();
    // Something more important comes and goes, and every thread looks around.
    for _ in 0..5 {
        let task = scheduler.task().priority(Priority::Production);
        join_all([task.spawn_fn(|| ())]);
    }
    assert_eq!(order.seen(), Vec::<String>::new());
    flag.store(true, Ordering::SeqCst);
    assert_eq!(join_wide(low), [Ok(()); 2]);
    join_all(equals);
    assert_eq!(order.seen(), ["forks-cpu"; 10]);
}

#[test]
fn a_panic_in_a_piece_is_the_panic_of_the_task_and_gives_all_back() {
    let scheduler = cpu_threads(2);
    for _ in 0..3 {
        let panics = scheduler.cpu(|| {
            fork(|| {
                (0..100).into_par_iter().for_each(|number| {
                    assert!(number != 77, "piece 77 is bad");
                });
            });
        });
        let error = wait_for("the panic", panics).unwrap_err();
        assert!(error.is_panic());
        assert!(error.to_string().contains("piece 77"), "{error}");
    }
    let names = wide(&scheduler, 2, thread_name);
    assert_eq!(join_wide(names), ["forks-fork"; 2]);
    let both = Gate::closed("two at once");
    let spawn = |_| {
        let door = both.door();
        scheduler.cpu(move || door.pass())
    };
    let two: Vec<_> = (0..2).map(spawn).collect();
    both.wait_for_arrivals(2);
    both.open();
    join_all(two);
}

#[test]
fn cancelling_reaches_the_pieces() {
    let scheduler = cpu_threads(2);
    let (low, _flag) = saturating(&scheduler, 2);
    low.cancel();
    assert_eq!(join_wide(low), [Err(Cancelled); 2]);
}

#[test]
fn a_scheduler_dropped_during_a_fork_leaves_no_thread() {
    let stopped = Order::new();
    let started = Order::new();
    let (starts, stops) = (started.clone(), stopped.clone());
    let scheduler = Scheduler::builder()
        .io_slots(1)
        .cpu_threads(2)
        .on_thread_start(move || starts.note(thread::current().id()))
        .on_thread_stop(move || stops.note(thread::current().id()))
        .build_runtime()
        .unwrap();
    let (low, _flag) = saturating(&scheduler, 2);
    drop(scheduler);
    let ended = wait_for("the fork", low);
    if let Ok(pieces) = ended {
        assert_eq!(pieces.expect("it was wide"), [Err(Cancelled); 2]);
    }
    until("all threads have stopped", || {
        started.seen().len() == stopped.seen().len()
    });
}

#[test]
fn when_no_threads_can_be_had_a_fork_stays_on_its_own() {
    let scheduler = plain()
        .io_slots(1)
        .cpu_threads(4)
        .max_threads(2)
        .thread_name("few")
        .build_runtime()
        .unwrap();
    let name = scheduler.cpu(|| fork(|| (thread_name(), is_cancelled())));
    assert_eq!(join_all([name]), [("few-cpu".to_owned(), false)]);
    assert!(scheduler.stats().threads <= 2, "{:?}", scheduler.stats());
}

#[test]
fn what_is_left_behind_with_spawn_runs_after_the_task() {
    let scheduler = cpu_threads(1);
    let order = Order::new();
    let (inner, outer) = (order.clone(), order.clone());
    let task = scheduler.cpu(move || {
        rayon::spawn(move || inner.note(thread_name()));
        outer.note("task".to_owned());
    });
    join_all([task]);
    until("it ran", || order.seen().len() == 2);
    assert_eq!(order.seen(), ["task", "forks-cpu"]);
}
