//! From JSON to the common tree.
//!
//! `serde_json` hands out each value's own text, whose place in the whole is where it points. Each
//! level is looked at once for every level above it, which files of ours have few of.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{DEPTH, Document, Key, Kind, Node};
use crate::taskfile::mistakes::Mistake;
use crate::taskfile::sources::Spot;

/// Parses a text, or says where it is no JSON.
pub(in crate::taskfile) fn parse(source: u32, text: &str) -> Document<'_> {
    let mut conversion = Conversion {
        source,
        text,
        mistakes: Vec::new(),
    };
    let root = match serde_json::from_str::<&RawValue>(text) {
        Ok(raw) => conversion.node(raw, 0),
        Err(error) => {
            conversion.refuse(&error);
            Node {
                kind: Kind::Other("something unreadable"),
                spot: conversion.spot(text),
            }
        }
    };
    Document {
        root,
        mistakes: conversion.mistakes,
    }
}

struct Conversion<'s> {
    source: u32,
    text: &'s str,
    mistakes: Vec<Mistake>,
}

impl<'s> Conversion<'s> {
    /// The place of a part of the text.
    fn spot(&self, part: &str) -> Spot {
        let start = part.as_ptr().addr() - self.text.as_ptr().addr();
        Spot {
            source: self.source,
            start: start as u32,
            end: (start + part.len()) as u32,
        }
    }

    fn refuse(&mut self, error: &serde_json::Error) {
        let lines = self.text.split_inclusive('\n');
        let before: usize = lines
            .take(error.line().saturating_sub(1))
            .map(str::len)
            .sum();
        let at = (before + error.column().saturating_sub(1)).min(self.text.len());
        let spot = Spot {
            source: self.source,
            start: at as u32,
            end: at as u32,
        };
        let message = error.to_string();
        let bare = message.split(" at line ").next().unwrap_or_default();
        let title = format!("this is not JSON: {bare}");
        self.mistakes.push(Mistake::new(spot, title));
    }

    fn node(&mut self, raw: &'s RawValue, depth: usize) -> Node<'s> {
        let text = raw.get();
        let spot = self.spot(text);
        if depth > DEPTH {
            self.mistakes.push(super::too_deep(spot));
            let kind = Kind::Other("something nested too deep");
            return Node { kind, spot };
        }
        let kind = match text.as_bytes().first() {
            Some(b'{') => self.table(text, depth),
            Some(b'[') => match serde_json::from_str::<Vec<&RawValue>>(text) {
                Ok(items) => Kind::List(
                    items
                        .into_iter()
                        .map(|item| self.node(item, depth + 1))
                        .collect(),
                ),
                Err(error) => self.unreadable(&error),
            },
            Some(b'"') => match serde_json::from_str::<String>(text) {
                Ok(text) => Kind::Text(Cow::Owned(text)),
                Err(error) => self.unreadable(&error),
            },
            Some(b't') => Kind::Boolean(true),
            Some(b'f') => Kind::Boolean(false),
            Some(b'n') => Kind::Other("null"),
            _ => match text.parse::<i64>() {
                Ok(integer) => Kind::Integer(Some(integer)),
                Err(_) => Kind::Float(text.parse().unwrap_or(f64::NAN)),
            },
        };
        Node { kind, spot }
    }

    fn unreadable(&mut self, error: &serde_json::Error) -> Kind<'s> {
        self.refuse(error);
        Kind::Other("something unreadable")
    }

    fn table(&mut self, text: &'s str, depth: usize) -> Kind<'s> {
        let entries = match serde_json::from_str::<Entries<'s>>(text) {
            Ok(entries) => entries,
            Err(error) => return self.unreadable(&error),
        };
        let mut table = Vec::with_capacity(entries.0.len());
        for (key, value) in entries.0 {
            let spot = self.spot(key.get());
            let text = serde_json::from_str::<String>(key.get()).unwrap_or_default();
            let key = Key {
                text: Cow::Owned(text),
                spot,
            };
            table.push((key, self.node(value, depth + 1)));
        }
        Kind::Table(table)
    }
}

/// The keys and values of an object, each as it is written.
struct Entries<'s>(Vec<(&'s RawValue, &'s RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_its_place() {
        let text = "{\"a\": [1, {\"b\": \"x\\u0041\"}],\n \"c\": true}";
        let document = parse(0, text);
        assert_eq!(document.mistakes, []);
        let list = document.root.get("a").and_then(Node::as_list).unwrap();
        let inner = list[1].get("b").unwrap();
        assert_eq!(inner.as_text(), Some("xA"));
        assert_eq!(&text[inner.spot.range()], "\"x\\u0041\"");
        let table = document.root.as_table().unwrap();
        assert_eq!(&text[table[1].0.spot.range()], "\"c\"");
    }

    #[test]
    fn deep_nesting_is_a_mistake() {
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(
            parse(0, &deep).mistakes[0].title,
            "values are nested more than 64 deep"
        );
        assert!(!parse(0, &"[".repeat(1_000_000)).mistakes.is_empty());
    }
}
