//! `ats run`: a graph of shell commands from a file, run by the scheduler.
//!
//! [`taskfile`](crate::taskfile) reads the file, [`plan`](crate::plan) chooses what is to run. [`execute`] spawns each command as one task of the scheduler,
//! whose [`job`] runs its [`process`] with everything that it starts as one [`group`] until it ends
//! or [`stop`] says so; [`report`] shows what happens.

pub mod plan;

#[cfg(unix)]
pub mod execute;
#[cfg(unix)]
pub mod group;
#[cfg(unix)]
pub mod job;
#[cfg(unix)]
pub mod note;
#[cfg(unix)]
pub mod output;
#[cfg(unix)]
pub mod process;
#[cfg(unix)]
pub mod report;
#[cfg(unix)]
pub mod stop;

use crate::cli::RunOptions;
use crate::exit::{Exit, Failure};
use crate::plan::foresight::Foresight;
use crate::plan::{draw, dry_run, list};
use crate::taskfile::model::TaskFile;
use crate::views::guess::guesses;
use crate::views::profile::Profile;

/// Runs the tasks of a file, or says in which order it would.
///
/// # Errors
///
/// The file or a task's name is wrong, or the scheduler could not be started.
pub fn run(options: &RunOptions) -> Result<Exit, Failure> {
    let file = options.choice.read()?;
    if look(&file, options)? {
        return Ok(Exit::Success);
    }
    start(file, options)
}

/// Shows what would be run, if that is all that was asked for.
fn look(file: &TaskFile, options: &RunOptions) -> Result<bool, Failure> {
    let looks = &options.looks;
    let out = anstream::stdout().lock();
    if looks.list {
        list::print(file, out)?;
        return Ok(true);
    }
    if looks.dry_run.is_none() && looks.graph.is_none() {
        return Ok(false);
    }
    let (profile, _) = Profile::open(&options.views, &file.source);
    let guesses = guesses(file, profile.durations());
    let known = guesses
        .iter()
        .map(|guess| guess.is_known().then_some(guess.mean));
    let foresight = Foresight::of(&file.tasks, known.collect());
    if let Some(form) = looks.dry_run {
        dry_run::print(file, &foresight, form, out)?;
    } else if let Some(language) = looks.graph {
        draw::print(file, &foresight, language, out)?;
    }
    Ok(true)
}

#[cfg(unix)]
fn start(file: TaskFile, options: &RunOptions) -> Result<Exit, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = options.jobs.or(file.jobs).map_or(cores, usize::from);
    execute::execute(file, jobs, options)
}

/// Stopping a command with everything that it started needs process groups.
#[cfg(not(unix))]
fn start(_: TaskFile, _: &RunOptions) -> Result<Exit, Failure> {
    Err(Failure::Usage(
        "error: `ats run` needs a Unix system so far\n  help: `--dry-run` works everywhere".into(),
    ))
}
