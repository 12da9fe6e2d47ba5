//! What there is to measure: groups of rows, the engines of each row, the
//! readings that a run gives, and the bars that they are held to.

use serde::{Deserialize, Serialize};

use crate::{harness::Measured, scale::Scale};

/// A group of rows, with a letter and a bar of its own.
pub(crate) struct Group {
    pub(crate) letter: char,
    pub(crate) title: &'static str,
    /// Builds what the cells start, before anything is timed.
    pub(crate) prepare: fn() -> Result<(), String>,
    pub(crate) rows: fn() -> Vec<Row>,
    /// Runs one row on one engine, in a process of its own.
    pub(crate) run: fn(row: &str, engine: &str, scale: Scale) -> Vec<Reading>,
    /// Figures over several rows, in the shape of rows.
    pub(crate) summary: fn(&[Measured]) -> Vec<Measured>,
    /// What a reader of the table has to know.
    pub(crate) notes: fn() -> Vec<String>,
    /// How often each engine runs each row when nobody says.
    pub(crate) runs: fn(&Scale) -> u16,
}

impl Group {
    /// The rows whose name contains `part`, or all of them.
    pub(crate) fn rows_named(&self, part: Option<&str>) -> Vec<Row> {
        let mut rows = (self.rows)();
        rows.retain(|row| part.is_none_or(|part| row.name.contains(part)));
        rows
    }
}

/// For groups whose cells start nothing that has to be built.
pub(crate) fn nothing_to_prepare() -> Result<(), String> {
    Ok(())
}

/// One row: the same work on several engines.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// In the order in which they take turns.
    pub(crate) engines: Vec<&'static str>,
    /// The engine that ratios refer to.
    pub(crate) baseline: &'static str,
    pub(crate) bars: Vec<Bar>,
    /// Whether the row is one of those that the summary counts.
    pub(crate) counted: bool,
}

/// A goal for one metric of one engine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bar {
    pub(crate) engine: &'static str,
    pub(crate) metric: &'static str,
    pub(crate) limit: Limit,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Limit {
    /// The ratio to the baseline, median over the pairs of runs.
    RatioAtMost(f64),
    RatioAtLeast(f64),
    /// The median over the runs.
    MedianAtMost(f64),
    /// Every single run.
    EachAtMost(f64),
}

/// One figure from one run.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Reading {
    pub(crate) metric: String,
    pub(crate) unit: Unit,
    pub(crate) value: f64,
    /// Whether it has a line in the main table, or only a column in the second.
    pub(crate) headline: bool,
}

impl Reading {
    pub(crate) fn headline(metric: impl Into<String>, unit: Unit, value: f64) -> Reading {
        Reading {
            metric: metric.into(),
            unit,
            value,
            headline: true,
        }
    }

    pub(crate) fn detail(metric: impl Into<String>, unit: Unit, value: f64) -> Reading {
        Reading {
            headline: false,
            ..Reading::headline(metric, unit, value)
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) enum Unit {
    #[serde(rename = "ns")]
    Nanoseconds,
    #[serde(rename = "1/s")]
    PerSecond,
    #[serde(rename = "count")]
    Count,
    #[serde(rename = "x")]
    Ratio,
}
