//! The comparison: both engines in turn, round after round, so that whatever else happens on the
//! machine happens to both.

use std::time::Duration;

use super::busywork;
use super::engine::{Engine, Kind};
use super::sample::Sample;
use crate::exit::Failure;
use crate::terminal::StatusLine;

const ROUNDS: usize = 3;

/// What an important task waits behind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Situation {
    /// Every worker is stuck in a poll.
    Stuck,
    /// Many unimportant tasks were queued before.
    Crowded,
}

impl Situation {
    const ALL: [Situation; 2] = [Situation::Stuck, Situation::Crowded];

    fn round(self, engine: &Engine, workers: usize) -> Vec<Duration> {
        match self {
            Situation::Stuck => busywork::stuck(engine, workers),
            Situation::Crowded => busywork::crowded(engine),
        }
    }
}

/// What was measured in one situation.
#[derive(Debug)]
pub struct Result {
    /// The situation.
    pub situation: Situation,
    /// The delays of plain Tokio.
    pub tokio: Sample,
    /// The delays of the scheduler.
    pub scheduler: Sample,
}

/// Measures both engines in both situations.
///
/// # Errors
///
/// An engine could not be started.
pub fn measure(workers: usize) -> std::result::Result<Vec<Result>, Failure> {
    let [tokio, scheduler] = Kind::ALL.map(|kind| kind.start(workers));
    let (tokio, scheduler) = (tokio?, scheduler?);
    let mut status = StatusLine::on_stderr();
    let mut results = Vec::new();
    for situation in Situation::ALL {
        let mut result = Result {
            situation,
            tokio: Sample::default(),
            scheduler: Sample::default(),
        };
        for round in 1..=ROUNDS {
            status.show(&format!(
                "measuring beside plain Tokio: {situation:?}, round {round} of {ROUNDS}"
            ));
            result.tokio.add(situation.round(&tokio, workers));
            result.scheduler.add(situation.round(&scheduler, workers));
        }
        results.push(result);
    }
    tokio.stop();
    scheduler.stop();
    Ok(results)
}
