//! Settings, and the making of a scheduler from them.

use super::{Config, Scheduler, Shared};
use crate::{
    core::{Core, Home},
    error::BuildError,
    lane::{guest::Guest, plug::Plug},
    promotion::sentinel,
    task::current,
};
use std::{
    fmt,
    num::NonZeroUsize,
    sync::{Arc, Mutex, Weak, atomic::Ordering},
    thread::available_parallelism,
    time::Duration,
};
use tokio::runtime::{self, Handle, Runtime, RuntimeFlavor};

/// Settings of a scheduler; from [`Scheduler::builder`].
///
/// ```
/// use adaptive_task_scheduler::Scheduler;
///
/// let scheduler = Scheduler::builder().io_slots(2).build_runtime()?;
/// let answer = scheduler.block_on(scheduler.spawn(async { 42 }));
/// assert_eq!(answer.unwrap(), 42);
/// # Ok::<_, adaptive_task_scheduler::BuildError>(())
/// ```
#[must_use = "a scheduler is made by build, build_on or build_runtime"]
pub struct Builder {
    io_slots: Option<usize>,
    config: Config,
}

impl Builder {
    pub(crate) fn new() -> Self {
        let config = Config {
            io_slots: 0,
            cpu_threads: cores(),
            blocking_limit: 512,
            max_threads: 1024,
            thread_name: "ats".to_owned(),
            tick: Duration::from_millis(1),
            cpu_niceness: 0,
            patience: Duration::from_millis(5),
            ageing_ticks: None,
            promotion: true,
            learning: true,
            on_thread_start: None,
            on_thread_stop: None,
        };
        Self {
            io_slots: None,
            config,
        }
        .ageing(Some(Duration::from_secs(1)))
    }

    fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// How many tasks the I/O lane polls at once. The default is the number of
    /// cores or, attached to a multi-thread runtime, that of its workers, which
    /// is then also the most.
    pub fn io_slots(mut self, slots: usize) -> Self {
        self.io_slots = Some(slots);
        self
    }

    /// How many threads the CPU lane has. The default is the number of cores.
    /// They are started when there is first work for them.
    pub fn cpu_threads(self, threads: usize) -> Self {
        self.with(|config| config.cpu_threads = threads)
    }

    /// By how much the niceness of the threads that compute is raised, from 0 (the
    /// default) to 19: those of the CPU lane, and with `rayon` those of the pools
    /// for forks. They leave the core sooner and for longer to what else wants it:
    /// to the I/O lane, so that important tasks are on time while all cores
    /// compute, but also to other processes in the same control group. At 10,
    /// tasks on the CPU lane get a tenth of a core for which the I/O lane competes
    /// all the time, and all of one that nobody else wants. The reserves, which run
    /// what is more important than the task that gave way, stay as they are.
    ///
    /// On Linux; elsewhere it does nothing.
    pub fn cpu_niceness(self, by: u8) -> Self {
        self.with(|config| config.cpu_niceness = by.min(19))
    }

    /// How many tasks the blocking lane polls at once. The default is 512, the
    /// size of Tokio's own blocking pool, which is a limit too.
    pub fn blocking_limit(self, limit: usize) -> Self {
        self.with(|config| config.blocking_limit = limit)
    }

    /// How many threads of its own the scheduler has at most: the sentinel,
    /// reliefs for stuck slots, CPU threads and their reserves together. The CPU lane gets its
    /// first thread in any case. The default is 1,024. At the limit nothing is
    /// lost: work waits for the threads there are.
    pub fn max_threads(self, limit: usize) -> Self {
        self.with(|config| config.max_threads = limit)
    }

    /// What the names of its threads begin with. The default is `ats`.
    pub fn thread_name(self, prefix: impl Into<String>) -> Self {
        let prefix = prefix.into();
        self.with(|config| config.thread_name = prefix)
    }

    /// How often the sentinel looks while anything runs, from 1 ms (the default)
    /// to 1 s.
    pub fn tick(self, tick: Duration) -> Self {
        let ageing = self.ageing_bound();
        let tick = tick.clamp(Duration::from_millis(1), Duration::from_secs(1));
        self.with(|config| config.tick = tick).ageing(ageing)
    }

    /// How long a task may hold a waiting task up, stuck in a poll, before its
    /// next polls are relocated. The default is 5 ms.
    pub fn patience(self, patience: Duration) -> Self {
        self.with(|config| config.patience = patience)
    }

    /// How long a ready task may wait behind more important ones, or behind
    /// deadlines, before it goes first, in turns with them. The default is 1 s;
    /// `None` switches it off.
    pub fn ageing(self, bound: Option<Duration>) -> Self {
        let tick = self.config.tick;
        let ticks = bound.map(|bound| {
            let ticks = bound.as_nanos() / tick.as_nanos();
            u32::try_from(ticks)
                .unwrap_or(u32::MAX / 2)
                .clamp(1, u32::MAX / 2)
        });
        self.with(|config| config.ageing_ticks = ticks)
    }

    fn ageing_bound(&self) -> Option<Duration> {
        let ticks = self.config.ageing_ticks?;
        Some(self.config.tick.saturating_mul(ticks))
    }

    /// Whether stuck tasks are relocated and their slots handed off. The
    /// default is yes. Priorities are lent in any case. Off, it is the baseline
    /// for comparisons.
    pub fn promotion(self, on: bool) -> Self {
        self.with(|config| config.promotion = on)
    }

    /// Whether the scheduler learns from what tasks do where the next of their
    /// class begin, and how long they take. The default is yes.
    pub fn learning(self, on: bool) -> Self {
        self.with(|config| config.learning = on)
    }

