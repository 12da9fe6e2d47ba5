//! The files that the rules look at: every text file of the checkout, except
//! what is built and what git keeps for itself.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use super::{Finding, code};

/// What holds no sources, whatever its place in the tree; in a worktree `.git` is a file.
const SKIPPED: [&str; 2] = [".git", "target"];

/// A text file, with its path relative to the root and `/` between the names.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: String,
    pub(super) text: String,
}

impl File {
    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The lines, counted from one.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }

    /// The same lines without remarks and without the contents of strings.
    pub(super) fn code(&self) -> Vec<String> {
        code::lines(&self.text)
    }
}

#[derive(Debug, Default)]
pub(super) struct Tree {
    files: Vec<File>,
    /// All paths, folders and binary files among them: what a link may name.
    paths: BTreeSet<String>,
}

impl Tree {
    pub(super) fn read(root: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        tree.read_folder(root, "")?;
        Ok(tree)
    }

    fn read_folder(&mut self, folder: &Path, prefix: &str) -> io::Result<()> {
        let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            let kind = entry.file_type()?;
            if SKIPPED.contains(&name.as_str()) {
                continue;
            }
            if kind.is_dir() {
                self.paths.insert(path.clone());
                self.read_folder(&entry.path(), &format!("{path}/"))?;
            } else if kind.is_file() {
                self.paths.insert(path.clone());
                // What is not UTF-8 is not ours to read.
                if let Ok(text) = String::from_utf8(fs::read(entry.path())?) {
                    self.files.push(File { path, text });
                }
            }
        }
        Ok(())
    }

    pub(super) fn files(&self) -> &[File] {
        &self.files
    }

    pub(super) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_rust())
    }

    pub(super) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    pub(super) fn has(&self, path: &str) -> bool {
        path.is_empty() || self.paths.contains(path)
    }

    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            for (end, _) in path.match_indices('/') {
                tree.paths.insert(path[..end].to_owned());
            }
            tree.paths.insert((*path).to_owned());
            tree.files.push(File {
                path: (*path).to_owned(),
                text: (*text).to_owned(),
            });
        }
        tree
    }
}

/// Absolute folders that exist on one machine only. They are put together here,
/// so that this file does not break the rule itself.
const MACHINE_PATHS: [&str; 5] = [
    concat!("/", "work/"),
    concat!("/", "tmp/"),
    concat!("/", "root/"),
    concat!("/", "home/"),
    concat!("/", "Users/"),
];

/// Nothing committed depends on where somebody's checkout happens to lie.
pub(super) fn no_machine_paths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files() {
        for (number, line) in file.lines() {
            for path in MACHINE_PATHS {
                if line
                    .match_indices(path)
                    .any(|(at, _)| starts_a_path(line, at))
                {
                    let message = format!("names `{path}`, a folder of one machine");
                    findings.push(Finding::new(&file.path, number, message));
                }
            }
        }
    }
    findings
}

/// Whether the slash at `at` is the root folder, not a separator.
fn starts_a_path(line: &str, at: usize) -> bool {
    let before = line[..at].chars().next_back();
    before.is_none_or(|c| !(c.is_alphanumeric() || "._-}~*/".contains(c)))
}

/// A half-finished merge.
pub(super) fn no_conflict_markers(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files() {
        for (number, line) in file.lines() {
            if line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ") {
                findings.push(Finding::new(&file.path, number, "a conflict marker"));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_machine_paths(line: &str, expected: usize) {
        let tree = Tree::of(&[("notes.md", line)]);
        assert_eq!(no_machine_paths(&tree).len(), expected, "{line}");
    }

    #[test]
    fn absolute_paths_of_a_machine_are_found() {
        check_machine_paths(concat!("open(\"/", "tmp/trace\")"), 1);
        check_machine_paths(concat!("/", "work/main"), 1);
        check_machine_paths(concat!("see `/", "root/.cargo`"), 1);
    }

    #[test]
    fn relative_paths_with_such_names_are_not() {
        check_machine_paths("../work/data and src/tmp/x and $DIR/root/y", 0);
        check_machine_paths("https://example.org/home/", 0);
    }

    #[test]
    fn conflict_markers_are_found() {
        let tree = Tree::of(&[("a.rs", "fn a() {}\n<<<<<<< HEAD\n")]);
        assert_eq!(
            no_conflict_markers(&tree),
            [Finding::new("a.rs", 2, "a conflict marker")]
        );
    }

    #[test]
    fn folders_of_a_sample_tree_can_be_named() {
        let tree = Tree::of(&[("a/b/c.rs", "")]);
        assert!(tree.has("a") && tree.has("a/b") && tree.has("a/b/c.rs") && !tree.has("c.rs"));
    }
}
