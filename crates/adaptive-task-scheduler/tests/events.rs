//! What subscribers are told, and in which order.

mod support;

use adaptive_task_scheduler::{
    CancelMode, Event, Events, Lane, Priority, Scheduler, TaskId, yield_now,
};
use std::{
    collections::HashMap,
    future::{Future, pending},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Wake, Waker},
    time::Duration,
};
use support::{
    drain, events_until, hold_slot, join_all, one_slot, plain, shut_down, until, wait_for,
};
use tokio::sync::oneshot;

/// An event in a few words.
fn words(event: &Event) -> String {
    match event {
        Event::Spawned {
            priority,
            lane,
            after,
            ..
        } => {
            let after: Vec<_> = after.iter().map(|(_, name)| name.to_string()).collect();
            format!("spawned at {priority} on {lane} after {after:?}")
        }
        Event::Ready { priority, lane, .. } => format!("ready at {priority} on {lane}"),
        Event::Started { lane, .. } => format!("started on {lane}"),
        Event::Waiting { on_name, .. } => format!("waits on {on_name}"),
        Event::Boosted { from, to, by, .. } => {
            let by = by.as_ref().map(|(_, name)| name.to_string());
            format!("boosted from {from} to {to} by {by:?}")
        }
        Event::Unboosted { from, to, .. } => format!("unboosted from {from} to {to}"),
        Event::Completed { .. } => "completed".to_owned(),
        Event::Failed { error, .. } => format!("failed: {:?}", error.kind()),
        other => format!("{other:?}"),
    }
}

/// What happened to one task, in order.
fn story(events: &[Event], task: TaskId) -> Vec<String> {
    events
        .iter()
        .filter(|event| event.task() == Some(task))
        .map(words)
        .collect()
}

#[test]
fn the_story_of_one_task_is_told_in_order() {
    let scheduler = one_slot();
    let mut events = scheduler.subscribe(1_000);
    let (go, gone) = oneshot::channel::<()>();
    let base = scheduler.task().name("base").priority(Priority::Batch);
    let base = base.spawn(async move { gone.await.unwrap() });
    until("the base waits", || {
        base.state() == adaptive_task_scheduler::TaskState::Suspended
    });
    let top = scheduler
        .task()
        .name("top")
        .priority(Priority::Production)
        .after(&base);
    let top = top.spawn(yield_now());
    let (base_id, top_id) = (base.id(), top.id());
    go.send(()).unwrap();
    join_all([top, base]);
    until("none is left", || scheduler.stats().live == 0);
    let events = drain(&mut events);
    assert_eq!(
        story(&events, base_id),
        [
            "spawned at batch on io after []",
            "ready at batch on io",
            "started on io",
            "boosted from batch to production by Some(\"top\")",
            "ready at production on io",
            "completed",
        ]
    );
    assert_eq!(
        story(&events, top_id),
        [
            "spawned at production on io after [\"base\"]",
            "waits on base",
            "ready at production on io",
            "started on io",
            "ready at production on io",
            "completed",
        ]
    );
    assert!(events.is_sorted_by_key(Event::at) || is_nearly_sorted(&events));
}

/// Two threads may take their times in one order and be told in the other;
/// what one task did is in order all the same.
fn is_nearly_sorted(events: &[Event]) -> bool {
    let mut last = HashMap::new();
    events.iter().all(|event| {
        let before = last.insert(event.task(), event.at());
        before.is_none_or(|before| before <= event.at())
    })
}

#[test]
fn what_was_lent_and_taken_back_is_told() {
    let scheduler = one_slot();
    let mut events = scheduler.subscribe(1_000);
    let (go, gone) = oneshot::channel::<()>();
    let base = scheduler.task().name("base").priority(Priority::Free);
    let base = base.spawn(async move { gone.await.unwrap() });
    let top = scheduler
        .task()
        .name("top")
        .priority(Priority::Mid)
        .after(&base)
        .spawn(async {});
    top.cancel();
    let base_id = base.id();
    assert!(
        wait_for("the cancelled task", top)
            .unwrap_err()
            .is_cancelled()
    );
    let mut seen = events_until("the end of the loan", &mut events, |event| {
        matches!(event, Event::Unboosted { .. })
    });
    go.send(()).unwrap();
    join_all([base]);
    seen.extend(events_until(
        "the base's end",
        &mut events,
        |event| matches!(event, Event::Completed { task, .. } if *task == base_id),
    ));
    let story = story(&seen, base_id);
    let boosts: Vec<_> = story
        .iter()
        .filter(|words| words.contains("boosted"))
        .collect();
    assert_eq!(
        boosts,
        [
            "boosted from free to mid by Some(\"top\")",
            "unboosted from mid to free"
        ]
    );
}

