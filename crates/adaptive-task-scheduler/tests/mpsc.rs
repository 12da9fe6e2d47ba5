//! Bounded channels: who gets room next, to whom priority is lent, what cannot end,
//! and that no value is lost.

mod support;

use adaptive_task_scheduler::{
    NodeKind, Priority, Scheduler, TaskHandle, TaskState,
    sync::{
        Mutex,
        mpsc::{
            self, Receiver, Sender,
            error::{SendError, TryRecvError, TrySendError},
        },
    },
};
use std::{
    collections::HashMap,
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
};
use support::{join_all, one_slot, plain, until, wait_for};
use tokio::sync::oneshot;

use Priority::{Batch, Free, Mid, Monitoring, Production};

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

/// A task that promises to receive, waits until it is told to, and receives all.
fn receives(
    scheduler: &Scheduler,
    mut receiver: Receiver<usize>,
) -> (TaskHandle<Vec<usize>>, oneshot::Sender<()>) {
    let (go, gone) = oneshot::channel();
    let task = scheduler.task().name("receives").priority(Free);
    let task = task.spawn(async move {
        receiver.promise();
        gone.await.unwrap();
        let mut all = Vec::new();
        while let Some(value) = receiver.recv().await {
            all.push(value);
        }
        all
    });
    until_suspended(&task);
    (task, go)
}

#[test]
fn the_most_important_sender_gets_room_first_and_of_equals_the_first_come() {
    let scheduler = one_slot();
    let (sender, mut receiver) = full("channel");
    let priorities = [Batch, Mid, Production, Batch, Production, Free, Monitoring];
    let tasks: Vec<_> = (0..)
        .zip(priorities)
        .map(|(at, priority)| sends(&scheduler, "sends", priority, &sender, at))
        .collect();
    drop(sender);
    let mut received = Vec::new();
    while let Some(value) = wait_for("a value", receiver.recv()) {
        received.push(value);
    }
    assert_eq!(received, [100, 6, 2, 4, 1, 0, 3, 5]);
    for sent in join_all(tasks) {
        sent.unwrap();
    }
}

#[test]
fn senders_that_wait_lend_to_the_receivers_task_through_chains_until_there_is_room() {
    let scheduler = one_slot();
    let lock = Arc::new(Mutex::named("lock", ()));
    let (go, gone) = oneshot::channel::<()>();
    let held = Arc::clone(&lock);
    let holds = scheduler.task().name("holds").priority(Free);
    let holds = holds.spawn(async move {
        let _guard = held.lock().await;
        gone.await.unwrap();
    });
    until_suspended(&holds);
    let (sender, mut receiver) = full("channel");
    let receives = scheduler.task().name("receives").priority(Free);
    let receives = receives.spawn(async move {
        // That it received is all that is known of it.
        assert_eq!(receiver.recv().await, Some(100));
        let guard = lock.lock().await;
        drop(guard);
        receiver
    });
    until_suspended(&receives);
    sender.try_send(101).unwrap();
    assert_eq!(holds.effective_priority(), Free);
    let mut first = sends(&scheduler, "first", Monitoring, &sender, 0);
    for task in [&receives.watch(), &holds.watch()] {
        assert_eq!(support::effective(&scheduler, task.id()), Monitoring);
    }
    let chain = first.explain().chain;
    let names: Vec<_> = chain.iter().map(|link| link.name.to_string()).collect();
    assert_eq!(names, ["first", "channel", "receives", "lock", "holds"]);
    assert_eq!(chain[1].node, Some(NodeKind::Channel));
    first.cancel();
    assert!(wait_for("first", &mut first).unwrap_err().is_cancelled());
    assert_eq!(holds.effective_priority(), Free);

    let second = sends(&scheduler, "second", Mid, &sender, 1);
    assert_eq!(holds.effective_priority(), Mid);
    go.send(()).unwrap();
    let mut receiver = join_all([receives]).remove(0);
    assert_eq!(wait_for("a value", receiver.recv()), Some(101));
    join_all([second]).remove(0).unwrap();
    assert_eq!(receiver.try_recv(), Ok(1));
    join_all([holds]);
}

