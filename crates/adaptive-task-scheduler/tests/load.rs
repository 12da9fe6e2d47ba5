//! How loaded the scheduler says it is.

mod support;

use adaptive_task_scheduler::{Lane, Load, Priority, Scheduler};
use support::{Gate, hold_slot, join_all, one_slot, plain, until, wait_for};

/// Reads the load until it is as awaited.
fn load_when(scheduler: &Scheduler, what: &str, is: impl Fn(&Load) -> bool) -> Load {
    let mut load = scheduler.load();
    until(what, || {
        load = scheduler.load();
        is(&load)
    });
    load
}

fn is_idle(load: &Load) -> bool {
    load.is_idle
}

#[test]
fn an_idle_scheduler_says_that_it_is() {
    let scheduler = one_slot();
    join_all([scheduler.spawn(async {})]);
    let load = load_when(&scheduler, "it is idle", is_idle);
    for lane in [Lane::Io, Lane::Cpu, Lane::Blocking] {
        assert_eq!(load.lane(lane).lane, lane);
        assert_eq!(load.lane(lane).ready, [0; 5]);
    }
    assert_eq!((load.stuck_polls, load.relief_carriers), (0, 0));
    assert_eq!((load.io.capacity, load.io.threads), (1, 1));
    assert_eq!((load.cpu.capacity, load.cpu.threads), (1, 0));
    assert_eq!(load.blocking.threads, 0);
}

#[test]
fn ready_tasks_are_counted_by_level() {
    let scheduler = one_slot();
    let gate = hold_slot(&scheduler);
    let levels = [Priority::Batch, Priority::Production, Priority::Batch];
    let tasks = levels.map(|level| scheduler.task().priority(level).spawn(async {}));
    load_when(&scheduler, "the queues are seen", |load| {
        load.io.ready == [0, 2, 0, 1, 0]
    });
    gate.open();
    join_all(tasks);
    load_when(&scheduler, "the queues are empty", |load| {
        load.io.ready == [0; 5]
    });
}

#[test]
fn a_poll_that_lasts_makes_its_lane_busy_and_no_other() {
    let lanes = [Lane::Io, Lane::Cpu, Lane::Blocking];
    for busy in lanes {
        let scheduler = one_slot();
        let gate = Gate::closed("the task");
        let door = gate.door();
        let task = scheduler.task();
        let task = match busy {
            Lane::Io => task.spawn(async move { door.pass() }),
            Lane::Cpu => task.cpu().spawn_fn(move || door.pass()),
            _ => task.blocking().spawn_fn(move || door.pass()),
        };
        gate.wait_for_arrivals(1);
        let load = load_when(&scheduler, "the lane is busy", |load| {
            load.lane(busy).busy.last_second > 0.0
        });
        assert!(!load.is_idle, "{load:?}");
        assert_eq!(load.lane(busy).threads, 1);
        for other in lanes.into_iter().filter(|&other| other != busy) {
            let shares = load.lane(other).busy;
            assert_eq!(shares.last_ten_seconds, 0.0, "{other} while {busy} is busy");
        }
        gate.open();
        join_all([task]);
        load_when(&scheduler, "it is idle again", is_idle);
    }
}

#[test]
fn a_scheduler_is_not_idle_while_only_a_thread_computes() {
    let scheduler = one_slot();
    let gate = Gate::closed("the computation");
    let door = gate.door();
    let task = scheduler.cpu(move || door.pass());
    gate.wait_for_arrivals(1);
    // The I/O lane has been quiet for long enough for the sentinel to sleep.
    let load = load_when(&scheduler, "most of a second has passed", |load| {
        assert!(!load.is_idle);
        load.cpu.busy.last_second > 0.5
    });
    assert_eq!(load.io.busy.last_second, 0.0);
    gate.open();
    join_all([task]);
    load_when(&scheduler, "it is idle", is_idle);
}

