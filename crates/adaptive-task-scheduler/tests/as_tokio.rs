//! The channels do what Tokio's do: the same random steps on both give the same
//! answers, and nobody who may go on was not woken.

use adaptive_task_scheduler::sync::{mpsc as ours, oneshot as our_oneshot};
use proptest::{prelude::*, test_runner::Config};
use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
};
use tokio::sync::{mpsc as theirs, oneshot as their_oneshot};

/// What is done to a channel. Numbers choose among what there is.
#[derive(Debug, Clone, Copy)]
enum Step {
    TrySend,
    TryReserve,
    TryReserveMany(usize),
    BeginSend,
    BeginReserve,
    PollWaiting(usize),
    DropWaiting(usize),
    UsePermit(usize),
    DropPermit(usize),
    TryReceive,
    PollReceive,
    PollReceiveMany(usize),
    Close,
    DropReceiver,
    DropSender,
    Look,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let some = 0..4usize;
    let step = prop_oneof![
        6 => Just(Step::TrySend),
        2 => Just(Step::TryReserve),
        1 => some.clone().prop_map(Step::TryReserveMany),
        6 => Just(Step::BeginSend),
        3 => Just(Step::BeginReserve),
        6 => some.clone().prop_map(Step::PollWaiting),
        3 => some.clone().prop_map(Step::DropWaiting),
        3 => some.clone().prop_map(Step::UsePermit),
        3 => some.clone().prop_map(Step::DropPermit),
        6 => Just(Step::TryReceive),
        4 => Just(Step::PollReceive),
        2 => some.prop_map(Step::PollReceiveMany),
        1 => Just(Step::Close),
        1 => Just(Step::DropSender),
        1 => Just(Step::DropReceiver),
        3 => Just(Step::Look),
    ];
    prop::collection::vec(step, 0..60)
}

/// Notes that it was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

/// Polls with a waker of its own, and knows whether it has been woken since.
#[derive(Default)]
struct Poller {
    woken: Option<Arc<Woken>>,
}

impl Poller {
    fn poll<R>(&mut self, poll: impl FnOnce(&mut Context<'_>) -> Poll<R>) -> Option<R> {
        let next = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&next));
        match poll(&mut Context::from_waker(&waker)) {
            Poll::Pending => {
                self.woken = Some(next);
                None
            }
            Poll::Ready(ready) => {
                if let Some(before) = self.woken.take() {
                    assert!(before.0.load(SeqCst), "it is ready and was not woken");
                }
                Some(ready)
            }
        }
    }
}

/// A send or a reservation that waits.
struct Waiting<P> {
    future: Pin<Box<dyn Future<Output = Result<Option<P>, ()>>>>,
    poller: Poller,
}

