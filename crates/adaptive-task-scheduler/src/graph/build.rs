//! Declaring a graph.

use super::{
    arena::Places,
    inputs::{How, Output, Use, used},
    learned::OWN,
    node::NodeBuilder,
    ranks::kind,
    special::Special,
    work::Work,
};
use crate::{
    priority::Priority,
    task::id::{NameKey, TaskName},
};
use std::{
    collections::HashMap,
    fmt,
    panic::Location,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
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
    pub(super) graph: u64,
    pub(super) group: u32,
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
        self.forget_unfinished();
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

    /// Forgets what a builder said that was dropped without its work.
    pub(super) fn forget_unfinished(&mut self) {
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
    }

    pub(super) fn class(&mut self, name: TaskName) -> u32 {
        let next = self.classes.len() as u32;
        let key = NameKey(name.clone());
        let class = *self.known_classes.entry(key).or_insert(next);
        if class == next {
            self.classes.push(name);
        }
        class
    }
}

impl Graph {
    pub(super) fn uses_by(&mut self, by: u32, used: Use) {
        self.uses.push(Used {
            before: used.node,
            by,
            how: used.how,
            is_foreign: used.graph != self.id,
        });
    }
}
