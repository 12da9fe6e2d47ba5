//! Declaring a graph.

use super::{
    arena::{Place, Places},
    inputs::{How, Inputs, Output, Use, used},
    learned::OWN,
    ranks::kind,
    run::Giving,
    special::{Retries, Special},
    work::{self, BeginItem, CallItem, Expanding, OnItem, Work},
};
use crate::{
    lane::Lane,
    priority::Priority,
    task::{
        id::{NameKey, TaskName},
        job::BoxError,
    },
};
use std::{
    collections::HashMap,
    fmt,
    future::Future,
    panic::Location,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// A graph that is being declared. See [the module](super).
pub struct Graph {
    pub(super) id: u64,
    pub(super) names: Vec<TaskName>,
    /// Whether the name was given, and so must be unlike all others.
    pub(super) is_named: Vec<bool>,
    pub(super) works: Vec<Work>,
    pub(super) kinds: Vec<u8>,
    pub(super) own: Vec<Priority>,
    pub(super) special: HashMap<u32, Special>,
    pub(super) places: Places,
    pub(super) class_of: Vec<u32>,
    pub(super) classes: Vec<TaskName>,
    known_classes: HashMap<NameKey, u32>,
    /// The call site of the last node without a name, and its class.
    last_site: Option<(&'static Location<'static>, u32)>,
    pub(super) uses: Vec<Used>,
    pub(super) after_names: Vec<(u32, TaskName)>,
    pub(super) groups: Vec<(TaskName, Vec<u32>)>,
    /// Nodes that run after all nodes of a group: the group, and the node.
    pub(super) after_groups: Vec<(u32, u32)>,
    pub(super) results: Vec<Use>,
    pub(super) foreign_groups: Vec<u32>,
}

/// One use of an output, by a node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Used {
    pub(super) before: u32,
    pub(super) by: u32,
    pub(super) how: How,
    pub(super) is_foreign: bool,
}

/// Some nodes of a graph, from [`Graph::group`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeGroup {
    graph: u64,
    group: u32,
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph")
            .field("nodes", &self.len())
            .finish_non_exhaustive()
    }
}

impl Default for Graph {
    fn default() -> Self {
        Self::new()
    }
}

impl Graph {
    /// A graph without nodes.
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// A graph without nodes, with room for so many.
    pub fn with_capacity(nodes: usize) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, Relaxed),
            names: Vec::with_capacity(nodes),
            is_named: Vec::with_capacity(nodes),
            works: Vec::with_capacity(nodes),
            kinds: Vec::with_capacity(nodes),
            own: Vec::with_capacity(nodes),
            special: HashMap::new(),
            places: Places::default(),
            class_of: Vec::with_capacity(nodes),
            classes: Vec::new(),
            known_classes: HashMap::new(),
            last_site: None,
            uses: Vec::new(),
            after_names: Vec::new(),
            groups: Vec::new(),
            after_groups: Vec::new(),
            results: Vec::new(),
            foreign_groups: Vec::new(),
        }
    }

    /// Declares a node. Its name is also that of its tasks, and must be unlike those of
    /// all other nodes.
    pub fn node(&mut self, name: impl Into<TaskName>) -> NodeBuilder<'_> {
        self.builder(name.into(), true)
    }

    /// Declares a node without a name: it is told by the place in the source that calls
    /// this, and learns together with all nodes of this place.
    #[track_caller]
    pub fn unnamed(&mut self) -> NodeBuilder<'_> {
        let site = Location::caller();
        let class = match self.last_site {
            Some((last, class)) if std::ptr::eq(last, site) => class,
            _ => self.class(TaskName::of_site(site)),
        };
        self.last_site = Some((site, class));
        let mut builder = self.builder(TaskName::of_site(site), false);
        builder.class = class;
        builder
    }

    /// Declares a value that each run is given when it begins, by
    /// [`Plan::with`](super::Plan::with).
    pub fn input<T: Send + Sync + 'static>(&mut self, name: impl Into<TaskName>) -> Output<T> {
        self.node(name).declare(kind::WORKER, |_| Work::Given)
    }

    /// Declares a group of nodes: they are drawn together, and others can run after all
    /// of them.
    pub fn group(&mut self, name: impl Into<TaskName>) -> NodeGroup {
        let group = self.groups.len() as u32;
        self.groups.push((name.into(), Vec::new()));
        NodeGroup {
            graph: self.id,
            group,
        }
    }

    /// Says that the reports of runs are to have this output, so that
    /// [`build`](Self::build) checks that they can.
    pub fn result<T>(&mut self, output: &Output<T>) {
        self.results.push(used(output, How::Read));
    }

    /// How many nodes were declared.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether no node was declared.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    fn builder(&mut self, name: TaskName, is_named: bool) -> NodeBuilder<'_> {
        // What a builder said that was dropped without its work.
        let at = self.names.len() as u32;
        while self.uses.last().is_some_and(|it| it.by == at) {
            self.uses.pop();
        }
        while self.after_names.last().is_some_and(|it| it.0 == at) {
            self.after_names.pop();
        }
        while self.after_groups.last().is_some_and(|it| it.1 == at) {
            self.after_groups.pop();
        }
        self.foreign_groups.retain(|&it| it != at);
        NodeBuilder {
            graph: self,
            name,
            is_named,
            class: OWN,
            priority: Priority::default(),
            is_anyway: false,
            group: None,
            special: None,
        }
    }

    fn class(&mut self, name: TaskName) -> u32 {
        let next = self.classes.len() as u32;
        let key = NameKey(name.clone());
        let class = *self.known_classes.entry(key).or_insert(next);
        if class == next {
            self.classes.push(name);
        }
        class
    }
}

/// Describes one node before its work is given; from [`Graph::node`].
///
/// The `try_` forms are for work that gives a `Result`, whose `Err` is a failure of the
/// node.
#[must_use = "a node is declared by giving its work"]
pub struct NodeBuilder<'a> {
    graph: &'a mut Graph,
    name: TaskName,
    is_named: bool,
    class: u32,
    priority: Priority,
    is_anyway: bool,
    group: Option<u32>,
    special: Option<Box<Special>>,
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
        self.declare(kind::WORKER, move |output| {
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

    fn declare<T: Send + Sync + 'static>(
        self,
        kind: u8,
        work: impl FnOnce(Place<T>) -> Work,
    ) -> Output<T> {
        let graph = self.graph;
        let at = graph.names.len() as u32;
        let place = graph.places.add::<T>();
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

impl Graph {
    fn uses_by(&mut self, by: u32, used: Use) {
        self.uses.push(Used {
            before: used.node,
            by,
            how: used.how,
            is_foreign: used.graph != self.id,
        });
    }
}
