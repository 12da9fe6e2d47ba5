//! Permits and shared locks: who gets them, and to whom priority is lent.

mod support;

use adaptive_task_scheduler::{
    Event, Priority, TaskHandle,
    sync::{RwLock, Semaphore, TryAcquireError},
};
use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};
use support::{join_all, one_slot, until, until_suspended, wait_for};
use tokio::sync::oneshot;

use Priority::{Batch, Free, Mid, Monitoring, Production};

/// A task that holds something until it is told to let go.
struct Holder {
    task: TaskHandle<()>,
    go: oneshot::Sender<()>,
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

#[test]
fn waiting_for_permits_that_the_task_has_itself_is_an_error() {
    let scheduler = one_slot();
    let semaphore = Arc::new(Semaphore::named("permits", 2));
    let inside = Arc::clone(&semaphore);
    let task = scheduler.task().name("greedy").spawn(async move {
        let _held = inside.acquire_many(2).await.unwrap();
        inside.acquire().await.map(drop)
    });
    let error = wait_for("greedy", task).unwrap().unwrap_err();
    assert!(error.is_deadlock() && !error.is_closed());
    let names: Vec<_> = error
        .cycle()
        .unwrap()
        .iter()
        .map(|(_, name)| name)
        .collect();
    assert_eq!(names, ["greedy", "permits"]);
    assert_eq!(semaphore.available_permits(), 2);
}

#[test]
fn a_circle_through_one_of_several_holders_is_no_deadlock() {
    let scheduler = one_slot();
    let semaphore = Arc::new(Semaphore::named("permits", 2));
    let elsewhere = Arc::clone(&semaphore).try_acquire_owned().unwrap();
    let inside = Arc::clone(&semaphore);
    let task = scheduler.task().name("greedy").spawn(async move {
        let _held = inside.acquire().await.unwrap();
        inside.acquire().await.map(drop)
    });
    until_suspended(&task);
    drop(elsewhere);
    wait_for("greedy", task).unwrap().unwrap();
}

#[test]
fn all_holders_of_permits_are_lent_to() {
    let scheduler = one_slot();
    let semaphore = Arc::new(Semaphore::new(2));
    let spawn = |priority, permits| {
        let (go, gone) = oneshot::channel();
        let inside = Arc::clone(&semaphore);
        let task = scheduler.task().priority(priority).spawn(async move {
            let _held = inside.acquire_many(permits).await.unwrap();
            gone.await.unwrap();
        });
        until_suspended(&task);
        Holder { task, go }
    };
    let (one, other) = (spawn(Free, 1), spawn(Batch, 1));
    let waiter = spawn(Production, 1);
    assert_eq!(one.task.effective_priority(), Production);
    assert_eq!(other.task.effective_priority(), Production);
    other.go.send(()).unwrap();
    join_all([other.task]);
    assert_eq!(one.task.effective_priority(), Free);
    for holder in [one, waiter] {
        holder.go.send(()).unwrap();
        join_all([holder.task]);
    }
    assert_eq!(semaphore.available_permits(), 2);
}

#[test]
fn closing_a_semaphore_refuses_all_who_wait_or_come_later() {
    let scheduler = one_slot();
    let semaphore = Arc::new(Semaphore::new(0));
    let inside = Arc::clone(&semaphore);
    let waiter = scheduler.spawn(async move { inside.acquire().await.map(drop) });
    until_suspended(&waiter);
    semaphore.close();
    let error = wait_for("waiter", waiter).unwrap().unwrap_err();
    assert!(error.is_closed() && !error.is_deadlock());
    assert!(semaphore.is_closed());
    let refused = semaphore.try_acquire().unwrap_err();
    assert_eq!(refused, TryAcquireError::Closed);
    assert!(wait_for("acquire", semaphore.acquire()).is_err());
}

#[test]
fn permits_are_split_merged_forgotten_and_added() {
    let semaphore = Arc::new(Semaphore::new(5));
    let mut some = semaphore.try_acquire_many(4).unwrap();
    assert!(some.split(5).is_none());
    let part = some.split(1).unwrap();
    assert_eq!((some.num_permits(), part.num_permits()), (3, 1));
    drop(part);
    assert_eq!(semaphore.available_permits(), 2);
    some.merge(semaphore.try_acquire().unwrap());
    assert_eq!(some.num_permits(), 4);
    some.forget();
    assert_eq!(semaphore.available_permits(), 1);
    semaphore.add_permits(2);
    assert_eq!(semaphore.forget_permits(7), 3);
    assert_eq!(semaphore.available_permits(), 0);
    semaphore.add_permits(1);
    let owned = Arc::clone(&semaphore).try_acquire_owned().unwrap();
    assert_eq!(owned.num_permits(), 1);
}

#[test]
fn readers_share_and_a_writer_waits_for_all_of_them() {
    let lock = Arc::new(RwLock::new(1));
    let (one, other) = (lock.try_read().unwrap(), lock.try_read().unwrap());
    assert!(lock.try_write().is_err());
    let mut cx = Context::from_waker(Waker::noop());
    let mut writer = Box::pin(lock.write());
    assert!(writer.as_mut().poll(&mut cx).is_pending());
    assert!(lock.try_read().is_err(), "nobody overtakes the writer");
    drop(one);
    assert!(writer.as_mut().poll(&mut cx).is_pending());
    drop(other);
    let Poll::Ready(mut written) = writer.as_mut().poll(&mut cx) else {
        panic!("the writer has all it needs");
    };
    *written += 1;
    assert!(lock.try_read().is_err());
    let read = written.downgrade();
    assert_eq!((*read, *lock.try_read().unwrap()), (2, 2));
    assert!(lock.try_write().is_err());
    drop(read);
    drop(writer);
    *Arc::clone(&lock).try_write_owned().unwrap() += 1;
    assert_eq!(*Arc::clone(&lock).try_read_owned().unwrap(), 3);
}

#[test]
fn a_writer_lends_to_all_readers_and_a_reader_to_the_writer() {
    let scheduler = one_slot();
    let lock = Arc::new(RwLock::named("table", ()));
    let spawn = |priority, writes| {
        let (go, gone) = oneshot::channel();
        let lock = Arc::clone(&lock);
        let task = scheduler.task().priority(priority).spawn(async move {
            if writes {
                let _guard = lock.write().await;
                gone.await.unwrap();
            } else {
                let _guard = lock.read().await;
                gone.await.unwrap();
            }
        });
        until_suspended(&task);
        Holder { task, go }
    };
    let (one, other) = (spawn(Free, false), spawn(Batch, false));
    let writer = spawn(Mid, true);
    assert_eq!(one.task.effective_priority(), Mid);
    assert_eq!(other.task.effective_priority(), Mid);
    // More important than the writer, so it does not wait behind it.
    let third = spawn(Monitoring, false);
    assert_eq!(third.task.effective_priority(), Monitoring);
    for holder in [one, other, third] {
        holder.go.send(()).unwrap();
        join_all([holder.task]);
    }
    let reader = spawn(Production, false);
    assert_eq!(writer.task.effective_priority(), Production);
    for holder in [writer, reader] {
        holder.go.send(()).unwrap();
        join_all([holder.task]);
    }
}

#[test]
fn more_holders_than_there_are_cells_are_all_lent_to() {
    let scheduler = one_slot();
    let lock = Arc::new(RwLock::named("table", ()));
    let readers: Vec<_> = (0..20)
        .map(|_| {
            let (go, gone) = oneshot::channel();
            let lock = Arc::clone(&lock);
            let task = scheduler.task().priority(Free).spawn(async move {
                let _guard = lock.read().await;
                gone.await.unwrap();
            });
            until_suspended(&task);
            Holder { task, go }
        })
        .collect();
    let inside = Arc::clone(&lock);
    let writer = scheduler.task().priority(Production);
    let writer = writer.spawn(async move { drop(inside.write().await) });
    until_suspended(&writer);
    for reader in &readers {
        assert_eq!(reader.task.effective_priority(), Production);
    }
    for reader in readers {
        reader.go.send(()).unwrap();
        join_all([reader.task]);
    }
    join_all([writer]);
    assert!(lock.try_write().is_ok());
}

#[test]
fn permits_beyond_the_cells_are_split_merged_and_given_back() {
    let scheduler = one_slot();
    let semaphore = Arc::new(Semaphore::new(40));
    let inside = Arc::clone(&semaphore);
    let task = scheduler.spawn(async move {
        let mut held = Vec::new();
        for _ in 0..20 {
            held.push(Arc::clone(&inside).acquire_many_owned(2).await.unwrap());
        }
        // All are this task's, as the error knows.
        assert!(inside.acquire().await.unwrap_err().is_deadlock());
        let mut last = held.pop().unwrap();
        let part = last.split(1).unwrap();
        assert!(inside.acquire().await.unwrap_err().is_deadlock());
        last.merge(part);
        last.merge(held.pop().unwrap());
        assert!(inside.acquire().await.unwrap_err().is_deadlock());
        drop(last);
        inside.available_permits()
    });
    assert_eq!(wait_for("task", task).unwrap(), 4);
    assert_eq!(semaphore.available_permits(), 40);
}

/// Uses the semaphore whenever an event arrives.
struct Uses(Arc<Semaphore>);

impl Wake for Uses {
    fn wake(self: Arc<Self>) {
        self.0.add_permits(0);
    }
}

#[test]
fn whoever_is_told_of_a_wait_may_use_the_same_semaphore() {
    let scheduler = one_slot();
    let semaphore = Arc::new(Semaphore::new(1));
    let held = semaphore.try_acquire().unwrap();
    let mut events = scheduler.subscribe(100);
    let told = Waker::from(Arc::new(Uses(Arc::clone(&semaphore))));
    let mut waits = 0;
    let inside = Arc::clone(&semaphore);
    let waiter = scheduler.spawn(async move { inside.acquire().await.map(drop) });
    let mut next = || {
        let mut receiving = pin!(events.recv());
        receiving.as_mut().poll(&mut Context::from_waker(&told))
    };
    until("the wait was told", || {
        while let Poll::Ready(event) = next() {
            waits += usize::from(matches!(event, Some(Event::Waiting { .. })));
        }
        waits > 0
    });
    drop(held);
    wait_for("waiter", waiter).unwrap().unwrap();
}
