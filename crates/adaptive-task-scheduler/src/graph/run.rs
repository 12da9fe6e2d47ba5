//! A run as its owner holds it: prepared, going on, awaited.

use super::{
    arena::Place,
    inputs::Output,
    plan::Planned,
    policy::OnFailure,
    progress::Stop,
    report::{Report, RunProgress},
    state::State,
};
use crate::{put_off::PutOff, scheduler::Scheduler, task::job::BoxError};
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// A run that has not begun: its inputs and its options.
///
/// ```
/// # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
/// use adaptive_task_scheduler::{Scheduler, graph::{Graph, OnFailure}};
///
/// let mut graph = Graph::new();
/// let name = graph.input::<String>("name");
/// let greeting = graph.node("greeting").cpu(&name, |name| format!("hello, {name}"));
/// let plan = graph.build().unwrap();
///
/// let scheduler = Scheduler::new();
/// let runs = ["Ada", "Grace"].map(|it| {
///     let prepared = plan.prepare().on_failure(OnFailure::Stop);
///     prepared.with(&name, it.to_owned()).run(&scheduler)
/// });
/// for run in runs {
///     println!("{:?}", run.await.get(&greeting));
/// }
/// # })
/// ```
#[must_use = "a run begins with `run`"]
pub struct Prepared {
    plan: Arc<Planned>,
    on_failure: OnFailure,
    inputs: Vec<PutInput>,
}

/// Puts a value into the place of an input.
type PutInput = Box<dyn FnOnce(&State) + Send>;

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("on_failure", &self.on_failure)
            .field("inputs", &self.inputs.len())
            .finish_non_exhaustive()
    }
}

impl Prepared {
    pub(super) fn new(plan: Arc<Planned>) -> Self {
        Self {
            plan,
            on_failure: OnFailure::default(),
            inputs: Vec::new(),
        }
    }

    /// Gives a value for an [input](super::Graph::input) of the graph. Of several values
    /// for one input, the first counts.
    ///
    /// # Panics
    ///
    /// If it is no input of this graph.
    pub fn with<T: Send + Sync + 'static>(mut self, input: &Output<T>, value: T) -> Self {
        let place = input.place;
        let is_input = input.graph == self.plan.graph && self.plan.is_input(place.node());
        assert!(is_input, "the value is for no input of this graph");
        self.inputs
            .push(Box::new(move |state| state.put(place, value)));
        self
    }

    /// What the run does when one of its nodes has failed.
    pub fn on_failure(mut self, policy: OnFailure) -> Self {
        self.on_failure = policy;
        self
    }

    /// Says which output the run is for, so that it can be a
    /// [sub-graph](super::NodeBuilder::subgraph).
    ///
    /// # Panics
    ///
    /// If the output is of another graph.
    pub fn giving<T>(self, output: &Output<T>) -> Giving<T> {
        assert!(
            output.graph == self.plan.graph,
            "the output is of another graph"
        );
        Giving {
            prepared: self,
            place: output.place,
        }
    }

    /// Begins the run.
    pub fn run(self, scheduler: &Scheduler) -> Run {
        let state = Arc::new(State::new(self.plan, scheduler, self.on_failure));
        self.inputs.into_iter().for_each(|put| put(&state));
        state.begin();
        Run(state)
    }
}

/// A run that has not begun and is for one output; from [`Prepared::giving`].
#[must_use = "it is run as a node of another graph"]
pub struct Giving<T> {
    prepared: Prepared,
    place: Place<T>,
}

impl<T> fmt::Debug for Giving<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Giving").field(&self.prepared).finish()
    }
}

impl<T: Send + Sync + 'static> Giving<T> {
    /// Runs the graph. Gives the output or, if there is none, why.
    pub(super) async fn output(self, scheduler: Scheduler) -> Result<T, BoxError> {
        let Self { prepared, place } = self;
        let mut report = prepared.run(&scheduler).await;
        match report.take_place(place) {
            Some(value) => Ok(value),
            None => Err(Box::new(report.why_not(place.node()))),
        }
    }
}

/// A run that has begun. Awaiting it gives the [`Report`], and lends the priority of
/// the task that awaits it to all that the run is doing.
///
/// Dropping it cancels the run, as [`cancel`](Run::cancel) does.
///
/// # Cancel safety
///
/// Awaiting `&mut run` may be given up and begun again; nothing is lost.
#[must_use = "dropping a run cancels it"]
pub struct Run(Arc<State>);

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("nodes", &self.0.plan.declared)
            .field("unfinished", &self.unfinished())
            .finish()
    }
}

impl Run {
    /// How many nodes have not ended yet.
    pub fn unfinished(&self) -> usize {
        self.0.desk.lock().progress.unfinished()
    }

    /// How many nodes stand where, and how long the rest is expected to take.
    pub fn progress(&self) -> RunProgress {
        self.0.progress()
    }

    /// The output of a node, if it is there already; see [`Report::get`].
    pub fn get<T: Send + Sync + 'static>(&self, output: &Output<T>) -> Option<&T> {
        self.0.output(output)
    }

    /// Begins no more nodes, not even those that are
    /// [run anyway](super::NodeBuilder::run_anyway), and cancels those that are suspended.
    /// Closures that are running end first; awaiting the run waits for that. Those of nodes
    /// with a time-out or retries are given up instead, as at a time-out.
    pub fn cancel(&self) {
        self.0.stop(Stop::All);
        self.0.cancel_tasks();
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if self.unfinished() > 0 {
            self.cancel();
        }
    }
}

impl Future for Run {
    type Output = Report;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Report> {
        let state = &self.0;
        let _put_off = PutOff::begin();
        loop {
            let polled = state.group.lock().poll_next(cx);
            match polled {
                Poll::Ready(Some(ended)) => drop(ended),
                // Who starts a task is one of them, so none is left to be started.
                Poll::Ready(None) => return Poll::Ready(Report::new(state)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
