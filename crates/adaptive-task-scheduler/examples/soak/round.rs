//! What the tasks and threads of one round share.

use crate::{
    ledger::{Entry, Facts, Value},
    lock,
    locks::Locks,
    random::Random,
};
use adaptive_task_scheduler::{
    Scheduler, TaskHandle, TaskId, Watch,
    sync::{mpsc, oneshot},
};
use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

/// A handle with its task's entry.
pub(crate) struct Held {
    pub(crate) handle: TaskHandle<Value>,
    pub(crate) entry: Arc<Entry>,
}

/// A watch with its task's entry.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) watch: Watch,
    pub(crate) entry: Arc<Entry>,
}

/// How rough the round is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    /// Polls sleep and spin.
    pub(crate) has_stuck_polls: bool,
    /// Tasks may wait for what never comes.
    pub(crate) has_endless_tasks: bool,
    /// Tasks may hold groups, and with them their scheduler.
    pub(crate) has_groups: bool,
}

pub(crate) struct Round {
    pub(crate) number: u64,
    pub(crate) seed: u64,
    pub(crate) weather: Weather,
    pub(crate) locks: Locks,
    /// What is not in the fields above, for people.
    about: String,
    /// How many tasks may still be spawned.
    budget: AtomicUsize,
    closing: AtomicBool,
    entries: Mutex<Vec<Arc<Entry>>>,
    schedulers: Mutex<Vec<Scheduler>>,
    /// What tasks find to wait for.
    pool: Mutex<Vec<Held>>,
    watches: Mutex<Vec<Seen>>,
    ids: Mutex<Vec<TaskId>>,
    oneshots: Mutex<Vec<oneshot::Sender<()>>>,
    channels: Mutex<Vec<mpsc::Sender<u64>>>,
    /// What must be answered at the end.
    kept: Mutex<Vec<Held>>,
    kept_watches: Mutex<Vec<Seen>>,
}

impl Round {
    pub(crate) fn new(
        number: u64,
        seed: u64,
        weather: Weather,
        budget: usize,
        about: String,
    ) -> Self {
        Self {
            number,
            seed,
            weather,
            locks: Locks::new(),
            about,
            budget: AtomicUsize::new(budget),
            closing: AtomicBool::new(false),
            entries: Mutex::default(),
            schedulers: Mutex::default(),
            pool: Mutex::default(),
            watches: Mutex::default(),
            ids: Mutex::default(),
            oneshots: Mutex::default(),
            channels: Mutex::default(),
            kept: Mutex::default(),
            kept_watches: Mutex::default(),
        }
    }

    /// Opens an entry for a task, if one more may be spawned.
    pub(crate) fn enter(&self, facts: Facts) -> Option<Arc<Entry>> {
        let fewer = |left: usize| left.checked_sub(1);
        self.budget.fetch_update(SeqCst, SeqCst, fewer).ok()?;
        let mut entries = lock(&self.entries);
        let entry = Arc::new(Entry::new(entries.len(), facts));
        entries.push(Arc::clone(&entry));
        Some(entry)
    }

    pub(crate) fn entries(&self) -> Vec<Arc<Entry>> {
        lock(&self.entries).clone()
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(SeqCst)
    }

    pub(crate) fn set_schedulers(&self, schedulers: &[Scheduler]) {
        *lock(&self.schedulers) = schedulers.to_vec();
    }

    /// One of the round's schedulers, unless the round is closing.
    pub(crate) fn scheduler(&self, random: &mut Random) -> Option<(usize, Scheduler)> {
        let schedulers = lock(&self.schedulers);
        let scheduler = random.pick(&schedulers)?;
        let at = schedulers.iter().position(|it| std::ptr::eq(it, scheduler));
        at.map(|at| (at, scheduler.clone()))
    }

    /// From here on nothing waits for what never comes, and the round holds no
    /// scheduler.
    pub(crate) fn close(&self) {
        self.closing.store(true, SeqCst);
        let schedulers = std::mem::take(&mut *lock(&self.schedulers));
        let oneshots = std::mem::take(&mut *lock(&self.oneshots));
        let channels = std::mem::take(&mut *lock(&self.channels));
        // Dropping them wakes tasks; that is done without the locks.
        drop((schedulers, oneshots, channels));
        let mut pool = std::mem::take(&mut *lock(&self.pool));
        lock(&self.kept).append(&mut pool);
        let mut watches = std::mem::take(&mut *lock(&self.watches));
        lock(&self.kept_watches).append(&mut watches);
    }

    /// Leaves `item` in a pool for others. What comes too late is given back.
    fn leave<T>(&self, pool: &Mutex<Vec<T>>, item: T) -> Option<T> {
        let mut pool = lock(pool);
        if self.is_closing() {
            return Some(item);
        }
        pool.push(item);
        None
    }

    pub(crate) fn leave_held(&self, held: Held) {
        if let Some(held) = self.leave(&self.pool, held) {
            self.keep(held);
        }
    }

    pub(crate) fn leave_seen(&self, seen: Seen) {
        if let Some(seen) = self.leave(&self.watches, seen) {
            self.keep_watch(seen);
        }
    }

    pub(crate) fn leave_id(&self, id: TaskId) {
        lock(&self.ids).push(id);
    }

    pub(crate) fn leave_oneshot(&self, sender: oneshot::Sender<()>) {
        drop(self.leave(&self.oneshots, sender));
    }

    pub(crate) fn leave_channel(&self, sender: mpsc::Sender<u64>) {
        drop(self.leave(&self.channels, sender));
    }

    pub(crate) fn take_held(&self, random: &mut Random) -> Option<Held> {
        random.take(&mut lock(&self.pool))
    }

    pub(crate) fn some_seen(&self, random: &mut Random) -> Option<Seen> {
        random.pick(&lock(&self.watches)).cloned()
    }

    pub(crate) fn some_id(&self, random: &mut Random) -> Option<TaskId> {
        random.pick(&lock(&self.ids)).copied()
    }

    pub(crate) fn take_oneshot(&self, random: &mut Random) -> Option<oneshot::Sender<()>> {
        random.take(&mut lock(&self.oneshots))
    }

    pub(crate) fn some_channel(&self, random: &mut Random) -> Option<mpsc::Sender<u64>> {
        random.pick(&lock(&self.channels)).cloned()
    }

    pub(crate) fn keep(&self, held: Held) {
        lock(&self.kept).push(held);
    }

    pub(crate) fn keep_watch(&self, seen: Seen) {
        lock(&self.kept_watches).push(seen);
    }

    pub(crate) fn take_kept(&self) -> (Vec<Held>, Vec<Seen>) {
        let handles = std::mem::take(&mut *lock(&self.kept));
        let watches = std::mem::take(&mut *lock(&self.kept_watches));
        (handles, watches)
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            number,
            seed,
            weather,
            about,
            ..
        } = self;
        write!(f, "round {number} of seed {seed}: {about}; {weather:?}")
    }
}
