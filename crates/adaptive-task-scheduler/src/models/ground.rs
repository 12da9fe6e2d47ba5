//! Stands in for `sync::ground`: a wait graph of the model's own.
//!
//! A checker runs all threads of a model on one thread of the process, so plain
//! thread-locals hold what they share; the locks touch it under the lock of their
//! line only.

use crate::{
    task::id::{TaskId, TaskName},
    waits::node::NodeKind,
};
use std::cell::{Cell, RefCell};

/// The tasks and locks of a circle, with their names.
type Circle = Vec<(TaskId, TaskName)>;

#[derive(Debug, Default)]
struct Graph {
    /// Who waits on whom.
    edges: Vec<(TaskId, TaskId)>,
    /// Open nodes, and whether any of those they wait on is enough.
    nodes: Vec<(TaskId, bool)>,
    opened: u32,
    /// Grants that have not been taken up.
    granted: usize,
}

thread_local! {
    static GRAPH: RefCell<Graph> = RefCell::default();
}

#[cfg(ats_loom)]
loom::thread_local! {
    static TASK: Cell<Option<TaskId>> = Cell::new(None);
}
#[cfg(ats_shuttle)]
shuttle::thread_local! {
    static TASK: Cell<Option<TaskId>> = Cell::new(None);
}

/// Nodes have places beyond these tasks.
const TASKS: u32 = 100;

/// A run of a model begins.
pub(crate) fn begin() {
    GRAPH.with(|graph| *graph.borrow_mut() = Graph::default());
}

/// A task of the model. The higher its number, the more important it is.
pub(crate) fn task_of(number: u32) -> TaskId {
    assert!(number < TASKS);
    TaskId::new(number, 1)
}

/// This thread of the model polls that task from now on.
pub(crate) fn become_task(number: u32) {
    TASK.with(|task| task.set(Some(task_of(number))));
}

/// How many edges there are from one to another.
pub(crate) fn edges(from: impl Fn(TaskId) -> bool, to: impl Fn(TaskId) -> bool) -> usize {
    GRAPH.with(|graph| {
        let graph = graph.borrow();
        let fits = |edge: &&(TaskId, TaskId)| from(edge.0) && to(edge.1);
        graph.edges.iter().filter(fits).count()
    })
}

pub(crate) fn is_node(id: TaskId) -> bool {
    id.index() >= TASKS
}

/// The one open node's word on whether any of several is enough.
pub(crate) fn any_is_enough() -> Option<bool> {
    GRAPH.with(|graph| graph.borrow().nodes.first().map(|node| node.1))
}

/// Whether nothing is left of any wait.
pub(crate) fn is_empty() -> bool {
    GRAPH.with(|graph| {
        let graph = graph.borrow();
        graph.edges.is_empty() && graph.nodes.is_empty() && graph.granted == 0
    })
}

impl Graph {
    fn remove(&mut self, from: TaskId, to: TaskId) {
        let at = self.edges.iter().position(|&edge| edge == (from, to));
        self.edges.swap_remove(at.expect("an edge goes once"));
    }

    /// The way from one to another that all have to go.
    fn way(&self, from: TaskId, to: TaskId) -> Option<Vec<TaskId>> {
        if from == to {
            return Some(vec![to]);
        }
        if self.nodes.contains(&(from, true)) {
            return None;
        }
        let next = self.edges.iter().filter(|edge| edge.0 == from);
        let mut ways = next.filter_map(|edge| self.way(edge.1, to));
        ways.next().map(|rest| [vec![from], rest].concat())
    }
}

fn named(way: Vec<TaskId>) -> Circle {
    let name = |id: TaskId| (id, TaskName::from(id.index().to_string()));
    way.into_iter().map(name).collect()
}

// In the place of `sync::ground`.

pub(crate) type Report = ();

/// Nothing is told in a model.
pub(crate) struct PutOff;

impl PutOff {
    pub(crate) fn begin() -> Self {
        Self
    }
}

pub(crate) fn granted(_: TaskId, _: &TaskName) -> Option<Report> {
    GRAPH.with(|graph| graph.borrow_mut().granted += 1);
    Some(())
}

pub(crate) fn taken_up(_: TaskId, (): Report) {
    GRAPH.with(|graph| graph.borrow_mut().granted -= 1);
}

pub(crate) fn task() -> Option<TaskId> {
    TASK.with(Cell::get)
}

pub(crate) fn level(task: Option<TaskId>) -> u8 {
    match task {
        // As important as the most important who wait on it.
        Some(node) if is_node(node) => u8::MAX,
        Some(task) => task.index() as u8,
        None => 0,
    }
}

pub(crate) fn is_waiting(task: TaskId) -> bool {
    GRAPH.with(|graph| graph.borrow().edges.iter().any(|edge| edge.0 == task))
}

pub(crate) fn open_node(_: TaskId, _: &TaskName, _: NodeKind) -> Option<TaskId> {
    GRAPH.with(|graph| {
        let mut graph = graph.borrow_mut();
        let node = TaskId::new(TASKS + graph.opened, 1);
        graph.opened += 1;
        graph.nodes.push((node, false));
        Some(node)
    })
}

pub(crate) fn close_node(node: TaskId) {
    GRAPH.with(|graph| {
        let mut graph = graph.borrow_mut();
        graph.edges.retain(|edge| edge.0 != node && edge.1 != node);
        graph.nodes.retain(|open| open.0 != node);
    });
}

pub(crate) fn begin_wait(task: TaskId, node: TaskId) -> Result<bool, Circle> {
    GRAPH.with(|graph| {
        let mut graph = graph.borrow_mut();
        if let Some(way) = graph.way(node, task) {
            return Err(named(way));
        }
        graph.edges.push((task, node));
        Ok(true)
    })
}

pub(crate) fn end_wait(waiter: TaskId, blocker: TaskId) {
    GRAPH.with(|graph| graph.borrow_mut().remove(waiter, blocker));
}

pub(crate) fn note_member(_: TaskId, _: TaskId, _: TaskId) {}

pub(crate) fn pass_on(node: TaskId, holder: TaskId) {
    GRAPH.with(|graph| graph.borrow_mut().edges.push((node, holder)));
}

pub(crate) fn set_any_is_enough(node: TaskId, any: bool) {
    GRAPH.with(|graph| {
        let mut graph = graph.borrow_mut();
        let open = graph.nodes.iter_mut().find(|open| open.0 == node);
        open.expect("it is open").1 = any;
    });
}

pub(crate) fn circle_through(waiter: TaskId, blocker: TaskId) -> Option<Circle> {
    GRAPH.with(|graph| graph.borrow().way(blocker, waiter).map(named))
}

pub(crate) fn end_task(circle: Circle) {
    panic!("no circle was expected: {circle:?}");
}
