//! Repeats an iteration and times it.

use std::time::{Duration, Instant};

use crate::{scale::Scale, statistics};

/// How long to warm up and to measure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    warm_up: Duration,
    measure: Duration,
}

/// Below this a median says nothing, so slow rows take longer than their time.
const FEWEST_ITERATIONS: usize = 5;

impl Clock {
    pub(super) fn new(scale: Scale) -> Clock {
        Clock {
            warm_up: scale.milliseconds(150, 30),
            measure: scale.milliseconds(600, 120),
        }
    }

    /// Nanoseconds an operation: the median iteration over its operations.
    pub(super) fn time(&self, operations: usize, mut iteration: impl FnMut()) -> f64 {
        let start = Instant::now();
        while start.elapsed() < self.warm_up {
            iteration();
        }
        let mut samples = Vec::new();
        let start = Instant::now();
        while start.elapsed() < self.measure || samples.len() < FEWEST_ITERATIONS {
            let before = Instant::now();
            iteration();
            samples.push(before.elapsed().as_nanos() as f64 / operations as f64);
        }
        statistics::median(&samples).expect("there were iterations")
    }
}
