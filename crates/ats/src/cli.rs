//! The command line: one definition per flag, from which parsing and help both come.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::help;
use crate::help::completions::CompletionOptions;
use crate::help::manual::ManualOptions;
use crate::plan::choice::{Choice, Looks};
use crate::replay::lab::options::LabOptions;
use crate::text;
use crate::views::options::ViewOptions;

/// Watch an adaptive task scheduler at work.
///
/// Without a command, `ats demo` is played.
#[derive(Debug, Parser)]
#[command(name = "ats", version, after_long_help = help::of_ats())]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    /// When to use colour; `auto` also respects NO_COLOR
    #[arg(long, value_enum, default_value_t = Color::Auto, global = true, value_name = "WHEN")]
    pub color: Color,
}

impl Arguments {
    /// Reads this process's arguments; help, version and mistakes end the process here.
    #[must_use]
    pub fn read() -> Self {
        #[cfg(target_os = "linux")]
        let given = crate::runner::guard::arguments();
        #[cfg(not(target_os = "linux"))]
        let given = std::env::args_os();
        Self::parse_from(given)
    }

    /// The command asked for, `demo` when none was.
    #[must_use]
    pub fn chosen(self) -> Command {
        self.command.unwrap_or(Command::Demo)
    }
}

/// What `ats` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Play the scene that started the project, then measure it beside plain Tokio
    Demo,
    /// Replay recorded runs (WfFormat 1.5, traces of `ats run`) on the scheduler or in virtual time
    #[command(after_long_help = help::of_replay())]
    Replay(ReplayOptions),
    /// Run a graph of commands from a file of tasks, or from a Ninja or WfFormat file
    #[command(after_long_help = help::of_run())]
    Run(RunOptions),
    /// Print the JSON Schema of files of tasks, by which editors complete and check them
    Schema,
    /// Print a script with which a shell completes commands, options and names of tasks
    #[command(after_long_help = help::OF_COMPLETIONS)]
    Completions(CompletionOptions),
    /// Print the manual page of ats or of one of its commands
    #[command(after_long_help = help::OF_MAN)]
    Man(ManualOptions),
}

/// Options of `ats replay`.
///
/// In real time, which is the default, all tasks run. Each recorded task computes for its share of CPU time (`avgCPU` percent of its run time, real
/// hashing measured by the thread's CPU clock) and blocks its thread for the rest, as the recorded
/// program did. Both happen inside ordinary async polls of at most 10 ms: which lane a task belongs
/// on is for the scheduler to find out.
#[derive(Args, Debug)]
pub struct ReplayOptions {
    /// WfFormat 1.5 JSON files, or traces that `ats run --trace` wrote, one after the other
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// How many times faster than recorded [default: so that a file takes a few seconds]
    #[arg(long, value_parser = speed, value_name = "FACTOR")]
    pub speed: Option<f64>,

    /// How many cores to schedule for; several values are for virtual time [default: all]
    #[arg(long, value_delimiter = ',', value_name = "N")]
    pub cores: Vec<NonZeroUsize>,

    /// Run the same graph in first-come order on plain Tokio as well
    #[arg(long)]
    pub compare: bool,

    /// Run each file so many times; the scheduler learns from each run for the next
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(NonZeroU32))]
    pub runs: NonZeroU32,

    /// Begin with what is in this file of learned profiles, and save what is learned there
    #[arg(long, value_name = "FILE")]
    pub profiles: Option<PathBuf>,

    /// How to print the results; `json` is one object a line
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,

    #[command(flatten)]
    pub lab: LabOptions,
}

impl ReplayOptions {
    /// Whether something is asked for that only real time has.
    #[must_use]
    pub fn is_real(&self) -> bool {
        self.speed.is_some() || self.compare || self.runs.get() > 1 || self.profiles.is_some()
    }
}

/// Options of `ats run`.
#[derive(Args, Debug)]
#[command(next_help_heading = "How it is run")]
pub struct RunOptions {
    /// How many commands may run at once [default: the file's `jobs`, else the number of cores]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MAX_JOBS))]
    pub jobs: Option<u16>,

    /// After a failure, go on with the tasks that do not need the failed one
    #[arg(short, long)]
    pub keep_going: bool,

    /// After a failure, stop what still runs
    #[arg(long, conflicts_with = "keep_going")]
    pub stop_at_once: bool,

    /// Pause unimportant commands while more important ones would have to wait for a place
    #[arg(long)]
    pub preempt: bool,

    /// Go on with the last run of the file where it stopped, even if it was killed
    #[arg(long)]
    pub resume: bool,

    /// Run tasks even if nothing has changed that they depend on
    #[arg(long)]
    pub force: bool,

    /// Run again what is affected whenever an input or the file of tasks changes, until Ctrl-C
    #[arg(long, conflicts_with = "resume")]
    pub watch: bool,

    // The headings of these do not end with them, so they come last.
    #[command(flatten)]
    pub choice: Choice,

    #[command(flatten)]
    pub looks: Looks,

    #[command(flatten)]
    pub views: ViewOptions,
}

/// The most commands that may run at once.
pub const MAX_JOBS: i64 = 256;

/// The form of results.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Output {
    /// For people
    Text,
    /// For machines
    Json,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    /// Makes this the choice for everything printed from now on.
    pub fn apply(self) {
        let choice = match self {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
    }
}

fn speed(argument: &str) -> Result<f64, String> {
    match argument.parse::<f64>() {
        // Beyond this range times would leave what a `Duration` holds.
        Ok(factor) if (1e-3..=1e9).contains(&factor) => Ok(factor),
        _ => Err(format!(
            "`{}` is not a number from 0.001 to 1e9; 10 means ten times faster than recorded",
            text::printable(argument)
        )),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        <Arguments as CommandFactory>::command().debug_assert();
    }

    #[test]
    fn without_a_command_the_demo_is_played() {
        let arguments = Arguments::parse_from(["ats"]);
        assert!(matches!(arguments.chosen(), Command::Demo));
    }

    #[test]
    fn a_speed_is_a_sensible_number() {
        assert_eq!(speed("2.5"), Ok(2.5));
        for wrong in ["0", "-1", "nan", "inf", "1e-300", "fast"] {
            assert!(speed(wrong).is_err(), "{wrong} was taken");
        }
    }
}
