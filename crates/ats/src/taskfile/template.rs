//! Variables in text: `{{ name }}`. Pure.
//!
//! `{{{{` stands for two braces. What is filled in is data: it is never looked at for variables
//! itself, and never means more than its characters. Shell text has rules of its own
//! ([`shell`](super::shell)).

use std::ops::Range;

/// A piece of a text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Piece<'t> {
    /// Stands for itself.
    Plain(&'t str),
    /// Stands for a variable's value.
    Variable {
        /// The variable's name.
        name: &'t str,
        /// From the first brace to the last.
        range: Range<usize>,
    },
    /// Cannot stand there.
    Wrong {
        /// The part of the text that is wrong.
        range: Range<usize>,
        /// What is wrong with it.
        title: String,
    },
}

/// Whether there is anything to fill in.
#[must_use]
pub fn has_variables(text: &str) -> bool {
    // Most texts have no brace at all, which is quicker to see.
    text.contains('{') && text.contains("{{")
}

/// Whether this can be the name of a variable.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let first = |c: char| c.is_alphabetic() || c == '_';
    name.starts_with(first)
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}

/// The pieces of a text, in their order.
pub fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = &text[at..];
        if rest.is_empty() {
            return None;
        }
        let start = at;
        let Some(braces) = rest.find("{{") else {
            at = text.len();
            return Some(Piece::Plain(rest));
        };
        if braces > 0 {
            at += braces;
            return Some(Piece::Plain(&rest[..braces]));
        }
        if rest.starts_with("{{{{") {
            at += 4;
            return Some(Piece::Plain(&rest[..2]));
        }
        let piece = placeholder(text, start);
        at = match &piece {
            Piece::Variable { range, .. } | Piece::Wrong { range, .. } => range.end,
            Piece::Plain(plain) => start + plain.len(),
        };
        Some(piece)
    })
}

/// What begins with two braces at `start`.
fn placeholder(text: &str, start: usize) -> Piece<'_> {
    let inner = &text[start + 2..];
    let line = &inner[..inner.find('\n').unwrap_or(inner.len())];
    let Some(length) = line.find("}}") else {
        return Piece::Wrong {
            range: start..start + 2,
            title: "`{{` is not closed".into(),
        };
    };
    let range = start..start + 2 + length + 2;
    let name = line[..length].trim();
    let last = name.strip_prefix("matrix.").unwrap_or(name);
    if is_name(last) {
        Piece::Variable { name, range }
    } else {
        let title = if name.is_empty() {
            "there is no name between these braces".to_owned()
        } else {
            format!("`{}` is not the name of a variable", name.escape_debug())
        };
        Piece::Wrong { range, title }
    }
}

/// What is said to whoever did not mean a variable.
pub const ESCAPE: &str = "for two braces that stand for themselves write `{{{{`";

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        pieces(text)
            .map(|piece| match piece {
                Piece::Plain(plain) => plain.to_owned(),
                Piece::Variable { name, range } => format!("<{name} {}>", &text[range]),
                Piece::Wrong { title, range } => format!("!{title} {}!", &text[range]),
            })
            .collect()
    }

    #[test]
    fn texts_are_taken_apart() {
        assert_eq!(told(""), [""; 0]);
        assert_eq!(told("a } b"), ["a } b"]);
        assert_eq!(
            told("a{{ x }}b{{matrix.os}}"),
            ["a", "<x {{ x }}>", "b", "<matrix.os {{matrix.os}}>"]
        );
        assert_eq!(told("{{{{.Name}}"), ["{{", ".Name}}"]);
        assert_eq!(told("{{ a"), ["!`{{` is not closed {{!", " a"]);
        assert_eq!(
            told("{{.A}}{{}}"),
            [
                "!`.A` is not the name of a variable {{.A}}!",
                "!there is no name between these braces {{}}!"
            ]
        );
    }
}
