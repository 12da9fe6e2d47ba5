//! The protocols that atomics carry, under model checkers.
//!
//! [`under_loom`] holds one model for each protocol: loom runs it under every
//! interleaving and every outcome of its atomics, up to a bound on preemptions.
//! [`under_shuttle`] lets all protocols run together, as a scheduler without
//! Tokio, under many random schedules.
//!
//! The words, records, links, rings, idle lists and holders here are the
//! library's own, as are the permits of `sync`. What needs Tokio, a clock or
//! statics is mirrored, step for step: the slab by [`table`], `core::{run, finish,
//! edges}` by [`steps`], and `lane::{io, guest, relief}` by [`carrier`]; or, for the
//! locks, replaced: the wait graph by [`ground`]. Whoever changes one of those,
//! changes its mirror.

#[cfg(ats_loom)]
mod under_loom;
#[cfg(ats_shuttle)]
mod under_shuttle;

mod bell;
mod carrier;
pub(crate) mod ground;
mod probe;
mod steps;
#[allow(
    unsafe_code,
    reason = "opens records, as the slab does; each block cites a rule of task::record"
)]
mod table;
