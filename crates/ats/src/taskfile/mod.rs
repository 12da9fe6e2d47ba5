//! Files of tasks: from what stands in them to what a run has to know.
//!
//! 1. [`format`](mod@format) finds out what kind of file it is.
//! 2. `tree` turns TOML, YAML and JSON into the same values, each with its place in the
//!    [`sources`].
//! 3. `declare` reads the [`keys`] of a file with the help of `values`; `load` goes on to the
//!    files that it includes.
//! 4. `variables` finds out what every variable is worth, `expand` makes an instance for each
//!    combination of a matrix, and `fill` puts values where a [`template`] or [`shell`] text has a
//!    place for them.
//! 5. `resolve` turns names into places, and what comes out is the [`model`].
//!
//! Files of other programs are read by `import` instead.
//!
//! Each step adds to one list of [`mistakes`] and goes on, so that one look is enough to mend a
//! file.

mod declare;
mod declared;
mod expand;
mod fill;
pub mod format;
mod import;
pub mod keys;
mod load;
pub mod mistakes;
pub mod model;
pub mod probe;
mod resolve;
pub mod shell;
pub mod sources;
pub mod template;
mod tree;
mod values;
mod variables;

#[cfg(test)]
mod bad_files;
#[cfg(test)]
mod diagnostics;
#[cfg(test)]
mod good_files;
#[cfg(all(test, unix))]
mod hostile;

use std::path::Path;

use crate::exit::Failure;
use format::Format;
use mistakes::{Mistake, render};
use model::TaskFile;
use sources::Sources;

/// Reads the file of this name; `arguments` give values to its variables.
///
/// # Errors
///
/// The file cannot be read, or there are mistakes in it; the text shows them all.
pub fn read(path: &Path, arguments: &[String]) -> Result<TaskFile, Failure> {
    let refuse = |problem: crate::input::Problem| Failure::Usage(problem.to_string());
    let text = load::text_of(path).map_err(refuse)?;
    let format = format::recognise(path, &text).map_err(refuse)?;
    parse(path, text, format, arguments).map_err(|wrong| Failure::Usage(wrong.to_string()))
}

/// All that is wrong with a file and the arguments that were given for it.
#[derive(Debug, Default)]
pub struct Wrong {
    /// The files that were read.
    pub sources: Sources,
    /// What is wrong in them.
    pub mistakes: Vec<Mistake>,
    /// What is wrong in them, where only words tell the place.
    pub problems: Vec<String>,
    /// What is wrong with the arguments.
    pub arguments: Vec<String>,
}

impl Wrong {
    fn is_empty(&self) -> bool {
        self.mistakes.is_empty() && self.problems.is_empty() && self.arguments.is_empty()
    }

    /// For files that have no variables of ours.
    fn refuse_arguments(&mut self, arguments: &[String]) {
        if let Some(first) = arguments.first() {
            let first = crate::text::printable(first);
            self.arguments.push(format!(
                "`{first}` is given to nobody\n  help: only files of tasks in TOML or YAML have variables"
            ));
        }
    }
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for argument in &self.arguments {
            writeln!(f, "error: {argument}")?;
        }
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        if self.mistakes.is_empty() {
            return Ok(());
        }
        f.write_str(&render(&self.sources, &self.mistakes))
    }
}

/// Reads a text as a file of this name, and the files that it includes.
///
/// # Errors
///
/// Everything that is wrong.
pub fn parse(
    path: &Path,
    text: String,
    format: Format,
    arguments: &[String],
) -> Result<TaskFile, Wrong> {
    let mut wrong = Wrong::default();
    let file = match format {
        Format::Toml | Format::Yaml => own(path, text, format, arguments, &mut wrong),
        Format::Ninja => {
            wrong.refuse_arguments(arguments);
            import::ninja::read(path, text, &mut wrong.sources, &mut wrong.mistakes)
        }
        Format::UnitGraph => {
            wrong.refuse_arguments(arguments);
            import::unit_graph::read(path, text, &mut wrong.sources, &mut wrong.mistakes)
        }
        Format::WfFormat => {
            wrong.refuse_arguments(arguments);
            import::wfformat::read(path, text, &mut wrong)
        }
    };
    if wrong.is_empty() {
        Ok(file)
    } else {
        Err(wrong)
    }
}

/// Reads a file of our own.
fn own(
    path: &Path,
    text: String,
    format: Format,
    arguments: &[String],
    wrong: &mut Wrong,
) -> TaskFile {
    let (sources, mistakes) = (&mut wrong.sources, &mut wrong.mistakes);
    let mut files = load::load(path, text, format, sources, mistakes);
    wrong.arguments = files.scopes.give(arguments);
    files.scopes.evaluate(sources, mistakes);
    let incomplete = files.loaded.iter().any(|file| file.declarations.incomplete);
    let jobs = files.loaded[0].declarations.jobs;
    let expanded = expand::expand(&mut files, sources, mistakes);
    let tasks = resolve::resolve(expanded, &files.scopes, sources, incomplete, mistakes);
    TaskFile {
        tasks,
        jobs,
        source: path.to_owned(),
        ..TaskFile::default()
    }
}
