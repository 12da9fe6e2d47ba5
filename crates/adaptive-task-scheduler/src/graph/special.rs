//! What few nodes ask for: to be tried again, to be given up, to be run only if.

use super::state::State;
use std::{fmt, time::Duration};

/// How often and how soon a node that failed is tried again.
///
/// ```
/// use adaptive_task_scheduler::graph::Retries;
/// use std::time::Duration;
///
/// // After 100, 200, 400 and 400 ms, each shortened at random by up to a half.
/// let retries = Retries::new(4)
///     .backoff(Duration::from_millis(100))
///     .at_most(Duration::from_millis(400));
/// let jitter = 0.0;
/// assert_eq!(retries.delay(3, jitter), Duration::from_millis(400));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "give it to `NodeBuilder::retries`"]
pub struct Retries {
    count: u32,
    backoff: Duration,
    at_most: Duration,
}

impl Retries {
    /// So many attempts after the first, the next one 100 ms after the first failed, then
    /// after twice as long each time, up to 30 s.
    pub const fn new(count: u32) -> Self {
        Self {
            count,
            backoff: Duration::from_millis(100),
            at_most: Duration::from_secs(30),
        }
    }

    /// How long after its first failure a node is tried again. Doubles each time.
    pub const fn backoff(mut self, first: Duration) -> Self {
        self.backoff = first;
        self
    }

    /// The longest time between a failure and the next attempt.
    pub const fn at_most(mut self, longest: Duration) -> Self {
        self.at_most = longest;
        self
    }

    /// How many attempts there are after the first.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// How long after the failure of attempt `failed` (from 1) the next one begins.
    /// `jitter`, from 0 to 1, shortens it by up to a half, so that what failed together
    /// does not come back together.
    pub fn delay(&self, failed: u32, jitter: f64) -> Duration {
        let doublings = failed.saturating_sub(1).min(31);
        let delay = self
            .backoff
            .saturating_mul(1 << doublings)
            .min(self.at_most);
        delay - (delay / 2).mul_f64(jitter.clamp(0.0, 1.0))
    }
}

type Condition = Box<dyn Fn(&State) -> bool + Send + Sync>;

/// The special wishes of one node.
#[derive(Default)]
pub(super) struct Special {
    pub(super) retries: Option<Retries>,
    pub(super) timeout: Option<Duration>,
    /// Counted from the start of the run.
    pub(super) deadline: Option<Duration>,
    pub(super) condition: Option<Condition>,
    /// Of a node with items, how many are worked on at once.
    pub(super) at_once: Option<usize>,
}

impl fmt::Debug for Special {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Special")
            .field("retries", &self.retries)
            .field("timeout", &self.timeout)
            .field("deadline", &self.deadline)
            .field("at_once", &self.at_once)
            .finish_non_exhaustive()
    }
}

impl Special {
    /// Whether its attempts have to be watched by a task of their own.
    pub(super) fn is_watched(&self) -> bool {
        self.retries.is_some() || self.timeout.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest_and_jitter_shortens_them() {
        let second = Duration::from_secs(1);
        let retries = Retries::new(9).backoff(second).at_most(5 * second);
        let delays: Vec<u64> = (1..6).map(|it| retries.delay(it, 0.0).as_secs()).collect();
        assert_eq!(delays, [1, 2, 4, 5, 5]);
        assert_eq!(retries.delay(2, 1.0), second);
        assert_eq!(retries.delay(u32::MAX, 0.0), 5 * second);
        let endless = Retries::new(9)
            .backoff(Duration::MAX)
            .at_most(Duration::MAX);
        assert!(endless.delay(40, 0.5) > Duration::from_secs(1 << 40));
    }
}
