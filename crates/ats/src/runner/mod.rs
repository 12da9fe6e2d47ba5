//! `ats run`: a graph of commands from a file, run in the order that the dispatcher decides.
//!
//! [`taskfile`](crate::taskfile) reads the file, [`plan`](crate::plan) chooses what of it is to run.
//! [`execute`] goes through a run from its start to its exit code: [`run`](mod@run) does what the
//! [`dispatcher`](crate::dispatch) decides, of which [`facts`] say what it has to know, and moves
//! each task under way, a [`job`], from step to step, while `attend` sees to what happens to
//! their processes. [`process`] starts those, without a shell if [`words`] finds that none is
//! needed, [`children`] waits for them and stops them, [`signals`] and [`stop`] say when, `guard`
//! sees to it that nothing is left of them even if this process is killed, and [`retry`] knows when
//! the next attempt is due. A [`memory`] joins a run to earlier and later ones: the [`journal`] tells
//! what need not be done again when a run is [resumed](resume), [`fresh`] whether anything has
//! changed since a task last worked, and [`mod@watch`] runs again what a change affects. What happens
//! is told as a [`note`], which [`report`] shows.

pub mod facts;
pub mod fingerprint;
pub mod resume;
pub mod retry;
pub mod words;

#[cfg(unix)]
mod attend;
#[cfg(unix)]
pub mod children;
#[cfg(unix)]
pub mod ending;
#[cfg(unix)]
pub mod execute;
#[cfg(unix)]
pub mod explain;
#[cfg(unix)]
pub mod fresh;
#[cfg(target_os = "linux")]
pub mod guard;
#[cfg(unix)]
pub mod job;
#[cfg(unix)]
pub mod journal;
#[cfg(unix)]
pub mod memory;
#[cfg(unix)]
pub mod note;
#[cfg(unix)]
pub mod output;
#[cfg(unix)]
pub mod process;
#[cfg(unix)]
pub mod report;
#[cfg(unix)]
pub mod run;
#[cfg(unix)]
pub mod signals;
#[cfg(unix)]
pub mod stop;
#[cfg(unix)]
pub mod watch;

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
    #[cfg(target_os = "linux")]
    if !options.looks.is_any() && guard::role() == guard::Role::Outer {
        return guard::watch_over();
    }
    let file = options.choice.read()?;
    if look(&file, options)? {
        // The process ends now; to give many tasks back one by one would take longer than that.
        std::mem::forget(file);
        return Ok(Exit::Success);
    }
    if let Some(reason) = &file.look_only {
        return Err(Failure::Usage(format!("error: {reason}")));
    }
    start(file, options)
}

/// Shows what would be run, if that is all that was asked for.
fn look(file: &TaskFile, options: &RunOptions) -> Result<bool, Failure> {
    let looks = &options.looks;
    #[cfg(unix)]
    if !looks.explain.is_empty() {
        let out = anstream::stdout().lock();
        explain::print(file, options, jobs(file, options), out)?;
        return Ok(true);
    }
    // Nothing of the rest is in colour.
    let out = std::io::stdout().lock();
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

/// How many tasks that compute run at once.
#[cfg(unix)]
fn jobs(file: &TaskFile, options: &RunOptions) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    options.jobs.or(file.jobs).map_or(cores, usize::from)
}

#[cfg(unix)]
fn start(file: TaskFile, options: &RunOptions) -> Result<Exit, Failure> {
    execute::execute(file, options)
}

/// Stopping a command with everything that it started needs process groups.
#[cfg(not(unix))]
fn start(_: TaskFile, _: &RunOptions) -> Result<Exit, Failure> {
    Err(Failure::Usage(
        "error: `ats run` needs a Unix system so far\n  help: `--dry-run` works everywhere".into(),
    ))
}
