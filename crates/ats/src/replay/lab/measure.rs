//! Pure: what came of each policy, and what of all files together.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::case::{Bounds, Case};
use super::machine::Schedule;
use super::policy::Policy;

/// One workflow on one machine. Times are seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The file.
    pub file: String,
    /// Which files are runs of one workflow: those of the same number.
    #[serde(skip)]
    pub workflow: usize,
    /// How many tasks were recorded.
    pub tasks: usize,
    /// How many cores the machine has.
    pub cores: usize,
    /// How many other runs of the same workflow there were to learn from.
    pub learned_from: usize,
    /// The longest chain.
    pub critical_path: f64,
    /// All work, spread evenly.
    pub work_over_cores: f64,
    /// The greater of both.
    pub lower_bound: f64,
    /// The mean duration of a recorded task.
    pub mean_task: f64,
    /// How urgent tasks arrived.
    pub urgent: Option<Arrived>,
    /// What came of each policy.
    pub policies: Vec<Outcome>,
}

/// How urgent tasks arrived.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Arrived {
    /// How many a second, on average.
    pub per_second: f64,
    /// Their mean size.
    pub mean_size: f64,
    /// By which they were drawn.
    pub seed: u64,
    /// How many.
    pub tasks: usize,
}

/// What came of one policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// The policy.
    pub policy: Policy,
    /// How long everything took.
    pub makespan: f64,
    /// In proportion to the lower bound, unless that is zero.
    pub over_lower_bound: Option<f64>,
    /// How the urgent tasks fared, if there were any.
    pub urgent: Option<Urgency>,
    #[serde(skip)]
    waits: Vec<Duration>,
}

/// How urgent tasks fared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Urgency {
    /// From arrival to start: half of them waited no longer.
    pub wait_p50: f64,
    /// 99 in a hundred waited no longer.
    pub wait_p99: f64,
    /// From arrival to end: half of them took no longer.
    pub response_p50: f64,
    /// 99 in a hundred took no longer.
    pub response_p99: f64,
}

impl Outcome {
    /// Of a schedule.
    #[must_use]
    pub fn of(policy: Policy, case: &Case<'_>, bounds: Bounds, schedule: &Schedule) -> Self {
        let lower = bounds.lower().as_secs_f64();
        let makespan = schedule.makespan.as_secs_f64();
        let (mut waits, mut responses): (Vec<_>, Vec<_>) = case
            .urgent()
            .map(|(node, at)| (schedule.starts[node] - at, schedule.ends[node] - at))
            .unzip();
        waits.sort_unstable();
        responses.sort_unstable();
        Outcome {
            policy,
            makespan,
            over_lower_bound: (lower > 0.0).then(|| makespan / lower),
            urgent: (!waits.is_empty()).then(|| Urgency {
                wait_p50: percentile(&waits, 50),
                wait_p99: percentile(&waits, 99),
                response_p50: percentile(&responses, 50),
                response_p99: percentile(&responses, 99),
            }),
            waits,
        }
    }
}

fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    nearest_rank(sorted, percent)
        .unwrap_or_default()
        .as_secs_f64()
}

/// The smallest of these sorted ones that so many percent of them do not exceed.
fn nearest_rank<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

/// All files on machines of one size.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// How many cores.
    pub cores: usize,
    /// How many workflows, whose runs count as one.
    pub workflows: usize,
    /// What came of each policy.
    pub policies: Vec<Overall>,
}

/// What came of one policy in all files.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overall {
    /// The policy.
    pub policy: Policy,
    /// Makespan over the lower bound: the geometric mean of all workflows; of several runs of one
    /// workflow their geometric mean counts.
    pub geometric_mean: Option<f64>,
    /// The greatest makespan over that of first come.
    pub worst_over_first_come: Option<f64>,
    /// The file in which that was.
    pub worst_file: Option<String>,
    /// How long urgent tasks of all files waited, in mean tasks of their workflow.
    pub urgent_wait_p50: Option<f64>,
    /// 99 in a hundred waited no longer.
    pub urgent_wait_p99: Option<f64>,
    /// The latter over that of first come.
    pub urgent_wait_p99_over_first_come: Option<f64>,
}

