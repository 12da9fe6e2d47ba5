//! Long computations give way to what is more important at their checkpoints.

mod support;

use adaptive_task_scheduler::{CancelMode, Cancelled, Priority, Scheduler, TaskHandle, checkpoint};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use support::{Gate, LIMIT, Order, join_all, plain, thread_name, until, wait_for};

fn cpu_threads(count: usize) -> Scheduler {
    plain()
        .io_slots(1)
        .cpu_threads(count)
        .thread_name("gives")
        .build_runtime()
        .unwrap()
}

fn at(scheduler: &Scheduler, priority: Priority) -> adaptive_task_scheduler::TaskBuilder<'_> {
    scheduler.task().priority(priority)
}

/// Calls checkpoints until `holds` does. Says how many there were.
fn checkpoints_until(holds: impl Fn() -> bool) -> Result<usize, Cancelled> {
    let end = Instant::now() + LIMIT;
    for count in 0.. {
        if holds() {
            return Ok(count);
        }
        assert!(Instant::now() < end, "checkpoints gave way in vain");
        checkpoint()?;
    }
    unreachable!()
}

/// A task on the only thread that calls checkpoints until the flag is set; it
/// has begun.
fn computing(scheduler: &Scheduler, priority: Priority) -> (TaskHandle<usize>, Arc<AtomicBool>) {
    let flag = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&flag);
    let begun = Gate::closed("the computing task");
    let door = begun.door();
    let task = at(scheduler, priority).spawn_fn(move || {
        door.open();
        door.pass();
        checkpoints_until(|| seen.load(Ordering::SeqCst)).expect("nobody cancels")
    });
    begun.wait_for_arrivals(1);
    (task, flag)
}

#[test]
fn what_is_more_important_runs_instead_of_the_task_that_gives_way() {
    let scheduler = cpu_threads(1);
    let (low, flag) = computing(&scheduler, Priority::Batch);
    let high = at(&scheduler, Priority::Monitoring).spawn_fn(thread_name);
    assert_eq!(join_all([high]), ["gives-reserve"]);
    assert!(!low.is_finished());
    assert_eq!(scheduler.stats().gave_way, 1);
    flag.store(true, Ordering::SeqCst);
    join_all([low]);
}

#[test]
fn the_lender_does_not_compute_while_what_is_more_important_does() {
    let scheduler = cpu_threads(1);
    let steps = Arc::new(AtomicUsize::new(0));
    let done = Arc::new(AtomicBool::new(false));
    let begun = Gate::closed("the counting task");
    let door = begun.door();
    let (counts, ends) = (Arc::clone(&steps), Arc::clone(&done));
    let low = at(&scheduler, Priority::Batch).spawn_fn(move || {
        door.open();
        door.pass();
        checkpoints_until(|| {
            counts.fetch_add(1, Ordering::SeqCst);
            ends.load(Ordering::SeqCst)
        })
        .expect("nobody cancels")
    });
    begun.wait_for_arrivals(1);
    let spawn = |_| {
        let steps = Arc::clone(&steps);
        at(&scheduler, Priority::Production).spawn_fn(move || {
            let before = steps.load(Ordering::SeqCst);
            // Long enough for many steps, if there were any.
            let sum: u64 = (0..2_000_000u64).map(std::hint::black_box).sum();
            std::hint::black_box(sum);
            steps.load(Ordering::SeqCst) - before
        })
    };
    let steps_meanwhile = join_all((0..5).map(spawn).collect::<Vec<_>>());
    assert_eq!(steps_meanwhile, [0; 5]);
    done.store(true, Ordering::SeqCst);
    join_all([low]);
}

#[test]
fn nothing_gives_way_to_its_equal_or_less() {
    let scheduler = cpu_threads(1);
    let order = Order::new();
    let noted = order.clone();
    let begun = Gate::closed("the first task");
    let door = begun.door();
    let first = at(&scheduler, Priority::Production).spawn_fn(move || {
        door.pass();
        for _ in 0..10_000 {
            checkpoint().expect("nobody cancels");
        }
        noted.note("first");
    });
    begun.wait_for_arrivals(1);
    let spawn = |priority, name| {
        let order = order.clone();
        at(&scheduler, priority).spawn_fn(move || order.note(name))
    };
    let others = [
        spawn(Priority::Production, "equal"),
        spawn(Priority::Batch, "less"),
    ];
    begun.open();
    join_all([first]);
    join_all(others);
    assert_eq!(order.seen(), ["first", "equal", "less"]);
}

#[test]
fn all_that_is_more_important_runs_best_first_before_the_lender_goes_on() {
    let scheduler = cpu_threads(1);
    let order = Order::new();
    let noted = order.clone();
    let begun = Gate::closed("the lender");
    let door = begun.door();
    let low = at(&scheduler, Priority::Batch).spawn_fn(move || {
        door.pass();
        checkpoint().expect("nobody cancels");
        noted.note(Priority::Batch);
    });
    begun.wait_for_arrivals(1);
    let spawn = |priority| {
        let order = order.clone();
        at(&scheduler, priority).spawn_fn(move || order.note(priority))
    };
    let important = [Priority::Mid, Priority::Monitoring, Priority::Production].map(spawn);
    begun.open();
    join_all([low]);
    join_all(important);
    let expected = [
        Priority::Monitoring,
        Priority::Production,
        Priority::Mid,
        Priority::Batch,
    ];
    assert_eq!(order.seen(), expected);
}

