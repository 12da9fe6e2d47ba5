//! From TOML to the common tree.

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::{DEPTH, Document, Key, Kind, Node};
use crate::taskfile::mistakes::Mistake;
use crate::taskfile::sources::Spot;

/// Parses as much of a text as can be.
pub(in crate::taskfile) fn parse(source: u32, text: &str) -> Document<'_> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut conversion = Conversion {
        source,
        mistakes: Vec::new(),
    };
    for error in &errors {
        let span = error.span().unwrap_or(text.len()..text.len());
        let mistake = Mistake::new(conversion.spot(span), error.message());
        conversion.mistakes.push(mistake);
    }
    let spot = conversion.spot(0..text.len());
    let kind = Kind::Table(conversion.table(document.into_inner(), 0));
    Document {
        root: Node { kind, spot },
        mistakes: conversion.mistakes,
    }
}

struct Conversion {
    source: u32,
    mistakes: Vec<Mistake>,
}

impl Conversion {
    fn spot(&self, span: std::ops::Range<usize>) -> Spot {
        Spot {
            source: self.source,
            start: span.start as u32,
            end: span.end as u32,
        }
    }

    fn table<'s>(&mut self, table: DeTable<'s>, depth: usize) -> super::Table<'s> {
        let mut entries: Vec<_> = table
            .into_iter()
            .map(|(key, value)| (self.key(key), self.node(value, depth + 1)))
            .collect();
        // The parser sorts them by name; what counts is the order of the file.
        entries.sort_unstable_by_key(|(key, _)| key.spot.start);
        entries
    }

    fn key<'s>(&self, key: Spanned<DeString<'s>>) -> Key<'s> {
        Key {
            spot: self.spot(key.span()),
            text: key.into_inner(),
        }
    }

    fn node<'s>(&mut self, value: Spanned<DeValue<'s>>, depth: usize) -> Node<'s> {
        let spot = self.spot(value.span());
        if depth > DEPTH {
            self.mistakes.push(super::too_deep(spot));
            let kind = Kind::Other("something nested too deep");
            return Node { kind, spot };
        }
        let kind = match value.into_inner() {
            DeValue::String(text) => Kind::Text(text),
            DeValue::Integer(integer) => {
                Kind::Integer(i64::from_str_radix(integer.as_str(), integer.radix()).ok())
            }
            DeValue::Float(float) => Kind::Float(float.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(boolean) => Kind::Boolean(boolean),
            DeValue::Datetime(_) => Kind::Other("datetime"),
            DeValue::Array(list) => Kind::List(
                list.into_iter()
                    .map(|item| self.node(item, depth + 1))
                    .collect(),
            ),
            DeValue::Table(table) => Kind::Table(self.table(table, depth)),
        };
        Node { kind, spot }
    }
}
