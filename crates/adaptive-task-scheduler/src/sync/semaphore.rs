//! A semaphore that lends priority to those who hold its permits.
//!
//! It owns: nothing but its permits; [`super::permits`] does the work.

use super::{
    acquire::{Told, acquire},
    holders::Hold,
    permits::{self, Permits, Refusal, WaitFor},
};
use crate::task::id::{TaskId, TaskName};
use std::{fmt, mem, panic::Location, sync::Arc};

/// Counted permits, with the methods of `tokio::sync::Semaphore`.
///
/// Tasks that wait come in the order of their effective priority, and lend it to
/// the tasks that hold permits. While the first in line wants more than there is,
/// those behind it wait too, and [`try_acquire`](Self::try_acquire) gives nothing.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use adaptive_task_scheduler::sync::Semaphore;
///
/// let connections = Semaphore::named("connections", 2);
/// let one = connections.acquire().await.unwrap();
/// assert_eq!(connections.available_permits(), 1);
/// drop(one);
/// # })
/// ```
#[derive(Debug)]
pub struct Semaphore {
    permits: Permits<8>,
}

impl Semaphore {
    /// The most permits that there may be.
    pub const MAX_PERMITS: usize = permits::MAX_PERMITS;

    /// Makes a semaphore with so many permits. In errors and explanations it is
    /// called by the place in the source that made it.
    ///
    /// # Panics
    ///
    /// With more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    #[track_caller]
    pub fn new(permits: usize) -> Self {
        Self::named(TaskName::of_site(Location::caller()), permits)
    }

    /// Makes a semaphore with a name, for errors and explanations.
    ///
    /// # Panics
    ///
    /// With more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    #[track_caller]
    pub fn named(name: impl Into<TaskName>, permits: usize) -> Self {
        Self {
            permits: Permits::new(permits, WaitFor::Any, name.into()),
        }
    }

    /// What it is called.
    pub fn name(&self) -> &TaskName {
        self.permits.name()
    }

    /// How many permits are free.
    pub fn available_permits(&self) -> usize {
        self.permits.available()
    }

    /// Adds permits.
    ///
    /// # Panics
    ///
    /// If there would be more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    pub fn add_permits(&self, permits: usize) {
        self.permits.add(permits);
    }

    /// Takes up to so many free permits away for good. Returns how many it were.
    pub fn forget_permits(&self, permits: usize) -> usize {
        self.permits.take_away(permits)
    }

    /// Refuses all who wait, and all who come later.
    pub fn close(&self) {
        self.permits.close();
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.permits.is_closed()
    }

    /// Waits for a permit.
    ///
    /// # Errors
    ///
    /// [`AcquireError`] if the semaphore is closed, or if all its permits are held
    /// by a task that, directly or through others, waits for the current one.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up the place in the line; permits that were
    /// granted meanwhile go to the next.
    pub async fn acquire(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.acquire_many(1).await
    }

    /// Waits for several permits at once.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Cancel safety
    ///
    /// As [`acquire`](Self::acquire).
    pub async fn acquire_many(&self, permits: u32) -> Result<SemaphorePermit<'_>, AcquireError> {
        let hold = acquire(&self.permits, permits as usize).await?;
        Ok(SemaphorePermit {
            semaphore: self,
            hold,
            permits,
        })
    }

    /// Takes a permit if one is free and nobody waits.
    ///
    /// # Errors
    ///
    /// [`TryAcquireError`] if there is none, or the semaphore is closed.
    pub fn try_acquire(&self) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.try_acquire_many(1)
    }

    /// Takes several permits if they are free and nobody waits.
    ///
    /// # Errors
    ///
    /// As [`try_acquire`](Self::try_acquire).
    pub fn try_acquire_many(&self, permits: u32) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        let hold = self.permits.try_take(permits as usize)?;
        Ok(SemaphorePermit {
            semaphore: self,
            hold,
            permits,
        })
    }

    /// Waits for a permit of a semaphore in an [`Arc`], which the permit keeps
    /// alive.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Cancel safety
    ///
    /// As [`acquire`](Self::acquire).
    pub async fn acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, AcquireError> {
        self.acquire_many_owned(1).await
    }

    /// Waits for several permits of a semaphore in an [`Arc`].
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Cancel safety
    ///
    /// As [`acquire`](Self::acquire).
    pub async fn acquire_many_owned(
        self: Arc<Self>,
        permits: u32,
    ) -> Result<OwnedSemaphorePermit, AcquireError> {
        let hold = acquire(&self.permits, permits as usize).await?;
        Ok(OwnedSemaphorePermit {
            semaphore: self,
            hold,
            permits,
        })
    }

    /// Takes a permit of a semaphore in an [`Arc`] if one is free and nobody waits.
    ///
    /// # Errors
    ///
    /// As [`try_acquire`](Self::try_acquire).
    pub fn try_acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        self.try_acquire_many_owned(1)
    }

    /// Takes several permits of a semaphore in an [`Arc`] if they are free and
    /// nobody waits.
    ///
    /// # Errors
    ///
    /// As [`try_acquire`](Self::try_acquire).
    pub fn try_acquire_many_owned(
        self: Arc<Self>,
        permits: u32,
    ) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        let hold = self.permits.try_take(permits as usize)?;
        Ok(OwnedSemaphorePermit {
            semaphore: self,
            hold,
            permits,
        })
    }

    fn split(&self, hold: &Hold, left: u32, split: u32) -> Hold {
        self.permits.split(hold, left as usize, split as usize)
    }
}

