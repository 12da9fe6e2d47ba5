//! Our graphs, with everything switched on that a user gets.

use adaptive_task_scheduler::graph::{Graph, Output, Plan};

use super::{
    THREADS,
    clock::{Count, Engine},
    shape::Shape,
};
use crate::engine;

/// Our scheduler, and what the nodes are.
pub(super) struct Ours {
    ats: &'static engine::Ats,
    nodes: Nodes,
    names: Vec<std::sync::Arc<str>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Nodes {
    /// Closures of the CPU lane.
    Closures,
    /// Futures that never suspend.
    Futures,
}

impl Ours {
    pub(super) fn start(nodes: Nodes, shape: &Shape) -> Ours {
        let ats = engine::Ats::start(THREADS, |builder| builder.cpu_threads(THREADS));
        Ours {
            ats: engine::kept(ats),
            nodes,
            names: (0..shape.len()).map(|at| at.to_string().into()).collect(),
        }
    }
}

impl Engine for Ours {
    type Built = Plan;

    fn build(&self, shape: &Shape, count: &'static Count) -> Plan {
        let mut graph = Graph::new();
        let mut outputs: Vec<Output<()>> = Vec::with_capacity(shape.len());
        for (name, before) in self.names.iter().zip(shape.nodes()) {
            let mut node = graph.node(std::sync::Arc::clone(name));
            for &before in before {
                node = node.after(&outputs[before as usize]);
            }
            outputs.push(match self.nodes {
                Nodes::Closures => node.cpu((), |()| count.add()),
                Nodes::Futures => node.io((), |()| async { count.add() }),
            });
        }
        graph.build().expect("the graph has no mistakes")
    }

    fn run(&self, plan: Plan) -> Option<Plan> {
        let scheduler = self.ats.scheduler();
        let report = scheduler.block_on(plan.run(scheduler));
        assert!(report.is_ok(), "no node fails");
        Some(plan)
    }
}
