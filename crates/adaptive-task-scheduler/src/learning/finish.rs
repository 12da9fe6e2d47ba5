//! Whether a deadline can still be met.
//!
//! Pure: what a class took so far and the time go in, a decision comes out.

use super::estimate::Estimate;
use std::time::Duration;

/// How many tasks of a class must have ended before their times are believed.
/// (One run of history misleads: benchmarks I.)
const BELIEVED: u64 = 4;

/// How long a task of a class takes from its first poll to its end, with some
/// room: the mean and one standard deviation. `None` if too little is known.
pub(crate) fn expected(total: &Estimate) -> Option<Duration> {
    (total.samples >= BELIEVED).then(|| total.mean() + total.deviation())
}

/// The last moment at which a task can begin and end by its deadline. Times
/// count from any fixed start.
pub(crate) fn latest_start(deadline: Duration, expected: Duration) -> Duration {
    deadline.saturating_sub(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn a_few_ends_are_believed_and_less_is_not() {
        let mut total = Estimate::default();
        for _ in 0..3 {
            total.add(MS(40));
            assert_eq!(expected(&total), None);
        }
        total.add(MS(40));
        assert_eq!(expected(&total).map(|time| time.as_millis()), Some(40));
    }

    #[test]
    fn the_latest_start_leaves_the_expected_time() {
        assert_eq!(latest_start(MS(100), MS(30)), MS(70));
        assert_eq!(latest_start(MS(100), MS(300)), MS(0));
    }
}
