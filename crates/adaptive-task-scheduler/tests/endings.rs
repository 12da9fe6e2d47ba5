//! The end of a scheduler: shut down in order, or dropped with tasks in every
//! state. Nothing may hang, nothing may be left, and every handle is told.

mod support;

use adaptive_task_scheduler::{Builder, CancelMode, Scheduler, TaskHandle, TaskState};
use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};
use support::{Gate, LIMIT, join_all, one_slot, plain, runtime, shut_down, until, wait_for};
use tokio::sync::oneshot;

/// Counts threads of a scheduler, through its hooks.
#[derive(Clone, Default)]
struct Threads(Arc<AtomicUsize>);

impl Threads {
    fn counted_by(&self, builder: Builder) -> Builder {
        let (starts, stops) = (Arc::clone(&self.0), Arc::clone(&self.0));
        builder
            .on_thread_start(move || {
                starts.fetch_add(1, Ordering::SeqCst);
            })
            .on_thread_stop(move || {
                stops.fetch_sub(1, Ordering::SeqCst);
            })
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    fn until_gone(&self) {
        until("the scheduler's threads are gone", || self.count() == 0);
    }
}

fn is_told<T: std::fmt::Debug + 'static>(task: TaskHandle<T>) {
    let error = wait_for("a task that the end leaves behind", task).unwrap_err();
    assert!(error.root_cause().is_shutdown(), "{error}");
}

/// Tasks in each state, and the gate that holds those that are running.
struct Crowd {
    gate: Gate,
    running: Vec<TaskHandle<&'static str>>,
    to_be_ended: Vec<TaskHandle<&'static str>>,
    done: TaskHandle<&'static str>,
    dropped: Vec<oneshot::Receiver<()>>,
}

impl Crowd {
    /// On a scheduler with one slot, one CPU thread and one blocking runner.
    fn gather(scheduler: &Scheduler) -> Self {
        let gate = Gate::closed("the running tasks");
        let done = scheduler.spawn(async { "done before" });
        until("one is done", || done.is_finished());
        let mut dropped = Vec::new();
        let mut never = || {
            let (alive, dropping) = oneshot::channel::<()>();
            dropped.push(dropping);
            async move {
                let _alive = alive;
                pending::<&'static str>().await
            }
        };
        let suspended = scheduler.spawn(never());
        let shielded = scheduler
            .task()
            .on_cancel(CancelMode::Shield)
            .spawn(never());
        let is_suspended = |task: &TaskHandle<_>| task.state() == TaskState::Suspended;
        until("two are suspended", || {
            is_suspended(&suspended) && is_suspended(&shielded)
        });
        let run = || {
            let door = gate.door();
            move || {
                door.pass();
                "was running"
            }
        };
        let (on_io, on_cpu, on_blocking) = (run(), run(), run());
        let running = vec![
            scheduler.spawn(async move { on_io() }),
            scheduler.cpu(on_cpu),
            scheduler.blocking(on_blocking),
        ];
        gate.wait_for_arrivals(3);
        let queued = [
            scheduler.spawn(never()),
            scheduler.task().cpu().spawn(never()),
            scheduler.task().blocking().spawn(never()),
        ];
        assert!(queued.iter().all(|task| task.state() == TaskState::Ready));
        let blocked = scheduler.task().after(&suspended).spawn(never());
        let deep = scheduler.task().after(&blocked).spawn(never());
        let mut to_be_ended = vec![suspended, shielded, blocked, deep];
        to_be_ended.extend(queued);
        Self {
            gate,
            running,
            to_be_ended,
            done,
            dropped,
        }
    }

    /// The scheduler has ended.
    fn check(self) {
        assert_eq!(join_all([self.done]), ["done before"]);
        self.to_be_ended.into_iter().for_each(is_told);
        for dropping in self.dropped {
            wait_for("the future to be dropped", dropping).unwrap_err();
        }
        self.gate.open();
        // What a running poll returns counts.
        assert_eq!(join_all(self.running), ["was running"; 3]);
    }
}

fn narrow() -> Builder {
    plain().io_slots(1).blocking_limit(1)
}

#[test]
fn a_dropped_scheduler_ends_tasks_in_every_state() {
    let threads = Threads::default();
    let scheduler = threads.counted_by(narrow()).build_runtime().unwrap();
    let crowd = Crowd::gather(&scheduler);
    drop(scheduler);
    crowd.check();
    threads.until_gone();
}

