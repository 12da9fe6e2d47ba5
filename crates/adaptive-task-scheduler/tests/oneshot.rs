//! Oneshot channels: who is lent to, when it is taken back, and what cannot end.

mod support;

use adaptive_task_scheduler::{
    NodeKind, Priority, Scheduler, TaskHandle, TaskState,
    sync::{
        Mutex,
        oneshot::{self, error::RecvError, error::TryRecvError},
    },
};
use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
};
use support::{join_all, one_slot, plain, until, wait_for};

use Priority::{Batch, Free, Mid, Monitoring, Production};

fn until_suspended<T>(task: &TaskHandle<T>) {
    until("the task is suspended", || {
        task.state() == TaskState::Suspended
    });
}

/// A task that awaits the receiver.
fn receiver<T: Send + 'static>(
    scheduler: &Scheduler,
    name: &'static str,
    priority: Priority,
    receiver: oneshot::Receiver<T>,
) -> TaskHandle<Result<T, RecvError>> {
    let task = scheduler.task().name(name).priority(priority);
    let task = task.spawn(receiver);
    until_suspended(&task);
    task
}

/// A task that sends when it is told to.
fn sender(
    scheduler: &Scheduler,
    name: &'static str,
    sender: oneshot::Sender<u32>,
) -> (TaskHandle<()>, tokio::sync::oneshot::Sender<()>) {
    let (go, gone) = tokio::sync::oneshot::channel();
    let task = scheduler.task().name(name).priority(Free);
    let task = task.spawn(async move {
        sender.promise();
        gone.await.unwrap();
        sender.send(7).unwrap();
    });
    until_suspended(&task);
    (task, go)
}

#[test]
fn a_receiver_lends_to_the_promised_task_until_the_value_is_sent() {
    let scheduler = one_slot();
    let (tx, rx) = oneshot::named("answer");
    assert_eq!(rx.name(), "answer");
    let (sends, go) = sender(&scheduler, "sends", tx);
    let waits = receiver(&scheduler, "waits", Production, rx);
    assert_eq!(sends.effective_priority(), Production);
    let chain = waits.explain().chain;
    let names: Vec<_> = chain.iter().map(|link| link.name.to_string()).collect();
    assert_eq!(names, ["waits", "answer", "sends"]);
    assert_eq!(chain[1].node, Some(NodeKind::Channel));
    go.send(()).unwrap();
    assert_eq!(wait_for("the value", waits).unwrap(), Ok(7));
    join_all([sends]);
}

#[test]
fn a_promise_may_come_before_and_after_the_wait_from_either_end() {
    let scheduler = one_slot();
    let gate = support::hold_slot(&scheduler);
    let (tx, rx) = oneshot::channel::<u32>();
    // It has not begun to run.
    let sends = scheduler.task().priority(Free);
    let sends = sends.spawn(async move { tx.send(1) });
    rx.promised_by(&sends);
    let waits = scheduler.task().priority(Monitoring).spawn(rx);
    gate.open();
    assert_eq!(wait_for("the value", waits).unwrap(), Ok(1));
    join_all([sends]).remove(0).unwrap();

    let (tx, rx) = oneshot::channel::<u32>();
    let waits = receiver(&scheduler, "waits", Monitoring, rx);
    let (one, _one_goes) = sender(&scheduler, "one", oneshot::channel().0);
    let (other, _other_goes) = sender(&scheduler, "other", oneshot::channel().0);
    tx.promised_by(&one);
    assert_eq!(one.effective_priority(), Monitoring);
    // The last promise counts.
    tx.promised_by(&other.id());
    assert_eq!(one.effective_priority(), Free);
    assert_eq!(other.effective_priority(), Monitoring);
    drop(tx);
    assert_eq!(other.effective_priority(), Free);
    let error = wait_for("the end", waits).unwrap().unwrap_err();
    assert!(error.is_closed() && !error.is_deadlock());
    assert_eq!(error.to_string(), "the channel was closed without a value");
}

#[test]
fn priority_goes_through_chains_of_channels_and_locks_and_is_taken_back() {
    let scheduler = one_slot();
    let lock = Arc::new(Mutex::named("lock", ()));
    let (go, gone) = tokio::sync::oneshot::channel::<()>();
    let held = Arc::clone(&lock);
    let holds = scheduler.task().name("holds").priority(Free);
    let holds = holds.spawn(async move {
        let _guard = held.lock().await;
        gone.await.unwrap();
    });
    until_suspended(&holds);
    let (tx, rx) = oneshot::named("answer");
    let sends = scheduler.task().name("sends").priority(Free);
    let sends = sends.spawn(async move {
        tx.promise();
        let _guard = lock.lock().await;
        tx.send(()).unwrap_err();
    });
    until_suspended(&sends);
    let mut waits = receiver(&scheduler, "waits", Monitoring, rx);
    assert_eq!(holds.effective_priority(), Monitoring);
    let chain = waits.explain().chain;
    let names: Vec<_> = chain.iter().map(|link| link.name.to_string()).collect();
    assert_eq!(names, ["waits", "answer", "sends", "lock", "holds"]);
    waits.cancel();
    assert!(wait_for("waits", &mut waits).unwrap_err().is_cancelled());
    for task in [&sends, &holds] {
        assert_eq!(task.effective_priority(), Free);
    }
    go.send(()).unwrap();
    join_all([holds, sends]);
}