#[test]
fn what_gave_way_to_may_give_way_itself() {
    let scheduler = cpu_threads(1);
    let (low, low_ends) = computing(&scheduler, Priority::Batch);
    let (mid, mid_ends) = computing(&scheduler, Priority::Mid);
    let high = at(&scheduler, Priority::Monitoring).spawn_fn(thread_name);
    assert_eq!(join_all([high]), ["gives-reserve"]);
    assert!(!low.is_finished() && !mid.is_finished());
    mid_ends.store(true, Ordering::SeqCst);
    join_all([mid]);
    low_ends.store(true, Ordering::SeqCst);
    join_all([low]);
}

#[test]
fn a_lender_whose_core_was_lent_on_is_not_taken_for_asleep() {
    let scheduler = cpu_threads(1);
    let steps = Arc::new(AtomicUsize::new(0));
    let done = Arc::new(AtomicBool::new(false));
    let begun = Gate::closed("the first lender");
    let (counts, ends, door) = (Arc::clone(&steps), Arc::clone(&done), begun.door());
    let low = at(&scheduler, Priority::Batch).spawn_fn(move || {
        door.open();
        door.pass();
        checkpoints_until(|| {
            counts.fetch_add(1, Ordering::SeqCst);
            ends.load(Ordering::SeqCst)
        })
    });
    begun.wait_for_arrivals(1);
    let (mid, mid_ends) = computing(&scheduler, Priority::Mid);
    let high = at(&scheduler, Priority::Production).spawn_fn(move || {
        let before = steps.load(Ordering::SeqCst);
        // Much longer than it takes to be found asleep.
        let sum: u64 = (0..20_000_000u64).map(std::hint::black_box).sum();
        std::hint::black_box(sum);
        steps.load(Ordering::SeqCst) - before
    });
    assert_eq!(join_all([high]), [0]);
    mid_ends.store(true, Ordering::SeqCst);
    join_all([mid]);
    done.store(true, Ordering::SeqCst);
    assert!(matches!(join_all([low])[..], [Ok(_)]));
}

#[test]
fn a_future_on_the_cpu_lane_gives_way_too() {
    let scheduler = cpu_threads(1);
    let flag = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&flag);
    let begun = Gate::closed("the future");
    let door = begun.door();
    let low = at(&scheduler, Priority::Batch).cpu().spawn(async move {
        door.open();
        door.pass();
        checkpoints_until(|| seen.load(Ordering::SeqCst)).expect("nobody cancels")
    });
    begun.wait_for_arrivals(1);
    let high = at(&scheduler, Priority::Production)
        .cpu()
        .spawn(async move { flag.store(true, Ordering::SeqCst) });
    join_all([high]);
    join_all([low]);
}

#[test]
fn a_lock_held_at_a_checkpoint_is_no_deadlock() {
    let scheduler = cpu_threads(1);
    let lock = Arc::new(Mutex::new(0));
    let wants = Arc::new(AtomicBool::new(false));
    let begun = Gate::closed("the lock's holder");
    let door = begun.door();
    let (held, wanted) = (Arc::clone(&lock), Arc::clone(&wants));
    let low = at(&scheduler, Priority::Batch).spawn_fn(move || {
        let mut value = held.lock().unwrap();
        door.open();
        door.pass();
        checkpoints_until(|| wanted.load(Ordering::SeqCst)).expect("nobody cancels");
        *value += 1;
    });
    begun.wait_for_arrivals(1);
    let high = at(&scheduler, Priority::Monitoring).spawn_fn(move || {
        wants.store(true, Ordering::SeqCst);
        *lock.lock().unwrap()
    });
    assert_eq!(join_all([high]), [1]);
    join_all([low]);
}

#[test]
fn a_lender_that_becomes_as_important_goes_on() {
    let scheduler = cpu_threads(1);
    let gate = Gate::closed("the important task");
    let door = gate.door();
    let begun = Gate::closed("the lender");
    let begins = begun.door();
    let opens = gate.door();
    let low = at(&scheduler, Priority::Batch).spawn_fn(move || {
        begins.pass();
        checkpoint().expect("nobody cancels");
        opens.open();
    });
    begun.wait_for_arrivals(1);
    let high = at(&scheduler, Priority::Production).spawn_fn(move || door.spin());
    begun.open();
    gate.wait_for_arrivals(1);
    assert!(!low.is_finished());
    // Its waiter lends.
    let waiter = at(&scheduler, Priority::Monitoring).spawn(low);
    join_all([waiter]).pop().unwrap().unwrap();
    join_all([high]);
}

