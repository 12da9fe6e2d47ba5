//! Learned durations on disk: read before a run, and what it learned added after it.
//!
//! Protocol of saving: 1. take the lock beside the file; 2. read the file again, since another run
//! may have saved meanwhile; 3. add this run's durations to what is there; 4. write a new file and
//! put it in the old one's place in one step. So no reader sees half a file, and of two runs at
//! once neither loses what it learned. A damaged file is a warning, and counts as empty.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use adaptive_task_scheduler::graph::{Durations, Samples};
use serde::{Deserialize, Serialize};

use super::options::ViewOptions;
use crate::cache;
use crate::input::shown;

/// The version of the file; another one is not read.
const VERSION: u32 = 1;

/// Older samples count together as at most so many, so that what changes is learned again. A
/// guess; recordings of a project over months would tell better.
const MEMORY: u64 = 16;

/// Larger files are not ours.
const LARGEST: u64 = 256 << 20;

#[derive(Deserialize, Serialize)]
struct Stored {
    version: u32,
    /// For people who look into their cache.
    #[serde(default)]
    of: String,
    classes: Vec<Entry>,
    tasks: Vec<Entry>,
}

#[derive(Deserialize, Serialize)]
struct Entry {
    name: String,
    samples: u64,
    mean_us: u64,
    deviation_us: u64,
}

/// The learned durations of one file of tasks.
#[derive(Debug, Default)]
pub struct Profile {
    path: Option<PathBuf>,
    of: String,
    durations: Durations,
}

impl Profile {
    /// Reads what was learned about the tasks of `source`; the second value warns of a file that
    /// cannot be used.
    #[must_use]
    pub fn open(options: &ViewOptions, source: &Path) -> (Self, Option<String>) {
        let Some(path) = place(options, source) else {
            return (Profile::default(), None);
        };
        let (durations, warning) = match read(&path) {
            Ok(durations) => (durations, None),
            Err(why) => {
                let name = shown(&path);
                let warning = format!("{name}: {why}; nothing is known about durations");
                (Durations::new(), Some(warning))
            }
        };
        let profile = Profile {
            path: Some(path),
            of: shown(source),
            durations,
        };
        (profile, warning)
    }

    /// What was learned so far.
    #[must_use]
    pub fn durations(&self) -> &Durations {
        &self.durations
    }

    /// Adds what a run has taught: the class and the name of each task, and how long it took.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn learn(&self, taught: &[(&str, &str, Duration)]) -> io::Result<()> {
        let Some(path) = self.path.as_deref().filter(|_| !taught.is_empty()) else {
            return Ok(());
        };
        let directory = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        fs::create_dir_all(directory)?;
        let _lock = lock(&path.with_extension("lock"))?;
        let mut durations = read(path).unwrap_or_default();
        for (class, name, took) in taught {
            durations.record(class, name, *took);
        }
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        let stored = serde_json::to_vec(&store(&durations, &self.of)).map_err(io::Error::other)?;
        file.write_all(&stored)?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}

/// The file that was named, or one in the cache directory for this file of tasks.
fn place(options: &ViewOptions, source: &Path) -> Option<PathBuf> {
    if options.no_profile {
        return None;
    }
    if let Some(named) = &options.profile {
        return Some(named.clone());
    }
    let name = cache::name_of(source)? + ".json";
    Some(cache::directory()?.join("durations").join(name))
}

fn read(path: &Path) -> Result<Durations, String> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Durations::new()),
        Ok(metadata) if metadata.len() > LARGEST => return Err("it is too large".into()),
        _ => {}
    }
    let text = fs::read(path).map_err(|error| format!("it cannot be read ({error})"))?;
    let stored: Stored =
        serde_json::from_slice(&text).map_err(|error| format!("it is damaged ({error})"))?;
    if stored.version != VERSION {
        let version = stored.version;
        return Err(format!(
            "it has version {version}, and only {VERSION} is known"
        ));
    }
    let mut durations = Durations::new();
    for entry in &stored.classes {
        durations.restore_class(&entry.name, entry.samples());
    }
    for entry in &stored.tasks {
        durations.restore_node(&entry.name, entry.samples());
    }
    Ok(durations)
}

