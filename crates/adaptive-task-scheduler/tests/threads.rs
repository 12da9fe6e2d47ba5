//! The scheduler's own threads: hooks, limits, and what happens when none can
//! be had.

mod support;

use adaptive_task_scheduler::{Event, Priority, Scheduler, yield_now};
use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};
use support::{Gate, Order, drain, join_all, runtime, thread_name, until};

#[test]
fn the_hooks_are_called_on_each_thread_of_the_scheduler() {
    let (started, stopped) = (Order::new(), Order::new());
    let (starts, stops) = (started.clone(), stopped.clone());
    let scheduler = Scheduler::builder()
        .io_slots(1)
        .cpu_threads(1)
        .thread_name("hooked")
        .on_thread_start(move || starts.note((thread::current().id(), thread_name())))
        .on_thread_stop(move || stops.note((thread::current().id(), thread_name())))
        .build_runtime()
        .unwrap();
    join_all([scheduler.cpu(|| ())]);
    until("three threads have started", || started.seen().len() == 3);
    let names: HashSet<_> = started.seen().into_iter().map(|(_, name)| name).collect();
    let expected = ["hooked-sentinel", "hooked-relief", "hooked-cpu"];
    assert_eq!(names, expected.map(str::to_owned).into());
    assert_eq!(scheduler.stats().threads, 3);
    drop(scheduler);
    until("all have stopped", || {
        stopped.seen().len() == started.seen().len()
    });
    let ids = |order: &Order<(thread::ThreadId, String)>| -> HashSet<_> {
        order.seen().into_iter().collect()
    };
    assert_eq!(ids(&started), ids(&stopped));
}

#[test]
fn an_idle_scheduler_starts_no_cpu_threads() {
    let scheduler = Scheduler::builder()
        .io_slots(1)
        .cpu_threads(8)
        .build_runtime()
        .unwrap();
    join_all([scheduler.spawn(async {}), scheduler.blocking(|| ())]);
    // The sentinel and one spare relief.
    assert!(
        scheduler.stats().peak_threads <= 2,
        "{:?}",
        scheduler.stats()
    );
}

#[test]
fn when_no_relief_can_be_had_nothing_is_lost() {
    // Room for the sentinel and the spare relief.
    let builder = Scheduler::builder().io_slots(1).max_threads(2);
    let scheduler = builder.build_runtime().unwrap();
    let mut events = scheduler.subscribe(100_000);
    let gate = Gate::closed("more stuck tasks than threads");
    let spawn = |_| {
        let door = gate.door();
        scheduler.spawn(async move { door.pass() })
    };
    let stuck: Vec<_> = (0..10).map(spawn).collect();
    let ran = Arc::new(AtomicUsize::new(0));
    let spawn = |_| {
        let ran = Arc::clone(&ran);
        scheduler.spawn(async move {
            yield_now().await;
            ran.fetch_add(1, Ordering::SeqCst);
        })
    };
    let others: Vec<_> = (0..100).map(spawn).collect();
    let mut seen = Vec::new();
    until("a thread was refused", || {
        seen.extend(drain(&mut events));
        seen.iter().any(|event| {
            matches!(
                event,
                Event::ThreadFailed {
                    purpose: "relief",
                    ..
                }
            )
        })
    });
    // The worker, and the one relief there is.
    assert!(gate.arrivals() <= 2);
    gate.open();
    join_all(stuck);
    join_all(others);
    assert_eq!(ran.load(Ordering::SeqCst), 100);
    assert!(
        scheduler.stats().peak_threads <= 3,
        "{:?}",
        scheduler.stats()
    );
}

