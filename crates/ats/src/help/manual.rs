//! The manual, made from the same definitions as `--help`.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use clap::CommandFactory;
use clap_mangen::Man;

use crate::cli::Arguments;
use crate::exit::{Exit, Failure};
use crate::input::shown;
use crate::text::{nearest, printable};

/// Options of `ats man`.
#[derive(clap::Args, Debug)]
pub struct ManualOptions {
    /// The command whose page is printed [default: the page of ats itself]
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    pub command: Option<String>,

    /// Write all pages into this directory instead
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// Prints a page, or writes all of them.
///
/// # Errors
///
/// There is no such command, or the directory cannot be written to.
pub fn run(options: &ManualOptions) -> Result<Exit, Failure> {
    match &options.dir {
        Some(directory) => {
            fs::create_dir_all(directory)
                .and_then(|()| clap_mangen::generate_to(definition(), directory))
                .map_err(|error| {
                    let directory = shown(directory);
                    Failure::Usage(format!("error: {directory}: cannot be written to: {error}\n  help: name a directory of your own"))
                })?;
        }
        None => std::io::stdout().write_all(&page(options.command.as_deref())?)?,
    }
    Ok(Exit::Success)
}

fn definition() -> clap::Command {
    // The command `help` is of no use in a manual.
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    command
}

fn page(name: Option<&str>) -> Result<Vec<u8>, Failure> {
    let ats = definition();
    let command = match name {
        None => ats,
        Some(name) => ats
            .get_subcommands()
            .find(|command| command.get_name() == name)
            .cloned()
            .ok_or_else(|| unknown(name, &ats))?,
    };
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    Ok(page)
}

fn unknown(name: &str, ats: &clap::Command) -> Failure {
    let names: Vec<&str> = ats.get_subcommands().map(clap::Command::get_name).collect();
    let help = match nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the commands are {}", names.join(", ")),
    };
    let name = printable(name);
    Failure::Usage(format!(
        "error: there is no command `{name}`\n  help: {help}"
    ))
}
