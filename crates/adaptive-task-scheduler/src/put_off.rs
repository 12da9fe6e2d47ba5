//! Delivering events, put off while this thread holds a lock of the library's.
//!
//! It owns: how many such locks this thread holds, and the schedulers whose events
//! are due when it holds none any more.
//!
//! Delivering an event calls anybody's code: the waker of a receiver, or a
//! `tracing` subscriber. Were that done under a lock, code that needs the same lock
//! would wait for itself. So whoever takes a lock under which events are made holds a
//! [`PutOff`] around it. Meanwhile the events are queued, also those of other
//! threads of the same scheduler, so their order stays.

use crate::core::Core;
use std::{cell::RefCell, marker::PhantomData, sync::Arc};

#[derive(Default)]
struct Due {
    locks: usize,
    cores: Vec<Arc<Core>>,
}

thread_local! {
    static DUE: RefCell<Due> = const { RefCell::new(Due { locks: 0, cores: Vec::new() }) };
}

/// Puts off the delivery of events on this thread until it is dropped; made before
/// the lock is taken, so that it is dropped after its guard.
#[must_use]
pub(crate) struct PutOff {
    /// It belongs to its thread.
    not_send: PhantomData<*const ()>,
}

impl PutOff {
    pub(crate) fn begin() -> Self {
        let _ = DUE.try_with(|due| due.borrow_mut().locks += 1);
        Self {
            not_send: PhantomData,
        }
    }
}

impl Drop for PutOff {
    fn drop(&mut self) {
        let due = DUE.try_with(|due| {
            let mut due = due.borrow_mut();
            due.locks = due.locks.saturating_sub(1);
            if due.locks == 0 {
                std::mem::take(&mut due.cores)
            } else {
                Vec::new()
            }
        });
        for core in due.unwrap_or_default() {
            core.events.deliver();
        }
    }
}

/// Whether the delivery of events is put off; then `core` is remembered for it.
pub(crate) fn is_put_off(core: impl FnOnce() -> Option<Arc<Core>>) -> bool {
    let noted = DUE.try_with(|due| {
        let mut due = due.borrow_mut();
        if due.locks == 0 {
            return false;
        }
        let core = core();
        let is_there = core.is_some();
        due.cores.extend(core);
        is_there
    });
    noted.unwrap_or(false)
}
