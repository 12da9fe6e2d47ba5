//! `--log-dir`: what each task prints, in a file of its own.
//!
//! A run makes a directory named for the moment at which it begins, so that no run overwrites
//! another one's files, and a link `latest` to it. The names of the files are those of the tasks as
//! far as every file system can have them; others are made so, and told apart by a checksum.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

/// Longer names are cut: with the checksum this fits every file system.
const LONGEST: usize = 100;

/// The files of a run.
#[derive(Debug)]
pub struct Logs {
    directory: PathBuf,
    open: HashMap<usize, File>,
}

impl Logs {
    /// Makes the directory of a run that begins now.
    ///
    /// # Errors
    ///
    /// The directory cannot be made or written to.
    pub fn open(parent: &Path) -> io::Result<Self> {
        let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        let moment = format!("{}-{}", now.replace(':', "-"), std::process::id());
        fs::create_dir_all(parent)?;
        let name = make_new(parent, &moment)?;
        let directory = parent.join(&name);
        point_to(&name, &parent.join("latest"));
        Ok(Logs {
            directory,
            open: HashMap::new(),
        })
    }

    /// Where the files are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// An attempt of a task begins.
    ///
    /// # Errors
    ///
    /// Its file cannot be made or written to.
    pub fn started(&mut self, task: usize, name: &str, attempt: u32) -> io::Result<()> {
        if let Some(file) = self.open.get_mut(&task) {
            return writeln!(file, "[ats] attempt {attempt}");
        }
        let mut path = self.directory.join(file_name(name));
        if path.exists() {
            // Where upper and lower case are the same, or two names have one checksum.
            path.set_extension(format!("{task}.log"));
        }
        self.open.insert(task, File::create(path)?);
        Ok(())
    }

    /// A task has printed something.
    ///
    /// # Errors
    ///
    /// Its file cannot be written to.
    pub fn printed(&mut self, task: usize, bytes: &[u8]) -> io::Result<()> {
        match self.open.get_mut(&task) {
            Some(file) => file.write_all(bytes),
            None => Ok(()),
        }
    }

    /// A task is over.
    pub fn ended(&mut self, task: usize) {
        self.open.remove(&task);
    }
}

/// A directory that was not there; with `--watch` two runs may begin in one second.
fn make_new(parent: &Path, moment: &str) -> io::Result<String> {
    let mut name = moment.to_owned();
    let mut number = 1;
    loop {
        match fs::create_dir(parent.join(&name)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                number += 1;
                name = format!("{moment}-{number}");
            }
            made => return made.map(|()| name),
        }
    }
}

/// The name of the file for a task of this name.
#[must_use]
pub fn file_name(task: &str) -> String {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let mut safe: String = task
        .chars()
        .map(|c| if is_safe(c) { c } else { '_' })
        .take(LONGEST)
        .collect();
    if safe != task || safe.starts_with(['.', '-']) || safe.is_empty() {
        if safe.starts_with(['.', '-']) {
            safe.replace_range(..1, "_");
        }
        let sum = Sha256::digest(task.as_bytes());
        let sum: String = sum
            .iter()
            .take(4)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        safe = format!("{safe}~{sum}");
    }
    format!("{safe}.log")
}

/// A link to the newest run, where there are links. It is a convenience, and nobody's loss.
fn point_to(name: &str, link: &Path) {
    #[cfg(unix)]
    {
        let fresh = link.with_file_name(format!("latest~{}", std::process::id()));
        let made = std::os::unix::fs::symlink(name, &fresh);
        if made.and_then(|()| fs::rename(&fresh, link)).is_err() {
            let _ = fs::remove_file(&fresh);
        }
    }
    #[cfg(not(unix))]
    let _ = (name, link);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_and_stay_apart() {
        assert_eq!(file_name("unit-tests"), "unit-tests.log");
        let strange = [
            "a/b",
            "a b",
            "../../etc/passwd",
            ".hidden",
            "-rf",
            "",
            "ä",
            "a\n",
            "a\0",
        ];
        let mut seen = std::collections::HashSet::new();
        for name in strange {
            let file = file_name(name);
            assert!(!file.starts_with(['.', '-']), "{file}");
            assert!(!file.contains('/'), "{file}");
            assert!(seen.insert(file.clone()), "{file} twice");
        }
        assert!(file_name(&"x".repeat(5_000)).len() < 255);
    }

    #[test]
    fn two_runs_that_begin_at_once_stay_apart() {
        let parent = tempfile::tempdir().unwrap();
        let [one, other] = [(); 2].map(|()| Logs::open(parent.path()).unwrap());
        assert_ne!(one.directory(), other.directory());
    }

    #[test]
    fn each_task_has_its_own_file_with_all_its_attempts() {
        let parent = tempfile::tempdir().unwrap();
        let mut logs = Logs::open(parent.path()).unwrap();
        logs.started(0, "a", 1).unwrap();
        logs.started(1, "b/c", 1).unwrap();
        logs.printed(0, b"one\n").unwrap();
        logs.printed(1, b"other\n").unwrap();
        logs.started(0, "a", 2).unwrap();
        logs.printed(0, b"two\n").unwrap();
        logs.ended(0);
        let read = |name: &str| fs::read_to_string(logs.directory().join(name)).unwrap();
        assert_eq!(read("a.log"), "one\n[ats] attempt 2\ntwo\n");
        assert_eq!(read(&file_name("b/c")), "other\n");
        let latest = parent.path().join("latest");
        assert_eq!(
            fs::canonicalize(latest).unwrap(),
            fs::canonicalize(logs.directory()).unwrap()
        );
    }
}
