//! A mutex that lends priority to its holder.
//!
//! It owns: the value, in a cell.
//!
//! - M1. Whoever has a guard has the one permit, and only a guard touches the
//!   value. The permit goes from one to the next by the state's `AcqRel` swaps or
//!   under the line's lock, so what one does is seen by the next.
//! - M2. Guards are as `Send` and `Sync` as a `&mut T` (a `T` if they are owned),
//!   of which each has a phantom.

use super::{
    acquire::{block_or_panic, or_end_task},
    holders::Hold,
    permits::{Permits, WaitFor},
};
use crate::task::id::TaskName;
use std::{
    cell::UnsafeCell,
    fmt,
    marker::PhantomData,
    mem,
    ops::{Deref, DerefMut},
    panic::Location,
    sync::Arc,
};

/// A lock for asynchronous code, with the methods of `tokio::sync::Mutex`.
///
/// Tasks that wait for it come in the order of their effective priority, and
/// lend it to the task that holds the lock. Like Tokio's, and unlike std's, it is
/// not poisoned by a panic.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use adaptive_task_scheduler::sync::Mutex;
///
/// let prices = Mutex::named("prices", vec![40]);
/// prices.lock().await.push(2);
/// assert_eq!(prices.into_inner(), [40, 2]);
/// # })
/// ```
pub struct Mutex<T: ?Sized> {
    permits: Permits<1>,
    value: UnsafeCell<T>,
}

// SAFETY: by M1 the value is touched by one guard at a time, so sharing the mutex
// only moves the right to it between threads, which `T: Send` allows.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    /// Makes a mutex. In errors and explanations it is called by the place in the
    /// source that made it.
    #[track_caller]
    pub fn new(value: T) -> Self {
        Self::named(TaskName::of_site(Location::caller()), value)
    }

    /// Makes a mutex with a name, for errors and explanations.
    pub fn named(name: impl Into<TaskName>, value: T) -> Self {
        Self {
            permits: Permits::new(1, WaitFor::All, name.into()),
            value: UnsafeCell::new(value),
        }
    }

    /// The value; nobody can hold the lock.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// What it is called.
    pub fn name(&self) -> &TaskName {
        self.permits.name()
    }

    /// Locks the mutex, waiting until it is this one's turn.
    ///
    /// If waiting would close a circle of tasks and locks, the current task ends
    /// with an error that names them all
    /// ([`TaskError::cycle`](crate::TaskError::cycle)), and this future stays
    /// pending until then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up the place in the line; a lock that was granted
    /// meanwhile goes to the next.
    pub async fn lock(&self) -> MutexGuard<'_, T> {
        let hold = or_end_task(&self.permits, 1).await;
        self.guard(hold)
    }

    /// The same for a mutex in an [`Arc`]; the guard keeps it alive.
    ///
    /// # Cancel safety
    ///
    /// As [`lock`](Self::lock).
    pub async fn lock_owned(self: Arc<Self>) -> OwnedMutexGuard<T> {
        let hold = or_end_task(&self.permits, 1).await;
        OwnedMutexGuard::new(self, hold)
    }

    /// Locks the mutex if it is free and nobody waits for it.
    ///
    /// # Errors
    ///
    /// [`TryLockError`] if it is not.
    pub fn try_lock(&self) -> Result<MutexGuard<'_, T>, TryLockError> {
        match self.permits.try_take(1) {
            Ok(hold) => Ok(self.guard(hold)),
            Err(_) => Err(TryLockError(())),
        }
    }

    /// The same for a mutex in an [`Arc`].
    ///
    /// # Errors
    ///
    /// As [`try_lock`](Self::try_lock).
    pub fn try_lock_owned(self: Arc<Self>) -> Result<OwnedMutexGuard<T>, TryLockError> {
        match self.permits.try_take(1) {
            Ok(hold) => Ok(OwnedMutexGuard::new(self, hold)),
            Err(_) => Err(TryLockError(())),
        }
    }

    /// Locks the mutex, blocking this thread meanwhile. For closures on the CPU
    /// and blocking lanes, and outside asynchronous code.
    ///
    /// # Panics
    ///
    /// In asynchronous code, as Tokio's; and if waiting would close a circle of
    /// tasks and locks.
    #[track_caller]
    pub fn blocking_lock(&self) -> MutexGuard<'_, T> {
        self.guard(block_or_panic(self.permits.acquire(1)))
    }

    /// The same for a mutex in an [`Arc`].
    ///
    /// # Panics
    ///
    /// As [`blocking_lock`](Self::blocking_lock).
    #[track_caller]
    pub fn blocking_lock_owned(self: Arc<Self>) -> OwnedMutexGuard<T> {
        let hold = block_or_panic(self.permits.acquire(1));
        OwnedMutexGuard::new(self, hold)
    }

    /// The value; nobody else can hold the lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    fn guard(&self, hold: Hold) -> MutexGuard<'_, T> {
        MutexGuard {
            mutex: self,
            hold,
            value: PhantomData,
        }
    }
}

impl<T> From<T> for Mutex<T> {
    #[track_caller]
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Default> Default for Mutex<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Mutex");
        out.field("name", self.name());
        match self.try_lock() {
            Ok(value) => out.field("value", &&*value),
            Err(_) => out.field("value", &format_args!("<locked>")),
        };
        out.finish()
    }
}

/// The value of a locked [`Mutex`]; dropping it unlocks.
#[must_use = "if it is not used, the mutex is unlocked at once"]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    hold: Hold,
    value: PhantomData<&'a mut T>,
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// The mutex.
    pub fn mutex(this: &Self) -> &'a Mutex<T> {
        this.mutex
    }
}

/// The value of a locked [`Mutex`] in an [`Arc`]; dropping it unlocks.
#[must_use = "if it is not used, the mutex is unlocked at once"]
pub struct OwnedMutexGuard<T: ?Sized> {
    mutex: Arc<Mutex<T>>,
    hold: Hold,
    value: PhantomData<T>,
}

impl<T: ?Sized> OwnedMutexGuard<T> {
    fn new(mutex: Arc<Mutex<T>>, hold: Hold) -> Self {
        Self {
            mutex,
            hold,
            value: PhantomData,
        }
    }

    /// The mutex.
    pub fn mutex(this: &Self) -> &Arc<Mutex<T>> {
        &this.mutex
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        let hold = mem::replace(&mut self.hold, Hold::UNKNOWN);
        self.mutex.permits.release(hold, 1);
    }
}

impl<T: ?Sized> Drop for OwnedMutexGuard<T> {
    fn drop(&mut self) {
        let hold = mem::replace(&mut self.hold, Hold::UNKNOWN);
        self.mutex.permits.release(hold, 1);
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: M1, this is the one guard.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: M1, this is the one guard, borrowed mutably.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> Deref for OwnedMutexGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: M1, this is the one guard.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for OwnedMutexGuard<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: M1, this is the one guard, borrowed mutably.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedMutexGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for OwnedMutexGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

/// The lock is held, or others wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TryLockError(pub(super) ());

impl fmt::Display for TryLockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the lock is held, or others wait for it")
    }
}

impl std::error::Error for TryLockError {}
