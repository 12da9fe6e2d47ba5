//! Things that are due at a time and happen at a later one. What has not
//! happened by the end is in the figures too, at least as late as it is by then:
//! otherwise an engine that never gets round to them would look best.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// When each thing was due and when it happened.
#[derive(Debug)]
pub(in crate::groups) struct Ledger {
    start: Instant,
    /// In nanoseconds since `start`; zero where it has not been so far.
    entries: Box<[Entry]>,
}

#[derive(Debug, Default)]
struct Entry {
    due: AtomicU64,
    happened: AtomicU64,
}

impl Ledger {
    pub(in crate::groups) fn new(start: Instant, entries: usize) -> Ledger {
        Ledger {
            start,
            entries: (0..entries).map(|_| Entry::default()).collect(),
        }
    }

    pub(in crate::groups) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(in crate::groups) fn due(&self, index: usize, at: Instant) {
        self.entries[index].due.store(self.nanoseconds(at), Relaxed);
    }

    pub(in crate::groups) fn happened(&self, index: usize, at: Instant) {
        self.entries[index]
            .happened
            .store(self.nanoseconds(at), Relaxed);
    }

    /// How late each thing that was due by `end` had happened, or was then.
    pub(in crate::groups) fn delays(&self, end: Instant) -> Vec<f64> {
        let end = self.nanoseconds(end);
        let entries = self.entries.iter();
        entries
            .map(|entry| (entry.due.load(Relaxed), entry.happened.load(Relaxed)))
            .filter_map(|(due, happened)| delay(due, happened, end))
            .collect()
    }

    /// Never zero, which means that nothing has been.
    fn nanoseconds(&self, at: Instant) -> u64 {
        let since: Duration = at.saturating_duration_since(self.start);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX).max(1)
    }
}

fn delay(due: u64, happened: u64, end: u64) -> Option<f64> {
    if due == 0 || due > end {
        return None;
    }
    let until = if happened == 0 {
        end
    } else {
        happened.min(end)
    };
    Some(until.saturating_sub(due) as f64)
}

#[cfg(test)]
mod tests {
    use super::delay;

    #[test]
    fn what_has_not_happened_is_as_late_as_it_is_by_the_end() {
        assert_eq!(delay(10, 25, 100), Some(15.0));
        assert_eq!(delay(10, 0, 100), Some(90.0));
        assert_eq!(delay(10, 150, 100), Some(90.0));
    }

    #[test]
    fn what_was_not_due_by_the_end_is_not_counted() {
        assert_eq!(delay(0, 0, 100), None);
        assert_eq!(delay(101, 0, 100), None);
    }

    #[test]
    fn what_happens_before_it_is_due_is_not_late() {
        assert_eq!(delay(10, 9, 100), Some(0.0));
    }
}
