//! Opening the files that people name: refuses early what cannot be right, in words that help.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::text::printable;

/// One thing that is wrong with a file: what, where, and what would be right.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// The file, as it was named.
    pub file: String,
    /// Where in the file: `line 3, column 7`, or the path to a JSON value.
    pub place: Option<String>,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl Problem {
    /// A problem with a file as a whole.
    pub fn with_file(path: &Path, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Problem {
            file: shown(path),
            place: None,
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    /// A problem at a place in a file.
    pub fn at(
        path: &Path,
        place: impl Into<String>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Problem {
            place: Some(place.into()),
            ..Problem::with_file(path, what, remedy)
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}: ", self.file)?;
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}\n  help: {}", self.what, self.remedy)
    }
}

/// A path as it may be shown on a terminal.
#[must_use]
pub fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy()).into_owned()
}

/// Opens a file of at most `limit` bytes. Its size is looked at before anything is read, and what
/// has no size (a pipe) or grows meanwhile is cut off just behind the limit.
///
/// # Errors
///
/// The file is absent, a directory, too large, or may not be read.
pub fn open(path: &Path, limit: u64) -> Result<Limited, Problem> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if metadata.is_dir() {
        return Err(Problem::with_file(
            path,
            "this is a directory",
            "name the files in it",
        ));
    }
    if metadata.len() > limit {
        return Err(too_large(path, limit));
    }
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    Ok(Limited {
        file,
        left: limit,
        exceeded: false,
    })
}

/// The problem of a file over the limit.
#[must_use]
pub fn too_large(path: &Path, limit: u64) -> Problem {
    Problem::with_file(
        path,
        format!("the file is larger than {} MiB", limit >> 20),
        "check that it is the right one; a file that large has to be split",
    )
}

/// The problem of a file that the system refuses to give.
#[must_use]
pub fn unreadable(path: &Path, error: &io::Error) -> Problem {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => "check the spelling, and the directory you are in",
        io::ErrorKind::PermissionDenied => "ask for permission to read it",
        _ => "check the file and the disk it is on",
    };
    let what = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "reading it is not permitted".to_owned(),
        _ => format!("it cannot be read: {error}"),
    };
    Problem::with_file(path, what, remedy)
}

/// A file that fails to be read further than its limit.
#[derive(Debug)]
pub struct Limited {
    file: File,
    left: u64,
    exceeded: bool,
}

impl Limited {
    /// Whether reading stopped because of the limit.
    #[must_use]
    pub fn exceeded(&self) -> bool {
        self.exceeded
    }
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => {
                self.exceeded = true;
                return Err(io::Error::other("the file is larger than the limit"));
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_of(bytes: usize) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), vec![b'x'; bytes]).unwrap();
        file
    }

    #[test]
    fn a_file_within_the_limit_is_read_whole() {
        let file = file_of(1 << 20);
        let mut text = Vec::new();
        open(file.path(), 1 << 20)
            .unwrap()
            .read_to_end(&mut text)
            .unwrap();
        assert_eq!(text.len(), 1 << 20);
    }

    #[test]
    fn a_file_over_the_limit_is_refused_before_reading() {
        let file = file_of((1 << 20) + 1);
        let problem = open(file.path(), 1 << 20).unwrap_err();
        assert_eq!(problem.what, "the file is larger than 1 MiB");
    }

    #[test]
    fn a_file_that_grows_is_cut_off() {
        let file = file_of(10);
        let mut limited = open(file.path(), 10).unwrap();
        fs::write(file.path(), vec![b'x'; 20]).unwrap();
        assert!(limited.read_to_end(&mut Vec::new()).is_err());
        assert!(limited.exceeded());
    }

    #[test]
    fn what_is_not_a_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let cases = [
            (directory.path().to_owned(), "this is a directory"),
            (directory.path().join("absent"), "there is no such file"),
        ];
        for (path, what) in cases {
            assert_eq!(open(&path, 1).unwrap_err().what, what);
        }
    }
}
