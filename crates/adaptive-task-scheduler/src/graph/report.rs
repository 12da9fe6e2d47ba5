//! What came of a run, and what is known of one that goes on.

use super::{arena::Place, inputs::Output, progress::Stand, state::State};
use crate::task::id::TaskName;
use std::{error::Error, fmt, sync::Arc, time::Duration};

/// Why a node gave no output.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum NodeError {
    /// Its work returned this error.
    Failed(Arc<dyn Error + Send + Sync>),
    /// Its work panicked, with this message.
    Panicked(String),
    /// Its work took longer than this.
    TimedOut(Duration),
    /// It is an input of the graph, and the run was given no value for it.
    NotGiven,
    /// It was skipped, or its output is kept elsewhere, so that a sub-graph cannot give it.
    NoOutput,
    /// This node, which it runs after directly or through others, failed.
    Dependency(TaskName),
    /// The run was stopped or cancelled, or the scheduler ended, before it was run.
    Cancelled,
}

impl NodeError {
    /// Whether the node itself failed, and could be tried again.
    pub(super) fn is_of_the_node(&self) -> bool {
        matches!(
            self,
            NodeError::Failed(_) | NodeError::Panicked(_) | NodeError::TimedOut(_)
        )
    }
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NodeError::Failed(error) => error.fmt(f),
            NodeError::Panicked(message) => write!(f, "panicked: {message}"),
            NodeError::TimedOut(limit) => write!(f, "timed out after {limit:?}"),
            NodeError::NotGiven => f.write_str("the run was given no value for this input"),
            NodeError::NoOutput => f.write_str("it was skipped, or its output is kept elsewhere"),
            NodeError::Dependency(root) => write!(f, "not run, since \"{root}\" failed"),
            NodeError::Cancelled => f.write_str("cancelled"),
        }
    }
}

impl Error for NodeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            NodeError::Failed(error) => Some(&**error),
            _ => None,
        }
    }
}

/// Why a sub-graph gave no output: one of its nodes, and why that gave none.
#[derive(Debug)]
pub(super) struct SubgraphError((TaskName, NodeError));

impl fmt::Display for SubgraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, error) = &self.0;
        write!(f, "in the sub-graph, \"{name}\": {error}")
    }
}

impl Error for SubgraphError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0.1)
    }
}

/// How far a run is: how many of its nodes stand where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunProgress {
    /// All nodes.
    pub nodes: usize,
    /// Gave their outputs.
    pub done: usize,
    /// Are running.
    pub running: usize,
    /// Were skipped, since a condition did not hold.
    pub skipped: usize,
    /// Failed themselves.
    pub failed: usize,
    /// Will not run, since a node that they run after failed, or the run was stopped.
    pub not_run: usize,
    /// Since the run began, until now or until it ended.
    pub elapsed: Duration,
    /// How long the nodes that have not ended are expected to take: the greater of the
    /// longest path among them and of their work spread over the threads of the CPU lane.
    /// Zero while nothing was learned.
    pub expected_left: Duration,
}

impl RunProgress {
    /// How many nodes have ended, in whatever way.
    pub fn ended(&self) -> usize {
        self.done + self.skipped + self.failed + self.not_run
    }
}

impl State {
    pub(super) fn progress(&self) -> RunProgress {
        let (counts, took, unended) = {
            let desk = self.desk.lock();
            let nodes = 0..self.plan.names.len() as u32;
            let is_left = |&node: &u32| desk.progress.stand(node) <= Stand::Running;
            let unended: Vec<u32> = nodes.filter(is_left).collect();
            (desk.progress.counts(), desk.took, unended)
        };
        let [done, skipped, failed] =
            [counts.done, counts.skipped, counts.failed].map(|it| it as usize);
        let ended_begun = counts.done + counts.skipped + counts.failed + counts.given_up;
        RunProgress {
            nodes: self.plan.names.len(),
            done,
            running: (counts.begun - ended_begun) as usize,
            skipped,
            failed,
            not_run: (counts.not_run + counts.cancelled) as usize,
            elapsed: took.unwrap_or_else(|| self.begun.elapsed()),
            expected_left: self.expected_left(&unended),
        }
    }

    fn expected_left(&self, unended: &[u32]) -> Duration {
        if unended.is_empty() || self.way.ranks.mean.is_zero() {
            return Duration::ZERO;
        }
        let expected = self.plan.expected();
        let mut durations = vec![Duration::ZERO; expected.len()];
        for &node in unended {
            durations[node as usize] = expected[node as usize];
        }
        let longest = self.plan.shape.remaining(&durations).into_iter().max();
        let work: Duration = durations.iter().sum();
        let threads = self.scheduler.core().cpu.threads() as u32;
        longest.unwrap_or_default().max(work / threads.max(1))
    }

