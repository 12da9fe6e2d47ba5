//! `ats run`: a graph of shell commands from a TOML file, run by the scheduler.
//!
//! [`taskfile`](crate::taskfile) reads the file; [`plan`] chooses what is to run and foresees the
//! order. [`execute`] spawns each command as one task of the scheduler,
//! whose [`job`] runs its [`process`] with everything that it starts as one [`group`] until it ends
//! or [`stop`] says so; [`state`] keeps what has happened, [`report`] shows it.

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
pub mod state;
#[cfg(unix)]
pub mod stop;

use std::io::Write;

use crate::cli::RunOptions;
use crate::exit::{Exit, Failure};
use crate::taskfile;
use crate::taskfile::model::{Action, TaskFile};
use crate::text::printable;

/// Runs the tasks of a file, or says in which order it would.
///
/// # Errors
///
/// The file or a task's name is wrong, or the scheduler could not be started.
pub fn run(options: &RunOptions) -> Result<Exit, Failure> {
    let file = taskfile::read(&options.file, &[])?;
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
    execute::execute(file, jobs, options.keep_going)
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
            printable(&command(&task.action)),
        )?;
    }
    out.flush()?;
    Ok(())
}

/// An action as people read it.
fn command(action: &Action) -> String {
    match action {
        Action::Shell(text) => text.trim().to_owned(),
        Action::Exec(arguments) => arguments.join(" "),
        Action::Nothing => "nothing".to_owned(),
    }
}
