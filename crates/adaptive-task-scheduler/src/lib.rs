#![doc = include_str!("../docs/crate.md")]
#![deny(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(any(ats_loom, ats_shuttle), allow(dead_code))]

// In the order in which a task meets them: it is described (`options`) and
// started (`core::start`), waits for others (`waits`), waits in line
// (`queue`), is polled (`lane`, `core::run`) as a `task`, is forced forward if
// it must be (`promotion`), and ends (`core::finish`) in its `handle`.

#[cfg(not(ats_loom))]
mod scheduler;

#[cfg(not(ats_loom))]
mod options;

#[cfg(not(ats_loom))]
mod core;

mod queue;
mod waits;

mod lane;

#[allow(unsafe_code, reason = "each block cites a rule of its module")]
mod task;

mod promotion;

mod learning;

#[cfg(not(ats_loom))]
pub mod graph;
#[cfg(not(ats_loom))]
mod group;
#[cfg(not(ats_loom))]
#[allow(
    unsafe_code,
    reason = "gives up the handle's right; cites rule R2 of task::record"
)]
mod handle;
#[cfg(any(test, not(ats_loom)))]
pub mod sync;
#[cfg(not(ats_loom))]
mod watch;

mod error;
#[cfg(not(ats_loom))]
mod event;
#[cfg(not(ats_loom))]
mod explain;
#[cfg(all(feature = "rayon", not(ats_loom)))]
mod fork;
#[cfg(not(ats_loom))]
mod inside;
#[cfg(not(ats_loom))]
mod inversions;

#[cfg(not(ats_loom))]
mod counters;
#[cfg(not(ats_loom))]
mod load;
#[cfg(not(ats_loom))]
#[allow(unsafe_code, reason = "system calls about threads")]
mod os;
mod primitives;
mod priority;
#[cfg(not(ats_loom))]
mod put_off;
mod quietly;
#[cfg(all(feature = "stack", target_os = "linux", not(ats_loom)))]
#[allow(
    unsafe_code,
    reason = "a signal handler; cites the rules of its module"
)]
mod stack;

#[cfg(all(test, any(ats_loom, ats_shuttle)))]
mod models;

pub use error::{BuildError, Cancelled, DependencyError, TaskError, TaskErrorKind};
pub use lane::Lane;
pub use priority::{ParsePriorityError, Priority};
pub use task::id::{TaskId, TaskName};

#[cfg(not(ats_loom))]
pub use {
    counters::Stats,
    event::{Event, Events, Why},
    explain::{Deadlock, Explanation, Link},
    group::TaskGroup,
    handle::{AsTask, TaskHandle, TaskState},
    inside::{checkpoint, current_task, is_cancelled, will_block, yield_now},
    inversions::{InversionClass, Inversions},
    learning::{
        file::ProfileError,
        profile::{Decision, Measure, Profile, Profiles},
    },
    load::{
        Busy, LaneLoad, Load,
        delay::Delay,
        intervals::{LaneInterval, LoadInterval, LoadIntervals},
        machine::MachineLoad,
        pressure::{Pressure, Reason},
    },
    options::{CancelMode, Late, TaskBuilder},
    scheduler::{Builder, Scheduler, ShutdownReport},
    waits::node::NodeKind,
    watch::Watch,
};

#[cfg(all(feature = "rayon", not(ats_loom)))]
pub use fork::fork;
#[cfg(all(feature = "stack", target_os = "linux", not(ats_loom)))]
pub use stack::{Stack, StackFrame};

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
