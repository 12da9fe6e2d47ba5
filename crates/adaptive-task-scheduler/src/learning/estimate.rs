//! A running mean and spread of one quantity.
//!
//! Pure: numbers in, numbers out.
//!
//! An exponentially weighted mean and variance (West 1979, Finch 2009): three
//! numbers, one multiplication or two for each sample, and it forgets. A sketch
//! (t-digest, DDSketch) would give quantiles, for some hundred bytes and ten
//! times the work; nothing decided here asks for a quantile. The first samples
//! weigh alike, so that the mean of a few is their mean.

use std::time::Duration;

/// From this many samples on, each new one weighs one part in this many.
const MEMORY: u64 = 32;

/// A mean and a standard deviation, in seconds, over the last some 32 samples.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) samples: u64,
    pub(crate) mean: f64,
    pub(crate) variance: f64,
}

impl Estimate {
    pub(crate) fn add(&mut self, sample: Duration) {
        self.samples = self.samples.saturating_add(1);
        let weight = 1.0 / self.samples.min(MEMORY) as f64;
        let off = sample.as_secs_f64() - self.mean;
        self.mean += weight * off;
        self.variance = (1.0 - weight) * (self.variance + weight * off * off);
    }

    pub(crate) fn mean(&self) -> Duration {
        seconds(self.mean)
    }

    pub(crate) fn deviation(&self) -> Duration {
        seconds(self.variance.sqrt())
    }

    /// Whether the numbers can have come from [`add`](Self::add).
    pub(crate) fn is_sound(&self) -> bool {
        let sound = |number: f64| number.is_finite() && number >= 0.0;
        sound(self.mean) && sound(self.variance) && self.mean < MOST_SECONDS
    }
}

/// Some thirty years.
const MOST_SECONDS: f64 = 1e9;

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(samples: impl IntoIterator<Item = u64>) -> Estimate {
        let mut estimate = Estimate::default();
        for sample in samples {
            estimate.add(Duration::from_millis(sample));
        }
        estimate
    }

    #[test]
    fn the_mean_of_a_few_is_their_mean() {
        let estimate = of([10, 20, 30, 40]);
        assert_eq!(estimate.mean().as_millis(), 25);
        // Of the population: the root of 125.
        assert!((estimate.deviation().as_secs_f64() - 0.011_180).abs() < 1e-5);
        assert_eq!(of([7, 7, 7]).deviation(), Duration::ZERO);
    }

    #[test]
    fn it_forgets() {
        let estimate = of((0..500).map(|at| if at < 250 { 100 } else { 2 }));
        assert!(estimate.mean().as_millis() <= 3, "{estimate:?}");
        assert_eq!(estimate.samples, 500);
    }

    #[test]
    fn what_no_samples_can_give_is_unsound() {
        assert!(of([1, 2, 3]).is_sound());
        for (mean, variance) in [(-1.0, 0.0), (f64::NAN, 0.0), (0.0, -1.0), (1e12, 0.0)] {
            let estimate = Estimate {
                samples: 3,
                mean,
                variance,
            };
            assert!(!estimate.is_sound(), "{estimate:?}");
        }
    }
}
