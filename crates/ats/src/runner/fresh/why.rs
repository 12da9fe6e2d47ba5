//! Whether a task would have to run, in words, and without leaving a trace.

use std::collections::BTreeMap;
use std::path::Path;

use super::content::{self, Content, Entry};
use super::{files, has_files, record};
use crate::runner::fingerprint::fingerprint;
use crate::taskfile::model::Task;
use crate::text::printable;

/// Files that are named before the rest is only counted.
const FILES: usize = 5;

/// Says whether a task is up to date as things are now, and if not, why; `directory` is where
/// records are kept.
#[must_use]
pub fn why(directory: Option<&Path>, task: &Task, force: bool) -> String {
    if !has_files(task) {
        return "no: it names neither inputs nor outputs, so it always runs".into();
    }
    if force {
        return "no: it was asked for by `--force`".into();
    }
    let record = directory.and_then(|directory| record::read(&record::path(directory, &task.name)));
    let Some(record) = record else {
        return "no: there is no record of a run in which it worked".into();
    };
    if record.fingerprint != fingerprint(task) {
        return "no: it has been changed since (command, environment, directory, `if`, inputs or outputs)".into();
    }
    let now = |patterns: &[String], known: &[Entry]| {
        content::entries(&files::find(patterns, &task.directory), known)
    };
    let inputs = changes(&record.inputs, &now(&task.inputs, &record.inputs));
    if !inputs.is_empty() {
        return format!("no: inputs have changed: {}", list(&inputs));
    }
    let outputs = changes(&record.outputs, &now(&task.outputs, &record.outputs));
    if !outputs.is_empty() {
        return format!("no: outputs are not as it left them: {}", list(&outputs));
    }
    "yes, as things are now: it would be skipped".into()
}

fn changes(before: &[Entry], now: &[Entry]) -> Vec<String> {
    let mut by_path: BTreeMap<&str, [Option<&Content>; 2]> = BTreeMap::new();
    for (side, entries) in [before, now].into_iter().enumerate() {
        for entry in entries {
            by_path.entry(&entry.path).or_default()[side] = Some(&entry.content);
        }
    }
    let changes = by_path.into_iter().filter_map(|(path, sides)| {
        let what = change(sides)?;
        Some(format!("{} ({what})", printable(path)))
    });
    changes.collect()
}

fn change(sides: [Option<&Content>; 2]) -> Option<&'static str> {
    match sides {
        [_, Some(Content::Unknown)] => Some("cannot be read"),
        [Some(before), Some(now)] if before == now => None,
        [Some(Content::Absent) | None, Some(Content::Absent) | None] => None,
        [_, Some(Content::Absent) | None] => Some("gone"),
        [Some(Content::Absent) | None, _] => Some("new"),
        [Some(_), Some(_)] => Some("changed"),
    }
}

fn list(changes: &[String]) -> String {
    let shown = changes[..changes.len().min(FILES)].join(", ");
    match changes.len().saturating_sub(FILES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
