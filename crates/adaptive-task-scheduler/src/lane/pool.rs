//! Rayon's pools of the CPU lane: one of one thread around each of its threads,
//! and wider ones for forks.
//!
//! It owns: the wide pools that no fork uses at the moment.
//!
//! Each thread of the lane is the only worker of a pool of its own, so that what
//! a task asks of Rayon without [`fork`](crate::fork()) stays on its thread: it
//! uses no second core, and nobody else's jobs run on its stack. (A worker made
//! by `use_current_thread` would be the same, but leaks its pool.)
//!
//! A wide pool belongs to one fork at a time and runs pieces of that task only.
//! So whoever waits in it for a piece that another worker took runs nothing
//! else than other pieces of the same task (rayon#592).
//!
//! Protocol of a fork:
//!
//! 1. Borrow the permits of the lane that nobody uses. Without any, the closure
//!    is simply called.
//! 2. Take a pool with one worker for each of them and one for the present
//!    thread, or start it. If threads cannot be had, the closure is simply
//!    called.
//! 3. Tell the pool whose pieces it runs, run the closure in it, and wait.
//! 4. Put the pool back, or end it, if the scheduler is ending; among too many
//!    the oldest is ended. Then give the permits back.
//!
//! What it does not do: become wider when more permits get free, or wait for
//! jobs that were given to `rayon::spawn`, which belong to nobody.

use super::{
    loan,
    permit::Permits,
    seat::{Helpers, Seat},
    thread::{self, FORK},
};
use crate::{
    core::Core,
    learning::probe,
    primitives::Mutex,
    task::{
        current::{self, Carry, Carrying},
        id::TaskId,
    },
};
use rayon::{ThreadBuilder, ThreadPool, ThreadPoolBuilder, Yield};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

/// How many idle threads are kept in pools, in multiples of the lane's. A guess:
/// forks of a busy lane have various widths, and a pool that is started anew for
/// each costs some 100 us.
const KEPT: usize = 3;

#[derive(Debug, Default)]
pub(crate) struct Pools(Mutex<Vec<Pool>>);

#[derive(Debug)]
struct Pool {
    workers: ThreadPool,
    width: usize,
    /// The task whose pieces it runs; 0 for none.
    task: Arc<AtomicU64>,
    seats: Helpers,
}

impl Pools {
    fn take(&self, core: &Arc<Core>, width: usize) -> Option<Pool> {
        let mut pools = self.0.lock();
        let fits = pools.iter().rposition(|pool| pool.width == width);
        if let Some(at) = fits {
            return Some(pools.remove(at));
        }
        drop(pools);
        Pool::start(core, width)
    }

    fn put_back(&self, core: &Core, pool: Pool) {
        let mut pools = self.0.lock();
        // Asked under the lock, which `end` takes after the end is known.
        if core.is_ending() {
            return;
        }
        pools.push(pool);
        let most = core.cpu.threads() * KEPT;
        while pools.iter().map(|pool| pool.width).sum::<usize>() > most {
            pools.remove(0);
        }
    }

    /// The scheduler is ending.
    pub(crate) fn end(&self) {
        self.0.lock().clear();
    }
}

impl Pool {
    fn start(core: &Arc<Core>, width: usize) -> Option<Self> {
        let task = Arc::new(AtomicU64::new(0));
        let seats: Helpers = (0..width).map(|_| Arc::default()).collect();
        let spawn = |worker: ThreadBuilder| -> io::Result<()> {
            let (task, seat) = (Arc::clone(&task), Arc::clone(&seats[worker.index()]));
            thread::start(core, FORK, move |core| work(core, seat, task, worker)).map(drop)
        };
        let builder = ThreadPoolBuilder::new()
            .num_threads(width)
            .panic_handler(drop)
            .spawn_handler(spawn);
        let workers = builder.build().ok()?;
        Some(Self {
            workers,
            width,
            task,
            seats,
        })
    }
}

/// The life of a worker of a wide pool.
fn work(core: &Arc<Core>, seat: Arc<Seat>, task: Arc<AtomicU64>, worker: ThreadBuilder) {
    loan::mark_thread();
    current::set_forking(task);
    let _carry = Carry::begin(Carrying {
        core: Arc::clone(core),
        seat,
        tenure: None,
        is_guest: false,
    });
    let _context = core.handle.enter();
    worker.run();
}

/// Runs `body`, the life of a thread of the lane, as the only worker of a pool.
pub(crate) fn alone(core: &Arc<Core>, body: impl FnOnce(&Arc<Core>) + Send + 'static) {
    let mut worker = None;
    let builder = ThreadPoolBuilder::new()
        .num_threads(1)
        .panic_handler(drop)
        .spawn_handler(|thread| {
            worker = Some(thread);
            Ok(())
        });
    let pool = builder.build();
    match (pool, worker) {
        (Ok(pool), Some(worker)) => {
            let core = Arc::clone(core);
            // The job keeps the pool for as long as it runs.
            pool.spawn(move || body(&core));
            drop(pool);
            worker.run();
        }
        _ => body(core),
    }
}

/// Runs what tasks left behind with `rayon::spawn` on this thread, which never
/// returns to its pool.
pub(crate) fn run_left_behind() {
    while rayon::yield_local() == Some(Yield::Executed) {}
}

/// A fork under way; at its end, also by a panic, everything is given back.
pub(crate) struct Fork {
    /// Before the permits, for the order in which they are dropped.
    pool: Option<Pool>,
    permits: Permits,
    core: Arc<Core>,
    /// Of the thread that waits, and since when.
    seat: Arc<Seat>,
    begun: Instant,
}

impl Fork {
    /// Makes room for pieces of the current task, if it runs on a thread of the
    /// CPU lane and some of the lane's permits are free.
    pub(crate) fn begin() -> Option<Self> {
        if !loan::has_permit() || current::is_forked() {
            return None;
        }
        let task = current::task()?;
        let Carrying { core, seat, .. } = current::carrying(|carrying| carrying.cloned())?;
        if core.cpu.threads() == 1 || core.is_ending() {
            return None;
        }
        let permits = Permits::borrow_patiently(&core, core.cpu.threads() - 1);
        if permits.count() == 0 {
            return None;
        }
        let pool = core.cpu.pools.take(&core, permits.count() + 1)?;
        pool.belong_to(Some(task));
        seat.set_helpers(Some(Arc::clone(&pool.seats)));
        Some(Self {
            pool: Some(pool),
            permits,
            core,
            seat,
            begun: Instant::now(),
        })
    }

    pub(crate) fn run<R: Send>(self, f: impl FnOnce() -> R + Send) -> R {
        match &self.pool {
            Some(pool) => pool.workers.install(f),
            None => f(),
        }
    }
}

impl Pool {
    fn belong_to(&self, task: Option<TaskId>) {
        let raw = task.map_or(0, TaskId::raw);
        self.task.store(raw, Ordering::Release);
    }
}

impl Drop for Fork {
    fn drop(&mut self) {
        probe::has_forked_since(self.begun);
        self.seat.set_helpers(None);
        if let Some(pool) = self.pool.take() {
            pool.belong_to(None);
            self.core.cpu.pools.put_back(&self.core, pool);
        }
        self.permits.give_back();
    }
}
