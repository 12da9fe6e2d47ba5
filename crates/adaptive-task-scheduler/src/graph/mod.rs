//! Typed task graphs: declared once, checked whole, run many times.
//!
//! A node computes ([`cpu`](NodeBuilder::cpu)), blocks
//! ([`blocking`](NodeBuilder::blocking)) or is a future ([`io`](NodeBuilder::io)). It uses
//! the outputs of others, by reference or by value, and gives an output of its own. A
//! wrong type does not compile.
//!
//! ```
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
//! use adaptive_task_scheduler::{Scheduler, graph::Graph};
//!
//! let mut graph = Graph::new();
//! let orders = graph.node("orders").blocking((), |()| vec![3, 4, 5]);
//! let rate = graph.node("rate").io((), |()| async { 2 });
//! let total = graph
//!     .node("total")
//!     .cpu((&orders, &rate), |(orders, rate)| orders.iter().sum::<u32>() * rate);
//! let plan = graph.build().unwrap();
//!
//! let scheduler = Scheduler::new();
//! let report = plan.run(&scheduler).await;
//! assert_eq!(report.get(&total), Some(&24));
//! # })
//! ```
//!
//! Ready nodes are run in the order of their effective priority, which is that of the
//! most important node that runs after them, then of their deadlines, and then of the
//! longest path that begins with them. How long nodes take is learned from run to run: of
//! a node by its [class](NodeBuilder::class) until there are three samples of its own
//! ([`Durations`]). A node that fails fails those that run after it, and only them
//! ([`OnFailure`] can ask for more); the [`Report`] says why each gave no output.
//!
//! `cpu` nodes are run one after the other by as many tasks as the CPU lane has threads
//! for; between two nodes they give way to more important work. Each other node is a task
//! of its own, of the node's name; a future that has never suspended lately is polled
//! where it becomes ready.
//!
//! | a node can be | by |
//! | --- | --- |
//! | tried again, with backoff and jitter | [`retries`](NodeBuilder::retries) |
//! | given up | [`timeout`](NodeBuilder::timeout) |
//! | run only if something holds | [`run_if`](NodeBuilder::run_if), [`maybe`](Output::maybe) |
//! | run whatever has failed | [`run_anyway`](NodeBuilder::run_anyway) |
//! | run for each item of a list that is known only then | [`cpu_each`](NodeBuilder::cpu_each) and its like |
//! | another graph | [`subgraph`](NodeBuilder::subgraph) |
//! | in a group that others run after | [`group`](Graph::group) |
//! | given for each run | [`input`](Graph::input) |

// In the order in which a graph meets them: declared, checked, planned, run, reported.
// `shape`, `durations`, `bits`, `ranks`, `progress`, `learned` and
// `width` are pure.

mod build;
mod inputs;
mod node;
mod special;
mod work;

mod check;
mod mistakes;

mod draw;
mod durations;
mod learned;
mod plan;
mod ranks;
mod shape;
mod width;

mod apart;
#[allow(unsafe_code, reason = "the values of a run; each block cites a rule")]
mod arena;
mod bits;
mod policy;
mod progress;
mod run;
mod state;
mod workers;

mod report;

pub use build::{Graph, NodeGroup};
pub use durations::{Basis, Durations, Expected, Samples};
pub use inputs::{Input, Inputs, Maybe, Output, Shared};
pub use mistakes::{GraphError, Mistake};
pub use node::NodeBuilder;
pub use plan::Plan;
pub use policy::OnFailure;
pub use report::{NodeError, Report, RunProgress};
pub use run::{Giving, Prepared, Run};
pub use shape::{Cycle, Shape};
pub use special::Retries;