    /// Called on each of the scheduler's own threads when it starts.
    pub fn on_thread_start(self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.with(|config| config.on_thread_start = Some(Arc::new(hook)))
    }

    /// Called on each of the scheduler's own threads when it stops.
    pub fn on_thread_stop(self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.with(|config| config.on_thread_stop = Some(Arc::new(hook)))
    }

    /// Attaches to the Tokio runtime that this is called in.
    ///
    /// # Errors
    ///
    /// Outside a Tokio runtime; and see [`build_on`](Self::build_on).
    pub fn build(self) -> Result<Scheduler, BuildError> {
        let handle = Handle::try_current().map_err(|_| {
            BuildError::new(
                "there is no Tokio runtime here to attach to: call this inside one, \
                 or use build_runtime",
            )
        })?;
        self.build_on(handle)
    }

    /// Attaches to a Tokio runtime.
    ///
    /// # Errors
    ///
    /// If a number of slots or threads is zero, and if no thread can be
    /// started.
    pub fn build_on(self, handle: Handle) -> Result<Scheduler, BuildError> {
        let is_multi = handle.runtime_flavor() != RuntimeFlavor::CurrentThread;
        if is_multi {
            let workers = handle.metrics().num_workers();
            let slots = self.io_slots.unwrap_or(workers).min(workers);
            self.make(slots, handle, Home::Attached, None)
        } else {
            let slots = self.io_slots.unwrap_or_else(cores);
            self.make(slots, handle, Home::Threads, None)
        }
    }

    /// Makes a multi-thread Tokio runtime for the scheduler, with I/O and
    /// timers, and one worker more than slots (see the crate's documentation on
    /// the spare worker).
    ///
    /// # Errors
    ///
    /// As [`build_on`](Self::build_on), and if the runtime cannot be made.
    pub fn build_runtime(self) -> Result<Scheduler, BuildError> {
        let slots = self.io_slots.unwrap_or_else(cores);
        check_numbers(slots, &self.config)?;
        let name = format!("{}-worker", self.config.thread_name);
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(slots + 1)
            .thread_name(name)
            .enable_all()
            .build()
            .map_err(|error| BuildError::io("Tokio's runtime could not be made", error))?;
        let handle = runtime.handle().clone();
        self.make(
            slots,
            handle,
            Home::Own(Arc::new(Plug::default())),
            Some(runtime),
        )
    }

    fn make(
        mut self,
        slots: usize,
        handle: Handle,
        home: Home,
        runtime: Option<Runtime>,
    ) -> Result<Scheduler, BuildError> {
        self.config.io_slots = slots;
        check_numbers(slots, &self.config)?;
        let core = current::register(|number| {
            Arc::new_cyclic(|me| Core::new(me.clone(), number, self.config, handle, home))
        });
        let runtime = Mutex::new(runtime);
        let shared = Arc::new(Shared {
            core: Arc::clone(&core),
            runtime,
        });
        core.shared.get_or_init(|| Arc::downgrade(&shared));
        // From here on dropping `shared` ends what was started.
        sentinel::start(&core)
            .map_err(|error| BuildError::io("the sentinel's thread could not be started", error))?;
        settle_in(&core)?;
        Ok(Scheduler(shared))
    }
}

fn check_numbers(slots: usize, config: &Config) -> Result<(), BuildError> {
    if slots == 0 {
        return Err(BuildError::new(
            "io_slots is 0: the I/O lane needs at least one slot",
        ));
    }
    if slots > 4096 {
        return Err(BuildError::new(
            "io_slots is over 4096: use about as many as there are cores",
        ));
    }
    if config.cpu_threads == 0 {
        return Err(BuildError::new(
            "cpu_threads is 0: the CPU lane needs at least one thread",
        ));
    }
    if config.thread_name.contains('\0') {
        return Err(BuildError::new(
            "thread_name has a NUL byte: operating systems allow none in a thread's name",
        ));
    }
    if config.blocking_limit == 0 {
        return Err(BuildError::new(
            "blocking_limit is 0: the blocking lane needs room for one",
        ));
    }
    Ok(())
}

/// Gives every slot its carrier.
fn settle_in(core: &Arc<Core>) -> Result<(), BuildError> {
    if let Home::Threads = core.home {
        for slot in 0..core.io.count() {
            let held = core.io.slots[slot].holder.now();
            if !core.hand_off(slot, held) {
                return Err(BuildError::new(
                    "the threads of the slots could not be started",
                ));
            }
        }
        // Dropped with the runtime, as guests are.
        core.handle.spawn(Canary(Arc::downgrade(core)).sing());
    } else {
        for slot in 0..core.io.count() {
            core.handle.spawn(Guest::new(core, slot));
        }
    }
    if let Home::Own(plug) = &core.home {
        plug.push_in();
        core.handle.spawn(Arc::clone(plug).sit());
        plug.wait_until_in();
        // Somebody else must have passed by the driver since, or nobody may.
        let before = core.nudges_run.load(Ordering::Relaxed);
        while core.nudges_run.load(Ordering::Relaxed) == before && !core.is_ending() {
            core.nudge();
            std::thread::sleep(Duration::from_micros(100));
        }
    }
    if core.config.promotion {
        // Failing is reported as an event; the sentinel tries again on demand.
        let _ = core.io.reliefs.start_spare(core);
    }
    Ok(())
}

/// Notices that a current-thread runtime is gone.
struct Canary(Weak<Core>);

impl Canary {
    async fn sing(self) {
        std::future::pending::<()>().await;
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        if let Some(core) = self.0.upgrade() {
            core.end();
        }
    }
}

fn cores() -> usize {
    available_parallelism().map_or(1, NonZeroUsize::get)
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("io_slots", &self.io_slots)
            .field("config", &self.config)
            .finish()
    }
}
