//! Running other people's code where a panic of it must not get out.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs code of somebody else: a waker, or a destructor. If it panics, its
/// panic hook has run, and that is all: there is nobody to report to.
pub(crate) fn quietly(run: impl FnOnce()) {
    // What `run` leaves half done is not looked at again.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(run)) {
        // The payload's own destructor may panic as well.
        std::mem::forget(payload);
    }
}
