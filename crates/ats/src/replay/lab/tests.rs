//! Random workflows on random machines: what must hold of every schedule, beside a simulator that
//! looks at everything anew at each moment, and what a learner must not know.

use std::cmp::Reverse;
use std::time::Duration;

use adaptive_task_scheduler::Priority;
use proptest::prelude::*;

use super::arrivals::Urgent;
use super::case::Case;
use super::experiment;
use super::knowledge::Knowledge;
use super::learner::Learner;
use super::machine::{Machine, Schedule};
use super::policy::{Policy, Ranking};
use crate::dispatch::Holds;
use crate::replay::workflow::{RecordedTask, Workflow};

const MILLISECOND: Duration = Duration::from_millis(1);

/// What a task is drawn from: its length, its class, its priority, whether it waits, and which of
/// the tasks before it it needs.
type Drawn = (u32, u32, usize, bool, Vec<prop::sample::Index>);

fn workflow(tasks: &[Drawn]) -> Workflow {
    let task = |(at, (length, class, priority, waits, parents)): (usize, &Drawn)| RecordedTask {
        id: format!("t{at}"),
        class: format!("c{class}"),
        parents: parents
            .iter()
            .filter(|_| at > 0)
            .map(|parent| parent.index(at.max(1)))
            .collect(),
        run_time: *length * MILLISECOND,
        input_bytes: Some(u64::from(*length) + u64::from(*class)),
        priority: Priority::ALL[*priority],
        waits: *waits,
        place: at,
        ..RecordedTask::default()
    };
    Workflow {
        tasks: tasks.iter().enumerate().map(task).collect(),
        ..Workflow::default()
    }
}

fn workflows() -> impl Strategy<Value = Workflow> {
    let parents = prop::collection::vec(any::<prop::sample::Index>(), 0..4);
    let task = (
        0..12_u32,
        0..4_u32,
        0..5_usize,
        prop::bool::weighted(0.1),
        parents,
    );
    prop::collection::vec(task, 1..40).prop_map(|tasks| workflow(&tasks))
}

fn urgent() -> impl Strategy<Value = Vec<Urgent>> {
    let one = (0..60_u32, 0..6_u32).prop_map(|(at, size)| Urgent {
        at: at * MILLISECOND,
        size: size * MILLISECOND,
    });
    prop::collection::vec(one, 0..6)
}

fn policies() -> impl Strategy<Value = Policy> {
    prop::sample::select(Policy::ALL.to_vec())
}

fn ranking<'a>(policy: Policy, case: &'a Case<'_>) -> Ranking<'a> {
    let learner = || Box::new(Learner::new(&case.plan, Knowledge::default()));
    Ranking::fixed(policy, case).unwrap_or_else(|| Ranking::Learning(learner()))
}

fn whole(cores: usize) -> Machine {
    Machine {
        cores,
        preempt: false,
    }
}

/// Each node that is not an arrival.
fn tasks<'c>(case: &'c Case<'_>) -> impl Iterator<Item = usize> + 'c {
    (0..case.durations.len()).filter(|&node| !case.is_arrival(node))
}

/// When everything that a node needs had ended.
fn ready_at(case: &Case<'_>, schedule: &Schedule, node: usize) -> Duration {
    let before = case
        .plan
        .shape
        .edges()
        .filter(|edge| edge.1 as usize == node);
    let ends = before.map(|(before, _)| schedule.ends[before as usize]);
    ends.max().unwrap_or_default()
}

