//! A graph that was checked: what its runs share.

use super::{
    run::Run,
    shape::Shape,
    values::{AnyPlace, Values},
};
use crate::{
    lane::Lane,
    priority::Priority,
    scheduler::Scheduler,
    task::{id::TaskName, job::BoxError},
};
use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

type Call = Box<dyn Fn(&Values) -> Result<(), BoxError> + Send + Sync>;
pub(super) type Attempt = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;
type Start = Box<dyn Fn(&Arc<Values>) -> Attempt + Send + Sync>;

/// What a node does. It puts its output into its place.
pub(super) enum Work {
    Call(Lane, Call),
    Future(Start),
}

pub(super) struct Node {
    pub(super) name: TaskName,
    pub(super) priority: Priority,
    pub(super) work: Work,
    pub(super) place: fn(bool) -> AnyPlace,
    pub(super) is_taken: bool,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A graph that was checked. It never changes, and can be run many times, concurrently
/// too. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Plan(pub(super) Arc<Planned>);

#[derive(Debug)]
pub(super) struct Planned {
    pub(super) graph: u64,
    pub(super) nodes: Vec<Node>,
    pub(super) shape: Shape,
    /// What matters most of a node and all that run after it.
    pub(super) effective: Vec<Priority>,
    /// Nodes on the longest path from each.
    pub(super) remaining: Vec<Duration>,
}

impl Plan {
    /// Begins a run. Awaiting it gives the [`Report`](super::Report).
    pub fn run(&self, scheduler: &Scheduler) -> Run {
        Run::begin(Arc::clone(&self.0), scheduler)
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.0.nodes.len()
    }

    /// Whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.0.nodes.is_empty()
    }

    /// The graph in the DOT language of Graphviz, with the nodes of a longest path drawn
    /// bold.
    pub fn to_dot(&self) -> String {
        let mut text = String::from("digraph {\n");
        let critical = self.0.longest_path();
        for (at, node) in (0..).zip(&self.0.nodes) {
            let name = node
                .name
                .as_str()
                .replace('\\', "\\\\")
                .replace('"', "\\\"");
            let style = match critical.contains(&at) {
                true => ", style=bold",
                false => "",
            };
            text += &format!("    n{at} [label=\"{name}\"{style}];\n");
        }
        for (before, after) in self.0.shape.edges() {
            text += &format!("    n{before} -> n{after};\n");
        }
        text + "}\n"
    }

    /// The graph as a Mermaid flowchart, with the nodes of a longest path drawn bold.
    pub fn to_mermaid(&self) -> String {
        let mut text = String::from("flowchart TD\n");
        let escapes = [('#', "#35;"), ('"', "#quot;"), ('<', "#lt;"), ('>', "#gt;")];
        for (at, node) in self.0.nodes.iter().enumerate() {
            let mut name = String::new();
            for letter in node.name.as_str().chars() {
                match escapes.iter().find(|(escaped, _)| *escaped == letter) {
                    Some((_, escape)) => name += escape,
                    None => name.push(letter),
                }
            }
            text += &format!("    n{at}[\"{name}\"]\n");
        }
        for (before, after) in self.0.shape.edges() {
            text += &format!("    n{before} --> n{after}\n");
        }
        for node in self.0.longest_path() {
            text += &format!("    style n{node} stroke-width:4px\n");
        }
        text
    }
}

impl Planned {
    fn longest_path(&self) -> Vec<u32> {
        let nodes = vec![Duration::from_nanos(1); self.nodes.len()];
        self.shape.critical_path(&nodes)
    }
}
