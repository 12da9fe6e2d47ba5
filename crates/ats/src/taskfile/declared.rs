//! A file of tasks as it stands: every key read, no variable filled in, no name looked up.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use adaptive_task_scheduler::Priority;

use super::model::{Lane, Retries};
use super::sources::{Spot, Text};

/// Names and texts with variables in them.
pub(super) type Entries = Vec<(String, Text)>;

/// One file.
#[derive(Debug, Default)]
pub(super) struct Declarations {
    /// Where it lies.
    pub(super) directory: PathBuf,
    pub(super) jobs: Option<u16>,
    pub(super) env: Entries,
    pub(super) vars: Vec<(Text, Text)>,
    pub(super) includes: Vec<Include>,
    pub(super) tasks: Vec<Declared>,
    /// Some of the file could not be parsed, so more may be in it than is known.
    pub(super) incomplete: bool,
}

/// Another file whose tasks belong to this one's.
#[derive(Debug)]
pub(super) struct Include {
    pub(super) path: Text,
    /// What goes in front of the names of its tasks.
    pub(super) namespace: Option<Text>,
}

/// A task that another one needs. Most names are exactly what stands in the file; many hundred
/// thousand of them are not copied.
#[derive(Clone, Debug)]
pub(super) struct Need {
    pub(super) name: Name,
    pub(super) spot: Spot,
}

#[derive(Clone, Debug)]
pub(super) enum Name {
    /// Between these bytes of the file.
    Written(u32, u32),
    /// Not as it is written, or with variables in it.
    Own(String),
}

impl Need {
    /// The name, out of the texts of all files.
    pub(super) fn name<'a>(&'a self, texts: &'a [Arc<str>]) -> &'a str {
        match &self.name {
            Name::Written(start, end) => {
                &texts[self.spot.source as usize][*start as usize..*end as usize]
            }
            Name::Own(name) => name,
        }
    }
}

/// What a task is told to do.
#[derive(Clone, Debug)]
pub(super) enum Command {
    Shell(Text),
    Exec(Vec<Text>),
    Nothing,
}

/// One task.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub(super) name: Text,
    pub(super) description: Option<String>,
    pub(super) command: Command,
    pub(super) needs: Vec<Need>,
    pub(super) inputs: Vec<Text>,
    pub(super) outputs: Vec<Text>,
    pub(super) env: Entries,
    pub(super) cwd: Option<Text>,
    pub(super) condition: Option<Text>,
    pub(super) settings: Settings,
    /// What there is an instance for: each combination of a value of each list.
    pub(super) matrix: Vec<(String, Vec<String>)>,
}

/// What has no variables in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) priority: Priority,
    pub(super) deadline: Option<Duration>,
    pub(super) timeout: Option<Duration>,
    pub(super) retries: Retries,
    pub(super) always: bool,
    pub(super) lane: Lane,
}

impl Declared {
    pub(super) fn new(name: Text) -> Self {
        Declared {
            name,
            description: None,
            command: Command::Nothing,
            needs: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            env: Entries::new(),
            cwd: None,
            condition: None,
            settings: Settings {
                priority: Priority::Mid,
                deadline: None,
                timeout: None,
                retries: Retries::default(),
                always: false,
                lane: Lane::default(),
            },
            matrix: Vec::new(),
        }
    }
}
