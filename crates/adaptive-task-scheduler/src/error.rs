//! Why a task gave no value, and what was wrong with a request.

use crate::{
    quietly::quietly,
    task::{
        id::{TaskId, TaskName},
        job::{BoxError, Payload},
    },
};
use std::{borrow::Cow, error::Error, fmt, sync::Arc, sync::Mutex, time::Duration};

/// Why a task ended without a value.
///
/// ```
/// # tokio::runtime::Builder::new_multi_thread().build().unwrap().block_on(async {
/// use adaptive_task_scheduler::Scheduler;
///
/// let scheduler = Scheduler::new();
/// let task = scheduler.task().name("divide").spawn(async { panic!("by zero") });
/// let error = task.await.unwrap_err();
/// assert!(error.is_panic());
/// assert_eq!(error.to_string(), "task \"divide\" panicked: by zero");
/// # })
/// ```
#[derive(Clone)]
pub struct TaskError(Arc<Inner>);

struct Inner {
    task: TaskId,
    name: TaskName,
    cause: Cause,
}

enum Cause {
    Failed(BoxError),
    Panicked {
        message: String,
        payload: Mutex<Option<Payload>>,
    },
    Cancelled,
    TimedOut(Duration),
    /// The failed dependency, and the first failure in its chain, which is known
    /// to every error of a chain, however long that is.
    Dependency {
        direct: TaskError,
        root: TaskError,
    },
    Rejected(Cow<'static, str>),
    ShutDown,
    Cycle(Vec<(TaskId, TaskName)>),
}

/// The kinds of [`TaskError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskErrorKind {
    /// The task's own work returned an error (only tasks of
    /// [`TaskBuilder::spawn_try`](crate::TaskBuilder::spawn_try)).
    Failed,
    /// The task panicked.
    Panicked,
    /// The task was cancelled.
    Cancelled,
    /// The task took longer than its time-out.
    TimedOut,
    /// A task that this one was to run after did not complete.
    Dependency,
    /// The scheduler no longer takes tasks, or has no room for more.
    Rejected,
    /// The scheduler was shut down before the task ended.
    ShutDown,
    /// Waiting would have closed a cycle of tasks that wait for each other.
    Cycle,
}

impl TaskError {
    fn new(task: TaskId, name: TaskName, cause: Cause) -> Self {
        Self(Arc::new(Inner { task, name, cause }))
    }

    pub(crate) fn failed(task: TaskId, name: TaskName, error: BoxError) -> Self {
        Self::new(task, name, Cause::Failed(error))
    }

    pub(crate) fn panicked(task: TaskId, name: TaskName, payload: Payload) -> Self {
        let message = message_of(&payload);
        let payload = Mutex::new(Some(payload));
        Self::new(task, name, Cause::Panicked { message, payload })
    }

    pub(crate) fn cancelled(task: TaskId, name: TaskName) -> Self {
        Self::new(task, name, Cause::Cancelled)
    }

    pub(crate) fn timed_out(task: TaskId, name: TaskName, limit: Duration) -> Self {
        Self::new(task, name, Cause::TimedOut(limit))
    }

    pub(crate) fn of_dependency(task: TaskId, name: TaskName, cause: TaskError) -> Self {
        let root = cause.root_cause().clone();
        Self::new(
            task,
            name,
            Cause::Dependency {
                direct: cause,
                root,
            },
        )
    }

    pub(crate) fn rejected(
        task: TaskId,
        name: TaskName,
        why: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(task, name, Cause::Rejected(why.into()))
    }

    pub(crate) fn shut_down(task: TaskId, name: TaskName) -> Self {
        Self::new(task, name, Cause::ShutDown)
    }

    pub(crate) fn of_cycle(task: TaskId, name: TaskName, path: Vec<(TaskId, TaskName)>) -> Self {
        Self::new(task, name, Cause::Cycle(path))
    }

    /// The task that gave no value.
    pub fn task(&self) -> TaskId {
        self.0.task
    }

    /// The name of the task that gave no value.
    pub fn name(&self) -> &TaskName {
        &self.0.name
    }

    /// What kind of error this is.
    pub fn kind(&self) -> TaskErrorKind {
        match self.0.cause {
            Cause::Failed(_) => TaskErrorKind::Failed,
            Cause::Panicked { .. } => TaskErrorKind::Panicked,
            Cause::Cancelled => TaskErrorKind::Cancelled,
            Cause::TimedOut(_) => TaskErrorKind::TimedOut,
            Cause::Dependency { .. } => TaskErrorKind::Dependency,
            Cause::Rejected(_) => TaskErrorKind::Rejected,
            Cause::ShutDown => TaskErrorKind::ShutDown,
            Cause::Cycle(_) => TaskErrorKind::Cycle,
        }
    }

    /// Whether the task's own work returned an error.
    pub fn is_failed(&self) -> bool {
        self.kind() == TaskErrorKind::Failed
    }

    /// Whether the task panicked.
    pub fn is_panic(&self) -> bool {
        self.kind() == TaskErrorKind::Panicked
    }

