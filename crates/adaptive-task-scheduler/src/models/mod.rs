//! The protocols that atomics carry, under model checkers.
//!
//! [`under_loom`] holds one model for each protocol: loom runs it under every
//! interleaving and every outcome of its atomics, up to a bound on preemptions.
//! [`under_shuttle`] lets all protocols run together, as a scheduler without
//! Tokio, under many random schedules.
//!
//! The words, records, links, rings, idle lists and holders here are the
//! library's own. What needs Tokio, a clock or statics is mirrored, step for
//! step: the slab by [`table`], `core::{run, finish, edges}` by [`steps`], and
//! `lane::{io, guest, relief}` by [`carrier`]. Whoever changes one of those,
//! changes its mirror.

#[cfg(ats_loom)]
mod under_loom;
#[cfg(ats_shuttle)]
mod under_shuttle;

mod bell;
mod carrier;
mod probe;
mod steps;
#[allow(
    unsafe_code,
    reason = "opens records, as the slab does; each block cites a rule of task::record"
)]
mod table;