#[test]
fn a_lender_that_is_told_to_end_goes_on() {
    let scheduler = cpu_threads(1);
    let gate = Gate::closed("the important task");
    let door = gate.door();
    let begun = Gate::closed("the lender");
    let begins = begun.door();
    let low = at(&scheduler, Priority::Batch)
        .on_cancel(CancelMode::Cooperate)
        .spawn_fn(move || {
            begins.pass();
            checkpoint()
        });
    begun.wait_for_arrivals(1);
    let high = at(&scheduler, Priority::Production).spawn_fn(move || door.spin());
    begun.open();
    gate.wait_for_arrivals(1);
    assert!(!low.is_finished());
    assert!(scheduler.cancel(low.id()));
    assert_eq!(join_all([low]), [Err(Cancelled)]);
    gate.open();
    join_all([high]);
}

#[test]
fn a_lender_goes_on_when_a_thread_of_the_lane_has_nothing_to_do() {
    let scheduler = cpu_threads(2);
    let (other, other_ends) = computing(&scheduler, Priority::Monitoring);
    let gate = Gate::closed("the important task");
    let door = gate.door();
    let begun = Gate::closed("the lender");
    let begins = begun.door();
    let low = at(&scheduler, Priority::Batch).spawn_fn(move || {
        begins.pass();
        checkpoint()
    });
    begun.wait_for_arrivals(1);
    let high = at(&scheduler, Priority::Production).spawn_fn(move || door.spin());
    begun.open();
    gate.wait_for_arrivals(1);
    assert!(!low.is_finished());
    other_ends.store(true, Ordering::SeqCst);
    join_all([other]);
    assert_eq!(join_all([low]), [Ok(())]);
    gate.open();
    join_all([high]);
    // The permit was given back: two run at once again.
    let both = Gate::closed("two at once");
    let spawn = |_| {
        let door = both.door();
        scheduler.cpu(move || door.pass())
    };
    let two: Vec<_> = (0..2).map(spawn).collect();
    both.wait_for_arrivals(2);
    both.open();
    join_all(two);
}

#[test]
fn a_scheduler_that_ends_waits_for_no_checkpoint() {
    let scheduler = cpu_threads(1);
    let gate = Gate::closed("the important task");
    let door = gate.door();
    let begun = Gate::closed("the lender");
    let begins = begun.door();
    let order = Order::new();
    let noted = order.clone();
    let low = at(&scheduler, Priority::Batch).spawn_fn(move || {
        begins.pass();
        noted.note(checkpoint());
    });
    begun.wait_for_arrivals(1);
    let high = at(&scheduler, Priority::Production).spawn_fn(move || door.spin());
    begun.open();
    gate.wait_for_arrivals(1);
    drop(scheduler);
    until("the lender went on", || !order.seen().is_empty());
    assert_eq!(order.seen(), [Err(Cancelled)]);
    gate.open();
    let _ = wait_for("the lender", low);
    let _ = wait_for("the important task", high);
}

#[test]
fn a_lender_goes_on_now_and_then_however_much_is_more_important() {
    let scheduler = plain()
        .io_slots(1)
        .ageing(Some(Duration::from_millis(2)))
        .build_runtime()
        .unwrap();
    let steps = Arc::new(AtomicUsize::new(0));
    let begun = Gate::closed("the lender");
    let (counts, begins) = (Arc::clone(&steps), begun.door());
    let low = at(&scheduler, Priority::Batch).spawn_fn(move || {
        begins.open();
        begins.pass();
        checkpoints_until(|| counts.fetch_add(1, Ordering::SeqCst) > 1_000_000)
    });
    begun.wait_for_arrivals(1);
    // Each spawns the next, so that there is always one.
    let (seen, runs) = (Arc::clone(&steps), Arc::new(AtomicUsize::new(0)));
    spawn_on_and_on(&scheduler, Arc::clone(&runs));
    until("the floods begin", || runs.load(Ordering::SeqCst) > 10);
    let before = seen.load(Ordering::SeqCst);
    until("the lender made a step", || {
        seen.load(Ordering::SeqCst) > before + 2
    });
    low.cancel();
}

/// Two tasks that, before they end, spawn themselves again.
fn spawn_on_and_on(scheduler: &Scheduler, runs: Arc<AtomicUsize>) {
    fn again(runs: Arc<AtomicUsize>) {
        runs.fetch_add(1, Ordering::SeqCst);
        if let Some(scheduler) = Scheduler::try_current() {
            let task = scheduler.task().priority(Priority::Production);
            task.spawn_fn(move || again(runs)).detach();
        }
    }
    for _ in 0..2 {
        let runs = Arc::clone(&runs);
        let task = at(scheduler, Priority::Production);
        task.spawn_fn(move || again(runs)).detach();
    }
}

#[test]
fn outside_of_the_cpu_lane_a_checkpoint_only_asks() {
    assert_eq!(checkpoint(), Ok(()));
    let scheduler = cpu_threads(1);
    let asks = || checkpoint();
    let tasks = [
        scheduler.task().io().spawn_fn(asks),
        scheduler.blocking(asks),
    ];
    assert_eq!(join_all(tasks), [Ok(()), Ok(())]);
}
