//! `ats run`: a graph of shell commands from a TOML file, run by the scheduler.
//!
//! [`parse`] reads the [`taskfile`] or lists every one of its [`mistakes`]; [`plan`] chooses what
//! is to run and foresees the order. [`execute`] spawns each command as one task of the scheduler,
//! whose [`job`] runs its [`process`] with everything that it starts as one [`group`] until it ends
//! or [`stop`] says so; [`state`] keeps what has happened, [`report`] shows it.

#[cfg(test)]
mod bad_files;
pub mod mistakes;
pub mod parse;
pub mod plan;
pub mod taskfile;
mod values;

#[cfg(unix)]
pub mod execute;
#[cfg(unix)]
pub mod group;
#[cfg(unix)]
pub mod job;
#[cfg(unix)]
pub mod process;
#[cfg(unix)]
pub mod report;
#[cfg(unix)]
pub mod state;
#[cfg(unix)]
pub mod stop;

use std::io::Write;
use std::path::Path;

use crate::cli::RunOptions;
use crate::exit::{Exit, Failure};
use crate::text::printable;
use taskfile::TaskFile;

/// Runs the tasks of a file, or says in which order it would.
///
/// # Errors
///
/// The file or a task's name is wrong, or the scheduler could not be started.
pub fn run(options: &RunOptions) -> Result<Exit, Failure> {
    let file = parse::read(&options.file)?;
    let file = plan::select(file, &options.tasks)
        .map_err(|mistake| Failure::Usage(format!("error: {mistake}")))?;
    if options.dry_run {
        print_order(&file)?;
        return Ok(Exit::Success);
    }
    start(file, options)
}

#[cfg(unix)]
fn start(file: TaskFile, options: &RunOptions) -> Result<Exit, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = options.jobs.or(file.jobs).map_or(cores, usize::from);
    let directory = options.file.parent().unwrap_or(Path::new(""));
    execute::execute(file, directory, jobs, options.keep_going)
}

/// Stopping a command with everything that it started needs process groups.
#[cfg(not(unix))]
fn start(_: TaskFile, _: &RunOptions) -> Result<Exit, Failure> {
    Err(Failure::Usage(
        "error: `ats run` needs a Unix system so far\n  help: `--dry-run` works everywhere".into(),
    ))
}

fn print_order(file: &TaskFile) -> Result<(), Failure> {
    let effective = plan::effective_priorities(&file.tasks);
    let mut out = anstream::stdout().lock();
    for (number, &index) in plan::order(&file.tasks).iter().enumerate() {
        let task = &file.tasks[index];
        let raised = if effective[index] > task.priority {
            format!(", raised to {}", effective[index])
        } else {
            String::new()
        };
        writeln!(
            out,
            "{}. {} ({}{raised}): {}",
            number + 1,
            printable(&task.name),
            task.priority,
            printable(task.run.trim()),
        )?;
    }
    out.flush()?;
    Ok(())
}
