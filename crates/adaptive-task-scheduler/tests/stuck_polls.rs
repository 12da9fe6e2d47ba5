//! Tasks that do not return from a poll, and what goes on meanwhile.
//!
//! Stuck tasks stop at a gate. It is opened only after everything that must
//! not wait for them has happened, so a test that ends has proved it.

mod support;

use adaptive_task_scheduler::{
    Event, Priority, Scheduler, TaskHandle, Why, current_task, will_block, yield_now,
};
use std::{thread, time::Duration};
use support::{
    Bystanders, Door, Gate, Order, drain, events_until, is_promotion, join_all, runtime,
    thread_name, until, wait_for,
};

fn own(slots: usize) -> Scheduler {
    Scheduler::builder()
        .io_slots(slots)
        .cpu_threads(1)
        .build_runtime()
        .unwrap()
}

type Stick = fn(&Door);
const BLOCK: Stick = Door::pass;
const COMPUTE: Stick = Door::spin;

fn stick(scheduler: &Scheduler, count: usize, gate: &Gate, stick: Stick) -> Vec<TaskHandle<()>> {
    let before = gate.arrivals();
    let spawn = |_| {
        let door = gate.door();
        scheduler
            .task()
            .name("stuck")
            .io()
            .spawn(async move { stick(&door) })
    };
    let tasks = (0..count).map(spawn).collect();
    gate.wait_for_arrivals(before + count);
    tasks
}

/// Some tasks get stuck; timers, I/O, and new tasks must go on.
fn check_others_go_on(scheduler: &Scheduler, count: usize, how: Stick) {
    let bystanders = Bystanders::start(scheduler);
    let gate = Gate::closed("stuck tasks");
    let stuck = stick(scheduler, count, &gate, how);
    bystanders.go_on("while others are stuck");
    let new = (0..100).map(|number| {
        scheduler.spawn(async move {
            yield_now().await;
            number
        })
    });
    assert_eq!(
        join_all(new.collect::<Vec<_>>()),
        (0..100).collect::<Vec<_>>()
    );
    bystanders.go_on("still");
    gate.open();
    join_all(stuck);
    bystanders.go_on("afterwards");
    bystanders.stop();
}

#[test]
fn all_slots_of_an_own_runtime_are_blocked_at_once() {
    for slots in [1, 2] {
        check_others_go_on(&own(slots), slots, BLOCK);
    }
}

#[test]
fn all_slots_of_an_own_runtime_compute_at_once() {
    for slots in [1, 2] {
        check_others_go_on(&own(slots), slots, COMPUTE);
    }
}

#[test]
fn more_tasks_are_blocked_than_there_are_slots() {
    check_others_go_on(&own(2), 6, BLOCK);
}

#[test]
fn all_workers_but_one_of_an_attached_runtime_are_blocked() {
    for workers in [2, 4] {
        let (runtime, _) = runtime(workers);
        let scheduler = Scheduler::builder()
            .build_on(runtime.handle().clone())
            .unwrap();
        check_others_go_on(&scheduler, workers - 1, BLOCK);
    }
}

#[test]
fn the_last_free_worker_of_an_attached_runtime_is_kept_for_io() {
    let (runtime, _) = runtime(2);
    let scheduler = Scheduler::builder()
        .build_on(runtime.handle().clone())
        .unwrap();
    let bystanders = Bystanders::start(&scheduler);
    let gate = Gate::closed("stuck tasks");
    let first = stick(&scheduler, 1, &gate, BLOCK);
    bystanders.go_on("while one worker is stuck");
    // From now on tasks only get stuck on reliefs, as many as there are slots.
    let stick_on_relief = |_| {
        let door = gate.door();
        scheduler.spawn(async move {
            while !thread_name().ends_with("relief") {
                yield_now().await;
            }
            door.pass();
        })
    };
    let more: Vec<_> = (0..2).map(stick_on_relief).collect();
    gate.wait_for_arrivals(3);
    bystanders.go_on("while both slots are stuck");
    gate.open();
    join_all(first.into_iter().chain(more));
    bystanders.stop();
}