#[test]
fn a_dependency_that_is_added_is_told_as_one_that_was_declared() {
    let scheduler = one_slot();
    let mut events = scheduler.subscribe(1_000);
    let gate = hold_slot(&scheduler);
    let base = scheduler.task().name("base").priority(Priority::Free);
    let base = base.spawn(async {});
    let first = scheduler.task().name("first").priority(Priority::Free);
    let first = first.spawn(async {});
    let top = scheduler.task().name("top").priority(Priority::Mid);
    let top = top.after(&first).spawn(async {});
    scheduler.add_dependency(top.id(), base.id()).unwrap();
    let base_id = base.id();
    gate.open();
    join_all([top, first, base]);
    assert_eq!(
        story(&drain(&mut events), base_id)[..4],
        [
            "spawned at free on io after []",
            "ready at free on io",
            "boosted from free to mid by Some(\"top\")",
            "started on io",
        ]
    );
}

/// Adds a dependency when it is woken.
struct Adding {
    scheduler: Scheduler,
    waiter: TaskId,
    blocker: TaskId,
    added: AtomicBool,
}

impl Wake for Adding {
    fn wake(self: Arc<Self>) {
        let added = self.scheduler.add_dependency(self.waiter, self.blocker);
        self.added.store(added.is_ok(), Ordering::SeqCst);
    }
}

#[test]
fn whoever_is_told_of_a_dependency_may_add_another() {
    let scheduler = one_slot();
    let gate = hold_slot(&scheduler);
    let [first, second, third] = [(); 3].map(|()| scheduler.spawn(async {}));
    let last = scheduler.task().name("last").after(&first).spawn(async {});
    let mut events = scheduler.subscribe(1_000);
    let adding = Arc::new(Adding {
        scheduler: scheduler.clone(),
        waiter: last.id(),
        blocker: third.id(),
        added: AtomicBool::new(false),
    });
    let waker = Waker::from(Arc::clone(&adding));
    let told = pin!(events.recv()).poll(&mut Context::from_waker(&waker));
    assert!(told.is_pending());
    scheduler.add_dependency(last.id(), second.id()).unwrap();
    assert!(adding.added.load(Ordering::SeqCst));
    let waits = drain(&mut events);
    let waits = waits
        .iter()
        .filter(|event| matches!(event, Event::Waiting { task, .. } if *task == last.id()));
    assert_eq!(waits.count(), 2);
    gate.open();
    join_all([first, second, third, last]);
}

/// Ends tasks in every way on a scheduler with many slots.
fn end_in_every_way(scheduler: &Scheduler, number: usize) {
    let handle = match number % 8 {
        0 => scheduler.spawn(async {}),
        1 => scheduler.spawn(async { panic!("expected by the test") }),
        2 => scheduler.task().spawn_try(async { Err::<(), _>("failed") }),
        3 => scheduler
            .task()
            .timeout(Duration::from_millis(1))
            .spawn(pending()),
        4 => scheduler.cpu(|| ()),
        5 => {
            let fails = scheduler.task().spawn_try(async { Err::<(), _>("failed") });
            scheduler.task().after(&fails).spawn(async {})
        }
        6 => scheduler
            .task()
            .on_cancel(CancelMode::Shield)
            .spawn(pending()),
        _ => scheduler.spawn(pending()),
    };
    if number % 8 == 7 {
        handle.cancel();
    }
    handle.detach();
}

