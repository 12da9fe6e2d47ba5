//! Values put where texts name them.

use std::borrow::Cow;
use std::ops::Range;

use super::declared::{Name, Need};
use super::mistakes::Mistake;
use super::shell::{Scanner, quoted};
use super::sources::{Sources, Spot, Text};
use super::template::{ESCAPE, Piece, has_variables, pieces};
use super::variables::{ScopeId, Scopes};

/// A longer text is no longer what anybody meant: variables of variables grow quickly.
pub(super) const LENGTH: usize = 1 << 20;

/// All that can be named at one place: the values of an instance, then the variables of a scope.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) scopes: &'a Scopes,
    pub(super) scope: ScopeId,
    pub(super) matrix: &'a [(&'a str, &'a str)],
}

impl<'a> Known<'a> {
    fn value(&self, name: &str) -> Option<&'a str> {
        match name.strip_prefix("matrix.") {
            Some(key) => {
                let mut lists = self.matrix.iter();
                lists.find(|(own, _)| *own == key).map(|(_, value)| *value)
            }
            None => self.scopes.value(self.scope, name),
        }
    }

    fn names(&self) -> Vec<Cow<'a, str>> {
        let lists = self.matrix.iter();
        let lists = lists.map(|(key, _)| Cow::Owned(format!("matrix.{key}")));
        lists
            .chain(self.scopes.names(self.scope).map(Cow::Borrowed))
            .collect()
    }
}

/// Fills texts in, and notes what is wrong with them.
pub(super) struct Filler<'a> {
    pub(super) sources: &'a Sources,
    pub(super) mistakes: &'a mut Vec<Mistake>,
}

impl Filler<'_> {
    /// The text with values put in as they are.
    pub(super) fn data(&mut self, text: Text, known: Known<'_>) -> String {
        self.fill(text, known, |value| Cow::Borrowed(value))
    }

    /// A pattern for files in which values mean their own characters.
    pub(super) fn pattern(&mut self, text: Text, known: Known<'_>) -> String {
        self.fill(text, known, |value| {
            Cow::Owned(glob::Pattern::escape(value))
        })
    }

    /// The need with its name filled in.
    pub(super) fn need(&mut self, need: Need, known: Known<'_>) -> Need {
        let Name::Own(text) = need.name else {
            return need;
        };
        let spot = need.spot;
        let name = Name::Own(self.data(Text { text, spot }, known));
        Need { name, spot }
    }

    fn fill(&mut self, text: Text, known: Known<'_>, put: impl Fn(&str) -> Cow<'_, str>) -> String {
        if !has_variables(&text.text) {
            return text.text;
        }
        let mut out = String::new();
        for piece in pieces(&text.text) {
            match piece {
                Piece::Plain(plain) => out.push_str(plain),
                Piece::Variable { name, range } => {
                    if let Some(value) = self.look_up(&text, name, range, known) {
                        out.push_str(&put(value));
                    }
                }
                Piece::Wrong { range, title } => self.wrong(&text, range, title),
            }
            if out.len() > LENGTH {
                self.mistakes.push(too_long(text.spot));
                return String::new();
            }
        }
        out
    }

    /// Shell text in which each value is one word, whatever is in it.
    pub(super) fn shell(&mut self, text: Text, known: Known<'_>) -> String {
        if !has_variables(&text.text) {
            return text.text;
        }
        let mut out = String::new();
        let mut scanner = Scanner::default();
        for piece in pieces(&text.text) {
            match piece {
                Piece::Plain(plain) => {
                    scanner.follow(plain);
                    out.push_str(plain);
                }
                Piece::Variable { name, range } => {
                    let value = self.look_up(&text, name, range.clone(), known);
                    match scanner.value() {
                        Ok(()) => out.push_str(&quoted(value.unwrap_or_default())),
                        Err(why) => self.refuse(&text, name, range, why),
                    }
                }
                Piece::Wrong { range, title } => self.wrong(&text, range, title),
            }
            if out.len() > LENGTH {
                self.mistakes.push(too_long(text.spot));
                return String::new();
            }
        }
        out
    }

    fn refuse(&mut self, text: &Text, name: &str, range: Range<usize>, why: &str) {
        let spot = self.sources.part(text, range);
        let variable: String = name
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() {
                    c.to_ascii_uppercase()
                } else {
                    '_'
                }
            })
            .collect();
        let mistake = Mistake::new(spot, format!("`{name}` cannot stand {why}"))
            .label("its value could end what is open here")
            .help(format!(
                "write it outside of quotes, where it becomes one word by itself; or put it into \
                 `env` and use that\nenv = {{ {variable} = \"{{{{ {name} }}}}\" }}"
            ));
        self.mistakes.push(mistake);
    }

    fn look_up<'k>(
        &mut self,
        text: &Text,
        name: &str,
        range: Range<usize>,
        known: Known<'k>,
    ) -> Option<&'k str> {
        let value = known.value(name);
        if value.is_none() {
            let names = known.names();
            let near = crate::text::nearest(name, names.iter().map(AsRef::as_ref));
            let help = match near {
                Some(near) => format!("did you mean `{near}`? {ESCAPE}"),
                None if names.is_empty() => {
                    format!("declare it: add a table `vars` to the file; {ESCAPE}")
                }
                None => format!("the variables here are {}; {ESCAPE}", names.join(", ")),
            };
            let title = format!("there is no variable `{name}`");
            let mistake = Mistake::new(self.sources.part(text, range), title).help(help);
            self.mistakes.push(mistake);
        }
        value
    }

    fn wrong(&mut self, text: &Text, range: Range<usize>, title: String) {
        let spot = self.sources.part(text, range);
        self.mistakes.push(Mistake::new(spot, title).help(ESCAPE));
    }
}

fn too_long(spot: Spot) -> Mistake {
    let title = "with its variables filled in this is longer than a million bytes";
    Mistake::new(spot, title)
}
