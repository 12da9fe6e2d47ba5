//! Locks: who comes next, to whom priority is lent, and what cannot end.

mod support;

use adaptive_task_scheduler::{
    Priority, Scheduler, TaskError, TaskHandle, TaskState,
    sync::{Mutex, Semaphore, TryAcquireError},
};
use std::{
    future::Future,
    sync::Arc,
    task::{Context, Waker},
};
use support::{Order, join_all, one_slot, until, wait_for};
use tokio::sync::oneshot;

use Priority::{Batch, Free, Mid, Monitoring, Production};

fn until_suspended<T>(task: &TaskHandle<T>) {
    until("the task is suspended", || {
        task.state() == TaskState::Suspended
    });
}

/// A task that locks the mutexes, one after the other, and holds them until it
/// is told to let go.
struct Holder {
    task: TaskHandle<()>,
    go: oneshot::Sender<()>,
}

fn holder(
    scheduler: &Scheduler,
    name: &'static str,
    priority: Priority,
    locks: &[&Arc<Mutex<()>>],
) -> Holder {
    let (go, gone) = oneshot::channel();
    let locks: Vec<_> = locks.iter().map(|lock| Arc::clone(lock)).collect();
    let task = scheduler.task().name(name).priority(priority);
    let task = task.spawn(async move {
        let mut guards = Vec::new();
        for lock in locks {
            guards.push(lock.lock_owned().await);
        }
        gone.await.unwrap();
    });
    until_suspended(&task);
    Holder { task, go }
}

fn mutex(name: &'static str) -> Arc<Mutex<()>> {
    Arc::new(Mutex::named(name, ()))
}

/// Tasks that lock the mutex and note that they have.
fn lockers(
    scheduler: &Scheduler,
    lock: &Arc<Mutex<()>>,
    order: &Order<usize>,
    priorities: &[Priority],
) -> Vec<TaskHandle<()>> {
    let spawn = |(at, &priority): (usize, &Priority)| {
        let (lock, order) = (Arc::clone(lock), order.clone());
        let task = scheduler.task().priority(priority).spawn(async move {
            let _guard = lock.lock().await;
            order.note(at);
        });
        until_suspended(&task);
        task
    };
    priorities.iter().enumerate().map(spawn).collect()
}

#[test]
fn the_most_important_waiter_comes_first_and_of_equals_the_first_come() {
    let scheduler = one_slot();
    let lock = mutex("lock");
    let holder = holder(&scheduler, "holder", Monitoring, &[&lock]);
    let order = Order::new();
    let priorities = [Batch, Mid, Production, Batch, Production, Free, Monitoring];
    let tasks = lockers(&scheduler, &lock, &order, &priorities);
    holder.go.send(()).unwrap();
    join_all(tasks);
    assert_eq!(order.seen(), [6, 2, 4, 1, 0, 3, 5]);
}

#[test]
fn a_waiter_that_is_boosted_in_the_line_counts_as_boosted() {
    let scheduler = one_slot();
    let lock = mutex("lock");
    let holder = holder(&scheduler, "holder", Monitoring, &[&lock]);
    let order = Order::new();
    let tasks = lockers(&scheduler, &lock, &order, &[Mid, Free]);
    let watch = tasks[1].watch();
    let top = scheduler.task().priority(Production);
    let top = top.spawn(async move { watch.await.unwrap() });
    until_suspended(&top);
    holder.go.send(()).unwrap();
    join_all(tasks);
    join_all([top]);
    assert_eq!(order.seen(), [1, 0]);
}

#[test]
fn a_wait_lends_to_the_holder_through_chains_of_locks_and_is_taken_back() {
    let scheduler = one_slot();
    let (lower, upper) = (mutex("lower"), mutex("upper"));
    let base = holder(&scheduler, "base", Free, &[&lower]);
    let middle = holder(&scheduler, "middle", Free, &[&upper, &lower]);
    assert_eq!(base.task.effective_priority(), Free);
    let top = holder(&scheduler, "top", Monitoring, &[&upper]);
    for task in [&base.task, &middle.task] {
        assert_eq!(task.effective_priority(), Monitoring);
    }
    let chain = top.task.explain().chain;
    let names: Vec<_> = chain.iter().map(|link| link.name.to_string()).collect();
    assert_eq!(names, ["top", "upper", "middle", "lower", "base"]);
    top.task.cancel();
    let mut top = top.task;
    assert!(wait_for("top", &mut top).unwrap_err().is_cancelled());
    for task in [&base.task, &middle.task] {
        assert_eq!(task.effective_priority(), Free);
    }
    base.go.send(()).unwrap();
    middle.go.send(()).unwrap();
    join_all([base.task, middle.task]);
}

