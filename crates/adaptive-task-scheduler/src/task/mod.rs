//! One task: its id and name, its state word, its record, its job.
//!
//! Waking goes up through one door: [`waker`] asks the word, and what the word
//! obliges to goes through `current::schedule` to the task's scheduler.

#[cfg(not(ats_loom))]
pub(crate) mod current;
pub(crate) mod id;
pub(crate) mod job;
pub(crate) mod record;
#[cfg(not(ats_loom))]
pub(crate) mod slab;
#[cfg(not(ats_loom))]
pub(crate) mod waker;
pub(crate) mod word;
