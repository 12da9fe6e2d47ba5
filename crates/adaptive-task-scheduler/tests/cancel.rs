//! Cancelling a task in each of its states, in each mode.

mod support;

use adaptive_task_scheduler::{
    CancelMode, Cancelled, Scheduler, TaskHandle, TaskState, checkpoint, is_cancelled, yield_now,
};
use std::{
    fmt,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use support::{Gate, Order, hold_slot, join_all, one_slot, until, wait_for};
use tokio::sync::oneshot;

fn check_cancelled<T: fmt::Debug + 'static>(task: TaskHandle<T>) {
    let error = wait_for("the cancelled task", task).unwrap_err();
    assert!(error.is_cancelled(), "{error}");
}

/// Counts how many of its clones were dropped.
#[derive(Clone, Default)]
struct Drops(Arc<AtomicUsize>);

impl Drop for Drops {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn suspend<T>(task: &TaskHandle<T>) {
    until("the task is suspended", || {
        task.state() == TaskState::Suspended
    });
}

#[test]
fn a_blocked_task_is_dropped_without_waiting_for_its_dependency() {
    let scheduler = one_slot();
    let blocker = scheduler.spawn(pending::<()>());
    let drops = Drops::default();
    let count = Arc::clone(&drops.0);
    let blocked = scheduler
        .task()
        .after(&blocker)
        .spawn(async move { drop(drops) });
    assert_eq!(blocked.state(), TaskState::Blocked);
    blocked.cancel();
    check_cancelled(blocked);
    assert_eq!(count.load(Ordering::SeqCst), 1);
    suspend(&blocker);
    blocker.cancel();
    check_cancelled(blocker);
}

#[test]
fn a_ready_task_is_dropped_without_being_polled() {
    let scheduler = one_slot();
    let gate = hold_slot(&scheduler);
    let order = Order::new();
    let noted = order.clone();
    let task = scheduler.spawn(async move { noted.note("polled") });
    assert_eq!(task.state(), TaskState::Ready);
    task.cancel();
    gate.open();
    check_cancelled(task);
    assert_eq!(order.seen(), [""; 0]);
}

#[test]
fn a_running_task_is_dropped_at_its_next_suspension() {
    let scheduler = one_slot();
    let gate = Gate::closed("inside of the poll");
    let door = gate.door();
    let order = Order::new();
    let noted = order.clone();
    let task = scheduler.spawn(async move {
        door.pass();
        noted.note(is_cancelled());
        yield_now().await;
        noted.note(false);
    });
    gate.wait_for_arrivals(1);
    assert_eq!(task.state(), TaskState::Running);
    task.cancel();
    gate.open();
    check_cancelled(task);
    assert_eq!(order.seen(), [true]);
}

#[test]
fn a_running_task_that_does_not_suspend_again_gives_its_value() {
    let scheduler = one_slot();
    let gate = Gate::closed("inside of the poll");
    let door = gate.door();
    let task = scheduler.spawn(async move {
        door.pass();
        "what it returns counts"
    });
    gate.wait_for_arrivals(1);
    task.cancel();
    gate.open();
    assert_eq!(join_all([task]), ["what it returns counts"]);
}

#[test]
fn a_suspended_task_is_dropped_at_once() {
    let scheduler = one_slot();
    let drops = Drops::default();
    let count = Arc::clone(&drops.0);
    let task = scheduler.spawn(async move {
        pending::<()>().await;
        drop(drops);
    });
    suspend(&task);
    assert!(scheduler.cancel(task.id()));
    assert!(!scheduler.cancel(task.id()) || task.is_finished());
    check_cancelled(task);
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[test]
fn a_finished_task_keeps_its_value() {
    let scheduler = one_slot();
    let task = scheduler.spawn(async { 3 });
    until("it has ended", || task.is_finished());
    task.cancel();
    assert!(!scheduler.cancel(task.id()));
    assert_eq!(join_all([task]), [3]);
}

#[test]
fn a_task_can_cancel_itself() {
    let scheduler = one_slot();
    let task = scheduler.spawn(async {
        let me = adaptive_task_scheduler::current_task().unwrap();
        assert!(Scheduler::current().cancel(me));
        assert!(is_cancelled());
        pending::<()>().await;
    });
    check_cancelled(task);
}

#[test]
fn those_who_wait_on_a_cancelled_task_are_told() {
    let scheduler = one_slot();
    let task = scheduler.task().name("cancelled").spawn(pending::<()>());
    let after = scheduler.task().after(&task).spawn(async {});
    let watch = task.watch();
    let id = task.id();
    let owner = scheduler.spawn(async move { task.await.unwrap_err().is_cancelled() });
    suspend(&owner);
    assert!(scheduler.cancel(id));
    assert_eq!(join_all([owner]), [true]);
    assert!(wait_for("the watch", watch).unwrap_err().is_cancelled());
    let error = wait_for("the dependent", after).unwrap_err();
    assert!(error.is_dependency() && error.root_cause().is_cancelled());
    assert_eq!(error.root_cause().name(), &"cancelled");
}

#[test]
fn a_cooperating_task_is_woken_asks_and_ends_with_its_value() {
    let scheduler = one_slot();
    let task = scheduler
        .task()
        .on_cancel(CancelMode::Cooperate)
        .spawn(async {
            std::future::poll_fn(|_| match is_cancelled() {
                true => std::task::Poll::Ready(()),
                false => std::task::Poll::Pending,
            })
            .await;
            yield_now().await;
            "tidied up"
        });
    suspend(&task);
    task.cancel();
    assert_eq!(join_all([task]), ["tidied up"]);
}

#[test]
fn a_task_that_has_not_begun_cannot_cooperate_and_is_dropped() {
    let scheduler = one_slot();
    let gate = hold_slot(&scheduler);
    let spawn = || scheduler.task().on_cancel(CancelMode::Cooperate);
    let ready = spawn().spawn(async {});
    let blocker = scheduler.spawn(pending::<()>());
    let blocked = spawn().after(&blocker).spawn(async {});
    ready.cancel();
    blocked.cancel();
    gate.open();
    check_cancelled(ready);
    check_cancelled(blocked);
    blocker.cancel();
    check_cancelled(blocker);
}

#[test]
fn a_shielded_task_ignores_cancelling_in_every_state() {
    let scheduler = one_slot();
    let gate = hold_slot(&scheduler);
    let inside = Gate::closed("inside of the poll");
    let door = inside.door();
    let (wake, woken) = oneshot::channel::<()>();
    let first = scheduler.spawn(async {});
    let task = scheduler
        .task()
        .on_cancel(CancelMode::Shield)
        .after(&first)
        .spawn(async move {
            door.pass();
            woken.await.unwrap();
            is_cancelled()
        });
    task.cancel();
    assert_eq!(task.state(), TaskState::Blocked);
    gate.open();
    inside.wait_for_arrivals(1);
    assert!(!scheduler.cancel(task.id()));
    inside.open();
    suspend(&task);
    task.cancel();
    wake.send(()).unwrap();
    assert_eq!(join_all([task]), [false]);
    join_all([first]);
}

#[test]
fn closures_end_at_a_checkpoint_or_give_their_value() {
    let scheduler = one_slot();
    for lane in [CPU, BLOCKING] {
        let gate = Gate::closed("inside of the closure");
        let door = gate.door();
        let asks = lane(
            &scheduler,
            Box::new(move || {
                checkpoint()?;
                door.pass();
                checkpoint()
            }),
        );
        gate.wait_for_arrivals(1);
        asks.cancel();
        gate.open();
        assert_eq!(join_all([asks]), [Err(Cancelled)]);

        let gate = Gate::closed("inside of the closure");
        let door = gate.door();
        let does_not_ask = lane(
            &scheduler,
            Box::new(move || {
                door.pass();
                Ok(())
            }),
        );
        gate.wait_for_arrivals(1);
        does_not_ask.cancel();
        gate.open();
        assert_eq!(join_all([does_not_ask]), [Ok(())]);
    }
}

type Closure = Box<dyn FnOnce() -> Result<(), Cancelled> + Send>;
type OnLane = fn(&Scheduler, Closure) -> TaskHandle<Result<(), Cancelled>>;
const CPU: OnLane = |scheduler, closure| scheduler.cpu(closure);
const BLOCKING: OnLane = |scheduler, closure| scheduler.blocking(closure);

#[test]
fn a_queued_closure_is_dropped_without_being_called() {
    let scheduler = one_slot();
    let gate = Gate::closed("the cpu lane's only thread");
    let door = gate.door();
    let holder = scheduler.cpu(move || door.pass());
    gate.wait_for_arrivals(1);
    let drops = Drops::default();
    let count = Arc::clone(&drops.0);
    let queued = scheduler.cpu(move || drop(drops));
    queued.cancel();
    gate.open();
    check_cancelled(queued);
    assert_eq!(count.load(Ordering::SeqCst), 1);
    join_all([holder]);
}

#[test]
fn every_task_of_a_crowd_ends_once_whenever_it_is_cancelled() {
    let scheduler = Scheduler::builder().io_slots(2);
    let scheduler = scheduler.build_runtime().unwrap();
    let drops = Drops::default();
    let tasks: Vec<_> = (0..2_000)
        .map(|number| {
            let drops = drops.clone();
            scheduler.spawn(async move {
                for _ in 0..number % 7 {
                    yield_now().await;
                }
                drop(drops);
                number
            })
        })
        .collect();
    for task in &tasks {
        task.cancel();
    }
    for (number, task) in tasks.into_iter().enumerate() {
        match wait_for("a task of the crowd", task) {
            Ok(value) => assert_eq!(value, number),
            Err(error) => assert!(error.is_cancelled(), "{error}"),
        }
    }
    assert_eq!(drops.0.load(Ordering::SeqCst), 2_000);
    let stats = scheduler.stats();
    assert_eq!(
        (stats.spawned, stats.finished, stats.live),
        (2_000, 2_000, 0)
    );
}
