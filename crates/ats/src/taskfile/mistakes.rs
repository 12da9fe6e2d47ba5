//! Mistakes in files of tasks, and how they are shown: all at once, each with its line.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::sources::{Source, Sources, Spot};
use crate::input::shown;
use crate::text;

/// Nobody mends more than this at once.
pub const SHOWN: usize = 50;

/// Lines are cut off at this many bytes from what they are shown for.
const LINE: usize = 2000;

/// Something in a file that cannot be right.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mistake {
    /// What it is about.
    pub spot: Spot,
    /// What is wrong.
    pub title: String,
    /// A word under the text itself, may be empty.
    pub label: String,
    /// What would be right, where that can be said.
    pub help: Option<String>,
}

impl Mistake {
    /// A mistake of which no more can be said.
    #[must_use]
    pub fn new(spot: Spot, title: impl Into<String>) -> Self {
        Mistake {
            spot,
            title: title.into(),
            label: String::new(),
            help: None,
        }
    }

    /// With a word under the text itself.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// With what would be right.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With the name that was probably meant, if there is one.
    #[must_use]
    pub fn near(mut self, near: Option<&str>) -> Self {
        if let Some(near) = near {
            self.help = Some(format!("did you mean `{near}`?"));
        }
        self
    }
}

/// All mistakes as text, in the order of the files, with colour codes.
#[must_use]
pub fn render(sources: &Sources, mistakes: &[Mistake]) -> String {
    let mut sorted: Vec<&Mistake> = mistakes.iter().collect();
    sorted.sort_by_key(|mistake| mistake.spot);
    let mut out = String::new();
    for mistake in sorted.iter().take(SHOWN) {
        out.push_str(&draw(sources.get(mistake.spot.source), mistake));
        out.push_str("\n\n");
    }
    if sorted.len() > SHOWN {
        out.push_str(&format!("... and {} more\n", sorted.len() - SHOWN));
    }
    let files: BTreeSet<u32> = sorted.iter().map(|mistake| mistake.spot.source).collect();
    let files = match (files.len(), files.first()) {
        (1, Some(&only)) => shown(&sources.get(only).path),
        (count, _) => text::count(count, "file"),
    };
    let count = text::count(sorted.len(), "mistake");
    out.push_str(&format!("{files}: {count}, nothing was run\n"));
    out
}

fn draw(source: &Source, mistake: &Mistake) -> String {
    let window = Window::around(&source.text, mistake.spot.range());
    let mut annotation = AnnotationKind::Primary.span(window.span.clone());
    if !mistake.label.is_empty() {
        annotation = annotation.label(text::printable(&mistake.label));
    }
    let path = shown(&source.path);
    let snippet = Snippet::source(visible(window.text))
        .path(path.as_str())
        .line_start(window.line)
        .annotation(annotation);
    let mut group = Level::ERROR
        .primary_title(text::printable(&mistake.title))
        .element(snippet);
    if let Some(help) = &mistake.help {
        let lines: Vec<_> = help.lines().map(text::printable).collect();
        group = group.element(Level::HELP.message(lines.join("\n")));
    }
    Renderer::styled().render(&[group])
}

/// The text with a sign of the same length for each control character that the renderer does not
/// know: those behind ASCII, which steer some terminals.
fn visible(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || !text.contains(|c| matches!(c, '\u{80}'..='\u{9f}')) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace(|c| matches!(c, '\u{80}'..='\u{9f}'), "\u{bf}"))
}

/// The line in which a span begins: what is drawn must not depend on how large the file is.
struct Window<'t> {
    text: &'t str,
    line: usize,
    span: Range<usize>,
}

impl<'t> Window<'t> {
    fn around(text: &'t str, span: Range<usize>) -> Self {
        let start = boundary(text, span.start.min(text.len()));
        let begin = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let begin = boundary(text, begin.max(start.saturating_sub(LINE)));
        let rest = &text[start..];
        let end = start + rest.find('\n').unwrap_or(rest.len());
        let end = boundary(text, end.min(start + LINE));
        let stop = boundary(text, span.end.clamp(start, end));
        Window {
            text: &text[begin..end],
            line: text[..begin].bytes().filter(|&byte| byte == b'\n').count() + 1,
            span: start - begin..stop - begin,
        }
    }
}

/// The nearest place at or before `offset` that does not divide a character.
fn boundary(text: &str, offset: usize) -> usize {
    (0..=offset)
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(0)
}
