//! Figures over all counted rows: the geometric mean of the ratios, run by run,
//! and the worst row's ratio.

use super::{BUSY2, METRIC};
use crate::{
    engine::{ASYNC_EXECUTOR, ATS, TOKIO},
    harness::{Measured, Series},
    plan::{Bar, Limit, Row, Unit},
    statistics,
};

const SUMMARY_METRIC: &str = "ratio_to_tokio";

pub(super) fn of(measured: &[Measured]) -> Vec<Measured> {
    let counted: Vec<&Measured> = measured
        .iter()
        .filter(|of_row| of_row.row.counted)
        .collect();
    if counted.is_empty() {
        return Vec::new();
    }
    let mut usual = counted.clone();
    usual.retain(|of_row| of_row.row.name != BUSY2);
    vec![
        row("geometric_mean", Some(0.5), |engine| {
            mean_by_run(&counted, engine)
        }),
        row("geometric_mean_without_busy2", None, |engine| {
            mean_by_run(&usual, engine)
        }),
        row("worst_row", Some(0.8), |engine| {
            vec![worst(&counted, engine)]
        }),
    ]
}

fn row(name: &str, limit: Option<f64>, values: impl Fn(&str) -> Vec<Option<f64>>) -> Measured {
    let bar = limit.map(|limit| Bar {
        engine: ATS,
        metric: SUMMARY_METRIC,
        limit: Limit::MedianAtMost(limit),
    });
    let engines = vec![ATS, ASYNC_EXECUTOR];
    let series = engines.iter().map(|engine| Series {
        engine: (*engine).to_owned(),
        metric: SUMMARY_METRIC.to_owned(),
        unit: Unit::Ratio,
        headline: true,
        values: values(engine),
    });
    Measured {
        series: series.collect(),
        failures: Vec::new(),
        row: Row {
            name: name.to_owned(),
            engines,
            baseline: TOKIO,
            bars: bar.into_iter().collect(),
            counted: false,
        },
    }
}

/// The geometric mean over the rows for each run; none where a row failed.
fn mean_by_run(rows: &[&Measured], engine: &str) -> Vec<Option<f64>> {
    let by_row: Vec<_> = rows.iter().map(|row| row.ratios(engine, METRIC)).collect();
    let runs = by_row.iter().map(Vec::len).max().unwrap_or(0);
    let mean = |run: usize| {
        let of_run = by_row.iter().map(|row| row.get(run).copied().flatten());
        let ratios: Option<Vec<f64>> = of_run.collect();
        statistics::geometric_mean(&ratios?)
    };
    (0..runs).map(mean).collect()
}

/// The largest of the rows' ratios, each the median of its pairs of runs.
fn worst(rows: &[&Measured], engine: &str) -> Option<f64> {
    let medians = rows
        .iter()
        .filter_map(|row| statistics::median(&statistics::present(&row.ratios(engine, METRIC))));
    statistics::max(&medians.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(name: &str, tokio: [f64; 2], ats: [f64; 2], counted: bool) -> Measured {
        let mut measured = Measured::new(Row {
            name: name.to_owned(),
            engines: vec![TOKIO, ATS],
            baseline: TOKIO,
            bars: Vec::new(),
            counted,
        });
        for (engine, values) in [(TOKIO, tokio), (ATS, ats)] {
            measured.series.push(Series {
                engine: engine.to_owned(),
                metric: METRIC.to_owned(),
                unit: Unit::Nanoseconds,
                headline: true,
                values: values.map(Some).to_vec(),
            });
        }
        measured
    }

    fn values(summary: &Measured) -> Vec<Option<f64>> {
        let series = summary.series_of(ATS, SUMMARY_METRIC).unwrap();
        series.values.clone()
    }

    #[test]
    fn counted_rows_are_folded_and_others_are_not() {
        let rows = [
            measured("one", [10.0, 10.0], [5.0, 10.0], true),
            measured(BUSY2, [10.0, 10.0], [20.0, 10.0], true),
            measured("extra", [10.0, 10.0], [90.0, 90.0], false),
        ];
        let summary = of(&rows);
        assert_eq!(values(&summary[0]), [Some(1.0), Some(1.0)]);
        assert_eq!(values(&summary[1]), [Some(0.5), Some(1.0)]);
        assert_eq!(values(&summary[2]), [Some(1.5)]);
    }

    #[test]
    fn without_counted_rows_there_is_no_summary() {
        assert!(of(&[measured("extra", [1.0, 1.0], [1.0, 1.0], false)]).is_empty());
    }
}
