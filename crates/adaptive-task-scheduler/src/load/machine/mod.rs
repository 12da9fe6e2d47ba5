//! The load of the process and of the machine.
//!
//! It owns: the open files ([`files`]) and the reading before the last, from
//! which shares are computed. What the files say is understood by [`parse`],
//! which is pure. Only the sentinel reads them, at most once a second and only
//! while somebody reads the load: on a machine with many processors the kernel
//! takes a millisecond to write /proc/stat.

mod files;
mod parse;

use super::figure::Figure;
use crate::os;
use files::{Files, Reading};
use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// How busy the process and its machine are. What the operating system does not
/// tell is `None`: much of it elsewhere than on Linux, the group's figures
/// outside of a control group of version 2, and shares of time until there have
/// been two readings.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct MachineLoad {
    /// How long ago this was read; `None` if it has not been yet.
    pub age: Option<Duration>,
    /// How many processors the process may use: those of its affinity mask, or
    /// as many as the quota of its control group allows, rounded down, at least
    /// one. ([`std::thread::available_parallelism`] takes both into account on
    /// Linux, for control groups of either version.) Read at the scheduler's
    /// start.
    pub cores: usize,
    /// How many processors the process used between the last two readings: 1.5
    /// is one and a half.
    pub process_cpu: Option<f64>,
    /// The share of all the machine's processors that was in use between the
    /// last two readings, by whomever, from 0 to 1 (`/proc/stat`).
    pub machine_cpu: Option<f64>,
    /// The share of the last ten seconds in which some runnable thread of the
    /// machine waited for a processor, from 0 to 1 (`/proc/pressure/cpu`).
    pub cpu_stalled: Option<f64>,
    /// The share of the last ten seconds in which some thread of the machine
    /// waited for a disk, from 0 to 1 (`/proc/pressure/io`).
    pub io_stalled: Option<f64>,
    /// As [`cpu_stalled`](Self::cpu_stalled), in the process's control group
    /// (`cpu.pressure`).
    pub group_cpu_stalled: Option<f64>,
    /// As [`io_stalled`](Self::io_stalled), in the process's control group
    /// (`io.pressure`).
    pub group_io_stalled: Option<f64>,
    /// How many processors' worth of time the control group may use: the least
    /// of its own and the enclosing groups' limits (`cpu.max`), infinite without
    /// a limit.
    pub group_quota: Option<f64>,
    /// The share of the quota's periods between the last two readings in which
    /// the group was stopped because its quota was used up, from 0 to 1
    /// (`cpu.stat`).
    pub group_throttled: Option<f64>,
}

/// What the sentinel publishes of the machine.
#[derive(Debug)]
pub(super) struct MachineBoard {
    cores: usize,
    /// When it was read, in nanoseconds after the scheduler's start; 0 for never.
    at: AtomicU64,
    process_cpu: Figure,
    machine_cpu: Figure,
    cpu_stalled: Figure,
    io_stalled: Figure,
    group_cpu_stalled: Figure,
    group_io_stalled: Figure,
    group_quota: Figure,
    group_throttled: Figure,
}

impl MachineBoard {
    pub(super) fn new() -> Self {
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            at: AtomicU64::new(0),
            process_cpu: Figure::unknown(),
            machine_cpu: Figure::unknown(),
            cpu_stalled: Figure::unknown(),
            io_stalled: Figure::unknown(),
            group_cpu_stalled: Figure::unknown(),
            group_io_stalled: Figure::unknown(),
            group_quota: Figure::unknown(),
            group_throttled: Figure::unknown(),
        }
    }

    pub(super) fn load(&self, now: u64) -> MachineLoad {
        let at = self.at.load(Relaxed);
        MachineLoad {
            age: (at != 0).then(|| Duration::from_nanos(now.saturating_sub(at))),
            cores: self.cores,
            process_cpu: self.process_cpu.get(),
            machine_cpu: self.machine_cpu.get(),
            cpu_stalled: self.cpu_stalled.get(),
            io_stalled: self.io_stalled.get(),
            group_cpu_stalled: self.group_cpu_stalled.get(),
            group_io_stalled: self.group_io_stalled.get(),
            group_quota: self.group_quota.get(),
            group_throttled: self.group_throttled.get(),
        }
    }
}

/// Reads the machine's figures, for the sentinel.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    /// Opened when they are first read.
    files: Option<Files>,
    /// The reading before, when it was made, and the process's CPU time then.
    before: Option<(Reading, u64, Option<Duration>)>,
}

impl Gauge {
    /// Reads all figures and publishes them.
    pub(super) fn read(&mut self, board: &MachineBoard, now: u64) {
        let files = self.files.get_or_insert_with(Files::open);
        let (reading, used) = (files.read(), os::process_cpu_time());
        if let Some((before, then, used_before)) = self.before.replace((reading, now, used)) {
            let wall = Duration::from_nanos(now.saturating_sub(then));
            board.process_cpu.set(cores_used(used_before, used, wall));
            let busy = reading.processors.zip(before.processors);
            board
                .machine_cpu
                .set(busy.and_then(|(now, before)| now.busy_since(before)));
            let throttled = reading.throttling.zip(before.throttling);
            board
                .group_throttled
                .set(throttled.map(|(now, before)| now.share_since(before)));
        }
        board.cpu_stalled.set(reading.cpu_stalled);
        board.io_stalled.set(reading.io_stalled);
        board.group_cpu_stalled.set(reading.group_cpu_stalled);
        board.group_io_stalled.set(reading.group_io_stalled);
        board.group_quota.set(reading.quota);
        board.at.store(now.max(1), Relaxed);
    }
}

fn cores_used(before: Option<Duration>, after: Option<Duration>, wall: Duration) -> Option<f64> {
    let used = after?.checked_sub(before?)?;
    (!wall.is_zero()).then(|| used.as_secs_f64() / wall.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_used_need_two_readings_apart() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let wall = Duration::from_secs(2);
        assert_eq!(cores_used(seconds(1), seconds(4), wall), Some(1.5));
        assert_eq!(cores_used(None, seconds(4), wall), None);
        assert_eq!(cores_used(seconds(4), seconds(1), wall), None);
        assert_eq!(cores_used(seconds(1), seconds(4), Duration::ZERO), None);
    }
}
