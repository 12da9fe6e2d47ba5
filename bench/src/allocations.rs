//! How much this process has allocated, where its allocator counts.

use std::sync::OnceLock;

/// All allocations of a process until now.
#[derive(Clone, Copy, Debug)]
pub struct Allocations {
    /// How often memory was asked for.
    pub count: usize,
    /// Bytes that are allocated now.
    pub bytes: usize,
}

static COUNTER: OnceLock<fn() -> Allocations> = OnceLock::new();

/// Says who counts. Once, before anything is measured.
pub(crate) fn counted_by(counter: fn() -> Allocations) {
    COUNTER.set(counter).expect("it is said once");
}

/// What was allocated until now; nothing where nobody counts.
pub(crate) fn now() -> Option<Allocations> {
    COUNTER.get().map(|counter| counter())
}
