//! Random programs on the real scheduler, judged by a slow and obvious one.
//!
//! A program spawns tasks with priorities, deadlines and dependencies; they
//! await each other, pass and release gates, lock and unlock, cancel each other, and
//! panic. It
//! runs on one slot, in rounds: a *probe*, less important than every task,
//! holds the slot while the test acts from outside, lets go, and the next probe
//! gets the slot only when nothing else is ready. So all that happens between
//! two probes is the scheduler's choice alone, and is known from a trace.
//!
//! The [`model`] replays the trace. At each step it asks whether the scheduler
//! might choose so: the most important ready task first, in a level the earliest
//! deadline, then first come, where "important" is computed anew each time as
//! the maximum over everybody who waits. Between rounds the states and the
//! effective priorities of all tasks must agree; in the end every task must
//! have ended exactly once, in the way that the model says.

#[path = "../support/mod.rs"]
mod support;

mod model;
mod program;
mod world;

use adaptive_task_scheduler::{Event, Priority, Scheduler};
use model::Model;
use program::{Action, Program, program};
use proptest::{prelude::*, test_runner::Config};
use std::{collections::HashMap, sync::Arc};
use support::{Gate, one_slot, wait_for};
use world::World;

/// Spawns a probe and waits until it holds the slot, or, if another one does,
/// returns at once.
fn probe(scheduler: &Scheduler) -> Gate {
    let gate = Gate::closed("a probe");
    let door = gate.door();
    let task = scheduler.task().name("probe").priority(Priority::Free);
    task.spawn(async move { door.pass() }).detach();
    gate
}

fn act(scheduler: &Scheduler, world: &Arc<World>, model: &mut Model, action: Action) {
    match action {
        Action::Spawn(task) => {
            world.spawn(scheduler, task);
            model.spawn(task);
        }
        Action::Cancel(task) => {
            world.cancel(task);
            model.cancel(task);
        }
        Action::Release(gate) => {
            world.release(gate);
            model.release(gate);
        }
        Action::AddDependency(waiter, blocker) => {
            if let Some(answer) = world.add_dependency(scheduler, waiter, blocker) {
                let answer = answer.map_err(|error| error.cycle().is_some());
                assert_eq!(answer, model.add_dependency(waiter, blocker));
            }
        }
    }
}

/// Runs a program and judges everything that happens.
fn check(program: Program) {
    let scheduler = one_slot();
    let mut events = scheduler.subscribe(100_000);
    let world = World::new(program.tasks.clone());
    let mut model = Model::new(program.tasks);
    let mut held = probe(&scheduler);
    held.wait_for_arrivals(1);
    for actions in program.rounds {
        for action in actions {
            act(&scheduler, &world, &mut model, action);
            world.check_agrees(&model);
        }
        let next = probe(&scheduler);
        held.open();
        next.wait_for_arrivals(1);
        held = next;
        model.replay(world.take_trace());
        model.assert_quiescent();
        world.check_agrees(&model);
    }
    // The slot stays held, so that nothing is polled any more.
    drop(scheduler);
    let ids = world.ids();
    check_ends(&world, &model);
    held.open();
    let mut ends: HashMap<_, usize> = HashMap::new();
    while let Some(event) = wait_for("the last event", events.recv()) {
        if let Event::Completed { task, .. } | Event::Failed { task, .. } = event {
            *ends.entry(task).or_default() += 1;
        }
    }
    assert!(ids.values().all(|id| ends[id] == 1), "{ends:?}");
}

/// Compares how each task has ended.
fn check_ends(world: &World, model: &Model) {
    for (task, handle) in world.take_handles() {
        let ended = wait_for("a task's end", handle);
        match model.end(task) {
            Some(expected) => {
                let kind = ended.err().map(|error| error.kind());
                assert_eq!(kind, expected, "task {task}");
            }
            // The scheduler's end found it unfinished, or what it waited on.
            None => assert!(ended.unwrap_err().root_cause().is_shutdown(), "task {task}"),
        }
    }
}

proptest! {
    #![proptest_config(Config {
        // More, if PROPTEST_CASES says so.
        cases: Config::default().cases.max(400),
        failure_persistence: None,
        max_shrink_iters: 5_000,
        max_shrink_time: 60_000,
        ..Config::default()
    })]

    #[test]
    fn the_scheduler_does_what_the_obvious_one_would(program in program()) {
        check(program);
    }
}
