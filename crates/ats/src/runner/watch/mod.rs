//! `--watch`: runs the tasks, and again what is affected whenever something has changed.
//!
//! A run that goes on is let finish; what changed meanwhile is a reason for the next one. What makes
//! the next run small is that tasks are skipped whose files have not changed, and tasks
//! without files as well, if they worked in the last run and nothing that they need ran in this one.
//! Changes are taken together until there was none for a moment.

mod scope;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use self::scope::Scope;
use super::execute::{Round, round};
use super::jobs;
use super::signals::Signals;
use crate::cli::RunOptions;
use crate::exit::{Exit, Failure};
use crate::taskfile::model::TaskFile;

/// How long nothing must have changed before the next run. Editors that write a file in several
/// steps take less.
const QUIET: Duration = Duration::from_millis(100);

/// Runs the file, and again after each change, until a signal ends it.
///
/// # Errors
///
/// The first run could not be started, or nothing can be watched.
pub fn watch(first: TaskFile, options: &RunOptions, signals: &Signals) -> Result<Exit, Failure> {
    let mut file = first;
    let mut before = Round::default();
    loop {
        // Watched from before the run, so that no change is missed during it.
        let changes = Changes::of(&file, signals)?;
        let after = round(&file, jobs(&file, options), options, signals, Some(&before))?;
        if let Some(signal) = after.signal {
            return Ok(signal);
        }
        before = after;
        match next(&changes, options, signals)? {
            Next::File(next) => file = next,
            Next::Stopped(exit) => return Ok(exit),
        }
    }
}

enum Next {
    File(TaskFile),
    Stopped(Exit),
}

/// Waits for a change after which the file can be read.
fn next(changes: &Changes, options: &RunOptions, signals: &Signals) -> Result<Next, Failure> {
    loop {
        anstream::eprintln!("waiting for a change{}", changes.of_what());
        if let Some(exit) = changes.wait(signals) {
            return Ok(Next::Stopped(exit));
        }
        match options.choice.read() {
            Ok(file) => return Ok(Next::File(file)),
            Err(Failure::Usage(text)) => anstream::eprintln!("{}", text.trim_end()),
            Err(other) => return Err(other),
        }
    }
}

/// Changes that matter.
struct Changes {
    has_inputs: bool,
    changed: Arc<AtomicBool>,
    /// It watches as long as it lives.
    _watcher: RecommendedWatcher,
}

impl Changes {
    fn of(file: &TaskFile, signals: &Signals) -> Result<Self, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::internal("watching files", error);
        let scope = Scope::of(file);
        let has_inputs = scope.has_inputs();
        let mut directories: BTreeMap<_, bool> = BTreeMap::new();
        for (directory, is_deep) in scope.directories() {
            *directories.entry(directory.to_owned()).or_default() |= is_deep;
        }
        let changed = Arc::new(AtomicBool::new(false));
        let (told, waker) = (Arc::clone(&changed), signals.waker());
        let waker = waker.map_err(|error| failed(&error))?;
        let mut watcher = notify::recommended_watcher(move |event| {
            if matters(&scope, event) {
                told.store(true, Ordering::Release);
                waker.wake();
            }
        })
        .map_err(|error| failed(&error))?;
        for (directory, is_deep) in &directories {
            let mode = match is_deep {
                true => RecursiveMode::Recursive,
                false => RecursiveMode::NonRecursive,
            };
            let watched = watcher.watch(directory, mode);
            watched.map_err(|error| failed(&error))?;
        }
        Ok(Changes {
            has_inputs,
            changed,
            _watcher: watcher,
        })
    }

    fn of_what(&self) -> &'static str {
        match self.has_inputs {
            true => "",
            false => " of the file itself: no task names `inputs`",
        }
    }

    /// Waits for a change and the quiet after it; returns the signal if one comes first.
    fn wait(&self, signals: &Signals) -> Option<Exit> {
        let mut last: Option<Instant> = None;
        loop {
            let left = last.map(|last| QUIET.saturating_sub(last.elapsed()));
            if left == Some(Duration::ZERO) {
                return None;
            }
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            let mut fds = [PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN)];
            if !self.changed.load(Ordering::Acquire) {
                // An interrupted wait is like one that is over.
                let _ = poll(&mut fds, timeout.as_ref());
            }
            signals.clear();
            if let Some(exit) = signals.take() {
                return Some(exit);
            }
            if self.changed.swap(false, Ordering::AcqRel) {
                last = Some(Instant::now());
            }
        }
    }
}

fn matters(scope: &Scope, event: notify::Result<Event>) -> bool {
    match event {
        Ok(event) if matches!(event.kind, EventKind::Access(_)) => false,
        // What was missed may have mattered.
        Ok(event) if event.need_rescan() => true,
        Ok(event) => event.paths.iter().any(|path: &std::path::PathBuf| {
            let path: &Path = path;
            scope.contains(path)
        }),
        Err(_) => true,
    }
}
