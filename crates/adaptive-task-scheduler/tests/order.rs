//! In which order ready tasks are polled.
//!
//! One slot is held by a gate while tasks are queued, so the order in which
//! they start afterwards is the scheduler's choice alone.

mod support;

use adaptive_task_scheduler::{Priority, Scheduler, TaskHandle, yield_now};
use std::{
    future::{Future, poll_fn},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};
use support::{Order, hold_slot, join_all, one_slot, plain, until_suspended, wait_for};
use tokio::sync::oneshot;

const LOW_TO_HIGH: [Priority; 5] = Priority::ALL;

/// Queues one task for each line behind a held slot, and checks in which order
/// they start.
fn check(tasks: &[(&'static str, Priority, Option<u64>)], expected: &[&str]) {
    let scheduler = one_slot();
    let gate = hold_slot(&scheduler);
    let order = Order::new();
    let start = Instant::now();
    let handles: Vec<_> = tasks
        .iter()
        .map(|&(name, priority, deadline)| {
            let order = order.clone();
            let mut task = scheduler.task().name(name).priority(priority);
            if let Some(seconds) = deadline {
                task = task.deadline(start + Duration::from_secs(seconds));
            }
            task.spawn(async move { order.note(name) })
        })
        .collect();
    gate.open();
    join_all(handles);
    assert_eq!(order.seen(), expected);
}

#[test]
fn the_most_important_goes_first_and_within_a_level_the_first_come() {
    use Priority::{Batch, Free, Mid, Monitoring, Production};
    check(
        &[
            ("free 1", Free, None),
            ("mid 1", Mid, None),
            ("monitoring 1", Monitoring, None),
            ("batch 1", Batch, None),
            ("production 1", Production, None),
            ("monitoring 2", Monitoring, None),
            ("free 2", Free, None),
            ("production 2", Production, None),
            ("mid 2", Mid, None),
            ("batch 2", Batch, None),
        ],
        &[
            "monitoring 1",
            "monitoring 2",
            "production 1",
            "production 2",
            "mid 1",
            "mid 2",
            "batch 1",
            "batch 2",
            "free 1",
            "free 2",
        ],
    );
}

#[test]
fn within_a_level_the_earliest_deadline_goes_first_and_none_is_latest() {
    use Priority::{Batch, Mid};
    check(
        &[
            ("mid, none", Mid, None),
            ("mid, in 30 s", Mid, Some(30)),
            ("batch, in 1 s", Batch, Some(1)),
            ("mid, in 10 s", Mid, Some(10)),
            ("mid, none either", Mid, None),
            ("mid, in 20 s", Mid, Some(20)),
            ("mid, in 10 s too", Mid, Some(10)),
        ],
        &[
            "mid, in 10 s",
            "mid, in 10 s too",
            "mid, in 20 s",
            "mid, in 30 s",
            "mid, none",
            "mid, none either",
            "batch, in 1 s",
        ],
    );
}

#[test]
fn first_come_holds_for_more_tasks_than_any_ring_has_room_for() {
    let scheduler = one_slot();
    let gate = hold_slot(&scheduler);
    let order = Order::new();
    let handles: Vec<_> = (0..3_000)
        .map(|number| {
            let order = order.clone();
            scheduler.spawn(async move { order.note(number) })
        })
        .collect();
    gate.open();
    join_all(handles);
    assert_eq!(order.seen(), (0..3_000).collect::<Vec<_>>());
}

#[test]
fn first_come_holds_wherever_the_tasks_come_from() {
    const TURNS: usize = 500;
    let scheduler = one_slot();
    let order = Order::new();
    let (from_inside, outside) = std::sync::mpsc::channel::<usize>();
    let (answer, answered) = std::sync::mpsc::channel();
    let spawn = {
        let order = order.clone();
        move |scheduler: &Scheduler, number: usize| {
            let order = order.clone();
            scheduler.spawn(async move { order.note(number) })
        }
    };
    let inside = {
        let spawn = spawn.clone();
        scheduler.spawn(async move {
            let mut handles = Vec::new();
            for turn in 0..TURNS {
                handles.push(spawn(&Scheduler::current(), 2 * turn));
                from_inside.send(2 * turn + 1).unwrap();
                handles.push(answered.recv().unwrap());
            }
            handles
        })
    };
    while let Ok(number) = outside.recv() {
        answer.send(spawn(&scheduler, number)).unwrap();
    }
    join_all(wait_for("the spawner", inside).unwrap());
    assert_eq!(order.seen(), (0..2 * TURNS).collect::<Vec<_>>());
}

#[test]
fn woken_tasks_are_served_by_level_and_then_in_the_order_of_waking() {
    let scheduler = one_slot();
    let order = Order::new();
    let (mut wakers, mut handles) = (Vec::new(), Vec::new());
    for (number, priority) in LOW_TO_HIGH.into_iter().cycle().take(10).enumerate() {
        let (wake, woken) = oneshot::channel::<()>();
        let order = order.clone();
        let task = scheduler.task().priority(priority).spawn(async move {
            woken.await.unwrap();
            order.note((priority, number));
        });
        support::until("the task is suspended", || is_suspended(&task));
        wakers.push(wake);
        handles.push(task);
    }
    let gate = hold_slot(&scheduler);
    for wake in wakers.into_iter().rev() {
        wake.send(()).unwrap();
    }
    gate.open();
    join_all(handles);
    let mut expected: Vec<_> = LOW_TO_HIGH
        .into_iter()
        .cycle()
        .take(10)
        .enumerate()
        .collect();
    expected.sort_by_key(|&(number, priority)| std::cmp::Reverse((priority, number)));
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(number, level)| (level, number))
        .collect();
    assert_eq!(order.seen(), expected);
}

fn is_suspended<T>(handle: &TaskHandle<T>) -> bool {
    handle.state() == adaptive_task_scheduler::TaskState::Suspended
}

#[test]
fn who_yields_goes_to_the_back_of_its_own_level() {
    let scheduler = one_slot();
    let gate = hold_slot(&scheduler);
    let order = Order::new();
    let tasks = [
        ("a", Priority::Mid),
        ("b", Priority::Mid),
        ("low", Priority::Batch),
    ];
    let handles = tasks.map(|(name, priority)| {
        let order = order.clone();
        scheduler.task().priority(priority).spawn(async move {
            for _ in 0..3 {
                order.note(name);
                yield_now().await;
            }
        })
    });
    gate.open();
    join_all(handles);
    assert_eq!(
        order.seen(),
        ["a", "b", "a", "b", "a", "b", "low", "low", "low"]
    );
}

/// Tasks that queue themselves again and again, until told to stop.
fn flood(scheduler: &Scheduler, stop: &Arc<AtomicBool>, most: usize) -> Vec<TaskHandle<()>> {
    let spawn = |_| {
        let stop = Arc::clone(stop);
        let task = scheduler
            .task()
            .name("flood")
            .priority(Priority::Production);
        task.spawn(async move {
            for _ in 0..most {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                yield_now().await;
            }
        })
    };
    (0..3).map(spawn).collect()
}

#[test]
fn with_ageing_the_least_important_task_is_served_under_a_flood_that_never_ends() {
    let builder = plain().ageing(Some(Duration::from_millis(5)));
    let scheduler = builder.io_slots(1).build_runtime().unwrap();
    let gate = hold_slot(&scheduler);
    let stop = Arc::new(AtomicBool::new(false));
    let flood = flood(&scheduler, &stop, usize::MAX);
    // The flood only ends because this task is served.
    let stops = Arc::clone(&stop);
    let free = scheduler.task().priority(Priority::Free);
    let free = free.spawn(async move { stops.store(true, Ordering::Relaxed) });
    gate.open();
    join_all([free]);
    join_all(flood);
}

#[test]
fn without_ageing_the_least_important_task_is_served_last() {
    let scheduler = one_slot();
    let gate = hold_slot(&scheduler);
    let free_ran = Arc::new(AtomicBool::new(false));
    // A task of the flood that sees the free task's mark has been overtaken.
    let flood = flood(&scheduler, &free_ran, 20_000);
    let last = scheduler.task().priority(Priority::Batch).spawn({
        let free_ran = Arc::clone(&free_ran);
        async move { free_ran.load(Ordering::Relaxed) }
    });
    let marks = Arc::clone(&free_ran);
    let free = scheduler.task().priority(Priority::Free);
    let free = free.spawn(async move { marks.store(true, Ordering::Relaxed) });
    gate.open();
    join_all([free]);
    assert!(flood.iter().all(TaskHandle::is_finished));
    assert_eq!(join_all([last]), [false]);
}

/// Counts how often it was woken, and wakes another.
struct Through(AtomicUsize, Waker);

impl Wake for Through {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
        self.1.wake_by_ref();
    }
}

