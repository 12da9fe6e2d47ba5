//! What can be asked for of what `ats run` shows and keeps.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

/// Options of `ats run` about what is shown and kept of a run.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "What is shown and kept")]
pub struct ViewOptions {
    /// How the run is shown
    #[arg(long, value_enum, default_value_t = Mode::Auto, value_name = "HOW")]
    pub output: Mode,

    /// Keep what each task prints in a file of its own, in a new directory in this one
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub log_dir: Option<PathBuf>,

    /// Write what ran when, for ui.perfetto.dev, chrome://tracing and `ats replay`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub trace: Option<PathBuf>,

    /// Keep learned durations in this file [default: one for each file of tasks, in the user's
    /// cache directory]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub profile: Option<PathBuf>,

    /// Neither use nor keep learned durations
    #[arg(long, conflicts_with = "profile")]
    pub no_profile: bool,
}

/// How a run is shown.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Mode {
    /// `live` on a terminal, else `plain`
    #[default]
    Auto,
    /// Progress that is redrawn at the bottom of the terminal
    Live,
    /// A line on stderr for everything that happens, for logs
    Plain,
    /// One object a line on stdout for everything that happens, what tasks print included
    Json,
}