macro_rules! run {
    ($run:ident, $channel:ident) => {
        /// What each step answered.
        fn $run(capacity: usize, steps: &[Step]) -> Vec<String> {
            let (sender, receiver) = $channel::channel::<u32>(capacity);
            let (mut sender, mut receiver) = (Some(sender), Some(receiver));
            let mut waiting: Vec<Waiting<$channel::OwnedPermit<u32>>> = Vec::new();
            let mut permits: Vec<$channel::OwnedPermit<u32>> = Vec::new();
            let mut receives = Poller::default();
            let mut value = 0;
            let mut answers = Vec::new();
            for &step in steps {
                value += 1;
                let at = |at: usize, len: usize| (len > 0).then(|| at % len);
                let answer = match (step, &sender, &mut receiver) {
                    (Step::TrySend, Some(sender), _) => format!("{:?}", sender.try_send(value)),
                    (Step::TryReserve, Some(sender), _) => {
                        match sender.clone().try_reserve_owned() {
                            Ok(permit) => {
                                permits.push(permit);
                                "reserved".into()
                            }
                            Err($channel::error::TrySendError::Full(_)) => "full".into(),
                            Err($channel::error::TrySendError::Closed(_)) => "closed".into(),
                        }
                    }
                    (Step::TryReserveMany(many), Some(sender), _) => {
                        match sender.try_reserve_many(many) {
                            Ok(permits) => {
                                for permit in permits.take(many / 2) {
                                    permit.send(value);
                                }
                                "reserved".into()
                            }
                            Err(error) => format!("{error:?}"),
                        }
                    }
                    (Step::BeginSend, Some(sender), _) => {
                        let sender = sender.clone();
                        waiting.push(Waiting {
                            future: Box::pin(async move {
                                let sent = sender.send(value).await;
                                sent.map(|()| None).map_err(|_| ())
                            }),
                            poller: Poller::default(),
                        });
                        "begun".into()
                    }
                    (Step::BeginReserve, Some(sender), _) => {
                        let reserved = sender.clone().reserve_owned();
                        waiting.push(Waiting {
                            future: Box::pin(
                                async move { reserved.await.map(Some).map_err(|_| ()) },
                            ),
                            poller: Poller::default(),
                        });
                        "begun".into()
                    }
                    (Step::PollWaiting(which), ..) => match at(which, waiting.len()) {
                        Some(at) => {
                            let Waiting { future, poller } = &mut waiting[at];
                            match poller.poll(|cx| future.as_mut().poll(cx)) {
                                None => "waits".into(),
                                Some(answer) => {
                                    drop(waiting.remove(at));
                                    let text =
                                        format!("{:?}", answer.as_ref().map(Option::is_some));
                                    permits.extend(answer.ok().flatten());
                                    text
                                }
                            }
                        }
                        None => continue,
                    },
                    (Step::DropWaiting(which), ..) => match at(which, waiting.len()) {
                        Some(at) => {
                            drop(waiting.remove(at));
                            "dropped".into()
                        }
                        None => continue,
                    },
                    (Step::UsePermit(which), ..) => match at(which, permits.len()) {
                        Some(at) => {
                            drop(permits.remove(at).send(value));
                            "used".into()
                        }
                        None => continue,
                    },
                    (Step::DropPermit(which), ..) => match at(which, permits.len()) {
                        Some(at) => {
                            drop(permits.remove(at).release());
                            "released".into()
                        }
                        None => continue,
                    },
                    (Step::TryReceive, _, Some(receiver)) => {
                        // Whoever was told by this need not be woken.
                        receives.woken = None;
                        format!("{:?}", receiver.try_recv())
                    }
                    (Step::PollReceive, _, Some(receiver)) => {
                        format!("{:?}", receives.poll(|cx| receiver.poll_recv(cx)))
                    }
                    (Step::PollReceiveMany(limit), _, Some(receiver)) => {
                        let mut buffer = Vec::new();
                        // With no limit it is ready without being woken.
                        let limit = limit + 1;
                        let poll =
                            |cx: &mut Context<'_>| receiver.poll_recv_many(cx, &mut buffer, limit);
                        let received = receives.poll(poll);
                        format!("{received:?} {buffer:?}")
                    }
                    (Step::Close, _, Some(receiver)) => {
                        receives.woken = None;
                        receiver.close();
                        "closed".into()
                    }
                    (Step::DropReceiver, ..) => {
                        receiver = None;
                        "dropped".into()
                    }
                    (Step::DropSender, ..) => {
                        sender = None;
                        "dropped".into()
                    }
                    (Step::Look, sender, receiver) => {
                        let sender = sender.as_ref().map(|sender| {
                            let counts = (sender.strong_count(), sender.weak_count());
                            (sender.capacity(), sender.is_closed(), counts)
                        });
                        let receiver = receiver.as_ref().map(|receiver| {
                            let values = (receiver.len(), receiver.is_empty());
                            (receiver.capacity(), receiver.is_closed(), values)
                        });
                        format!("{sender:?} {receiver:?}")
                    }
                    _ => continue,
                };
                answers.push(format!("{step:?}: {answer}"));
            }
            answers
        }
    };
}

