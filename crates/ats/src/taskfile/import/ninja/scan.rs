//! What stands in a line of a Ninja file: words, texts with variables, ends of lines.

use super::manifest::{Part, Template};
use crate::taskfile::mistakes::Mistake;
use crate::taskfile::sources::Spot;

/// A place in a text, which moves on.
#[derive(Debug)]
pub(super) struct Scan<'t> {
    source: u32,
    text: &'t str,
    at: usize,
}

/// What a line begins with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Line {
    /// Something in its first column.
    Statement,
    /// Spaces and then something.
    Indented,
    /// There are no more lines.
    End,
}

/// The read text or the mistake in it.
type Read<T> = Result<T, Mistake>;

impl<'t> Scan<'t> {
    pub(super) fn new(source: u32, text: &'t str) -> Self {
        Scan {
            source,
            text,
            at: 0,
        }
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(super) fn spot(&self, start: usize, end: usize) -> Spot {
        Spot {
            source: self.source,
            start: start as u32,
            end: end as u32,
        }
    }

    /// Where the next character stands.
    pub(super) fn here(&self) -> Spot {
        let length = self.rest().chars().next().map_or(0, char::len_utf8);
        self.spot(self.at, self.at + length)
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Goes on to the first line that says something; its spaces are not skipped.
    pub(super) fn next_line(&mut self) -> Line {
        loop {
            let Some(content) = self.past_empty_line() else {
                return if self.at >= self.text.len() {
                    Line::End
                } else if self.peek() == Some(b' ') {
                    Line::Indented
                } else {
                    Line::Statement
                };
            };
            self.at = content;
        }
    }

    /// Whether the next line is indented and says something: part of the statement before.
    pub(super) fn continues(&mut self) -> bool {
        // A line that is only a comment neither ends a block nor belongs to it.
        while self.rest().trim_start_matches(' ').starts_with('#') {
            self.skip_line();
        }
        let line = self.rest();
        let content = line.trim_start_matches(' ');
        line.starts_with(' ') && !content.is_empty() && !content.starts_with(['\n', '\r'])
    }

    /// The place behind this line, if nothing is in it but spaces and a comment.
    fn past_empty_line(&self) -> Option<usize> {
        let rest = self.rest();
        if rest.is_empty() {
            return None;
        }
        let content = rest.trim_start_matches(' ');
        let length = rest.find('\n').map_or(rest.len(), |newline| newline + 1);
        let empty =
            content.is_empty() || content.starts_with(['\n', '#']) || content.starts_with("\r\n");
        empty.then_some(self.at + length)
    }

    pub(super) fn skip_line(&mut self) {
        let rest = self.rest();
        self.at += rest.find('\n').map_or(rest.len(), |newline| newline + 1);
    }

    /// Leaves a statement that is wrong: its line, and what is indented below.
    pub(super) fn skip_statement(&mut self) {
        self.skip_line();
        while self.continues() {
            self.skip_line();
        }
    }

    /// Skips spaces, and ends of lines that a `$` stands before.
    pub(super) fn skip_spaces(&mut self) {
        loop {
            let rest = self.rest();
            if rest.starts_with(' ') {
                self.at += 1;
            } else if rest.starts_with("$\n") {
                self.at += 2;
            } else if rest.starts_with("$\r\n") {
                self.at += 3;
            } else {
                return;
            }
        }
    }

    /// A word of letters, digits, `_`, `.` and `-`.
    pub(super) fn word(&mut self, what: &str) -> Read<(&'t str, Spot)> {
        let start = self.at;
        while self.peek().is_some_and(is_of_name) {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.expected(what));
        }
        let spot = self.spot(start, self.at);
        let word = &self.text[start..self.at];
        self.skip_spaces();
        Ok((word, spot))
    }

    pub(super) fn expected(&self, what: &str) -> Mistake {
        let mistake = Mistake::new(self.here(), format!("expected {what}"));
        match self.peek() {
            Some(b'\t') => mistake.help("tabs are not allowed, use spaces"),
            _ => mistake,
        }
    }

    pub(super) fn starts_with(&self, expected: &str) -> bool {
        self.rest().starts_with(expected)
    }

    /// Takes this text if it comes next, and the spaces behind it.
    pub(super) fn take(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.at += expected.len();
            self.skip_spaces();
        }
        found
    }

    pub(super) fn end_of_line(&mut self) -> Read<()> {
        let rest = self.rest();
        if rest.is_empty() {
            return Ok(());
        }
        for end in ["\n", "\r\n"] {
            if rest.starts_with(end) {
                self.at += end.len();
                return Ok(());
            }
        }
        Err(self.expected("the end of the line"))
    }

    /// A path; one without characters means that there is none.
    pub(super) fn path(&mut self) -> Read<Template> {
        let template = self.template(true)?;
        self.skip_spaces();
        Ok(template)
    }

    /// The rest of the line.
    pub(super) fn value(&mut self) -> Read<Template> {
        let template = self.template(false)?;
        self.end_of_line()?;
        Ok(template)
    }

    fn template(&mut self, path: bool) -> Read<Template> {
        let start = self.at;
        let mut parts = Vec::new();
        let mut plain = String::new();
        while let Some(c) = self.rest().chars().next() {
            let ends = match c {
                '\n' => true,
                '\r' => self.rest().starts_with("\r\n"),
                ' ' | ':' | '|' => path,
                _ => false,
            };
            if ends {
                break;
            }
            if c == '\0' {
                let title = "there is a NUL character here";
                return Err(Mistake::new(self.here(), title).label("no program can be given one"));
            }
            if c != '$' {
                plain.push(c);
                self.at += c.len_utf8();
            } else if let Some(name) = self.escape(&mut plain)? {
                if !plain.is_empty() {
                    parts.push(Part::Plain(std::mem::take(&mut plain)));
                }
                parts.push(Part::Variable(name));
            }
        }
        if !plain.is_empty() {
            parts.push(Part::Plain(plain));
        }
        let spot = Some(self.spot(start, self.at));
        Ok(Template { parts, spot })
    }

    /// What a `$` begins: a character that is added to `plain`, or the name of a variable.
    fn escape(&mut self, plain: &mut String) -> Read<Option<String>> {
        let behind = &self.rest()[1..];
        let simple = [("$", '$'), (" ", ' '), (":", ':'), ("^", '\n')];
        for (escaped, meant) in simple {
            if behind.starts_with(escaped) {
                plain.push(meant);
                self.at += 2;
                return Ok(None);
            }
        }
        for newline in ["\n", "\r\n"] {
            if let Some(next) = behind.strip_prefix(newline) {
                let indent = next.len() - next.trim_start_matches(' ').len();
                self.at += 1 + newline.len() + indent;
                return Ok(None);
            }
        }
        let (name, length) = match behind.strip_prefix('{') {
            Some(inner) => {
                let name = name_at(inner, is_of_name);
                let closed = inner[name.len()..].starts_with('}') && !name.is_empty();
                (if closed { name } else { "" }, name.len() + 2)
            }
            None => {
                let name = name_at(behind, |byte| is_of_name(byte) && byte != b'.');
                (name, name.len())
            }
        };
        if name.is_empty() {
            let spot = self.spot(self.at, self.at + 1);
            let help = "write `$$` for a `$` that stands for itself";
            return Err(Mistake::new(spot, "nothing is escaped by this `$`").help(help));
        }
        self.at += 1 + length;
        Ok(Some(name.to_owned()))
    }
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
}

fn name_at(text: &str, belongs: impl Fn(u8) -> bool) -> &str {
    let length = text.bytes().take_while(|&byte| belongs(byte)).count();
    &text[..length]
}
