//! Pure: how long to wait before a command is tried again.

use std::time::Duration;

/// No wait is longer, however often something has failed.
const LONGEST: Duration = Duration::from_secs(3600);

/// The wait after so many attempts: `backoff`, doubled for each attempt after the first, and then
/// between three and five quarters of that, as `chance` (0 to 1) says, so that tasks which failed
/// together do not try again together.
#[must_use]
pub fn wait(backoff: Duration, attempts: u32, chance: f64) -> Duration {
    let doublings = attempts.saturating_sub(1).min(31);
    let whole = backoff.saturating_mul(1 << doublings).min(LONGEST);
    whole.mul_f64(0.75 + chance / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_an_hour_and_jitter_by_a_quarter() {
        let second = Duration::from_secs(1);
        for (attempts, chance, expected) in [
            (1, 0.5, 1.0),
            (2, 0.5, 2.0),
            (4, 0.5, 8.0),
            (4, 0.0, 6.0),
            (4, 1.0, 10.0),
            (1000, 0.5, 3600.0),
        ] {
            let expected = Duration::from_secs_f64(expected);
            assert_eq!(wait(second, attempts, chance), expected);
        }
        assert_eq!(wait(Duration::ZERO, 9, 1.0), Duration::ZERO);
    }
}
