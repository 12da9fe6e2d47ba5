//! How busy something was over the last second or ten: a ring of cells of time.
//!
//! Pure: `now` is an argument, in nanoseconds after the scheduler's start.
//!
//! One writer (the sentinel) adds busy time; any number of readers sum it up at
//! any time, also long after the last was added: a cell counts only while it is
//! among the last ten, so what was not looked at is idle. A cell is one word,
//! the number of its stretch of time beside the busy time in it, so a reader
//! never takes the time of one stretch for another's.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How many whole cells a window has, beside the one that has just begun.
const WHOLE: u64 = 10;
/// A power of two above that, so that a cell's place is its number's remainder.
const CELLS: usize = 16;
/// A cell is its number in the upper bits and microseconds in these lower ones:
/// enough for 4096 slots over a cell of one second, 268 times over.
const TIME_BITS: u32 = 40;

#[derive(Debug)]
pub(crate) struct Window {
    /// The length of a cell, in nanoseconds.
    length: u64,
    cells: [AtomicU64; CELLS],
}

impl Window {
    /// A window of ten cells of this length, in nanoseconds.
    pub(crate) const fn new(length: u64) -> Self {
        Self {
            length,
            cells: [const { AtomicU64::new(0) }; CELLS],
        }
    }

    /// `busy` carriers were so from `from` to `until`.
    pub(crate) fn add(&self, from: u64, until: u64, busy: u64) {
        // What is older than the window need not be written.
        let reach = self.length * (WHOLE + 1);
        let mut from = from.max(until.saturating_sub(reach));
        while busy > 0 && from < until {
            let number = from / self.length;
            let end = ((number + 1) * self.length).min(until);
            self.add_to(number, (end - from) * busy / 1000);
            from = end;
        }
    }

    fn add_to(&self, number: u64, micros: u64) {
        let cell = &self.cells[number as usize % CELLS];
        let before = cell.load(Relaxed);
        let (tag, mask) = (tag(number), (1 << TIME_BITS) - 1);
        let kept = if before & !mask == tag {
            before & mask
        } else {
            0
        };
        cell.store(tag | (kept + micros).min(mask), Relaxed);
    }

    /// The share of the window in which `carriers` were busy, from 0 to 1.
    pub(crate) fn share(&self, now: u64, carriers: usize) -> f64 {
        let current = now / self.length;
        let first = current.saturating_sub(WHOLE);
        let span = now - first * self.length;
        let micros: u64 = (first..=current).map(|number| self.read(number)).sum();
        let whole = span as f64 / 1000.0 * carriers as f64;
        if whole > 0.0 {
            (micros as f64 / whole).min(1.0)
        } else {
            0.0
        }
    }

    fn read(&self, number: u64) -> u64 {
        let cell = self.cells[number as usize % CELLS].load(Relaxed);
        let mask = (1 << TIME_BITS) - 1;
        if cell & !mask == tag(number) {
            cell & mask
        } else {
            0
        }
    }
}

/// One more than the number, so that a cell never written is nobody's.
fn tag(number: u64) -> u64 {
    (number + 1) << TIME_BITS
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;
    const CELL: u64 = SECOND / 10;

    #[test]
    fn one_of_two_that_was_busy_all_along_is_a_half() {
        let window = Window::new(CELL);
        window.add(0, 5 * SECOND, 1);
        assert_eq!(window.share(5 * SECOND, 2), 0.5);
    }

    #[test]
    fn a_scheduler_younger_than_its_window_is_judged_by_its_age() {
        let window = Window::new(CELL);
        window.add(0, CELL / 2, 1);
        assert_eq!(window.share(CELL / 2, 1), 1.0);
        assert_eq!(window.share(CELL, 1), 0.5);
        assert_eq!(Window::new(CELL).share(0, 1), 0.0);
    }

    #[test]
    fn what_is_over_fades_although_nobody_writes() {
        let window = Window::new(CELL);
        window.add(0, 2 * SECOND, 1);
        let shares: Vec<f64> = (0..13)
            .map(|cells| window.share(2 * SECOND + cells * CELL, 1))
            .collect();
        assert!(
            shares.windows(2).all(|pair| pair[0] >= pair[1]),
            "{shares:?}"
        );
        assert_eq!(shares[0], 1.0);
        assert_eq!(shares[12], 0.0);
        // Nor does it come back when the ring has gone round.
        assert_eq!(window.share(2 * SECOND + 16 * CELL, 1), 0.0);
    }

    #[test]
    fn a_look_after_a_long_time_fills_the_window_and_no_more() {
        let window = Window::new(CELL);
        window.add(0, 3600 * SECOND, 3);
        assert_eq!(window.share(3600 * SECOND, 3), 1.0);
    }

    proptest! {
        #[test]
        fn looks_at_any_distance_add_up(
            steps in prop::collection::vec((1u64..300_000_000, any::<bool>()), 1..60),
        ) {
            let window = Window::new(CELL);
            let (mut now, mut stretches) = (0, Vec::new());
            for (step, busy) in steps {
                window.add(now, now + step, u64::from(busy));
                stretches.push((now, now + step, busy));
                now += step;
            }
            let first = (now / CELL).saturating_sub(WHOLE) * CELL;
            let exact: u64 = stretches
                .iter()
                .filter(|(_, _, busy)| *busy)
                .map(|&(from, until, _)| until.saturating_sub(from.max(first)))
                .sum();
            let expected = exact as f64 / (now - first) as f64;
            // Each stretch loses less than a microsecond in each cell.
            let found = window.share(now, 1);
            prop_assert!((found - expected).abs() < 0.01, "{found} and not {expected}");
        }
    }
}