run!(run_ours, ours);
run!(run_theirs, theirs);

/// What is done to a channel for one value.
#[derive(Debug, Clone, Copy)]
enum Once {
    Send,
    PollClosed,
    DropSender,
    TryReceive,
    Receive,
    Close,
    DropReceiver,
    Look,
}

fn once() -> impl Strategy<Value = Vec<Once>> {
    let step = prop_oneof![
        2 => Just(Once::Send),
        3 => Just(Once::PollClosed),
        1 => Just(Once::DropSender),
        2 => Just(Once::TryReceive),
        4 => Just(Once::Receive),
        1 => Just(Once::Close),
        1 => Just(Once::DropReceiver),
        2 => Just(Once::Look),
    ];
    prop::collection::vec(step, 0..12)
}

macro_rules! run_once {
    ($run:ident, $channel:ident) => {
        /// What each step answered, and whether the value is alive after it.
        fn $run(steps: &[Once]) -> Vec<String> {
            let (sender, receiver) = $channel::channel();
            let (mut sender, mut receiver) = (Some(sender), Some(receiver));
            let (mut closes, mut receives) = (Poller::default(), Poller::default());
            let value = Arc::new(7);
            let mut answers = Vec::new();
            for &step in steps {
                let answer = match (step, &mut sender, &mut receiver) {
                    (Once::Send, sender @ Some(_), _) => {
                        let sender = sender.take().unwrap();
                        format!("{:?}", sender.send(Arc::clone(&value)))
                    }
                    (Once::PollClosed, Some(sender), _) => {
                        format!("{:?}", closes.poll(|cx| sender.poll_closed(cx)))
                    }
                    (Once::DropSender, sender, _) => {
                        *sender = None;
                        "dropped".into()
                    }
                    (Once::TryReceive, _, Some(receiver)) => {
                        // Whoever was told by this need not be woken.
                        receives.woken = None;
                        format!("{:?}", receiver.try_recv())
                    }
                    (Once::Receive, _, Some(receiver)) => {
                        let poll = |cx: &mut Context<'_>| Pin::new(receiver).poll(cx);
                        match catch_unwind(AssertUnwindSafe(|| receives.poll(poll))) {
                            Ok(received) => format!("{:?}", received.map(Result::ok)),
                            Err(_) => "panicked".into(),
                        }
                    }
                    (Once::Close, _, Some(receiver)) => {
                        // As above.
                        receives.woken = None;
                        receiver.close();
                        "closed".into()
                    }
                    (Once::DropReceiver, _, receiver) => {
                        *receiver = None;
                        "dropped".into()
                    }
                    (Once::Look, sender, receiver) => {
                        let closed = sender.as_ref().map(|sender| sender.is_closed());
                        let receiver = receiver.as_ref();
                        let state = receiver.map(|it| (it.is_empty(), it.is_terminated()));
                        format!("{closed:?} {state:?}")
                    }
                    _ => continue,
                };
                let owners = Arc::strong_count(&value);
                answers.push(format!("{step:?}: {answer}, {owners} owners"));
            }
            drop((sender, receiver));
            answers.push(format!("{} owners", Arc::strong_count(&value)));
            answers
        }
    };
}

run_once!(run_our_once, our_oneshot);
run_once!(run_their_once, their_oneshot);

proptest! {
    #![proptest_config(Config {
        // More, if PROPTEST_CASES says so.
        cases: Config::default().cases.max(400),
        failure_persistence: None,
        ..Config::default()
    })]

    #[test]
    fn the_same_steps_give_the_same_answers(capacity in 1..4usize, steps in steps()) {
        prop_assert_eq!(run_ours(capacity, &steps), run_theirs(capacity, &steps));
    }

    #[test]
    fn the_same_steps_with_one_value_give_the_same_answers(steps in once()) {
        prop_assert_eq!(run_our_once(&steps), run_their_once(&steps));
    }
}