#[test]
fn all_workers_of_an_attached_runtime_are_blocked_and_ready_tasks_go_on() {
    // What needs I/O or timers may have to wait then; what is ready may not.
    let (runtime, _) = runtime(2);
    let scheduler = Scheduler::builder()
        .build_on(runtime.handle().clone())
        .unwrap();
    let gate = Gate::closed("stuck tasks");
    let stuck = stick(&scheduler, 2, &gate, BLOCK);
    let spawn = |number| {
        scheduler.spawn(async move {
            yield_now().await;
            number
        })
    };
    assert_eq!(
        join_all((0..100).map(spawn).collect::<Vec<_>>()),
        (0..100).collect::<Vec<_>>()
    );
    gate.open();
    join_all(stuck);
}

#[test]
fn all_slots_beside_a_current_thread_runtime_are_blocked_at_once() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let scheduler = Scheduler::builder()
        .io_slots(2)
        .build_on(runtime.handle().clone())
        .unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    // A current-thread runtime only runs while somebody blocks on it.
    let driver = thread::spawn(move || runtime.block_on(stopped).is_ok());
    check_others_go_on(&scheduler, 2, BLOCK);
    check_others_go_on(&scheduler, 4, BLOCK);
    stop.send(()).unwrap();
    assert!(driver.join().unwrap());
}

/// A parent spawns a child and computes until it has run.
fn check_child_of_a_spinning_parent(scheduler: &Scheduler) {
    for _ in 0..20 {
        let gate = Gate::closed("the parent's child");
        let (waits, opens) = (gate.door(), gate.door());
        let parent = scheduler.spawn(async move {
            let child = Scheduler::current().spawn(async move { opens.open() });
            waits.spin();
            child.await.unwrap();
        });
        join_all([parent]);
    }
}

#[test]
fn the_child_of_a_spinning_parent_runs_on_another_slot_without_any_promotion() {
    let builder = Scheduler::builder().promotion(false).io_slots(2);
    check_child_of_a_spinning_parent(&builder.build_runtime().unwrap());
    let (runtime, _) = runtime(2);
    let builder = Scheduler::builder().promotion(false);
    check_child_of_a_spinning_parent(&builder.build_on(runtime.handle().clone()).unwrap());
}

#[test]
fn the_child_of_a_parent_that_spins_on_the_only_slot_runs() {
    check_child_of_a_spinning_parent(&own(1));
    let (runtime, _) = runtime(1);
    check_child_of_a_spinning_parent(
        &Scheduler::builder()
            .build_on(runtime.handle().clone())
            .unwrap(),
    );
}

