//! What the owner of a task, and those who watch it, can see and do.

mod support;

use adaptive_task_scheduler::{
    Explanation, Lane, Priority, Scheduler, TaskError, TaskHandle, TaskId, TaskState, Watch,
    yield_now,
};
use std::{
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};
use support::{Gate, hold_slot, join_all, one_slot, plain, shut_down, until, wait_for};
use tokio::sync::oneshot;

/// A suspended task, and what lets it go on.
fn suspended(scheduler: &Scheduler, name: &'static str) -> (TaskHandle<u32>, oneshot::Sender<u32>) {
    let (send, receive) = oneshot::channel();
    let task = scheduler.task().name(name);
    let task = task.spawn(async move { receive.await.unwrap_or(0) });
    until("the task is suspended", || {
        task.state() == TaskState::Suspended
    });
    (task, send)
}

#[test]
fn a_handle_gives_the_value_outside_and_inside_of_tasks() {
    let scheduler = one_slot();
    let inner = scheduler.spawn(async { vec![1, 2, 3] });
    let outer = scheduler.spawn(async move { inner.await.unwrap().len() });
    assert_eq!(wait_for("the outer task", outer).unwrap(), 3);
    let done = scheduler.spawn(async { "done before it is awaited" });
    until("the task has ended", || done.is_finished());
    assert_eq!(
        wait_for("the task", done).unwrap(),
        "done before it is awaited"
    );
}

#[test]
fn a_task_whose_handle_is_dropped_goes_on() {
    let scheduler = one_slot();
    let (send, receive) = oneshot::channel();
    let (go, gone) = oneshot::channel::<()>();
    let task = scheduler.spawn(async move {
        gone.await.unwrap();
        send.send("went on").unwrap();
    });
    until("the task is suspended", || {
        task.state() == TaskState::Suspended
    });
    drop(task);
    go.send(()).unwrap();
    assert_eq!(wait_for("the detached task", receive).unwrap(), "went on");
}

#[test]
fn cancel_on_drop_ends_the_task_unless_it_is_detached() {
    let scheduler = one_slot();
    let spawn = |value| {
        let (send, receive) = oneshot::channel::<()>();
        let task = scheduler.task().cancel_on_drop(true);
        let task = task.spawn(async move { receive.await.map(|()| value) });
        let watch = task.watch();
        until("the task is suspended", || {
            task.state() == TaskState::Suspended
        });
        (task, watch, send)
    };
    let (task, watch, send) = spawn(1);
    drop(task);
    assert!(
        wait_for("the cancelled task", watch)
            .unwrap_err()
            .is_cancelled()
    );
    assert!(send.is_closed(), "the future was not dropped");

    let (task, watch, send) = spawn(2);
    task.detach();
    send.send(()).unwrap();
    wait_for("the detached task", watch).unwrap();

    let (task, _, send) = spawn(3);
    send.send(()).unwrap();
    assert_eq!(wait_for("the awaited task", task).unwrap(), Ok(3));
}

#[test]
fn many_watch_one_task_and_one_owner_takes_its_value() {
    let scheduler = plain().io_slots(2).build_runtime().unwrap();
    let (task, send) = suspended(&scheduler, "watched");
    let watch = task.watch();
    let spawn_watcher = |_| {
        let watch = watch.clone();
        scheduler.spawn(watch)
    };
    let watchers: Vec<_> = (0..50).map(spawn_watcher).collect();
    until("all watch", || {
        watchers
            .iter()
            .all(|task| task.state() == TaskState::Suspended)
    });
    assert!(!watch.is_finished());
    send.send(11).unwrap();
    for ended in join_all(watchers) {
        ended.unwrap();
    }
    assert_eq!(watch.state(), TaskState::Finished);
    assert_eq!(watch.name(), "watched");
    assert_eq!(wait_for("the owner", task).unwrap(), 11);
    // A watch can be asked again, also when nothing is left of the task.
    wait_for("the watch", watch.clone()).unwrap();
    wait_for("the watch again", watch).unwrap();
}

#[test]
fn watches_tell_of_an_error_early_and_late() {
    let scheduler = one_slot();
    let (task, send) = suspended(&scheduler, "cancelled");
    let early = task.watch();
    task.cancel();
    assert!(
        wait_for("the early watch", early)
            .unwrap_err()
            .is_cancelled()
    );
    let late = task.watch();
    assert!(wait_for("the late watch", late).unwrap_err().is_cancelled());
    assert!(wait_for("the owner", task).unwrap_err().is_cancelled());
    drop(send);
}

