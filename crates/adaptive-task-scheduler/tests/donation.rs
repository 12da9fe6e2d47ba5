//! Priority is lent along waits, and taken back when they end.

mod support;

use adaptive_task_scheduler::{Event, Priority, Scheduler, TaskHandle, TaskId, TaskState, Watch};
use std::{future::pending, time::Duration};
use support::{Order, drain, effective, hold_slot, join_all, one_slot, plain, until, wait_for};
use tokio::sync::oneshot;

use Priority::{Batch, Free, Mid, Monitoring, Production};

/// A task that waits for a message.
struct Base {
    task: TaskHandle<()>,
    go: oneshot::Sender<()>,
}

fn base(scheduler: &Scheduler, priority: Priority) -> Base {
    let (go, gone) = oneshot::channel();
    let task = scheduler.task().name("base").priority(priority);
    let task = task.spawn(async move { gone.await.unwrap() });
    until("the base is suspended", || is_suspended(&task));
    Base { task, go }
}

/// A task that awaits another.
fn waiter(scheduler: &Scheduler, priority: Priority, on: Watch) -> TaskHandle<()> {
    let task = scheduler
        .task()
        .priority(priority)
        .spawn(async move { on.await.unwrap() });
    until("the waiter is suspended", || is_suspended(&task));
    task
}

fn is_suspended<T>(task: &TaskHandle<T>) -> bool {
    task.state() == TaskState::Suspended
}

fn until_level<T>(task: &TaskHandle<T>, level: Priority) {
    let what = format!("{task:?} is at {level}");
    until(&what, || task.effective_priority() == level);
}

#[test]
fn a_wait_lends_at_once_and_through_a_chain() {
    let scheduler = one_slot();
    let base = base(&scheduler, Free);
    let middle = waiter(&scheduler, Free, base.task.watch());
    let upper = waiter(&scheduler, Batch, middle.watch());
    assert_eq!(
        (base.task.effective_priority(), middle.effective_priority()),
        (Batch, Batch)
    );
    let top = waiter(&scheduler, Monitoring, upper.watch());
    for task in [&base.task, &middle, &upper, &top] {
        assert_eq!(task.effective_priority(), Monitoring);
    }
    assert_eq!((base.task.priority(), upper.priority()), (Free, Batch));
    base.go.send(()).unwrap();
    join_all([top]);
}

#[test]
fn a_declared_wait_lends_before_anybody_awaits() {
    let scheduler = one_slot();
    let base = base(&scheduler, Free);
    let middle = scheduler
        .task()
        .priority(Free)
        .after(&base.task)
        .spawn(async {});
    let top = scheduler
        .task()
        .priority(Production)
        .after(&middle)
        .spawn(async {});
    assert_eq!(
        (base.task.effective_priority(), middle.effective_priority()),
        (Production, Production)
    );
    base.go.send(()).unwrap();
    join_all([top]);
}

#[test]
fn a_fan_in_lends_to_all_it_waits_on_at_once() {
    let scheduler = one_slot();
    let bases: Vec<_> = (0..50).map(|_| base(&scheduler, Free)).collect();
    let tasks: Vec<_> = bases.iter().map(|base| &base.task).collect();
    let top = scheduler
        .task()
        .priority(Production)
        .after_all(tasks.iter().copied());
    let top = top.spawn(async {});
    assert!(
        tasks
            .iter()
            .all(|task| task.effective_priority() == Production)
    );
    for base in bases {
        base.go.send(()).unwrap();
    }
    join_all([top]);
}

#[test]
fn of_many_waiters_the_most_important_counts_and_then_the_next() {
    let scheduler = one_slot();
    let base = base(&scheduler, Free);
    let levels = [Batch, Monitoring, Mid, Production, Mid];
    let waiters = levels.map(|level| waiter(&scheduler, level, base.task.watch()));
    assert_eq!(base.task.effective_priority(), Monitoring);
    let [batch, monitoring, mid, production, mid_too] = waiters;
    for (waiter, next) in [
        (monitoring, Production),
        (mid, Production),
        (production, Mid),
        (mid_too, Batch),
        (batch, Free),
    ] {
        waiter.cancel();
        wait_for("the waiter", waiter).unwrap_err();
        until_level(&base.task, next);
    }
}

#[test]
fn what_a_group_is_lent_it_lends_to_all_its_tasks() {
    let scheduler = one_slot();
    let (ids, tell) = (Order::<TaskId>::new(), Order::new());
    let (noted, keep) = (ids.clone(), tell.clone());
    let parent = scheduler.task().priority(Production).spawn(async move {
        let mut group = Scheduler::current().group();
        for _ in 0..20 {
            let (go, gone) = oneshot::channel::<()>();
            let wait = async move { gone.await.unwrap() };
            noted.note(group.spawn_with(|task| task.priority(Free), wait));
            keep.note(std::sync::Arc::new(std::sync::Mutex::new(Some(go))));
        }
        while let Some(ended) = group.join_next().await {
            ended.unwrap();
        }
    });
    until("the parent waits for its group", || is_suspended(&parent));
    let all = ids.seen();
    assert_eq!(all.len(), 20);
    assert!(
        all.iter()
            .all(|&id| effective(&scheduler, id) == Production)
    );
    for (at, go) in tell.seen().into_iter().enumerate() {
        go.lock().unwrap().take().unwrap().send(()).unwrap();
        // The loan to the others outlives the end of one of them.
        until("the member has ended", || {
            scheduler.explain(all[at]).is_none()
        });
        let rest = &all[at + 1..];
        until("the parent waits again", || {
            rest.iter()
                .all(|&id| effective(&scheduler, id) == Production)
        });
    }
    join_all([parent]);
}

