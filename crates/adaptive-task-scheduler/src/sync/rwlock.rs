//! A lock for many readers or one writer that lends priority to who holds it.
//!
//! It owns: the value, in a cell.
//!
//! - W1. A write guard has all permits, a read guard one, so while there is a
//!   write guard there is no other guard. Permits go from one to the next by the
//!   state's `AcqRel` swaps or under the line's lock.
//! - W2. Guards are as `Send` and `Sync` as a `&mut T` or `&T` (a `T` if they are
//!   owned), of which each has a phantom.

use super::{
    acquire::{block_or_panic, or_end_task},
    holders::Hold,
    mutex::TryLockError,
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

/// A writer takes so many permits: all.
const ALL: usize = (u32::MAX >> 3) as usize;

/// A lock for many readers or one writer, with the methods of
/// `tokio::sync::RwLock`.
///
/// Who waits comes in the order of effective priority, and lends it to the tasks
/// that hold the lock: to all readers, or to the writer. Among equals it is fair
/// as Tokio's is: a reader that comes after a waiting writer waits behind it. A
/// more important reader does not, so many of them can keep a writer waiting. There
/// can be 536,870,911 readers at a time; more wait.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use adaptive_task_scheduler::sync::RwLock;
///
/// let price = RwLock::named("price", 40);
/// *price.write().await += 2;
/// let (one, other) = (price.read().await, price.read().await);
/// assert_eq!((*one, *other), (42, 42));
/// # })
/// ```
pub struct RwLock<T: ?Sized> {
    permits: Permits<8>,
    value: UnsafeCell<T>,
}

// SAFETY: by W1 the value is touched by one write guard, which `T: Send` allows on
// any thread, or by read guards on many threads at once, which `T: Sync` allows.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}

impl<T> RwLock<T> {
    /// Makes a lock. In errors and explanations it is called by the place in the
    /// source that made it.
    #[track_caller]
    pub fn new(value: T) -> Self {
        Self::named(TaskName::of_site(Location::caller()), value)
    }

    /// Makes a lock with a name, for errors and explanations.
    pub fn named(name: impl Into<TaskName>, value: T) -> Self {
        Self {
            permits: Permits::new(ALL, WaitFor::All, name.into()),
            value: UnsafeCell::new(value),
        }
    }

    /// The value; nobody can hold the lock.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// What it is called.
    pub fn name(&self) -> &TaskName {
        self.permits.name()
    }

    /// Locks for reading, waiting until it is this one's turn.
    ///
    /// If waiting would close a circle of tasks and locks, the current task ends
    /// with an error that names them all
    /// ([`TaskError::cycle`](crate::TaskError::cycle)), and this future stays
    /// pending until then. A task that has a read guard and wants another while a
    /// writer waits is such a circle.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up the place in the line; a lock that was granted
    /// meanwhile is released.
    pub async fn read(&self) -> RwLockReadGuard<'_, T> {
        let hold = or_end_task(&self.permits, 1).await;
        self.reader(hold)
    }

    /// Locks for writing, waiting until it is this one's turn. Of a circle, as
    /// [`read`](Self::read).
    ///
    /// # Cancel safety
    ///
    /// As [`read`](Self::read).
    pub async fn write(&self) -> RwLockWriteGuard<'_, T> {
        let hold = or_end_task(&self.permits, ALL).await;
        self.writer(hold)
    }

    /// [`read`](Self::read) for a lock in an [`Arc`]; the guard keeps it alive.
    ///
    /// # Cancel safety
    ///
    /// As [`read`](Self::read).
    pub async fn read_owned(self: Arc<Self>) -> OwnedRwLockReadGuard<T> {
        let hold = or_end_task(&self.permits, 1).await;
        OwnedRwLockReadGuard::new(self, hold)
    }

    /// [`write`](Self::write) for a lock in an [`Arc`]; the guard keeps it alive.
    ///
    /// # Cancel safety
    ///
    /// As [`read`](Self::read).
    pub async fn write_owned(self: Arc<Self>) -> OwnedRwLockWriteGuard<T> {
        let hold = or_end_task(&self.permits, ALL).await;
        OwnedRwLockWriteGuard::new(self, hold)
    }

    /// Locks for reading if no writer has the lock and nobody waits.
    ///
    /// # Errors
    ///
    /// [`TryLockError`] if that is not so.
    pub fn try_read(&self) -> Result<RwLockReadGuard<'_, T>, TryLockError> {
        let hold = self.permits.try_take(1).map_err(|_| TryLockError(()))?;
        Ok(self.reader(hold))
    }

    /// Locks for writing if nobody has the lock.
    ///
    /// # Errors
    ///
    /// [`TryLockError`] if somebody has.
    pub fn try_write(&self) -> Result<RwLockWriteGuard<'_, T>, TryLockError> {
        let hold = self.permits.try_take(ALL).map_err(|_| TryLockError(()))?;
        Ok(self.writer(hold))
    }

    /// [`try_read`](Self::try_read) for a lock in an [`Arc`].
    ///
    /// # Errors
    ///
    /// As [`try_read`](Self::try_read).
    pub fn try_read_owned(self: Arc<Self>) -> Result<OwnedRwLockReadGuard<T>, TryLockError> {
        let hold = self.permits.try_take(1).map_err(|_| TryLockError(()))?;
        Ok(OwnedRwLockReadGuard::new(self, hold))
    }

    /// [`try_write`](Self::try_write) for a lock in an [`Arc`].
    ///
    /// # Errors
    ///
    /// As [`try_write`](Self::try_write).
    pub fn try_write_owned(self: Arc<Self>) -> Result<OwnedRwLockWriteGuard<T>, TryLockError> {
        let hold = self.permits.try_take(ALL).map_err(|_| TryLockError(()))?;
        Ok(OwnedRwLockWriteGuard::new(self, hold))
    }

    /// Locks for reading, blocking this thread meanwhile. For closures on the CPU
    /// and blocking lanes, and outside asynchronous code.
    ///
    /// # Panics
    ///
    /// In asynchronous code, as Tokio's; and if waiting would close a circle of
    /// tasks and locks.
    #[track_caller]
    pub fn blocking_read(&self) -> RwLockReadGuard<'_, T> {
        self.reader(block_or_panic(self.permits.acquire(1)))
    }

    /// Locks for writing, blocking this thread meanwhile.
    ///
    /// # Panics
    ///
    /// As [`blocking_read`](Self::blocking_read).
    #[track_caller]
    pub fn blocking_write(&self) -> RwLockWriteGuard<'_, T> {
        self.writer(block_or_panic(self.permits.acquire(ALL)))
    }

    /// The value; nobody else can hold the lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    fn reader(&self, hold: Hold) -> RwLockReadGuard<'_, T> {
        RwLockReadGuard {
            lock: self,
            hold,
            value: PhantomData,
        }
    }

    fn writer(&self, hold: Hold) -> RwLockWriteGuard<'_, T> {
        RwLockWriteGuard {
            lock: self,
            hold,
            value: PhantomData,
        }
    }
}

