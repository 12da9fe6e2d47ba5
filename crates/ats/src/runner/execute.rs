//! A run from its start to its exit code.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::children;
use super::facts;
use super::jobs;
use super::memory::Memory;
use super::report::Report;
use super::run::{AfterFailure, REDRAW, Run};
use super::signals::Signals;
use super::watch;
use crate::cli::RunOptions;
use crate::dispatch::{Dispatcher, Holds, Limits};
use crate::exit::{Exit, Failure};
use crate::taskfile::model::TaskFile;
use crate::views::tasks::shape;

/// How many tasks that mostly wait may run beside each one that computes.
const WAITING_PER_JOB: usize = 8;

/// But at most so many in all: each takes file descriptors, of which there are often 1,024.
const WAITING: usize = 256;

/// What came of one run through the tasks of a file.
#[derive(Debug, Default)]
pub struct Round {
    /// How the process ends.
    pub exit: Exit,
    /// The same, if a signal decides that.
    pub signal: Option<Exit>,
    /// The names of the tasks that worked, and what they were.
    pub done: HashMap<String, String>,
}

/// Runs all tasks of the file, once or whenever something changes.
///
/// # Errors
///
/// The system refused what any run needs, or a file that was asked for cannot be written.
pub fn execute(file: TaskFile, options: &RunOptions) -> Result<Exit, Failure> {
    let signals =
        Signals::listen().map_err(|error| Failure::internal("listening to signals", error))?;
    children::adopt_orphans();
    #[cfg(target_os = "linux")]
    super::guard::watch_outer()
        .map_err(|error| Failure::internal("watching over the run", error))?;
    if options.watch {
        return watch::watch(file, options, &signals);
    }
    let round = round(&file, jobs(&file, options), options, &signals, None)?;
    Ok(round.exit)
}

/// Runs all tasks once, at most `jobs` that compute at once. What was `before` is known if this is
/// one of several rounds; then only what is affected by changes runs.
pub(super) fn round(
    file: &TaskFile,
    jobs: usize,
    options: &RunOptions,
    signals: &Signals,
    before: Option<&Round>,
) -> Result<Round, Failure> {
    let memory = Memory::open(file, options, signals, before)?;
    let mut report = Report::open(&options.views, file, jobs, memory.run())?;
    let dispatcher = dispatcher(
        file,
        &report.expected(),
        &memory.done,
        jobs,
        options.preempt,
    );
    let mut run = Run::new(
        &file.tasks,
        dispatcher,
        after_failure(options),
        memory,
        &mut report,
    );
    let mut drawn = Instant::now();
    run.act();
    run.deliver();
    while !run.is_finished() {
        run.attend(signals);
        run.act();
        run.deliver();
        if drawn.elapsed() >= REDRAW {
            run.report.draw();
            drawn = Instant::now();
        }
    }
    let signal = clear_up(&mut run, signals);
    run.deliver();
    let done = run.take_done();
    Ok(Round {
        exit: report.finish(signal),
        signal,
        done,
    })
}

fn after_failure(options: &RunOptions) -> AfterFailure {
    if options.stop_at_once {
        AfterFailure::StopAtOnce
    } else if options.keep_going {
        AfterFailure::KeepGoing
    } else {
        AfterFailure::Finish
    }
}

/// What decides which of the tasks starts next, if they take so long; those that are done take no
/// place.
pub(super) fn dispatcher(
    file: &TaskFile,
    expected: &[Duration],
    done: &[bool],
    jobs: usize,
    preempt: bool,
) -> Dispatcher {
    let shape = shape(&file.tasks);
    let mut facts = facts::facts(&file.tasks, &shape, expected);
    for (facts, _) in facts.iter_mut().zip(done).filter(|(_, done)| **done) {
        facts.holds = Holds::Nothing;
    }
    let limits = Limits {
        places: jobs,
        waiting_places: jobs.saturating_mul(WAITING_PER_JOB).min(WAITING),
        preempt,
    };
    Dispatcher::new(shape, facts, limits)
}

/// Ends what the commands have left running; returns the signal that came, if one did.
fn clear_up(run: &mut Run<'_>, signals: &Signals) -> Option<Exit> {
    children::end_all(|| {
        if let Some(exit) = signals.take() {
            run.signalled(exit);
        }
        run.is_killing()
    });
    run.signal()
}
