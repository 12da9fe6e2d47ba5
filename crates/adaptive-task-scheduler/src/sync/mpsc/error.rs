//! Why nothing was sent or received.

use super::super::{acquire::Told, line::Circle, permits::Refusal};
use crate::task::id::{TaskId, TaskName};
use std::fmt;

pub use tokio::sync::mpsc::error::{TryRecvError, TrySendError};

/// Why a value was not sent, with the value; or why no room was reserved.
#[derive(Clone, PartialEq, Eq)]
pub struct SendError<T> {
    value: T,
    circle: Option<Circle>,
}

impl<T> SendError<T> {
    pub(super) fn new(value: T, refusal: Refusal) -> Self {
        let circle = match refusal {
            Refusal::Deadlock(circle) => Some(circle),
            Refusal::Closed | Refusal::NoPermits => None,
        };
        Self { value, circle }
    }

    /// Whether the receiver was dropped or closed; or more room was wanted than the
    /// channel has.
    pub fn is_closed(&self) -> bool {
        self.circle.is_none()
    }

    /// Whether waiting would have closed a circle.
    pub fn is_deadlock(&self) -> bool {
        self.circle.is_some()
    }

    /// The tasks, locks and channels that would have waited for each other, in the
    /// order of waiting, beginning with the current task.
    pub fn cycle(&self) -> Option<&[(TaskId, TaskName)]> {
        self.circle.as_deref()
    }

    /// The value that was not sent.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError")
            .field("cycle", &self.circle)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.circle {
            Some(circle) => Told(circle).fmt(f),
            None => f.write_str("the channel was closed"),
        }
    }
}

impl<T> std::error::Error for SendError<T> {}
