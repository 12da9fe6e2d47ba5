//! What a run has done, written down as it happens, so that a run that was killed can be resumed.
//!
//! One file for each run, in the cache directory of the file of tasks; only added to. Each line
//! begins with a checksum of the rest, which is a JSON object; the first one says which run it is.
//! A line is handed to the system before anything that needs the task starts, and before this process
//! sleeps, which is enough against its death, if not against that of the machine. A line that is
//! torn or damaged ends what can be believed; it is cut off before more is added.
//!
//! The file is locked as long as its run goes on.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::cache;

const VERSION: u32 = 1;

/// The end of the names of journals.
const EXTENSION: &str = "journal";

/// Longer ones are not ours.
const LARGEST: u64 = 1 << 30;

#[derive(Deserialize, Serialize)]
struct Beginning {
    version: u32,
    run: String,
    /// For people who look into their cache.
    of: String,
}

#[derive(Deserialize, Serialize)]
struct Done {
    done: String,
    fingerprint: String,
}

/// A journal that is being written.
#[derive(Debug)]
pub struct Journal {
    file: File,
    run: String,
    /// Lines that the system has not been handed.
    lines: String,
}

/// What a journal tells of a run that is over.
#[derive(Debug)]
pub struct Past {
    /// Which run.
    pub run: String,
    /// The names of the tasks that were done, and what they were.
    pub done: HashMap<String, String>,
    journal: Journal,
}

/// Why a run cannot be resumed.
#[derive(Debug)]
pub enum NoPast {
    /// There was none, as far as anybody knows.
    NoRun,
    /// It still goes on.
    GoesOn(String),
    /// The system does not let us see.
    Unreadable(io::Error),
}

/// Where the journals about this file of tasks are.
#[must_use]
pub fn directory(source: &Path) -> Option<PathBuf> {
    let name = cache::name_of(source)?;
    Some(cache::directory()?.join("runs").join(name))
}

impl Journal {
    /// Begins the journal of a new run, and does away with those of runs that are over.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn begin(directory: &Path, source: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        for (_, path) in journals(directory) {
            if let Ok(file) = File::open(&path)
                && lock(&file).is_ok()
            {
                let _ = fs::remove_file(&path);
            }
        }
        let (run, file) = create(directory)?;
        lock(&file)?;
        let mut journal = Journal {
            file,
            run,
            lines: String::new(),
        };
        journal.add(&Beginning {
            version: VERSION,
            run: journal.run.clone(),
            of: source.to_string_lossy().into_owned(),
        });
        journal.flush()?;
        Ok(journal)
    }

    /// The name of the run.
    #[must_use]
    pub fn run(&self) -> &str {
        &self.run
    }

    /// A task is done.
    pub fn done(&mut self, name: &str, fingerprint: &str) {
        self.add(&Done {
            done: name.to_owned(),
            fingerprint: fingerprint.to_owned(),
        });
    }

    fn add(&mut self, what: &impl Serialize) {
        // Text in a struct has a form in JSON.
        let text = serde_json::to_string(what).unwrap_or_default();
        self.lines.push_str(&line(&text));
    }

    /// Hands all lines to the system, so that they survive this process.
    ///
    /// # Errors
    ///
    /// They cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all(self.lines.as_bytes());
        self.lines.clear();
        written
    }
}

impl Past {
    /// What the last run did of which there is a journal here.
    ///
    /// # Errors
    ///
    /// There is none that could be resumed.
    pub fn open(directory: &Path) -> Result<Self, NoPast> {
        let Some((run, path)) = journals(directory).into_iter().max() else {
            return Err(NoPast::NoRun);
        };
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .open(&path)
            .map_err(NoPast::Unreadable)?;
        if lock(&file).is_err() {
            return Err(NoPast::GoesOn(run));
        }
        let mut bytes = Vec::new();
        let read = (&mut file).take(LARGEST).read_to_end(&mut bytes);
        read.map_err(NoPast::Unreadable)?;
        let (lines, believed) = believable(&bytes);
        let mut lines = lines.into_iter();
        let beginning = lines
            .next()
            .and_then(|first| serde_json::from_str(first).ok());
        let Some(Beginning {
            version: VERSION,
            run,
            ..
        }) = beginning
        else {
            return Err(NoPast::NoRun);
        };
        file.set_len(believed as u64).map_err(NoPast::Unreadable)?;
        let done = lines.filter_map(|line| serde_json::from_str::<Done>(line).ok());
        Ok(Past {
            done: done.map(|done| (done.done, done.fingerprint)).collect(),
            journal: Journal {
                file,
                run: run.clone(),
                lines: String::new(),
            },
            run,
        })
    }

    /// The journal, to be continued.
    #[must_use]
    pub fn go_on(self) -> Journal {
        self.journal
    }
}

