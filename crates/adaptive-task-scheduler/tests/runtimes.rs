//! Where a scheduler can live, and who can reach it from where.

mod support;

use adaptive_task_scheduler::{
    Priority, Scheduler, TaskState, current_task, is_cancelled, yield_now,
};
use std::{thread, time::Duration};
use support::{join_all, one_slot, plain, runtime, until, wait_for};
use tokio::sync::oneshot;

/// A bit of everything, spawned from outside.
fn check(scheduler: &Scheduler) {
    let leaves: Vec<_> = (0..100)
        .map(|number| scheduler.spawn(async move { number }))
        .collect();
    let total = scheduler
        .task()
        .priority(Priority::Production)
        .spawn(async move {
            let scheduler = Scheduler::current();
            let mut total = 0;
            for leaf in leaves {
                total += leaf.await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
            yield_now().await;
            let (cpu, blocking) = (scheduler.cpu(|| 1), scheduler.blocking(|| 2));
            total + cpu.await.unwrap() + blocking.await.unwrap()
        });
    let after = scheduler.task().after(&total).spawn(async { "after" });
    assert_eq!(join_all([after]), ["after"]);
    assert_eq!(join_all([total]), [4_953]);
    until("none is left", || scheduler.stats().live == 0);
}

#[test]
fn on_a_runtime_of_its_own() {
    for slots in [1, 2, 5] {
        check(
            &Scheduler::builder()
                .io_slots(slots)
                .build_runtime()
                .unwrap(),
        );
    }
}

#[test]
fn attached_to_a_multi_thread_runtime() {
    for workers in [1, 2, 4] {
        let (runtime, _) = runtime(workers);
        check(
            &Scheduler::builder()
                .build_on(runtime.handle().clone())
                .unwrap(),
        );
        // With fewer slots than workers, and with more wanted than there are.
        for slots in [1, 64] {
            let builder = Scheduler::builder().io_slots(slots);
            check(&builder.build_on(runtime.handle().clone()).unwrap());
        }
    }
}

#[test]
fn attached_to_a_current_thread_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let value = runtime.block_on(async {
        let scheduler = Scheduler::builder().io_slots(2).build().unwrap();
        let sleeper = scheduler.spawn(async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            7
        });
        let join = tokio::task::spawn_blocking({
            let scheduler = scheduler.clone();
            move || check(&scheduler)
        });
        join.await.unwrap();
        sleeper.await.unwrap()
    });
    assert_eq!(value, 7);
}

#[test]
fn a_runtime_without_timers_and_io_does() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let scheduler = Scheduler::builder()
        .build_on(runtime.handle().clone())
        .unwrap();
    let pending = scheduler.spawn(std::future::pending::<()>());
    assert_eq!(
        join_all([scheduler.spawn(async { 1 }), scheduler.cpu(|| 2)]),
        [1, 2]
    );
    let report = support::shut_down(&scheduler, Duration::from_millis(1));
    assert_eq!(report.ended, 1, "{report:?}");
    assert!(
        wait_for("what was left", pending)
            .unwrap_err()
            .is_shutdown()
    );
}

#[test]
fn new_attaches_to_the_runtime_around_it() {
    let (runtime, workers) = runtime(2);
    let scheduler = runtime.block_on(async { Scheduler::new() });
    until("a worker of that runtime carries", || {
        let task = scheduler.spawn(async { thread::current().id() });
        workers.contains(&join_all([task])[0])
    });
    check(&scheduler);
}

#[test]
fn without_a_runtime_there_is_an_error_that_says_what_to_do() {
    let error = Scheduler::builder().build().unwrap_err();
    assert!(error.to_string().contains("build_runtime"), "{error}");
    assert!(thread::spawn(Scheduler::new).join().is_err());
}

