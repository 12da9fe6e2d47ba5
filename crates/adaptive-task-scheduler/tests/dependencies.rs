//! Tasks that run after others.

mod support;

use adaptive_task_scheduler::{Priority, Scheduler, TaskBuilder, TaskError, TaskHandle, TaskState};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use support::{Order, effective, hold_slot, join_all, one_slot, plain, until, wait_for};
use tokio::sync::oneshot;

/// Spawns a task that waits for a message, and gives what sends it.
fn gated(scheduler: &Scheduler, name: &'static str) -> (TaskHandle<bool>, oneshot::Sender<bool>) {
    let (send, receive) = oneshot::channel();
    let task = scheduler.task().name(name).spawn_try(async move {
        match receive.await {
            Ok(true) => Ok(true),
            _ => Err("told to fail"),
        }
    });
    (task, send)
}

fn error_of<T: std::fmt::Debug + 'static>(task: TaskHandle<T>) -> TaskError {
    wait_for("a task that is not run", task).unwrap_err()
}

#[test]
fn a_task_runs_after_the_one_it_names_and_not_before() {
    let scheduler = plain().io_slots(2).build_runtime().unwrap();
    let order = Order::new();
    let (first, send) = gated(&scheduler, "first");
    let noted = order.clone();
    let second = scheduler
        .task()
        .priority(Priority::Monitoring)
        .after(&first);
    let second = second.spawn(async move { noted.note("second") });
    until("the first is suspended", || {
        first.state() == TaskState::Suspended
    });
    assert_eq!(second.state(), TaskState::Blocked);
    order.note("first");
    send.send(true).unwrap();
    join_all([second]);
    assert_eq!(order.seen(), ["first", "second"]);
    assert!(first.is_finished());
}

#[test]
fn after_takes_handles_watches_and_ids() {
    let scheduler = one_slot();
    let gate = hold_slot(&scheduler);
    let order = Order::new();
    let named = |name| {
        let order = order.clone();
        async move { order.note(name) }
    };
    // All first ones are less important than the last.
    let low = || scheduler.task().priority(Priority::Free);
    let by_handle = low().spawn(named("by handle"));
    let by_watch = low().spawn(named("by watch"));
    let by_id = low().spawn(named("by id"));
    let last = scheduler.task().priority(Priority::Production);
    let last = last
        .after(&by_handle)
        .after(&by_watch.watch())
        .after(&by_id.id());
    let last = last.spawn(named("last"));
    gate.open();
    join_all([last]);
    assert_eq!(order.seen(), ["by handle", "by watch", "by id", "last"]);
}

#[test]
fn after_a_task_that_has_completed_it_runs_at_once() {
    let scheduler = one_slot();
    let (done, send) = gated(&scheduler, "done");
    send.send(true).unwrap();
    until("it has ended", || done.is_finished());
    let watch = done.watch();
    let runs = scheduler
        .task()
        .after(&done)
        .after(&watch)
        .after(&done.id())
        .spawn(async { 1 });
    assert_eq!(join_all([runs]), [1]);
    // Nobody holds the first one any more; its id counts as completed.
    let id = done.id();
    join_all([done]);
    let runs = scheduler.task().after(&watch).after(&id).spawn(async { 2 });
    assert_eq!(join_all([runs]), [2]);
}

#[test]
fn after_a_task_that_has_failed_it_is_not_run() {
    let scheduler = one_slot();
    let (failed, send) = gated(&scheduler, "failed");
    send.send(false).unwrap();
    until("it has ended", || failed.is_finished());
    let watch = failed.watch();
    let tasks = [
        scheduler.task().after(&failed).spawn(async {}),
        scheduler.task().after(&watch).spawn(async {}),
        scheduler.task().after(&failed.id()).spawn(async {}),
    ];
    drop(failed);
    // The watch still knows, though nothing is left of the task.
    let late = scheduler.task().after(&watch).spawn(async {});
    for task in tasks.into_iter().chain([late]) {
        let error = error_of(task);
        assert!(error.is_dependency(), "{error}");
        assert_eq!(error.root_cause().name(), &"failed");
    }
}

