//! From YAML 1.2 to the common tree, with the types of its core schema.
//!
//! An alias stands for a copy of what its anchor names. Copies are counted, so that a few lines
//! of aliases of aliases cannot fill the memory. Tags and second documents are refused: nothing
//! of ours would know what to do with them.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::{DEPTH, Document, Key, Kind, Node, Table};
use crate::taskfile::mistakes::Mistake;
use crate::taskfile::sources::Spot;

/// How many values aliases may stand for in one file.
const COPIES: usize = 1_000_000;

/// Parses a text up to the first place that is not YAML.
pub(in crate::taskfile) fn parse(source: u32, text: &str) -> Document<'_> {
    let mut builder = Builder {
        source,
        offsets: Offsets::of(text),
        open: Vec::new(),
        root: None,
        anchors: HashMap::new(),
        copies: 0,
        documents: 0,
        mistakes: Vec::new(),
    };
    let mut parser = Parser::new_from_str(text);
    while let Some(next) = parser.next_event() {
        match next {
            Ok((event, span)) => {
                if builder.take(event, span).is_none() {
                    break;
                }
            }
            Err(error) => {
                let at = builder.offsets.byte(error.marker().index());
                let spot = builder.spot(at..at);
                builder.mistakes.push(Mistake::new(spot, error.info()));
                break;
            }
        }
    }
    builder.finish(text.len())
}

/// A list or table that has not been closed.
enum Open<'s> {
    List {
        items: Vec<Node<'s>>,
        start: u32,
        anchor: usize,
    },
    Table {
        entries: Table<'s>,
        names: HashSet<Cow<'s, str>>,
        key: Option<Key<'s>>,
        start: u32,
        anchor: usize,
    },
}

struct Builder<'s> {
    source: u32,
    offsets: Offsets<'s>,
    open: Vec<Open<'s>>,
    root: Option<Node<'s>>,
    anchors: HashMap<usize, Node<'s>>,
    copies: usize,
    documents: usize,
    mistakes: Vec<Mistake>,
}

impl<'s> Builder<'s> {
    fn spot(&self, range: Range<usize>) -> Spot {
        Spot {
            source: self.source,
            start: range.start as u32,
            end: range.end as u32,
        }
    }

    fn spot_of(&self, span: Span) -> Spot {
        let start = self.offsets.byte(span.start.index());
        self.spot(start..self.offsets.byte(span.end.index()).max(start))
    }

    /// Takes in an event; `None` if it is no use to go on.
    fn take(&mut self, event: Event<'s>, span: Span) -> Option<()> {
        let spot = self.spot_of(span);
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    let mistake = Mistake::new(spot, "a second document begins here")
                        .help("a file of tasks is one document; take the `---` out");
                    self.mistakes.push(mistake);
                    return None;
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), spot);
                let kind = match style {
                    ScalarStyle::Plain => plain(text),
                    _ => Kind::Text(text),
                };
                self.add(Node { kind, spot }, anchor);
            }
            Event::Alias(anchor) => {
                let node = self.copy(anchor, spot)?;
                self.add(node, 0);
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(tag.as_deref(), spot);
                let (items, start) = (Vec::new(), spot.start);
                self.descend(
                    Open::List {
                        items,
                        start,
                        anchor,
                    },
                    spot,
                )?;
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(tag.as_deref(), spot);
                let open = Open::Table {
                    entries: Vec::new(),
                    names: HashSet::new(),
                    key: None,
                    start: spot.start,
                    anchor,
                };
                self.descend(open, spot)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(spot.end),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Some(())
    }

    fn descend(&mut self, open: Open<'s>, spot: Spot) -> Option<()> {
        if self.open.len() >= DEPTH {
            self.mistakes.push(super::too_deep(spot));
            return None;
        }
        self.open.push(open);
        Some(())
    }

    fn close(&mut self, end: u32) {
        let (kind, start, anchor) = match self.open.pop() {
            Some(Open::List {
                items,
                start,
                anchor,
            }) => (Kind::List(items), start, anchor),
            Some(Open::Table {
                entries,
                start,
                anchor,
                ..
            }) => (Kind::Table(entries), start, anchor),
            None => return,
        };
        let spot = self.spot(start as usize..end.max(start) as usize);
        self.add(Node { kind, spot }, anchor);
    }

    /// Puts a value where it belongs: in the innermost list or table, or as the document.
    fn add(&mut self, node: Node<'s>, anchor: usize) {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Table {
                entries,
                names,
                key,
                ..
            }) => match key.take() {
                None => match as_key(node) {
                    Ok(new) => *key = Some(new),
                    Err(spot) => {
                        *key = Some(Key {
                            text: Cow::Borrowed(""),
                            spot,
                        });
                        self.mistakes
                            .push(Mistake::new(spot, "a key must be a plain word or a string"));
                    }
                },
                Some(key) if names.insert(key.text.clone()) => entries.push((key, node)),
                Some(key) => self.mistakes.push(Mistake::new(key.spot, "duplicate key")),
            },
        }
    }

    fn copy(&mut self, anchor: usize, spot: Spot) -> Option<Node<'s>> {
        let Some(node) = self.anchors.get(&anchor) else {
            let title = "this alias stands inside of what it names";
            self.mistakes.push(Mistake::new(spot, title));
            return None;
        };
        let (size, depth) = measure(node);
        self.copies += size;
        if self.copies > COPIES {
            let title = "the aliases up to here stand for more than a million values";
            self.mistakes.push(Mistake::new(spot, title));
            return None;
        }
        if self.open.len() + depth > DEPTH {
            self.mistakes.push(super::too_deep(spot));
            return None;
        }
        Some(node.clone())
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, spot: Spot) {
        if let Some(tag) = tag {
            let tag = match tag.is_yaml_core_schema() {
                true => format!("!!{}", tag.suffix),
                false => tag.to_string(),
            };
            let title = format!("the tag `{tag}` means nothing here");
            let help = "take it out; put a value in quotes to make it a string";
            self.mistakes.push(Mistake::new(spot, title).help(help));
        }
    }

    fn finish(mut self, length: usize) -> Document<'s> {
        // What was open when parsing ended is kept: its mistakes can be told as well.
        while !self.open.is_empty() {
            self.close(length as u32);
        }
        let whole = self.spot(0..length);
        let empty = Node {
            kind: Kind::Table(Vec::new()),
            spot: whole,
        };
        let root = match self.root {
            Some(Node {
                kind: Kind::Other("null"),
                ..
            })
            | None => empty,
            Some(root) => root,
        };
        Document {
            root,
            mistakes: self.mistakes,
        }
    }
}

