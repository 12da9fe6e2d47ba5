//! Which files a list of paths and patterns means now.

use std::fs;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

/// The files that these mean, seen from a directory, sorted. A path means itself, whether there is
/// something or not; a pattern what it matches, hidden files only if it says so; a
/// directory everything in it.
#[must_use]
pub fn find(patterns: &[String], directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for pattern in patterns {
        match literal(pattern) {
            Some(path) => add(directory.join(path), &mut found),
            None => matching(pattern, directory, &mut found),
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The path that a pattern is, if it matches one only.
fn literal(pattern: &str) -> Option<String> {
    let mut path = String::with_capacity(pattern.len());
    let mut rest = pattern.chars();
    while let Some(character) = rest.next() {
        match character {
            '*' | '?' => return None,
            '[' => {
                // A class of one is how a character is escaped.
                let only = rest.next().filter(|only| *only != '!')?;
                if rest.next() != Some(']') {
                    return None;
                }
                path.push(only);
            }
            other => path.push(other),
        }
    }
    Some(path)
}

fn matching(pattern: &str, directory: &Path, found: &mut Vec<PathBuf>) {
    let options = MatchOptions {
        require_literal_leading_dot: true,
        require_literal_separator: true,
        ..MatchOptions::new()
    };
    let whole = if Path::new(pattern).is_absolute() || directory.as_os_str().is_empty() {
        pattern.to_owned()
    } else {
        let directory = Pattern::escape(&directory.to_string_lossy());
        format!("{directory}/{pattern}")
    };
    // Patterns that are wrong were refused when the file was read.
    let paths = glob::glob_with(&whole, options).into_iter().flatten();
    for path in paths.flatten() {
        add(path, found);
    }
}

fn add(path: PathBuf, found: &mut Vec<PathBuf>) {
    let mut open = vec![path];
    while let Some(path) = open.pop() {
        if !path.is_dir() {
            found.push(path);
            continue;
        }
        let entries = fs::read_dir(&path).into_iter().flatten().flatten();
        for entry in entries {
            // A link inside may lead back up; one that was named is followed.
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            if is_link && entry.path().is_dir() {
                continue;
            }
            open.push(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_paths_and_directories_mean_files() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        for directory in ["src/deep", "odd [x]"] {
            fs::create_dir_all(at(directory)).unwrap();
        }
        for file in [
            "src/a.c",
            "src/b.c",
            "src/deep/c.c",
            "src/.hidden.c",
            "odd [x]/f",
        ] {
            fs::write(at(file), file).unwrap();
        }
        let check = |patterns: &[&str], expected: &[&str]| {
            let patterns: Vec<String> = patterns.iter().map(|&text| text.to_owned()).collect();
            let expected: Vec<PathBuf> = expected.iter().map(|&name| at(name)).collect();
            assert_eq!(find(&patterns, place.path()), expected, "{patterns:?}");
        };
        check(&["src/*.c"], &["src/a.c", "src/b.c"]);
        check(
            &["src/a.c", "src/*.c", "none"],
            &["none", "src/a.c", "src/b.c"],
        );
        check(&["**/*.c"], &["src/a.c", "src/b.c", "src/deep/c.c"]);
        check(
            &["src"],
            &["src/.hidden.c", "src/a.c", "src/b.c", "src/deep/c.c"],
        );
        check(&[&Pattern::escape("odd [x]/f")], &["odd [x]/f"]);
        check(&["*.none"], &[]);
    }
}
