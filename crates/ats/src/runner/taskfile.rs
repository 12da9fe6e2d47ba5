//! A file of tasks that has been checked.

use std::path::PathBuf;
use std::time::Duration;

use adaptive_task_scheduler::Priority;

/// Names and values that are added to a command's environment.
pub type Variables = Vec<(String, String)>;

/// What is to be run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskFile {
    /// The tasks, in the order of the file.
    pub tasks: Vec<Task>,
    /// Added to the environment of every command.
    pub env: Variables,
    /// How many commands may run at once.
    pub jobs: Option<u16>,
}

/// One command.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Unique in the file.
    pub name: String,
    /// Given to `sh -c`.
    pub run: String,
    /// Places in [`TaskFile::tasks`] of the tasks that must have succeeded before.
    pub needs: Vec<usize>,
    /// How important it is; what waits on it can make it more important.
    pub priority: Priority,
    /// How long each attempt may take.
    pub timeout: Option<Duration>,
    /// How often it is tried again after a failure.
    pub retries: u32,
    /// Added to its environment, after the file's.
    pub env: Variables,
    /// Where it runs, seen from the file's own directory.
    pub cwd: Option<PathBuf>,
}
