//! Random programs.

use adaptive_task_scheduler::{CancelMode, Priority};
use proptest::{collection::vec, option, prelude::*, sample::select};

/// How many gates there are.
pub(crate) const GATES: usize = 2;

/// How many locks there are.
pub(crate) const LOCKS: usize = 2;

/// What one task is and does. Tasks, gates and locks are named by number.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Never the lowest, which is the probes'.
    pub(crate) priority: Priority,
    /// In seconds.
    pub(crate) deadline: Option<u64>,
    /// Those of them that are not spawned yet are left out.
    pub(crate) after: Vec<usize>,
    pub(crate) on_cancel: CancelMode,
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Yield,
    Await(usize),
    Pass(usize),
    Release(usize),
    /// Nothing if the task has the lock.
    Lock(usize),
    /// Nothing if it does not.
    Unlock(usize),
    Cancel(usize),
    Spawn(usize),
    Panic,
}

/// What is done from outside between two rounds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action {
    Spawn(usize),
    Cancel(usize),
    Release(usize),
    AddDependency(usize, usize),
}

#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) tasks: Vec<Plan>,
    pub(crate) rounds: Vec<Vec<Action>>,
}

fn step(tasks: usize) -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Yield),
        6 => (0..tasks).prop_map(Step::Await),
        3 => (0..GATES).prop_map(Step::Pass),
        1 => (0..GATES).prop_map(Step::Release),
        4 => (0..LOCKS).prop_map(Step::Lock),
        2 => (0..LOCKS).prop_map(Step::Unlock),
        1 => (0..tasks).prop_map(Step::Cancel),
        1 => (0..tasks).prop_map(Step::Spawn),
        1 => Just(Step::Panic),
    ]
}

fn plan(tasks: usize) -> impl Strategy<Value = Plan> {
    use CancelMode::{Cooperate, Drop, Shield};
    (
        select(&Priority::ALL[1..]),
        option::weighted(0.2, 1..4_u64),
        vec(0..tasks, 0..3),
        select(&[Drop, Drop, Cooperate, Shield][..]),
        vec(step(tasks), 0..8),
    )
        .prop_map(|(priority, deadline, after, on_cancel, steps)| Plan {
            priority,
            deadline,
            after,
            on_cancel,
            steps,
        })
}

fn action(tasks: usize) -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => (0..tasks).prop_map(Action::Spawn),
        2 => (0..tasks).prop_map(Action::Cancel),
        1 => (0..GATES).prop_map(Action::Release),
        2 => (0..tasks, 0..tasks).prop_map(|(waiter, on)| Action::AddDependency(waiter, on)),
    ]
}

/// Most tasks are spawned at the beginning, in any order; the others by tasks,
/// later from outside, or never.
pub(crate) fn program() -> impl Strategy<Value = Program> {
    (2..10_usize).prop_flat_map(|tasks| {
        let first = Just((0..tasks).collect::<Vec<_>>()).prop_shuffle();
        let spawned = tasks / 2..=tasks;
        (
            vec(plan(tasks), tasks),
            first,
            spawned,
            vec(vec(action(tasks), 0..5), 1..5),
        )
            .prop_map(|(tasks, mut first, spawned, mut rounds)| {
                first.truncate(spawned);
                rounds[0].splice(0..0, first.into_iter().map(Action::Spawn));
                Program { tasks, rounds }
            })
    })
}