proptest! {
    #[test]
    fn each_worker_runs_one_task_at_a_time_and_each_task_runs_whole(
        workflow in workflows(), urgent in urgent(), cores in 1..6_usize,
        policy in policies(), preempt: bool,
    ) {
        let case = Case::new(&workflow, &urgent);
        let schedule = Machine { cores, preempt }.run(&case, ranking(policy, &case));
        let mut ran = vec![Duration::ZERO; case.durations.len()];
        let mut pieces = schedule.pieces.clone();
        let holds = |node: u32| case.plan.nodes[node as usize].holds;
        pieces.sort_by_key(|piece| (holds(piece.node) as usize, piece.worker, piece.start, piece.end));
        for pair in pieces.windows(2) {
            let alike = holds(pair[0].node) == holds(pair[1].node);
            if alike && pair[0].worker == pair[1].worker {
                prop_assert!(pair[0].end <= pair[1].start, "{pair:?}");
            }
        }
        for piece in &pieces {
            ran[piece.node as usize] += piece.end - piece.start;
            if holds(piece.node) == Holds::Place {
                prop_assert!((piece.worker as usize) < cores, "{piece:?}");
            }
        }
        for node in tasks(&case) {
            prop_assert_eq!(ran[node], case.durations[node]);
            prop_assert!(schedule.starts[node] >= ready_at(&case, &schedule, node));
        }
        prop_assert_eq!(schedule.order.len(), tasks(&case).count());
    }

    #[test]
    fn nobody_idles_while_something_is_ready(
        workflow in workflows(), urgent in urgent(), cores in 1..6_usize, policy in policies(),
    ) {
        let case = Case::new(&workflow, &urgent);
        let schedule = whole(cores).run(&case, ranking(policy, &case));
        let computes = |node: &usize| case.plan.nodes[*node].holds == Holds::Place;
        for node in tasks(&case).filter(computes) {
            // Whatever ended or started meanwhile, all workers were at work just after it.
            let (ready, start) = (ready_at(&case, &schedule, node), schedule.starts[node]);
            let moments = schedule.ends.iter().chain(&schedule.starts).copied();
            for moment in moments.chain([ready]).filter(|at| (ready..start).contains(at)) {
                let busy = tasks(&case).filter(computes).filter(|&other| {
                    (schedule.starts[other]..schedule.ends[other]).contains(&moment)
                });
                prop_assert_eq!(busy.count(), cores, "{} waits at {:?}", node, moment);
            }
        }
    }

    /// Graham, 1969: any list schedule is within 2 - 1/m of the best one.
    #[test]
    fn no_policy_is_worse_than_graham_says(
        mut workflow in workflows(), cores in 1..6_usize, policy in policies(),
    ) {
        for task in &mut workflow.tasks {
            task.waits = false;
        }
        let case = Case::new(&workflow, &[]);
        let schedule = whole(cores).run(&case, ranking(policy, &case));
        let bounds = case.bounds(cores);
        let path = bounds.critical_path.mul_f64(1.0 - 1.0 / cores as f64);
        let most = bounds.work_over_cores + path + MILLISECOND / 1000;
        prop_assert!(schedule.makespan <= most, "{:?} > {most:?}", schedule.makespan);
        prop_assert!(schedule.makespan + MILLISECOND / 1000 >= bounds.lower());
    }

    #[test]
    fn the_dispatcher_decides_as_a_simulator_that_looks_at_everything(
        workflow in workflows(), urgent in urgent(), cores in 1..6_usize, policy in policies(),
    ) {
        prop_assume!(policy != Policy::Learned);
        let case = Case::new(&workflow, &urgent);
        let schedule = whole(cores).run(&case, ranking(policy, &case));
        prop_assert_eq!(&schedule.starts, &naive(&case, cores, policy));
        prop_assert_eq!(&schedule, &whole(cores).run(&case, ranking(policy, &case)));
    }

    /// Whatever has not ended may last as long as it likes: until then all is decided alike.
    #[test]
    fn a_learner_does_not_see_the_future(
        workflow in workflows(), urgent in urgent(), cores in 1..4_usize,
        moment in 0..60_u32, longer in 1..20_u32,
    ) {
        let case = Case::new(&workflow, &urgent);
        let schedule = whole(cores).run(&case, ranking(Policy::Learned, &case));
        let moment = moment * MILLISECOND;
        let mut other = Case::new(&workflow, &urgent);
        for node in tasks(&case) {
            if schedule.ends[node] > moment {
                other.durations[node] += longer * MILLISECOND;
            }
        }
        let changed = whole(cores).run(&other, ranking(Policy::Learned, &other));
        for node in tasks(&case) {
            let both = [schedule.starts[node], changed.starts[node]];
            if both.iter().any(|start| *start <= moment) {
                prop_assert_eq!(both[0], both[1], "node {}", node);
            }
        }
    }

    #[test]
    fn a_run_teaches_others_and_not_itself(workflow in workflows(), longer in 1..9_u32) {
        let mut again = Workflow { tasks: workflow.tasks.clone(), ..Workflow::default() };
        for task in &mut again.tasks {
            task.run_time += longer * MILLISECOND;
        }
        let twice = Workflow { tasks: workflow.tasks.clone(), ..Workflow::default() };
        let all = [workflow, again, twice];
        let subjects = experiment::subjects(&all);
        let learned: Vec<usize> = subjects.iter().map(|one| one.learned_from).collect();
        prop_assert_eq!(learned, [1, 2, 1]);
        prop_assert!(subjects.iter().all(|one| one.number == 0));
    }
}

/// At each moment: end what ends, then start the best of all that is ready while there are places.
fn naive(case: &Case<'_>, cores: usize, policy: Policy) -> Vec<Duration> {
    let mut ranking = ranking(policy, case);
    let (priorities, ranks) = (ranking.priorities(), ranking.ranks());
    let nodes = case.durations.len();
    let mut starts: Vec<Option<Duration>> = vec![None; nodes];
    let mut ended = vec![false; nodes];
    // When each became ready, counted by ends: that of the last one that it needed.
    let mut ready_since = vec![0; nodes];
    let (mut now, mut ends) = (Duration::ZERO, 0);
    while ended.contains(&false) {
        loop {
            let is_ready = |node: usize| {
                let mut needs = case
                    .plan
                    .shape
                    .edges()
                    .filter(|edge| edge.1 as usize == node);
                starts[node].is_none() && needs.all(|(before, _)| ended[before as usize])
            };
            let running = |kind: Holds| {
                let of_kind = (0..nodes).filter(|&node| case.plan.nodes[node].holds == kind);
                of_kind
                    .filter(|&node| starts[node].is_some() && !ended[node])
                    .count()
            };
            let fits = |node: usize| match case.plan.nodes[node].holds {
                Holds::Nothing => true,
                Holds::Place => running(Holds::Place) < cores,
                Holds::WaitingPlace => running(Holds::WaitingPlace) < 8 * cores,
            };
            let key = |&node: &usize| {
                (
                    priorities[node],
                    ranks[node],
                    Reverse(ready_since[node]),
                    Reverse(node),
                )
            };
            let best = (0..nodes)
                .filter(|&node| is_ready(node) && fits(node))
                .max_by_key(key);
            let Some(node) = best else { break };
            starts[node] = Some(now);
        }
        let end = |node: usize| starts[node].map(|start| start + case.durations[node]);
        let open = (0..nodes).filter(|&node| !ended[node]);
        now = open.filter_map(end).min().expect("something runs");
        for (node, ended) in ended.iter_mut().enumerate() {
            if !*ended && end(node) == Some(now) {
                *ended = true;
                ends += 1;
                for &after in case.plan.shape.successors(node as u32) {
                    ready_since[after as usize] = ends;
                }
            }
        }
    }
    starts.into_iter().map(Option::unwrap_or_default).collect()
}
