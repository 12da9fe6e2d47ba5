//! The comparison as a small table with bars.

use std::fmt;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::busywork::{CROWD, HOGS, LITTLE, PACE, STUCK, STUCK_ROUND};
use super::comparison::{Result, Situation};
use super::sample::Sample;
use crate::text;

const BAR: usize = 40;

/// Bars begin here; what is shorter than this is as good as nothing.
const SHORTEST: Duration = Duration::from_micros(1);

const BOLD: Style = Style::new().bold();
const TOKIO: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));
const SCHEDULER: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));

/// Everything that was measured, to be displayed.
#[derive(Debug)]
pub struct Comparison<'a> {
    /// How many workers each engine had.
    pub workers: usize,
    /// One entry for each situation.
    pub results: &'a [Result],
}

impl fmt::Display for Comparison<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let workers = text::count(self.workers, "worker");
        writeln!(
            f,
            "{BOLD}How long an important task waits for its first poll{BOLD:#}"
        )?;
        writeln!(
            f,
            "Measured just now on this machine, the engines in turn, {workers} each."
        )?;
        let scale = self.results.iter().map(longest).max().unwrap_or_default();
        for result in self.results {
            section(f, self.workers, result, scale)?;
        }
        writeln!(
            f,
            "\nBars show p99 on a logarithmic scale, from {} to {}: equal steps are equal factors.",
            text::duration(SHORTEST),
            text::duration(scale),
        )
    }
}

fn longest(result: &Result) -> Duration {
    result
        .tokio
        .percentile(99)
        .max(result.scheduler.percentile(99))
}

fn section(
    f: &mut fmt::Formatter<'_>,
    workers: usize,
    result: &Result,
    scale: Duration,
) -> fmt::Result {
    let situation = match result.situation {
        Situation::Stuck => format!(
            "Every worker stuck: {} unimportant tasks, each blocking for {} in every poll\n\
             (an important one comes every {} for {})",
            HOGS * workers,
            text::duration(STUCK),
            text::duration(PACE),
            text::duration(STUCK_ROUND),
        ),
        Situation::Crowded => format!(
            "Behind a crowd: {} unimportant tasks of {} each are queued before",
            text::grouped(CROWD),
            text::duration(LITTLE)
        ),
    };
    writeln!(f, "\n{BOLD}{situation}{BOLD:#}")?;
    writeln!(
        f,
        "  {:<14}{:>10}{:>10}{:>10}{:>8}",
        "", "p50", "p99", "worst", "tasks"
    )?;
    row(f, "plain Tokio", &result.tokio)?;
    row(f, "the scheduler", &result.scheduler)?;
    writeln!(f)?;
    bar(f, "plain Tokio", TOKIO, result.tokio.percentile(99), scale)?;
    bar(
        f,
        "the scheduler",
        SCHEDULER,
        result.scheduler.percentile(99),
        scale,
    )
}

fn row(f: &mut fmt::Formatter<'_>, engine: &str, sample: &Sample) -> fmt::Result {
    writeln!(
        f,
        "  {engine:<14}{:>10}{:>10}{:>10}{:>8}",
        text::duration(sample.percentile(50)),
        text::duration(sample.percentile(99)),
        text::duration(sample.worst()),
        text::grouped(sample.len()),
    )
}

fn bar(
    f: &mut fmt::Formatter<'_>,
    engine: &str,
    style: Style,
    delay: Duration,
    scale: Duration,
) -> fmt::Result {
    let bar = "█".repeat(length(delay, scale));
    writeln!(
        f,
        "  {engine:<14} {style}{bar}{style:#} {}",
        text::duration(delay)
    )
}

/// The length of a bar: logarithmic, and at least one block, so that nothing looks unmeasured.
fn length(delay: Duration, scale: Duration) -> usize {
    let above = |duration: Duration| {
        (duration.as_secs_f64() / SHORTEST.as_secs_f64())
            .max(1.0)
            .log10()
    };
    let whole = above(scale);
    if whole <= 0.0 {
        return 1;
    }
    ((above(delay) / whole * BAR as f64).round() as usize).clamp(1, BAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_factors_are_equal_lengths() {
        let scale = Duration::from_millis(10);
        let cases = [
            (0, 1),
            (1, 1),
            (10, 10),
            (100, 20),
            (1_000, 30),
            (10_000, 40),
        ];
        for (microseconds, expected) in cases {
            assert_eq!(length(Duration::from_micros(microseconds), scale), expected);
        }
        assert_eq!(length(Duration::ZERO, Duration::ZERO), 1);
    }
}
