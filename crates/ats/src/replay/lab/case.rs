//! Pure: a workflow, with the urgent tasks that arrive meanwhile, as a graph for the dispatcher.
//!
//! What a scheduler may know beforehand ([`Plan`]) and what only happens ([`Case::durations`]) are
//! apart, so that no policy can look into the future by mistake.
//!
//! The recorded tasks are the nodes from 0 on, in the order of their file. Each urgent task is two
//! nodes behind them: its arrival, which holds no place and lasts until the moment at which the task
//! arrives, and the task itself.

use std::time::Duration;

use adaptive_task_scheduler::Priority;
use adaptive_task_scheduler::graph::Shape;

use super::arrivals::Urgent;
use crate::dispatch::Holds;
use crate::replay::workflow::Workflow;

/// How many tasks that mostly wait may run for each core, as in `ats run`.
pub const WAITING_PLACES: usize = 8;

/// The class of urgent tasks.
pub const URGENT: &str = "urgent";

/// What is known of the nodes before anything runs.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Who runs after whom.
    pub shape: Shape,
    /// The nodes.
    pub nodes: Vec<Node<'a>>,
}

/// What is known of a node.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    /// Its name; urgent tasks have one together.
    pub name: &'a str,
    /// By which durations are learned.
    pub class: &'a str,
    /// How much it reads.
    pub bytes: Option<u64>,
    /// What it was expected to take, where the record says.
    pub expected: Option<Duration>,
    /// Its own priority.
    pub priority: Priority,
    /// What it holds while it runs.
    pub holds: Holds,
}

/// A workflow with what happens when it runs.
#[derive(Debug)]
pub struct Case<'a> {
    /// What is known beforehand.
    pub plan: Plan<'a>,
    /// How long each node takes.
    pub durations: Vec<Duration>,
    recorded: usize,
}

impl<'a> Case<'a> {
    /// The case of a workflow and the urgent tasks that arrive meanwhile.
    #[must_use]
    pub fn new(workflow: &'a Workflow, urgent: &[Urgent]) -> Self {
        let recorded = workflow.tasks.len();
        let mut nodes = vec![arrival(); recorded];
        let mut durations = vec![Duration::ZERO; recorded];
        let mut edges = Vec::new();
        for task in &workflow.tasks {
            durations[task.place] = task.run_time;
            nodes[task.place] = Node {
                name: &task.id,
                class: &task.class,
                bytes: task.input_bytes,
                expected: task.expected,
                priority: task.priority,
                holds: if task.waits {
                    Holds::WaitingPlace
                } else {
                    Holds::Place
                },
            };
            let before = |&parent: &usize| workflow.tasks[parent].place as u32;
            let after = task.place as u32;
            edges.extend(task.parents.iter().map(|parent| (before(parent), after)));
        }
        for urgent in urgent {
            let place = nodes.len() as u32;
            edges.push((place, place + 1));
            nodes.extend([arrival(), urgent_task()]);
            durations.extend([urgent.at, urgent.size]);
        }
        let shape = Shape::new(nodes.len(), &edges).expect("a checked workflow has no cycle");
        Case {
            plan: Plan { shape, nodes },
            durations,
            recorded,
        }
    }

    /// How many nodes are recorded tasks: those from 0 on.
    #[must_use]
    pub fn recorded(&self) -> usize {
        self.recorded
    }

    /// Each urgent task with the moment at which it arrives.
    pub fn urgent(&self) -> impl Iterator<Item = (usize, Duration)> + '_ {
        let arrivals = (self.recorded..self.durations.len()).step_by(2);
        arrivals.map(|arrival| (arrival + 1, self.durations[arrival]))
    }

    /// Whether it is neither a recorded nor an urgent task.
    #[must_use]
    pub fn is_arrival(&self, node: usize) -> bool {
        self.plan.nodes[node].holds == Holds::Nothing
    }

    /// The two bounds below which no schedule on so many cores is.
    #[must_use]
    pub fn bounds(&self, cores: usize) -> Bounds {
        let work = |holds: Holds| {
            let nodes = self.plan.nodes.iter().zip(&self.durations);
            let held = nodes.filter(|(node, _)| node.holds == holds);
            held.map(|(_, duration)| *duration).sum::<Duration>()
        };
        let over = |work: Duration, places: usize| work.div_f64(places as f64);
        let waiting_places = cores.saturating_mul(WAITING_PLACES);
        let remaining = self.plan.shape.remaining(&self.durations);
        Bounds {
            critical_path: remaining.into_iter().max().unwrap_or_default(),
            work_over_cores: over(work(Holds::Place), cores)
                .max(over(work(Holds::WaitingPlace), waiting_places)),
        }
    }
}

/// What no schedule is below.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bounds {
    /// The longest chain of tasks that run one after the other.
    pub critical_path: Duration,
    /// All work, spread evenly over the cores.
    pub work_over_cores: Duration,
}

impl Bounds {
    /// The higher of the two.
    #[must_use]
    pub fn lower(self) -> Duration {
        self.critical_path.max(self.work_over_cores)
    }
}

fn arrival<'a>() -> Node<'a> {
    Node {
        name: "",
        class: "",
        bytes: None,
        expected: None,
        priority: Priority::Mid,
        holds: Holds::Nothing,
    }
}

fn urgent_task<'a>() -> Node<'a> {
    Node {
        name: URGENT,
        class: URGENT,
        priority: Priority::Production,
        holds: Holds::Place,
        ..arrival()
    }
}