#[test]
fn whoever_polls_closed_is_lent_to_unless_another_has_promised() {
    let scheduler = one_slot();
    let (mut tx, rx) = oneshot::channel::<()>();
    let sees = scheduler.task().priority(Free);
    let sees = sees.spawn(async move { tx.closed().await });
    until_suspended(&sees);
    let waits = receiver(&scheduler, "waits", Mid, rx);
    assert_eq!(sees.effective_priority(), Mid);
    waits.cancel();
    join_all([sees]);

    let (mut tx, rx) = oneshot::channel::<()>();
    let (works, _goes) = sender(&scheduler, "works", oneshot::channel().0);
    rx.promised_by(&works);
    let sees = scheduler.task().priority(Free);
    let sees = sees.spawn(async move { tx.closed().await });
    until_suspended(&sees);
    let waits = receiver(&scheduler, "waits", Mid, rx);
    assert_eq!(sees.effective_priority(), Free);
    assert_eq!(works.effective_priority(), Mid);
    waits.cancel();
    join_all([sees]);
}

/// The names of the circle that the wait would have closed.
fn circle(error: &RecvError) -> Vec<String> {
    assert!(error.is_deadlock() && !error.is_closed());
    let circle = error.cycle().expect("a deadlock has a circle");
    circle.iter().map(|(_, name)| name.to_string()).collect()
}

#[test]
fn awaiting_what_only_the_waiter_would_send_is_an_error_that_names_the_circle() {
    let scheduler = one_slot();
    let (tx, rx) = oneshot::named::<()>("own");
    let task = scheduler.task().name("alone").spawn(async move {
        tx.promise();
        let error = rx.await.unwrap_err();
        drop(tx);
        error
    });
    let error = wait_for("alone", task).unwrap();
    assert_eq!(circle(&error), ["alone", "own"]);
    let told = "tasks and locks would wait for each other: \"alone\" -> \"own\" -> \"alone\"";
    assert_eq!(error.to_string(), told);
}

#[test]
fn two_tasks_that_each_wait_for_the_value_of_the_other_are_told_once() {
    let scheduler = one_slot();
    let (ping_tx, ping_rx) = oneshot::named::<()>("to-pong");
    let (pong_tx, pong_rx) = oneshot::named::<()>("to-ping");
    let ping = scheduler.task().name("ping").spawn(async move {
        ping_tx.promise();
        pong_rx.await.unwrap();
        ping_tx.send(()).unwrap_err();
    });
    until_suspended(&ping);
    let pong = scheduler.task().name("pong").spawn(async move {
        pong_tx.promise();
        let error = ping_rx.await.unwrap_err();
        pong_tx.send(()).unwrap();
        error
    });
    let error = wait_for("pong", pong).unwrap();
    assert_eq!(circle(&error), ["pong", "to-pong", "ping", "to-ping"]);
    join_all([ping]);
}

#[test]
fn a_promise_that_closes_a_circle_ends_the_wait_that_has_begun() {
    let scheduler = one_slot();
    let (tx, rx) = oneshot::named::<()>("late");
    let waits = receiver(&scheduler, "waits", Mid, rx);
    let watch = waits.watch();
    let awaits = scheduler.task().name("awaits").spawn(async move {
        let _ = watch.await;
    });
    until_suspended(&awaits);
    tx.promised_by(&awaits);
    let error = wait_for("waits", waits).unwrap().unwrap_err();
    assert_eq!(circle(&error), ["waits", "late", "awaits"]);
    join_all([awaits]);
    assert!(tx.is_closed());
}

#[test]
fn a_circle_through_a_task_that_was_only_seen_is_not_told() {
    let scheduler = one_slot();
    let (mut tx, rx) = oneshot::channel();
    let (go, gone) = tokio::sync::oneshot::channel::<()>();
    let waits = receiver(&scheduler, "waits", Mid, rx);
    let watch = waits.watch();
    // One branch of it waits for the receiver, and another will send.
    let both = scheduler.spawn(async move {
        let sends = async move {
            {
                let mut closed = pin!(tx.closed());
                let mut cx = Context::from_waker(Waker::noop());
                assert!(closed.as_mut().poll(&mut cx).is_pending());
            }
            gone.await.unwrap();
            tx.send(7).unwrap();
        };
        tokio::join!(sends, watch).1.unwrap();
    });
    until_suspended(&both);
    go.send(()).unwrap();
    join_all([both]);
    assert_eq!(wait_for("waits", waits).unwrap(), Ok(7));
}

