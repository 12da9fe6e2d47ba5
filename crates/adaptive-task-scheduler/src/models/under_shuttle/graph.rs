//! The wait graph alone, against its definition: when all walks are over, the
//! level of each live task is the highest of its own and of all those that
//! wait on it, directly or through others.

use super::{below, chance, under_pct_schedules, under_random_schedules};
use crate::{
    models::{
        probe::Probe,
        table::{Line, Table},
    },
    primitives::Mutex,
    priority::LEVELS,
    task::{
        id::TaskId,
        word::{self, Snapshot},
    },
    waits::{Tasks, donation},
};
use shuttle::thread;
use std::{sync::Arc, task::Poll};

const TASKS: usize = 6;
const THREADS: usize = 3;

/// No task is queued here, so nothing is pushed.
struct Nowhere;

impl Line for Nowhere {
    fn push(&self, id: TaskId, _: Snapshot) {
        panic!("{id} was queued by a loan");
    }
}

struct Graph {
    table: Table<Nowhere>,
    ids: Vec<TaskId>,
    own: Vec<u8>,
    /// Edges that stand, as the threads that changed them know.
    edges: Mutex<Vec<(usize, usize)>>,
}

impl Graph {
    fn new() -> Arc<Self> {
        let table = Table::new(TASKS as u32, Nowhere);
        let own: Vec<u8> = (0..TASKS).map(|_| below(LEVELS) as u8).collect();
        let spawn = |&level: &u8| {
            let (job, _) = Probe::new(|| Poll::Pending);
            table
                .open(level, word::HANDLE, job)
                .expect("has places enough")
        };
        let ids = own.iter().map(spawn).collect();
        Arc::new(Self {
            table,
            ids,
            own,
            edges: Mutex::new(Vec::new()),
        })
    }

    /// Adds, removes and ends at random. Edges lead from lower to higher
    /// numbers, so that there are no cycles. A thread only touches edges of its
    /// own waiters, as a task only touches its own waits.
    fn change(&self, thread: usize) {
        let mut own_edges = Vec::new();
        for _ in 0..4 {
            let waiter = below(TASKS - 1);
            if waiter % THREADS != thread {
                continue;
            }
            if chance(5) {
                self.end(waiter);
                own_edges.retain(|&(from, _)| from != waiter);
            } else if let Some(at) = own_edges.iter().position(|&(from, _)| from == waiter) {
                let (from, to) = own_edges.swap_remove(at);
                donation::remove_edge(&self.table, self.ids[from], self.ids[to]);
            } else {
                let on = waiter + 1 + below(TASKS - 1 - waiter);
                if donation::add_edge(&self.table, self.ids[waiter], self.ids[on]) {
                    own_edges.push((waiter, on));
                }
            }
        }
        self.edges.lock().extend(own_edges);
    }

    fn end(&self, task: usize) {
        let id = self.ids[task];
        if let Some(claimed) = self.table.record(id).seize(id.generation()) {
            self.table.end(id, claimed, None);
        }
    }

    fn is_live(&self, task: usize) -> bool {
        !self.table.word(self.ids[task]).has(word::DONE)
    }

    /// The definition. Edges lead upwards, so one pass over the waiters does.
    fn levels(&self) -> Vec<u8> {
        let mut levels = self.own.clone();
        let edges = self.edges.lock();
        for waiter in 0..TASKS {
            for &(from, to) in edges.iter().filter(|&&(from, _)| from == waiter) {
                if self.is_live(from) {
                    levels[to] = levels[to].max(levels[from]);
                }
            }
        }
        levels
    }
}

fn loans_add_up() {
    let graph = Graph::new();
    let threads: Vec<_> = (0..THREADS)
        .map(|number| {
            let graph = Arc::clone(&graph);
            thread::spawn(move || graph.change(number))
        })
        .collect();
    for thread in threads {
        thread.join().expect("walks");
    }
    let expected = graph.levels();
    for (task, &expected) in expected.iter().enumerate() {
        if graph.is_live(task) {
            let level = graph.table.word(graph.ids[task]).level();
            assert_eq!(level, expected, "task {task} of {:?}", graph.edges);
        }
    }
}

/// Each of some tasks awaits the next, and the last the first.
fn one_waiter_of_a_cycle_is_told() {
    let graph = Graph::new();
    let length = 2 + below(3);
    let threads: Vec<_> = (0..length)
        .map(|at| {
            let graph = Arc::clone(&graph);
            let (waiter, on) = (graph.ids[at], graph.ids[(at + 1) % length]);
            thread::spawn(move || graph.table.begin_wait(waiter, on).err())
        })
        .collect();
    let told: Vec<_> = threads
        .into_iter()
        .filter_map(|thread| thread.join().expect("waits"))
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].len(), length);
}

#[test]
fn loans_add_up_under_random_schedules() {
    under_random_schedules(loans_add_up);
}

#[test]
fn loans_add_up_under_pct_schedules() {
    under_pct_schedules(loans_add_up);
}

#[test]
fn one_waiter_of_a_cycle_is_told_under_random_schedules() {
    under_random_schedules(one_waiter_of_a_cycle_is_told);
}

#[test]
fn one_waiter_of_a_cycle_is_told_under_pct_schedules() {
    under_pct_schedules(one_waiter_of_a_cycle_is_told);
}
