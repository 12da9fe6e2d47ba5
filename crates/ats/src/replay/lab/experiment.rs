//! Pure: every workflow on every machine under every policy.

use std::time::Duration;

use super::arrivals::{Process, Rate, Urgent};
use super::case::Case;
use super::knowledge::Knowledge;
use super::learner::Learner;
use super::machine::{Machine, Schedule};
use super::measure::{Arrived, Outcome, Row};
use super::policy::{Policy, Ranking};
use crate::replay::workflow::Workflow;

/// What is to be tried.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// The policies.
    pub policies: Vec<Policy>,
    /// How urgent tasks arrive, if any do.
    pub urgent: Option<Rate>,
    /// Their mean size, if it is not to follow from the workflow.
    pub urgent_size: Option<Duration>,
    /// By which they are drawn.
    pub seed: u64,
    /// Whether tasks may be paused for more important ones.
    pub preempt: bool,
}

/// A workflow of those that are given, and what the others teach about it.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The workflow.
    pub workflow: &'a Workflow,
    /// Which are runs of one workflow: those of the same number.
    pub number: usize,
    /// What its other runs and the other workflows teach.
    pub knowledge: Knowledge,
    /// How many other runs there are.
    pub learned_from: usize,
}

/// Each workflow with what the others teach. Never with anything of itself: a file that is given
/// twice is one run.
#[must_use]
pub fn subjects(workflows: &[Workflow]) -> Vec<Subject<'_>> {
    let mut subjects = Vec::with_capacity(workflows.len());
    for (at, workflow) in workflows.iter().enumerate() {
        let first = |other: &&Workflow| is_same_workflow(other, workflow);
        let number = workflows[..at].iter().position(|other| first(&other));
        let mut subject = Subject {
            workflow,
            number: number.unwrap_or(at),
            knowledge: Knowledge::default(),
            learned_from: 0,
        };
        for other in workflows
            .iter()
            .filter(|other| !is_same_run(other, workflow))
        {
            let is_same = is_same_workflow(other, workflow);
            subject.learned_from += usize::from(is_same);
            subject.knowledge.learn(other, is_same);
        }
        subjects.push(subject);
    }
    subjects
}

/// The same tasks with the same needs.
fn is_same_workflow(one: &Workflow, other: &Workflow) -> bool {
    one.tasks.len() == other.tasks.len()
        && one.tasks.iter().zip(&other.tasks).all(|(one, other)| {
            one.id == other.id && one.class == other.class && one.parents == other.parents
        })
}

fn is_same_run(one: &Workflow, other: &Workflow) -> bool {
    std::ptr::eq(one, other)
        || is_same_workflow(one, other)
            && one
                .tasks
                .iter()
                .zip(&other.tasks)
                .all(|(one, other)| one.run_time == other.run_time)
}

/// A row of results, with the schedules that they are of.
#[derive(Debug)]
pub struct Trial<'a> {
    /// The results.
    pub row: Row,
    /// What was scheduled.
    pub case: Case<'a>,
    /// By each policy.
    pub schedules: Vec<Schedule>,
}

impl Experiment {
    /// Tries one workflow on so many cores.
    ///
    /// # Errors
    ///
    /// More urgent tasks than are of use.
    pub fn try_out<'a>(
        &self,
        file: &str,
        subject: &Subject<'a>,
        cores: usize,
    ) -> Result<Trial<'a>, String> {
        let workflow = subject.workflow;
        let (arrived, urgent) = self.urgent(workflow, cores)?;
        let case = Case::new(workflow, &urgent);
        let bounds = case.bounds(cores);
        let machine = Machine {
            cores,
            preempt: self.preempt,
        };
        let schedule = |&policy: &Policy| {
            let learner = || Box::new(Learner::new(&case.plan, subject.knowledge.clone()));
            let ranking =
                Ranking::fixed(policy, &case).unwrap_or_else(|| Ranking::Learning(learner()));
            machine.run(&case, ranking)
        };
        let schedules: Vec<Schedule> = self.policies.iter().map(schedule).collect();
        let outcomes = self.policies.iter().zip(&schedules);
        let row = Row {
            file: file.to_owned(),
            workflow: subject.number,
            tasks: workflow.tasks.len(),
            cores,
            learned_from: subject.learned_from,
            critical_path: bounds.critical_path.as_secs_f64(),
            work_over_cores: bounds.work_over_cores.as_secs_f64(),
            lower_bound: bounds.lower().as_secs_f64(),
            mean_task: mean_task(workflow).as_secs_f64(),
            urgent: arrived,
            policies: outcomes
                .map(|(&policy, schedule)| Outcome::of(policy, &case, bounds, schedule))
                .collect(),
        };
        Ok(Trial {
            row,
            case,
            schedules,
        })
    }

    fn urgent(
        &self,
        workflow: &Workflow,
        cores: usize,
    ) -> Result<(Option<Arrived>, Vec<Urgent>), String> {
        let Some(rate) = self.urgent else {
            return Ok((None, Vec::new()));
        };
        let process = Process::new(rate, self.urgent_size, mean_task(workflow), cores);
        let end = Case::new(workflow, &[]).bounds(cores).lower();
        let urgent = process.draw(end, self.seed)?;
        let arrived = Arrived {
            per_second: process.per_second,
            mean_size: process.size.as_secs_f64(),
            seed: self.seed,
            tasks: urgent.len(),
        };
        Ok((Some(arrived), urgent))
    }
}

fn mean_task(workflow: &Workflow) -> Duration {
    let sum: Duration = workflow.tasks.iter().map(|task| task.run_time).sum();
    sum / u32::try_from(workflow.tasks.len().max(1)).unwrap_or(u32::MAX)
}
