//! Why nothing was received.

use super::super::{acquire::Told, line::Circle};
use crate::task::id::{TaskId, TaskName};
use std::fmt;

pub use tokio::sync::oneshot::error::TryRecvError;

/// Why a [`Receiver`](super::Receiver) gave no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecvError(Option<Circle>);

impl RecvError {
    pub(super) const CLOSED: Self = Self(None);

    pub(super) fn of_deadlock(circle: Circle) -> Self {
        Self(Some(circle))
    }

    /// Whether the sender was dropped without sending, or the receiver closed.
    pub fn is_closed(&self) -> bool {
        self.0.is_none()
    }

    /// Whether waiting would have closed a circle.
    pub fn is_deadlock(&self) -> bool {
        self.0.is_some()
    }

    /// The tasks, locks and channels that would have waited for each other, in the
    /// order of waiting, beginning with the current task.
    pub fn cycle(&self) -> Option<&[(TaskId, TaskName)]> {
        self.0.as_deref()
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(circle) => Told(circle).fmt(f),
            None => f.write_str("the channel was closed without a value"),
        }
    }
}

impl std::error::Error for RecvError {}
