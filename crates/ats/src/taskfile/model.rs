//! Tasks as they have been read and checked, from whatever file: all that a run has to know.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use adaptive_task_scheduler::Priority;

/// Names and values that are added to a command's environment.
pub type Variables = Vec<(String, String)>;

/// What is to be run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskFile {
    /// The tasks, in the order of the file.
    pub tasks: Vec<Task>,
    /// How many commands may run at once.
    pub jobs: Option<u16>,
    /// The file that was named.
    pub source: PathBuf,
    /// Places of the tasks that are run, with what they need, where none is named; all if absent.
    pub default: Option<Vec<usize>>,
    /// Why the tasks can be looked at but not run, if so.
    pub look_only: Option<String>,
    /// What is worth knowing about how the file was understood.
    pub notes: Vec<String>,
}

/// One task.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Unique. An instance of a matrix is called `test (os=linux, rust=stable)`.
    pub name: String,
    /// The name as it stands in the file, by which durations are learned.
    pub class: String,
    /// Other names by which it can be chosen.
    pub also: Vec<String>,
    /// What it does.
    pub action: Action,
    /// Places in [`TaskFile::tasks`] of the tasks that must have succeeded before.
    pub needs: Vec<usize>,
    /// Files or globs that it reads, seen from its directory.
    pub inputs: Vec<String>,
    /// Files or globs that it writes, seen from its directory.
    pub outputs: Vec<String>,
    /// Added to its environment: the file's, then its own; the last of equal names wins.
    pub env: Variables,
    /// Where it runs; empty for here.
    pub directory: PathBuf,
    /// How important it is; what waits on it can make it more important.
    pub priority: Priority,
    /// When it should have ended, from the start of the run.
    pub deadline: Option<Duration>,
    /// How long each attempt may take.
    pub timeout: Option<Duration>,
    /// How it is tried again after a failure.
    pub retries: Retries,
    /// A shell command; the task is skipped, as if it had succeeded, unless this exits with 0.
    pub condition: Option<String>,
    /// Whether it runs once its needs have ended, however they ended.
    pub always: bool,
    /// What it mostly does.
    pub lane: Lane,
    /// How long it takes, if the file knows.
    pub expected: Option<Duration>,
    /// Where it stands.
    pub place: Place,
    /// What it is for, in the words of the file.
    pub description: Option<String>,
}

/// What a task does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Action {
    /// Text for `sh -c`.
    Shell(String),
    /// A program and its arguments, as they are; never empty.
    Exec(Vec<String>),
    /// It only gathers what it needs.
    Nothing,
}

/// How often a failed task is tried again.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Retries {
    /// Attempts after the first one.
    pub count: u32,
    /// How long to wait before the first of them; doubles from one to the next, with jitter.
    pub backoff: Duration,
}

/// What a task mostly does, and so what it takes a place of.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Lane {
    /// It computes: it holds one of the places that `--jobs` counts.
    #[default]
    Cpu,
    /// It mostly waits for the network or for others.
    Io,
    /// It mostly waits for the disk or a device.
    Blocking,
}

/// Where something stands in a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// The file.
    pub file: Arc<Path>,
    /// The line, from 1.
    pub line: usize,
}

impl Task {
    /// A task of this name that does nothing, in the way that is usual.
    #[must_use]
    pub fn new(name: impl Into<String>, place: Place) -> Self {
        let name = name.into();
        Task {
            class: name.clone(),
            name,
            also: Vec::new(),
            action: Action::Nothing,
            needs: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            env: Variables::new(),
            directory: PathBuf::new(),
            priority: Priority::Mid,
            deadline: None,
            timeout: None,
            retries: Retries::default(),
            condition: None,
            always: false,
            lane: Lane::default(),
            expected: None,
            place,
            description: None,
        }
    }
}
