//! The keys of a file of tasks: what readers, the JSON Schema and complaints go by.

use super::mistakes::Mistake;
use super::tree::Key;
use crate::text::nearest;

/// Of the file.
pub const FILE: [&str; 6] = ["version", "include", "jobs", "env", "vars", "tasks"];

/// Of a task.
pub const TASK: [&str; 16] = [
    "description",
    "run",
    "exec",
    "needs",
    "inputs",
    "outputs",
    "env",
    "cwd",
    "priority",
    "deadline",
    "timeout",
    "retries",
    "if",
    "always",
    "lane",
    "matrix",
];

/// Of `retries`, where it is a table.
pub const RETRIES: [&str; 2] = ["count", "backoff"];

/// The mistake of a key that is none of the known ones.
pub(super) fn unknown(key: &Key<'_>, known: &[&str]) -> Mistake {
    let help = match nearest(&key.text, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the keys here are {}", known.join(", ")),
    };
    Mistake::new(key.spot, format!("unknown key `{}`", key.text)).help(help)
}
