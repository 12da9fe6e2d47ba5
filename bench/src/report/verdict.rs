//! Whether a bar is met. Pure.

use crate::{
    harness::Measured,
    plan::{Bar, Limit},
    statistics,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Met,
    Missed,
    /// Nothing was measured to judge by.
    Unknown,
}

/// Judges one bar by what was measured of its row.
pub(crate) fn judge(measured: &Measured, bar: &Bar) -> Verdict {
    let ratios = statistics::present(&measured.ratios(bar.engine, bar.metric));
    let values = measured
        .series_of(bar.engine, bar.metric)
        .map(|series| statistics::present(&series.values))
        .unwrap_or_default();
    let met = match bar.limit {
        Limit::RatioAtMost(limit) => statistics::median(&ratios).map(|ratio| ratio <= limit),
        Limit::RatioAtLeast(limit) => statistics::median(&ratios).map(|ratio| ratio >= limit),
        Limit::MedianAtMost(limit) => statistics::median(&values).map(|value| value <= limit),
        Limit::EachAtMost(limit) => statistics::max(&values).map(|value| value <= limit),
    };
    match met {
        Some(true) => Verdict::Met,
        Some(false) => Verdict::Missed,
        None => Verdict::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        harness::Series,
        plan::{Row, Unit},
    };

    fn measured() -> Measured {
        let mut measured = Measured::new(Row {
            name: "row".to_owned(),
            engines: vec!["base", "ours"],
            baseline: "base",
            bars: Vec::new(),
            counted: true,
        });
        for (engine, values) in [("base", [10.0, 10.0, 20.0]), ("ours", [5.0, 9.0, 10.0])] {
            measured.series.push(Series {
                engine: engine.to_owned(),
                metric: "time".to_owned(),
                unit: Unit::Nanoseconds,
                headline: true,
                values: values.into_iter().map(Some).collect(),
            });
        }
        measured
    }

    fn check(limit: Limit, expected: Verdict) {
        let bar = Bar {
            engine: "ours",
            metric: "time",
            limit,
        };
        assert_eq!(judge(&measured(), &bar), expected, "{limit:?}");
    }

    #[test]
    fn each_kind_of_limit() {
        check(Limit::RatioAtMost(0.5), Verdict::Met);
        check(Limit::RatioAtMost(0.4), Verdict::Missed);
        check(Limit::RatioAtLeast(0.5), Verdict::Met);
        check(Limit::RatioAtLeast(0.6), Verdict::Missed);
        check(Limit::MedianAtMost(9.0), Verdict::Met);
        check(Limit::MedianAtMost(8.9), Verdict::Missed);
        check(Limit::EachAtMost(10.0), Verdict::Met);
        check(Limit::EachAtMost(9.0), Verdict::Missed);
    }

    #[test]
    fn what_was_not_measured_is_unknown() {
        let bar = Bar {
            engine: "theirs",
            metric: "time",
            limit: Limit::EachAtMost(1.0),
        };
        assert_eq!(judge(&measured(), &bar), Verdict::Unknown);
    }
}
