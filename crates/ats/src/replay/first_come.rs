//! The same workflow on plain Tokio, in the order in which its tasks become ready: each task,
//! when it ends, spawns those of its children that wait on nobody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::progress::{self, Counts};
use super::work::Load;
use super::workflow::Workflow;
use crate::exit::Failure;

struct Graph {
    loads: Vec<Load>,
    children: Vec<Vec<usize>>,
    /// For each task, how many parents have not ended.
    waits_on: Vec<AtomicUsize>,
    unfinished: AtomicUsize,
    all_finished: Notify,
    counts: Arc<Counts>,
}

/// Runs the workflow to its end and returns its makespan.
///
/// # Errors
///
/// The runtime could not be started.
pub fn run(
    label: &str,
    workflow: &Workflow,
    loads: &[Load],
    cores: usize,
) -> Result<Duration, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores)
        .enable_all()
        .build()
        .map_err(|error| Failure::internal("starting plain Tokio", error))?;
    let counts = Arc::new(Counts::default());
    let graph = Arc::new(Graph::new(workflow, loads, Arc::clone(&counts)));
    let start = Instant::now();
    progress::shown(
        &format!("{label}, plain Tokio"),
        loads.len(),
        &counts,
        || {
            for (task, recorded) in workflow.tasks.iter().enumerate() {
                if recorded.parents.is_empty() {
                    runtime.spawn(Arc::clone(&graph).perform(task));
                }
            }
            runtime.block_on(graph.all_finished.notified());
        },
    );
    Ok(start.elapsed())
}

impl Graph {
    fn new(workflow: &Workflow, loads: &[Load], counts: Arc<Counts>) -> Self {
        let parents = workflow.tasks.iter().map(|task| task.parents.len());
        Graph {
            loads: loads.to_vec(),
            children: workflow.children(),
            waits_on: parents.map(AtomicUsize::new).collect(),
            unfinished: AtomicUsize::new(loads.len()),
            all_finished: Notify::new(),
            counts,
        }
    }

    async fn perform(self: Arc<Self>, task: usize) {
        self.counts.start();
        self.loads[task].perform(tokio::task::yield_now).await;
        self.counts.finish();
        for &child in &self.children[task] {
            // Acquire and release: the last parent's end is after all other parents' ends.
            if self.waits_on[child].fetch_sub(1, Ordering::AcqRel) == 1 {
                Arc::clone(&self).start(child);
            }
        }
        if self.unfinished.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.all_finished.notify_one();
        }
    }

    /// Apart from `perform`, whose type would otherwise contain itself.
    fn start(self: Arc<Self>, task: usize) {
        tokio::spawn(self.perform(task));
    }
}
