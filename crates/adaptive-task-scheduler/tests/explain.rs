//! Why tasks wait, for how long, and what waited on something less important.

mod support;

use adaptive_task_scheduler::{InversionClass, Priority, Scheduler, TaskHandle, TaskState, Why};
use std::time::Duration;
use support::{Gate, hold_slot, join_all, one_slot, until, wait_for};

/// A task of this priority that runs on the CPU lane until the gate opens.
fn gated(scheduler: &Scheduler, priority: Priority) -> (TaskHandle<()>, Gate) {
    let gate = Gate::closed("the blocker");
    let door = gate.door();
    let task = scheduler.task().name("blocker").priority(priority).cpu();
    let task = task.spawn_fn(move || door.pass());
    gate.wait_for_arrivals(1);
    (task, gate)
}

/// Awaits the future in a task of this priority.
fn waiter<F>(scheduler: &Scheduler, priority: Priority, future: F) -> TaskHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let task = scheduler.task().name("waiter").priority(priority);
    task.spawn(future)
}

/// Waits until the first of the chain has waited for some ticks.
fn until_it_has_waited<T>(waiter: &TaskHandle<T>) {
    until("it has waited", || {
        let waited = waiter.explain().chain[0].waited;
        waited.is_some_and(|waited| waited >= Duration::from_millis(3))
    });
}

/// The one class of inversions that there are.
fn only_class(scheduler: &Scheduler) -> InversionClass {
    let mut inversions = scheduler.inversions();
    assert_eq!(inversions.classes.len(), 1, "{inversions}");
    let class = inversions.classes.remove(0);
    assert_eq!(
        (class.count, class.waited),
        (inversions.count, inversions.waited)
    );
    assert_eq!(
        (&class.waiter, &class.blocker),
        (&"waiter".into(), &"blocker".into())
    );
    class
}