#[test]
fn a_wait_goes_on_when_the_promised_task_ends_and_the_sender_lives_elsewhere() {
    let scheduler = one_slot();
    let (tx, rx) = oneshot::channel();
    let (promised, go) = sender(&scheduler, "promised", oneshot::channel().0);
    tx.promised_by(&promised);
    let waits = receiver(&scheduler, "waits", Mid, rx);
    assert_eq!(promised.effective_priority(), Mid);
    drop(go);
    assert!(wait_for("promised", promised).unwrap_err().is_panic());
    assert_eq!(waits.state(), TaskState::Suspended);
    tx.send(3).unwrap();
    assert_eq!(wait_for("waits", waits).unwrap(), Ok(3));
}

#[test]
fn a_receiver_polled_by_reference_may_be_given_up_and_taken_up_again() {
    let scheduler = one_slot();
    let (tx, mut rx) = oneshot::channel();
    let (sends, go) = sender(&scheduler, "sends", tx);
    let first = scheduler.task().priority(Production).spawn(async move {
        let mut cx = Context::from_waker(Waker::noop());
        assert!(pin!(&mut rx).poll(&mut cx).is_pending());
        (rx,)
    });
    let (rx,) = wait_for("the receiver", first).unwrap();
    // The task that lent has ended.
    assert_eq!(sends.effective_priority(), Free);
    let second = receiver(&scheduler, "second", Batch, rx);
    assert_eq!(sends.effective_priority(), Batch);
    go.send(()).unwrap();
    assert_eq!(wait_for("the value", second).unwrap(), Ok(7));
    join_all([sends]);
}

#[test]
fn outside_of_tasks_it_works_as_tokios() {
    let (tx, mut rx) = oneshot::channel();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    assert!(rx.is_empty() && !rx.is_terminated() && !tx.is_closed());
    tx.promise();
    tx.send(1).unwrap();
    assert!(!rx.is_empty());
    assert_eq!(rx.try_recv(), Ok(1));
    assert!(rx.is_terminated());
    assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));

    let (tx, rx) = oneshot::channel();
    drop(rx);
    assert_eq!(tx.send(2), Err(2));

    let (mut tx, mut rx) = oneshot::channel::<u32>();
    rx.close();
    wait_for("closed", tx.closed());
    assert!(wait_for("nothing", rx).unwrap_err().is_closed());

    let (tx, mut rx) = oneshot::channel();
    tx.send(3).unwrap();
    rx.close();
    assert_eq!(wait_for("what was sent before", rx), Ok(3));
}

#[test]
fn threads_and_closures_wait_by_blocking_and_closures_lend() {
    let scheduler = plain().io_slots(1).build_runtime().unwrap();
    let (tx, rx) = oneshot::channel();
    let (sends, go) = sender(&scheduler, "sends", tx);
    let closure = scheduler.task().priority(Production).blocking();
    let closure = closure.spawn_fn(move || rx.blocking_recv());
    until("the closure lends", || {
        sends.effective_priority() == Production
    });
    go.send(()).unwrap();
    assert_eq!(wait_for("closure", closure).unwrap(), Ok(7));
    join_all([sends]);
    let (tx, rx) = oneshot::channel();
    let thread = std::thread::spawn(move || tx.send(1));
    assert_eq!(rx.blocking_recv(), Ok(1));
    thread.join().unwrap().unwrap();
    let (_tx, rx) = oneshot::channel::<u32>();
    let task = scheduler.spawn(async move { rx.blocking_recv() });
    assert!(wait_for("asynchronous code", task).unwrap_err().is_panic());
}

#[test]
fn many_pairs_of_tasks_receive_each_value_once() {
    let scheduler = plain().io_slots(2).build_runtime().unwrap();
    let pairs = (0..500u32).map(|at| {
        let (tx, rx) = oneshot::channel();
        let sends = scheduler.task().priority(Priority::ALL[at as usize % 5]);
        let sends = sends.spawn(async move {
            tx.promise();
            adaptive_task_scheduler::yield_now().await;
            tx.send(at).unwrap();
        });
        rx.promised_by(&sends);
        sends.detach();
        let waits = scheduler.task().priority(Priority::ALL[at as usize % 3]);
        waits.spawn(rx)
    });
    let values = join_all(pairs.collect::<Vec<_>>());
    for (at, value) in (0..).zip(values) {
        assert_eq!(value, Ok(at));
    }
}
