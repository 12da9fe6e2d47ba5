//! Every way in which a task can end without a value, and what is said then.

mod support;

use adaptive_task_scheduler::{Scheduler, TaskError, TaskErrorKind, TaskHandle, TaskId, TaskState};
use std::{
    error::Error,
    fmt,
    future::{Future, pending},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};
use support::{hold_slot, join_all, one_slot, plain, shut_down, until, wait_for};
use tokio::sync::oneshot;

fn error_of<T: fmt::Debug + 'static>(task: TaskHandle<T>) -> TaskError {
    wait_for("a task that fails", task).unwrap_err()
}

/// Panics with a bomb when it is polled, and once more when it is dropped.
struct Minefield;

impl Future for Minefield {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        std::panic::panic_any(Bomb("the payload of the poll"))
    }
}

impl Drop for Minefield {
    fn drop(&mut self) {
        std::panic::panic_any("the destructor")
    }
}

#[test]
fn of_two_panics_the_first_may_panic_when_it_is_given_up_for_the_second() {
    let scheduler = one_slot();
    let error = error_of(scheduler.spawn(Minefield));
    assert_eq!(error.panic_message(), Some("the destructor"));
    check_alive(&scheduler);
}

/// Spawns a task that runs after its own when it is dropped.
struct Successor(Scheduler, Arc<std::sync::OnceLock<TaskId>>);

impl Drop for Successor {
    fn drop(&mut self) {
        let own = self.1.get().expect("the task was spawned");
        self.0.task().after(own).spawn(async {}).detach();
    }
}

impl fmt::Display for Successor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the next, please")
    }
}

impl fmt::Debug for Successor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for Successor {}

#[test]
fn an_error_may_deal_with_its_task_when_it_is_dropped() {
    let scheduler = one_slot();
    let id = Arc::default();
    let gate = hold_slot(&scheduler);
    let error = Successor(scheduler.clone(), Arc::clone(&id));
    let task = scheduler
        .task()
        .spawn_try(async move { Err::<(), _>(error) });
    id.set(task.id()).expect("it is set once");
    task.detach();
    drop(gate);
    check_alive(&scheduler);
}

/// The scheduler's one slot still polls tasks.
fn check_alive(scheduler: &Scheduler) {
    let task = scheduler.spawn(async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        "alive"
    });
    assert_eq!(join_all([task]), ["alive"]);
}

/// Panics when it is dropped.
#[derive(Debug)]
struct Bomb(&'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("{}", self.0);
        }
    }
}

#[test]
fn a_panic_in_a_poll_comes_with_its_message_and_payload() {
    let scheduler = one_slot();
    let text = scheduler
        .task()
        .name("text")
        .spawn(async { panic!("plain text") });
    let error: TaskError = error_of::<()>(text);
    assert_eq!(error.kind(), TaskErrorKind::Panicked);
    assert_eq!(error.panic_message(), Some("plain text"));
    assert_eq!(error.to_string(), "task \"text\" panicked: plain text");
    assert_eq!(
        error.into_panic().unwrap().downcast_ref(),
        Some(&"plain text")
    );

    let number = 3;
    let formatted: TaskHandle<()> = scheduler.spawn(async move { panic!("number {number}") });
    assert_eq!(error_of(formatted).panic_message(), Some("number 3"));

    let value: TaskHandle<()> = scheduler.spawn(async { std::panic::panic_any(17_u64) });
    let error = error_of(value);
    let copy = error.clone();
    assert_eq!(error.into_panic().unwrap().downcast_ref(), Some(&17_u64));
    // The payload is given once; the kind and the message stay.
    assert!(copy.into_panic().unwrap_err().is_panic());
    check_alive(&scheduler);
}

#[test]
fn a_panic_after_a_suspension_and_in_a_closure_is_a_value_too() {
    let scheduler = plain()
        .io_slots(1)
        .blocking_limit(1)
        .build_runtime()
        .unwrap();
    let late: TaskHandle<()> = scheduler.spawn(async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        panic!("late");
    });
    assert_eq!(error_of(late).panic_message(), Some("late"));
    let cpu = scheduler.cpu(|| -> u8 { panic!("on the cpu lane") });
    assert_eq!(error_of(cpu).panic_message(), Some("on the cpu lane"));
    let blocking = scheduler.blocking(|| -> u8 { panic!("on the blocking lane") });
    assert_eq!(
        error_of(blocking).panic_message(),
        Some("on the blocking lane")
    );
    // The lanes' only threads are still there.
    assert_eq!(
        join_all([scheduler.cpu(|| 1), scheduler.blocking(|| 2)]),
        [1, 2]
    );
}

#[test]
fn panics_that_nobody_sees_cost_no_slot() {
    let scheduler = one_slot();
    for _ in 0..100 {
        scheduler.spawn(async { panic!("unseen") }).detach();
    }
    until("all have ended", || scheduler.stats().live == 0);
    check_alive(&scheduler);
}

