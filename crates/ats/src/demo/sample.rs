//! Delays that were measured, and the figures that describe them.

use std::time::Duration;

/// Delays of one engine in one situation.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    delays: Vec<Duration>,
}

impl Sample {
    /// Adds the delays of another round.
    pub fn add(&mut self, delays: Vec<Duration>) {
        self.delays.extend(delays);
        self.delays.sort_unstable();
    }

    /// How many delays were measured.
    #[must_use]
    pub fn len(&self) -> usize {
        self.delays.len()
    }

    /// Whether nothing was measured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.delays.is_empty()
    }

    /// The smallest delay that `percent` of all do not exceed (the nearest rank).
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.delays.len() * percent).div_ceil(100).max(1);
        self.delays.get(rank - 1).copied().unwrap_or_default()
    }

    /// The longest delay.
    #[must_use]
    pub fn worst(&self) -> Duration {
        self.delays.last().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let mut sample = Sample::default();
        assert_eq!(sample.percentile(99), Duration::ZERO);
        sample.add((51..=200).rev().map(Duration::from_millis).collect());
        sample.add((1..=50).map(Duration::from_millis).collect());
        assert_eq!(sample.percentile(50), Duration::from_millis(100));
        assert_eq!(sample.percentile(99), Duration::from_millis(198));
        assert_eq!(sample.worst(), Duration::from_millis(200));
        assert_eq!(sample.len(), 200);
    }
}
