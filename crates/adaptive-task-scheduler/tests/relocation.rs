//! Tasks that hold up a waiting task for too long are moved to another lane.
//!
//! No test waits for a time to pass: the poll that holds up the other task goes
//! on until its task has been relocated, and would go on for ever otherwise.

mod support;

use adaptive_task_scheduler::{
    Event, Lane, Priority, Scheduler, TaskHandle, TaskState, Why, current_task, yield_now,
};
use std::{collections::HashSet, thread, thread::ThreadId, time::Instant};
use support::{Bystanders, Gate, LIMIT, drain, effective, join_all, runtime, thread_name, until};
use tokio::{runtime::Runtime, sync::oneshot};

/// A scheduler on the workers of a runtime whose threads are known.
fn attached() -> (Runtime, HashSet<ThreadId>, Scheduler) {
    let (runtime, workers) = runtime(2);
    let scheduler = Scheduler::builder().thread_name("lane").cpu_threads(2);
    // What is relocated here is so for the sake of who waits.
    let scheduler = scheduler.learning(false);
    let scheduler = scheduler.build_on(runtime.handle().clone()).unwrap();
    (runtime, workers, scheduler)
}

fn lane_of_current() -> Lane {
    let me = current_task().unwrap();
    Scheduler::current().explain(me).unwrap().chain[0].lane
}

/// Computes in one poll until the task's next poll will be somewhere else.
fn compute_until_relocated() {
    let end = Instant::now() + LIMIT;
    while lane_of_current() == Lane::Io {
        assert!(
            Instant::now() < end,
            "waited {LIMIT:?} in vain to be relocated"
        );
        for _ in 0..1_000 {
            std::hint::spin_loop();
        }
    }
}

/// A production task that awaits `hog`, given to it when `hog` is on its way.
fn waiter(scheduler: &Scheduler, hog: TaskHandle<()>) -> TaskHandle<()> {
    let task = scheduler
        .task()
        .name("waiter")
        .priority(Priority::Production);
    task.spawn(async move { hog.await.unwrap() })
}

/// The events of promotion that concern the hog: what was said of the stall,
/// and of the relocation.
fn check_events(events: &[Event], hog: adaptive_task_scheduler::TaskId, to: Lane) {
    let stalled = events.iter().find_map(|event| match event {
        Event::Stalled {
            name, on, on_name, ..
        } if *on == hog => Some((name.to_string(), on_name.to_string())),
        _ => None,
    });
    assert_eq!(stalled, Some(("waiter".to_owned(), "hog".to_owned())));
    let relocated: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Relocated {
                task,
                from,
                to,
                why,
                ..
            } if *task == hog => Some((*from, *to, *why)),
            _ => None,
        })
        .collect();
    assert_eq!(relocated.len(), 1, "{relocated:?}");
    let (from, at, why) = relocated[0];
    assert_eq!((from, at), (Lane::Io, to));
    match to {
        Lane::Cpu => assert!(matches!(why, Why::Computing { .. }), "{why}"),
        _ => assert!(matches!(why, Why::Blocked { .. }), "{why}"),
    }
}

#[test]
fn a_task_that_computes_goes_on_on_the_cpu_lane() {
    let (_runtime, _, scheduler) = attached();
    let mut events = scheduler.subscribe(10_000);
    let (go, gone) = oneshot::channel();
    let (tell, told) = oneshot::channel();
    let hog = scheduler
        .task()
        .name("hog")
        .priority(Priority::Batch)
        .spawn(async move {
            gone.await.unwrap();
            let before = thread_name();
            compute_until_relocated();
            yield_now().await;
            let after = thread_name();
            // It stays there, also after it was suspended.
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            tell.send((before, after, thread_name(), lane_of_current()))
                .unwrap();
        });
    let id = hog.id();
    let waiter = waiter(&scheduler, hog);
    until("the waiter waits", || {
        waiter.state() == TaskState::Suspended
    });
    assert_eq!(effective(&scheduler, id), Priority::Production);
    go.send(()).unwrap();
    join_all([waiter]);
    let (before, after, later, lane) = support::wait_for("the hog's report", told).unwrap();
    assert_ne!(before, "lane-cpu");
    assert_eq!(
        (after.as_str(), later.as_str(), lane),
        ("lane-cpu", "lane-cpu", Lane::Cpu)
    );
    check_events(&drain(&mut events), id, Lane::Cpu);
    assert_eq!(scheduler.stats().relocations, 1);
}

