//! A workflow on the adaptive scheduler: every task spawned as ordinary async work, with what it
//! runs after and nothing else.
//!
//! Somebody waits for a workflow's result, so one task of priority production runs after all
//! that nothing else runs after. Priority flows from it through the whole graph.

use std::sync::Arc;
use std::time::{Duration, Instant};

use adaptive_task_scheduler::{Priority, Scheduler, TaskHandle, yield_now};

use super::progress::{self, Counts};
use super::work::Load;
use super::workflow::Workflow;
use crate::exit::Failure;

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// From the first spawn to the last end.
    pub makespan: Duration,
    /// How often a task's effective priority was raised.
    pub boosts: u64,
    /// How often a task's polls were moved to another lane.
    pub relocations: u64,
    /// How often a stuck worker's queue was handed to another thread.
    pub hand_offs: u64,
}

/// Runs the workflow to its end.
///
/// # Errors
///
/// The scheduler could not be started, or a task was lost.
pub fn run(
    label: &str,
    workflow: &Workflow,
    loads: &[Load],
    cores: usize,
) -> Result<Outcome, Failure> {
    let scheduler = Scheduler::builder()
        .io_slots(cores)
        .cpu_threads(cores)
        .build_runtime()
        .map_err(|error| Failure::internal("starting the scheduler", error))?;
    let counts = Arc::new(Counts::default());
    let start = Instant::now();
    let result = progress::shown(label, loads.len(), &counts, || {
        let result = spawn_all(&scheduler, workflow, loads, &counts);
        scheduler.block_on(result)
    });
    let makespan = start.elapsed();
    result.map_err(|error| Failure::internal("replaying", error))?;
    let stats = scheduler.stats();
    scheduler.block_on(scheduler.shutdown(Duration::from_secs(5)));
    Ok(Outcome {
        makespan,
        boosts: stats.boosts,
        relocations: stats.relocations,
        hand_offs: stats.hand_offs,
    })
}

fn spawn_all(
    scheduler: &Scheduler,
    workflow: &Workflow,
    loads: &[Load],
    counts: &Arc<Counts>,
) -> TaskHandle<()> {
    let mut handles: Vec<TaskHandle<()>> = Vec::with_capacity(loads.len());
    for (task, &load) in workflow.tasks.iter().zip(loads) {
        let counts = Arc::clone(counts);
        let handle = scheduler
            .task()
            .name(task.class.clone())
            .after_all(task.parents.iter().map(|&parent| &handles[parent]))
            .spawn(async move {
                counts.start();
                load.perform(yield_now).await;
                counts.finish();
            });
        handles.push(handle);
    }
    let children = workflow.children();
    let last = handles
        .iter()
        .zip(&children)
        .filter(|(_, after)| after.is_empty());
    scheduler
        .task()
        .name("result of the workflow")
        .priority(Priority::Production)
        .after_all(last.map(|(handle, _)| handle))
        .spawn(async {})
}