#[test]
fn a_watch_that_is_dropped_while_it_waits_does_no_harm() {
    let scheduler = one_slot();
    let (task, send) = suspended(&scheduler, "watched");
    let spawn_watcher = |watch: Watch| scheduler.spawn(async move { watch.await.is_ok() });
    let quitter = spawn_watcher(task.watch());
    let stayer = spawn_watcher(task.watch());
    until("both watch", || stayer.state() == TaskState::Suspended);
    quitter.cancel();
    assert!(wait_for("the quitter", quitter).unwrap_err().is_cancelled());
    send.send(1).unwrap();
    assert_eq!(join_all([stayer]), [true]);
    assert_eq!(join_all([task]), [1]);
}

#[test]
fn a_handle_says_where_its_task_is_on_its_way() {
    let scheduler = one_slot();
    let gate = hold_slot(&scheduler);
    let inside = Gate::closed("inside of the poll");
    let (send, receive) = oneshot::channel::<()>();
    let door = inside.door();
    let first = scheduler.spawn(async move {
        door.pass();
        receive.await.unwrap();
    });
    let second = scheduler.task().after(&first).spawn(async {});
    assert_eq!(first.state(), TaskState::Ready);
    assert_eq!(second.state(), TaskState::Blocked);
    gate.open();
    inside.wait_for_arrivals(1);
    assert_eq!(first.state(), TaskState::Running);
    inside.open();
    until("the first is suspended", || {
        first.state() == TaskState::Suspended
    });
    assert_eq!(second.state(), TaskState::Blocked);
    send.send(()).unwrap();
    until("both are finished", || {
        first.is_finished() && second.is_finished()
    });
    assert_eq!(second.state(), TaskState::Finished);
    join_all([first, second]);
}

#[test]
fn a_handle_knows_what_its_task_was_spawned_with() {
    let scheduler = one_slot();
    let gate = hold_slot(&scheduler);
    let plain = scheduler.spawn(async {});
    assert_eq!((plain.priority(), plain.lane()), (Priority::Mid, Lane::Io));
    let place = plain.name().to_string();
    assert!(place.contains("handles.rs:"), "{place}");
    let named = scheduler
        .task()
        .name(format!("number {}", 7))
        .priority(Priority::Batch)
        .cpu();
    let named = named.spawn(async {});
    assert_eq!(named.name(), "number 7");
    assert_eq!(
        (named.priority(), named.lane()),
        (Priority::Batch, Lane::Cpu)
    );
    assert_eq!(named.effective_priority(), Priority::Batch);
    let boosting = scheduler
        .task()
        .priority(Priority::Production)
        .after(&plain)
        .spawn(async {});
    assert_eq!(plain.priority(), Priority::Mid);
    assert_eq!(plain.effective_priority(), Priority::Production);
    gate.open();
    join_all([plain, named, boosting]);
}

