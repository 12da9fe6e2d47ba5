//! Mistakes in a file of tasks, and how they are shown: all at once, each with its line.

use std::ops::Range;
use std::path::Path;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::input::shown;
use crate::text;

/// Nobody mends more than this at once, and each one drawn costs a walk through the file.
pub const SHOWN: usize = 50;

/// Something in the file that cannot be right.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mistake {
    /// The bytes of the file that it is about.
    pub span: Range<usize>,
    /// What is wrong.
    pub title: String,
    /// A word under the text itself, may be empty.
    pub label: String,
    /// What would be right, where that can be said.
    pub help: Option<String>,
}

/// All mistakes as text, in the order of the file, with colour codes.
#[must_use]
pub fn render(path: &Path, source: &str, mistakes: &[Mistake]) -> String {
    let mut sorted: Vec<&Mistake> = mistakes.iter().collect();
    sorted.sort_by_key(|mistake| mistake.span.start);
    let path = shown(path);
    let mut out = String::new();
    for mistake in sorted.iter().take(SHOWN) {
        out.push_str(&draw(&path, source, mistake));
        out.push_str("\n\n");
    }
    if sorted.len() > SHOWN {
        out.push_str(&format!("... and {} more\n", sorted.len() - SHOWN));
    }
    let count = text::count(sorted.len(), "mistake");
    out.push_str(&format!("{path}: {count}, nothing was run\n"));
    out
}

fn draw(path: &str, source: &str, mistake: &Mistake) -> String {
    let mut annotation = AnnotationKind::Primary.span(mistake.span.clone());
    if !mistake.label.is_empty() {
        annotation = annotation.label(mistake.label.as_str());
    }
    let snippet = Snippet::source(source).path(path).annotation(annotation);
    let mut group = Level::ERROR
        .primary_title(mistake.title.as_str())
        .element(snippet);
    if let Some(help) = &mistake.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    Renderer::styled().render(&[group])
}
