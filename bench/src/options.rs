//! The command line: what a person may ask for, and the hidden helpers that the
//! program starts itself as.

use std::net::SocketAddr;

use clap::{Args, Parser, Subcommand};

use crate::scale::Scale;

/// Benchmarks of the adaptive task scheduler beside its peers.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    /// Groups to run, by letter (A to K, M); all where none is given.
    #[arg(value_name = "GROUP", value_parser = group_letter)]
    pub(crate) groups: Vec<char>,
    /// A smaller run of everything.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Print one JSON object a line instead of tables.
    #[arg(long)]
    pub(crate) json: bool,
    /// How often each engine runs each row; each group has its own default.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) runs: Option<u16>,
    /// Only the rows whose name contains NAME.
    #[arg(long, value_name = "NAME")]
    pub(crate) row: Option<String>,
    #[command(subcommand)]
    pub(crate) helper: Option<Helper>,
}

impl Options {
    pub(crate) fn scale(&self) -> Scale {
        Scale { quick: self.quick }
    }
}

/// What the program starts itself as.
#[derive(Debug, Subcommand)]
pub(crate) enum Helper {
    /// One run of one row on one engine.
    #[command(hide = true)]
    Cell(CellArguments),
    /// A load generator for group B.
    #[command(hide = true)]
    Load(LoadArguments),
    /// A process that keeps one core busy.
    #[command(hide = true)]
    Spin(SpinArguments),
}

#[derive(Debug, Args)]
pub(crate) struct CellArguments {
    #[arg(long)]
    pub(crate) group: char,
    #[arg(long)]
    pub(crate) row: String,
    #[arg(long)]
    pub(crate) engine: String,
    #[arg(long)]
    pub(crate) quick: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LoadArguments {
    #[arg(long)]
    pub(crate) address: SocketAddr,
    #[arg(long)]
    pub(crate) connections: usize,
    #[arg(long)]
    pub(crate) warm_up_ms: u64,
    #[arg(long)]
    pub(crate) measure_ms: u64,
    /// How long a connection waits between an answer and its next request.
    #[arg(long, default_value_t = 0)]
    pub(crate) pause_ms: u64,
    /// Ask for a page by HTTP instead of sending messages to be echoed.
    #[arg(long)]
    pub(crate) http: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SpinArguments {
    #[arg(long)]
    pub(crate) seconds: u64,
}

fn group_letter(text: &str) -> Result<char, String> {
    let letter = text.to_ascii_uppercase();
    match letter.as_str() {
        "A" | "B" | "C" | "D" | "E" | "F" | "G" | "H" | "I" | "J" | "K" | "M" => {
            Ok(letter.chars().next().expect("one letter"))
        }
        _ => Err("the groups are A to K, and M".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::Options;

    #[test]
    fn groups_may_be_written_small_and_stand_beside_flags() {
        let options =
            Options::try_parse_from(["ats-bench", "a", "E", "--quick", "--runs", "2"]).unwrap();
        assert_eq!(options.groups, ['A', 'E']);
        assert!(options.quick && options.helper.is_none());
        assert_eq!(options.runs, Some(2));
    }

    #[test]
    fn unknown_groups_and_zero_runs_are_refused() {
        assert!(Options::try_parse_from(["ats-bench", "Z"]).is_err());
        assert!(Options::try_parse_from(["ats-bench", "--runs", "0"]).is_err());
    }
}
