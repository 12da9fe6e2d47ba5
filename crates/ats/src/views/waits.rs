//! Pure: which important tasks wait, and on what.

use super::course::Phase;
use super::state::State;
use crate::text;

/// Names that are listed before the rest is only counted.
const NAMES: usize = 3;

/// So many candidates are looked at for each one that is shown.
const CANDIDATES: usize = 16;

/// A task that has not begun.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Waiting {
    /// The task.
    pub task: u32,
    /// What it needs and is not over, what runs first; empty if only a place is missing.
    pub on: Vec<u32>,
}

impl Waiting {
    /// A task, and what it waits on now.
    #[must_use]
    pub fn of(state: &State, task: u32) -> Self {
        let needs = state.tasks().get(task).needs.iter().copied();
        let mut on: Vec<u32> = needs
            .filter(|&need| !state.course(need).phase.is_over())
            .collect();
        on.sort_by_key(|&need| !state.course(need).phase.is_under_way());
        Waiting { task, on }
    }

    /// The rest of a sentence that begins with the task's name.
    #[must_use]
    pub fn because(&self, state: &State) -> String {
        if self.on.is_empty() {
            return " waits for a place".to_owned();
        }
        let names: Vec<_> = self
            .on
            .iter()
            .take(NAMES)
            .map(|&need| state.tasks().name(need))
            .collect();
        match self.on.len().saturating_sub(NAMES) {
            0 => format!(" waits on {}", names.join(", ")),
            more => format!(
                " waits on {} and {} more",
                names.join(", "),
                text::grouped(more)
            ),
        }
    }
}

/// The most important tasks that wait; of equally important ones those that wait on least.
#[must_use]
pub fn most_important(state: &State, at_most: usize) -> Vec<Waiting> {
    let open = state
        .tasks()
        .by_importance()
        .filter(|&task| matches!(state.course(task).phase, Phase::Waiting | Phase::Ready));
    let candidates = open.take(at_most * CANDIDATES);
    let mut waiting: Vec<Waiting> = candidates.map(|task| Waiting::of(state, task)).collect();
    waiting.sort_by_key(|waiting| {
        let priority = state.tasks().get(waiting.task).priority;
        (std::cmp::Reverse(priority), waiting.on.len())
    });
    waiting.truncate(at_most);
    waiting
}