#[test]
fn the_receiver_may_be_named_from_either_end_and_the_latest_counts() {
    let scheduler = one_slot();
    let (sender, receiver) = full("channel");
    let waits = sends(&scheduler, "waits", Production, &sender, 0);
    let (one, _one_goes) = receives(&scheduler, mpsc::channel(1).1);
    let (other, _other_goes) = receives(&scheduler, mpsc::channel(1).1);
    sender.promised_by(&one);
    assert_eq!(one.effective_priority(), Production);
    receiver.promised_by(&other.id());
    assert_eq!(one.effective_priority(), Free);
    assert_eq!(other.effective_priority(), Production);
    drop(receiver);
    assert_eq!(other.effective_priority(), Free);
    let error = wait_for("waits", waits).unwrap().unwrap_err();
    assert!(error.is_closed() && !error.is_deadlock());
    assert_eq!(error.to_string(), "the channel was closed");
    assert_eq!(error.into_inner(), 0);
}

#[test]
fn who_has_reserved_room_is_lent_to_until_it_sends() {
    let scheduler = one_slot();
    let (sender, mut receiver) = mpsc::channel(1);
    let (go, gone) = oneshot::channel::<()>();
    let reserving = sender.clone();
    let reserves = scheduler.task().priority(Free).spawn(async move {
        let permit = reserving.reserve().await.unwrap();
        gone.await.unwrap();
        permit.send(1);
        std::future::pending::<()>().await;
    });
    until_suspended(&reserves);
    let waits = sends(&scheduler, "waits", Mid, &sender, 2);
    assert_eq!(reserves.effective_priority(), Mid);
    go.send(()).unwrap();
    assert_eq!(wait_for("the first", receiver.recv()), Some(1));
    assert_eq!(wait_for("the second", receiver.recv()), Some(2));
    join_all([waits]).remove(0).unwrap();
    assert_eq!(reserves.effective_priority(), Free);
}

#[test]
fn a_send_that_is_given_up_sends_nothing_and_its_room_goes_to_the_next() {
    let (sender, mut receiver) = full("channel");
    let mut cx = Context::from_waker(Waker::noop());
    let mut first = Box::pin(sender.send(1));
    let mut second = Box::pin(sender.send(2));
    let mut third = Box::pin(sender.send(3));
    for future in [&mut first, &mut second, &mut third] {
        assert!(future.as_mut().poll(&mut cx).is_pending());
    }
    drop(second);
    assert_eq!(receiver.try_recv(), Ok(100));
    assert!(third.as_mut().poll(&mut cx).is_pending());
    assert_eq!(sender.try_send(4), Err(TrySendError::Full(4)));
    // It had room, and gives it up.
    drop(first);
    assert!(third.as_mut().poll(&mut cx).is_ready());
    assert_eq!(receiver.try_recv(), Ok(3));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(sender.capacity(), 1);
}

#[test]
fn a_receive_that_is_given_up_loses_nothing() {
    let (sender, mut receiver) = mpsc::channel(2);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(pin!(receiver.recv()).poll(&mut cx).is_pending());
    sender.try_send(1).unwrap();
    drop(receiver.recv());
    let mut buffer = Vec::new();
    drop(receiver.recv_many(&mut buffer, 2));
    assert!(buffer.is_empty());
    assert_eq!(wait_for("a value", receiver.recv()), Some(1));
}

/// Notes that it was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

#[test]
fn reserved_room_of_a_closed_channel_may_be_used_and_ends_it_when_it_is_not() {
    let (sender, mut receiver) = mpsc::channel(3);
    let used = sender.try_reserve().unwrap();
    let unused = sender.clone().try_reserve_owned().unwrap();
    sender.try_send(1).unwrap();
    let mut waiting = Box::pin(sender.send(2));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(&mut cx).is_pending());
    receiver.close();
    assert!(receiver.is_closed() && sender.is_closed());
    wait_for("closed", sender.closed());
    let refused = wait_for("refused", waiting).unwrap_err();
    assert_eq!((refused.is_closed(), refused.into_inner()), (true, 2));
    assert_eq!(sender.try_send(3), Err(TrySendError::Closed(3)));
    assert!(wait_for("refused", sender.reserve()).is_err());

    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut cx = Context::from_waker(&waker);
    assert!(receiver.poll_recv(&mut cx).is_pending());
    used.send(4);
    assert!(woken.0.swap(false, SeqCst));
    assert_eq!(receiver.poll_recv(&mut cx), Poll::Ready(Some(4)));
    assert!(receiver.poll_recv(&mut cx).is_pending());
    drop(unused);
    assert!(woken.0.load(SeqCst));
    assert_eq!(receiver.poll_recv(&mut cx), Poll::Ready(None));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
}

