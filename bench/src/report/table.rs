//! Tables in plain text: one line a headline, then the other figures with a
//! column a metric.

use super::{
    quantity::quantity,
    verdict::{Verdict, judge},
};
use crate::{
    harness::{Measured, Series},
    plan::{Bar, Limit},
    statistics,
};

/// The main table: row, engine, metric, median, min, max, ratio, bar.
pub(crate) fn headlines(measured: &[Measured]) -> Vec<String> {
    let titles = [
        "row", "engine", "metric", "median", "min", "max", "ratio", "bar", "",
    ];
    let mut lines = vec![titles.map(str::to_owned).to_vec()];
    for of_row in measured {
        let mut series: Vec<_> = of_row.series.iter().filter(|s| s.headline).collect();
        // By metric, so that the engines that are compared stand together.
        let order: Vec<_> = series.iter().map(|s| s.metric.clone()).collect();
        series.sort_by_key(|s| order.iter().position(|metric| *metric == s.metric));
        lines.extend(series.iter().map(|series| headline(of_row, series)));
    }
    aligned(&lines)
}

fn headline(measured: &Measured, series: &Series) -> Vec<String> {
    let values = statistics::present(&series.values);
    let shown = |value: Option<f64>| value.map_or("-".to_owned(), |v| quantity(v, series.unit));
    let ratios = statistics::present(&measured.ratios(&series.engine, &series.metric));
    let ratio = statistics::median(&ratios).map_or(String::new(), |ratio| format!("{ratio:.3}"));
    let bar = measured
        .row
        .bars
        .iter()
        .find(|bar| bar.engine == series.engine && bar.metric == series.metric);
    vec![
        measured.row.name.clone(),
        series.engine.clone(),
        series.metric.clone(),
        shown(statistics::median(&values)),
        shown(statistics::min(&values)),
        shown(statistics::max(&values)),
        ratio,
        bar.map_or(String::new(), |bar| bar_text(bar, series)),
        bar.map_or("", |bar| verdict_text(judge(measured, bar)))
            .to_owned(),
    ]
}

fn bar_text(bar: &Bar, series: &Series) -> String {
    match bar.limit {
        Limit::RatioAtMost(limit) => format!("ratio <= {limit}"),
        Limit::RatioAtLeast(limit) => format!("ratio >= {limit}"),
        Limit::MedianAtMost(limit) => format!("<= {}", quantity(limit, series.unit)),
        Limit::EachAtMost(limit) => format!("each <= {}", quantity(limit, series.unit)),
    }
}

fn verdict_text(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Met => "met",
        Verdict::Missed => "MISSED",
        Verdict::Unknown => "not measured",
    }
}

/// The second table: medians of everything else. Empty when there is nothing.
pub(crate) fn details(measured: &[Measured]) -> Vec<String> {
    let mut metrics: Vec<&str> = Vec::new();
    for series in measured.iter().flat_map(|of_row| &of_row.series) {
        if !series.headline && !metrics.contains(&series.metric.as_str()) {
            metrics.push(&series.metric);
        }
    }
    if metrics.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![vec!["row".to_owned(), "engine".to_owned()]];
    lines[0].extend(metrics.iter().map(|metric| (*metric).to_owned()));
    for of_row in measured {
        for engine in &of_row.row.engines {
            lines.extend(detail(of_row, engine, &metrics));
        }
    }
    let mut text = vec![String::new(), "Also measured (medians):".to_owned()];
    text.extend(aligned(&lines));
    text
}

fn detail(measured: &Measured, engine: &str, metrics: &[&str]) -> Option<Vec<String>> {
    let cells: Vec<_> = metrics
        .iter()
        .map(|metric| {
            let series = measured.series_of(engine, metric)?;
            let median = statistics::median(&statistics::present(&series.values))?;
            Some(quantity(median, series.unit))
        })
        .collect();
    if cells.iter().all(Option::is_none) {
        return None;
    }
    let mut line = vec![measured.row.name.clone(), engine.to_owned()];
    line.extend(cells.into_iter().map(|cell| cell.unwrap_or("-".to_owned())));
    Some(line)
}

/// Pads every column to its widest cell, and draws a line under the titles.
fn aligned(lines: &[Vec<String>]) -> Vec<String> {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text: Vec<String> = lines.iter().map(|line| padded(line, &widths)).collect();
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    text.insert(1, rule.join("  "));
    text
}

fn padded(line: &[String], widths: &[usize]) -> String {
    let cells: Vec<String> = line
        .iter()
        .zip(widths)
        .map(|(cell, width)| format!("{cell:<width$}"))
        .collect();
    cells.join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Row, Unit};

    fn series(engine: &str, metric: &str, headline: bool, value: f64) -> Series {
        Series {
            engine: engine.to_owned(),
            metric: metric.to_owned(),
            unit: Unit::Nanoseconds,
            headline,
            values: vec![Some(value)],
        }
    }

    fn measured() -> Measured {
        let mut measured = Measured::new(Row {
            name: "ping_pong".to_owned(),
            engines: vec!["tokio", "ats"],
            baseline: "tokio",
            bars: vec![Bar {
                engine: "ats",
                metric: "time",
                limit: Limit::RatioAtMost(0.8),
            }],
            counted: true,
        });
        measured.series.push(series("tokio", "time", true, 100.0));
        measured.series.push(series("tokio", "worst", false, 900.0));
        measured.series.push(series("ats", "time", true, 50.0));
        measured
    }

    #[test]
    fn headlines_show_ratio_bar_and_verdict() {
        assert_eq!(
            headlines(&[measured()]),
            [
                "row        engine  metric  median   min      max      ratio  bar",
                "---------  ------  ------  -------  -------  -------  -----  ------------  ---",
                "ping_pong  tokio   time    100 ns   100 ns   100 ns",
                "ping_pong  ats     time    50.0 ns  50.0 ns  50.0 ns  0.500  ratio <= 0.8  met",
            ]
        );
    }

    #[test]
    fn details_have_a_column_a_metric_and_skip_engines_without() {
        assert_eq!(
            details(&[measured()])[2..],
            [
                "row        engine  worst",
                "---------  ------  ------",
                "ping_pong  tokio   900 ns",
            ]
        );
    }
}
