//! Circles of tasks and bounded channels: which are told, to whom, and which are none.

mod support;

use adaptive_task_scheduler::{
    Priority, Scheduler, TaskHandle, TaskState,
    sync::mpsc::{self, Receiver, Sender, error::SendError},
};
use support::{join_all, one_slot, plain, until, wait_for};
use tokio::sync::oneshot;

use Priority::Mid;

fn until_suspended<T>(task: &TaskHandle<T>) {
    until("the task is suspended", || {
        task.state() == TaskState::Suspended
    });
}

type Sent = Result<(), SendError<usize>>;

/// A task that sends the value.
fn sends(
    scheduler: &Scheduler,
    name: &'static str,
    priority: Priority,
    sender: &Sender<usize>,
    value: usize,
) -> TaskHandle<Sent> {
    let sender = sender.clone();
    let task = scheduler.task().name(name).priority(priority);
    let task = task.spawn(async move { sender.send(value).await });
    until_suspended(&task);
    task
}

/// A channel with room for one value, which is in it.
fn full(name: &'static str) -> (Sender<usize>, Receiver<usize>) {
    let (sender, receiver) = mpsc::named(name, 1);
    sender.try_send(100).unwrap();
    (sender, receiver)
}

/// The names on the circle that the wait would have closed.
fn circle<T>(error: &SendError<T>) -> Vec<String> {
    assert!(error.is_deadlock() && !error.is_closed(), "{error}");
    let circle = error.cycle().expect("a deadlock has a circle");
    circle.iter().map(|(_, name)| name.to_string()).collect()
}

#[test]
fn a_sender_for_which_the_receivers_task_waits_is_told_the_circle() {
    let scheduler = one_slot();
    let (sender, mut receiver) = full("channel");
    let (go, gone) = oneshot::channel::<()>();
    let sends = scheduler.task().name("sends").spawn(async move {
        gone.await.unwrap();
        sender.send(7).await
    });
    let receives = scheduler.task().name("receives").spawn(async move {
        receiver.promise();
        let sent = sends.await.unwrap();
        assert_eq!(receiver.recv().await, Some(100));
        assert_eq!(receiver.recv().await, None);
        sent
    });
    until_suspended(&receives);
    go.send(()).unwrap();
    let error = wait_for("the error", receives).unwrap().unwrap_err();
    assert_eq!(circle(&error), ["sends", "channel", "receives"]);
    assert_eq!(error.into_inner(), 7);
}

#[test]
fn a_promised_receiver_that_awaits_a_waiting_sender_is_told_the_circle() {
    let scheduler = one_slot();
    let (sender, mut receiver) = full("channel");
    let sends = sends(&scheduler, "sends", Mid, &sender, 7);
    drop(sender);
    let receives = scheduler.task().name("receives").spawn(async move {
        receiver.promise();
        let mut sends = sends;
        let error = (&mut sends).await.unwrap_err();
        assert!(error.is_cycle());
        assert_eq!(receiver.recv().await, Some(100));
        assert_eq!(receiver.recv().await, Some(7));
        error.cycle().map(<[_]>::to_vec)
    });
    let circle = wait_for("the error", receives).unwrap().unwrap();
    let names: Vec<_> = circle.iter().map(|(_, name)| name.to_string()).collect();
    assert_eq!(names, ["receives", "sends", "channel"]);
}

#[test]
fn a_promise_that_closes_a_circle_ends_the_wait_for_room() {
    let scheduler = one_slot();
    let (sender, receiver) = full("channel");
    let waits = sends(&scheduler, "waits", Mid, &sender, 7);
    let watch = waits.watch();
    let awaits = scheduler.task().name("awaits").spawn(async move {
        let _ = watch.await;
    });
    until_suspended(&awaits);
    receiver.promised_by(&awaits);
    let error = wait_for("waits", waits).unwrap().unwrap_err();
    assert_eq!(circle(&error), ["waits", "channel", "awaits"]);
    join_all([awaits]);
}

#[test]
fn a_circle_that_is_certain_only_when_reserved_room_is_used_is_told_then() {
    let scheduler = one_slot();
    let (sender, receiver) = mpsc::named("channel", 1);
    let (go, gone) = oneshot::channel::<()>();
    let reserving = sender.clone();
    let reserves = scheduler.spawn(async move {
        let permit = reserving.reserve().await.unwrap();
        gone.await.unwrap();
        permit.send(1);
    });
    until_suspended(&reserves);
    let waits = sends(&scheduler, "waits", Mid, &sender, 2);
    let watch = waits.watch();
    let receives = scheduler.task().name("receives").spawn(async move {
        receiver.promise();
        let _ = watch.await;
    });
    until_suspended(&receives);
    // Whoever has reserved room may give it back.
    assert_eq!(waits.state(), TaskState::Suspended);
    go.send(()).unwrap();
    let error = wait_for("waits", waits).unwrap().unwrap_err();
    assert_eq!(circle(&error), ["waits", "channel", "receives"]);
    join_all([reserves, receives]);
}

#[test]
fn a_task_that_receives_in_one_branch_and_awaits_the_sender_in_another_is_no_deadlock() {
    let scheduler = one_slot();
    let (sender, mut receiver) = full("channel");
    let producer = scheduler.task().name("producer").spawn(async move {
        for value in 0..20 {
            sender.send(value).await.unwrap();
        }
    });
    until_suspended(&producer);
    let both = scheduler.spawn(async move {
        let receives = async move {
            let mut all = Vec::new();
            while let Some(value) = receiver.recv().await {
                all.push(value);
                adaptive_task_scheduler::yield_now().await;
            }
            all
        };
        let (all, produced) = tokio::join!(receives, producer);
        produced.unwrap();
        all
    });
    let all = join_all([both]).remove(0);
    let expected: Vec<_> = std::iter::once(100).chain(0..20).collect();
    assert_eq!(all, expected);
}

/// What a task is told that receives only after it has awaited the sender.
#[derive(Debug, PartialEq)]
enum Told {
    Sender,
    Receiver,
}

#[test]
fn however_the_waits_of_a_circle_come_together_one_of_the_two_is_told() {
    let scheduler = plain().io_slots(2).build_runtime().unwrap();
    for _ in 0..400 {
        let (sender, mut receiver) = mpsc::named("channel", 1);
        let permit = sender.clone().try_reserve_owned().unwrap();
        let sends = scheduler.task().name("sends");
        let mut sends = sends.spawn(async move { sender.send(7).await });
        let receives = scheduler.task().name("receives").spawn(async move {
            receiver.promise();
            let told = match (&mut sends).await {
                Err(error) => {
                    assert!(error.is_cycle(), "{error}");
                    Told::Receiver
                }
                Ok(sent) => {
                    assert_eq!(circle(&sent.unwrap_err()), ["sends", "channel", "receives"]);
                    Told::Sender
                }
            };
            let mut received = Vec::new();
            while let Some(value) = receiver.recv().await {
                received.push(value);
            }
            (told, received)
        });
        // The room is used at some moment of all this.
        let uses = scheduler.spawn(async move { drop(permit.send(100)) });
        let (told, received) = join_all([receives]).remove(0);
        let expected: &[usize] = match told {
            Told::Sender => &[100],
            Told::Receiver => &[100, 7],
        };
        assert_eq!(received, expected, "{told:?}");
        join_all([uses]);
    }
}
