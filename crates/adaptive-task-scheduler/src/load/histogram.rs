//! Counts of durations in buckets that widen with the duration.
//!
//! Pure: no clock. Buckets are log-linear, as in HdrHistogram (Gil Tene): each
//! power of two of nanoseconds is cut into eight, so a bucket's upper end, which
//! is what a quantile gives, is at most one eighth above any duration in it.
//! Below 256 ns all is one bucket, and above 68 s another.
//!
//! Counts only grow. What happened in between is the difference of two
//! [`Counts`], so that readers need no agreement with those who record.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Eighths: the powers of two are cut into `1 << STEPS`.
const STEPS: u32 = 3;
/// The first bucket holds what is shorter than `1 << FIRST` nanoseconds.
const FIRST: u32 = 8;
/// The last bucket holds what is longer than `1 << LAST` nanoseconds.
const LAST: u32 = 36;

pub(crate) const BUCKETS: usize = (((LAST - FIRST) << STEPS) + 2) as usize;

/// The bucket of a duration.
pub(crate) fn bucket(nanos: u64) -> usize {
    if nanos < 1 << FIRST {
        return 0;
    }
    let power = nanos.ilog2();
    if power >= LAST {
        return BUCKETS - 1;
    }
    let eighth = (nanos >> (power - STEPS)) & ((1 << STEPS) - 1);
    1 + (((power - FIRST) as usize) << STEPS) + eighth as usize
}

/// The upper end of a bucket, in nanoseconds; of the last its lower end.
pub(crate) fn upper_end(bucket: usize) -> u64 {
    if bucket == 0 {
        return (1 << FIRST) - 1;
    }
    if bucket >= BUCKETS - 1 {
        return 1 << LAST;
    }
    let (power, eighth) = ((bucket - 1) >> STEPS, (bucket - 1) & ((1 << STEPS) - 1));
    let power = FIRST + power as u32;
    (1 << power) + ((eighth as u64 + 1) << (power - STEPS)) - 1
}

/// A histogram that any thread may record into.
#[derive(Debug)]
pub(crate) struct Histogram {
    buckets: Box<[AtomicU64]>,
    total: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            total: AtomicU64::new(0),
        }
    }
}

impl Histogram {
    pub(crate) fn record(&self, nanos: u64) {
        self.buckets[bucket(nanos)].fetch_add(1, Relaxed);
        self.total.fetch_add(1, Relaxed);
    }

    /// How many durations were recorded.
    pub(crate) fn total(&self) -> u64 {
        self.total.load(Relaxed)
    }

    /// The counts at this moment.
    pub(crate) fn counts(&self) -> Counts {
        if self.total() == 0 {
            return Counts::default();
        }
        Counts(
            self.buckets
                .iter()
                .map(|count| count.load(Relaxed))
                .collect(),
        )
    }
}

/// The counts of a histogram at one moment, or between two.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts(Vec<u64>);

impl Counts {
    /// What was counted since `before`, an earlier look at the same histogram.
    pub(crate) fn since(&self, before: &Counts) -> Counts {
        let before = before.0.iter().copied().chain(std::iter::repeat(0));
        let differences = self.0.iter().zip(before);
        Counts(
            differences
                .map(|(now, before)| now.saturating_sub(before))
                .collect(),
        )
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The least bucket end that at least this share of the durations does not
    /// exceed; `None` without any.
    pub(crate) fn quantile(&self, share: f64) -> Option<Duration> {
        let total = self.total();
        let rank = ((total as f64 * share).ceil() as u64).clamp(1, total.max(1));
        let mut passed = 0;
        let at = self.0.iter().position(|count| {
            passed += count;
            passed >= rank
        })?;
        Some(Duration::from_nanos(upper_end(at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_are_in_order_and_without_gaps() {
        for at in 0..BUCKETS - 2 {
            let end = upper_end(at);
            assert_eq!(bucket(end), at, "the end of bucket {at}");
            assert_eq!(bucket(end + 1), at + 1, "after the end of bucket {at}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        assert_eq!(bucket(0), 0);
    }

    #[test]
    fn nothing_recorded_has_no_quantile() {
        let histogram = Histogram::default();
        assert_eq!(histogram.counts().quantile(0.5), None);
        histogram.record(5);
        let counts = histogram.counts();
        assert_eq!(counts.since(&counts).quantile(0.99), None);
        assert_eq!(counts.quantile(0.99), Some(Duration::from_nanos(255)));
    }

    #[test]
    fn what_was_counted_before_does_not_count() {
        let histogram = Histogram::default();
        (0..100).for_each(|_| histogram.record(1_000_000_000));
        let before = histogram.counts();
        histogram.record(1_000);
        let since = histogram.counts().since(&before);
        assert_eq!(since.total(), 1);
        assert!(since.quantile(0.99).unwrap() < Duration::from_micros(2));
    }

    proptest! {
        #[test]
        fn a_quantile_is_at_most_an_eighth_above_the_exact_one(
            mut durations in prop::collection::vec(256u64..1 << 36, 1..300),
            share in 0.0f64..1.0,
        ) {
            let histogram = Histogram::default();
            durations.iter().for_each(|&nanos| histogram.record(nanos));
            durations.sort_unstable();
            let rank = ((durations.len() as f64 * share).ceil() as usize).clamp(1, durations.len());
            let exact = durations[rank - 1];
            let found = histogram.counts().quantile(share).unwrap().as_nanos() as u64;
            prop_assert!(found >= exact, "{found} < {exact}");
            prop_assert!(found - exact <= exact / 8, "{found} is far above {exact}");
        }

        #[test]
        fn every_duration_is_within_its_bucket(nanos in any::<u64>()) {
            let at = bucket(nanos);
            prop_assert!(at < BUCKETS);
            if at > 0 {
                prop_assert!(upper_end(at - 1) < nanos);
            }
            if at < BUCKETS - 1 {
                prop_assert!(nanos <= upper_end(at));
            }
        }
    }
}
