//! Ninja files: each build statement is a task named after its first output.
//!
//! 1. [`parse`](parse::parse) reads the statements, with `scan` for what stands in a line;
//!    [`manifest`] is what they come to. Variables of files and build statements get their values
//!    while reading, those of rules only when a command is made, as in Ninja.
//! 2. [`tasks`] makes commands, looks into dependency files, and finds who needs whom.
//!
//! What Ninja does and we cannot is a mistake of the file (dynamic dependencies, validations) or,
//! where the outcome is the same, a note (pools).

mod depfile;
mod manifest;
mod parse;
mod scan;
mod tasks;

#[cfg(test)]
mod tests;

use std::path::Path;

use crate::taskfile::mistakes::Mistake;
use crate::taskfile::model::TaskFile;
use crate::taskfile::sources::Sources;

/// Reads the text of a file of this name, and those that it includes.
pub(in crate::taskfile) fn read(
    path: &Path,
    text: String,
    sources: &mut Sources,
    mistakes: &mut Vec<Mistake>,
) -> TaskFile {
    let manifest = parse::parse(path, text, sources, mistakes);
    tasks::tasks(path, &manifest, sources, mistakes)
}
