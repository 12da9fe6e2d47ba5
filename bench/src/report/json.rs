//! One object a line, for comparing figures between commits.

use serde::Serialize;

use crate::{harness::Measured, plan::Unit, statistics};

/// The fields in the order in which they are printed.
#[derive(Serialize)]
struct Line<'a> {
    group: char,
    row: &'a str,
    engine: &'a str,
    metric: &'a str,
    unit: Unit,
    median: f64,
    min: f64,
    max: f64,
    runs: usize,
}

/// A line for each metric of each engine of each row. `runs` counts those that
/// ended; a metric that no run gave has no line.
pub(crate) fn lines(group: char, measured: &[Measured]) -> Vec<String> {
    let mut lines = Vec::new();
    for of_row in measured {
        for series in &of_row.series {
            let values = statistics::present(&series.values);
            let (Some(median), Some(min), Some(max)) = (
                statistics::median(&values),
                statistics::min(&values),
                statistics::max(&values),
            ) else {
                continue;
            };
            let line = Line {
                group,
                row: &of_row.row.name,
                engine: &series.engine,
                metric: &series.metric,
                unit: series.unit,
                median: rounded(median),
                min: rounded(min),
                max: rounded(max),
                runs: values.len(),
            };
            lines.push(serde_json::to_string(&line).expect("a line is plain data"));
        }
    }
    lines
}

/// Digits that mean nothing only make lines hard to compare.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{harness::Series, plan::Row};

    #[test]
    fn a_line_has_the_agreed_form() {
        let mut measured = Measured::new(Row {
            name: "ping_pong".to_owned(),
            engines: vec!["tokio"],
            baseline: "tokio",
            bars: Vec::new(),
            counted: true,
        });
        measured.series.push(Series {
            engine: "tokio".to_owned(),
            metric: "time_per_op".to_owned(),
            unit: Unit::Nanoseconds,
            headline: true,
            values: vec![Some(3.0), None, Some(1.0), Some(2.000_4)],
        });
        assert_eq!(
            lines('A', &[measured]),
            [concat!(
                r#"{"group":"A","row":"ping_pong","engine":"tokio","metric":"time_per_op","#,
                r#""unit":"ns","median":2.0,"min":1.0,"max":3.0,"runs":3}"#
            )]
        );
    }
}
