//! What `--list` prints: each task with what it is for.

use std::io::{self, BufWriter, Write};

use crate::taskfile::model::{Action, Task, TaskFile};
use crate::text::{self, printable};

use super::dry_run::command;

/// Longer commands are cut off where a description is missing.
const LENGTH: usize = 60;

/// Prints a line for each task as it stands in the file.
///
/// # Errors
///
/// Printing failed.
pub fn print(file: &TaskFile, out: impl Write) -> io::Result<()> {
    let mut lines: Vec<(String, String, usize)> = Vec::new();
    for task in &file.tasks {
        // Instances of one task follow each other.
        if let Some((name, _, instances)) = lines.last_mut()
            && is_instance(task)
            && *name == printable(&task.class)
        {
            *instances += 1;
            continue;
        }
        let what = match (&task.description, &task.action) {
            (Some(description), _) => first_line(description),
            (None, Action::Nothing) => text::count(task.needs.len(), "task"),
            (None, action) => first_line(&command(action)),
        };
        let name = match is_instance(task) {
            true => &task.class,
            false => &task.name,
        };
        lines.push((printable(name).into_owned(), what, 1));
    }
    let width = lines.iter().map(|(name, ..)| name.chars().count()).max();
    let width = width.unwrap_or_default().min(LENGTH);
    let mut out = BufWriter::new(out);
    for (name, what, instances) in lines {
        write!(out, "{name:width$}  {what}")?;
        if instances > 1 {
            write!(out, " ({instances} times)")?;
        }
        writeln!(out)?;
    }
    out.flush()
}

/// Whether a matrix has made it.
fn is_instance(task: &Task) -> bool {
    let behind = task.name.strip_prefix(task.class.as_str());
    behind.is_some_and(|behind| behind.starts_with(" ("))
}

fn first_line(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    let line = printable(line);
    match line.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line.into_owned(),
    }
}
