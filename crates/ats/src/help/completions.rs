//! Completions for shells, with the names of the tasks in the file at hand.
//!
//! `ats completions SHELL` prints a short script. At each press of the key the script starts `ats`
//! with `ATS_COMPLETE` set and the words so far, and [`answer`] replies with what fits.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::PathBuf;

use clap::CommandFactory;
use clap_complete::engine::{PathCompleter, ValueCompleter};
use clap_complete::env::Shells;
use clap_complete::{CompleteEnv, CompletionCandidate};

use crate::cli::Arguments;
use crate::exit::{Exit, Failure};
use crate::plan::choice::{is_file_name, usual_file};
use crate::taskfile;
use crate::taskfile::model::{Task, TaskFile};
use crate::text::printable;

/// Set by the scripts; names the shell that wants an answer.
const VARIABLE: &str = "ATS_COMPLETE";

/// The shells that there are scripts for.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
#[allow(missing_docs, reason = "each is a shell")]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
    Elvish,
    Powershell,
}

/// Options of `ats completions`.
#[derive(clap::Args, Debug)]
pub struct CompletionOptions {
    /// The shell that is to complete
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Answers a shell and ends the process, if this process was started by one of the scripts.
pub fn answer() {
    CompleteEnv::with_factory(Arguments::command)
        .var(VARIABLE)
        .complete();
}

/// Prints the script for a shell.
///
/// # Errors
///
/// Printing failed.
pub fn print(options: &CompletionOptions) -> Result<Exit, Failure> {
    let name = match options.shell {
        Shell::Bash => "bash",
        Shell::Zsh => "zsh",
        Shell::Fish => "fish",
        Shell::Elvish => "elvish",
        Shell::Powershell => "powershell",
    };
    let shells = Shells::builtins();
    let shell = shells
        .completer(name)
        .ok_or_else(|| Failure::internal("completions", format!("no script for {name}")))?;
    let mut script = Vec::new();
    shell.write_registration(VARIABLE, "ats", "ats", "ats", &mut script)?;
    std::io::stdout().write_all(&script)?;
    Ok(Exit::Success)
}

/// The tasks of the file that the words so far name, or of the one that `ats run` would find.
#[must_use]
pub fn task_names() -> Vec<CompletionCandidate> {
    let words: Vec<OsString> = std::env::args_os().collect();
    file_among(&words).map_or_else(Vec::new, |file| candidates(&file))
}

/// What can come first after `ats run`: a task, or a file.
#[must_use]
pub fn tasks_and_files(current: &OsStr) -> Vec<CompletionCandidate> {
    let begun = current.to_string_lossy();
    let fits = |task: &CompletionCandidate| task.get_value().to_string_lossy().starts_with(&*begun);
    let tasks = task_names().into_iter().filter(fits);
    tasks
        .chain(PathCompleter::file().complete(current))
        .collect()
}

/// The first word that is a file of tasks. What is not one says nothing: nobody wants to read
/// about mistakes in the middle of a command line.
fn file_among(words: &[OsString]) -> Option<TaskFile> {
    let named = words.iter().skip(1).map(PathBuf::from);
    let read = |path: PathBuf| taskfile::read(&path, &[]).ok();
    named
        .filter(|path| is_file_name(path))
        .find_map(read)
        .or_else(|| usual_file(None).ok().and_then(read))
}

/// Each task whose name can stand on a command line as it is, and instead of its instances a matrix
/// as a whole. Shells insert what is offered without quoting it, so a name such as `$(rm x)` is not.
fn candidates(file: &TaskFile) -> Vec<CompletionCandidate> {
    let mut seen = HashSet::new();
    let tasks = file.tasks.iter().filter_map(|task| {
        let names = [&task.name, &task.class];
        let name = names.into_iter().find(|name| is_plain(name))?;
        seen.insert(name).then_some((name, task))
    });
    let candidate = |(name, task): (&String, &Task)| {
        let help = task.description.as_deref().map(printable);
        CompletionCandidate::new(name).help(help.map(|help| help.into_owned().into()))
    };
    tasks.map(candidate).collect()
}

/// Whether no shell sees more in a word than a word.
fn is_plain(word: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "-_./:@%+,".contains(c);
    word.chars().all(plain) && !word.is_empty() && !word.starts_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_a_word_in_every_shell_is_offered() {
        for plain in ["build", "test:unit", "a/b", "v1.2", "größe"] {
            assert!(is_plain(plain), "{plain}");
        }
        for not in [
            "", "a b", "$(x)", "`x`", "a;b", "a&b", "*", "~", "-x", "a'b", "a\nb", "a=b", "{a}",
        ] {
            assert!(!is_plain(not), "{not}");
        }
    }
}
