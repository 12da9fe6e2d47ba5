//! Locks: who comes next, to whom priority is lent, and what cannot end.

mod support;

use adaptive_task_scheduler::{
    Event, NodeKind, Priority, Scheduler, TaskError, TaskHandle,
    sync::{Mutex, RwLock, Semaphore},
};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};
use support::{Order, join_all, one_slot, until, until_suspended, wait_for};
use tokio::sync::oneshot;

use Priority::{Batch, Free, Mid, Monitoring, Production};

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

#[test]
fn a_task_that_locks_what_it_holds_is_told() {
    let scheduler = one_slot();
    let lock = mutex("lock");
    let inside = Arc::clone(&lock);
    let task = scheduler.task().name("twice").spawn(async move {
        let _one = inside.lock().await;
        let _other = inside.lock().await;
    });
    check_circle(&wait_for("twice", task).unwrap_err(), &["twice", "lock"]);
    assert!(lock.try_lock().is_ok());
}

#[test]
fn a_circle_of_a_lock_and_an_await_is_told() {
    let scheduler = one_slot();
    let lock = mutex("lock");
    let (tell, told) = oneshot::channel::<TaskHandle<()>>();
    let inside = Arc::clone(&lock);
    let parent = scheduler.task().name("parent").spawn(async move {
        let _guard = inside.lock().await;
        let child = told.await.unwrap();
        assert!(child.await.unwrap_err().is_cycle());
    });
    until_suspended(&parent);
    let child = scheduler.task().name("child");
    let child = child.spawn(async move {
        // The parent awaits this already.
        adaptive_task_scheduler::yield_now().await;
        let _guard = lock.lock().await;
    });
    // Whichever of the two waits is the later one is told.
    let outcome = child.watch();
    tell.send(child).unwrap();
    let parent = wait_for("parent", parent);
    let child = wait_for("child", outcome);
    match (parent, child) {
        (Ok(()), Err(error)) => check_circle(&error, &["child", "lock", "parent"]),
        (Ok(()), Ok(())) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn threads_and_closures_wait_by_blocking() {
    let scheduler = one_slot();
    let lock = Arc::new(Mutex::new(0));
    let guard = Arc::clone(&lock).blocking_lock_owned();
    let inside = Arc::clone(&lock);
    let closure = scheduler.task().priority(Batch);
    let closure = closure
        .blocking()
        .spawn_fn(move || *inside.blocking_lock() += 1);
    drop(guard);
    wait_for("closure", closure).unwrap();
    assert_eq!(*lock.blocking_lock(), 1);
    let table = RwLock::new(0);
    *table.blocking_write() += 1;
    assert_eq!(*table.blocking_read(), 1);
    let task = scheduler.spawn(async move { *lock.blocking_lock() });
    let error = wait_for("asynchronous code", task).unwrap_err();
    assert!(error.is_panic(), "{error}");
}

#[test]
fn many_tasks_and_threads_never_hold_it_together() {
    let scheduler = support::plain().io_slots(2).build_runtime().unwrap();
    let (sum, table) = (Arc::new(Mutex::new(0)), Arc::new(RwLock::new((0, 0))));
    let permits = Arc::new(Semaphore::new(3));
    let tasks: Vec<_> = (0..40)
        .map(|at| {
            let (sum, table) = (Arc::clone(&sum), Arc::clone(&table));
            let permits = Arc::clone(&permits);
            let priority = Priority::ALL[at % 5];
            scheduler.task().priority(priority).spawn(async move {
                for _ in 0..100 {
                    let permit = permits.acquire_many(1 + at as u32 % 3).await.unwrap();
                    *sum.lock().await += 1;
                    if at % 4 == 0 {
                        let mut table = table.write().await;
                        table.0 += 1;
                        adaptive_task_scheduler::yield_now().await;
                        table.1 += 1;
                    } else {
                        let table = table.read().await;
                        assert_eq!(table.0, table.1);
                        adaptive_task_scheduler::yield_now().await;
                    }
                    drop(permit);
                }
            })
        })
        .collect();
    join_all(tasks);
    assert_eq!(*sum.blocking_lock(), 4_000);
    assert_eq!(*table.blocking_read(), (1_000, 1_000));
    assert_eq!(permits.available_permits(), 3);
}

#[test]
fn a_grant_that_is_not_taken_up_is_reported_once() {
    let scheduler = one_slot();
    let mut events = scheduler.subscribe(1_000);
    let lock = mutex("lock");
    let guard = Arc::clone(&lock).try_lock_owned().unwrap();
    let (go, gone) = oneshot::channel();
    let inside = Arc::clone(&lock);
    // It waits for the lock, and then looks at something else only.
    let task = scheduler.task().name("forgetful").spawn(async move {
        let mut locking = Box::pin(inside.lock());
        let first = std::future::poll_fn(|cx| Poll::Ready(locking.as_mut().poll(cx)));
        assert!(first.await.is_pending());
        gone.await.unwrap();
    });
    until_suspended(&task);
    drop(guard);
    let told = wait_for("report", async {
        loop {
            if let Event::GrantUnused { name, lock, .. } = events.recv().await.unwrap() {
                return (name, lock);
            }
        }
    });
    assert_eq!(
        (told.0.to_string(), told.1.to_string()),
        ("forgetful".into(), "lock".into())
    );
    assert!(lock.try_lock().is_err());
    go.send(()).unwrap();
    join_all([task]);
    assert!(lock.try_lock().is_ok());
    assert_eq!(scheduler.stats().unused_grants, 1);
}

#[test]
fn explain_shows_the_lock_and_its_holder() {
    let scheduler = one_slot();
    let lock = mutex("accounts");
    let (go, gone) = oneshot::channel();
    let inside = Arc::clone(&lock);
    let holder = scheduler.task().name("holder").spawn(async move {
        let _guard = inside.lock().await;
        gone.await.unwrap();
    });
    until_suspended(&holder);
    let waiter = scheduler.task().name("waiter");
    let waiter = waiter.spawn(async move { drop(lock.lock().await) });
    until_suspended(&waiter);
    let explanation = waiter.explain();
    let kinds: Vec<_> = explanation.chain.iter().map(|link| link.node).collect();
    assert_eq!(kinds, [None, Some(NodeKind::Lock), None]);
    let text = explanation.to_string();
    for part in [
        "\"waiter\" (suspended)",
        "waits on \"accounts\" (a lock)",
        "waits on \"holder\" (suspended: waits for something unknown, such as",
    ] {
        assert!(text.contains(part), "{text}");
    }
    go.send(()).unwrap();
    join_all([holder, waiter]);
}

#[test]
fn a_lock_that_is_taken_beside_a_wait_in_another_branch_is_no_deadlock() {
    let scheduler = one_slot();
    let lock = mutex("lock");
    let (go, gone) = oneshot::channel::<()>();
    let (start, started) = oneshot::channel::<()>();
    let wanted = Arc::clone(&lock);
    let child = scheduler.task().name("child").spawn(async move {
        started.await.unwrap();
        drop(wanted.lock().await);
    });
    let id = child.id();
    let inside = Arc::clone(&lock);
    let parent = scheduler.task().name("parent").spawn(async move {
        // As in a loop over `select!`: the child is awaited, something else is ready
        // first, and is dealt with under the lock.
        let mut child = child;
        let first = std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut child).poll(cx)));
        assert!(first.await.is_pending());
        let guard = inside.lock().await;
        gone.await.unwrap();
        drop(guard);
        child.await
    });
    until_suspended(&parent);
    start.send(()).unwrap();
    until("the child waits for the lock", || {
        let explained = scheduler.explain(id);
        explained.is_some_and(|explanation| explanation.chain.len() > 1)
    });
    go.send(()).unwrap();
    wait_for("parent", parent).unwrap().unwrap();
}