#[test]
fn a_group_that_is_not_being_joined_lends_nothing() {
    let scheduler = one_slot();
    let (go, gone) = oneshot::channel::<()>();
    let (tell, told) = oneshot::channel();
    let parent = scheduler.task().priority(Production).spawn(async move {
        let mut group = Scheduler::current().group();
        let wait = async { pending::<()>().await };
        let member = group.spawn_with(|task| task.priority(Free), wait);
        let limit = Duration::from_millis(1);
        assert!(
            tokio::time::timeout(limit, group.join_next())
                .await
                .is_err()
        );
        tell.send(member).unwrap();
        gone.await.unwrap();
    });
    let member = wait_for("the member's id", told).unwrap();
    until("the loan is taken back", || {
        effective(&scheduler, member) == Free
    });
    go.send(()).unwrap();
    join_all([parent]);
}

#[test]
fn the_loan_ends_when_the_waiter_is_cancelled() {
    let scheduler = one_slot();
    let base = base(&scheduler, Free);
    let middle = waiter(&scheduler, Free, base.task.watch());
    let top = waiter(&scheduler, Production, middle.watch());
    assert_eq!(base.task.effective_priority(), Production);
    top.cancel();
    wait_for("the waiter", top).unwrap_err();
    until_level(&middle, Free);
    until_level(&base.task, Free);
}

#[test]
fn the_loan_ends_when_the_dependent_is_cancelled() {
    let scheduler = one_slot();
    let base = base(&scheduler, Free);
    let top = scheduler
        .task()
        .priority(Production)
        .after(&base.task)
        .spawn(async {});
    assert_eq!(base.task.effective_priority(), Production);
    top.cancel();
    wait_for("the dependent", top).unwrap_err();
    until_level(&base.task, Free);
}

/// Lets a task of high priority wait for a task of low priority, and stop to.
fn check_taken_back<F>(waits_and_stops: impl FnOnce(TaskHandle<()>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let scheduler = one_slot();
    let base = base(&scheduler, Free);
    let mut events = scheduler.subscribe(1_000);
    let (id, watch) = (base.task.id(), base.task.watch());
    let stops = waits_and_stops(base.task);
    let (done, goes_on) = oneshot::channel::<()>();
    let top = scheduler
        .task()
        .name("top")
        .priority(Production)
        .spawn(async move {
            stops.await;
            goes_on.await.unwrap();
        });
    // It was lent, and it was taken back, while the waiter lives on.
    let mut seen = Vec::new();
    until("the loan is taken back", || {
        seen.extend(drain(&mut events));
        seen.iter().any(|event| matches!(event, Event::Unboosted { task, from: Production, to: Free, .. } if *task == id))
    });
    let boosted = seen.iter().find_map(|event| match event {
        Event::Boosted {
            task,
            from: Free,
            to: Production,
            by,
            ..
        } if *task == id => by.clone(),
        _ => None,
    });
    assert_eq!(boosted.unwrap().1, "top");
    assert_eq!(effective(&scheduler, id), Free);
    assert!(!watch.is_finished());
    done.send(()).unwrap();
    join_all([top]);
    base.go.send(()).unwrap();
    wait_for("the base", watch).unwrap();
}

#[test]
fn the_loan_ends_when_the_wait_times_out() {
    check_taken_back(|handle| async move {
        let limit = Duration::from_millis(1);
        assert!(tokio::time::timeout(limit, handle).await.is_err());
    });
}

#[test]
fn the_loan_ends_when_the_handle_is_dropped() {
    check_taken_back(|mut handle| async move {
        assert!(is_pending(&mut handle).await);
        drop(handle);
    });
}

#[test]
fn the_loan_ends_when_the_watch_is_dropped() {
    check_taken_back(|handle| async move {
        let mut watch = handle.watch();
        assert!(is_pending(&mut watch).await);
        drop(watch);
    });
}

#[test]
fn the_loan_ends_when_select_chooses_another_branch() {
    check_taken_back(|handle| async move {
        tokio::select! {
            biased;
            _ = handle => panic!("the base has not ended"),
            () = tokio::time::sleep(Duration::from_millis(1)) => {}
        }
    });
}

/// Polls once; whether it is pending.
async fn is_pending<F: Future + Unpin>(future: &mut F) -> bool {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx).is_pending())
    })
    .await
}

#[test]
fn the_loan_ends_when_the_waiter_itself_times_out() {
    let scheduler = one_slot();
    let base = base(&scheduler, Free);
    let watch = base.task.watch();
    let top = scheduler
        .task()
        .priority(Production)
        .timeout(Duration::from_millis(1));
    let top = top.spawn(async move { watch.await.unwrap() });
    assert!(wait_for("the waiter", top).unwrap_err().is_timeout());
    until_level(&base.task, Free);
}

