//! What TOML, YAML and JSON have in common: values in values, each with its place.

pub(super) mod json;
pub(super) mod toml;
pub(super) mod yaml;

use std::borrow::Cow;

use super::mistakes::Mistake;
use super::sources::{Spot, Text};

/// No file of ours nests deeper than a few levels; this many keep any walk off the stack's end.
pub(super) const DEPTH: usize = 64;

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node<'s> {
    pub(super) kind: Kind<'s>,
    pub(super) spot: Spot,
}

#[derive(Clone, Debug)]
pub(super) enum Kind<'s> {
    Text(Cow<'s, str>),
    /// `None` is beyond what 64 bits hold.
    Integer(Option<i64>),
    Float(f64),
    Boolean(bool),
    List(Vec<Node<'s>>),
    Table(Table<'s>),
    /// Something that no key of ours takes, by the name of its type.
    Other(&'static str),
}

/// Keys and values in the order of the file. No key stands twice.
pub(super) type Table<'s> = Vec<(Key<'s>, Node<'s>)>;

#[derive(Clone, Debug)]
pub(super) struct Key<'s> {
    pub(super) text: Cow<'s, str>,
    pub(super) spot: Spot,
}

impl Key<'_> {
    pub(super) fn to_text(&self) -> Text {
        Text {
            text: self.text.to_string(),
            spot: self.spot,
        }
    }
}

impl<'s> Node<'s> {
    pub(super) fn type_name(&self) -> &'static str {
        match &self.kind {
            Kind::Text(_) => "string",
            Kind::Integer(_) => "integer",
            Kind::Float(_) => "float",
            Kind::Boolean(_) => "boolean",
            Kind::List(_) => "list",
            Kind::Table(_) => "table",
            Kind::Other(name) => name,
        }
    }

    pub(super) fn as_table(&self) -> Option<&Table<'s>> {
        match &self.kind {
            Kind::Table(table) => Some(table),
            _ => None,
        }
    }

    pub(super) fn as_list(&self) -> Option<&[Node<'s>]> {
        match &self.kind {
            Kind::List(list) => Some(list),
            _ => None,
        }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a key, if this is a table that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Node<'s>> {
        let mut entries = self.as_table()?.iter();
        entries
            .find(|(own, _)| own.text == key)
            .map(|(_, node)| node)
    }
}

/// The mistake of nesting deeper than [`DEPTH`].
fn too_deep(spot: Spot) -> Mistake {
    Mistake::new(
        Spot {
            end: spot.start + 1,
            ..spot
        },
        format!("values are nested more than {DEPTH} deep"),
    )
}

/// A document, as far as it could be parsed.
#[derive(Debug)]
pub(super) struct Document<'s> {
    /// Its outermost value, a table in a file of tasks.
    pub(super) root: Node<'s>,
    /// What could not be parsed; if there is any, more may be missing than seems so.
    pub(super) mistakes: Vec<Mistake>,
}
