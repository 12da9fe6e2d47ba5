//! Where polls run: the I/O lane's slots and their carriers, the CPU lane's
//! threads, and the blocking lane.

use std::fmt;

#[cfg(not(ats_loom))]
pub(crate) mod blocking;
#[cfg(not(ats_loom))]
pub(crate) mod cpu;
#[cfg(not(ats_loom))]
pub(crate) mod guest;
pub(crate) mod holder;
pub(crate) mod idle;
#[cfg(not(ats_loom))]
pub(crate) mod io;
#[cfg(not(ats_loom))]
pub(crate) mod loan;
#[cfg(not(ats_loom))]
pub(crate) mod permit;
#[cfg(not(ats_loom))]
pub(crate) mod plug;
#[cfg(all(feature = "rayon", not(ats_loom)))]
pub(crate) mod pool;
#[cfg(not(ats_loom))]
pub(crate) mod relief;
#[cfg(not(ats_loom))]
pub(crate) mod reserve;
#[cfg(not(ats_loom))]
pub(crate) mod seat;
#[cfg(not(ats_loom))]
pub(crate) mod thread;

/// Where a task's polls run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Lane {
    /// On Tokio's workers, beside Tokio's own tasks.
    Io = 0,
    /// On the scheduler's CPU threads, as many as there are cores.
    Cpu = 1,
    /// On Tokio's elastic pool of blocking threads, bounded.
    Blocking = 2,
}

impl Lane {
    pub(crate) fn of_index(index: u8) -> Self {
        match index {
            0 => Lane::Io,
            1 => Lane::Cpu,
            _ => Lane::Blocking,
        }
    }

    /// The name as it is written in files and tables: `"cpu"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Lane::Io => "io",
            Lane::Cpu => "cpu",
            Lane::Blocking => "blocking",
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