#[test]
fn room_granted_to_a_send_that_is_given_up_after_closing_ends_the_channel() {
    let (sender, mut receiver) = full("channel");
    let mut cx = Context::from_waker(Waker::noop());
    let mut granted = Box::pin(sender.send(1));
    assert!(granted.as_mut().poll(&mut cx).is_pending());
    assert_eq!(receiver.try_recv(), Ok(100));
    receiver.close();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut cx = Context::from_waker(&waker);
    assert!(receiver.poll_recv(&mut cx).is_pending());
    drop(granted);
    assert!(woken.0.load(SeqCst));
    assert_eq!(receiver.poll_recv(&mut cx), Poll::Ready(None));
}

#[test]
fn when_all_senders_are_gone_the_rest_is_received_and_then_nothing() {
    let (sender, mut receiver) = mpsc::channel(4);
    let weak = sender.downgrade();
    assert_eq!((sender.strong_count(), sender.weak_count()), (1, 1));
    let other = weak.upgrade().unwrap();
    assert!(other.same_channel(&sender));
    assert_eq!(receiver.sender_strong_count(), 2);
    other.try_send(1).unwrap();
    wait_for("room", sender.send(2)).unwrap();
    drop((sender, other));
    assert!(weak.upgrade().is_none() && receiver.is_closed());
    assert_eq!((receiver.len(), receiver.is_empty()), (2, false));
    let mut buffer = Vec::new();
    assert_eq!(wait_for("two", receiver.recv_many(&mut buffer, 9)), 2);
    assert_eq!(wait_for("none", receiver.recv_many(&mut buffer, 9)), 0);
    assert_eq!(buffer, [1, 2]);
    assert_eq!(wait_for("none", receiver.recv()), None);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
}

#[test]
fn room_for_several_values_is_reserved_used_and_given_back() {
    let scheduler = one_slot();
    let (sender, mut receiver) = mpsc::channel(4);
    assert_eq!((sender.capacity(), receiver.max_capacity()), (4, 4));
    let reserving = sender.clone();
    let task = scheduler.spawn(async move {
        let mut permits = reserving.reserve_many(3).await.unwrap();
        assert_eq!((permits.len(), reserving.capacity()), (3, 1));
        permits.next().unwrap().send(1);
        drop(permits.next().unwrap());
        assert_eq!(reserving.capacity(), 2);
        drop(permits);
        assert_eq!(reserving.capacity(), 3);
        assert!(reserving.reserve_many(5).await.unwrap_err().is_closed());
        assert_eq!(reserving.reserve_many(0).await.unwrap().len(), 0);
    });
    join_all([task]);
    let three = sender.try_reserve_many(3).unwrap();
    assert_eq!(sender.try_reserve().unwrap_err(), TrySendError::Full(()));
    for (value, permit) in (2..).zip(three) {
        permit.send(value);
    }
    let mut buffer = Vec::new();
    assert_eq!(wait_for("three", receiver.recv_many(&mut buffer, 3)), 3);
    assert_eq!((buffer, receiver.capacity()), (vec![1, 2, 3], 3));
    let owned = wait_for("room", sender.reserve_owned()).unwrap();
    let sender = owned.release();
    let owned = sender.clone().try_reserve_owned().unwrap();
    assert!(owned.same_channel_as_sender(&sender));
    owned.send(5);
    assert_eq!(receiver.try_recv(), Ok(4));
    assert_eq!(receiver.try_recv(), Ok(5));
    assert_eq!(receiver.capacity(), 4);
}

#[test]
fn threads_and_closures_wait_by_blocking() {
    let scheduler = one_slot();
    let (sender, mut receiver) = full("channel");
    let sending = sender.clone();
    let closure = scheduler.task().priority(Mid).blocking();
    let closure = closure.spawn_fn(move || sending.blocking_send(1));
    assert_eq!(receiver.blocking_recv(), Some(100));
    assert_eq!(receiver.blocking_recv(), Some(1));
    join_all([closure]).remove(0).unwrap();
    drop(sender);
    let mut buffer = Vec::new();
    assert_eq!(receiver.blocking_recv_many(&mut buffer, 1), 0);
    let task = scheduler.spawn(async move { receiver.blocking_recv() });
    assert!(wait_for("asynchronous code", task).unwrap_err().is_panic());
}

