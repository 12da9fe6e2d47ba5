//! The options of the laboratory, as they stand on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueHint};

use super::arrivals::Rate;
use super::policy::Policy;

/// Options that make a replay one in virtual time.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Laboratory: virtual time, policies side by side")]
pub struct LabOptions {
    /// Add times up instead of waiting: hours of recorded work on any machine at once. Every other
    /// option here, and several values of --cores, imply it
    #[arg(long = "virtual", conflicts_with_all = REAL)]
    pub in_virtual_time: bool,

    /// The policies to compare [default: all]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "POLICY", conflicts_with_all = REAL)]
    pub policy: Vec<Policy>,

    /// Urgent tasks arrive meanwhile: `10%` of the cores' time, or `5/min` (Poisson arrivals)
    #[arg(long, value_name = "RATE", conflicts_with_all = REAL)]
    pub urgent: Option<Rate>,

    /// The mean of their exponentially distributed sizes [default: a tenth of the mean task]
    #[arg(long, value_parser = size, value_name = "TIME", requires = "urgent")]
    pub urgent_size: Option<Duration>,

    /// The seed by which they are drawn
    #[arg(long, value_name = "N", default_value_t = 1, requires = "urgent")]
    pub seed: u64,

    /// Pause tasks while more important ones want their places, as `ats run --preempt` does
    #[arg(long, conflicts_with_all = REAL)]
    pub preempt: bool,

    /// Draw the results into an SVG file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = REAL)]
    pub svg: Option<PathBuf>,

    /// Draw the results in the terminal, too
    #[arg(long, action = ArgAction::SetTrue, conflicts_with_all = REAL)]
    pub plot: bool,

    /// Draw with ASCII characters alone [default: unless the locale has others]
    #[arg(long, requires = "plot")]
    pub ascii: bool,
}

/// What only a replay in real time knows.
const REAL: [&str; 4] = ["speed", "compare", "runs", "profiles"];

impl LabOptions {
    /// Whether one of them asks for virtual time.
    #[must_use]
    pub fn is_asked_for(&self) -> bool {
        self.in_virtual_time
            || !self.policy.is_empty()
            || self.urgent.is_some()
            || self.preempt
            || self.svg.is_some()
            || self.plot
    }

    /// The policies to compare, each once.
    #[must_use]
    pub fn policies(&self) -> Vec<Policy> {
        if self.policy.is_empty() {
            return Policy::ALL.to_vec();
        }
        let is_asked_for = |policy: &Policy| self.policy.contains(policy);
        Policy::ALL.into_iter().filter(is_asked_for).collect()
    }
}

fn size(argument: &str) -> Result<Duration, String> {
    let size = humantime::parse_duration(argument)
        .map_err(|_| "give a time such as `200ms` or `1m 30s`".to_owned())?;
    // As long as anything that a file may say.
    if size.is_zero() || size > Duration::from_secs(1_000_000_000) {
        return Err("give a time above 0 and at most 1e9 s".into());
    }
    Ok(size)
}
