//! `cargo xtask tidy`: rules of this project that no other tool checks.
//!
//! A rule is a function from the files of the tree to what is wrong with them,
//! so a test hands it a tree of three lines. Reading the disk happens in
//! [`tree`], calling cargo in [`dependencies`], and nowhere else.

mod code;
mod dependencies;
mod manifests;
mod markdown;
mod rust;
mod tree;
mod unsafety;

use std::fmt;

use crate::shell::{Failure, Shell};
use tree::Tree;

pub(crate) use unsafety::UNSAFE_FILES;

/// One breach of a rule.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    /// Counted from one; zero when the whole file is meant.
    line: usize,
    message: String,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

type Rule = fn(&Tree) -> Vec<Finding>;

const RULES: [Rule; 9] = [
    rust::length,
    rust::unfinished,
    rust::pure,
    unsafety::only_in_named_files,
    unsafety::roots_refuse_it,
    manifests::inherit_from_the_workspace,
    markdown::links_resolve,
    tree::no_machine_paths,
    tree::no_conflict_markers,
];

/// Checks every rule and prints every breach.
pub(crate) fn run(shell: &Shell) -> Result<(), Failure> {
    let tree = Tree::read(shell.root())
        .map_err(|error| Failure::failed(format!("reading the tree: {error}")))?;
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    // Cargo may fail, and what was found so far should be seen all the same.
    let dependencies = dependencies::check(shell, &tree).map(|found| findings.extend(found));
    for finding in &findings {
        eprintln!("{finding}");
    }
    dependencies?;
    match findings.len() {
        0 => {
            eprintln!(
                "    tidy: {} files, nothing to complain about",
                tree.files().len()
            );
            Ok(())
        }
        1 => Err(Failure::failed("tidy: one complaint")),
        several => Err(Failure::failed(format!("tidy: {several} complaints"))),
    }
}

/// The lines of a list file with their numbers, without remarks and blank lines.
pub(crate) fn entries(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate();
    lines.filter_map(|(index, line)| {
        let entry = line.split('#').next().unwrap_or_default().trim();
        (!entry.is_empty()).then_some((index + 1, entry))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_leave_remarks_out() {
        let listed: Vec<_> = entries("# why\n\ntokio\nlibc # signals\n").collect();
        assert_eq!(listed, [(3, "tokio"), (4, "libc")]);
    }

    #[test]
    fn a_finding_reads_like_a_compiler_message() {
        assert_eq!(
            Finding::new("a.rs", 7, "is odd").to_string(),
            "a.rs:7: is odd"
        );
        assert_eq!(
            Finding::new("a.rs", 0, "is odd").to_string(),
            "a.rs: is odd"
        );
    }
}