#[test]
fn a_hand_off_says_which_task_is_stuck_and_why() {
    for (how, is_expected) in [
        (
            BLOCK,
            (|why| matches!(why, Why::Blocked { .. })) as fn(Why) -> bool,
        ),
        (COMPUTE, |why| matches!(why, Why::Computing { .. })),
    ] {
        let scheduler = own(1);
        let mut events = scheduler.subscribe(10_000);
        let gate = Gate::closed("the stuck task");
        let stuck = stick(&scheduler, 1, &gate, how);
        join_all([scheduler.spawn(async {})]);
        gate.open();
        let id = stuck[0].id();
        join_all(stuck);
        let seen = events_until("the hand-off", &mut events, is_promotion);
        match seen.last() {
            Some(Event::HandedOff {
                task,
                name,
                slot: 0,
                why,
                ..
            }) => {
                assert_eq!((*task, name.to_string()), (id, "stuck".to_owned()));
                assert!(is_expected(*why), "{why}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_slot_returns_to_its_worker_when_the_stuck_poll_ends() {
    let scheduler = own(1);
    let mut events = scheduler.subscribe(10_000);
    for _ in 0..5 {
        let gate = Gate::closed("the stuck task");
        let stuck = stick(&scheduler, 1, &gate, BLOCK);
        join_all([scheduler.spawn(async {})]);
        gate.open();
        join_all(stuck);
        events_until("the slot's return", &mut events, |event| {
            matches!(event, Event::TakenBack { slot: 0, .. })
        });
        // A crowded machine may keep the worker waiting; then others help out.
        until("the worker polls again", || {
            let spawn = |_| scheduler.spawn(async { thread_name() });
            let later = join_all((0..20).map(spawn).collect::<Vec<_>>());
            later.iter().all(|name| name == "ats-worker")
        });
    }
    assert!(scheduler.stats().take_backs >= 5, "{:?}", scheduler.stats());
}

#[test]
fn all_slots_return_to_the_workers_of_an_attached_runtime() {
    let (runtime, workers) = runtime(4);
    let scheduler = Scheduler::builder()
        .build_on(runtime.handle().clone())
        .unwrap();
    let gate = Gate::closed("stuck tasks");
    let stuck = stick(&scheduler, 3, &gate, BLOCK);
    join_all([scheduler.spawn(async {})]);
    gate.open();
    join_all(stuck);
    let spawn = |_| scheduler.spawn(async { thread::current().id() });
    until("the workers carry all slots again", || {
        let threads = join_all((0..100).map(spawn).collect::<Vec<_>>());
        threads.iter().all(|thread| workers.contains(thread))
    });
}

#[test]
fn a_task_that_says_it_will_block_hands_its_slot_on_first() {
    // Without the sentinel's promotion nobody else would.
    let scheduler = Scheduler::builder()
        .promotion(false)
        .io_slots(1)
        .build_runtime()
        .unwrap();
    let mut events = scheduler.subscribe(1_000);
    let gate = Gate::closed("what blocks");
    let door = gate.door();
    let blocks = scheduler.spawn(async move {
        will_block(|| {
            door.pass();
            5
        })
    });
    gate.wait_for_arrivals(1);
    assert_eq!(join_all([scheduler.spawn(async { 6 })]), [6]);
    gate.open();
    let id = blocks.id();
    assert_eq!(join_all([blocks]), [5]);
    let handed = drain(&mut events).into_iter().find(is_promotion);
    let is_expected = matches!(
        handed,
        Some(Event::HandedOff { task, why: Why::WillBlock, .. }) if task == id
    );
    assert!(is_expected, "{handed:?}");
    // Elsewhere it only calls the closure.
    assert_eq!(will_block(|| 7), 7);
    assert_eq!(join_all([scheduler.cpu(|| will_block(|| 8))]), [8]);
}

#[test]
fn important_tasks_pass_a_crowd_of_unimportant_ones_that_block_again_and_again() {
    let scheduler = own(2);
    let gate = Gate::closed("the crowd");
    let spawn = |_| {
        let door = gate.door();
        scheduler
            .task()
            .priority(Priority::Free)
            .spawn(async move { door.pass() })
    };
    let crowd: Vec<_> = (0..50).map(spawn).collect();
    gate.wait_for_arrivals(2);
    for _ in 0..20 {
        let important = scheduler
            .task()
            .priority(Priority::Production)
            .spawn(async {
                yield_now().await;
                1
            });
        assert_eq!(join_all([important]), [1]);
    }
    gate.open();
    join_all(crowd);
}

#[test]
fn nothing_is_promoted_while_nothing_waits() {
    for how in [BLOCK, COMPUTE] {
        let scheduler = own(2);
        let mut events = scheduler.subscribe(10_000);
        let gate = Gate::closed("a long poll");
        let long = stick(&scheduler, 1, &gate, how);
        // For the sentinel to look many times; what it must not do, it must
        // not do after any time.
        thread::sleep(Duration::from_millis(50));
        gate.open();
        join_all(long);
        let seen: Vec<_> = drain(&mut events)
            .into_iter()
            .filter(is_promotion)
            .collect();
        assert!(seen.is_empty(), "{seen:?}");
        let stats = scheduler.stats();
        assert_eq!((stats.hand_offs, stats.relocations), (0, 0), "{stats:?}");
    }
}

#[test]
fn with_promotion_off_nothing_is_promoted_though_others_wait() {
    let scheduler = support::one_slot();
    let mut events = scheduler.subscribe(10_000);
    let gate = Gate::closed("the stuck task");
    let stuck = stick(&scheduler, 1, &gate, BLOCK);
    let order = Order::new();
    let noted = order.clone();
    let waits = scheduler.spawn(async move { noted.note(current_task()) });
    thread::sleep(Duration::from_millis(20));
    assert!(order.seen().is_empty());
    gate.open();
    join_all(stuck);
    wait_for("the other task", waits).unwrap();
    assert!(!drain(&mut events).iter().any(is_promotion));
}