#[test]
#[should_panic(expected = "a channel has room for 1 to")]
fn a_channel_without_room_cannot_be_made() {
    let _ = mpsc::channel::<()>(0);
}

#[test]
fn many_senders_and_one_receiver_lose_and_double_nothing_and_keep_each_ones_order() {
    const EACH: usize = 300;
    const ROOM: usize = 3;
    let scheduler = plain().io_slots(2).build_runtime().unwrap();
    let (sender, mut receiver) = mpsc::channel(ROOM);
    let given_up = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..20)
        .map(|at| {
            let (sender, given_up) = (sender.clone(), Arc::clone(&given_up));
            let task = scheduler.task().priority(Priority::ALL[at % 5]);
            task.spawn(async move {
                for value in 0..EACH {
                    match value % 4 {
                        0 => sender.reserve().await.unwrap().send((at, value)),
                        1 => {
                            // A send that may be given up.
                            let mut cx = Context::from_waker(Waker::noop());
                            let sent = pin!(sender.send((at, value))).poll(&mut cx);
                            if sent.is_pending() {
                                given_up.fetch_add(1, SeqCst);
                            }
                        }
                        2 => {
                            let mut many = sender.reserve_many(2).await.unwrap();
                            many.next().unwrap().send((at, value));
                        }
                        _ => sender.send((at, value)).await.unwrap(),
                    }
                }
            })
        })
        .collect();
    drop(sender);
    let receives = scheduler.spawn(async move {
        receiver.promise();
        let mut last: HashMap<usize, usize> = HashMap::new();
        let (mut count, mut buffer) = (0, Vec::new());
        while receiver.recv_many(&mut buffer, 2).await > 0 {
            assert!(receiver.len() <= ROOM);
            for (at, value) in buffer.drain(..) {
                assert!(last.insert(at, value).is_none_or(|before| before < value));
                count += 1;
            }
        }
        assert_eq!(receiver.capacity(), ROOM);
        count
    });
    join_all(tasks);
    let count = join_all([receives]).remove(0);
    assert_eq!(count + given_up.load(SeqCst), 20 * EACH);
}

#[test]
fn threads_outside_of_tasks_send_through_a_channel_that_is_closed_meanwhile() {
    let (sender, mut receiver) = mpsc::channel(2);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let sender = sender.clone();
            std::thread::spawn(move || {
                let mut sent = 0;
                while sender.blocking_send(()).is_ok() {
                    sent += 1;
                }
                sent
            })
        })
        .collect();
    drop(sender);
    let mut received = 0;
    while receiver.blocking_recv().is_some() {
        received += 1;
        if received == 200 {
            receiver.close();
        }
    }
    let sent: usize = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .sum();
    assert_eq!(received, sent);
}

#[test]
fn a_server_of_many_clients_is_lent_to_by_all_and_has_its_own_priority_in_the_end() {
    use adaptive_task_scheduler::sync::oneshot as answer;
    let scheduler = plain().io_slots(2).build_runtime().unwrap();
    let (requests, mut receiver) = mpsc::named::<(usize, answer::Sender<usize>)>("requests", 2);
    let server = scheduler.task().name("server").priority(Free);
    let server = server.spawn(async move {
        receiver.promise();
        while let Some((number, answer)) = receiver.recv().await {
            answer.promise();
            adaptive_task_scheduler::yield_now().await;
            // Of a client that has gone, nobody hears.
            let _ = answer.send(number + 1);
        }
        // To be looked at in the end.
        std::future::pending::<()>().await;
    });
    let id = server.id();
    let clients: Vec<_> = (0..50)
        .map(|at| {
            let requests = requests.clone();
            let client = scheduler.task().priority(Priority::ALL[at % 5]);
            client.spawn(async move {
                for number in 0..20 {
                    let (sender, answered) = answer::channel();
                    answered.promised_by(&id);
                    requests.send((number, sender)).await.unwrap();
                    if (at + number) % 7 == 0 {
                        let mut cx = Context::from_waker(Waker::noop());
                        let _ = pin!(answered).poll(&mut cx);
                    } else {
                        assert_eq!(answered.await, Ok(number + 1));
                    }
                }
            })
        })
        .collect();
    drop(requests);
    join_all(clients);
    until_suspended(&server);
    assert_eq!(server.effective_priority(), Free);
}
