//! What somebody writes who has no graph engine: a static graph, a closure and a
//! counter for each node, and each released node spawned on Rayon or on Tokio.
//! And the same as fast as it can be made by hand: the first released node is run
//! at once by whoever released it.
//!
//! The closures are boxed, as they are in every engine that runs whatever it is
//! given. A node that waits for one other only needs no counter.

use std::sync::{
    Mutex,
    atomic::{
        AtomicU32, AtomicUsize,
        Ordering::{AcqRel, Relaxed},
    },
};

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use tokio::{runtime::Runtime, sync::oneshot};

use super::{
    THREADS,
    clock::{Count, Engine},
    shape::Shape,
};

/// A node's whole state, so that releasing it costs one line of cache.
struct Node {
    body: Box<dyn Fn() + Send + Sync>,
    /// How many nodes it waits for still.
    left: AtomicU32,
    needs: u32,
    /// Its part of `Counted::after`.
    start: u32,
    end: u32,
}

/// A graph that is kept until the process ends, so that what is spawned needs only
/// a reference.
pub(super) struct Counted {
    nodes: Vec<Node>,
    after: Vec<u32>,
    roots: Vec<u32>,
    /// For Tokio: what was spawned and has not ended, and who waits for the end.
    spawned: AtomicUsize,
    waiter: Mutex<Option<oneshot::Sender<()>>>,
}

impl Counted {
    fn new(shape: &Shape, count: &'static Count) -> &'static Counted {
        let mut after = vec![Vec::new(); shape.len()];
        for (node, before) in (0..).zip(shape.nodes()) {
            for &before in before {
                after[before as usize].push(node);
            }
        }
        let mut end = 0;
        let nodes = shape.nodes().zip(&after).map(|(before, after)| {
            let (start, needs) = (end, before.len() as u32);
            end += after.len() as u32;
            Node {
                body: Box::new(|| count.add()),
                left: AtomicU32::new(needs),
                needs,
                start,
                end,
            }
        });
        let nodes: Vec<Node> = nodes.collect();
        let roots = (0..).zip(&nodes).filter(|(_, node)| node.needs == 0);
        Box::leak(Box::new(Counted {
            roots: roots.map(|(at, _)| at).collect(),
            after: after.concat(),
            nodes,
            spawned: AtomicUsize::new(0),
            waiter: Mutex::new(None),
        }))
    }

    /// Runs a node. Gives what it releases.
    fn call(&self, node: u32) -> impl Iterator<Item = u32> {
        let Node {
            ref body,
            start,
            end,
            ..
        } = self.nodes[node as usize];
        body();
        let after = self.after[start as usize..end as usize].iter().copied();
        after.filter(|after| self.nodes[*after as usize].is_released())
    }

    /// Runs a node, and then the first that it releases, and so on; the others are
    /// given to `spawn`.
    fn walk(&self, mut node: u32, mut spawn: impl FnMut(u32)) {
        loop {
            let mut released = self.call(node);
            let Some(next) = released.next() else {
                return;
            };
            released.for_each(&mut spawn);
            node = next;
        }
    }
}

impl Node {
    /// Whether this was the last that it waited for; then it is as before the run.
    fn is_released(&self) -> bool {
        if self.needs == 1 {
            return true;
        }
        let is_last = self.left.fetch_sub(1, AcqRel) == 1;
        if is_last {
            self.left.store(self.needs, Relaxed);
        }
        is_last
    }
}

/// Rayon's pool, and `scope.spawn`.
pub(super) struct Rayon {
    pool: rayon::ThreadPool,
    /// Whether it does all that it can: the first released node is run at once, and
    /// the first of all are split in halves instead of spawned.
    is_tuned: bool,
}

impl Rayon {
    pub(super) fn start(is_tuned: bool) -> Rayon {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(THREADS).build();
        Rayon {
            pool: pool.expect("a pool can be made"),
            is_tuned,
        }
    }
}

fn spawn_in_scope(graph: &'static Counted, node: u32, scope: &rayon::Scope<'_>) {
    scope.spawn(move |scope| {
        let released = graph.call(node);
        released.for_each(|after| spawn_in_scope(graph, after, scope));
    });
}

fn walk_in_scope(graph: &'static Counted, node: u32, scope: &rayon::Scope<'_>) {
    graph.walk(node, |after| {
        scope.spawn(move |scope| walk_in_scope(graph, after, scope));
    });
}

impl Engine for Rayon {
    type Built = &'static Counted;

    fn build(&self, shape: &Shape, count: &'static Count) -> &'static Counted {
        Counted::new(shape, count)
    }

    fn run(&self, graph: &'static Counted) -> Option<&'static Counted> {
        let roots = &graph.roots;
        self.pool.scope(|scope| {
            if self.is_tuned {
                let roots = roots.par_iter();
                roots.for_each(|&root| walk_in_scope(graph, root, scope));
            } else {
                let roots = roots.iter();
                roots.for_each(|&root| spawn_in_scope(graph, root, scope));
            }
        });
        Some(graph)
    }
}

/// Tokio's multi-thread runtime, and `tokio::spawn`.
pub(super) struct Tokio {
    runtime: Runtime,
}

impl Tokio {
    pub(super) fn start() -> Tokio {
        Tokio { runtime: runtime() }
    }
}

/// A runtime of Tokio's with as many threads as all other engines have.
pub(super) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .expect("a Tokio runtime can be made")
}

fn spawn_on_tokio(graph: &'static Counted, node: u32) {
    graph.spawned.fetch_add(1, Relaxed);
    tokio::spawn(async move {
        let released = graph.call(node);
        released.for_each(|after| spawn_on_tokio(graph, after));
        ended(graph);
    });
}

/// One of the spawned has ended; the last tells the one who waits.
fn ended(graph: &Counted) {
    if graph.spawned.fetch_sub(1, AcqRel) == 1 {
        let waiter = graph.waiter.lock().expect("nothing panics").take();
        let _ = waiter.expect("somebody waits").send(());
    }
}

impl Engine for Tokio {
    type Built = &'static Counted;

    fn build(&self, shape: &Shape, count: &'static Count) -> &'static Counted {
        Counted::new(shape, count)
    }

    fn run(&self, graph: &'static Counted) -> Option<&'static Counted> {
        let (sender, done) = oneshot::channel();
        *graph.waiter.lock().expect("nothing panics") = Some(sender);
        graph.spawned.fetch_add(1, Relaxed);
        // From a worker: spawning from outside goes through a queue with a lock.
        self.runtime.spawn(async move {
            for &root in &graph.roots {
                spawn_on_tokio(graph, root);
            }
            ended(graph);
        });
        self.runtime.block_on(done).expect("the last says so");
        Some(graph)
    }
}