fn store(durations: &Durations, of: &str) -> Stored {
    let sorted = |entries: &mut dyn Iterator<Item = (&str, Samples)>| {
        let mut entries: Vec<Entry> = entries
            .map(|(name, samples)| Entry::of(name, samples))
            .collect();
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        entries
    };
    Stored {
        version: VERSION,
        of: of.to_owned(),
        classes: sorted(&mut durations.classes()),
        tasks: sorted(&mut durations.nodes()),
    }
}

impl Entry {
    fn of(name: &str, samples: Samples) -> Self {
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Entry {
            name: name.to_owned(),
            samples: samples.count(),
            mean_us: micros(samples.mean()),
            deviation_us: micros(samples.deviation()),
        }
    }

    fn samples(&self) -> Samples {
        let time = Duration::from_micros;
        Samples::new(
            self.samples.min(MEMORY),
            time(self.mean_us),
            time(self.deviation_us),
        )
    }
}

/// Holds the lock until the file is closed. Other systems have only the atomic replacement.
fn lock(path: &Path) -> io::Result<File> {
    let file = File::options().create(true).append(true).open(path)?;
    #[cfg(unix)]
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &Path) -> ViewOptions {
        ViewOptions {
            profile: Some(path.to_owned()),
            ..ViewOptions::default()
        }
    }

    /// `fetch` took so many milliseconds.
    fn run(milliseconds: u64) -> [(&'static str, &'static str, Duration); 1] {
        [("fetch", "fetch", Duration::from_millis(milliseconds))]
    }

    fn mean(path: &Path, name: &str) -> Option<u128> {
        let (profile, warning) = Profile::open(&at(path), Path::new("ats.toml"));
        assert_eq!(warning, None);
        let known = profile
            .durations
            .classes()
            .find(|(known, _)| *known == name);
        known.map(|(_, samples)| samples.mean().as_millis())
    }

    #[test]
    fn what_was_learned_is_there_next_time() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("new/durations.json");
        let (profile, _) = Profile::open(&at(&path), Path::new("ats.toml"));
        profile.learn(&run(1_000)).unwrap();
        profile.learn(&run(3_000)).unwrap();
        assert_eq!(mean(&path, "fetch"), Some(2_000));
    }

    #[test]
    fn runs_at_the_same_time_lose_nothing() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("durations.json");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let (profile, warning) = Profile::open(&at(&path), Path::new("ats.toml"));
                    assert_eq!(warning, None);
                    profile.learn(&run(1_000)).unwrap();
                });
            }
        });
        let (profile, _) = Profile::open(&at(&path), Path::new("ats.toml"));
        let samples: Vec<u64> = profile
            .durations
            .classes()
            .map(|(_, samples)| samples.count())
            .collect();
        assert_eq!(samples, [8]);
    }

    #[test]
    fn what_is_new_counts_even_after_a_long_time() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("durations.json");
        let (profile, _) = Profile::open(&at(&path), Path::new("ats.toml"));
        for _ in 0..50 {
            profile.learn(&run(1_000)).unwrap();
        }
        for _ in 0..50 {
            profile.learn(&run(3_000)).unwrap();
        }
        assert!(mean(&path, "fetch") > Some(2_800));
    }

    #[test]
    fn a_damaged_or_foreign_file_is_a_warning_and_is_replaced() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("durations.json");
        let wrong = [
            "",
            "{",
            "[]",
            r#"{"version":1}"#,
            r#"{"version":99,"classes":[],"tasks":[]}"#,
            r#"{"version":1,"classes":[{"name":"a","samples":-1,"mean_us":0,"deviation_us":0}],"tasks":[]}"#,
        ];
        for text in wrong {
            fs::write(&path, text).unwrap();
            let (profile, warning) = Profile::open(&at(&path), Path::new("ats.toml"));
            let warning = warning.unwrap();
            assert!(warning.contains("nothing is known"), "{warning}");
            profile.learn(&run(1_000)).unwrap();
            assert_eq!(mean(&path, "fetch"), Some(1_000));
        }
    }

    #[test]
    fn nobody_who_does_not_want_it_gets_a_file() {
        let options = ViewOptions {
            no_profile: true,
            ..ViewOptions::default()
        };
        assert_eq!(place(&options, Path::new("Cargo.toml")), None);
    }
}