/// A file of a name that no other run has.
fn create(directory: &Path) -> io::Result<(String, File)> {
    loop {
        let run = name_of_run();
        let path = directory.join(&run).with_extension(EXTENSION);
        match OpenOptions::new().append(true).create_new(true).open(path) {
            Ok(file) => return Ok((run, file)),
            // Another run began within the same millisecond.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                thread::sleep(Duration::from_millis(1));
            }
            Err(error) => return Err(error),
        }
    }
}

fn lock(file: &File) -> io::Result<()> {
    flock(file, FlockOperation::NonBlockingLockExclusive).map_err(io::Error::from)
}

/// All journals, by the names of their runs, which are in the order of time.
fn journals(directory: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths
        .filter(|path| path.extension().is_some_and(|end| end == EXTENSION))
        .filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), path)))
        .collect()
}

/// When the run began, to the millisecond, as `20261126-105812-093`.
fn name_of_run() -> String {
    let now = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
    let digits: String = now.chars().filter(char::is_ascii_digit).collect();
    format!("{}-{}-{}", &digits[..8], &digits[8..14], &digits[14..])
}

fn line(text: &str) -> String {
    format!("{} {text}\n", checksum(text))
}

fn checksum(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..8].to_owned()
}

/// The lines up to the first one that is torn or damaged, and how many bytes those are.
fn believable(bytes: &[u8]) -> (Vec<&str>, usize) {
    let mut lines = Vec::new();
    let mut end = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let whole = line
            .strip_suffix(b"\n")
            .and_then(|line| str::from_utf8(line).ok());
        match whole.and_then(|line| line.split_once(' ')) {
            Some((sum, text)) if sum == checksum(text) => lines.push(text),
            _ => break,
        }
        end += line.len();
    }
    (lines, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(directory: &Path) -> PathBuf {
        journals(directory).into_iter().max().unwrap().1
    }

    fn past(directory: &Path) -> Past {
        Past::open(directory).unwrap()
    }

    #[test]
    fn what_was_done_is_known_afterwards_even_if_the_last_line_is_torn() {
        let place = tempfile::tempdir().unwrap();
        let mut written = Journal::begin(place.path(), Path::new("ats.toml")).unwrap();
        written.done("one", "1");
        written.done("two\n\"quoted\"", "2");
        written.flush().unwrap();
        drop(written);
        let path = journal(place.path());
        let whole = fs::read(&path).unwrap();
        let before_last = line("{\"done\":\"two\\n\\\"quoted\\\"\",\"fingerprint\":\"2\"}").len();
        for torn in 1..=before_last {
            fs::write(&path, &whole[..whole.len() - torn]).unwrap();
            assert_eq!(past(place.path()).done.len(), 1, "{torn} bytes less");
        }
        let mut again = past(place.path()).go_on();
        again.done("three", "3");
        again.flush().unwrap();
        drop(again);
        let mut done: Vec<String> = past(place.path()).done.into_keys().collect();
        done.sort();
        assert_eq!(done, ["one", "three"]);
    }

    #[test]
    fn nothing_behind_a_damaged_line_is_believed() {
        let place = tempfile::tempdir().unwrap();
        let mut written = Journal::begin(place.path(), Path::new("ats.toml")).unwrap();
        for task in ["one", "two", "three"] {
            written.done(task, "");
        }
        written.flush().unwrap();
        drop(written);
        let path = journal(place.path());
        let damaged = fs::read_to_string(&path).unwrap().replace("two", "owt");
        fs::write(&path, damaged).unwrap();
        let done: Vec<String> = past(place.path()).done.into_keys().collect();
        assert_eq!(done, ["one"]);
    }

    #[test]
    fn a_run_that_goes_on_is_not_resumed_and_keeps_its_journal() {
        let place = tempfile::tempdir().unwrap();
        let first = Journal::begin(place.path(), Path::new("ats.toml")).unwrap();
        let Err(NoPast::GoesOn(run)) = Past::open(place.path()) else {
            panic!("it was opened");
        };
        assert_eq!(run, first.run());
        let second = Journal::begin(place.path(), Path::new("ats.toml")).unwrap();
        assert_eq!(journals(place.path()).len(), 2);
        drop((first, second));
        let _third = Journal::begin(place.path(), Path::new("ats.toml")).unwrap();
        assert_eq!(journals(place.path()).len(), 1);
    }

    #[test]
    fn there_is_nothing_to_resume_where_nothing_was_run() {
        let place = tempfile::tempdir().unwrap();
        assert!(matches!(Past::open(place.path()), Err(NoPast::NoRun)));
        let strange = place.path().join("20260101-000000-000.journal");
        fs::write(strange, line("{\"version\":99,\"run\":\"x\",\"of\":\"\"}")).unwrap();
        assert!(matches!(Past::open(place.path()), Err(NoPast::NoRun)));
    }
}
