//! A graph that was checked: what its runs share, and what they have taught it.

use super::{
    arena::{Arena, Places},
    durations::Durations,
    inputs::Output,
    learned::{Learned, Names, Sample},
    progress::Progress,
    ranks::{Facts, Ranks},
    run::{Prepared, Run},
    shape::Shape,
    special::Special,
    state::Desk,
    work::Work,
};
use crate::{primitives::Mutex, priority::Priority, scheduler::Scheduler, task::id::TaskName};
use std::{collections::HashMap, mem, sync::Arc, time::Duration};

/// The memory of so many runs that have ended is kept for the next ones.
const KEPT: usize = 8;

/// A graph that was checked. It never changes, and can be run many times, concurrently
/// too. Cloning it is cheap, and clones learn together.
#[derive(Debug, Clone)]
pub struct Plan(pub(super) Arc<Planned>);

#[derive(Debug)]
pub(super) struct Planned {
    pub(super) graph: u64,
    /// How many nodes were declared; those behind gather groups.
    pub(super) declared: usize,
    pub(super) names: Vec<TaskName>,
    pub(super) classes: Vec<TaskName>,
    pub(super) class_of: Vec<u32>,
    pub(super) groups: Vec<(TaskName, Vec<u32>)>,
    pub(super) works: Vec<Work>,
    pub(super) kinds: Vec<u8>,
    pub(super) special: HashMap<u32, Special>,
    /// Of nodes that may be skipped for want of an output: the node, and whose output it
    /// needs. Sorted, and empty in a graph without conditions.
    pub(super) needs: Vec<(u32, u32)>,
    /// What matters most of a node and all that run after it.
    pub(super) effective: Vec<Priority>,
    pub(super) deadlines: Vec<(u32, Duration)>,
    pub(super) shape: Shape,
    pub(super) places: Places,
    pub(super) ranks: Mutex<Arc<Ranks>>,
    pub(super) learned: Mutex<Learned>,
    pub(super) memories: Mutex<Vec<Memory>>,
}

/// How a run goes about its nodes.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) ranks: Arc<Ranks>,
    /// All nodes are measured.
    pub(super) is_young: bool,
    /// One worker runs the nodes that are short.
    pub(super) is_alone: bool,
}

/// The memory of a run.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) arena: Arena,
    pub(super) progress: Progress,
}

impl Plan {
    /// Begins a run. Awaiting it gives the [`Report`](super::Report).
    ///
    /// [Inputs](super::Graph::input) of the graph are given by [`with`](Self::with); one
    /// that is not given fails.
    pub fn run(&self, scheduler: &Scheduler) -> Run {
        self.prepare().run(scheduler)
    }

    /// Prepares a run, and gives it a value for an [input](super::Graph::input).
    pub fn with<T: Send + Sync + 'static>(&self, input: &Output<T>, value: T) -> Prepared {
        self.prepare().with(input, value)
    }

    /// Prepares a run with options.
    pub fn prepare(&self) -> Prepared {
        Prepared::new(Arc::clone(&self.0))
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.0.declared
    }

    /// Whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.0.declared == 0
    }

    /// What the runs so far have taught of how long nodes take, by the names of nodes and
    /// classes. It can be kept, and given to [`learn`](Self::learn) by another process.
    pub fn durations(&self) -> Durations {
        self.0.learned.lock().to_durations(&self.0.by_name())
    }

    /// Begins with what earlier runs, perhaps of another process, have taught. The next run
    /// orders its nodes by that.
    pub fn learn(&self, durations: &Durations) {
        let mut learned = self.0.learned.lock();
        learned.restore(durations, &self.0.by_name());
        self.0.rank_anew(&learned);
    }

    /// The nodes of the path that is expected to take longest, in the order of running.
    pub fn critical_path(&self) -> Vec<TaskName> {
        let path = self.0.critical_path();
        path.iter().map(|&node| self.0.name(node)).collect()
    }
}

impl Planned {
    pub(super) fn name(&self, node: u32) -> TaskName {
        self.names[node as usize].clone()
    }

    pub(super) fn is_input(&self, node: u32) -> bool {
        matches!(self.works.get(node as usize), Some(Work::Given))
    }

    /// The nodes whose outputs this one cannot do without, in a graph with conditions.
    pub(super) fn needs(&self, node: u32) -> impl Iterator<Item = u32> {
        let from = self.needs.partition_point(|&(by, _)| by < node);
        let own = self.needs[from..].iter().take_while(move |it| it.0 == node);
        own.map(|&(_, before)| before)
    }

    fn by_name(&self) -> Names<'_> {
        Names {
            nodes: &self.names,
            classes: &self.classes,
            of: &self.class_of,
        }
    }

    /// A run begins.
    pub(super) fn begin_run(&self) -> Way {
        let mut learned = self.learned.lock();
        let (is_young, is_due) = learned.begin_run();
        if is_due {
            self.rank_anew(&learned);
        }
        let is_alone = !is_young && learned.width.begin_run();
        let suspects = mem::take(&mut learned.suspects);
        drop(learned);
        let mut ranks = Arc::clone(&self.ranks.lock());
        if !suspects.is_empty() {
            ranks = Arc::new(ranks.without_short(&suspects));
        }
        Way {
            ranks,
            is_young,
            is_alone,
        }
    }

    /// A run has ended well.
    pub(super) fn end_run(&self, way: &Way, took: Duration) {
        if !way.is_young {
            self.learned.lock().width.end_run(way.is_alone, took);
        }
    }

    fn rank_anew(&self, learned: &Learned) {
        let facts = Facts {
            effective: &self.effective,
            kinds: &self.kinds,
            deadlines: &self.deadlines,
        };
        let known = learned.known(&self.class_of);
        let ranks = Ranks::learned(&self.shape, facts, &known);
        *self.ranks.lock() = Arc::new(ranks);
    }

    /// One of these nodes was not short for once.
    pub(super) fn doubt(&self, nodes: &[u32]) {
        self.learned.lock().suspects.extend_from_slice(nodes);
    }

    pub(super) fn learn_samples(&self, samples: &[Sample]) {
        let mut learned = self.learned.lock();
        learned.add(samples, &self.class_of, self.classes.len());
    }

    /// How long each node is expected to take; all alike if nothing was learned yet.
    pub(super) fn expected(&self) -> Vec<Duration> {
        let known = self.learned.lock().known(&self.class_of);
        match known.is_empty() {
            true => vec![Duration::from_micros(1); self.names.len()],
            false => known.iter().map(|it| it.expected).collect(),
        }
    }

    /// Without the nodes that gather groups.
    pub(super) fn critical_path(&self) -> Vec<u32> {
        let mut path = self.shape.critical_path(&self.expected());
        path.retain(|&node| (node as usize) < self.declared);
        path
    }

    /// Memory for a run, that of an earlier one if there is some.
    pub(super) fn memory(&self) -> Memory {
        let kept = self.memories.lock().pop();
        match kept {
            Some(mut memory) => {
                memory.progress.reset(&self.shape);
                memory
            }
            None => Memory {
                arena: Arena::new(&self.places),
                progress: Progress::new(&self.shape),
            },
        }
    }

    /// Keeps the memory of a run that is over.
    pub(super) fn keep(&self, arena: &mut Arena, desk: &mut Desk) {
        let mut memories = self.memories.lock();
        if memories.len() < KEPT {
            memories.push(Memory {
                arena: mem::take(arena),
                progress: mem::take(&mut desk.progress),
            });
        }
    }
}
