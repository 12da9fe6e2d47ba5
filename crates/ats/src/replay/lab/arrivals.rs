//! Pure: urgent tasks that arrive while a workflow runs, by a stated random process.
//!
//! They arrive as a Poisson process of a rate that is given, or that follows from the share of the
//! cores' time that they are to need, until the moment at which the workflow alone could be done
//! at best. Their sizes are exponentially distributed around their mean. The same seed gives the
//! same tasks.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::chance::Chance;
use crate::text;

/// How many are too many to be of use.
const MOST: f64 = 100_000.0;

/// How many urgent tasks arrive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// As many as need this share of the cores' time, from 0 to 1.
    Share(f64),
    /// So many a second.
    PerSecond(f64),
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(argument: &str) -> Result<Self, String> {
        let number = |digits: &str| digits.parse::<f64>().ok().filter(|number| *number > 0.0);
        let rate = if let Some(percent) = argument.strip_suffix('%') {
            number(percent)
                .filter(|percent| *percent <= 90.0)
                .map(|percent| Rate::Share(percent / 100.0))
        } else if let Some((digits, unit)) = argument.split_once('/') {
            let seconds = match unit {
                "s" => Some(1.0),
                "min" => Some(60.0),
                "h" => Some(3600.0),
                _ => None,
            };
            number(digits)
                .zip(seconds)
                .map(|(digits, seconds)| Rate::PerSecond(digits / seconds))
        } else {
            None
        };
        rate.ok_or_else(|| {
            format!(
                "`{}` is no rate; `10%` are tasks that need a tenth of the cores' time (at most \
                 90%), `5/min` are five a minute (also /s, /h)",
                text::printable(argument)
            )
        })
    }
}

/// The process by which they arrive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Process {
    /// So many a second, on average.
    pub per_second: f64,
    /// The mean size.
    pub size: Duration,
}

impl Process {
    /// The process of this rate on so many cores. Where no mean size is given it is a tenth of
    /// that of the workflow's tasks.
    #[must_use]
    pub fn new(rate: Rate, size: Option<Duration>, mean_task: Duration, cores: usize) -> Self {
        let size = size.unwrap_or(mean_task / 10);
        let per_second = match rate {
            Rate::PerSecond(rate) => rate,
            Rate::Share(_) if size.is_zero() => 0.0,
            Rate::Share(share) => share * cores as f64 / size.as_secs_f64(),
        };
        Process { per_second, size }
    }

    /// Those that arrive until `end`, in the order of arrival.
    ///
    /// # Errors
    ///
    /// Too many of them.
    pub fn draw(&self, end: Duration, seed: u64) -> Result<Vec<Urgent>, String> {
        let expected = self.per_second * end.as_secs_f64();
        if expected > MOST {
            return Err(format!(
                "some {expected:.0} urgent tasks would arrive, and more than {MOST} help nobody; \
                 give a lower rate"
            ));
        }
        let mut urgent = Vec::with_capacity(expected as usize);
        if expected > 0.0 {
            let gap = Duration::try_from_secs_f64(1.0 / self.per_second).unwrap_or(Duration::MAX);
            let mut chance = Chance::new(seed);
            let mut at = chance.exponential(gap);
            while at < end && urgent.len() < 2 * MOST as usize {
                let size = chance.exponential(self.size);
                urgent.push(Urgent { at, size });
                at += chance.exponential(gap);
            }
        }
        Ok(urgent)
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rate, unit) = match self.per_second {
            rate if rate >= 1.0 => (rate, "second"),
            rate if rate * 60.0 >= 1.0 => (rate * 60.0, "minute"),
            rate => (rate * 3600.0, "hour"),
        };
        let size = text::duration(self.size);
        write!(f, "{rate:.2} a {unit}, mean size {size}")
    }
}

/// An urgent task.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Urgent {
    /// When it arrives.
    pub at: Duration,
    /// How long it runs.
    pub size: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_rate_is_a_share_of_the_cores_or_a_number_in_a_time() {
        assert_eq!("10%".parse(), Ok(Rate::Share(0.1)));
        assert_eq!("30/min".parse(), Ok(Rate::PerSecond(0.5)));
        assert_eq!("2/s".parse(), Ok(Rate::PerSecond(2.0)));
        for wrong in ["", "5", "0%", "91%", "-1/s", "nan/s", "1/year", "inf%", "/"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong} was taken");
        }
    }

    #[test]
    fn a_share_of_the_cores_is_what_they_need_together() {
        let process = Process::new(Rate::Share(0.1), None, 50 * SECOND, 4);
        let urgent = process.draw(10_000 * SECOND, 7).unwrap();
        let needed: Duration = urgent.iter().map(|urgent| urgent.size).sum();
        let share = needed.as_secs_f64() / 40_000.0;
        assert!((share - 0.1).abs() < 0.02, "{share}");
        assert!(urgent.windows(2).all(|pair| pair[0].at <= pair[1].at));
        assert_eq!(process.draw(10_000 * SECOND, 7).unwrap(), urgent);
        assert_ne!(process.draw(10_000 * SECOND, 8).unwrap(), urgent);
    }

    #[test]
    fn a_flood_is_refused_and_nothing_is_nothing() {
        let flood = Process::new(Rate::PerSecond(1e9), None, SECOND, 1);
        assert!(flood.draw(SECOND, 1).is_err());
        let nothing = Process::new(Rate::Share(0.5), None, Duration::ZERO, 1);
        assert_eq!(nothing.draw(SECOND, 1).unwrap(), []);
        assert_eq!(flood.draw(Duration::ZERO, 1).unwrap(), []);
        let never = Process::new(Rate::PerSecond(1e-300), None, SECOND, 1);
        assert_eq!(never.draw(SECOND, 1).unwrap(), []);
    }
}