#[test]
fn after_a_rejected_task_it_is_not_run() {
    let (ended, other) = (one_slot(), one_slot());
    support::shut_down(&ended, std::time::Duration::ZERO);
    let rejected = ended.task().name("too late").spawn(async {});
    let task = other.task().after(&rejected).spawn(async {});
    let error = error_of(task);
    assert!(
        error.is_dependency() && error.root_cause().is_rejected(),
        "{error}"
    );
}

#[test]
fn one_failure_among_many_dependencies_is_enough_and_the_others_go_on() {
    let scheduler = one_slot();
    let (good, send_good) = gated(&scheduler, "good");
    let (bad, send_bad) = gated(&scheduler, "bad");
    let task = scheduler.task().after_all([&good, &bad]).spawn(async {});
    send_bad.send(false).unwrap();
    // It does not wait for the other one.
    assert_eq!(error_of(task).root_cause().name(), &"bad");
    assert!(!good.is_finished());
    send_good.send(true).unwrap();
    assert_eq!(join_all([good]), [true]);
    drop(bad);
}

#[test]
fn a_diamond_runs_from_top_to_bottom() {
    let scheduler = plain().io_slots(2).build_runtime().unwrap();
    for _ in 0..200 {
        let order = Order::new();
        let note = |name| {
            let order = order.clone();
            async move { order.note(name) }
        };
        let top = scheduler.spawn(note("top"));
        let sides = ["left", "right"].map(|side| scheduler.task().after(&top).spawn(note(side)));
        let bottom = scheduler.task().after_all(&sides).spawn(note("bottom"));
        join_all([bottom]);
        let seen = order.seen();
        assert_eq!((seen[0], seen[3], seen.len()), ("top", "bottom", 4));
    }
}

#[test]
fn ten_thousand_run_before_one() {
    let scheduler = plain().io_slots(2).build_runtime().unwrap();
    let gate = hold_slot(&scheduler);
    let count = Arc::new(AtomicUsize::new(0));
    let spawn = |_| {
        let count = Arc::clone(&count);
        scheduler
            .task()
            .priority(Priority::Batch)
            .spawn(async move {
                count.fetch_add(1, Ordering::SeqCst);
            })
    };
    let many: Vec<_> = (0..10_000).map(spawn).collect();
    let seen = Arc::clone(&count);
    let one = scheduler
        .task()
        .after_all(&many)
        .spawn(async move { seen.load(Ordering::SeqCst) });
    gate.open();
    assert_eq!(join_all([one]), [10_000]);
    join_all(many);
}

#[test]
fn one_runs_before_ten_thousand() {
    let scheduler = plain().io_slots(2).build_runtime().unwrap();
    let (one, send) = gated(&scheduler, "one");
    let spawn = |number| scheduler.task().after(&one).spawn(async move { number });
    let many: Vec<_> = (0..10_000).map(spawn).collect();
    assert!(many.iter().all(|task| task.state() == TaskState::Blocked));
    send.send(true).unwrap();
    assert_eq!(join_all(many), (0..10_000).collect::<Vec<_>>());
}

#[test]
fn the_same_dependency_twice_counts_as_one() {
    let scheduler = one_slot();
    let (first, send) = gated(&scheduler, "first");
    let task = scheduler
        .task()
        .after(&first)
        .after(&first)
        .after(&first.watch())
        .spawn(async { 1 });
    send.send(true).unwrap();
    assert_eq!(join_all([task]), [1]);
}

const DEPTH: usize = 100_000;

/// A chain of tasks, each after the one before it; gives the last one.
fn chain(scheduler: &Scheduler, head: &TaskHandle<bool>, ran: &Arc<AtomicUsize>) -> TaskHandle<()> {
    let spawn = |task: TaskBuilder<'_>| {
        let ran = Arc::clone(ran);
        task.name("link").spawn(async move {
            ran.fetch_add(1, Ordering::Relaxed);
        })
    };
    let mut last = spawn(scheduler.task().after(head));
    for _ in 1..DEPTH {
        last = spawn(scheduler.task().after(&last));
    }
    last
}