#[test]
fn numbers_that_make_no_sense_are_errors_that_name_the_setting() {
    let builder = Scheduler::builder;
    for (builder, named) in [
        (builder().io_slots(0), "io_slots"),
        (builder().cpu_threads(0), "cpu_threads"),
        (builder().blocking_limit(0), "blocking_limit"),
        (builder().io_slots(1 << 20), "io_slots"),
    ] {
        let error = builder.build_runtime().unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[test]
fn two_schedulers_in_one_process_keep_their_tasks_apart() {
    let (left, right) = (one_slot(), one_slot());
    thread::scope(|scope| {
        scope.spawn(|| check(&left));
        scope.spawn(|| check(&right));
    });
    let before = (left.stats().spawned, right.stats().spawned);
    join_all([left.spawn(async {})]);
    assert_eq!(
        (left.stats().spawned, right.stats().spawned),
        (before.0 + 1, before.1)
    );
}

#[test]
fn two_schedulers_on_one_runtime_share_its_workers() {
    let (runtime, _) = runtime(2);
    let make = || {
        Scheduler::builder()
            .build_on(runtime.handle().clone())
            .unwrap()
    };
    let (left, right) = (make(), make());
    thread::scope(|scope| {
        scope.spawn(|| check(&left));
        scope.spawn(|| check(&right));
    });
    drop(left);
    check(&right);
}

#[test]
fn tasks_of_one_scheduler_await_and_follow_those_of_another() {
    let (left, right) = (one_slot(), one_slot());
    for _ in 0..100 {
        let first = left.spawn(async { 1 });
        let after = right.task().after(&first).spawn(async { 2 });
        let both = right.spawn(async move { first.await.unwrap() + after.await.unwrap() });
        assert_eq!(join_all([both]), [3]);
    }
    // The one's end is a failure for the other's dependents, and no hang.
    let pending = left.spawn(std::future::pending::<()>());
    let after = right.task().after(&pending).spawn(async {});
    drop(left);
    let error = wait_for("the dependent", after).unwrap_err();
    assert!(error.root_cause().is_shutdown(), "{error}");
    assert!(wait_for("the task", pending).unwrap_err().is_shutdown());
}

#[test]
fn tasks_are_spawned_from_plain_threads_other_runtimes_and_other_schedulers() {
    let scheduler = plain().io_slots(2).build_runtime().unwrap();
    let from_thread = {
        let scheduler = scheduler.clone();
        thread::spawn(move || scheduler.spawn(async { 1 }))
            .join()
            .unwrap()
    };
    let (other, _) = runtime(1);
    let from_runtime = {
        let scheduler = scheduler.clone();
        let spawned = other.spawn(async move { scheduler.spawn(async { 2 }).await.unwrap() });
        wait_for("the other runtime's task", spawned).unwrap()
    };
    let other = one_slot();
    let from_scheduler = {
        let scheduler = scheduler.clone();
        other.spawn(async move { scheduler.spawn(async { 3 }).await.unwrap() })
    };
    assert_eq!(join_all([from_thread]), [1]);
    assert_eq!(from_runtime, 2);
    assert_eq!(join_all([from_scheduler]), [3]);
}

#[test]
fn tokios_context_inside_a_task_is_that_of_the_scheduler() {
    // Spawned from another runtime, it still runs in its own.
    let scheduler = one_slot();
    let here = || tokio::runtime::Handle::current().id();
    let (other, _) = runtime(1);
    let tasks = other.block_on(async {
        [
            scheduler.task().spawn_fn(here),
            scheduler.task().blocking().spawn_fn(here),
            scheduler.task().io().spawn_fn(here),
        ]
    });
    let expected = scheduler.runtime().id();
    assert_eq!(join_all(tasks), [expected; 3]);
}

#[test]
fn inside_a_task_the_scheduler_and_the_task_can_be_asked_for() {
    let scheduler = one_slot();
    let ask = || (Scheduler::try_current().is_some(), current_task());
    for task in [
        scheduler.task().io().spawn_fn(ask),
        scheduler.task().cpu().spawn_fn(ask),
        scheduler.task().blocking().spawn_fn(ask),
    ] {
        let id = task.id();
        assert_eq!(join_all([task]), [(true, Some(id))]);
    }
    // It is the same scheduler.
    let grandchild = scheduler.spawn(async {
        let child = Scheduler::current()
            .spawn(async { Scheduler::current().spawn(async { 4 }).await.unwrap() });
        child.await.unwrap()
    });
    assert_eq!(join_all([grandchild]), [4]);
    assert_eq!(scheduler.stats().spawned, 6);
}

#[test]
fn outside_of_a_task_there_is_no_scheduler_and_no_task() {
    let scheduler = one_slot();
    let ask = || {
        (
            Scheduler::try_current().is_some(),
            current_task(),
            is_cancelled(),
        )
    };
    assert_eq!(ask(), (false, None, false));
    let plain = scheduler.runtime().spawn(async move { ask() });
    assert_eq!(
        wait_for("a plain Tokio task", plain).unwrap(),
        (false, None, false)
    );
    assert!(thread::spawn(|| drop(Scheduler::current())).join().is_err());
}

#[test]
fn block_on_runs_a_future_inside_the_runtime() {
    let scheduler = one_slot();
    let value = scheduler.block_on(async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        scheduler.spawn(async { 9 }).await.unwrap()
    });
    assert_eq!(value, 9);
}

#[test]
fn a_runtime_dropped_under_its_scheduler_ends_all_tasks() {
    let (runtime, _) = runtime(2);
    let scheduler = plain().build_on(runtime.handle().clone()).unwrap();
    check_runtime_dropped(&scheduler, || drop(runtime));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let scheduler = plain()
        .io_slots(2)
        .build_on(runtime.handle().clone())
        .unwrap();
    check_runtime_dropped(&scheduler, || drop(runtime));
}

fn check_runtime_dropped(scheduler: &Scheduler, drop_runtime: impl FnOnce()) {
    let (_keep, receive) = oneshot::channel::<()>();
    let suspended = scheduler.spawn(async move { receive.await.is_ok() });
    until("it is suspended", || {
        suspended.state() == TaskState::Suspended
    });
    let blocked = scheduler.task().after(&suspended).spawn(async { true });
    let on_cpu_lane = scheduler.task().cpu().spawn(std::future::pending());
    let done = scheduler.spawn(async { true });
    until("it is done", || done.is_finished());
    drop_runtime();
    assert_eq!(join_all([done]), [true]);
    for task in [suspended, blocked, on_cpu_lane] {
        let error = wait_for("a task of a runtime that is gone", task).unwrap_err();
        assert!(error.root_cause().is_shutdown(), "{error}");
    }
    let late = scheduler.spawn(async { true });
    assert!(wait_for("a late task", late).unwrap_err().is_rejected());
    until("none is left", || scheduler.stats().live == 0);
}