#[test]
fn a_chain_tells_how_long_each_waits_and_what_the_last_is_doing() {
    let scheduler = one_slot();
    let (blocker, gate) = gated(&scheduler, Priority::Mid);
    let waiter = waiter(&scheduler, Priority::Mid, blocker);
    until_it_has_waited(&waiter);
    until("the poll has been looked at", || {
        waiter.explain().chain[1].lasting_poll.is_some()
    });
    let chain = waiter.explain().chain;
    assert_eq!(chain.len(), 2);
    assert_eq!((chain[0].queued, chain[0].lasting_poll), (None, None));
    assert_eq!((chain[1].queued, chain[1].waited), (None, None));
    let why = chain[1].lasting_poll;
    assert!(matches!(why, Some(Why::Blocked { .. })), "{why:?}");
    gate.open();
    wait_for("the waiter", waiter).unwrap().unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_poll_that_computes_is_told_from_one_that_sleeps() {
    let scheduler = one_slot();
    let gate = Gate::closed("the computation");
    let door = gate.door();
    let task = scheduler.cpu(move || door.spin());
    gate.wait_for_arrivals(1);
    until("it is seen computing", || {
        let why = task.explain().chain[0].lasting_poll;
        matches!(why, Some(Why::Computing { .. }))
    });
    gate.open();
    join_all([task]);
}

#[test]
fn a_poll_on_any_lane_is_found() {
    let scheduler = one_slot();
    let gate = Gate::closed("the tasks");
    let doors = [(); 3].map(|()| gate.door());
    let [io, cpu, blocking] = doors;
    let tasks = [
        scheduler.spawn(async move { io.pass() }),
        scheduler.cpu(move || cpu.pass()),
        scheduler.blocking(move || blocking.pass()),
    ];
    gate.wait_for_arrivals(3);
    for task in &tasks {
        until("the poll has been looked at", || {
            task.explain().chain[0].lasting_poll.is_some()
        });
    }
    gate.open();
    join_all(tasks);
}

#[test]
fn a_ready_task_tells_how_long_it_is_queued() {
    let scheduler = one_slot();
    let gate = hold_slot(&scheduler);
    let task = scheduler.spawn(async {});
    assert_eq!(task.state(), TaskState::Ready);
    let link = &task.explain().chain[0];
    assert!(link.queued.is_some());
    assert_eq!((link.waited, link.lasting_poll), (None, None));
    gate.open();
    join_all([task]);
}

#[test]
fn waiting_on_a_less_important_task_is_an_inversion() {
    let scheduler = one_slot();
    let (blocker, gate) = gated(&scheduler, Priority::Batch);
    let waiter = waiter(&scheduler, Priority::Production, blocker);
    until_it_has_waited(&waiter);
    assert_eq!(scheduler.inversions().count, 0, "it is not over");
    gate.open();
    wait_for("the waiter", waiter).unwrap().unwrap();
    let class = only_class(&scheduler);
    assert_eq!(class.count, 1);
    assert!(class.waited >= Duration::from_millis(3), "{class:?}");
}

#[test]
fn waiting_on_ones_equals_and_betters_is_none() {
    let scheduler = one_slot();
    for priority in [Priority::Mid, Priority::Production] {
        let (blocker, gate) = gated(&scheduler, priority);
        let waiter = waiter(&scheduler, Priority::Mid, blocker);
        until_it_has_waited(&waiter);
        gate.open();
        wait_for("the waiter", waiter).unwrap().unwrap();
    }
    assert_eq!(scheduler.inversions().count, 0);
    assert!(scheduler.inversions().classes.is_empty());
}

#[test]
fn a_waiter_that_was_lent_priority_counts_by_it() {
    let scheduler = one_slot();
    let (blocker, gate) = gated(&scheduler, Priority::Batch);
    let middle = waiter(&scheduler, Priority::Batch, blocker);
    let top = scheduler.task().name("top").priority(Priority::Monitoring);
    let top = top.spawn(middle);
    until_it_has_waited(&top);
    gate.open();
    wait_for("the top", top).unwrap().unwrap().unwrap();
    // The middle on the blocker, and the top on the middle.
    assert_eq!(
        scheduler.inversions().count,
        2,
        "{}",
        scheduler.inversions()
    );
}

#[test]
fn a_declared_dependency_counts_as_well() {
    let scheduler = one_slot();
    let (blocker, gate) = gated(&scheduler, Priority::Batch);
    let task = scheduler.task().name("waiter").priority(Priority::Mid);
    let task = task.after(&blocker).spawn(async {});
    until_it_has_waited(&task);
    gate.open();
    join_all([task, blocker]);
    assert!(only_class(&scheduler).waited >= Duration::from_millis(3));
}

#[test]
fn a_group_counts_by_the_member_that_ended_the_wait() {
    let scheduler = one_slot();
    let (blocker, gate) = gated(&scheduler, Priority::Batch);
    let mut group = scheduler.group();
    group.insert(blocker);
    let waiter = waiter(&scheduler, Priority::Production, async move {
        group.join_next().await.unwrap().unwrap();
        // The group is empty now, and nobody is waited on.
        assert!(group.join_next().await.is_none());
    });
    until_it_has_waited(&waiter);
    gate.open();
    join_all([waiter]);
    assert_eq!(only_class(&scheduler).count, 1);
}

#[test]
fn a_watch_counts_although_its_task_is_gone() {
    let scheduler = one_slot();
    let (blocker, gate) = gated(&scheduler, Priority::Batch);
    let watch = blocker.watch();
    blocker.detach();
    let waiter = waiter(&scheduler, Priority::Production, watch);
    until_it_has_waited(&waiter);
    gate.open();
    wait_for("the waiter", waiter).unwrap().unwrap();
    assert_eq!(only_class(&scheduler).count, 1);
}

#[test]
fn a_wait_that_is_given_up_counts_once() {
    let scheduler = one_slot();
    let (mut blocker, gate) = gated(&scheduler, Priority::Batch);
    let (keep, kept) = std::sync::mpsc::channel();
    let (give_up, given_up) = tokio::sync::oneshot::channel::<()>();
    let waiter = waiter(&scheduler, Priority::Production, async move {
        tokio::select! {
            _ = blocker.join() => panic!("it cannot end"),
            _ = given_up => {}
        }
        keep.send(blocker).unwrap();
    });
    until_it_has_waited(&waiter);
    give_up.send(()).unwrap();
    join_all([waiter]);
    assert_eq!(only_class(&scheduler).count, 1);
    gate.open();
    join_all([kept.recv().unwrap()]);
    assert_eq!(only_class(&scheduler).count, 1);
}

#[test]
fn where_waits_form_no_circle_there_is_no_deadlock() {
    let scheduler = one_slot();
    let (blocker, gate) = gated(&scheduler, Priority::Mid);
    let watch = blocker.watch();
    let first = waiter(&scheduler, Priority::Mid, blocker);
    let second = waiter(&scheduler, Priority::Mid, async move {
        let _ = tokio::join!(first, watch);
    });
    until_it_has_waited(&second);
    assert!(scheduler.deadlocks().is_empty());
    gate.open();
    join_all([second]);
    assert!(scheduler.deadlocks().is_empty());
}

#[test]
fn of_many_less_important_blockers_each_counts() {
    let scheduler = one_slot();
    let gate = hold_slot(&scheduler);
    let blocker = || {
        let task = scheduler.task().name("blocker").priority(Priority::Free);
        task.spawn(async {})
    };
    let blockers: Vec<_> = (0..100).map(|_| blocker()).collect();
    let task = scheduler.task().name("waiter").priority(Priority::Mid);
    let task = task.after_all(&blockers).spawn(async {});
    gate.open();
    join_all([task]);
    assert_eq!(only_class(&scheduler).count, 100);
}

#[cfg(all(feature = "stack", target_os = "linux"))]
#[test]
fn a_lasting_poll_shows_the_stack_of_its_thread() {
    let scheduler = one_slot();
    let (blocker, gate) = gated(&scheduler, Priority::Mid);
    let mut text = String::new();
    until("the stack is shown", || {
        text = blocker.explain().to_string();
        text.contains("\n      at ")
    });
    assert!(text.contains("Door::pass"), "{text}");
    gate.open();
    join_all([blocker]);
}
