//! What is kept of a task that has worked: a small file of its own for each, replaced as a whole.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::content::Entry;

const VERSION: u32 = 1;

/// What a task depended on and left when it last worked.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub struct Record {
    version: u32,
    /// What the task was.
    pub fingerprint: String,
    /// What it read.
    pub inputs: Vec<Entry>,
    /// What it left.
    pub outputs: Vec<Entry>,
    /// Whether more is known than is on disk.
    #[serde(skip)]
    pub needs_writing: bool,
}

impl Record {
    /// Of a task that has just worked.
    #[must_use]
    pub fn new(fingerprint: String, inputs: Vec<Entry>, outputs: Vec<Entry>) -> Self {
        Record {
            version: VERSION,
            fingerprint,
            inputs,
            outputs,
            needs_writing: true,
        }
    }

    /// The same content, perhaps with looks that save more reading next time.
    pub fn take_over(&mut self, inputs: &[Entry], outputs: Vec<Entry>) {
        if self.inputs != inputs || self.outputs != outputs {
            self.inputs = inputs.to_vec();
            self.outputs = outputs;
            self.needs_writing = true;
        }
    }
}

/// Where the record of a task is.
#[must_use]
pub fn path(directory: &Path, task: &str) -> PathBuf {
    let name = blake3::hash(task.as_bytes()).to_hex();
    directory.join(&name[..32]).with_extension("json")
}

/// The record, if there is one that can be understood.
#[must_use]
pub fn read(path: &Path) -> Option<Record> {
    let record: Record = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    (record.version == VERSION).then_some(record)
}

/// Keeps a record. Where that is not possible the task will just run again.
pub fn write(path: &Path, record: &Record) {
    let _ = try_to_write(path, record);
}

fn try_to_write(path: &Path, record: &Record) -> std::io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(&serde_json::to_vec(record)?)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Does away with a record.
pub fn forget(path: &Path) {
    let _ = fs::remove_file(path);
}

#[cfg(test)]
mod tests {
    use super::super::content::Content;
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_only_then() {
        let place = tempfile::tempdir().unwrap();
        let path = path(&place.path().join("new"), "a task");
        let entry = Entry {
            path: "file".into(),
            content: Content::Absent,
            looks: None,
        };
        let mut record = Record::new("1".into(), vec![entry], vec![]);
        write(&path, &record);
        record.needs_writing = false;
        assert_eq!(read(&path), Some(record));
        fs::write(&path, b"{\"version\":1").unwrap();
        assert_eq!(read(&path), None);
        forget(&path);
        assert!(!path.exists());
    }
}