#[test]
fn a_task_that_sleeps_goes_on_on_the_blocking_lane() {
    let (_runtime, workers, scheduler) = attached();
    let mut events = scheduler.subscribe(10_000);
    let gate = Gate::closed("the sleeping poll");
    let door = gate.door();
    let (go, gone) = oneshot::channel();
    let (tell, told) = oneshot::channel();
    let hog = scheduler
        .task()
        .name("hog")
        .priority(Priority::Batch)
        .spawn(async move {
            gone.await.unwrap();
            door.pass();
            yield_now().await;
            tell.send((thread::current().id(), thread_name(), lane_of_current()))
                .unwrap();
        });
    let id = hog.id();
    let waiter = waiter(&scheduler, hog);
    until("the waiter waits", || {
        waiter.state() == TaskState::Suspended
    });
    go.send(()).unwrap();
    gate.wait_for_arrivals(1);
    let lane = || scheduler.explain(id).unwrap().chain[0].lane;
    until("it is relocated", || lane() != Lane::Io);
    gate.open();
    join_all([waiter]);
    let (thread, name, lane) = support::wait_for("the hog's report", told).unwrap();
    assert_eq!(lane, Lane::Blocking);
    // A thread of Tokio's, but none of its workers.
    assert!(
        !workers.contains(&thread) && !name.starts_with("lane"),
        "{name}"
    );
    check_events(&drain(&mut events), id, Lane::Blocking);
}

#[test]
fn a_task_deep_in_a_chain_is_relocated_for_the_sake_of_the_top() {
    let (_runtime, _, scheduler) = attached();
    let hog = scheduler
        .task()
        .name("hog")
        .priority(Priority::Free)
        .spawn(async move {
            compute_until_relocated();
            yield_now().await;
            assert_eq!(lane_of_current(), Lane::Cpu);
        });
    let middle = scheduler
        .task()
        .priority(Priority::Free)
        .after(&hog)
        .spawn(async {});
    let top = scheduler
        .task()
        .priority(Priority::Monitoring)
        .after(&middle)
        .spawn(async {});
    join_all([top]);
    join_all([hog, middle]);
}

#[test]
fn a_relocated_task_leaves_its_slot_to_others() {
    let scheduler = Scheduler::builder()
        .io_slots(1)
        .cpu_threads(1)
        .build_runtime()
        .unwrap();
    let gate = Gate::closed("the relocated task");
    let door = gate.door();
    let hog = scheduler.task().name("hog").spawn(async move {
        compute_until_relocated();
        yield_now().await;
        // No hand-off is needed any more: this is not on the slot.
        door.pass();
    });
    let watch = hog.watch();
    let waiter = waiter(&scheduler, hog);
    gate.wait_for_arrivals(1);
    let bystanders = Bystanders::start(&scheduler);
    until("a worker carries the slot", || {
        join_all([scheduler.spawn(async { thread_name() })]) == ["ats-worker"]
    });
    assert!(!watch.is_finished());
    bystanders.stop();
    gate.open();
    join_all([waiter]);
}

#[test]
fn a_long_poll_that_nobody_waits_for_is_not_relocated() {
    let (_runtime, _, scheduler) = attached();
    let mut events = scheduler.subscribe(10_000);
    for how in [support::Door::pass, support::Door::spin] {
        let gate = Gate::closed("a long poll");
        let door = gate.door();
        let hog = scheduler.spawn(async move {
            how(&door);
            yield_now().await;
            (lane_of_current(), thread_name())
        });
        gate.wait_for_arrivals(1);
        // Many times the patience. However long: it must not be relocated.
        thread::sleep(std::time::Duration::from_millis(50));
        gate.open();
        let (lane, thread) = join_all([hog]).remove(0);
        assert_eq!(lane, Lane::Io);
        assert_ne!(thread, "lane-cpu");
    }
    let relocated =
        |event: &Event| matches!(event, Event::Relocated { .. } | Event::Stalled { .. });
    assert!(!drain(&mut events).iter().any(relocated));
    assert_eq!(scheduler.stats().relocations, 0);
}

#[test]
fn a_long_poll_whose_waiter_gave_up_is_not_relocated() {
    let (_runtime, _, scheduler) = attached();
    let gate = Gate::closed("a long poll");
    let door = gate.door();
    let (go, gone) = oneshot::channel();
    let hog = scheduler.task().name("hog").spawn(async move {
        gone.await.unwrap();
        door.pass();
        yield_now().await;
        assert_eq!(lane_of_current(), Lane::Io);
    });
    let watch = hog.watch();
    let waiter = waiter(&scheduler, hog);
    until("the waiter waits", || {
        waiter.state() == TaskState::Suspended
    });
    waiter.cancel();
    support::wait_for("the waiter", waiter).unwrap_err();
    go.send(()).unwrap();
    gate.wait_for_arrivals(1);
    thread::sleep(std::time::Duration::from_millis(50));
    gate.open();
    support::wait_for("the hog", watch).unwrap();
}
