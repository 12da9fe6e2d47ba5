//! Every task ends exactly once, whatever else happens; and while anything is
//! ready, not everybody is parked (else shuttle reports a deadlock).

use super::{
    below, chance, script, under_pct_schedules, under_random_schedules,
    world::{Threads, World, cancel_some, meddle, open_gates},
};
use std::sync::Arc;

/// Spawns some tasks from outside, some of them to run after others, and gives
/// up their handles.
fn spawn_some(world: &Arc<World>) {
    let mut spawned = Vec::new();
    for _ in 0..2 + below(3) {
        let after: Vec<_> = spawned.iter().copied().filter(|_| chance(2)).collect();
        spawned.extend(script::spawn(world, &after));
    }
    for id in spawned {
        world.table.detach(id);
    }
}

fn all_run_to_their_ends() {
    let world = World::new();
    let mut threads = Threads::carry(&world);
    threads.add(&world, meddle);
    threads.add(&world, open_gates);
    threads.add(&world, cancel_some);
    spawn_some(&world);
    threads.drain(&world);
    world.check();
}

fn the_scheduler_ends_first() {
    let world = World::new();
    let mut threads = Threads::carry(&world);
    threads.add(&world, meddle);
    threads.add(&world, open_gates);
    spawn_some(&world);
    (0..below(200)).for_each(|_| shuttle::thread::yield_now());
    threads.shut_down(&world);
    world.check();
}

#[test]
fn every_task_ends_once_under_random_schedules() {
    under_random_schedules(all_run_to_their_ends);
}

#[test]
fn every_task_ends_once_under_pct_schedules() {
    under_pct_schedules(all_run_to_their_ends);
}

#[test]
fn a_shutdown_ends_every_task_once_under_random_schedules() {
    under_random_schedules(the_scheduler_ends_first);
}

#[test]
fn a_shutdown_ends_every_task_once_under_pct_schedules() {
    under_pct_schedules(the_scheduler_ends_first);
}
