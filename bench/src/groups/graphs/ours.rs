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
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Nodes {
    /// Closures of the CPU lane.
    Closures,
    /// Futures that never suspend.
    Futures,
}

impl Ours {
    pub(super) fn start(nodes: Nodes) -> Ours {
        let ats = engine::Ats::start(THREADS, |builder| builder.cpu_threads(THREADS));
        Ours {
            ats: engine::kept(ats),
            nodes,
        }
    }
}

impl Engine for Ours {
    type Built = Plan;

    fn build(&self, shape: &Shape, count: &'static Count) -> Plan {
        let mut graph = Graph::with_capacity(shape.len());
        let mut outputs: Vec<Output<()>> = Vec::with_capacity(shape.len());
        for before in shape.nodes() {
            let mut node = graph.unnamed();
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
