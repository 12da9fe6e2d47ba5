//! Arguments that say what is to be run.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use clap_complete::{ArgValueCandidates, ArgValueCompleter};

use super::draw::Language;
use super::dry_run::Form;
use super::select::{Selection, select};
use crate::exit::Failure;
use crate::help::completions::{task_names, tasks_and_files};
use crate::taskfile::{self, model::TaskFile};

/// What is looked for where no file is named, here and in the folders above.
pub const USUAL: [&str; 3] = ["ats.toml", "ats.yaml", "ats.yml"];

/// Which file, and which of its tasks.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "What is run")]
pub struct Choice {
    /// The file of tasks [default: ats.toml, ats.yaml or ats.yml, here or in a folder above]
    ///
    /// The first argument is the file if it ends in .toml, .yaml, .yml, .ninja or .json or has a
    /// `/` in it; otherwise it is a task.
    #[arg(value_name = "FILE", add = ArgValueCompleter::new(tasks_and_files), help_heading = None::<&'static str>)]
    pub first: Option<OsString>,

    /// Run only these tasks and what they need; patterns such as 'test*' are welcome [default: all]
    #[arg(value_name = "TASK", help_heading = None::<&'static str>, add = ArgValueCandidates::new(task_names))]
    pub tasks: Vec<String>,

    /// Values for the file's variables: `-- --env prod`
    #[arg(last = true, value_name = "ARGS", help_heading = None::<&'static str>)]
    pub arguments: Vec<String>,

    /// The file of tasks; all other arguments are tasks then
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,

    /// Run this task without what it needs; may be given several times
    #[arg(long, value_name = "TASK", add = ArgValueCandidates::new(task_names))]
    pub only: Vec<String>,

    /// Begin with this task: run it and all that runs after it; may be given several times
    #[arg(long, value_name = "TASK", add = ArgValueCandidates::new(task_names))]
    pub from: Vec<String>,
}

/// Ways to look at what would be run, instead of running it.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "What is only looked at")]
pub struct Looks {
    /// Print the order in which one job would run the tasks, and run nothing
    #[arg(long, value_enum, value_name = "FORM", num_args = 0..=1, require_equals = true,
          default_missing_value = "human")]
    pub dry_run: Option<Form>,

    /// Print the graph of the tasks, the critical path marked, and run nothing
    #[arg(long, value_enum, value_name = "LANGUAGE", conflicts_with = "dry_run")]
    pub graph: Option<Language>,

    /// Print the names of the tasks and what they are for, and run nothing
    #[arg(short, long, conflicts_with_all = ["dry_run", "graph"])]
    pub list: bool,

    /// Say why this task would run when it would run, and run nothing; may be given several times
    #[arg(long, value_name = "TASK", add = ArgValueCandidates::new(task_names),
          conflicts_with_all = ["dry_run", "graph", "list"])]
    pub explain: Vec<String>,
}

impl Looks {
    /// Whether something is only to be looked at, and nothing run.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.list || self.dry_run.is_some() || self.graph.is_some() || !self.explain.is_empty()
    }
}

impl Choice {
    /// Reads the file and keeps what was chosen.
    ///
    /// # Errors
    ///
    /// There is no file, mistakes are in it, or a task is not.
    pub fn read(&self) -> Result<TaskFile, Failure> {
        let (path, tasks) = self.file_and_tasks()?;
        let file = taskfile::read(&path, &self.arguments)?;
        for note in &file.notes {
            anstream::eprintln!("note: {note}");
        }
        let selection = Selection {
            tasks: &tasks,
            only: &self.only,
            from: &self.from,
        };
        select(file, &selection).map_err(|mistakes| {
            let lines: Vec<String> = mistakes
                .iter()
                .map(|mistake| format!("error: {mistake}"))
                .collect();
            Failure::Usage(lines.join("\n"))
        })
    }

    /// The file that is meant, and the tasks that were named.
    fn file_and_tasks(&self) -> Result<(PathBuf, Vec<String>), Failure> {
        let mut tasks = self.tasks.clone();
        let first = self.first.as_deref().map(Path::new);
        if let (None, Some(first)) = (&self.file, first.filter(|first| is_file_name(first))) {
            return Ok((first.to_owned(), tasks));
        }
        if let Some(first) = first {
            tasks.insert(0, first.to_string_lossy().into_owned());
        }
        let file = match &self.file {
            Some(file) => file.clone(),
            None => usual_file(first)?,
        };
        Ok((file, tasks))
    }
}

/// Whether an argument looks like a file rather than a task.
#[must_use]
pub fn is_file_name(argument: &Path) -> bool {
    let ending = argument.extension().and_then(|ending| ending.to_str());
    let known = ending.is_some_and(|ending| {
        let known = ["toml", "yaml", "yml", "ninja", "json"];
        known.iter().any(|known| ending.eq_ignore_ascii_case(known))
    });
    known || argument.to_string_lossy().contains(std::path::is_separator)
}

/// The file that is meant where none is named. It may lie above; then its path leads upwards.
///
/// # Errors
///
/// There is none, or there are two side by side.
pub fn usual_file(first: Option<&Path>) -> Result<PathBuf, Failure> {
    let here = std::env::current_dir()
        .map_err(|error| Failure::internal("finding out where we are", error))?;
    let mut upwards = PathBuf::new();
    for folder in here.ancestors() {
        let found: Vec<&str> = USUAL
            .into_iter()
            .filter(|name| folder.join(name).is_file())
            .collect();
        match found.as_slice() {
            [] => upwards.push(".."),
            [name] => return Ok(upwards.join(name)),
            [one, other, ..] => {
                let folder = crate::input::shown(folder);
                return Err(Failure::Usage(format!(
                    "error: there are both {one} and {other} in {folder}\n  help: name the one that is meant: `ats run --file FILE`",
                )));
            }
        }
    }
    let hint = match first {
        Some(first) if first.exists() => format!(
            "to run the file {0}, write `ats run --file {0}`",
            crate::input::shown(first)
        ),
        _ => "name a file, `ats run FILE`, or write one that begins with\n[tasks.hello]\nrun = \"echo hello\"".into(),
    };
    Err(Failure::Usage(format!(
        "error: there is no {}, neither here nor in a folder above\n  help: {hint}",
        USUAL.join(", "),
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_from_a_task_by_its_name() {
        for file in [
            "a.toml",
            "b.YAML",
            "build.ninja",
            "./a",
            "x/y",
            "unit-graph.json",
        ] {
            assert!(is_file_name(Path::new(file)), "{file}");
        }
        for task in ["build", "test:unit", "test*", "v1.2"] {
            assert!(!is_file_name(Path::new(task)), "{task}");
        }
    }
}
