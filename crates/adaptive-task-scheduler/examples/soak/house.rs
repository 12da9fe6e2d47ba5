//! Houses: a Tokio runtime with the schedulers that live on it, and their ends.

use crate::{ledger::complain, random::Random};
use adaptive_task_scheduler::{Builder, Scheduler};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::SeqCst},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::{
    runtime::{self, Handle, Runtime},
    sync::oneshot,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Each scheduler has a runtime of its own.
    Own,
    MultiThread {
        workers: usize,
    },
    CurrentThread,
}

/// How the schedulers of a house end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// A shutdown that lets every task finish.
    Patient,
    /// A shutdown that does not.
    Hasty(Duration),
    /// The last handle is dropped.
    Dropped,
    /// The runtime is dropped underneath.
    RuntimeDropped,
}

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) kind: Kind,
    pub(crate) end: End,
    pub(crate) schedulers: usize,
}

impl Plan {
    pub(crate) fn random(random: &mut Random, schedulers: usize) -> Self {
        let kind = match random.below(3) {
            0 => Kind::Own,
            1 => Kind::MultiThread {
                workers: random.between(1, 4),
            },
            _ => Kind::CurrentThread,
        };
        let end = match random.below(4) {
            0 => End::Patient,
            1 => End::Hasty(random.millis(30)),
            2 if kind != Kind::Own => End::RuntimeDropped,
            _ => End::Dropped,
        };
        Self {
            kind,
            end,
            schedulers,
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} on {:?} to end {:?}",
            self.schedulers, self.kind, self.end
        )
    }
}

enum Home {
    Own,
    MultiThread(Runtime),
    /// The thread that drives the runtime until it is told to stop.
    CurrentThread(oneshot::Sender<()>, JoinHandle<()>),
}

pub(crate) struct House {
    pub(crate) plan: Plan,
    home: Home,
    pub(crate) schedulers: Vec<Scheduler>,
}

impl House {
    pub(crate) fn build(plan: Plan, threads: &Arc<AtomicI64>, random: &mut Random) -> Self {
        let (home, handle) = match plan.kind {
            Kind::Own => (Home::Own, None),
            Kind::MultiThread { workers } => {
                let runtime = runtime::Builder::new_multi_thread()
                    .worker_threads(workers)
                    .enable_all()
                    .build()
                    .expect("a runtime can be made");
                let handle = runtime.handle().clone();
                (Home::MultiThread(runtime), Some(handle))
            }
            Kind::CurrentThread => {
                let (home, handle) = drive();
                (home, Some(handle))
            }
        };
        let schedulers = (0..plan.schedulers)
            .map(|_| {
                let builder = settings(threads, random);
                let built = match &handle {
                    Some(handle) => builder.build_on(handle.clone()),
                    None => builder.build_runtime(),
                };
                built.expect("a scheduler can be built")
            })
            .collect();
        Self {
            plan,
            home,
            schedulers,
        }
    }

    /// Ends the house's schedulers as planned. The handles that are left are
    /// for asking what was counted.
    pub(crate) fn end(mut self, outside: &Runtime, random: &mut Random) -> Self {
        match self.plan.end {
            End::Patient => {
                for scheduler in &self.schedulers {
                    // The watchdog is quicker than this limit.
                    let report = outside.block_on(scheduler.shutdown(Duration::from_secs(300)));
                    if report.ended > 0 || !report.stuck.is_empty() {
                        complain(format!("a patient shutdown left tasks: {report:?}"));
                    }
                }
            }
            End::Hasty(limit) => {
                for scheduler in &self.schedulers {
                    if random.chance(30) {
                        let _abandoned = outside.block_on(async {
                            tokio::time::timeout(limit / 2, scheduler.shutdown(limit)).await
                        });
                    }
                    let report = outside.block_on(scheduler.shutdown(limit));
                    drop(report);
                }
            }
            End::Dropped => self.schedulers.clear(),
            End::RuntimeDropped => self.stop_runtime(random),
        }
        self
    }

    /// Stops the runtime, if there is one that goes on.
    pub(crate) fn stop_runtime(&mut self, random: &mut Random) {
        match std::mem::replace(&mut self.home, Home::Own) {
            Home::Own => {}
            Home::MultiThread(runtime) => match random.below(3) {
                0 => drop(runtime),
                1 => runtime.shutdown_timeout(random.millis(10)),
                _ => runtime.shutdown_background(),
            },
            Home::CurrentThread(stop, thread) => {
                drop(stop);
                if thread.join().is_err() {
                    complain("the thread of a current-thread runtime panicked".to_owned());
                }
            }
        }
    }
}

/// Makes a current-thread runtime and drives it.
fn drive() -> (Home, Handle) {
    let (stop, stopped) = oneshot::channel::<()>();
    let (tell, told) = mpsc::channel();
    let thread = thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime can be made");
        let _ = tell.send(runtime.handle().clone());
        let _ = runtime.block_on(stopped);
    });
    let handle = told.recv().expect("the runtime's thread runs");
    (Home::CurrentThread(stop, thread), handle)
}

fn settings(threads: &Arc<AtomicI64>, random: &mut Random) -> Builder {
    let (started, stopped) = (Arc::clone(threads), Arc::clone(threads));
    let slots = random.between(1, 4);
    let cpu_threads = random.between(1, 3);
    let mut builder = Scheduler::builder()
        .io_slots(slots)
        .cpu_threads(cpu_threads)
        .blocking_limit(random.between(1, 8))
        .patience(random.millis(5))
        .promotion(!random.chance(10))
        .on_thread_start(move || {
            started.fetch_add(1, SeqCst);
        })
        .on_thread_stop(move || {
            stopped.fetch_sub(1, SeqCst);
        });
    if random.chance(25) {
        builder = builder.max_threads(slots + cpu_threads + random.between(2, 6));
    }
    match random.below(4) {
        0 => builder.ageing(None),
        1 => builder.ageing(Some(random.millis(20))),
        _ => builder,
    }
}
