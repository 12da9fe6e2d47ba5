//! What would be run: which file, which of its tasks, in which order; and ways to show that
//! without running anything.
//!
//! [`choice`] finds the file that the arguments mean, [`select`] the tasks; [`foresight`] asks the
//! dispatcher for the order. [`dry_run`], [`draw`] and [`list`] show it.

pub mod choice;
pub mod draw;
pub mod dry_run;
pub mod foresight;
pub mod list;
pub mod select;
