//! A workflow on the adaptive scheduler: every task spawned as ordinary async work, with what it
//! runs after and nothing else.
//!
//! Somebody waits for a workflow's result, so one task of priority production runs after all
//! that nothing else runs after. Priority flows from it through the whole graph.
//!
//! All runs of a file are on one scheduler, so that a later one begins with what the earlier ones
//! taught it.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use adaptive_task_scheduler::{
    Lane, Priority, ProfileError, Scheduler, Stats, TaskHandle, current_task, yield_now,
};

use super::first_lanes::FirstLanes;
use super::progress::{self, Counts};
use super::work::Load;
use super::workflow::Workflow;
use crate::exit::Failure;

/// What was measured of one run.
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
    /// How many tasks started where they belong.
    pub first_lanes: FirstLanes,
}

/// A scheduler on which a workflow is run, perhaps several times.
#[derive(Debug)]
pub struct Stage {
    scheduler: Scheduler,
}

impl Stage {
    /// Starts a scheduler for so many cores.
    ///
    /// # Errors
    ///
    /// It could not be started.
    pub fn start(cores: usize) -> Result<Self, Failure> {
        let scheduler = Scheduler::builder()
            .io_slots(cores)
            .cpu_threads(cores)
            .build_runtime()
            .map_err(|error| Failure::internal("starting the scheduler", error))?;
        Ok(Self { scheduler })
    }

    /// Begins with what an earlier replay learned.
    ///
    /// # Errors
    ///
    /// The file cannot be used; then nothing is known.
    pub fn load(&self, profiles: &Path) -> Result<usize, ProfileError> {
        self.scheduler.load_profiles(profiles)
    }

    /// Keeps what was learned.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn save(&self, profiles: &Path) -> Result<(), ProfileError> {
        self.scheduler.save_profiles(profiles)
    }

    /// Runs the workflow to its end.
    ///
    /// # Errors
    ///
    /// A task was lost.
    pub fn run(
        &self,
        label: &str,
        workflow: &Workflow,
        loads: &[Load],
    ) -> Result<Outcome, Failure> {
        let before = self.scheduler.stats();
        let witness = Arc::new(Witness::of(loads.len()));
        let start = Instant::now();
        let result = progress::shown(label, loads.len(), &witness.counts, || {
            let result = self.spawn_all(workflow, loads, &witness);
            self.scheduler.block_on(result)
        });
        let makespan = start.elapsed();
        result.map_err(|error| Failure::internal("replaying", error))?;
        let after = self.scheduler.stats();
        let since = |of: fn(&Stats) -> u64| of(&after) - of(&before);
        Ok(Outcome {
            makespan,
            boosts: since(|stats| stats.boosts),
            relocations: since(|stats| stats.relocations),
            hand_offs: since(|stats| stats.hand_offs),
            first_lanes: FirstLanes::judge(&workflow.tasks, loads, &witness.lanes()),
        })
    }

    /// Ends the scheduler.
    pub fn end(self) {
        let ending = self.scheduler.shutdown(Duration::from_secs(5));
        self.scheduler.block_on(ending);
    }

    fn spawn_all(
        &self,
        workflow: &Workflow,
        loads: &[Load],
        witness: &Arc<Witness>,
    ) -> TaskHandle<()> {
        let mut handles: Vec<TaskHandle<()>> = Vec::with_capacity(loads.len());
        for (place, (task, &load)) in workflow.tasks.iter().zip(loads).enumerate() {
            let witness = Arc::clone(witness);
            let scheduler = self.scheduler.clone();
            let handle = self
                .scheduler
                .task()
                .name(task.class.clone())
                .after_all(task.parents.iter().map(|&parent| &handles[parent]))
                .spawn(async move {
                    witness.counts.start();
                    witness.started(place, lane_of_this_task(&scheduler));
                    load.perform(yield_now).await;
                    witness.counts.finish();
                });
            handles.push(handle);
        }
        let children = workflow.children();
        let last = handles
            .iter()
            .zip(&children)
            .filter(|(_, after)| after.is_empty());
        self.scheduler
            .task()
            .name("result of the workflow")
            .priority(Priority::Production)
            .after_all(last.map(|(handle, _)| handle))
            .spawn(async {})
    }
}

fn lane_of_this_task(scheduler: &Scheduler) -> Option<Lane> {
    let explanation = scheduler.explain(current_task()?)?;
    explanation.chain.first().map(|link| link.lane)
}

/// What the tasks of a run tell of themselves.
#[derive(Debug)]
struct Witness {
    counts: Counts,
    /// Of each task the lane that it started on.
    lanes: Vec<OnceLock<Lane>>,
}

impl Witness {
    fn of(tasks: usize) -> Self {
        Self {
            counts: Counts::default(),
            lanes: (0..tasks).map(|_| OnceLock::new()).collect(),
        }
    }

    fn started(&self, place: usize, lane: Option<Lane>) {
        if let Some(lane) = lane {
            self.lanes[place].get_or_init(|| lane);
        }
    }

    fn lanes(&self) -> Vec<Option<Lane>> {
        self.lanes.iter().map(|lane| lane.get().copied()).collect()
    }
}
