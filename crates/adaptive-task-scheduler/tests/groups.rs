//! Tasks that are awaited together and cancelled together.

mod support;

use adaptive_task_scheduler::{Priority, Scheduler, TaskGroup, TaskState};
use std::{collections::HashSet, future::pending};
use support::{Order, hold_slot, join_all, one_slot, plain, until, wait_for};
use tokio::sync::oneshot;

fn join_next<T: Send + 'static>(
    group: &mut TaskGroup<T>,
) -> Option<Result<T, adaptive_task_scheduler::TaskError>> {
    wait_for("the group's next task", group.join_next())
}

#[test]
fn a_group_gives_each_result_once_and_then_none() {
    let scheduler = plain().io_slots(2).build_runtime().unwrap();
    let mut group = scheduler.group();
    for number in 0..1_000 {
        group.spawn(async move { number });
    }
    assert_eq!(group.len(), 1_000);
    let mut values = HashSet::new();
    while let Some(value) = join_next(&mut group) {
        assert!(values.insert(value.unwrap()));
    }
    assert_eq!(values, (0..1_000).collect());
    assert!(group.is_empty());
    assert!(join_next(&mut group).is_none());
}

#[test]
fn results_come_in_the_order_of_ending() {
    let scheduler = one_slot();
    let gate = hold_slot(&scheduler);
    let mut group = scheduler.group();
    for priority in [
        Priority::Batch,
        Priority::Monitoring,
        Priority::Free,
        Priority::Mid,
    ] {
        group.spawn_with(|task| task.priority(priority), async move { priority });
    }
    gate.open();
    let ended: Vec<_> = (0..4)
        .map(|_| join_next(&mut group).unwrap().unwrap())
        .collect();
    use Priority::{Batch, Free, Mid, Monitoring};
    assert_eq!(ended, [Monitoring, Mid, Batch, Free]);
}

#[test]
fn members_that_fail_do_not_hide_the_others() {
    let scheduler = one_slot();
    let mut group = scheduler.group();
    group.spawn(async { 1 });
    group.spawn_with(|task| task.name("bad"), async {
        panic!("expected by the test")
    });
    group.spawn(async { 2 });
    let mut values = Vec::new();
    while let Some(result) = join_next(&mut group) {
        values.push(result.map_err(|error| error.name().to_string()));
    }
    assert_eq!(values, [Ok(1), Err("bad".to_owned()), Ok(2)]);
}

/// Puts tasks into a group that never end by themselves. Their receivers know
/// when they are dropped.
fn never_ending(scheduler: &Scheduler, group: &mut TaskGroup<()>) -> Vec<oneshot::Receiver<()>> {
    let spawn = |_| {
        let (alive, dropped) = oneshot::channel::<()>();
        group.spawn(async move {
            let _alive = alive;
            pending::<()>().await;
        });
        dropped
    };
    let dropped = (0..20).map(spawn).collect();
    until("all are suspended", || scheduler.stats().ready == [0; 5]);
    dropped
}

#[test]
fn dropping_a_group_cancels_its_tasks() {
    let scheduler = one_slot();
    let mut group = scheduler.group();
    let dropped = never_ending(&scheduler, &mut group);
    drop(group);
    for task in dropped {
        wait_for("the task to be dropped", task).unwrap_err();
    }
    until("none is left", || scheduler.stats().live == 0);
}

#[test]
fn cancelled_members_can_still_be_joined() {
    let scheduler = one_slot();
    let mut group = scheduler.group();
    let _dropped = never_ending(&scheduler, &mut group);
    group.cancel_all();
    for _ in 0..20 {
        assert!(join_next(&mut group).unwrap().unwrap_err().is_cancelled());
    }
    assert!(join_next(&mut group).is_none());
}

#[test]
fn detached_members_go_on_without_the_group() {
    let scheduler = one_slot();
    let order = Order::new();
    let mut group = scheduler.group();
    let mut wakers = Vec::new();
    for number in 0..5 {
        let (wake, woken) = oneshot::channel::<()>();
        let order = order.clone();
        group.spawn(async move {
            woken.await.unwrap();
            order.note(number);
        });
        wakers.push(wake);
    }
    group.detach_all();
    assert!(group.is_empty());
    drop(group);
    wakers.into_iter().for_each(|wake| wake.send(()).unwrap());
    until("none is left", || scheduler.stats().live == 0);
    let seen: HashSet<_> = order.seen().into_iter().collect();
    assert_eq!(seen, (0..5).collect());
}

#[test]
fn tasks_spawned_elsewhere_can_join_a_group_before_and_after_their_end() {
    let scheduler = one_slot();
    let ended = scheduler.spawn(async { "ended" });
    until("it has ended", || ended.is_finished());
    let (wake, woken) = oneshot::channel::<()>();
    let live = scheduler.spawn(async move {
        woken.await.unwrap();
        "live"
    });
    until("it is suspended", || live.state() == TaskState::Suspended);
    let mut group = scheduler.group();
    let (ended_id, live_id) = (ended.id(), live.id());
    assert_eq!(group.insert(ended), ended_id);
    assert_eq!(group.insert(live), live_id);
    assert_eq!(join_next(&mut group).unwrap().unwrap(), "ended");
    wake.send(()).unwrap();
    assert_eq!(join_next(&mut group).unwrap().unwrap(), "live");
}

#[test]
fn a_group_moves_from_task_to_task() {
    let scheduler = one_slot();
    let mut group = scheduler.group();
    for number in 0..6 {
        group.spawn(async move { number });
    }
    let mut sum = 0;
    while !group.is_empty() {
        let task = scheduler.spawn(async move {
            let value = group.join_next().await.unwrap().unwrap();
            (group, value)
        });
        let (back, value) = join_all([task]).remove(0);
        group = back;
        sum += value;
    }
    assert_eq!(sum, 15);
}
