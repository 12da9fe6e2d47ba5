//! Where polls run, how many at once, and in which order.

mod support;

use adaptive_task_scheduler::{
    Event, Lane, Priority, Scheduler, TaskBuilder, TaskHandle, TaskState, yield_now,
};
use std::{
    collections::HashSet,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};
use support::{Gate, Order, drain, events_until, join_all, one_slot, plain, thread_name, until};

#[test]
fn each_hint_leads_to_its_lane() {
    let scheduler = plain()
        .io_slots(1)
        .thread_name("hints")
        .build_runtime()
        .unwrap();
    let mut events = scheduler.subscribe(1_000);
    let tasks = [
        scheduler.spawn(async { thread_name() }),
        scheduler.task().io().spawn_fn(thread_name),
        scheduler.cpu(thread_name),
        scheduler.task().spawn_fn(thread_name),
        scheduler.task().cpu().spawn(async { thread_name() }),
        scheduler.blocking(thread_name),
        scheduler.task().blocking().spawn(async { thread_name() }),
    ];
    use Lane::{Blocking, Cpu, Io};
    let lanes = [Io, Io, Cpu, Cpu, Cpu, Blocking, Blocking];
    assert_eq!(tasks.each_ref().map(TaskHandle::lane), lanes);
    let ids = tasks.each_ref().map(TaskHandle::id);
    let threads = join_all(tasks);
    // Tokio gives its blocking threads the name of its workers.
    let names = ["worker", "worker", "cpu", "cpu", "cpu", "worker", "worker"];
    assert_eq!(threads, names.map(|name| format!("hints-{name}")));
    let started = drain(&mut events);
    for ((id, lane), thread) in ids.into_iter().zip(lanes).zip(threads) {
        let is_start = |event: &&Event| matches!(event, Event::Started { task, .. } if *task == id);
        match started.iter().find(is_start) {
            Some(Event::Started {
                lane: at,
                thread: on,
                ..
            }) => {
                assert_eq!((*at, on.as_str()), (lane, thread.as_str()));
            }
            other => panic!("{id}: {other:?}"),
        }
    }
}

#[test]
fn a_future_on_a_lane_stays_there_after_it_was_suspended() {
    let scheduler = plain()
        .io_slots(1)
        .thread_name("stays")
        .build_runtime()
        .unwrap();
    let threads = scheduler.task().cpu().spawn(async {
        let mut threads = HashSet::from([thread_name()]);
        tokio::time::sleep(Duration::from_millis(1)).await;
        threads.insert(thread_name());
        yield_now().await;
        threads.insert(thread_name());
        threads
    });
    assert_eq!(
        join_all([threads]),
        [HashSet::from(["stays-cpu".to_owned()])]
    );
}

#[test]
fn blocking_closures_run_side_by_side_beyond_the_numbers_of_slots_and_cores() {
    let scheduler = one_slot();
    let barrier = Arc::new(Barrier::new(16));
    let spawn = |_| {
        let barrier = Arc::clone(&barrier);
        scheduler.blocking(move || barrier.wait().is_leader())
    };
    let leaders = join_all((0..16).map(spawn).collect::<Vec<_>>());
    assert_eq!(leaders.into_iter().filter(|&leads| leads).count(), 1);
}

#[test]
fn the_cpu_lane_uses_all_of_its_threads_and_no_more() {
    let scheduler = plain().io_slots(1).cpu_threads(3).build_runtime().unwrap();
    let at_once = most_at_once(&scheduler, 3, |task| task.cpu());
    assert_eq!(at_once, 3);
    assert!(
        scheduler.stats().threads <= 3 + 1,
        "{:?}",
        scheduler.stats()
    );
}

#[test]
fn the_blocking_lane_uses_its_limit_and_no_more() {
    let scheduler = plain()
        .io_slots(1)
        .blocking_limit(3)
        .build_runtime()
        .unwrap();
    assert_eq!(most_at_once(&scheduler, 3, |task| task.blocking()), 3);
}

