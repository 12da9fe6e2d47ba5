//! What people see of `ats run`, and what is kept of it.
//!
//! [`options`] says what can be asked for. [`tasks`] are what is known beforehand, by [`guess`] and
//! by the [`profile`] of earlier runs; [`state`] is what has happened to them, each with its
//! [`course`]. The rest turns these into text: [`screen`] for a terminal, with [`outlook`] and
//! [`waits`]; [`plain`] lines; [`json`] for programs; [`trace`]; [`summary`], with the [`past`]; and
//! [`logs`]. [`explain`] tells of a [`forecast`] instead of a run. Almost all of it is pure; [`crate::runner::report`] draws and writes.

pub mod guess;
pub mod options;
pub mod profile;
pub mod tasks;

#[cfg(unix)]
pub mod course;
#[cfg(unix)]
pub mod explain;
#[cfg(unix)]
pub mod forecast;
#[cfg(unix)]
pub mod json;
#[cfg(unix)]
pub mod line;
#[cfg(unix)]
pub mod logs;
#[cfg(unix)]
pub mod outlook;
#[cfg(unix)]
pub mod past;
#[cfg(unix)]
pub mod plain;
#[cfg(unix)]
mod rows;
#[cfg(all(test, unix))]
mod sample;
#[cfg(unix)]
pub mod screen;
#[cfg(unix)]
pub mod state;
#[cfg(unix)]
pub mod style;
#[cfg(unix)]
pub mod summary;
#[cfg(unix)]
pub mod trace;
#[cfg(unix)]
pub mod waits;
