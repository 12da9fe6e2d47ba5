//! What is in a file, as one number, found out again only when the file looks changed.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use blake3::Hasher;
use serde::{Deserialize, Serialize};

/// A file that was written to so shortly before it was looked at may be written to again without
/// looking changed. Coarser than the clock of any usual file system.
const SHORTLY: Duration = Duration::from_millis(50);

/// One file and what was found in it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Entry {
    /// The file.
    pub path: String,
    /// What is in it.
    pub content: Content,
    /// What it looked like then; none if that is no reason to trust its looks.
    pub looks: Option<Stamp>,
}

/// What is in a file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// Bytes of which this is the hash, and whether they may be executed.
    File {
        /// Of BLAKE3, in hexadecimal digits.
        hash: String,
        /// Whether anybody may execute it.
        executable: bool,
    },
    /// There is no such file.
    Absent,
    /// Nobody knows, so it is like nothing else.
    Unknown,
}

/// What changes when a file is changed, whether or not its content does.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Stamp {
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    device: u64,
    inode: u64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Stamp {
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }

    /// Whether the file had been left alone for a while at that time.
    fn is_settled(&self, now: SystemTime) -> bool {
        let (seconds, nanos) = self.modified.max(self.changed);
        let since = u64::try_from(seconds).unwrap_or(0);
        let nanos = u32::try_from(nanos).unwrap_or(0);
        let written = SystemTime::UNIX_EPOCH + Duration::new(since, nanos);
        now.duration_since(written).is_ok_and(|age| age > SHORTLY)
    }
}

/// What is in these files; `known` is what was found before, sorted by path.
#[must_use]
pub fn entries(paths: &[PathBuf], known: &[Entry]) -> Vec<Entry> {
    let entry = |path: &PathBuf| {
        let name = path.to_string_lossy();
        let place = known.binary_search_by(|entry| entry.path.as_str().cmp(&name));
        entry(path, &name, place.ok().map(|place| &known[place]))
    };
    let mut entries: Vec<Entry> = paths.iter().map(entry).collect();
    entries.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    entries
}

fn entry(path: &Path, name: &str, known: Option<&Entry>) -> Entry {
    let (content, looks) = match path.metadata() {
        Ok(metadata) => {
            let stamp = Stamp::of(&metadata);
            if let Some(known) = known.filter(|known| known.looks.as_ref() == Some(&stamp)) {
                return known.clone();
            }
            let now = SystemTime::now();
            let content = read(path, &metadata).unwrap_or(Content::Unknown);
            (content, Some(stamp).filter(|stamp| stamp.is_settled(now)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => (Content::Absent, None),
        Err(_) => (Content::Unknown, None),
    };
    Entry {
        path: name.to_owned(),
        content,
        looks,
    }
}

fn read(path: &Path, metadata: &Metadata) -> io::Result<Content> {
    if !metadata.is_file() {
        // Reading a pipe or a device could last for ever.
        return Ok(Content::Unknown);
    }
    let mut hasher = Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(Content::File {
        hash: hasher.finalize().to_hex().to_string(),
        executable: metadata.mode() & 0o111 != 0,
    })
}

/// Whether these are the same files with the same content.
#[must_use]
pub fn are_alike(one: &[Entry], other: &[Entry]) -> bool {
    let alike = |(one, other): (&Entry, &Entry)| {
        one.path == other.path && one.content == other.content && one.content != Content::Unknown
    };
    one.len() == other.len() && one.iter().zip(other).all(alike)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn content_counts_and_looks_only_save_reading() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("file");
        let look = |known: &[Entry]| entries(std::slice::from_ref(&path), known);
        let absent = look(&[]);
        fs::write(&path, "one").unwrap();
        let one = look(&[]);
        assert!(!are_alike(&absent, &one));
        assert_eq!(one[0].looks, None, "it was written a moment ago");
        fs::write(&path, "two").unwrap();
        assert!(!are_alike(&one, &look(&one)), "of the same size");
        fs::write(&path, "one").unwrap();
        assert!(are_alike(&one, &look(&one)), "of the same content");
    }

    #[test]
    fn what_looks_the_same_is_not_read_again() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("file");
        fs::write(&path, "content").unwrap();
        let stamp = Stamp::of(&path.metadata().unwrap());
        let known = [Entry {
            path: path.to_string_lossy().into_owned(),
            content: Content::File {
                hash: "believed".into(),
                executable: false,
            },
            looks: Some(stamp),
        }];
        assert_eq!(entries(&[path], &known), known);
    }

    #[test]
    fn what_cannot_be_known_is_like_nothing() {
        let unknown = entries(&[PathBuf::from("/dev/null")], &[]);
        assert_eq!(unknown[0].content, Content::Unknown);
        assert!(!are_alike(&unknown, &unknown));
    }
}
