//! The protocols together: a scheduler without Tokio, under random schedules
//! and under those of probabilistic concurrency testing (Burckhardt et al.,
//! ASPLOS 2010), which finds what needs few but particular preemptions.
//!
//! Each scenario draws its tasks and its meddling from shuttle's own random
//! numbers, so a schedule that shuttle prints repeats all of it.
//! `ATS_SHUTTLE_ITERATIONS` says how many schedules each test tries.

mod ends;
mod graph;
mod permits;
mod script;
mod world;

use shuttle::{
    Config, MaxSteps, Runner,
    rand::{Rng, thread_rng},
    scheduler::{PctScheduler, RandomScheduler, Scheduler},
};

/// How many schedules are tried if the environment does not say.
const ITERATIONS: usize = 500;

/// How many preemptions PCT places at most: the bugs found so far needed two or
/// three.
const DEPTH: usize = 4;

fn iterations() -> usize {
    let told = std::env::var("ATS_SHUTTLE_ITERATIONS");
    told.ok()
        .and_then(|told| told.parse().ok())
        .unwrap_or(ITERATIONS)
}

/// More steps than any fair schedule needs, by a factor of ten or more.
const STEPS: usize = 500_000;

fn run(scheduler: impl Scheduler + 'static, max_steps: MaxSteps, scenario: fn()) {
    let mut config = Config::new();
    config.max_steps = max_steps;
    config.stack_size = 0x4_0000;
    Runner::new(scheduler, config).run(scenario);
}

fn under_random_schedules(scenario: fn()) {
    let scheduler = RandomScheduler::new(iterations());
    run(scheduler, MaxSteps::FailAfter(STEPS), scenario);
}

/// PCT lets a thread run for as long as it does not block or yield. A carrier
/// that finds an entry half pushed looks again and again until the pusher, who
/// has the lower rank, goes on: such a schedule is unfair, no operating system
/// makes it, and it is given up.
fn under_pct_schedules(scenario: fn()) {
    let scheduler = PctScheduler::new(DEPTH, iterations());
    run(scheduler, MaxSteps::ContinueAfter(STEPS), scenario);
}

/// A random number below `bound`.
fn below(bound: usize) -> usize {
    thread_rng().gen_range(0..bound)
}

fn chance(one_in: usize) -> bool {
    below(one_in) == 0
}
