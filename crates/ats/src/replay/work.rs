//! What a replayed task does: compute for real, and block its thread, as long as its record says.
//!
//! The recorded programs were synchronous, so their waiting is replayed as a blocked thread, not
//! as a timer. Computing is hashing, measured by the thread's own CPU clock: it needs the same CPU
//! time however many others want the core.

use std::future::Future;
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::workflow::RecordedTask;
use crate::replay::clock::CpuClock;

/// The longest stretch between two yields. Long enough to be a nuisance on an async worker, short
/// enough that a task can be moved to another lane while it still has most of its work ahead.
const SLICE: Duration = Duration::from_millis(10);

/// One task's work, at the speed of the replay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// CPU time.
    pub computing: Duration,
    /// Time blocked.
    pub waiting: Duration,
}

impl Load {
    /// The load of a recorded task, replayed `speed` times faster.
    #[must_use]
    pub fn of(task: &RecordedTask, speed: f64) -> Self {
        let seconds = task.run_time.as_secs_f64() / speed;
        let computing = Duration::from_secs_f64(seconds * task.computing());
        Load {
            computing,
            waiting: Duration::from_secs_f64(seconds).saturating_sub(computing),
        }
    }

    /// Does the work, slice by slice, calling `pause` in between. What one slice did too much,
    /// the next does less.
    pub async fn perform<P: Future<Output = ()>>(self, pause: impl Fn() -> P) {
        let total = self.computing + self.waiting;
        let slices = total.as_nanos().div_ceil(SLICE.as_nanos());
        let share = |of: Duration, slice: u128| of.mul_f64(slice as f64 / slices as f64);
        let (mut computed, mut waited) = (Duration::ZERO, Duration::ZERO);
        for slice in 1..=slices {
            computed += compute(share(self.computing, slice).saturating_sub(computed));
            waited += block(share(self.waiting, slice).saturating_sub(waited));
            if slice < slices {
                pause().await;
            }
        }
    }
}

/// Hashes until this thread has used so much CPU time; returns how much it used.
fn compute(time: Duration) -> Duration {
    if time.is_zero() {
        return Duration::ZERO;
    }
    let clock = CpuClock::start();
    // Some 10 µs of hashing, against 1 µs for reading the clock.
    let mut block = [0_u8; 8 << 10];
    loop {
        let digest = Sha256::digest(block);
        block[..digest.len()].copy_from_slice(&digest);
        let used = clock.elapsed();
        if used >= time {
            // The optimiser must not find out that nobody wants the digest.
            std::hint::black_box(block);
            return used;
        }
    }
}

/// Blocks this thread; returns for how long.
fn block(time: Duration) -> Duration {
    if time.is_zero() {
        return Duration::ZERO;
    }
    let start = std::time::Instant::now();
    thread::sleep(time);
    start.elapsed()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::ready;

    use super::*;

    fn recorded(milliseconds: u64, cpu_percent: Option<f64>) -> RecordedTask {
        RecordedTask {
            id: "x".into(),
            class: "x".into(),
            parents: vec![],
            run_time: Duration::from_millis(milliseconds),
            cpu_percent,
            ..RecordedTask::default()
        }
    }

    #[test]
    fn a_load_is_the_record_divided_by_the_speed() {
        let cases = [
            (Some(25.0), 10, 30),
            (Some(170.0), 40, 0),
            (Some(0.0), 0, 40),
            (None, 40, 0),
        ];
        for (percent, computing, waiting) in cases {
            let load = Load::of(&recorded(400, percent), 10.0);
            assert_eq!(load.computing, Duration::from_millis(computing));
            assert_eq!(load.waiting, Duration::from_millis(waiting));
        }
    }

    #[test]
    fn work_pauses_between_slices_and_nothing_takes_no_slice() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        for (milliseconds, expected) in [(0, 0), (10, 0), (25, 2), (40, 3)] {
            let pauses = Cell::new(0);
            runtime.block_on(
                Load::of(&recorded(milliseconds, Some(50.0)), 1.0).perform(|| {
                    pauses.set(pauses.get() + 1);
                    ready(())
                }),
            );
            assert_eq!(pauses.get(), expected, "{milliseconds} ms");
        }
    }
}