/// Checks that each spawned task has exactly one end, which comes last.
fn check_one_end_each(events: &[Event], spawned: usize) {
    let mut stories: HashMap<TaskId, Vec<&Event>> = HashMap::new();
    for event in events {
        if let Some(task) = event.task() {
            stories.entry(task).or_default().push(event);
        }
    }
    assert_eq!(stories.len(), spawned);
    for (task, story) in stories {
        let is_end =
            |event: &&&Event| matches!(event, Event::Completed { .. } | Event::Failed { .. });
        let words: Vec<_> = story.iter().map(|event| words(event)).collect();
        assert!(
            matches!(story[0], Event::Spawned { .. }),
            "{task}: {words:?}"
        );
        assert_eq!(story.iter().filter(is_end).count(), 1, "{task}: {words:?}");
        assert!(is_end(&story.last().unwrap()), "{task}: {words:?}");
        let starts = story
            .iter()
            .filter(|event| matches!(event, Event::Started { .. }))
            .count();
        assert!(starts <= 1, "{task}: {words:?}");
    }
}

#[test]
fn every_task_that_was_spawned_has_exactly_one_end() {
    let scheduler = plain().io_slots(2).cpu_threads(2).build_runtime().unwrap();
    let mut events = scheduler.subscribe(100_000);
    (0..400).for_each(|number| end_in_every_way(&scheduler, number));
    // The shielded ones are ended by the shutdown.
    until("only the shielded are left", || {
        scheduler.stats().live == 50
    });
    shut_down(&scheduler, Duration::ZERO);
    until("none is left", || scheduler.stats().live == 0);
    let seen = drain(&mut events);
    assert_eq!(events.dropped(), 0);
    check_one_end_each(&seen, scheduler.stats().spawned as usize);
}

#[test]
fn a_full_channel_counts_what_it_drops_and_slows_nobody_down() {
    let scheduler = one_slot();
    let mut small = scheduler.subscribe(4);
    let mut large = scheduler.subscribe(10_000);
    join_all(
        (0..100)
            .map(|_| scheduler.spawn(async {}))
            .collect::<Vec<_>>(),
    );
    let all = drain(&mut large).len();
    assert_eq!(all, 400, "spawned, ready, started, completed");
    assert_eq!(large.dropped(), 0);
    assert_eq!((drain(&mut small).len(), small.dropped()), (4, 396));
    // There is room again.
    join_all([scheduler.spawn(async {})]);
    assert_eq!((drain(&mut small).len(), small.dropped()), (4, 396));
}

#[test]
fn all_subscribers_are_told_the_same_in_the_same_order() {
    let scheduler = plain().io_slots(4).build_runtime().unwrap();
    let mut subscribers = [scheduler.subscribe(100_000), scheduler.subscribe(100_000)];
    (0..500).for_each(|_| scheduler.spawn(yield_now()).detach());
    until("all have ended", || scheduler.stats().live == 0);
    let told = subscribers.each_mut().map(|events| {
        drain(events)
            .iter()
            .map(|event| (event.task(), words(event)))
            .collect::<Vec<_>>()
    });
    assert_eq!(told[0].len(), 5 * 500);
    assert_eq!(told[0], told[1]);
}

#[test]
fn a_subscriber_that_is_gone_is_forgotten() {
    let scheduler = one_slot();
    drop(scheduler.subscribe(1));
    let mut stays = scheduler.subscribe(100);
    join_all([scheduler.spawn(async {})]);
    assert_eq!(drain(&mut stays).len(), 4);
}

#[test]
fn the_events_end_with_the_scheduler() {
    let scheduler = one_slot();
    let mut events = scheduler.subscribe(100);
    scheduler.spawn(pending::<()>()).detach();
    drop(scheduler);
    let ended = wait_for("the end of the events", async {
        let mut last = None;
        while let Some(event) = events.recv().await {
            last = Some(words(&event));
        }
        last
    });
    assert_eq!(ended.as_deref(), Some("failed: ShutDown"));
}

#[test]
fn events_can_be_received_on_a_plain_thread_and_inside_a_task() {
    let scheduler = one_slot();
    let receive = |mut events: Events| move || events.blocking_recv().unwrap().task();
    let on_thread = std::thread::spawn(receive(scheduler.subscribe(10)));
    let mut events = scheduler.subscribe(10);
    let inside = scheduler
        .runtime()
        .spawn(async move { events.recv().await.unwrap().task() });
    let task = scheduler.task().cpu().spawn(async {});
    let id = task.id();
    assert_eq!(task.lane(), Lane::Cpu);
    join_all([task]);
    assert_eq!(on_thread.join().unwrap(), Some(id));
    assert_eq!(wait_for("the plain task", inside).unwrap(), Some(id));
}
