//! Owns the order of runs: the engines of a row take turns (A, B, A, B, ...), so
//! that a machine that is slow for a while is slow for all of them, and the
//! n-th runs of two engines make a pair whose ratio means something.

use crate::{
    plan::{Reading, Row, Unit},
    statistics,
};

/// Runs one row on one engine once.
pub(crate) trait Runner {
    fn run(&mut self, group: char, row: &str, engine: &str) -> Result<Vec<Reading>, String>;
}

/// A row with what its runs gave.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) row: Row,
    pub(crate) series: Vec<Series>,
    pub(crate) failures: Vec<Failure>,
}

/// One metric of one engine over all runs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    pub(crate) engine: String,
    pub(crate) metric: String,
    pub(crate) unit: Unit,
    pub(crate) headline: bool,
    /// By run; `None` where the run failed.
    pub(crate) values: Vec<Option<f64>>,
}

/// A run that crashed or hung.
#[derive(Debug, PartialEq)]
pub(crate) struct Failure {
    pub(crate) engine: String,
    pub(crate) run: usize,
    pub(crate) reason: String,
}

impl Measured {
    pub(crate) fn new(row: Row) -> Measured {
        Measured {
            row,
            series: Vec::new(),
            failures: Vec::new(),
        }
    }

    pub(crate) fn series_of(&self, engine: &str, metric: &str) -> Option<&Series> {
        self.series
            .iter()
            .find(|series| series.engine == engine && series.metric == metric)
    }

    /// Run by run, the metric of `engine` over that of the row's baseline.
    /// Nothing for the baseline itself and for engines without such a peer.
    pub(crate) fn ratios(&self, engine: &str, metric: &str) -> Vec<Option<f64>> {
        if engine == self.row.baseline {
            return Vec::new();
        }
        let ours = self.series_of(engine, metric);
        let base = self.series_of(self.row.baseline, metric);
        match (ours, base) {
            (Some(ours), Some(base)) => statistics::pair_ratios(&ours.values, &base.values),
            _ => Vec::new(),
        }
    }

    fn record(&mut self, run: usize, engine: &str, readings: Vec<Reading>) {
        for reading in readings {
            let known = self
                .series
                .iter()
                .position(|series| series.engine == engine && series.metric == reading.metric);
            let index = known.unwrap_or_else(|| {
                self.series.push(Series {
                    engine: engine.to_owned(),
                    metric: reading.metric.clone(),
                    unit: reading.unit,
                    headline: reading.headline,
                    values: Vec::new(),
                });
                self.series.len() - 1
            });
            let values = &mut self.series[index].values;
            values.resize(run, None);
            values.push(Some(reading.value));
        }
    }
}

/// Runs every engine of the row `runs` times, taking turns.
pub(crate) fn measure(group: char, row: Row, runs: u16, runner: &mut impl Runner) -> Measured {
    let mut measured = Measured::new(row);
    for run in 0..usize::from(runs) {
        for engine in measured.row.engines.clone() {
            match runner.run(group, &measured.row.name, engine) {
                Ok(readings) => measured.record(run, engine, readings),
                Err(reason) => measured.failures.push(Failure {
                    engine: engine.to_owned(),
                    run,
                    reason,
                }),
            }
        }
    }
    for series in &mut measured.series {
        series.values.resize(usize::from(runs), None);
    }
    measured
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts its runs and fails the one it was told to.
    struct Script {
        order: Vec<String>,
        failing: usize,
    }

    impl Runner for Script {
        fn run(&mut self, _: char, row: &str, engine: &str) -> Result<Vec<Reading>, String> {
            let run = self.order.len();
            self.order.push(format!("{row}/{engine}"));
            if run == self.failing {
                return Err("crashed".to_owned());
            }
            Ok(vec![Reading::headline(
                "time",
                Unit::Nanoseconds,
                (run + 1) as f64,
            )])
        }
    }

    fn row() -> Row {
        Row {
            name: "row".to_owned(),
            engines: vec!["base", "ours"],
            baseline: "base",
            bars: Vec::new(),
            counted: true,
        }
    }

    #[test]
    fn engines_take_turns_and_pairs_keep_their_run() {
        let mut script = Script {
            order: Vec::new(),
            failing: 2,
        };
        let measured = measure('A', row(), 3, &mut script);
        assert_eq!(
            script.order,
            [
                "row/base", "row/ours", "row/base", "row/ours", "row/base", "row/ours"
            ]
        );
        let base = measured.series_of("base", "time").unwrap();
        assert_eq!(base.values, [Some(1.0), None, Some(5.0)]);
        assert_eq!(
            measured.ratios("ours", "time"),
            [Some(2.0), None, Some(6.0 / 5.0)]
        );
        assert_eq!(measured.ratios("base", "time"), []);
        assert_eq!(measured.failures.len(), 1);
        assert_eq!(measured.failures[0].run, 1);
    }

    #[test]
    fn a_failed_last_run_leaves_a_gap() {
        let mut script = Script {
            order: Vec::new(),
            failing: 3,
        };
        let measured = measure('A', row(), 2, &mut script);
        let ours = measured.series_of("ours", "time").unwrap();
        assert_eq!(ours.values, [Some(2.0), None]);
    }
}
