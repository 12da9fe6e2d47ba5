//! Wakers that are ids.
//!
//! The data of a waker is the task's id itself, as a number: no count is kept,
//! cloning copies, dropping does nothing, and a waker of a task that has ended
//! finds a newer generation and does nothing either. (Hence 64-bit targets
//! only: the id needs the whole pointer.)

use super::{current, id::TaskId, slab, word::Wake};
use std::{
    mem::ManuallyDrop,
    ptr,
    task::{RawWaker, RawWakerVTable, Waker},
};

#[cfg(not(target_pointer_width = "64"))]
compile_error!("adaptive-task-scheduler needs a 64-bit target: a waker holds a 64-bit task id");

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, forget);

fn clone(data: *const ()) -> RawWaker {
    RawWaker::new(data, &VTABLE)
}

fn wake(data: *const ()) {
    if let Some(id) = TaskId::from_raw(data.addr() as u64) {
        wake_task(id);
    }
}

fn forget(_: *const ()) {}

/// The waker of a task. `ManuallyDrop` only because its drop does nothing.
pub(crate) fn of(id: TaskId) -> ManuallyDrop<Waker> {
    let data = ptr::without_provenance(id.raw() as usize);
    // SAFETY: the functions of the vtable treat the data as a number and are
    // safe to call from any thread at any time, as `RawWaker` asks.
    ManuallyDrop::new(unsafe { Waker::from_raw(RawWaker::new(data, &VTABLE)) })
}

/// Whether it is the waker of this task and no wrapper's.
pub(crate) fn is_of(waker: &Waker, id: TaskId) -> bool {
    ptr::eq(waker.vtable(), &raw const VTABLE) && waker.data().addr() as u64 == id.raw()
}

/// Wakes a task, wherever it is.
pub(crate) fn wake_task(id: TaskId) {
    let record = slab::record(id);
    if let Wake::Enqueue(word) = record.word.wake(id.generation()) {
        current::schedule(record, id, word);
    }
}