    /// Whether the task was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.kind() == TaskErrorKind::Cancelled
    }

    /// Whether the task took longer than its time-out.
    pub fn is_timeout(&self) -> bool {
        self.kind() == TaskErrorKind::TimedOut
    }

    /// Whether a task that this one was to run after did not complete.
    pub fn is_dependency(&self) -> bool {
        self.kind() == TaskErrorKind::Dependency
    }

    /// Whether the scheduler did not take the task.
    pub fn is_rejected(&self) -> bool {
        self.kind() == TaskErrorKind::Rejected
    }

    /// Whether the scheduler was shut down before the task ended.
    pub fn is_shutdown(&self) -> bool {
        self.kind() == TaskErrorKind::ShutDown
    }

    /// Whether waiting would have closed a cycle. The awaited task is not
    /// affected and goes on.
    pub fn is_cycle(&self) -> bool {
        self.kind() == TaskErrorKind::Cycle
    }

    /// What the task panicked with, if that was a text.
    pub fn panic_message(&self) -> Option<&str> {
        match &self.0.cause {
            Cause::Panicked { message, .. } => Some(message),
            _ => None,
        }
    }

    /// The payload of the panic, for [`std::panic::resume_unwind`].
    ///
    /// # Errors
    ///
    /// Gives the error back if the task did not panic, or if the payload was
    /// taken already through a clone of this error.
    pub fn into_panic(self) -> Result<Payload, TaskError> {
        let payload = match &self.0.cause {
            Cause::Panicked { payload, .. } => match payload.lock() {
                Ok(mut payload) => payload.take(),
                Err(poisoned) => poisoned.into_inner().take(),
            },
            _ => None,
        };
        payload.ok_or(self)
    }

    /// The error of the dependency that did not complete.
    pub fn dependency(&self) -> Option<&TaskError> {
        match &self.0.cause {
            Cause::Dependency { direct, .. } => Some(direct),
            _ => None,
        }
    }

    /// The first failure in the chain of dependencies; this error itself if
    /// no dependency failed.
    pub fn root_cause(&self) -> &TaskError {
        match &self.0.cause {
            Cause::Dependency { root, .. } => root,
            _ => self,
        }
    }

    /// The tasks that wait for each other, in the order of waiting, beginning
    /// with the one whose wait would have closed the cycle.
    pub fn cycle(&self) -> Option<&[(TaskId, TaskName)]> {
        match &self.0.cause {
            Cause::Cycle(path) => Some(path),
            _ => None,
        }
    }
}

impl Drop for Inner {
    /// Takes a chain of causes apart in a loop: it may be very long. At its end
    /// may be a value of somebody else, whose destructor may panic.
    fn drop(&mut self) {
        let mut next = std::mem::replace(&mut self.cause, Cause::Cancelled);
        while let Cause::Dependency { direct, .. } = next {
            next = match Arc::try_unwrap(direct.0) {
                Ok(mut inner) => std::mem::replace(&mut inner.cause, Cause::Cancelled),
                Err(_shared) => return,
            };
        }
        if let Cause::Failed(_) | Cause::Panicked { .. } = next {
            quietly(|| drop(next));
        }
    }
}

fn message_of(payload: &Payload) -> String {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a value that is not a text".to_owned()
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.0.name;
        match &self.0.cause {
            Cause::Failed(error) => write!(f, "task {name:?} failed: {error}"),
            Cause::Panicked { message, .. } => write!(f, "task {name:?} panicked: {message}"),
            Cause::Cancelled => write!(f, "task {name:?} was cancelled"),
            Cause::TimedOut(limit) => write!(f, "task {name:?} took longer than {limit:?}"),
            Cause::Dependency { root, .. } => write!(f, "task {name:?} was not run: {root}"),
            Cause::Rejected(why) => write!(f, "task {name:?} was rejected: {why}"),
            Cause::ShutDown => write!(f, "task {name:?} was ended by the scheduler's shutdown"),
            Cause::Cycle(path) => write_cycle(f, path),
        }
    }
}

fn write_cycle(f: &mut fmt::Formatter<'_>, path: &[(TaskId, TaskName)]) -> fmt::Result {
    f.write_str("tasks would wait for each other: ")?;
    for (_, name) in path {
        write!(f, "{name:?} -> ")?;
    }
    match path.first() {
        Some((_, first)) => write!(f, "{first:?}"),
        None => f.write_str("(nothing)"),
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskError")
            .field("kind", &self.kind())
            .field("task", &self.0.task)
            .field("message", &self.to_string())
            .finish()
    }
}

impl Error for TaskError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0.cause {
            Cause::Failed(error) => Some(&**error),
            Cause::Dependency { direct, .. } => Some(direct),
            _ => None,
        }
    }
}

/// Why a scheduler could not be built.
#[derive(Debug)]
pub struct BuildError {
    what: &'static str,
    source: Option<std::io::Error>,
}

impl BuildError {
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, source: None }
    }

    pub(crate) fn io(what: &'static str, source: std::io::Error) -> Self {
        Self {
            what,
            source: Some(source),
        }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

/// Why a dependency could not be added.
#[derive(Debug, Clone)]
pub struct DependencyError(pub(crate) DependencyErrorKind);

#[derive(Debug, Clone)]
pub(crate) enum DependencyErrorKind {
    AlreadyReady(TaskName),
    Cycle(Vec<(TaskId, TaskName)>),
}

impl DependencyError {
    /// The tasks that would wait for each other, if that is what was wrong.
    pub fn cycle(&self) -> Option<&[(TaskId, TaskName)]> {
        match &self.0 {
            DependencyErrorKind::Cycle(path) => Some(path),
            DependencyErrorKind::AlreadyReady(_) => None,
        }
    }
}

impl fmt::Display for DependencyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            DependencyErrorKind::AlreadyReady(name) => {
                write!(
                    f,
                    "task {name:?} does not wait for dependencies any more: \
                     declare them before the last one is finished"
                )
            }
            DependencyErrorKind::Cycle(path) => write_cycle(f, path),
        }
    }
}

impl Error for DependencyError {}

/// The answer of [`checkpoint`](crate::checkpoint) when the task is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cancelled;

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task was cancelled")
    }
}

impl Error for Cancelled {}