/// Runs 30 closures, the first of which stay until `expected` are inside.
/// Gives the largest number that was inside at once.
fn most_at_once(
    scheduler: &Scheduler,
    expected: usize,
    on_lane: impl Fn(TaskBuilder<'_>) -> TaskBuilder<'_>,
) -> usize {
    let gate = Gate::closed("closures of a lane");
    let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let spawn = |_| {
        let (door, inside, most) = (gate.door(), Arc::clone(&inside), Arc::clone(&most));
        on_lane(scheduler.task()).spawn_fn(move || {
            let now = inside.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            door.pass();
            // Gives others a chance to come in, if the lane lets them.
            thread::yield_now();
            inside.fetch_sub(1, Ordering::SeqCst);
        })
    };
    let handles: Vec<_> = (0..30).map(spawn).collect();
    gate.wait_for_arrivals(expected);
    let running = handles
        .iter()
        .filter(|handle| handle.state() == TaskState::Running)
        .count();
    assert_eq!(running, expected);
    gate.open();
    join_all(handles);
    most.load(Ordering::SeqCst)
}

/// Holds the only thread of a lane, queues tasks, and checks their order.
fn check_order(scheduler: &Scheduler, on_lane: impl Fn(TaskBuilder<'_>) -> TaskBuilder<'_>) {
    use Priority::{Batch, Free, Mid, Monitoring, Production};
    let gate = Gate::closed("the lane's holder");
    let door = gate.door();
    let holder = on_lane(scheduler.task()).spawn_fn(move || door.pass());
    gate.wait_for_arrivals(1);
    let order = Order::new();
    let arrivals = [
        Free, Mid, Production, Mid, Monitoring, Batch, Free, Production,
    ];
    let spawn = |(number, priority)| {
        let order = order.clone();
        let task = on_lane(scheduler.task()).priority(priority);
        task.spawn_fn(move || order.note((priority, number)))
    };
    let handles: Vec<_> = arrivals.into_iter().enumerate().map(spawn).collect();
    gate.open();
    join_all([holder]);
    join_all(handles);
    assert_eq!(
        order.seen(),
        [
            (Monitoring, 4),
            (Production, 2),
            (Production, 7),
            (Mid, 1),
            (Mid, 3),
            (Batch, 5),
            (Free, 0),
            (Free, 6),
        ]
    );
}

#[test]
fn the_cpu_lane_serves_the_most_important_first() {
    check_order(&one_slot(), |task| task.cpu());
}

#[test]
fn the_blocking_lane_serves_the_most_important_first() {
    let scheduler = plain()
        .io_slots(1)
        .blocking_limit(1)
        .build_runtime()
        .unwrap();
    check_order(&scheduler, |task| task.blocking());
}

#[test]
fn closures_that_fill_the_other_lanes_leave_the_io_lane_alone() {
    let scheduler = plain()
        .io_slots(1)
        .blocking_limit(2)
        .build_runtime()
        .unwrap();
    let gate = Gate::closed("the other lanes' closures");
    let fill = |_| [scheduler.cpu(pass(&gate)), scheduler.blocking(pass(&gate))];
    let closures: Vec<_> = (0..4).flat_map(fill).collect();
    gate.wait_for_arrivals(3);
    assert_eq!(join_all([scheduler.spawn(async { 7 })]), [7]);
    gate.open();
    join_all(closures);
}

fn pass(gate: &Gate) -> impl FnOnce() + Send + 'static {
    let door = gate.door();
    move || door.pass()
}

#[test]
fn the_number_of_slots_is_the_number_of_polls_at_once() {
    let scheduler = plain().io_slots(2).build_runtime().unwrap();
    let at_once = most_at_once(&scheduler, 2, |task| task.io());
    assert_eq!(at_once, 2);
}

#[test]
fn threads_of_the_scheduler_bear_its_name() {
    let scheduler = Scheduler::builder()
        .io_slots(1)
        .cpu_threads(1)
        .thread_name("mine");
    let scheduler = scheduler.build_runtime().unwrap();
    let mut events = scheduler.subscribe(1_000);
    assert_eq!(join_all([scheduler.cpu(thread_name)]), ["mine-cpu"]);
    assert_eq!(
        join_all([scheduler.spawn(async { thread_name() })]),
        ["mine-worker"]
    );
    // A stuck slot's next task is polled by a relief.
    let gate = Gate::closed("the stuck task");
    let stuck = scheduler.spawn({
        let door = gate.door();
        async move { door.pass() }
    });
    gate.wait_for_arrivals(1);
    assert_eq!(
        join_all([scheduler.spawn(async { thread_name() })]),
        ["mine-relief"]
    );
    gate.open();
    join_all([stuck]);
    events_until("the slot's return", &mut events, |event| {
        matches!(event, Event::TakenBack { .. })
    });
    until("a worker carries again", || {
        join_all([scheduler.spawn(async { thread_name() })]) == ["mine-worker"]
    });
}
