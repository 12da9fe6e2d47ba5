//! Graph engines of others, each used as its documentation shows. Their graphs are
//! used up by a run, so that every run builds one.

use std::sync::Arc;

use async_trait::async_trait;
use dagrs::{Action, Content, DefaultNode, EnvVar, InChannels, Node, NodeTable, OutChannels};
use dagx::{DagRunner, Task, TaskHandle};
use tokio::runtime::Runtime;

use super::{
    clock::{Count, Engine},
    counters,
    shape::Shape,
};

/// dagx, its futures spawned on Tokio.
pub(super) struct Dagx(Runtime);

impl Dagx {
    pub(super) fn start() -> Dagx {
        Dagx(counters::runtime())
    }
}

struct AfterNone(&'static Count);
struct AfterOne(&'static Count);
struct AfterTwo(&'static Count);

#[dagx::task]
impl AfterNone {
    async fn run(&self) -> bool {
        self.0.add();
        true
    }
}

#[dagx::task]
impl AfterOne {
    async fn run(&self, before: &bool) -> bool {
        self.0.add();
        *before
    }
}

#[dagx::task]
impl AfterTwo {
    async fn run(&self, first: &bool, second: &bool) -> bool {
        self.0.add();
        *first && *second
    }
}

impl Engine for Dagx {
    type Built = DagRunner;

    fn build(&self, shape: &Shape, count: &'static Count) -> DagRunner {
        let dag = DagRunner::new();
        let mut handles: Vec<TaskHandle<bool>> = Vec::with_capacity(shape.len());
        for before in shape.nodes() {
            let of = |at: usize| &handles[before[at] as usize];
            let handle = match before.len() {
                0 => dag.add_task(AfterNone(count)).into(),
                1 => dag.add_task(AfterOne(count)).depends_on(of(0)),
                _ => dag.add_task(AfterTwo(count)).depends_on((of(0), of(1))),
            };
            handles.push(handle);
        }
        dag
    }

    fn run(&self, dag: DagRunner) -> Option<DagRunner> {
        // By a worker, which spawns faster than a thread outside does.
        let run = self.0.spawn(async move {
            let spawn = |future| drop(tokio::spawn(future));
            dag.run(spawn).await.expect("no node fails");
        });
        self.0.block_on(run).expect("it does not panic");
        None
    }
}

/// dagrs, which has a task for each node and a channel for each edge.
pub(super) struct Dagrs(Runtime);

impl Dagrs {
    pub(super) fn start() -> Dagrs {
        Dagrs(counters::runtime())
    }
}

struct Adds(&'static Count);

#[async_trait]
impl Action for Adds {
    async fn run(
        &self,
        before: &mut InChannels,
        after: &mut OutChannels,
        _: Arc<EnvVar>,
    ) -> dagrs::Output {
        before.map(drop).await;
        self.0.add();
        after.broadcast(Content::new(())).await;
        dagrs::Output::empty()
    }
}

impl Engine for Dagrs {
    type Built = dagrs::Graph;

    fn build(&self, shape: &Shape, count: &'static Count) -> dagrs::Graph {
        let mut table = NodeTable::default();
        let mut graph = dagrs::Graph::new();
        let mut ids = Vec::with_capacity(shape.len());
        for at in 0..shape.len() {
            let node = DefaultNode::with_action(at.to_string(), Adds(count), &mut table);
            ids.push(node.id());
            graph.add_node(node).expect("the name is new");
        }
        for (&id, before) in ids.iter().zip(shape.nodes()) {
            for &before in before {
                let added = graph.add_edge(ids[before as usize], [id]);
                added.expect("both nodes are there");
            }
        }
        graph.set_env(EnvVar::new(table));
        graph
    }

    fn run(&self, mut graph: dagrs::Graph) -> Option<dagrs::Graph> {
        let run = self.0.spawn(async move {
            graph.async_start().await.expect("no node fails");
        });
        self.0.block_on(run).expect("it does not panic");
        None
    }
}

/// async_dag, which runs a whole graph in one task, on one thread.
pub(super) struct AsyncDag;

impl Engine for AsyncDag {
    type Built = async_dag::Graph<'static>;

    fn build(&self, shape: &Shape, count: &'static Count) -> Self::Built {
        let mut graph = async_dag::Graph::new();
        let mut ids = Vec::with_capacity(shape.len());
        for before in shape.nodes() {
            let one = move |before: bool| async move {
                count.add();
                before
            };
            let two = move |first: bool, second: bool| async move {
                count.add();
                first && second
            };
            let of = |at: usize| ids[before[at] as usize];
            let id = match before.len() {
                0 => graph.add_task(move || async move {
                    count.add();
                    true
                }),
                1 => graph.add_child_task(of(0), one, 0).expect("types fit"),
                _ => {
                    let id = graph.add_child_task(of(0), two, 0).expect("types fit");
                    graph.update_dependency(of(1), id, 1).expect("types fit");
                    id
                }
            };
            ids.push(id);
        }
        graph
    }

    fn run(&self, mut graph: Self::Built) -> Option<Self::Built> {
        futures_lite::future::block_on(graph.run());
        None
    }
}
