//! Measures one poll.

use super::first_lane::Polled;
use crate::os::ThreadUsage;
use std::time::Instant;

/// A poll that is being measured.
#[derive(Debug)]
pub(crate) struct Probe {
    began: Instant,
    /// What the thread had used, if the poll is watched closely.
    used: Option<ThreadUsage>,
}

impl Probe {
    #[cold]
    pub(crate) fn begin(closely: bool) -> Self {
        Self {
            used: closely.then(ThreadUsage::now).flatten(),
            began: Instant::now(),
        }
    }

    /// What the poll did. A thread that never slept was computing or preempted;
    /// time that the kernel gave to others is not the poll's.
    pub(crate) fn end(self) -> Polled {
        let wall = self.began.elapsed();
        let used = self
            .used
            .and_then(|before| Some((before, ThreadUsage::now()?)));
        let Some((before, after)) = used else {
            return Polled { wall, cpu: None };
        };
        let cpu = after.cpu.saturating_sub(before.cpu);
        let slept = after.sleeps != before.sleeps;
        Polled {
            wall: if slept { wall } else { cpu.min(wall) },
            cpu: Some(cpu),
        }
    }
}