#[test]
fn a_scheduler_dropped_on_a_runtime_that_goes_on_ends_tasks_in_every_state() {
    let threads = Threads::default();
    let (runtime, _) = runtime(1);
    let scheduler = threads
        .counted_by(narrow())
        .build_on(runtime.handle().clone())
        .unwrap();
    let crowd = Crowd::gather(&scheduler);
    drop(scheduler);
    crowd.check();
    threads.until_gone();
    assert_eq!(runtime.block_on(async { 1 }), 1);
}

#[test]
fn a_shutdown_ends_tasks_in_every_state_and_reports_them() {
    let threads = Threads::default();
    let scheduler = threads.counted_by(narrow()).build_runtime().unwrap();
    let crowd = Crowd::gather(&scheduler);
    let ids: Vec<_> = crowd.running.iter().map(TaskHandle::id).collect();
    let report = shut_down(&scheduler, Duration::ZERO);
    assert_eq!((report.finished, report.ended), (0, 7), "{report:?}");
    let mut stuck: Vec<_> = report.stuck.iter().map(|(id, _)| *id).collect();
    stuck.sort_by_key(|id| ids.iter().position(|running| running == id));
    assert_eq!(stuck, ids);
    crowd.check();
    threads.until_gone();
    until("none is left", || scheduler.stats().live == 0);
}

#[test]
fn a_shutdown_lets_tasks_finish_within_its_limit() {
    let threads = Threads::default();
    let builder = threads.counted_by(Scheduler::builder().io_slots(2));
    let scheduler = builder.build_runtime().unwrap();
    let (go, gone) = oneshot::channel::<()>();
    let first = scheduler.spawn(async move { gone.await.is_ok() });
    let then = scheduler.task().after(&first).spawn(async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        true
    });
    let last = scheduler.task().cpu().after(&then).spawn(async { true });
    let closing = scheduler.clone();
    let report = thread::spawn(move || shut_down(&closing, LIMIT));
    // What is spawned from now on is rejected; what is there goes on.
    until("the scheduler is closed", || {
        wait_for("a late task", scheduler.spawn(async {})).is_err_and(|error| error.is_rejected())
    });
    go.send(()).unwrap();
    let report = report.join().unwrap();
    assert!(report.finished >= 3, "{report:?}");
    assert_eq!((report.ended, report.stuck.len()), (0, 0), "{report:?}");
    assert_eq!(join_all([first, then, last]), [true; 3]);
    threads.until_gone();
}

#[test]
fn shutting_down_twice_at_once_and_from_inside_does_no_harm() {
    let scheduler = Scheduler::builder().io_slots(2).build_runtime().unwrap();
    let left = scheduler.spawn(pending::<()>());
    let closing = scheduler.clone();
    let inside = scheduler
        .runtime()
        .spawn(async move { closing.shutdown(Duration::ZERO).await });
    shut_down(&scheduler, Duration::ZERO);
    wait_for("the other shutdown", inside).unwrap();
    assert_eq!(shut_down(&scheduler, LIMIT).ended, 0);
    is_told(left);
}

#[test]
fn a_task_that_shuts_its_own_scheduler_down_is_ended_or_reports() {
    let scheduler = Scheduler::builder().io_slots(1).build_runtime().unwrap();
    let other = scheduler.spawn(pending::<()>());
    let closing = scheduler.spawn(async {
        Scheduler::current()
            .shutdown(Duration::from_millis(1))
            .await
            .stuck
            .len()
    });
    // It waits for its own end, so it is among those that are ended.
    is_told(closing);
    is_told(other);
}

#[test]
fn the_last_handle_can_be_dropped_inside_of_a_task_on_every_lane() {
    type Spawn = fn(&Scheduler, Box<dyn FnOnce() + Send>) -> TaskHandle<()>;
    let lanes: [Spawn; 4] = [
        |scheduler, last| scheduler.spawn(async move { last() }),
        |scheduler, last| scheduler.cpu(last),
        |scheduler, last| scheduler.blocking(last),
        |scheduler, last| scheduler.spawn(async move { drop(tokio::spawn(async move { last() })) }),
    ];
    for lane in lanes {
        let threads = Threads::default();
        let scheduler = threads
            .counted_by(Scheduler::builder().io_slots(2))
            .build_runtime()
            .unwrap();
        let left = scheduler.spawn(pending::<()>());
        let (tell, told) = std::sync::mpsc::channel::<Scheduler>();
        let (dropped, ended) = oneshot::channel();
        let closure = Box::new(move || {
            drop(told.recv().unwrap());
            dropped.send(()).unwrap();
        });
        let task = lane(&scheduler, closure);
        tell.send(scheduler).unwrap();
        wait_for("the last handle to be dropped", ended).unwrap();
        // The closure's value counts, if it was not dropped before its start.
        drop(wait_for("the task", task));
        is_told(left);
        threads.until_gone();
    }
}

