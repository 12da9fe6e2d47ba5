//! Describing one node: what it can ask for, and what it does.

use super::{
    arena::Place,
    build::{Graph, NodeGroup},
    inputs::{How, Inputs, Output, used},
    ranks::kind,
    run::Giving,
    special::{Retries, Special},
    work::{self, BeginItem, CallItem, Expanding, OnItem, Work},
};
use crate::{
    lane::Lane,
    priority::Priority,
    task::{id::TaskName, job::BoxError},
};
use std::{fmt, future::Future, sync::Arc, time::Duration};

/// Describes one node before its work is given; from [`Graph::node`].
///
/// The `try_` forms are for work that gives a `Result`, whose `Err` is a failure of the
/// node.
#[must_use = "a node is declared by giving its work"]
pub struct NodeBuilder<'a> {
    pub(super) graph: &'a mut Graph,
    pub(super) name: TaskName,
    pub(super) is_named: bool,
    pub(super) class: u32,
    pub(super) priority: Priority,
    pub(super) is_anyway: bool,
    pub(super) group: Option<u32>,
    pub(super) special: Option<Box<Special>>,
}

impl fmt::Debug for NodeBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeBuilder")
            .field("name", &self.name)
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}

impl NodeBuilder<'_> {
    /// How much the node matters. What it runs after matters as much.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Nodes of one class are expected to take equally long, until there are three
    /// samples of a node itself. Without this, a node is a class of its own.
    pub fn class(mut self, name: impl Into<TaskName>) -> Self {
        self.class = self.graph.class(name.into());
        self
    }

    /// Puts the node into a group.
    pub fn group(mut self, group: NodeGroup) -> Self {
        if group.graph == self.graph.id {
            self.group = Some(group.group);
        } else {
            self.is_of_foreign_group();
        }
        self
    }

    /// Runs the node after that one, whose output it does not need.
    pub fn after<T: Send + Sync + 'static>(self, on: &Output<T>) -> Self {
        let by = self.graph.names.len() as u32;
        self.graph.uses_by(by, used(on, How::After));
        self
    }

    /// Runs the node after the one of that name, which may be declared later.
    pub fn after_named(self, name: impl Into<TaskName>) -> Self {
        let by = self.graph.names.len() as u32;
        self.graph.after_names.push((by, name.into()));
        self
    }

    /// Runs the node after all nodes of a group, also those that are declared later.
    pub fn after_group(mut self, group: NodeGroup) -> Self {
        let by = self.graph.names.len() as u32;
        if group.graph == self.graph.id {
            self.graph.after_groups.push((group.group, by));
        } else {
            self.is_of_foreign_group();
        }
        self
    }

    /// Told by `build`, with all other mistakes.
    fn is_of_foreign_group(&mut self) {
        let by = self.graph.names.len() as u32;
        self.graph.foreign_groups.push(by);
    }

    /// When the node should have ended, counted from the start of the run. Among ready
    /// nodes of one priority those go first that must start first for all deadlines after
    /// them to be met, by what nodes are expected to take. Nothing happens when it passes.
    pub fn deadline(mut self, after_start: Duration) -> Self {
        self.special().deadline = Some(after_start);
        self
    }

    /// How long each attempt at the node may take; then it has failed. A future is
    /// dropped. A closure that is running is not interrupted; it can ask
    /// [`is_cancelled`](crate::is_cancelled), and what it returns is dropped.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.special().timeout = Some(limit);
        self
    }

    /// Tries the node again after it has failed. It must use its inputs by reference.
    pub fn retries(mut self, retries: Retries) -> Self {
        self.special().retries = Some(retries);
        self
    }

    /// Runs the node only if this holds of the output of another node. Otherwise it is
    /// skipped, together with the nodes that use its output; those that only run
    /// [after](Self::after) it, or use it [maybe](Output::maybe), are run.
    pub fn run_if<C>(
        mut self,
        on: &Output<C>,
        holds: impl Fn(&C) -> bool + Send + Sync + 'static,
    ) -> Self
    where
        C: Send + Sync + 'static,
    {
        let by = self.graph.names.len() as u32;
        self.graph.uses_by(by, used(on, How::Maybe));
        let place = on.place;
        self.special().condition =
            Some(Box::new(move |state| state.get(place).is_some_and(&holds)));
        self
    }

    /// Runs the node when all that it runs after has ended, however that was: to clean
    /// up. It can use outputs only [maybe](Output::maybe).
    pub fn run_anyway(mut self) -> Self {
        self.is_anyway = true;
        self
    }

    /// Of a node with a list of items that block or are futures: how many are worked on at
    /// once. Without this, all.
    pub fn at_once(mut self, items: usize) -> Self {
        self.special().at_once = Some(items.max(1));
        self
    }

    /// A closure that computes, on the CPU lane.
    pub fn cpu<I, T, F>(self, inputs: I, f: F) -> Output<T>
    where
        I: Inputs,
        T: Send + Sync + 'static,
        F: for<'v> Fn(I::Given<'v>) -> T + Send + Sync + 'static,
    {
        self.call::<I, T, _>(Lane::Cpu, inputs, move |given| Ok(f(given)))
    }

    /// As [`cpu`](Self::cpu), with a `Result`.
    pub fn try_cpu<I, T, E, F>(self, inputs: I, f: F) -> Output<T>
    where
        I: Inputs,
        T: Send + Sync + 'static,
        E: Into<BoxError>,
        F: for<'v> Fn(I::Given<'v>) -> Result<T, E> + Send + Sync + 'static,
    {
        self.call::<I, T, _>(Lane::Cpu, inputs, move |given| f(given).map_err(Into::into))
    }

    /// A closure that blocks, on the blocking lane.
    pub fn blocking<I, T, F>(self, inputs: I, f: F) -> Output<T>
    where
        I: Inputs,
        T: Send + Sync + 'static,
        F: for<'v> Fn(I::Given<'v>) -> T + Send + Sync + 'static,
    {
        self.call::<I, T, _>(Lane::Blocking, inputs, move |given| Ok(f(given)))
    }

    /// As [`blocking`](Self::blocking), with a `Result`.
    pub fn try_blocking<I, T, E, F>(self, inputs: I, f: F) -> Output<T>
    where
        I: Inputs,
        T: Send + Sync + 'static,
        E: Into<BoxError>,
        F: for<'v> Fn(I::Given<'v>) -> Result<T, E> + Send + Sync + 'static,
    {
        let f = move |given: I::Given<'_>| f(given).map_err(Into::into);
        self.call::<I, T, _>(Lane::Blocking, inputs, f)
    }

    /// A future, on the I/O lane. It owns what it is given: a shared input is a
    /// [`Shared`](super::Shared).
    pub fn io<I, T, F, W>(self, inputs: I, f: F) -> Output<T>
    where
        I: Inputs,
        T: Send + Sync + 'static,
        F: Fn(I::Kept) -> W + Send + Sync + 'static,
        W: Future<Output = T> + Send + 'static,
    {
        self.try_io(inputs, move |kept| {
            let future = f(kept);
            async move { Ok::<T, BoxError>(future.await) }
        })
    }

    /// As [`io`](Self::io), with a `Result`.
    pub fn try_io<I, T, E, F, W>(mut self, inputs: I, f: F) -> Output<T>
    where
        I: Inputs,
        T: Send + Sync + 'static,
        E: Into<BoxError>,
        F: Fn(I::Kept) -> W + Send + Sync + 'static,
        W: Future<Output = Result<T, E>> + Send + 'static,
    {
        let inputs = self.uses(inputs);
        self.declare(kind::FUTURE, move |output| {
            let f = move |kept| {
                let future = f(kept);
                async move { future.await.map_err(Into::into) }
            };
            Work::Begin(work::begin::<I, T, _, _>(inputs, output, f))
        })
    }

    /// Another graph as one node: a plan, perhaps made just then, with its inputs, and the
    /// output that it is run for. Whoever waits for the node lends to all of its nodes.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
    /// # use adaptive_task_scheduler::{Scheduler, graph::Graph};
    /// let mut inner = Graph::new();
    /// let number = inner.input::<u64>("number");
    /// let square = inner.node("square").cpu(&number, |it| it * it);
    /// let inner = inner.build().unwrap();
    ///
    /// let mut graph = Graph::new();
    /// let three = graph.node("three").cpu((), |()| 3);
    /// let nine = graph.node("nine").subgraph(&three, move |three| {
    ///     inner.with(&number, *three).giving(&square)
    /// });
    /// let plan = graph.build().unwrap();
    /// let report = plan.run(&Scheduler::new()).await;
    /// assert_eq!(report.get(&nine), Some(&9));
    /// # })
    /// ```
    pub fn subgraph<I, T, F>(mut self, inputs: I, f: F) -> Output<T>
    where
        I: Inputs,
        T: Send + Sync + 'static,
        F: Fn(I::Kept) -> Giving<T> + Send + Sync + 'static,
    {
        let inputs = self.uses(inputs);
        self.declare(kind::FUTURE, move |output| {
            Work::Begin(work::subgraph::<I, T, F>(inputs, output, f))
        })
    }

    /// A closure for each item of a list that another node gives, on the CPU lane: on as
    /// many threads as it has. Gives the list of what they returned, in the same order. If
    /// an item fails, the node fails, and begins no more items.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
    /// # use adaptive_task_scheduler::{Scheduler, graph::Graph};
    /// let mut graph = Graph::new();
    /// let files = graph.node("list").blocking((), |()| vec!["a", "bcd"]);
    /// let sizes = graph.node("sizes").cpu_each(&files, |file| file.len());
    /// let plan = graph.build().unwrap();
    /// let report = plan.run(&Scheduler::new()).await;
    /// assert_eq!(report.get(&sizes), Some(&vec![1, 3]));
    /// # })
    /// ```
    pub fn cpu_each<T, U, F>(self, items: &Output<Vec<T>>, f: F) -> Output<Vec<U>>
    where
        T: Send + Sync + 'static,
        U: Send + Sync + 'static,
        F: Fn(&T) -> U + Send + Sync + 'static,
    {
        self.each(Lane::Cpu, items, CallItem(move |item: &T| Ok(f(item))))
    }

    /// As [`cpu_each`](Self::cpu_each), with a `Result`.
    pub fn try_cpu_each<T, U, E, F>(self, items: &Output<Vec<T>>, f: F) -> Output<Vec<U>>
    where
        T: Send + Sync + 'static,
        U: Send + Sync + 'static,
        E: Into<BoxError>,
        F: Fn(&T) -> Result<U, E> + Send + Sync + 'static,
    {
        let f = CallItem(move |item: &T| f(item).map_err(Into::into));
        self.each(Lane::Cpu, items, f)
    }

    /// A closure that blocks for each item of a list; see [`cpu_each`](Self::cpu_each) and
    /// [`at_once`](Self::at_once).
    pub fn try_blocking_each<T, U, E, F>(self, items: &Output<Vec<T>>, f: F) -> Output<Vec<U>>
    where
        T: Send + Sync + 'static,
        U: Send + Sync + 'static,
        E: Into<BoxError>,
        F: Fn(&T) -> Result<U, E> + Send + Sync + 'static,
    {
        let f = CallItem(move |item: &T| f(item).map_err(Into::into));
        self.each(Lane::Blocking, items, f)
    }

    /// A future for each item of a list, on the I/O lane; see
    /// [`cpu_each`](Self::cpu_each) and [`at_once`](Self::at_once).
    pub fn try_io_each<T, U, E, F, W>(self, items: &Output<Vec<T>>, f: F) -> Output<Vec<U>>
    where
        T: Send + Sync + 'static,
        U: Send + Sync + 'static,
        E: Into<BoxError>,
        F: Fn(&T) -> W + Send + Sync + 'static,
        W: Future<Output = Result<U, E>> + Send + 'static,
    {
        let f = BeginItem(move |item: &T| {
            let future = f(item);
            async move { future.await.map_err(Into::into) }
        });
        self.each(Lane::Io, items, f)
    }

    fn each<T, U, F>(mut self, lane: Lane, items: &Output<Vec<T>>, f: F) -> Output<Vec<U>>
    where
        T: Send + Sync + 'static,
        U: Send + Sync + 'static,
        F: OnItem<T, U>,
    {
        let items = self.uses(items);
        let f = Arc::new(f);
        self.special();
        self.declare(kind::WORKER | kind::ITEMS, move |output| {
            Work::Expand(lane, Box::new(Expanding { items, output, f }))
        })
    }

    fn call<I, T, F>(mut self, lane: Lane, inputs: I, f: F) -> Output<T>
    where
        I: Inputs,
        T: Send + Sync + 'static,
        F: for<'v> Fn(I::Given<'v>) -> Result<T, BoxError> + Send + Sync + 'static,
    {
        let inputs = self.uses(inputs);
        let kind = match lane {
            Lane::Cpu => kind::WORKER,
            _ => 0,
        };
        self.declare(kind, move |output| {
            Work::Call(lane, work::call::<I, T, F>(inputs, output, f))
        })
    }

    fn special(&mut self) -> &mut Special {
        self.special.get_or_insert_default()
    }

    fn uses<I: Inputs>(&mut self, inputs: I) -> I::Places {
        let by = self.graph.names.len() as u32;
        let graph = &mut *self.graph;
        inputs.sources(&mut |source| graph.uses_by(by, source))
    }

    pub(super) fn declare<T: Send + Sync + 'static>(
        self,
        kind: u8,
        work: impl FnOnce(Place<T>) -> Work,
    ) -> Output<T> {
        let graph = self.graph;
        let at = graph.names.len() as u32;
        let place = graph.places.add::<T>();
        assert_eq!(place.node(), at, "a place for each node");
        let mut kind = kind;
        if self.is_anyway {
            kind |= kind::ANYWAY;
        }
        if let Some(special) = self.special {
            kind |= kind::SPECIAL;
            if special.is_watched() {
                kind &= !(kind::WORKER | kind::FUTURE);
            }
            graph.special.insert(at, *special);
        }
        if let Some(group) = self.group {
            graph.groups[group as usize].1.push(at);
        }
        graph.names.push(self.name);
        graph.is_named.push(self.is_named);
        graph.works.push(work(place));
        graph.kinds.push(kind);
        graph.own.push(self.priority);
        graph.class_of.push(self.class);
        Output {
            graph: graph.id,
            place,
        }
    }
}
