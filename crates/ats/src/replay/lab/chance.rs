//! Pure: numbers that look random and are the same for the same seed, on every machine and in every
//! version: SplitMix64 (Steele, Lea and Flood, 2014).

use std::time::Duration;

/// A sequence of such numbers.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The sequence of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Chance(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 on and below 1, all alike.
    pub fn share(&mut self) -> f64 {
        // The 53 bits that a float holds.
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Exponentially distributed around this mean: the gaps of a Poisson process. In whole
    /// microseconds, so that the last bits of a logarithm make no difference.
    pub fn exponential(&mut self, mean: Duration) -> Duration {
        let seconds = -(1.0 - self.share()).ln() * mean.as_secs_f64();
        Duration::from_micros((seconds * 1e6).round() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_that_of_the_paper() {
        let mut chance = Chance::new(1_234_567);
        let first = [chance.next(), chance.next(), chance.next()];
        assert_eq!(
            first,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn an_exponential_has_its_mean() {
        let mut chance = Chance::new(1);
        let mean = Duration::from_secs(3);
        let sum: Duration = (0..10_000).map(|_| chance.exponential(mean)).sum();
        let seconds = sum.as_secs_f64() / 10_000.0;
        assert!((seconds - 3.0).abs() < 0.1, "{seconds}");
        assert_eq!(chance.exponential(Duration::ZERO), Duration::ZERO);
    }
}
