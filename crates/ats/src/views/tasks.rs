//! Pure: what is known of the tasks before they run, as the views need it.

use std::time::Duration;

use adaptive_task_scheduler::Priority;
use adaptive_task_scheduler::graph::{Durations, Shape};

use super::guess::{Guess, guesses};
use crate::taskfile::model::{Action, Lane, Task, TaskFile};

/// A task before it runs.
#[derive(Clone, Debug)]
pub struct Known {
    /// Unique, as it stands in the file: to be made printable before it is shown.
    pub name: String,
    /// What its duration is learned by.
    pub class: String,
    /// Places of the tasks that it runs after.
    pub needs: Vec<u32>,
    /// Its own priority.
    pub priority: Priority,
    /// That, or the highest of what runs after it.
    pub effective: Priority,
    /// Which kind of place it takes.
    pub lane: Lane,
    /// Whether it only gathers what it needs, and takes no place at all.
    pub gathers: bool,
    /// How long it will probably take.
    pub guess: Guess,
    /// How long the longest path is that begins with it, itself included.
    pub tail: Duration,
}

impl Known {
    /// How long it will probably compute: what only waits takes no place from what computes.
    #[must_use]
    pub fn work(&self) -> Duration {
        match self.lane {
            Lane::Cpu => self.guess.mean,
            Lane::Io | Lane::Blocking => Duration::ZERO,
        }
    }
}

/// All tasks of a run, and who runs after whom.
#[derive(Clone, Debug)]
pub struct Tasks {
    known: Vec<Known>,
    shape: Shape,
    jobs: usize,
    /// The most important first, then as in the file.
    by_importance: Vec<u32>,
}

impl Tasks {
    /// The tasks of a checked file, of which `jobs` run at once.
    #[must_use]
    pub fn of(file: &TaskFile, shape: Shape, learned: &Durations, jobs: usize) -> Self {
        let guesses = guesses(file, learned);
        let means: Vec<Duration> = guesses.iter().map(|guess| guess.mean).collect();
        let own: Vec<Priority> = file.tasks.iter().map(|task| task.priority).collect();
        let (effective, tails) = (shape.effective(&own), shape.remaining(&means));
        let known = file.tasks.iter().enumerate().map(|(place, task)| Known {
            name: task.name.clone(),
            class: task.class.clone(),
            needs: task.needs.iter().map(|&need| number(need)).collect(),
            priority: task.priority,
            effective: effective[place],
            lane: task.lane,
            gathers: task.action == Action::Nothing && task.condition.is_none(),
            guess: guesses[place],
            tail: tails[place],
        });
        let mut by_importance: Vec<u32> = (0..number(own.len())).collect();
        by_importance.sort_by_key(|&task| std::cmp::Reverse(own[task as usize]));
        Tasks {
            known: known.collect(),
            shape,
            jobs,
            by_importance,
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// How many may run at once.
    #[must_use]
    pub fn jobs(&self) -> usize {
        self.jobs
    }

    /// How long all of them will probably compute, one after the other.
    #[must_use]
    pub fn work(&self) -> Duration {
        self.known.iter().map(Known::work).sum()
    }

    /// Who runs after whom.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// A task.
    #[must_use]
    pub fn get(&self, task: u32) -> &Known {
        &self.known[task as usize]
    }

    /// All tasks, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Known)> {
        (0..).zip(&self.known)
    }

    /// A task's name as it may be shown.
    #[must_use]
    pub fn name(&self, task: u32) -> std::borrow::Cow<'_, str> {
        crate::text::printable(&self.get(task).name)
    }

    /// The most important first, among equals as in the file.
    pub fn by_importance(&self) -> impl Iterator<Item = u32> + '_ {
        self.by_importance.iter().copied()
    }
}

/// A place in the file, as a graph counts.
///
/// # Panics
///
/// If there are more tasks than a graph can have; a file that large is refused.
#[must_use]
pub fn number(place: usize) -> u32 {
    u32::try_from(place).expect("a file has at most u32::MAX tasks")
}

/// Who runs after whom, in a file that has been checked.
///
/// # Panics
///
/// If there is a cycle; a file with one is refused.
#[must_use]
pub fn shape(tasks: &[Task]) -> Shape {
    let edges: Vec<(u32, u32)> = (0..)
        .zip(tasks)
        .flat_map(|(after, task)| task.needs.iter().map(move |&need| (number(need), after)))
        .collect();
    Shape::new(tasks.len(), &edges).expect("a checked file has no cycle")
}