/// Permits of a [`Semaphore`]; dropping gives them back.
#[must_use = "if it is not used, the permits are given back at once"]
#[derive(Debug)]
pub struct SemaphorePermit<'a> {
    semaphore: &'a Semaphore,
    hold: Hold,
    permits: u32,
}

/// Permits of a [`Semaphore`] in an [`Arc`]; dropping gives them back.
#[must_use = "if it is not used, the permits are given back at once"]
#[derive(Debug)]
pub struct OwnedSemaphorePermit {
    semaphore: Arc<Semaphore>,
    hold: Hold,
    permits: u32,
}

impl<'a> SemaphorePermit<'a> {
    /// The semaphore.
    pub fn semaphore(&self) -> &'a Semaphore {
        self.semaphore
    }
}

impl OwnedSemaphorePermit {
    /// The semaphore.
    pub fn semaphore(&self) -> &Arc<Semaphore> {
        &self.semaphore
    }
}

macro_rules! permit {
    ([$($life:tt)?] $permit:ty, $clone:expr, $is_same:expr) => {
        impl$(<$life>)? $permit {
            /// Takes the permits out of the semaphore for good.
            pub fn forget(mut self) {
                let hold = mem::replace(&mut self.hold, Hold::UNKNOWN);
                let permits = mem::take(&mut self.permits);
                self.semaphore.permits.forget(hold, permits as usize);
            }

            /// Takes over the permits of another.
            ///
            /// # Panics
            ///
            /// If it is of another semaphore, or if together they are 2^32 permits or
            /// more.
            #[track_caller]
            pub fn merge(&mut self, mut other: Self) {
                assert!(
                    $is_same(&self.semaphore, &other.semaphore),
                    "permits of two semaphores cannot be merged"
                );
                let sum = self.permits.checked_add(other.permits);
                self.permits = sum.expect("a permit stands for less than 2^32 permits");
                other.permits = 0;
                let hold = mem::replace(&mut other.hold, Hold::UNKNOWN);
                let all = self.permits as usize;
                self.semaphore.permits.merge(&self.hold, hold, all);
            }

            /// Makes so many of these permits a permit of their own; `None` if
            /// there are fewer.
            pub fn split(&mut self, permits: usize) -> Option<Self> {
                let split = u32::try_from(permits).ok()?;
                let left = self.permits.checked_sub(split)?;
                let hold = self.semaphore.split(&self.hold, left, split);
                self.permits = left;
                Some(Self {
                    semaphore: $clone(&self.semaphore),
                    hold,
                    permits: split,
                })
            }

            /// How many permits these are.
            pub fn num_permits(&self) -> usize {
                self.permits as usize
            }
        }

        impl$(<$life>)? Drop for $permit {
            fn drop(&mut self) {
                let hold = mem::replace(&mut self.hold, Hold::UNKNOWN);
                if hold.owner().is_some() || self.permits > 0 {
                    self.semaphore.permits.release(hold, self.permits as usize);
                }
            }
        }
    };
}

permit!(['a] SemaphorePermit<'a>, Clone::clone, |one: &&Semaphore, other: &&Semaphore| {
    std::ptr::eq(*one, *other)
});
permit!([] OwnedSemaphorePermit, Arc::clone, Arc::ptr_eq);

/// Why [`Semaphore::acquire`] gave no permit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcquireError(Option<Vec<(TaskId, TaskName)>>);

impl AcquireError {
    /// Whether the semaphore was closed.
    pub fn is_closed(&self) -> bool {
        self.0.is_none()
    }

    /// Whether waiting would have closed a circle.
    pub fn is_deadlock(&self) -> bool {
        self.0.is_some()
    }

    /// The tasks and locks that would have waited for each other, in the order of
    /// waiting, beginning with the current task.
    pub fn cycle(&self) -> Option<&[(TaskId, TaskName)]> {
        self.0.as_deref()
    }
}

impl From<Refusal> for AcquireError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Deadlock(circle) => Self(Some(circle)),
            Refusal::Closed | Refusal::NoPermits => Self(None),
        }
    }
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(circle) => Told(circle).fmt(f),
            None => f.write_str("the semaphore was closed"),
        }
    }
}

impl std::error::Error for AcquireError {}

/// Why [`Semaphore::try_acquire`] gave no permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryAcquireError {
    /// The semaphore was closed.
    Closed,
    /// There are not enough permits, or others wait for them.
    NoPermits,
}

impl From<Refusal> for TryAcquireError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Closed => Self::Closed,
            Refusal::NoPermits | Refusal::Deadlock(_) => Self::NoPermits,
        }
    }
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the semaphore was closed",
            Self::NoPermits => "there are not enough permits, or others wait for them",
        })
    }
}

impl std::error::Error for TryAcquireError {}
