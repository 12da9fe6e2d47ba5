//! How the program ends: the exit codes, and the one place that turns results into them.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

/// The exit codes as help and README print them; [`Exit::code`] is their source, a test compares.
pub const TABLE: &str = "\
Exit codes:
    0  everything that was asked for was done
    1  a task failed
    2  a file or an argument is wrong; nothing was started
    3  something went wrong inside ats
  124  a task timed out, and no task failed before it
  130  interrupted (SIGINT, Ctrl-C); started processes were stopped
  143  terminated (SIGTERM); started processes were stopped";

/// How a command ended.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Exit {
    /// Everything that was asked for was done.
    #[default]
    Success,
    /// A task failed.
    TaskFailed,
    /// A file or an argument is wrong.
    Usage,
    /// Something went wrong inside ats.
    Internal,
    /// The first task that failed did so by timing out.
    TimedOut,
    /// Stopped by SIGINT.
    Interrupted,
    /// Stopped by SIGTERM.
    Terminated,
}

/// All of them.
const ALL: [Exit; 7] = [
    Exit::Success,
    Exit::TaskFailed,
    Exit::Usage,
    Exit::Internal,
    Exit::TimedOut,
    Exit::Interrupted,
    Exit::Terminated,
];

impl Exit {
    /// The number that the process leaves with.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::TaskFailed => 1,
            Exit::Usage => 2,
            Exit::Internal => 3,
            Exit::TimedOut => 124,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
        }
    }

    /// What a process of this program meant that left with this number.
    #[must_use]
    pub fn of_code(code: i32) -> Self {
        let known = ALL.into_iter();
        let mut fitting = known.filter(|exit| i32::from(exit.code()) == code);
        fitting.next().unwrap_or(Exit::Internal)
    }
}

/// Why a command could not do what was asked; the text is complete, with place and remedy.
#[derive(Debug)]
pub enum Failure {
    /// A file or an argument is wrong. The text is printed as it is.
    Usage(String),
    /// Something went wrong inside ats.
    Internal(String),
    /// Nobody reads our output any more, as in `ats demo | head -1`: no reason to complain.
    ClosedOutput,
}

impl Failure {
    /// A failure that is our own, in words for a bug report.
    pub fn internal(doing: &str, error: impl fmt::Display) -> Self {
        Failure::Internal(format!("{doing}: {error}"))
    }
}

impl From<io::Error> for Failure {
    /// For errors of printing, the only ones that reach here unexplained.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Failure::ClosedOutput
        } else {
            Failure::internal("printing", error)
        }
    }
}

/// Runs a command and turns its end, a panic included, into the process's exit code.
pub fn leave(command: impl FnOnce() -> Result<Exit, Failure>) -> ExitCode {
    let exit = match catch_unwind(AssertUnwindSafe(command)) {
        Ok(Ok(exit)) => exit,
        Ok(Err(failure)) => explain(&failure),
        // The panic's own message has been printed by then.
        Err(_) => Exit::Internal,
    };
    ExitCode::from(exit.code())
}

fn explain(failure: &Failure) -> Exit {
    match failure {
        Failure::Usage(text) => {
            anstream::eprintln!("{}", text.trim_end());
            Exit::Usage
        }
        Failure::Internal(text) => {
            anstream::eprintln!("error: {text}");
            Exit::Internal
        }
        Failure::ClosedOutput => Exit::Success,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_and_readme_list_every_code() {
        let listed: Vec<u8> = TABLE
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(listed, ALL.map(Exit::code));
        let readme = include_str!("../README.md");
        for line in TABLE.lines().skip(1) {
            let (code, meaning) = line.trim().split_once("  ").unwrap();
            assert!(
                readme.contains(&format!("| {code} | {meaning} |")),
                "README.md lacks: {line}"
            );
        }
    }
}
