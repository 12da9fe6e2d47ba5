//! Measures one poll.

use super::first_lane::Polled;
use crate::os::ThreadUsage;
use std::{
    cell::Cell,
    time::{Duration, Instant},
};

thread_local! {
    /// What the present poll of this thread did elsewhere.
    static ELSEWHERE: Cell<Elsewhere> = const { Cell::new(Elsewhere::NOTHING) };
}

#[derive(Clone, Copy)]
struct Elsewhere {
    lent: Duration,
    forked: Duration,
}

impl Elsewhere {
    const NOTHING: Self = Self {
        lent: Duration::ZERO,
        forked: Duration::ZERO,
    };
}

/// The present poll had lent its core since `begun`: that is not its time.
pub(crate) fn has_lent_since(begun: Instant) {
    ELSEWHERE.with(|cell| {
        let before = cell.get();
        let lent = before.lent + begun.elapsed();
        cell.set(Elsewhere { lent, ..before });
    });
}

/// The present poll had waited for its pieces since `begun`: that is computing.
#[cfg(feature = "rayon")]
pub(crate) fn has_forked_since(begun: Instant) {
    ELSEWHERE.with(|cell| {
        let before = cell.get();
        let forked = before.forked + begun.elapsed();
        cell.set(Elsewhere { forked, ..before });
    });
}

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
        ELSEWHERE.set(Elsewhere::NOTHING);
        Self {
            used: closely.then(ThreadUsage::now).flatten(),
            began: Instant::now(),
        }
    }

    /// What the poll did.
    pub(crate) fn end(self) -> Polled {
        let Elsewhere { lent, forked } = ELSEWHERE.replace(Elsewhere::NOTHING);
        let wall = self.began.elapsed().saturating_sub(lent);
        let used = self
            .used
            .and_then(|before| Some((before, ThreadUsage::now()?)));
        let Some((before, after)) = used else {
            return Polled { wall, cpu: None };
        };
        let cpu = after.cpu.saturating_sub(before.cpu) + forked;
        // Its thread sleeps while it lent its core or waits for pieces.
        let was_here = lent.is_zero() && forked.is_zero();
        let in_line = match (before.delayed, after.delayed) {
            (Some(before), Some(after)) => after.saturating_sub(before),
            _ => Duration::ZERO,
        };
        let slept = was_here && after.sleeps != before.sleeps;
        Polled {
            wall: own(wall, cpu, slept.then_some(in_line)),
            cpu: Some(cpu),
        }
    }
}

/// The poll's own part of its time: what the kernel gave to others is not. A thread
/// that never slept was computing or preempted; one that did was `in_line` for a
/// core for so long.
fn own(wall: Duration, cpu: Duration, in_line: Option<Duration>) -> Duration {
    match in_line {
        None => cpu.min(wall),
        Some(in_line) => wall.saturating_sub(in_line).max(cpu).min(wall),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_on_no_core_counts_only_if_the_thread_slept_and_not_in_line() {
        // Wall, CPU, in line if it slept, own; in milliseconds.
        let cases = [
            (10, 10, None, 10),
            (10, 3, None, 3),
            (10, 3, Some(0), 10),
            (10, 3, Some(7), 3),
            (10, 3, Some(5), 5),
            // The three are not read at one moment.
            (10, 3, Some(9), 3),
            (10, 11, Some(0), 10),
        ];
        let ms = Duration::from_millis;
        for (wall, cpu, in_line, expected) in cases {
            let own = own(ms(wall), ms(cpu), in_line.map(ms));
            assert_eq!(own, ms(expected), "{wall} {cpu} {in_line:?}");
        }
    }
}
