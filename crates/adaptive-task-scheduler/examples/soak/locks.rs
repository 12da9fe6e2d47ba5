//! The locks of a round, and what they guard: counts that must be exact in the end.

use crate::{ledger::complain, spawn::Work, work};
use adaptive_task_scheduler::{
    sync::{Mutex, RwLock, Semaphore},
    yield_now,
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
};
use tokio::time::timeout;

const MUTEXES: usize = 3;
const PERMITS: usize = 3;

/// Deadlocks that were told.
pub(crate) static DEADLOCKS: AtomicU64 = AtomicU64::new(0);

pub(crate) struct Locks {
    /// What is counted under each mutex, and beside it.
    counts: [(Mutex<u64>, AtomicU64); MUTEXES],
    /// Two halves that are always equal.
    halves: RwLock<(u64, u64)>,
    permits: Semaphore,
    in_use: AtomicUsize,
    /// One permit, held while others are awaited: circles through it are certain.
    risky: Semaphore,
}

/// Permits that are counted as in use.
struct InUse<'a>(&'a AtomicUsize, usize);

impl<'a> InUse<'a> {
    fn begin(in_use: &'a AtomicUsize, permits: usize) -> Self {
        let before = in_use.fetch_add(permits, SeqCst);
        if before + permits > PERMITS {
            complain(format!("{} of {PERMITS} permits in use", before + permits));
        }
        Self(in_use, permits)
    }
}

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, SeqCst);
    }
}

impl Locks {
    pub(crate) fn new() -> Self {
        Self {
            counts: std::array::from_fn(|_| (Mutex::named("count", 0), AtomicU64::new(0))),
            halves: RwLock::named("halves", (0, 0)),
            permits: Semaphore::named("permits", PERMITS),
            in_use: AtomicUsize::new(0),
            risky: Semaphore::named("risky", 1),
        }
    }

    /// All tasks have ended: whether all is free, and every count exact.
    pub(crate) fn check(&self) {
        for (mutex, beside) in &self.counts {
            match mutex.try_lock() {
                Ok(count) if *count == beside.load(SeqCst) => {}
                Ok(count) => complain(format!("{} counted, not {beside:?}", *count)),
                Err(_) => complain("a mutex is locked, and all tasks have ended".to_owned()),
            }
        }
        if self.halves.try_write().is_err() {
            complain("an RwLock is locked, and all tasks have ended".to_owned());
        }
        let left = (
            self.permits.available_permits(),
            self.risky.available_permits(),
        );
        if left != (PERMITS, 1) || self.in_use.load(SeqCst) != 0 {
            complain(format!("permits are missing in the end: {left:?}"));
        }
    }
}

/// A step of a task with one of the locks.
pub(crate) async fn step(work: &mut Work) {
    let round = Arc::clone(&work.round);
    let locks = &round.locks;
    match work.random.below(10) {
        0..4 => count(work, locks).await,
        4..6 => halves(work, locks).await,
        6..8 => permits(work, locks).await,
        _ => risky(work, locks).await,
    }
}

/// Locks one or two mutexes, always in the same order, and counts.
async fn count(work: &mut Work, locks: &Locks) {
    let first = work.random.below(MUTEXES);
    let (mutex, beside) = &locks.counts[first];
    let limit = work.random.millis(5);
    let gives_up = work.random.chance(30);
    let mut guard = if gives_up {
        match timeout(limit, mutex.lock()).await {
            Ok(guard) => guard,
            Err(_) => return,
        }
    } else {
        mutex.lock().await
    };
    *guard += 1;
    beside.fetch_add(1, SeqCst);
    rest(work).await;
    if first + 1 < MUTEXES && work.random.chance(50) {
        let (mutex, beside) = &locks.counts[first + 1];
        *mutex.lock().await += 1;
        beside.fetch_add(1, SeqCst);
    }
}

async fn halves(work: &mut Work, locks: &Locks) {
    if work.random.chance(30) {
        let mut halves = locks.halves.write().await;
        halves.0 += 1;
        halves.1 += 1;
        if work.random.chance(50) {
            let halves = halves.downgrade();
            rest(work).await;
            drop(halves);
        } else {
            rest(work).await;
        }
    } else {
        let halves = locks.halves.read().await;
        let before = *halves;
        rest(work).await;
        if *halves != before || before.0 != before.1 {
            complain(format!("{before:?} became {:?} under a reader", *halves));
        }
    }
}

async fn permits(work: &mut Work, locks: &Locks) {
    let wanted = work.random.between(1, PERMITS);
    let acquiring = locks.permits.acquire_many(wanted as u32);
    let acquired = match timeout(work.random.millis(10), acquiring).await {
        Ok(acquired) => acquired,
        Err(_) => return,
    };
    let Ok(permit) = acquired else {
        complain("a semaphore refused, though nobody closed it".to_owned());
        return;
    };
    let in_use = InUse::begin(&locks.in_use, wanted);
    rest(work).await;
    drop(in_use);
    drop(permit);
}

/// Holds a lock while it awaits a task, which may want the same lock. Not for ever:
/// where the holder counted as waiting before, a circle is not told.
async fn risky(work: &mut Work, locks: &Locks) {
    match locks.risky.acquire().await {
        Ok(_permit) => {
            let limit = work.random.millis(20);
            let _given_up = timeout(limit, work::await_handle(work)).await;
        }
        Err(error) if error.is_deadlock() => {
            DEADLOCKS.fetch_add(1, SeqCst);
        }
        Err(error) => complain(format!("a semaphore refused: {error}")),
    }
}

async fn rest(work: &mut Work) {
    for _ in 0..work.random.between(0, 3) {
        yield_now().await;
    }
    if work.random.chance(10) {
        tokio::time::sleep(work.random.millis(1)).await;
    }
}
