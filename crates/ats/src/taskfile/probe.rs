//! Whatever a file contains, it is either refused in words that help and harm nobody, or its tasks
//! can be planned, drawn and listed. For fuzzing and for tests.

use std::path::Path;

use super::format::Format;
use super::model::TaskFile;
use crate::plan::foresight::Foresight;
use crate::plan::{draw, dry_run, list};

/// Reads the content of a file of this kind, and tries it out if it is right.
///
/// # Panics
///
/// If something does not hold that must.
pub fn probe(format: Format, content: &[u8]) {
    let Ok(text) = std::str::from_utf8(content) else {
        return;
    };
    match super::parse(Path::new("probe"), text.to_owned(), format, &[]) {
        Ok(file) => taken(&file),
        Err(wrong) => refused(&wrong.to_string()),
    }
}

fn refused(said: &str) {
    assert!(!said.trim().is_empty(), "refused without a reason");
    let said = anstream::adapter::strip_str(said).to_string();
    let harmless = said.chars().all(|c| c == '\n' || !c.is_control());
    assert!(harmless, "{said:?} could steer a terminal");
}

fn taken(file: &TaskFile) {
    let count = file.tasks.len();
    for task in &file.tasks {
        assert!(task.needs.iter().all(|&need| need < count), "{task:?}");
    }
    let expected = file.tasks.iter().map(|task| task.expected).collect();
    let foresight = Foresight::of(&file.tasks, expected);
    assert_eq!(foresight.order.len(), count, "some tasks would never run");
    let sink = std::io::sink;
    for form in [dry_run::Form::Human, dry_run::Form::Json] {
        dry_run::print(file, &foresight, form, sink()).expect("a sink takes all");
    }
    for language in [draw::Language::Dot, draw::Language::Mermaid] {
        draw::print(file, &foresight, language, sink()).expect("a sink takes all");
    }
    list::print(file, sink()).expect("a sink takes all");
}