#[test]
fn the_last_handle_can_be_dropped_by_a_future_that_is_dropped() {
    let scheduler = one_slot();
    let held = scheduler.clone();
    let task = scheduler.spawn(async move {
        let _held = held;
        pending::<()>().await;
    });
    until("it is suspended", || task.state() == TaskState::Suspended);
    drop(scheduler);
    // The task itself keeps its scheduler alive.
    task.cancel();
    let error = wait_for("the task", task).unwrap_err();
    assert!(error.is_cancelled(), "{error}");
}

#[test]
fn dropping_never_waits_for_polls_that_do_not_return() {
    let threads = Threads::default();
    let builder = threads.counted_by(Scheduler::builder().io_slots(2).cpu_threads(1));
    let scheduler = builder.build_runtime().unwrap();
    let gate = Gate::closed("polls that do not return");
    let stick = || {
        let door = gate.door();
        move || door.pass()
    };
    let io: Vec<_> = (0..3)
        .map(|_| scheduler.task().io().spawn_fn(stick()))
        .collect();
    let closures = [scheduler.cpu(stick()), scheduler.blocking(stick())];
    gate.wait_for_arrivals(5);
    // Opened only when dropping has returned.
    drop(scheduler);
    gate.open();
    join_all(io.into_iter().chain(closures));
    threads.until_gone();
}

#[test]
fn a_stuck_task_that_was_told_to_end_ends_when_its_poll_returns() {
    let scheduler = one_slot();
    let gate = Gate::closed("the stuck poll");
    let door = gate.door();
    let stuck = scheduler.task().name("stuck").spawn(async move {
        door.pass();
        pending::<()>().await;
    });
    gate.wait_for_arrivals(1);
    let report = shut_down(&scheduler, Duration::ZERO);
    assert_eq!(report.stuck.len(), 1);
    assert_eq!(
        (report.stuck[0].0, report.stuck[0].1.to_string()),
        (stuck.id(), "stuck".into())
    );
    assert!(!stuck.is_finished());
    gate.open();
    is_told(stuck);
}

#[test]
fn a_hundred_schedulers_come_and_go_and_leave_no_thread() {
    let threads = Threads::default();
    for number in 0..100 {
        let scheduler = threads
            .counted_by(Scheduler::builder().io_slots(1))
            .build_runtime()
            .unwrap();
        let left = scheduler.spawn(pending::<()>());
        if number % 2 == 0 {
            join_all([scheduler.cpu(|| ())]);
        }
        drop(scheduler);
        is_told(left);
    }
    threads.until_gone();
}

#[cfg(target_os = "linux")]
#[test]
fn the_workers_of_a_runtime_of_its_own_go_away_too() {
    let count = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let names =
            tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names.filter(|name| name.starts_with("leaves")).count()
    };
    let scheduler = Scheduler::builder()
        .io_slots(2)
        .thread_name("leaves")
        .build_runtime()
        .unwrap();
    join_all([scheduler.cpu(|| ()), scheduler.blocking(|| ())]);
    assert!(count() >= 4);
    drop(scheduler);
    until("the threads are gone", || count() == 0);
}

#[test]
fn tasks_spawned_while_the_scheduler_ends_are_told() {
    for _ in 0..20 {
        let scheduler = Scheduler::builder().io_slots(2).build_runtime().unwrap();
        let spawner = {
            let scheduler = scheduler.clone();
            thread::spawn(move || {
                let spawn = |number| scheduler.spawn(async move { number });
                (0..500).map(spawn).collect::<Vec<_>>()
            })
        };
        shut_down(&scheduler, Duration::ZERO);
        for (number, task) in spawner.join().unwrap().into_iter().enumerate() {
            match wait_for("a task spawned meanwhile", task) {
                Ok(value) => assert_eq!(value, number),
                Err(error) => assert!(error.is_shutdown() || error.is_rejected(), "{error}"),
            }
        }
        until("none is left", || scheduler.stats().live == 0);
        let stats = scheduler.stats();
        assert_eq!(stats.spawned, stats.finished, "{stats:?}");
    }
}
