//! One published number that may be unknown.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A floating-point number as its bits; unknown is a bit pattern of a NaN that
/// no computation gives.
#[derive(Debug)]
pub(super) struct Figure(AtomicU64);

const UNKNOWN: u64 = u64::MAX;

impl Figure {
    pub(super) const fn unknown() -> Self {
        Self(AtomicU64::new(UNKNOWN))
    }

    pub(super) fn set(&self, value: Option<f64>) {
        self.0.store(value.map_or(UNKNOWN, f64::to_bits), Relaxed);
    }

    pub(super) fn get(&self) -> Option<f64> {
        let bits = self.0.load(Relaxed);
        (bits != UNKNOWN).then(|| f64::from_bits(bits))
    }
}
