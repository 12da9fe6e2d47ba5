//! Which changes in the file system matter to a file of tasks: those of inputs that no task makes,
//! and those of the file itself.

use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern};

use crate::taskfile::model::TaskFile;

/// Which changes matter.
#[derive(Debug, Default)]
pub(super) struct Scope {
    sources: Vec<Part>,
    inputs: Vec<Part>,
    outputs: Vec<Part>,
}

/// What is below a directory that exists.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Part {
    /// The directory, as the system tells of it.
    pub base: PathBuf,
    /// What of it; everything if there is nothing here.
    rest: Option<Pattern>,
}

impl Scope {
    /// What matters to these tasks.
    #[must_use]
    pub(super) fn of(file: &TaskFile) -> Self {
        let mut scope = Scope::default();
        let files = file.tasks.iter().map(|task| &*task.place.file);
        for path in files.chain([file.source.as_path()]) {
            let path = Pattern::escape(&path.to_string_lossy());
            add(&mut scope.sources, Path::new(""), &path);
        }
        for task in &file.tasks {
            for pattern in &task.inputs {
                add(&mut scope.inputs, &task.directory, pattern);
            }
            for pattern in &task.outputs {
                add(&mut scope.outputs, &task.directory, pattern);
            }
        }
        scope
    }

    /// Whether any task has inputs.
    #[must_use]
    pub(super) fn has_inputs(&self) -> bool {
        !self.inputs.is_empty()
    }

    /// The directories to watch, and whether with all that is below them.
    pub(super) fn directories(&self) -> impl Iterator<Item = (&Path, bool)> {
        let parts = self.sources.iter().chain(&self.inputs);
        parts.map(|part| (part.base.as_path(), part.is_deep()))
    }

    /// Whether a change of this file matters.
    #[must_use]
    pub(super) fn contains(&self, path: &Path) -> bool {
        let is_in = |parts: &[Part]| parts.iter().any(|part| part.contains(path));
        is_in(&self.sources) || is_in(&self.inputs) && !is_in(&self.outputs)
    }
}

fn add(parts: &mut Vec<Part>, directory: &Path, pattern: &str) {
    let Some(part) = Part::of(directory, pattern) else {
        return;
    };
    if !parts.contains(&part) {
        parts.push(part);
    }
}

impl Part {
    fn of(directory: &Path, pattern: &str) -> Option<Self> {
        let directory = match directory.as_os_str().is_empty() {
            true => Path::new("."),
            false => directory,
        };
        let mut base = directory.canonicalize().ok()?;
        let mut rest = Vec::new();
        for component in Path::new(pattern).components() {
            let text = component.as_os_str().to_string_lossy().into_owned();
            let next = base.join(unescaped(&text));
            match component {
                Component::CurDir => {}
                _ if rest.is_empty() && next.is_dir() => base = next.canonicalize().ok()?,
                _ => rest.push(text),
            }
        }
        let rest = match rest.is_empty() {
            true => None,
            false => Some(Pattern::new(&rest.join("/")).ok()?),
        };
        Some(Part { base, rest })
    }

    fn is_deep(&self) -> bool {
        let rest = self.rest.as_ref().map(Pattern::as_str);
        rest.is_none_or(|rest| rest.contains('/') || rest.contains("**"))
    }

    fn contains(&self, path: &Path) -> bool {
        let Ok(below) = path.strip_prefix(&self.base) else {
            return false;
        };
        let options = MatchOptions {
            require_literal_separator: true,
            require_literal_leading_dot: true,
            ..MatchOptions::new()
        };
        // A pattern may match a directory, which means all that is in it.
        let is_matched = |rest: &Pattern| {
            let mut above = below.ancestors();
            above.any(|path| rest.matches_path_with(path, options))
        };
        self.rest.as_ref().is_none_or(is_matched)
    }
}

/// What a component of a pattern is called, if it is one that was escaped.
fn unescaped(text: &str) -> String {
    ["*", "?", "[", "]"]
        .iter()
        .fold(text.to_owned(), |text, sign| {
            text.replace(&format!("[{sign}]"), sign)
        })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::taskfile::model::{Place, Task};

    #[test]
    fn changes_of_inputs_and_of_the_file_matter_and_those_of_outputs_do_not() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("src/deep")).unwrap();
        fs::create_dir(root.join("odd [x]")).unwrap();
        fs::write(root.join("ats.toml"), "").unwrap();
        let file = root.join("ats.toml");
        let mut task = Task::new(
            "a",
            Place {
                file: file.clone().into(),
                line: 1,
            },
        );
        task.directory = root.clone();
        task.inputs = [
            "src/*.c",
            "data",
            "odd [[]x[]]/f",
            "late/**/*.h",
            "src/made.c",
        ]
        .map(str::to_owned)
        .to_vec();
        task.outputs = vec!["src/made.c".into()];
        let scope = Scope::of(&TaskFile {
            tasks: vec![task],
            source: file,
            ..TaskFile::default()
        });
        for (path, matters) in [
            ("ats.toml", true),
            ("src/a.c", true),
            ("src/a.o", false),
            ("src/deep/a.c", false),
            ("src/.hidden.c", false),
            ("src/made.c", false),
            ("data", true),
            ("data/below/x", true),
            ("odd [x]/f", true),
            ("odd [x]/g", false),
            ("late/one/two/x.h", true),
            ("other", false),
        ] {
            assert_eq!(scope.contains(&root.join(path)), matters, "{path}");
        }
        let deep: Vec<_> = scope.directories().collect();
        assert!(deep.contains(&(root.join("src").as_path(), false)));
        assert!(
            deep.contains(&(root.as_path(), true)),
            "late is not there yet"
        );
    }
}