/// The explanation with a `T` for each time.
fn without_times(explanation: &Explanation) -> String {
    let line = |line: &str| {
        let words = line.split(' ').map(|word| {
            let is_time = word.starts_with(|first: char| first.is_ascii_digit());
            if is_time { "T" } else { word }
        });
        words.collect::<Vec<_>>().join(" ")
    };
    let text = explanation.to_string();
    // With the feature `stack`, each frame is a line more.
    let lines = text.lines().filter(|line| !line.starts_with("      at "));
    lines.map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn explain_tells_the_chain_of_blockers_down_to_where_it_hangs() {
    let scheduler = one_slot();
    let gate = Gate::closed("the computation");
    let door = gate.door();
    let compute = scheduler
        .task()
        .name("compute")
        .spawn_fn(move || door.pass());
    gate.wait_for_arrivals(1);
    let merge = scheduler
        .task()
        .name("merge")
        .priority(Priority::Batch)
        .after(&compute);
    let merge = merge.spawn(async {});
    let (merge_id, watch) = (merge.id(), merge.watch());
    let report = scheduler
        .task()
        .name("report")
        .priority(Priority::Production);
    let report = report.spawn(async move { merge.await.unwrap() });
    until("the report waits", || {
        report.state() == TaskState::Suspended
    });
    until("the poll has been looked at", || {
        let chain = report.explain().chain;
        chain.last().unwrap().lasting_poll.is_some()
    });
    assert_eq!(
        without_times(&report.explain()),
        "\"report\" (suspended), has waited for T\n  \
         waits on \"merge\" (not started: its dependencies are unfinished), has waited for T\n  \
         waits on \"compute\" (running on the cpu lane at production), blocked in one poll for T"
    );
    let chain = scheduler.explain(merge_id).unwrap().chain;
    let links: Vec<_> = chain
        .iter()
        .map(|link| (link.name.to_string(), link.state))
        .collect();
    let expected = [
        ("merge", TaskState::Blocked),
        ("compute", TaskState::Running),
    ];
    assert_eq!(
        links,
        expected.map(|(name, state)| (name.to_owned(), state))
    );
    gate.open();
    join_all([report, compute]);
    wait_for("merge", watch).unwrap();
}

#[test]
fn explain_tells_what_is_queued_and_what_waits_for_no_task() {
    let scheduler = one_slot();
    let (waits, send) = suspended(&scheduler, "waits");
    let text = waits.explain().to_string();
    assert_eq!(
        text,
        "\"waits\" (suspended: waits for something unknown, such as I/O, a timer, \
         a value of a channel, or a lock or channel of Tokio's)"
    );
    let gate = hold_slot(&scheduler);
    let queued = scheduler
        .task()
        .name("queued")
        .priority(Priority::Free)
        .spawn(async { 0 });
    assert_eq!(
        without_times(&queued.explain()),
        "\"queued\" (queued on the io lane at free), for T"
    );
    gate.open();
    send.send(0).unwrap();
    until("it has ended", || queued.is_finished());
    assert_eq!(queued.explain().to_string(), "\"queued\" (finished)");
    join_all([queued, waits]);
}

#[test]
fn ids_are_never_used_twice_and_old_ones_reach_nobody() {
    let scheduler = one_slot();
    let mut ids = HashSet::new();
    for _ in 0..200 {
        let tasks: Vec<_> = (0..10).map(|_| scheduler.spawn(yield_now())).collect();
        assert!(tasks.iter().all(|task| ids.insert(task.id())));
        join_all(tasks);
    }
    // The places of the ended tasks belong to these now.
    let new: Vec<_> = (0..10).map(|_| suspended(&scheduler, "new")).collect();
    assert!(!ids.iter().any(|&id: &TaskId| scheduler.cancel(id)));
    assert!(ids.iter().all(|&id| scheduler.explain(id).is_none()));
    for (task, send) in new {
        send.send(5).unwrap();
        assert_eq!(join_all([task]), [5]);
    }
}

#[test]
fn after_shutdown_tasks_are_rejected() {
    let scheduler = one_slot();
    shut_down(&scheduler, Duration::ZERO);
    let rejected = [
        scheduler.spawn(async { 1 }),
        scheduler.task().name("late").spawn(async { 1 }),
        scheduler.cpu(|| 1),
        scheduler.blocking(|| 1),
    ];
    let ids: HashSet<_> = rejected.iter().map(TaskHandle::id).collect();
    assert_eq!(ids.len(), 4);
    assert_eq!(rejected[1].name(), "late");
    for task in rejected {
        assert!(task.is_finished());
        task.cancel();
        assert!(
            wait_for("the watch", task.watch())
                .unwrap_err()
                .is_rejected()
        );
        let error: TaskError = wait_for("the rejected task", task).unwrap_err();
        assert!(error.is_rejected(), "{error}");
    }
    let stats = scheduler.stats();
    assert_eq!((stats.spawned, stats.finished, stats.live), (0, 0, 0));
    assert_eq!(stats.rejected, 4);
}

#[test]
fn polling_a_handle_after_it_was_ready_panics_and_harms_nobody() {
    let scheduler = one_slot();
    let mut task = scheduler.spawn(async { 1 });
    assert_eq!(wait_for("the task", &mut task).unwrap(), 1);
    let again = catch_unwind(AssertUnwindSafe(|| wait_for("the task again", &mut task)));
    assert!(again.is_err());
    assert_eq!(join_all([scheduler.spawn(async { 2 })]), [2]);
}

#[test]
fn awaiting_a_borrowed_handle_can_be_given_up_and_begun_again() {
    let scheduler = one_slot();
    let (mut task, send) = suspended(&scheduler, "slow");
    let patient = scheduler.spawn(async move {
        for _ in 0..3 {
            let limit = Duration::from_millis(1);
            assert!(tokio::time::timeout(limit, &mut task).await.is_err());
        }
        send.send(9).unwrap();
        task.await.unwrap()
    });
    assert_eq!(join_all([patient]), [9]);
}
