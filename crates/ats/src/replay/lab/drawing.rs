//! Pure: what there is to be drawn, whatever draws it: points for each workflow and policy, and,
//! of a single workflow, who ran where and when.

use std::collections::BTreeMap;
use std::time::Duration;

use super::case::{Case, URGENT};
use super::experiment::Trial;
use super::machine::Schedule;
use super::measure::Summary;
use super::policy::Policy;
use super::table::short_name;
use crate::dispatch::Holds;
use crate::text;

/// Where more tasks ran than this, nobody could tell them apart.
const MOST_BARS: usize = 20_000;

/// Everything that is to be drawn.
#[derive(Debug)]
pub struct Drawing {
    /// One for each size of machine.
    pub comparisons: Vec<Comparison>,
    /// One for each size of machine and policy, if there is only one workflow.
    pub timelines: Vec<Timeline>,
}

/// Makespans over the lower bound on machines of one size.
#[derive(Debug)]
pub struct Comparison {
    /// `8 cores`.
    pub title: String,
    /// The policies.
    pub policies: Vec<Policy>,
    /// Each workflow's name with the number for each policy; the geometric means come last.
    pub rows: Vec<(String, Vec<Option<f64>>)>,
}

/// Who ran where and when.
#[derive(Debug)]
pub struct Timeline {
    /// `8 cores, first come`.
    pub title: String,
    /// How many rows of bars there are.
    pub workers: usize,
    /// When the last bar ends, in seconds.
    pub makespan: f64,
    /// The longest makespan of all timelines, so that all have the same scale.
    pub scale: f64,
    /// What ran.
    pub bars: Vec<Bar>,
    /// How many tasks were left out because there are too many.
    pub left_out: usize,
}

/// A task, or a part of one, on a worker.
#[derive(Debug)]
pub struct Bar {
    /// Which row.
    pub worker: usize,
    /// From then, in seconds,
    pub start: f64,
    /// until then.
    pub end: f64,
    /// What it is called.
    pub name: String,
    /// Which of the classes, by their order; `None` for an urgent task.
    pub class: Option<usize>,
    /// Whether it lies on the longest chain.
    pub is_critical: bool,
}

impl Drawing {
    /// Of these trials.
    #[must_use]
    pub fn new(trials: &[Trial<'_>], summaries: &[Summary]) -> Self {
        let comparisons = summaries.iter().map(|one| comparison(trials, one));
        let is_single = trials.len() == summaries.len();
        let mut timelines: Vec<Timeline> = if is_single {
            trials.iter().flat_map(timelines).collect()
        } else {
            Vec::new()
        };
        let scale = timelines
            .iter()
            .fold(0.0_f64, |most, one| most.max(one.makespan));
        for timeline in &mut timelines {
            timeline.scale = scale;
        }
        Drawing {
            comparisons: comparisons.collect(),
            timelines,
        }
    }
}

fn comparison(trials: &[Trial<'_>], summary: &Summary) -> Comparison {
    let of_machine = trials.iter().filter(|one| one.row.cores == summary.cores);
    let mut rows: Vec<_> = of_machine
        .map(|trial| {
            let outcomes = trial.row.policies.iter();
            let over = outcomes.map(|outcome| outcome.over_lower_bound);
            (short_name(&trial.row.file), over.collect())
        })
        .collect();
    if rows.len() > 1 {
        let means = summary.policies.iter().map(|one| one.geometric_mean);
        rows.push(("geometric mean".to_owned(), means.collect()));
    }
    Comparison {
        title: text::count(summary.cores, "core"),
        policies: summary.policies.iter().map(|one| one.policy).collect(),
        rows,
    }
}

fn timelines<'t>(trial: &'t Trial<'_>) -> impl Iterator<Item = Timeline> + 't {
    let cores = text::count(trial.row.cores, "core");
    let critical = critical(&trial.case);
    let classes = classes(&trial.case);
    let all = trial.row.policies.iter().zip(&trial.schedules);
    all.map(move |(outcome, schedule)| {
        let policy = outcome.policy.name();
        let title = format!("{cores}, {policy}");
        timeline(title, &trial.case, schedule, &classes, &critical)
    })
}

fn timeline(
    title: String,
    case: &Case<'_>,
    schedule: &Schedule,
    classes: &BTreeMap<&str, usize>,
    critical: &[bool],
) -> Timeline {
    let holds = |node: u32| case.plan.nodes[node as usize].holds;
    let of_kind = |kind| {
        let pieces = schedule.pieces.iter();
        let workers = pieces.filter(move |piece| holds(piece.node) == kind);
        workers.map(|piece| piece.worker as usize + 1).max()
    };
    let computing = of_kind(Holds::Place).unwrap_or(0);
    let bars = schedule.pieces.iter().take(MOST_BARS).map(|piece| {
        let node = &case.plan.nodes[piece.node as usize];
        let first = match node.holds {
            Holds::WaitingPlace => computing,
            Holds::Place | Holds::Nothing => 0,
        };
        Bar {
            worker: first + piece.worker as usize,
            start: piece.start.as_secs_f64(),
            end: piece.end.as_secs_f64(),
            name: text::printable(node.name).into_owned(),
            class: (node.class != URGENT).then(|| classes[node.class]),
            is_critical: critical[piece.node as usize],
        }
    });
    Timeline {
        title,
        workers: computing + of_kind(Holds::WaitingPlace).unwrap_or(0),
        makespan: schedule.makespan.as_secs_f64(),
        scale: 0.0,
        bars: bars.collect(),
        left_out: schedule.pieces.len().saturating_sub(MOST_BARS),
    }
}

/// The classes in the order of their names.
fn classes<'c>(case: &'c Case<'_>) -> BTreeMap<&'c str, usize> {
    let names = case.plan.nodes.iter().map(|node| (node.class, 0));
    let mut classes: BTreeMap<&str, usize> = names.collect();
    for (place, number) in classes.values_mut().enumerate() {
        *number = place;
    }
    classes
}

/// Of the recorded tasks; the arrival of the last urgent one would be the longest chain mostly.
fn critical(case: &Case<'_>) -> Vec<bool> {
    let mut critical = vec![false; case.durations.len()];
    let mut durations = case.durations.clone();
    durations[case.recorded()..].fill(Duration::ZERO);
    for node in case.plan.shape.critical_path(&durations) {
        critical[node as usize] = true;
    }
    critical
}
