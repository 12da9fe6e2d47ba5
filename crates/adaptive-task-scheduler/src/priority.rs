//! How much a task matters.

use std::fmt;

/// How much a task matters, in five levels named after the tiers of Google's
/// Borg ("Borg: the Next Generation", EuroSys 2020).
///
/// Among ready tasks the highest *effective* priority goes first: a task's own
/// priority, or that of the most important task waiting on it, whichever is
/// higher.
///
/// | level | for |
/// | --- | --- |
/// | [`Monitoring`](Self::Monitoring) | health checks and control loops that must run even in overload |
/// | [`Production`](Self::Production) | what a user is waiting for |
/// | [`Mid`](Self::Mid) | everything else (the default) |
/// | [`Batch`](Self::Batch) | work that should finish today |
/// | [`Free`](Self::Free) | work that may use only what is left over |
///
/// ```
/// use adaptive_task_scheduler::Priority;
/// assert!(Priority::Production > Priority::Batch);
/// assert_eq!(Priority::default(), Priority::Mid);
/// ```
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Priority {
    /// Uses only what is left over.
    Free = 0,
    /// Should finish, but nobody is waiting for it now.
    Batch = 1,
    /// The default.
    #[default]
    Mid = 2,
    /// Somebody is waiting for it.
    Production = 3,
    /// Must run even in overload.
    Monitoring = 4,
}

/// How many levels there are.
pub(crate) const LEVELS: usize = 5;

impl Priority {
    /// All levels, lowest first.
    pub const ALL: [Priority; LEVELS] = [
        Priority::Free,
        Priority::Batch,
        Priority::Mid,
        Priority::Production,
        Priority::Monitoring,
    ];

    pub(crate) fn level(self) -> u8 {
        self as u8
    }

    /// The priority of a level; levels above the highest saturate.
    pub(crate) fn of_level(level: u8) -> Self {
        Self::ALL[usize::from(level).min(LEVELS - 1)]
    }

    /// The name as it is written in files and tables: `"production"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Priority::Free => "free",
            Priority::Batch => "batch",
            Priority::Mid => "mid",
            Priority::Production => "production",
            Priority::Monitoring => "monitoring",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no [`Priority`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsePriorityError(String);

impl fmt::Display for ParsePriorityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Priority::ALL.map(Priority::as_str).join(", ");
        write!(f, "no priority is called {:?}: use one of {names}", self.0)
    }
}

impl std::error::Error for ParsePriorityError {}

impl std::str::FromStr for Priority {
    type Err = ParsePriorityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|priority| priority.as_str() == text)
            .ok_or_else(|| ParsePriorityError(text.to_owned()))
    }
}