/// The type of an unquoted word.
fn plain(text: Cow<'_, str>) -> Kind<'_> {
    match text.as_ref() {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Other("null"),
        "true" | "True" | "TRUE" => Kind::Boolean(true),
        "false" | "False" | "FALSE" => Kind::Boolean(false),
        word => match number(word) {
            Some(kind) => kind,
            None => Kind::Text(text),
        },
    }
}

fn number(word: &str) -> Option<Kind<'static>> {
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    let radix = |prefix: &str, radix: u32| {
        let digits = word.strip_prefix(prefix)?;
        let fits = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
        fits.then(|| Kind::Integer(i64::from_str_radix(digits, radix).ok()))
    };
    if let Some(kind) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Some(kind);
    }
    if !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Kind::Integer(word.parse().ok()));
    }
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Some(Kind::Float(f64::INFINITY));
    }
    if matches!(word, ".nan" | ".NaN" | ".NAN") {
        return Some(Kind::Float(f64::NAN));
    }
    let numeric = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    let float = numeric.then(|| word.parse::<f64>().ok()).flatten()?;
    Some(Kind::Float(float))
}

/// A key in the words of the file; the place of what cannot be one.
fn as_key(node: Node<'_>) -> Result<Key<'_>, Spot> {
    let text = match node.kind {
        Kind::Text(text) => text,
        Kind::Integer(Some(number)) => Cow::Owned(number.to_string()),
        Kind::Boolean(boolean) => Cow::Owned(boolean.to_string()),
        _ => return Err(node.spot),
    };
    let spot = node.spot;
    Ok(Key { text, spot })
}

/// How many values there are in a value, itself included, and how deep they nest.
fn measure(node: &Node<'_>) -> (usize, usize) {
    let mut open = vec![(node, 1)];
    let (mut size, mut deepest) = (0, 0);
    while let Some((node, depth)) = open.pop() {
        size += 1;
        deepest = deepest.max(depth);
        match &node.kind {
            Kind::List(items) => open.extend(items.iter().map(|item| (item, depth + 1))),
            Kind::Table(table) => open.extend(table.iter().map(|(_, item)| (item, depth + 1))),
            _ => {}
        }
    }
    (size, deepest)
}

/// From characters, which the parser counts, to bytes.
struct Offsets<'s> {
    text: &'s str,
    /// The byte at which every 64th character begins; empty where characters are bytes.
    every: Vec<u32>,
}

impl<'s> Offsets<'s> {
    const STEP: usize = 64;

    fn of(text: &'s str) -> Self {
        let every = if text.is_ascii() {
            Vec::new()
        } else {
            let starts = text.char_indices().step_by(Self::STEP);
            starts.map(|(byte, _)| byte as u32).collect()
        };
        Offsets { text, every }
    }

    fn byte(&self, character: usize) -> usize {
        if self.every.is_empty() {
            return character.min(self.text.len());
        }
        let Some(&base) = self.every.get(character / Self::STEP) else {
            return self.text.len();
        };
        let rest = &self.text[base as usize..];
        let within = rest.char_indices().nth(character % Self::STEP);
        base as usize + within.map_or(rest.len(), |(byte, _)| byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written<'t>(text: &'t str, node: &Node<'_>) -> &'t str {
        &text[node.spot.range()]
    }

    #[test]
    fn values_have_the_types_of_the_core_schema_and_their_places() {
        let text = "ä: [yes, true, 1, 0x10, 0o17, 1.5, .inf, 1.2.3, '1', ~, -3, 1e3, 99999999999999999999]";
        let document = parse(0, text);
        assert_eq!(document.mistakes, []);
        let list = document.root.get("ä").and_then(Node::as_list).unwrap();
        let types: Vec<&str> = list.iter().map(Node::type_name).collect();
        assert_eq!(
            types,
            [
                "string", "boolean", "integer", "integer", "integer", "float", "float", "string",
                "string", "null", "integer", "float", "integer"
            ]
        );
        assert_eq!(written(text, &list[1]), "true");
        assert_eq!(written(text, &list[8]), "'1'");
    }

    #[test]
    fn an_alias_is_a_copy_and_copies_are_counted() {
        let document = parse(0, "a: &x [1, 2]\nb: *x\n");
        let list = document.root.get("b").and_then(Node::as_list).unwrap();
        assert_eq!(list.len(), 2);
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let below = format!("*a{}, ", level - 1).repeat(10);
            bomb.push_str(&format!("a{level}: &a{level} [{below}]\n"));
        }
        let document = parse(0, &bomb);
        assert_eq!(
            document.mistakes[0].title,
            "the aliases up to here stand for more than a million values"
        );
    }
}