    /// How a node ended; `None` if it has not.
    pub(super) fn end_of(&self, node: u32) -> Option<Result<(), NodeError>> {
        let desk = self.desk.lock();
        match desk.progress.stand(node) {
            Stand::Waiting | Stand::Ready | Stand::Running => None,
            Stand::Done | Stand::Skipped => Some(Ok(())),
            Stand::Failed => Some(Err(desk.errors[&node].clone())),
            Stand::Cancelled => Some(Err(NodeError::Cancelled)),
            Stand::NotRun => {
                let root = desk.progress.root(node).unwrap_or(node);
                Some(Err(NodeError::Dependency(self.plan.name(root))))
            }
        }
    }
}

/// What came of a run.
pub struct Report {
    pub(super) state: Arc<State>,
    failures: Vec<(TaskName, NodeError)>,
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report")
            .field("nodes", &self.state.plan.declared)
            .field("failures", &self.failures)
            .finish()
    }
}

impl Report {
    pub(super) fn new(state: &Arc<State>) -> Self {
        let declared = 0..state.plan.declared as u32;
        let is_all_well = {
            let desk = state.desk.lock();
            let counts = desk.progress.counts();
            desk.progress.is_finished() && counts.failed + counts.not_run + counts.cancelled == 0
        };
        let failure = |node: u32| match state.end_of(node) {
            Some(Err(error)) => Some((state.plan.name(node), error)),
            Some(Ok(())) => None,
            // It awaited its own run, and was told of that circle.
            None => Some((state.plan.name(node), NodeError::Cancelled)),
        };
        let failures = match is_all_well {
            true => Vec::new(),
            false => declared.filter_map(failure).collect(),
        };
        let state = Arc::clone(state);
        Self { state, failures }
    }

    /// The output of a node; `None` if there is none, another node has taken it, or
    /// it is of another graph.
    pub fn get<T: Send + Sync + 'static>(&self, output: &Output<T>) -> Option<&T> {
        self.state.output(output)
    }

    /// Takes the output of a node out of the report; `None` as for [`get`](Self::get), while
    /// somebody keeps a [`Shared`](super::Shared) value of this run, and while a closure goes
    /// on that was given up at its time-out.
    pub fn take<T: Send + Sync + 'static>(&mut self, output: &Output<T>) -> Option<T> {
        if output.graph != self.state.plan.graph {
            return None;
        }
        self.take_place(output.place)
    }

    pub(super) fn take_place<T>(&mut self, place: Place<T>) -> Option<T> {
        let state = Arc::get_mut(&mut self.state)?;
        if state.desk.get_mut().progress.stand(place.node()) != Stand::Done {
            return None;
        }
        state.arena.take_mut(&state.plan.places, place)
    }

    /// Why a node has no output, for the graph of which this was a sub-graph.
    pub(super) fn why_not(&self, node: u32) -> SubgraphError {
        let cause = self.root_cause().or_else(|| self.failures().next());
        SubgraphError(match cause {
            Some((name, error)) => (name.clone(), error.clone()),
            None => (self.state.plan.name(node), NodeError::NoOutput),
        })
    }

    /// Whether no node failed, and none was left out because of that or because the run
    /// was stopped.
    pub fn is_ok(&self) -> bool {
        self.failures.is_empty()
    }

    /// The nodes that gave no output and why, in the order of their declaration. A node
    /// that was skipped since its condition did not hold is not among them.
    pub fn failures(&self) -> impl Iterator<Item = (&TaskName, &NodeError)> {
        self.failures.iter().map(|(name, error)| (name, error))
    }

    /// Of the failures, the first of a node that failed by itself.
    pub fn root_cause(&self) -> Option<(&TaskName, &NodeError)> {
        self.failures().find(|(_, error)| error.is_of_the_node())
    }

    /// How many nodes stand where.
    pub fn progress(&self) -> RunProgress {
        self.state.progress()
    }

    /// How long the run took.
    pub fn took(&self) -> Duration {
        self.state.desk.lock().took.unwrap_or_default()
    }
}

impl State {
    pub(super) fn output<T: Send + Sync + 'static>(&self, output: &Output<T>) -> Option<&T> {
        let is_done = || {
            // A closure that was given up may have put its value all the same.
            let stand = self.desk.lock().progress.stand(output.place.node());
            stand == Stand::Done
        };
        match output.graph == self.plan.graph && is_done() {
            true => self.get(output.place),
            false => None,
        }
    }
}
