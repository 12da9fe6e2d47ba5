//! The CPU time of the calling thread, where the system tells; wall-clock time elsewhere.

use std::time::Duration;

/// Started on a thread, tells how much CPU time that same thread has used since.
#[derive(Debug)]
pub(crate) struct CpuClock {
    #[cfg(unix)]
    start: Duration,
    #[cfg(not(unix))]
    start: std::time::Instant,
}

#[cfg(unix)]
impl CpuClock {
    pub(crate) fn start() -> Self {
        CpuClock { start: now() }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        now().saturating_sub(self.start)
    }
}

#[cfg(unix)]
fn now() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

#[cfg(not(unix))]
impl CpuClock {
    pub(crate) fn start() -> Self {
        CpuClock {
            start: std::time::Instant::now(),
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}