#[test]
#[allow(clippy::async_yields_async, reason = "the handle itself is the value")]
fn the_loan_moves_along_with_a_handle_that_moves_to_another_task() {
    let scheduler = one_slot();
    let base = base(&scheduler, Free);
    let (id, mut handle) = (base.task.id(), base.task);
    let first = scheduler.task().priority(Monitoring).spawn(async move {
        assert!(is_pending(&mut handle).await);
        handle
    });
    let handle = join_all([first]).remove(0);
    until("the first's loan is taken back", || {
        effective(&scheduler, id) == Free
    });
    let second = scheduler.task().priority(Batch).spawn(handle);
    until("the second waits", || is_suspended(&second));
    assert_eq!(effective(&scheduler, id), Batch);
    base.go.send(()).unwrap();
    join_all([second]).remove(0).unwrap();
}

#[test]
fn a_queued_task_that_is_boosted_starts_ahead_of_a_thousand_middling_ones() {
    let scheduler = one_slot();
    let gate = hold_slot(&scheduler);
    let order = Order::new();
    let note = |name| {
        let order = order.clone();
        async move { order.note(name) }
    };
    let first_come = |_| scheduler.spawn(note("middling"));
    let mut middling: Vec<_> = (0..500).map(first_come).collect();
    let deep = scheduler.task().priority(Free).spawn(note("the deepest"));
    let nested = scheduler
        .task()
        .priority(Free)
        .after(&deep)
        .spawn(note("the nested"));
    middling.extend((0..500).map(first_come));
    // The waiter runs on another lane, since the slot is held.
    let waiter = scheduler.task().cpu().priority(Production);
    let waiter = waiter.spawn(async move { nested.await.unwrap() });
    until("the waiter waits", || is_suspended(&waiter));
    assert_eq!(deep.effective_priority(), Production);
    gate.open();
    join_all(middling);
    join_all([deep, waiter]);
    assert_eq!(order.seen()[..3], ["the deepest", "the nested", "middling"]);
    // The entries at the lower levels were skipped, not run.
    assert_eq!(order.seen().len(), 1_002);
    assert!(scheduler.stats().boosts >= 2, "{:?}", scheduler.stats());
}

#[test]
fn a_boost_that_is_taken_back_leaves_the_task_in_its_old_place() {
    let scheduler = one_slot();
    let gate = hold_slot(&scheduler);
    let order = Order::new();
    let spawn = |name, priority| {
        let order = order.clone();
        scheduler
            .task()
            .priority(priority)
            .spawn(async move { order.note(name) })
    };
    let tasks = [
        spawn("batch", Batch),
        spawn("free", Free),
        spawn("mid", Mid),
    ];
    let watch = tasks[1].watch();
    let waiter = scheduler.task().cpu().priority(Production);
    let waiter = waiter.spawn(async move { watch.await.unwrap() });
    until("the waiter waits", || is_suspended(&waiter));
    assert_eq!(tasks[1].effective_priority(), Production);
    waiter.cancel();
    wait_for("the waiter", waiter).unwrap_err();
    until_level(&tasks[1], Free);
    gate.open();
    join_all(tasks);
    assert_eq!(order.seen(), ["mid", "batch", "free"]);
}

#[test]
fn a_boosted_task_is_found_first_on_the_other_lanes_too() {
    let scheduler = plain().io_slots(1).cpu_threads(1).build_runtime().unwrap();
    let gate = support::Gate::closed("the cpu lane's only thread");
    let door = gate.door();
    let holder = scheduler.cpu(move || door.pass());
    gate.wait_for_arrivals(1);
    let order = Order::new();
    let spawn = |name, priority| {
        let order = order.clone();
        scheduler
            .task()
            .priority(priority)
            .spawn_fn(move || order.note(name))
    };
    let middling: Vec<_> = (0..100).map(|_| spawn("middling", Mid)).collect();
    let low = spawn("low", Free);
    let waiter = waiter(&scheduler, Production, low.watch());
    assert_eq!(low.effective_priority(), Production);
    gate.open();
    join_all(middling);
    join_all([waiter, holder, low]);
    assert_eq!(order.seen()[0], "low");
}

#[test]
fn waits_across_two_schedulers_lend_too() {
    let (here, there) = (one_slot(), one_slot());
    let base = base(&there, Free);
    let waiter = waiter(&here, Production, base.task.watch());
    assert_eq!(base.task.effective_priority(), Production);
    waiter.cancel();
    wait_for("the waiter", waiter).unwrap_err();
    until_level(&base.task, Free);
}

#[test]
fn who_waits_outside_of_tasks_lends_nothing() {
    let scheduler = one_slot();
    let base = base(&scheduler, Free);
    let mut watch = base.task.watch();
    assert!(wait_for("one poll", is_pending(&mut watch)));
    assert_eq!(base.task.effective_priority(), Free);
    base.go.send(()).unwrap();
    wait_for("the watch", watch).unwrap();
}