#[test]
fn a_chain_a_hundred_thousand_deep_completes() {
    let scheduler = plain().io_slots(2).build_runtime().unwrap();
    let (head, send) = gated(&scheduler, "head");
    let ran = Arc::default();
    let last = chain(&scheduler, &head, &ran);
    // What is lent at one end arrives at the other.
    let waiter = scheduler
        .task()
        .priority(Priority::Monitoring)
        .after(&last)
        .spawn(async {});
    assert_eq!(head.effective_priority(), Priority::Monitoring);
    waiter.cancel();
    assert!(error_of(waiter).is_cancelled());
    until("the loan is taken back", || {
        effective(&scheduler, head.id()) == Priority::Mid
    });
    send.send(true).unwrap();
    join_all([last]);
    assert_eq!(ran.load(Ordering::Relaxed), DEPTH);
}

#[test]
fn a_chain_a_hundred_thousand_deep_fails_at_its_head() {
    let scheduler = plain().io_slots(2).build_runtime().unwrap();
    let (head, send) = gated(&scheduler, "head");
    let ran = Arc::default();
    let last = chain(&scheduler, &head, &ran);
    send.send(false).unwrap();
    let error = error_of(last);
    assert_eq!(error.root_cause().task(), head.id());
    assert_eq!(
        error.to_string(),
        "task \"link\" was not run: task \"head\" failed: told to fail"
    );
    let depth = std::iter::successors(Some(&error), |error| error.dependency()).count();
    assert_eq!(depth, DEPTH + 1);
    drop(error);
    assert_eq!(ran.load(Ordering::Relaxed), 0);
    drop(head);
    until("none is left", || scheduler.stats().live == 0);
}

#[test]
fn a_dependency_can_be_added_to_a_task_that_is_still_blocked() {
    let scheduler = one_slot();
    let (first, send_first) = gated(&scheduler, "first");
    let (second, send_second) = gated(&scheduler, "second");
    let task = scheduler
        .task()
        .name("task")
        .priority(Priority::Production)
        .after(&first);
    let task = task.spawn(async { 1 });
    scheduler.add_dependency(task.id(), second.id()).unwrap();
    assert_eq!(second.effective_priority(), Priority::Production);
    send_first.send(true).unwrap();
    until("the first has ended", || first.is_finished());
    assert_eq!(task.state(), TaskState::Blocked);
    send_second.send(true).unwrap();
    assert_eq!(join_all([task]), [1]);
    join_all([first, second]);
}

#[test]
fn a_dependency_cannot_be_added_to_a_task_that_is_not_blocked() {
    let scheduler = one_slot();
    let gate = hold_slot(&scheduler);
    let other = scheduler.spawn(async {});
    let ready = scheduler.task().name("eager").spawn(async {});
    let error = scheduler
        .add_dependency(ready.id(), other.id())
        .unwrap_err();
    assert!(error.cycle().is_none());
    assert!(
        error
            .to_string()
            .contains("\"eager\" does not wait for dependencies"),
        "{error}"
    );
    gate.open();
    let id = ready.id();
    join_all([ready]);
    assert!(scheduler.add_dependency(id, other.id()).is_err());
    assert_eq!(other.effective_priority(), Priority::Mid);
    join_all([other]);
}

#[test]
fn adding_a_dependency_that_has_ended_leads_to_its_end() {
    let scheduler = one_slot();
    let (first, send) = gated(&scheduler, "first");
    let (done, send_done) = gated(&scheduler, "done");
    let (failed, send_failed) = gated(&scheduler, "failed");
    send_done.send(true).unwrap();
    send_failed.send(false).unwrap();
    until("both have ended", || {
        done.is_finished() && failed.is_finished()
    });
    let runs = scheduler.task().after(&first).spawn(async { 1 });
    scheduler.add_dependency(runs.id(), done.id()).unwrap();
    let fails = scheduler.task().after(&first).spawn(async { 1 });
    scheduler.add_dependency(fails.id(), failed.id()).unwrap();
    assert_eq!(error_of(fails).root_cause().name(), &"failed");
    send.send(true).unwrap();
    assert_eq!(join_all([runs]), [1]);
}
