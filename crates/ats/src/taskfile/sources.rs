//! The files that are being read: their texts, and places in them.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::model::Place;

/// A stretch of bytes in one of the [`Sources`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Spot {
    /// Which file.
    pub source: u32,
    /// Its first byte.
    pub start: u32,
    /// The byte behind its last.
    pub end: u32,
}

impl Spot {
    /// The bytes, counted from the beginning of the file.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A piece of text from a file, and where it stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Text {
    /// What it means, without quotes and escapes.
    pub text: String,
    /// How it is written.
    pub spot: Spot,
}

/// One file.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file, as people named it.
    pub path: Arc<Path>,
    /// All that stands in it.
    pub text: Arc<str>,
    /// Where each line begins; found out when first asked for.
    lines: Vec<u32>,
}

/// All files that are read together.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
}

impl Sources {
    /// Adds a file; returns its number. A text has less than 4 GiB: files are limited to far less.
    pub fn add(&mut self, path: PathBuf, text: impl Into<Arc<str>>) -> u32 {
        self.files.push(Source {
            path: path.into(),
            text: text.into(),
            lines: Vec::new(),
        });
        (self.files.len() - 1) as u32
    }

    /// The file of this number.
    #[must_use]
    pub fn get(&self, source: u32) -> &Source {
        &self.files[source as usize]
    }

    /// How many files there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The texts of all files.
    #[must_use]
    pub fn texts(&self) -> Vec<Arc<str>> {
        let files = self.files.iter();
        files.map(|file| Arc::clone(&file.text)).collect()
    }

    /// The file and line of a spot.
    pub fn place(&mut self, spot: Spot) -> Place {
        let source = &mut self.files[spot.source as usize];
        if source.lines.is_empty() {
            let newlines = source.text.bytes().zip(1..);
            let behind = newlines.filter(|(byte, _)| *byte == b'\n');
            source.lines = std::iter::once(0)
                .chain(behind.map(|(_, next)| next))
                .collect();
        }
        Place {
            file: Arc::clone(&source.path),
            line: source.lines.partition_point(|&line| line <= spot.start),
        }
    }

    /// The spot of a part of a text: exactly where that can be known, else all of it.
    #[must_use]
    pub fn part(&self, text: &Text, part: Range<usize>) -> Spot {
        let written = &self.get(text.spot.source).text[text.spot.range()];
        // Without escapes in between, what it means is how it is written.
        let found = match written.find(text.text.as_str()) {
            Some(at) => Some(at + part.start),
            None => written.find(&text.text[part.clone()]),
        };
        match found {
            Some(at) => {
                let start = text.spot.start + at as u32;
                Spot {
                    start,
                    end: start + part.len() as u32,
                    ..text.spot
                }
            }
            None => text.spot,
        }
    }
}
