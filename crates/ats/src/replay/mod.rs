//! `ats replay`: real workflow runs, recorded by others, on the real scheduler.
//!
//! A file goes through the modules in this order: [`wfformat`] reads it as it is written,
//! [`check`] turns it into a [`workflow`] or into a list of everything wrong with it, [`bounds`]
//! says how fast it could be at best, [`scheduled`] and [`first_come`] run its tasks as [`work`]
//! tells, [`progress`] shows it live, [`first_lanes`] judges where the tasks started, and
//! [`report`] prints what was measured.
//!
//! Or it goes to the [`lab`], where times are added up instead of waited for. A [`trace`] that
//! `ats run` wrote is a file like any other.
//!
//! All files are read and checked before the first is run. What may come of any bytes at all,
//! [`probe`] says.

#[cfg(test)]
mod bad_files;
pub mod bounds;
pub mod check;
mod clock;
pub mod first_come;
pub mod first_lanes;
pub mod lab;
pub mod probe;
pub mod progress;
pub mod report;
pub mod scheduled;
pub mod trace;
pub mod wfformat;
pub mod work;
pub mod workflow;

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use crate::cli::{Output, ReplayOptions};
use crate::exit::{Exit, Failure};
use crate::input::{Problem, shown};
use report::Report;
use scheduled::{Outcome, Stage};
use work::Load;
use workflow::Workflow;

/// Replays the files, one after the other.
///
/// # Errors
///
/// A file is wrong, or the scheduler could not be started.
pub fn run(options: &ReplayOptions) -> Result<Exit, Failure> {
    let is_virtual = options.lab.is_asked_for() || options.cores.len() > 1;
    if is_virtual && options.is_real() {
        return Err(Failure::Usage(MIXED.into()));
    }
    let workflows = read_all(&options.files)?;
    if is_virtual {
        return lab::run(options, &workflows);
    }
    for (path, workflow) in options.files.iter().zip(&workflows) {
        let report = replay(shown(path), workflow, options)?;
        print(&report, options.output)?;
    }
    Ok(Exit::Success)
}

const MIXED: &str = "\
error: several values of `--cores` are for virtual time, and another option is for real time
  help: leave out `--speed`, `--compare`, `--runs` and `--profiles`, or give one value of `--cores`";

fn read_all(files: &[PathBuf]) -> Result<Vec<Workflow>, Failure> {
    let mut workflows = Vec::new();
    let mut problems = Vec::new();
    for path in files {
        match wfformat::read(path).and_then(|document| check::check(path, document)) {
            Ok(workflow) => workflows.push(workflow),
            Err(wrong) => problems.extend(wrong),
        }
    }
    if problems.is_empty() {
        Ok(workflows)
    } else {
        Err(Failure::Usage(listed(&problems)))
    }
}

/// More problems than this help nobody: they have one cause.
const SHOWN_PROBLEMS: usize = 20;

fn listed(problems: &[Problem]) -> String {
    let mut lines: Vec<String> = problems
        .iter()
        .take(SHOWN_PROBLEMS)
        .map(Problem::to_string)
        .collect();
    if problems.len() > SHOWN_PROBLEMS {
        lines.push(format!("... and {} more", problems.len() - SHOWN_PROBLEMS));
    }
    lines.join("\n")
}

fn replay(file: String, workflow: &Workflow, options: &ReplayOptions) -> Result<Report, Failure> {
    let cores = options.cores.first().copied();
    let cores = cores
        .or_else(|| std::thread::available_parallelism().ok())
        .map_or(1, NonZeroUsize::get);
    let recorded = bounds::of(workflow, cores);
    let speed = options.speed.unwrap_or_else(|| recorded.pleasant_speed());
    let loads: Vec<Load> = workflow
        .tasks
        .iter()
        .map(|task| Load::of(task, speed))
        .collect();
    let scheduled = runs(&file, workflow, &loads, cores, options)?;
    let first_come = if options.compare {
        Some(first_come::run(&file, workflow, &loads, cores)?)
    } else {
        None
    };
    Ok(Report::new(
        file, workflow, cores, speed, recorded, &scheduled, first_come,
    ))
}

/// All runs on the scheduler, with what was learned before and by each for the next.
fn runs(
    file: &str,
    workflow: &Workflow,
    loads: &[Load],
    cores: usize,
    options: &ReplayOptions,
) -> Result<Vec<Outcome>, Failure> {
    let stage = Stage::start(cores)?;
    if let Some(profiles) = options.profiles.as_deref().filter(|path| path.exists())
        && let Err(error) = stage.load(profiles)
    {
        anstream::eprintln!("warning: nothing was learned before: {error}");
    }
    let count = options.runs.get();
    let label = |run: u32| match count {
        1 => file.to_owned(),
        _ => format!("{file}, run {run} of {count}"),
    };
    let outcomes: Result<_, _> = (1..=count)
        .map(|run| stage.run(&label(run), workflow, loads))
        .collect();
    if let Some(profiles) = &options.profiles {
        let saved = stage.save(profiles);
        saved.map_err(|error| Failure::internal("saving the profiles", error))?;
    }
    stage.end();
    outcomes
}

fn print(report: &Report, output: Output) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    match output {
        Output::Text => write!(out, "{report}")?,
        Output::Json => {
            let json = serde_json::to_string(report)
                .map_err(|error| Failure::internal("writing JSON", error))?;
            writeln!(out, "{json}")?;
        }
    }
    out.flush()?;
    Ok(())
}