#[test]
fn the_next_holder_is_lent_what_the_others_have() {
    let scheduler = one_slot();
    let lock = mutex("lock");
    let first = holder(&scheduler, "first", Free, &[&lock]);
    let second = holder(&scheduler, "second", Mid, &[&lock]);
    let _third = holder(&scheduler, "third", Batch, &[&lock]);
    assert_eq!(first.task.effective_priority(), Mid);
    first.go.send(()).unwrap();
    join_all([first.task]);
    // Who comes later, and is more important, lends to the second.
    let _fourth = holder(&scheduler, "fourth", Production, &[&lock]);
    assert_eq!(second.task.effective_priority(), Production);
}

#[test]
fn a_lock_granted_to_a_waiter_that_gives_up_goes_to_the_next() {
    let lock = Mutex::new(0);
    let mut cx = Context::from_waker(Waker::noop());
    let held = lock.try_lock().unwrap();
    let mut first = Box::pin(lock.lock());
    let mut second = Box::pin(lock.lock());
    assert!(first.as_mut().poll(&mut cx).is_pending());
    assert!(second.as_mut().poll(&mut cx).is_pending());
    drop(held);
    assert!(lock.try_lock().is_err());
    assert!(second.as_mut().poll(&mut cx).is_pending());
    drop(first);
    assert!(second.as_mut().poll(&mut cx).is_ready());
    drop(second);
    assert!(lock.try_lock().is_ok());
}

#[test]
fn permits_go_strictly_in_order() {
    let semaphore = Semaphore::new(3);
    let mut cx = Context::from_waker(Waker::noop());
    let held = semaphore.try_acquire_many(2).unwrap();
    let mut many = Box::pin(semaphore.acquire_many(2));
    let mut one = Box::pin(semaphore.acquire());
    assert!(many.as_mut().poll(&mut cx).is_pending());
    assert!(one.as_mut().poll(&mut cx).is_pending());
    assert_eq!(semaphore.available_permits(), 1);
    assert_eq!(
        semaphore.try_acquire().unwrap_err(),
        TryAcquireError::NoPermits
    );
    drop(many);
    assert!(one.as_mut().poll(&mut cx).is_ready());
    drop(held);
    drop(one);
    assert_eq!(semaphore.available_permits(), 3);
}

/// The names on the circle of the error, however it begins.
fn check_circle(error: &TaskError, expected: &[&str]) {
    let circle = error.cycle().unwrap_or_else(|| panic!("{error}"));
    let names: Vec<_> = circle.iter().map(|(_, name)| name.to_string()).collect();
    let mut turned = expected.to_vec();
    for _ in expected {
        if names == turned {
            return;
        }
        turned.rotate_left(1);
    }
    panic!("{names:?} is not the circle {expected:?}");
}

#[test]
fn a_deadlock_of_two_mutexes_names_both_tasks_and_both_locks() {
    let scheduler = one_slot();
    let (left, right) = (mutex("left"), mutex("right"));
    let spawn = |name, first: &Arc<Mutex<()>>, second: &Arc<Mutex<()>>| {
        let (go, gone) = oneshot::channel();
        let (first, second) = (Arc::clone(first), Arc::clone(second));
        let task = scheduler.task().name(name).spawn(async move {
            let _first = first.lock().await;
            gone.await.unwrap();
            let _second = second.lock().await;
        });
        until_suspended(&task);
        Holder { task, go }
    };
    let ping = spawn("ping", &left, &right);
    let pong = spawn("pong", &right, &left);
    ping.go.send(()).unwrap();
    until_suspended(&ping.task);
    pong.go.send(()).unwrap();
    let error = wait_for("pong", pong.task).unwrap_err();
    check_circle(&error, &["pong", "left", "ping", "right"]);
    join_all([ping.task]);
    assert!(left.try_lock().is_ok() && right.try_lock().is_ok());
}