impl Summary {
    /// Of all rows with so many cores.
    #[must_use]
    pub fn of(rows: &[Row], cores: usize) -> Self {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.cores == cores).collect();
        let outcomes = rows.first().map_or(&[][..], |row| &row.policies);
        let mut policies: Vec<Overall> = (0..outcomes.len())
            .map(|at| overall(&rows, outcomes[at].policy, at))
            .collect();
        let first_come = policies
            .iter()
            .find(|overall| overall.policy == Policy::FirstCome)
            .and_then(|overall| overall.urgent_wait_p99);
        for overall in &mut policies {
            overall.urgent_wait_p99_over_first_come = overall
                .urgent_wait_p99
                .zip(first_come.filter(|wait| *wait > 0.0))
                .map(|(wait, first_come)| wait / first_come);
        }
        let mut workflows: Vec<usize> = rows.iter().map(|row| row.workflow).collect();
        workflows.sort_unstable();
        workflows.dedup();
        Summary {
            cores,
            workflows: workflows.len(),
            policies,
        }
    }
}

fn overall(rows: &[&Row], policy: Policy, at: usize) -> Overall {
    let worst = rows
        .iter()
        .filter_map(|row| Some((row, over_first_come(row, at)?)))
        .max_by(|(_, one), (_, other)| one.total_cmp(other));
    let waits = waits_in_tasks(rows, at);
    Overall {
        policy,
        geometric_mean: of_workflows(rows, at),
        worst_over_first_come: worst.map(|(_, worst)| worst),
        worst_file: worst.map(|(row, _)| row.file.clone()),
        urgent_wait_p50: nearest_rank(&waits, 50),
        urgent_wait_p99: nearest_rank(&waits, 99),
        urgent_wait_p99_over_first_come: None,
    }
}

fn over_first_come(row: &Row, at: usize) -> Option<f64> {
    let first_come = row
        .policies
        .iter()
        .find(|outcome| outcome.policy == Policy::FirstCome)?;
    (first_come.makespan > 0.0).then(|| row.policies[at].makespan / first_come.makespan)
}

fn of_workflows(rows: &[&Row], at: usize) -> Option<f64> {
    let mut runs: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for row in rows {
        if let Some(over) = row.policies[at].over_lower_bound {
            runs.entry(row.workflow).or_default().push(over);
        }
    }
    let of_each: Vec<f64> = runs
        .values()
        .filter_map(|runs| geometric_mean(runs))
        .collect();
    geometric_mean(&of_each)
}

fn geometric_mean(all: &[f64]) -> Option<f64> {
    let sum: f64 = all.iter().map(|one| one.ln()).sum();
    (!all.is_empty()).then(|| (sum / all.len() as f64).exp())
}

/// What urgent tasks waited, in mean tasks of their workflow, so that hours and seconds can be
/// taken together; sorted.
fn waits_in_tasks(rows: &[&Row], at: usize) -> Vec<f64> {
    let of_row = |row: &&Row| {
        let mean = row.mean_task;
        let waits = row.policies[at].waits.clone().into_iter();
        waits.map(move |wait| wait.as_secs_f64() / mean)
    };
    let mut waits: Vec<f64> = rows.iter().flat_map(of_row).collect();
    waits.sort_unstable_by(f64::total_cmp);
    waits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(workflow: usize, first_come: f64, learned: f64) -> Row {
        let outcome = |policy, over: f64| Outcome {
            policy,
            makespan: over * 10.0,
            over_lower_bound: Some(over),
            urgent: None,
            waits: vec![],
        };
        Row {
            file: format!("{workflow}.json"),
            workflow,
            tasks: 1,
            cores: 2,
            learned_from: 0,
            critical_path: 10.0,
            work_over_cores: 5.0,
            lower_bound: 10.0,
            mean_task: 1.0,
            urgent: None,
            policies: vec![
                outcome(Policy::FirstCome, first_come),
                outcome(Policy::Learned, learned),
            ],
        }
    }

    #[test]
    fn several_runs_of_a_workflow_count_as_one() {
        let rows = [row(0, 2.0, 1.0), row(1, 4.0, 1.0), row(1, 16.0, 1.0)];
        let summary = Summary::of(&rows, 2);
        assert_eq!(summary.workflows, 2);
        let mean = summary.policies[0].geometric_mean.unwrap();
        assert!((mean - 4.0).abs() < 1e-9, "{mean}");
        assert_eq!(summary.policies[1].geometric_mean, Some(1.0));
        assert_eq!(Summary::of(&rows, 3).policies, []);
    }

    #[test]
    fn the_worst_file_is_named() {
        let rows = [row(0, 2.0, 1.0), row(1, 1.0, 1.5)];
        let learned = &Summary::of(&rows, 2).policies[1];
        assert_eq!(learned.worst_over_first_come, Some(1.5));
        assert_eq!(learned.worst_file.as_deref(), Some("1.json"));
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let times: Vec<_> = (1..=200).map(Duration::from_secs).collect();
        assert_eq!(percentile(&times, 50), 100.0);
        assert_eq!(percentile(&times, 99), 198.0);
        assert_eq!(percentile(&times[..1], 99), 1.0);
    }
}