#[test]
fn waits_in_line_are_timed_by_lane_and_level() {
    let scheduler = one_slot();
    let production = scheduler.task().priority(Priority::Production);
    join_all([production.spawn(async {})]);
    let load = load_when(&scheduler, "the wait is published", |load| {
        load.io.delays[3].is_some()
    });
    let delay = load.io.delays[3].unwrap();
    assert_eq!((delay.priority, delay.samples), (Priority::Production, 1));
    assert!(delay.p50 <= delay.p99);
    let others = load.io.delays.iter().filter(|delay| delay.is_some());
    assert_eq!(others.count(), 1);
    join_all([scheduler.cpu(|| ())]);
    load_when(&scheduler, "the CPU lane's is published", |load| {
        load.cpu.delays[2].is_some()
    });
}

#[test]
fn a_stuck_poll_is_counted_until_it_returns() {
    let scheduler = Scheduler::builder()
        .io_slots(1)
        .cpu_threads(1)
        .build_runtime()
        .unwrap();
    let gate = hold_slot(&scheduler);
    join_all([scheduler.spawn(async {})]);
    let load = load_when(&scheduler, "the hand-off is seen", |load| {
        load.stuck_polls == 1
    });
    assert!(load.relief_carriers >= 1, "{load:?}");
    let pressure = load.pressure();
    assert!(pressure.value >= 0.5, "{pressure}");
    gate.open();
    load_when(&scheduler, "nothing is stuck", |load| load.stuck_polls == 0);
}

#[test]
fn what_a_slot_takes_from_another_is_a_steal() {
    let scheduler = plain().io_slots(2).build_runtime().unwrap();
    let gate = Gate::closed("the parent");
    let (door, inner) = (gate.door(), scheduler.clone());
    let (tell, told) = std::sync::mpsc::channel();
    let parent = scheduler.spawn(async move {
        let children = [(); 10].map(|()| inner.spawn(async {}));
        tell.send(children).unwrap();
        door.pass();
    });
    gate.wait_for_arrivals(1);
    join_all(told.recv().unwrap());
    assert!(scheduler.load().steals > 0);
    gate.open();
    join_all([parent]);
}

#[test]
fn intervals_tell_what_happened_in_between() {
    let scheduler = one_slot();
    let mut first = scheduler.load_intervals();
    join_all([(); 5].map(|()| scheduler.spawn(async {})));
    let mut second = scheduler.load_intervals();
    join_all([scheduler.spawn(async {})]);
    let interval = first.next().unwrap();
    assert_eq!((interval.spawned, interval.finished), (6, 6));
    assert!(interval.polls >= 6);
    assert!(interval.io.delays[2].is_some());
    let interval = second.next().unwrap();
    assert_eq!((interval.spawned, interval.finished), (1, 1));
    let nothing = first.next().unwrap();
    assert_eq!(
        (nothing.spawned, nothing.finished, nothing.boosts),
        (0, 0, 0)
    );
    assert_eq!(nothing.io.delays, [None; 5]);
    assert_eq!(nothing.cpu.lane, Lane::Cpu);
}

#[test]
fn intervals_end_with_the_scheduler_and_do_not_keep_it() {
    let scheduler = one_slot();
    let mut intervals = scheduler.load_intervals();
    let left = scheduler.spawn(std::future::pending::<()>());
    drop(scheduler);
    assert!(wait_for("the end", left).unwrap_err().is_shutdown());
    assert!(intervals.next().is_none());
}

#[test]
fn the_busy_time_of_an_interval_is_that_of_its_lane() {
    let scheduler = one_slot();
    let mut intervals = scheduler.load_intervals();
    let gate = hold_slot(&scheduler);
    load_when(&scheduler, "it is seen", |load| {
        load.io.busy.last_second > 0.0
    });
    let interval = intervals.next().unwrap();
    assert!(!interval.io.busy.is_zero());
    assert!(interval.cpu.busy.is_zero() && interval.blocking.busy.is_zero());
    gate.open();
}

#[test]
fn the_machine_is_read_while_somebody_looks() {
    let scheduler = one_slot();
    let load = load_when(&scheduler, "the machine has been read", |load| {
        load.machine.age.is_some()
    });
    assert!(load.machine.cores >= 1);
    if cfg!(target_os = "linux") {
        // Also while the scheduler is idle.
        load_when(&scheduler, "it has been read twice", |load| {
            load.machine.process_cpu.is_some()
        });
    }
}