#[test]
fn who_yields_under_a_waker_of_its_own_wakes_that() {
    let scheduler = one_slot();
    let task = scheduler.spawn(async {
        let mut yields = Box::pin(yield_now());
        let mut through: Option<Arc<Through>> = None;
        poll_fn(move |cx| {
            let through =
                through.get_or_insert_with(|| Arc::new(Through(0.into(), cx.waker().clone())));
            let waker = Waker::from(Arc::clone(through));
            let polled = yields.as_mut().poll(&mut Context::from_waker(&waker));
            polled.map(|()| through.0.load(Ordering::SeqCst))
        })
        .await
    });
    assert_eq!(wait_for("task", task).unwrap(), 1);
}

#[test]
fn who_yields_and_ends_in_the_same_poll_leaves_nothing_to_the_next() {
    let scheduler = one_slot();
    let first = scheduler.spawn(async {
        let mut yields = Box::pin(yield_now());
        poll_fn(|cx| {
            assert!(yields.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    });
    join_all([first]);
    // Nobody wakes this one, so it is polled once.
    let polls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&polls);
    let second = scheduler.spawn(poll_fn(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        Poll::<()>::Pending
    }));
    until_suspended(&second);
    join_all([scheduler.spawn(yield_now())]);
    assert_eq!(polls.load(Ordering::SeqCst), 1);
}
