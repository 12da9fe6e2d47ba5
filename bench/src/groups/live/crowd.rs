//! So many idle tasks at once: what it costs to spawn, wake, await and cancel
//! each of them, and what memory each takes.

use std::{future::poll_fn, pin::Pin, task::Poll, time::Instant};

use super::idle::{Idle, Shared};
use crate::{
    engine::{Engine, Importance, Scenario, Spawn},
    machine,
    plan::{Reading, Unit},
    statistics,
};

/// The crowd that all others are compared to.
const FEW: usize = 1_000;

/// Metric, and the name of its growth over the crowd of a thousand.
pub(super) const COSTS: [(&str, &str); 4] = [
    ("spawn", "spawn_growth"),
    ("wake", "wake_growth"),
    ("donate", "donate_growth"),
    ("cancel", "cancel_growth"),
];
pub(super) const MEMORY: &str = "bytes_per_task";

/// Nanoseconds a task, in the order of [`COSTS`].
type Costs = [f64; 4];

pub(super) struct Crowd {
    pub(super) tasks: usize,
    /// Rounds with a crowd of a thousand; their median counts.
    pub(super) rounds: usize,
}

impl Scenario for Crowd {
    type Output = Vec<Reading>;

    fn run<E: Engine>(self, engine: &E) -> Vec<Reading> {
        // The first round finds everything cold and does not count.
        let few: Vec<Costs> = (0..=self.rounds)
            .map(|_| round(engine, FEW).0)
            .skip(1)
            .collect();
        let (many, bytes) = round(engine, self.tasks);
        let mut readings = Vec::new();
        for (at, (metric, growth)) in COSTS.into_iter().enumerate() {
            let of_few: Vec<f64> = few.iter().map(|costs| costs[at]).collect();
            let of_few = statistics::median(&of_few).expect("there were rounds");
            readings.extend([
                Reading::headline(metric, Unit::Nanoseconds, many[at]),
                Reading::headline(growth, Unit::Ratio, many[at] / of_few),
                Reading::detail(format!("{metric}_among_1000"), Unit::Nanoseconds, of_few),
            ]);
        }
        readings.push(Reading::headline(MEMORY, Unit::Count, bytes));
        readings
    }
}

/// One life of a crowd: its costs, and the bytes of each idle task beyond its
/// future and its handle.
fn round<E: Engine>(engine: &E, tasks: usize) -> (Costs, f64) {
    let shared = Shared::of(tasks);
    let spawner = engine.outside();
    let mut handles = Vec::with_capacity(tasks);
    let each = |start: Instant| start.elapsed().as_nanos() as f64 / tasks as f64;

    let before = machine::resident();
    let start = Instant::now();
    for index in 0..tasks {
        handles.push(spawner.spawn_at(Importance::Unimportant, Idle { shared, index }));
    }
    shared.polled.reached();
    let spawn = each(start);
    let grown = machine::resident().saturating_sub(before) as f64 / tasks as f64;
    let known = size_of::<Idle>() + size_of::<<E::Outside as Spawn>::Handle<()>>();

    let start = Instant::now();
    for waker in &shared.wakers {
        waker.get().expect("all were polled").wake_by_ref();
    }
    shared.polled.reached();
    let wake = each(start);

    let start = Instant::now();
    let waiter = spawner.spawn_at(Importance::Important, awaited_once(handles));
    let handles = engine.block_on(waiter);
    let donate = each(start);

    let start = Instant::now();
    for handle in &handles {
        <E::Outside as Spawn>::cancel(handle);
    }
    shared.dropped.reached();
    let cancel = each(start);
    drop(handles);
    ([spawn, wake, donate, cancel], grown - known as f64)
}

/// Begins to await each, and ends without having waited.
async fn awaited_once<H: Future<Output = ()> + Unpin>(mut handles: Vec<H>) -> Vec<H> {
    // Without Tokio's budget, by which its handles pretend to be pending.
    tokio::task::unconstrained(poll_fn(|context| {
        for handle in &mut handles {
            let polled = Pin::new(handle).poll(context);
            assert!(polled.is_pending(), "an idle task ended");
        }
        Poll::Ready(())
    }))
    .await;
    handles
}
