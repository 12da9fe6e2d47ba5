//! Declaring a graph, and checking it whole.

use super::{
    mistakes::{GraphError, Mistake},
    plan::{Node, Plan, Planned, Work},
    shape::Shape,
    values::{self, How, Inputs, Output, Use},
};
use crate::{
    lane::Lane,
    priority::Priority,
    task::{id::TaskName, job::BoxError},
};
use std::{
    collections::HashMap,
    fmt,
    future::Future,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// A graph that is being declared. See [the module](super).
#[derive(Debug)]
pub struct Graph {
    id: u64,
    declared: Vec<Declared>,
}

#[derive(Debug)]
struct Declared {
    node: Node,
    uses: Vec<Use>,
    after: Vec<TaskName>,
}

impl Default for Graph {
    fn default() -> Self {
        Self::new()
    }
}

impl Graph {
    /// A graph without nodes.
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, Relaxed),
            declared: Vec::new(),
        }
    }

    /// Declares a node. Its name is also that of its tasks, and so of their class.
    pub fn node(&mut self, name: impl Into<TaskName>) -> NodeBuilder<'_> {
        NodeBuilder {
            graph: self,
            name: name.into(),
            priority: Priority::default(),
            uses: Vec::new(),
            after: Vec::new(),
        }
    }

    /// How many nodes were declared.
    pub fn len(&self) -> usize {
        self.declared.len()
    }

    /// Whether no node was declared.
    pub fn is_empty(&self) -> bool {
        self.declared.is_empty()
    }

    /// Checks the graph, and makes a plan of it that can be run many times.
    ///
    /// # Errors
    ///
    /// All mistakes together: doubled and unknown names, outputs of other graphs,
    /// outputs that are taken and used elsewhere, and a cycle with its whole path.
    pub fn build(self) -> Result<Plan, GraphError> {
        let mut mistakes = Vec::new();
        let names = self.names(&mut mistakes);
        let (edges, taken) = self.edges(&names, &mut mistakes);
        let shape = match Shape::new(self.declared.len(), &edges) {
            Ok(shape) if mistakes.is_empty() => shape,
            Ok(_) => return Err(GraphError { mistakes }),
            Err(cycle) => {
                mistakes.push(Mistake::Cycle(self.named(cycle.nodes())));
                return Err(GraphError { mistakes });
            }
        };
        let own: Vec<Priority> = self.declared.iter().map(|it| it.node.priority).collect();
        let mut nodes: Vec<Node> = self.declared.into_iter().map(|it| it.node).collect();
        for (node, is_taken) in nodes.iter_mut().zip(taken) {
            node.is_taken = is_taken;
        }
        Ok(Plan(Arc::new(Planned {
            graph: self.id,
            effective: shape.effective(&own),
            remaining: shape.remaining(&vec![Duration::from_nanos(1); nodes.len()]),
            shape,
            nodes,
        })))
    }

    fn named(&self, nodes: &[u32]) -> Vec<TaskName> {
        let name = |&node: &u32| self.declared[node as usize].node.name.clone();
        nodes.iter().map(name).collect()
    }

    fn names(&self, mistakes: &mut Vec<Mistake>) -> HashMap<TaskName, u32> {
        let mut names = HashMap::with_capacity(self.declared.len());
        for (at, declared) in (0..).zip(&self.declared) {
            let name = &declared.node.name;
            let doubled = Mistake::DoubledName(name.clone());
            if names.insert(name.clone(), at).is_some() && !mistakes.contains(&doubled) {
                mistakes.push(doubled);
            }
        }
        names
    }

    /// Each edge once, and which outputs are taken.
    fn edges(
        &self,
        names: &HashMap<TaskName, u32>,
        mistakes: &mut Vec<Mistake>,
    ) -> (Vec<(u32, u32)>, Vec<bool>) {
        let mut edges = Vec::new();
        let mut users: HashMap<u32, Vec<(u32, bool)>> = HashMap::new();
        for (at, declared) in (0..).zip(&self.declared) {
            let name = &declared.node.name;
            for used in &declared.uses {
                if used.graph == self.id {
                    edges.push((used.node, at));
                    if used.how != How::After {
                        let users = users.entry(used.node).or_default();
                        users.push((at, used.how == How::Take));
                    }
                } else {
                    mistakes.push(Mistake::ForeignOutput(name.clone()));
                }
            }
            for after in &declared.after {
                match names.get(after) {
                    Some(&before) => edges.push((before, at)),
                    None => mistakes.push(Mistake::UnknownName {
                        node: name.clone(),
                        after: after.clone(),
                    }),
                }
            }
        }
        let taken = self.taken(&users, mistakes);
        (edges, taken)
    }

    fn taken(
        &self,
        users: &HashMap<u32, Vec<(u32, bool)>>,
        mistakes: &mut Vec<Mistake>,
    ) -> Vec<bool> {
        let mut taken = vec![false; self.declared.len()];
        for output in 0..self.declared.len() as u32 {
            let users = users.get(&output).map_or(&[][..], Vec::as_slice);
            let Some(at) = users.iter().position(|&(_, is_taken)| is_taken) else {
                continue;
            };
            taken[output as usize] = true;
            let others = users.iter().enumerate().filter(|&(other, _)| other != at);
            for (_, &(also, _)) in others {
                let names = self.named(&[output, users[at].0, also]);
                if let [output, by, also] = &names[..] {
                    mistakes.push(Mistake::TakenAndUsed {
                        output: output.clone(),
                        by: by.clone(),
                        also: also.clone(),
                    });
                }
            }
        }
        taken
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
    priority: Priority,
    uses: Vec<Use>,
    after: Vec<TaskName>,
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

    /// Runs the node after that one, whose output it does not need.
    pub fn after<T: Send + Sync + 'static>(mut self, on: &Output<T>) -> Self {
        self.uses.push(Use {
            graph: on.graph,
            node: on.node,
            how: How::After,
        });
        self
    }

    /// Runs the node after the one of that name, which may be declared later.
    pub fn after_named(mut self, name: impl Into<TaskName>) -> Self {
        self.after.push(name.into());
        self
    }

    /// A closure that computes, on the CPU lane.
    pub fn cpu<I, T, F>(self, inputs: I, f: F) -> Output<T>
    where
        I: Inputs,
        T: Send + Sync + 'static,
        F: for<'v> Fn(I::Given<'v>) -> T + Send + Sync + 'static,
    {
        self.call(Lane::Cpu, inputs, move |given| Ok(f(given)))
    }

    /// As [`cpu`](Self::cpu), with a `Result`.
    pub fn try_cpu<I, T, E, F>(self, inputs: I, f: F) -> Output<T>
    where
        I: Inputs,
        T: Send + Sync + 'static,
        E: Into<BoxError>,
        F: for<'v> Fn(I::Given<'v>) -> Result<T, E> + Send + Sync + 'static,
    {
        self.call(Lane::Cpu, inputs, move |given| f(given).map_err(Into::into))
    }

    /// A closure that blocks, on the blocking lane.
    pub fn blocking<I, T, F>(self, inputs: I, f: F) -> Output<T>
    where
        I: Inputs,
        T: Send + Sync + 'static,
        F: for<'v> Fn(I::Given<'v>) -> T + Send + Sync + 'static,
    {
        self.call(Lane::Blocking, inputs, move |given| Ok(f(given)))
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
        self.call(Lane::Blocking, inputs, f)
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
    pub fn try_io<I, T, E, F, W>(self, inputs: I, f: F) -> Output<T>
    where
        I: Inputs,
        T: Send + Sync + 'static,
        E: Into<BoxError>,
        F: Fn(I::Kept) -> W + Send + Sync + 'static,
        W: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.declare(inputs, move |at, nodes| {
            Work::Future(Box::new(move |values| {
                let future = f(I::keep(values, nodes));
                let values = Arc::clone(values);
                Box::pin(async move {
                    values.put(at, future.await.map_err(Into::into)?);
                    Ok(())
                })
            }))
        })
    }

    fn call<I, T, F>(self, lane: Lane, inputs: I, f: F) -> Output<T>
    where
        I: Inputs,
        T: Send + Sync + 'static,
        F: for<'v> Fn(I::Given<'v>) -> Result<T, BoxError> + Send + Sync + 'static,
    {
        self.declare(inputs, move |at, nodes| {
            let call = move |values: &values::Values| {
                values.put(at, f(I::give(values, nodes))?);
                Ok(())
            };
            Work::Call(lane, Box::new(call))
        })
    }

    fn declare<I, T>(mut self, inputs: I, work: impl FnOnce(u32, I::Nodes) -> Work) -> Output<T>
    where
        I: Inputs,
        T: Send + Sync + 'static,
    {
        let at = self.graph.declared.len() as u32;
        let nodes = inputs.uses(&mut self.uses);
        self.graph.declared.push(Declared {
            node: Node {
                name: self.name,
                priority: self.priority,
                work: work(at, nodes),
                place: values::place::<T>,
                is_taken: false,
            },
            uses: self.uses,
            after: self.after,
        });
        Output {
            graph: self.graph.id,
            node: at,
            value: PhantomData,
        }
    }
}
