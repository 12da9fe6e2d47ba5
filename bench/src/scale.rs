//! How long things are measured: in full, and with `--quick`.

use std::time::Duration;

/// A full run, or a quick one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    pub(crate) quick: bool,
}

impl Scale {
    /// Picks the figure for this scale.
    pub(crate) fn pick<T>(self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// Picks a time in milliseconds for this scale.
    pub(crate) fn milliseconds(self, full: u64, quick: u64) -> Duration {
        Duration::from_millis(self.pick(full, quick))
    }

    /// How long one run may take before it counts as hanging. Far above what
    /// any row needs: a row that gets near it is broken, not slow.
    pub(crate) fn limit(self) -> Duration {
        self.milliseconds(90_000, 45_000)
    }
}