#[test]
fn a_panic_while_a_future_is_dropped_is_what_its_task_ends_with() {
    let scheduler = one_slot();
    let (wake, woken) = oneshot::channel::<()>();
    let completes = scheduler.spawn(async move {
        let _bomb = Bomb("dropped at the end");
        woken.await.unwrap();
    });
    wake.send(()).unwrap();
    assert_eq!(
        error_of(completes).panic_message(),
        Some("dropped at the end")
    );

    let cancelled = scheduler.spawn(async {
        let _bomb = Bomb("dropped by cancelling");
        pending::<()>().await;
    });
    until("it is suspended", || {
        cancelled.state() == TaskState::Suspended
    });
    cancelled.cancel();
    assert_eq!(
        error_of(cancelled).panic_message(),
        Some("dropped by cancelling")
    );

    let gate = hold_slot(&scheduler);
    let bomb = Bomb("dropped before its start");
    let queued = scheduler.spawn(async move { drop(bomb) });
    queued.cancel();
    gate.open();
    assert_eq!(
        error_of(queued).panic_message(),
        Some("dropped before its start")
    );
    check_alive(&scheduler);
}

#[test]
fn a_panic_while_the_output_is_dropped_harms_nobody() {
    let scheduler = one_slot();
    // Dropped by the carrier, since nobody wants it.
    scheduler
        .spawn(async { Bomb("an unwanted output") })
        .detach();
    until("it has ended", || scheduler.stats().live == 0);
    // Dropped with the handle, on this thread.
    let task = scheduler.spawn(async { Bomb("an output dropped with its handle") });
    until("it has ended", || task.is_finished());
    drop(task);
    // Dropped by whoever took it.
    let task = scheduler.spawn(async { Bomb("a taken output") });
    let output = join_all([task]).remove(0);
    std::mem::forget(output);
    check_alive(&scheduler);
}

#[test]
fn a_panic_payload_or_error_that_panics_when_dropped_harms_nobody() {
    let scheduler = one_slot();
    scheduler
        .spawn(async { std::panic::panic_any(Bomb("a payload")) })
        .detach();
    until("it has ended", || scheduler.stats().live == 0);
    check_alive(&scheduler);

    let task = scheduler
        .task()
        .spawn_try(async { Err::<(), _>(BadError(Bomb("an error"))) });
    task.detach();
    until("it has ended", || scheduler.stats().live == 0);
    check_alive(&scheduler);
}

#[derive(Debug)]
struct BadError(#[allow(dead_code, reason = "only its drop matters")] Bomb);

impl fmt::Display for BadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bad")
    }
}

impl Error for BadError {}

struct PanickingWaker;

impl Wake for PanickingWaker {
    fn wake(self: Arc<Self>) {
        panic!("a waker of somebody else");
    }
}

#[test]
fn a_panic_in_a_foreign_waker_harms_neither_the_task_nor_its_other_watchers() {
    let scheduler = one_slot();
    let (send, receive) = oneshot::channel::<u8>();
    let mut task = scheduler.spawn(async move { receive.await.unwrap() });
    let mut bad_watch = task.watch();
    let good_watch = task.watch();
    let waker = Waker::from(Arc::new(PanickingWaker));
    let mut cx = Context::from_waker(&waker);
    assert!(Pin::new(&mut bad_watch).poll(&mut cx).is_pending());
    assert!(Pin::new(&mut task).poll(&mut cx).is_pending());
    let good = scheduler.spawn(good_watch);
    until("the good watch waits", || {
        good.state() == TaskState::Suspended
    });
    send.send(8).unwrap();
    join_all([good]).remove(0).unwrap();
    wait_for("the bad watch, with a good waker", bad_watch).unwrap();
    assert_eq!(wait_for("the task, with a good waker", task).unwrap(), 8);
    check_alive(&scheduler);
}

#[test]
fn an_error_of_the_tasks_own_comes_as_it_is() {
    let scheduler = one_slot();
    let name = || scheduler.task().name("read");
    let missing = || std::io::Error::new(std::io::ErrorKind::NotFound, "no such file");
    let error = error_of(name().spawn_try(async move { Err::<(), _>(missing()) }));
    assert!(error.is_failed());
    assert_eq!(error.to_string(), "task \"read\" failed: no such file");
    let source = error
        .source()
        .unwrap()
        .downcast_ref::<std::io::Error>()
        .unwrap();
    assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
    let text = error_of(name().spawn_try(async { Err::<(), _>("a text") }));
    assert_eq!(text.source().unwrap().to_string(), "a text");
    let good = name().spawn_try(async { Ok::<_, std::io::Error>(4) });
    assert_eq!(join_all([good]), [4]);
}

#[test]
fn a_suspended_task_times_out_and_is_dropped() {
    let scheduler = one_slot();
    let (alive, dropped) = oneshot::channel::<()>();
    let task = scheduler
        .task()
        .name("slow")
        .timeout(Duration::from_millis(5));
    let task = task.spawn(async move {
        let _alive = alive;
        pending::<()>().await;
    });
    let error = error_of(task);
    assert_eq!(error.kind(), TaskErrorKind::TimedOut);
    assert_eq!(error.to_string(), "task \"slow\" took longer than 5ms");
    wait_for("the future to be dropped", dropped).unwrap_err();
}