#[test]
fn when_few_cpu_threads_can_be_had_those_do_all_the_work() {
    // Room for the sentinel, the spare relief, and one more.
    let builder = Scheduler::builder()
        .io_slots(1)
        .cpu_threads(8)
        .max_threads(3);
    let scheduler = builder.build_runtime().unwrap();
    let mut events = scheduler.subscribe(100_000);
    let gate = Gate::closed("the one cpu thread");
    let door = gate.door();
    let first = scheduler.cpu(move || door.pass());
    gate.wait_for_arrivals(1);
    let order = Order::new();
    let spawn = |number: usize| {
        let order = order.clone();
        let priority = Priority::ALL[number % 5];
        scheduler
            .task()
            .priority(priority)
            .spawn_fn(move || order.note(priority))
    };
    let more: Vec<_> = (0..50).map(spawn).collect();
    let mut seen = Vec::new();
    until("a thread was refused", || {
        seen.extend(drain(&mut events));
        seen.iter()
            .any(|event| matches!(event, Event::ThreadFailed { purpose: "cpu", .. }))
    });
    gate.open();
    join_all([first]);
    join_all(more);
    assert!(
        order.seen().is_sorted_by(|before, after| before >= after),
        "{:?}",
        order.seen()
    );
    assert_eq!(scheduler.stats().threads, 3);
}

#[test]
fn a_cpu_task_gets_a_thread_although_the_spare_relief_took_the_last() {
    // Room for the sentinel and one more, which is the spare relief at first.
    let builder = Scheduler::builder().io_slots(1).max_threads(2);
    let scheduler = builder.build_runtime().unwrap();
    assert_eq!(join_all([scheduler.cpu(|| 1)]), [1]);
}

#[test]
fn without_room_for_the_sentinel_there_is_no_scheduler() {
    let error = Scheduler::builder()
        .io_slots(1)
        .max_threads(0)
        .build_runtime()
        .unwrap_err();
    assert!(error.to_string().contains("sentinel"), "{error}");
    let (runtime, _) = runtime(1);
    let builder = Scheduler::builder().max_threads(0);
    assert!(builder.build_on(runtime.handle().clone()).is_err());
}

#[test]
fn without_room_for_slots_beside_a_current_thread_runtime_there_is_no_scheduler() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let stopped = Arc::new(AtomicUsize::new(0));
    let started = Arc::new(AtomicUsize::new(0));
    let (starts, stops) = (Arc::clone(&started), Arc::clone(&stopped));
    let builder = Scheduler::builder().io_slots(4).max_threads(3);
    let builder = builder
        .on_thread_start(move || {
            starts.fetch_add(1, Ordering::SeqCst);
        })
        .on_thread_stop(move || {
            stops.fetch_add(1, Ordering::SeqCst);
        });
    builder.build_on(runtime.handle().clone()).unwrap_err();
    until("the threads that were started are gone", || {
        let started = started.load(Ordering::SeqCst);
        started == 3 && stopped.load(Ordering::SeqCst) == started
    });
}

#[test]
fn when_tokio_can_start_no_more_blocking_threads_the_tasks_wait_their_turn() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let scheduler = Scheduler::builder()
        .build_on(runtime.handle().clone())
        .unwrap();
    let gate = Gate::closed("blocking closures");
    let spawn = |_| {
        let door = gate.door();
        scheduler.blocking(move || door.pass())
    };
    let closures: Vec<_> = (0..20).map(spawn).collect();
    gate.wait_for_arrivals(2);
    assert_eq!(join_all([scheduler.spawn(async { 1 })]), [1]);
    gate.open();
    join_all(closures);
}

/// Of this thread, as the kernel tells it.
#[cfg(target_os = "linux")]
fn niceness() -> i32 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    // The name comes before, and may contain anything.
    let (_, after) = stat.rsplit_once(')').unwrap();
    after.split_whitespace().nth(16).unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn threads_of_the_cpu_lane_are_as_nice_as_they_should_be_and_others_as_ever() {
    let here = niceness();
    let scheduler = Scheduler::builder().io_slots(1).cpu_threads(1);
    let scheduler = scheduler.cpu_niceness(3).build_runtime().unwrap();
    let on_cpu = join_all([scheduler.cpu(niceness)]);
    let elsewhere = join_all([
        scheduler.spawn(async { niceness() }),
        scheduler.blocking(niceness),
    ]);
    assert_eq!(on_cpu, [(here + 3).min(19)]);
    assert_eq!(elsewhere, [here, here]);
}