impl<T> From<T> for RwLock<T> {
    #[track_caller]
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Default> Default for RwLock<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("RwLock");
        out.field("name", self.name());
        match self.try_read() {
            Ok(value) => out.field("value", &&*value),
            Err(_) => out.field("value", &format_args!("<locked>")),
        };
        out.finish()
    }
}

/// The value of an [`RwLock`] that is locked for reading; dropping it unlocks.
#[must_use = "if it is not used, the lock is released at once"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    hold: Hold,
    value: PhantomData<&'a T>,
}

/// The value of an [`RwLock`] that is locked for writing; dropping it unlocks.
#[must_use = "if it is not used, the lock is released at once"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    hold: Hold,
    value: PhantomData<&'a mut T>,
}

/// The value of an [`RwLock`] in an [`Arc`] that is locked for reading; dropping it
/// unlocks.
#[must_use = "if it is not used, the lock is released at once"]
pub struct OwnedRwLockReadGuard<T: ?Sized> {
    lock: Arc<RwLock<T>>,
    hold: Hold,
    value: PhantomData<T>,
}

/// The value of an [`RwLock`] in an [`Arc`] that is locked for writing; dropping it
/// unlocks.
#[must_use = "if it is not used, the lock is released at once"]
pub struct OwnedRwLockWriteGuard<T: ?Sized> {
    lock: Arc<RwLock<T>>,
    hold: Hold,
    value: PhantomData<T>,
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// Goes on as a reader, without letting a writer in between. Readers that come
    /// first in the line get in as well.
    pub fn downgrade(mut self) -> RwLockReadGuard<'a, T> {
        let hold = mem::replace(&mut self.hold, Hold::UNKNOWN);
        let lock = self.lock;
        mem::forget(self);
        lock.permits.release(Hold::UNKNOWN, ALL - 1);
        lock.reader(hold)
    }
}

impl<T: ?Sized> OwnedRwLockWriteGuard<T> {
    fn new(lock: Arc<RwLock<T>>, hold: Hold) -> Self {
        Self {
            lock,
            hold,
            value: PhantomData,
        }
    }
}

impl<T: ?Sized> OwnedRwLockReadGuard<T> {
    fn new(lock: Arc<RwLock<T>>, hold: Hold) -> Self {
        Self {
            lock,
            hold,
            value: PhantomData,
        }
    }
}

macro_rules! guard {
    ([$($life:tt)?] $guard:ident, $permits:expr) => {
        impl<$($life,)? T: ?Sized> Drop for $guard<$($life,)? T> {
            fn drop(&mut self) {
                let hold = mem::replace(&mut self.hold, Hold::UNKNOWN);
                self.lock.permits.release(hold, $permits);
            }
        }

        impl<$($life,)? T: ?Sized> Deref for $guard<$($life,)? T> {
            type Target = T;

            fn deref(&self) -> &T {
                // SAFETY: W1, there is no write guard but, perhaps, this one.
                unsafe { &*self.lock.value.get() }
            }
        }

        impl<$($life,)? T: ?Sized + fmt::Debug> fmt::Debug for $guard<$($life,)? T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&**self, f)
            }
        }

        impl<$($life,)? T: ?Sized + fmt::Display> fmt::Display for $guard<$($life,)? T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&**self, f)
            }
        }
    };
}

guard!(['a] RwLockReadGuard, 1);
guard!(['a] RwLockWriteGuard, ALL);
guard!([] OwnedRwLockReadGuard, 1);
guard!([] OwnedRwLockWriteGuard, ALL);

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: W1, this is the one guard, borrowed mutably.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for OwnedRwLockWriteGuard<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: W1, this is the one guard, borrowed mutably.
        unsafe { &mut *self.lock.value.get() }
    }
}
