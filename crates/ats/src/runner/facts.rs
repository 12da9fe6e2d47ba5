//! What the dispatcher has to know of the tasks of a file. Pure.

use std::time::Duration;

use adaptive_task_scheduler::Priority;
use adaptive_task_scheduler::graph::Shape;

use crate::dispatch::{Facts, Holds};
use crate::taskfile::model::{Action, Lane, Task};

/// The facts of each task, if they take so long.
#[must_use]
pub fn facts(tasks: &[Task], shape: &Shape, durations: &[Duration]) -> Vec<Facts> {
    let own: Vec<Priority> = tasks.iter().map(|task| task.priority).collect();
    let effective = shape.effective(&own);
    let ranks = shape.remaining(durations);
    let all = tasks.iter().zip(effective).zip(ranks);
    all.map(|((task, priority), rank)| Facts {
        priority,
        rank,
        holds: holds(task),
        always: task.always,
        deadline: task.deadline,
    })
    .collect()
}

fn holds(task: &Task) -> Holds {
    match (&task.action, task.lane) {
        (Action::Nothing, _) if task.condition.is_none() => Holds::Nothing,
        (_, Lane::Cpu) => Holds::Place,
        (_, Lane::Io | Lane::Blocking) => Holds::WaitingPlace,
    }
}