#[test]
fn a_task_that_is_always_ready_times_out_too() {
    let scheduler = one_slot();
    let task = scheduler.task().timeout(Duration::from_millis(5));
    let task: TaskHandle<()> = task.spawn(async {
        loop {
            tokio::task::coop::consume_budget().await;
        }
    });
    assert!(error_of(task).is_timeout());
}

#[test]
fn the_time_before_the_first_poll_does_not_count() {
    let scheduler = one_slot();
    let gate = hold_slot(&scheduler);
    let task = scheduler
        .task()
        .timeout(Duration::from_millis(1))
        .spawn(async { "in time" });
    std::thread::sleep(Duration::from_millis(5));
    gate.open();
    assert_eq!(join_all([task]), ["in time"]);
}

#[test]
fn a_chain_of_failed_dependencies_names_the_root_cause() {
    let scheduler = one_slot();
    let gate = hold_slot(&scheduler);
    let fetch = scheduler
        .task()
        .name("fetch")
        .spawn_try(async { Err::<(), _>("offline") });
    let parse = scheduler.task().name("parse").after(&fetch).spawn(async {});
    let index = scheduler.task().name("index").after(&parse).spawn(async {});
    let page = scheduler.task().name("page").after(&index).spawn(async {});
    let ids = [page.id(), index.id(), parse.id(), fetch.id()];
    gate.open();
    let error = error_of(page);
    assert!(error.is_dependency());
    let chain: Vec<_> = std::iter::successors(Some(&error), |error| error.dependency()).collect();
    assert_eq!(
        chain.iter().map(|error| error.task()).collect::<Vec<_>>(),
        ids
    );
    let names: Vec<_> = chain.iter().map(|error| error.name().to_string()).collect();
    assert_eq!(names, ["page", "index", "parse", "fetch"]);
    assert_eq!(error.root_cause().name(), &"fetch");
    assert!(error.root_cause().is_failed());
    assert_eq!(
        error.to_string(),
        "task \"page\" was not run: task \"fetch\" failed: offline"
    );
    // The chain of sources leads down to the task's own error.
    let mut source: &dyn Error = &error;
    while let Some(next) = source.source() {
        source = next;
    }
    assert_eq!(source.to_string(), "offline");
    assert!(error_of(index).is_dependency() && error_of(parse).is_dependency());
    assert!(error_of(fetch).is_failed());
}

#[test]
fn every_kind_of_error_is_told_from_the_others() {
    let scheduler = one_slot();
    let failed = scheduler.task().spawn_try(async { Err::<(), _>("failed") });
    let panicked: TaskHandle<()> = scheduler.spawn(async { panic!("expected by the test") });
    let cancelled = scheduler.spawn(pending::<()>());
    cancelled.cancel();
    let timed_out = scheduler
        .task()
        .timeout(Duration::ZERO)
        .spawn(pending::<()>());
    let dependency = scheduler.task().after(&failed).spawn(async {});
    let shut_down_task = scheduler.spawn(pending::<()>());
    let (tell, told) = oneshot::channel::<TaskHandle<()>>();
    let cycle = scheduler
        .task()
        .spawn_try(async move { told.await.unwrap().await });
    until("it waits for its own handle", || {
        cycle.state() == TaskState::Suspended
    });
    let watch = cycle.watch();
    tell.send(cycle).unwrap();
    let cycle = wait_for("the cycle", watch).unwrap_err();
    let cycle = cycle
        .source()
        .unwrap()
        .downcast_ref::<TaskError>()
        .unwrap()
        .clone();
    let mut errors = [failed, panicked, cancelled, timed_out, dependency]
        .map(error_of)
        .to_vec();
    shut_down(&scheduler, Duration::ZERO);
    errors.push(error_of(scheduler.spawn(async {})));
    errors.push(error_of(shut_down_task));
    errors.push(cycle);
    use TaskErrorKind as Kind;
    let kinds = [
        Kind::Failed,
        Kind::Panicked,
        Kind::Cancelled,
        Kind::TimedOut,
        Kind::Dependency,
        Kind::Rejected,
        Kind::ShutDown,
        Kind::Cycle,
    ];
    let ask: [fn(&TaskError) -> bool; 8] = [
        TaskError::is_failed,
        TaskError::is_panic,
        TaskError::is_cancelled,
        TaskError::is_timeout,
        TaskError::is_dependency,
        TaskError::is_rejected,
        TaskError::is_shutdown,
        TaskError::is_cycle,
    ];
    for (error, kind) in errors.iter().zip(kinds) {
        assert_eq!(error.kind(), kind, "{error}");
        let holds: Vec<_> = (0..8)
            .filter(|&at| ask[at](error))
            .map(|at| kinds[at])
            .collect();
        assert_eq!(holds, [kind], "{error}");
        assert_eq!(error.panic_message().is_some(), kind == Kind::Panicked);
        assert_eq!(error.dependency().is_some(), kind == Kind::Dependency);
        assert_eq!(error.cycle().is_some(), kind == Kind::Cycle);
        assert!(!error.to_string().is_empty() && !format!("{error:?}").is_empty());
    }
}
