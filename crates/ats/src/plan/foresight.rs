//! In which order one job would run the tasks, and what the longest way through them is. Pure: the
//! same decisions as in a run, taken without one.

use std::time::Duration;

use adaptive_task_scheduler::Priority;
use adaptive_task_scheduler::graph::Shape;

use crate::dispatch::{Facts, Holds, one_by_one};
use crate::taskfile::model::{Action, Task};

/// What a task takes of which nothing is known; only how long it is beside others counts.
const UNKNOWN: Duration = Duration::from_secs(1);

/// What can be known before anything runs.
#[derive(Debug)]
pub struct Foresight {
    /// Places of the tasks in the order in which one job would run them.
    pub order: Vec<usize>,
    /// For each task its priority once everything that needs it has lent its own.
    pub effective: Vec<Priority>,
    /// How long each task takes, where that is known.
    pub expected: Vec<Option<Duration>>,
    /// Places of the tasks on the longest path.
    pub critical: Vec<usize>,
}

impl Foresight {
    /// Of tasks that take so long; where that is not known, a task counts as long as any other.
    #[must_use]
    pub fn of(tasks: &[Task], expected: Vec<Option<Duration>>) -> Self {
        let edges: Vec<(u32, u32)> = tasks
            .iter()
            .enumerate()
            .flat_map(|(place, task)| {
                let needs = task.needs.iter();
                needs.map(move |&need| (need as u32, place as u32))
            })
            .collect();
        let Ok(shape) = Shape::new(tasks.len(), &edges) else {
            // A file with a cycle has been refused; here there is none.
            return Foresight::nothing();
        };
        let durations = weights(tasks, &expected);
        let own: Vec<Priority> = tasks.iter().map(|task| task.priority).collect();
        let effective = shape.effective(&own);
        let ranks = shape.remaining(&durations);
        let critical = shape.critical_path(&durations);
        let facts = tasks.iter().enumerate().map(|(place, task)| Facts {
            priority: effective[place],
            rank: ranks[place],
            holds: Holds::Place,
            always: task.always,
            deadline: task.deadline,
        });
        let order = one_by_one(shape, facts.collect());
        Foresight {
            order: order.into_iter().map(|task| task as usize).collect(),
            effective,
            expected,
            critical: critical.into_iter().map(|task| task as usize).collect(),
        }
    }

    fn nothing() -> Self {
        Foresight {
            order: Vec::new(),
            effective: Vec::new(),
            expected: Vec::new(),
            critical: Vec::new(),
        }
    }
}

fn weights(tasks: &[Task], expected: &[Option<Duration>]) -> Vec<Duration> {
    let weight = |(task, expected): (&Task, &Option<Duration>)| match (&task.action, expected) {
        (_, Some(expected)) => *expected,
        (Action::Nothing, None) => Duration::ZERO,
        (_, None) => UNKNOWN,
    };
    tasks.iter().zip(expected).map(weight).collect()
}
