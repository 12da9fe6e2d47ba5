//! The primitives that the modelled protocols are written against.
//!
//! In an ordinary build these are std's. Under `--cfg ats_loom` they are
//! loom's and under `--cfg ats_shuttle` shuttle's, so that a protocol is
//! written once and run under a checker as it stands.

#[cfg(ats_loom)]
pub(crate) use loom::{cell::UnsafeCell, sync::atomic};
#[cfg(ats_shuttle)]
pub(crate) use shuttle::sync::atomic;
#[cfg(not(any(ats_loom, ats_shuttle)))]
pub(crate) use std::sync::atomic;

#[cfg(not(ats_loom))]
pub(crate) use cell::UnsafeCell;

#[cfg(ats_loom)]
use loom::sync as base;
#[cfg(ats_shuttle)]
use shuttle::sync as base;
#[cfg(not(any(ats_loom, ats_shuttle)))]
use std::sync as base;

pub(crate) use base::MutexGuard;

/// A mutex that a panic elsewhere does not poison: every critical section of
/// this crate leaves its data consistent at every step that can panic.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(base::Mutex<T>);

impl<T> Mutex<T> {
    #[cfg(not(ats_loom))]
    pub(crate) const fn new(value: T) -> Self {
        Self(base::Mutex::new(value))
    }

    #[cfg(ats_loom)]
    pub(crate) fn new(value: T) -> Self {
        Self(base::Mutex::new(value))
    }

    /// The value, which nobody else can reach now.
    #[cfg(not(ats_loom))]
    pub(crate) fn get_mut(&mut self) -> &mut T {
        match self.0.get_mut() {
            Ok(value) => value,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        match self.0.lock() {
            Ok(guard) => guard,
            Err(poisoned) => poisoned.into_inner(),
        }
    }
}

/// Stands in for the total order of `SeqCst` accesses under loom, which
/// treats those as `AcqRel`. In other builds the accesses themselves suffice.
pub(crate) fn model_fence() {
    #[cfg(ats_loom)]
    atomic::fence(atomic::Ordering::SeqCst);
}

#[cfg(not(ats_loom))]
mod cell {
    /// `std::cell::UnsafeCell` behind loom's closure interface.
    #[derive(Debug)]
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}
