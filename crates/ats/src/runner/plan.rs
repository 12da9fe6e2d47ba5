//! The order in which tasks are given to the scheduler. Pure.

use crate::graph::topological;
use crate::taskfile::model::Task;

/// Places in an order in which needs come first.
#[must_use]
pub fn needs_first(tasks: &[Task]) -> Vec<usize> {
    let needs: Vec<Vec<usize>> = tasks.iter().map(|task| task.needs.clone()).collect();
    // A file with a cycle has been refused; here there is none.
    topological(&needs).unwrap_or_default()
}
