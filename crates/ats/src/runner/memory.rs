//! What a run knows of earlier runs of the same file, and leaves for later ones: the journal of what
//! is done, and the records of files.

use std::collections::HashMap;
use std::path::PathBuf;

use super::execute::Round;
use super::fingerprint::fingerprint;
use super::fresh::{self, Looks};
use super::journal::{self, Journal, NoPast, Past};
use super::resume::{Resumed, resumed};
use super::signals::Signals;
use crate::cli::RunOptions;
use crate::exit::Failure;
use crate::input::shown;
use crate::taskfile::model::{Task, TaskFile};
use crate::text::{count, printable};
use crate::views::tasks::shape;

/// How many names are listed before the rest is only counted.
const NAMES: usize = 10;

/// What a run knows of earlier runs, and leaves for later ones.
#[derive(Debug, Default)]
pub struct Memory {
    pub(super) journal: Option<Journal>,
    pub(super) looks: Option<Looks>,
    /// Of each task, whether it was done before the run was resumed.
    pub(super) done: Vec<bool>,
    /// Tasks whose lines the journal has not handed to the system.
    unwritten: Vec<usize>,
    /// What worked in the round before, if this is one of several.
    before: HashMap<String, String>,
    /// What has worked in this one, if there may be another.
    now: Option<HashMap<String, String>>,
}

impl Memory {
    /// For a run of this file. What was found is told on stderr.
    ///
    /// # Errors
    ///
    /// A run is to be resumed, and there is none.
    pub fn open(
        file: &TaskFile,
        options: &RunOptions,
        signals: &Signals,
        before: Option<&Round>,
    ) -> Result<Self, Failure> {
        let directory = journal::directory(&file.source);
        let (journal, done) = if options.resume {
            let past = directory.as_deref().map_or(Err(NoPast::NoRun), Past::open);
            let past = past.map_err(|why| cannot_resume(file, why))?;
            let resumed = resumed(&file.tasks, &shape(&file.tasks), &past.done);
            tell(&past, file, &resumed);
            (Some(past.go_on()), resumed.done)
        } else {
            let begun = directory
                .as_deref()
                .map(|directory| Journal::begin(directory, &file.source));
            (begun.and_then(warn), vec![false; file.tasks.len()])
        };
        // Of several rounds only the first one runs what has no reason to.
        let force = options.force && before.is_none_or(|round| round.done.is_empty());
        Ok(Memory {
            journal,
            looks: looks(file, directory, force, signals)?,
            done,
            unwritten: Vec::new(),
            before: before.map(|round| round.done.clone()).unwrap_or_default(),
            now: before.map(|_| HashMap::new()),
        })
    }

    /// The name of the run, if it can be resumed.
    #[must_use]
    pub fn run(&self) -> Option<&str> {
        self.journal.as_ref().map(Journal::run)
    }

    pub(super) fn is_done(&self, task: u32) -> bool {
        self.done.get(task as usize) == Some(&true)
    }

    /// A task has worked.
    pub(super) fn write_down(&mut self, place: usize, task: &Task) {
        let fingerprint = fingerprint(task);
        if let Some(journal) = &mut self.journal {
            journal.done(&task.name, &fingerprint);
            self.unwritten.push(place);
        }
        if let Some(now) = &mut self.now {
            now.insert(task.name.clone(), fingerprint);
        }
    }

    /// Before a task starts it is written down that what it needs is done.
    pub(super) fn write_down_before(&mut self, task: &Task) {
        if self
            .unwritten
            .iter()
            .any(|place| task.needs.contains(place))
        {
            self.flush();
        }
    }

    /// Hands all that was written down to the system.
    pub(super) fn flush(&mut self) {
        self.unwritten.clear();
        if self
            .journal
            .as_mut()
            .is_some_and(|journal| journal.flush().is_err())
        {
            // A journal with a gap is not worth having.
            self.journal = None;
        }
    }

    /// Whether a task worked in the round before as it is now.
    pub(super) fn worked_before(&self, task: &Task) -> bool {
        let before = self.before.get(&task.name);
        before.is_some_and(|before| *before == fingerprint(task))
    }

    /// What has worked, if there may be another round.
    pub(super) fn take_done(&mut self) -> HashMap<String, String> {
        self.now.take().unwrap_or_default()
    }
}

fn looks(
    file: &TaskFile,
    directory: Option<PathBuf>,
    force: bool,
    signals: &Signals,
) -> Result<Option<Looks>, Failure> {
    let Some(directory) = directory.filter(|_| file.tasks.iter().any(fresh::has_files)) else {
        return Ok(None);
    };
    let waker = signals
        .waker()
        .map_err(|error| Failure::internal("starting the run", error))?;
    Looks::new(directory.join("records"), force, waker).map(Some)
}

fn warn(begun: std::io::Result<Journal>) -> Option<Journal> {
    begun
        .inspect_err(|error| {
            anstream::eprintln!("warning: this run cannot be resumed: no journal: {error}");
        })
        .ok()
}

fn cannot_resume(file: &TaskFile, why: NoPast) -> Failure {
    let source = shown(&file.source);
    Failure::Usage(match why {
        NoPast::NoRun => format!(
            "error: there is no run of {source} to resume\n  help: leave out `--resume` to start one"
        ),
        NoPast::GoesOn(run) => format!(
            "error: run {run} of {source} still goes on\n  help: wait for its end, or stop it first"
        ),
        NoPast::Unreadable(error) => format!(
            "error: the journal of the last run of {source} cannot be read: {error}\n  help: leave out `--resume` to start over"
        ),
    })
}

fn tell(past: &Past, file: &TaskFile, resumed: &Resumed) {
    let done = resumed.done.iter().filter(|done| **done).count();
    anstream::eprintln!("resuming run {}: {} done", past.run, count(done, "task"));
    if !resumed.changed.is_empty() {
        let changed = resumed.changed.iter();
        let names = changed.map(|&place| file.tasks[place].name.as_str());
        anstream::eprintln!(
            "changed since then, and run again with what needs them: {}",
            list(names)
        );
    }
    if !resumed.gone.is_empty() {
        let names = resumed.gone.iter().map(String::as_str);
        anstream::eprintln!("done then, and not part of this run: {}", list(names));
    }
}

fn list<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(NAMES);
    let shown: Vec<_> = names.take(NAMES).map(printable).collect();
    let shown = shown.join(", ");
    match more {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
