//! Promotion: what is done about a task that holds others up.
//!
//! [`policy`] decides, as pure functions of what was seen; [`sentinel`] looks,
//! asks, and acts through the lanes. Boosting is not here: it happens in the
//! graph at the moment when a wait begins.

#[cfg(not(ats_loom))]
pub(crate) mod doorbell;
pub(crate) mod policy;
#[cfg(not(ats_loom))]
mod rest;
#[cfg(not(ats_loom))]
pub(crate) mod sentinel;
#[cfg(not(ats_loom))]
mod stranded;
