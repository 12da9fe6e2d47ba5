//! F. Mixed: scans that compute for long beside an HTTP service, in one process.
//! The service is important and the scans are not. What becomes of the service's
//! answers, and how much is left of the scans?

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use adaptive_task_scheduler::{Priority, checkpoint};

use super::io::{loader, server};
use crate::{
    engine::{self, ATS, Ats, Engine, Importance, Spawn, TOKIO, Tokio},
    machine,
    plan::{self, Bar, Group, Limit, Reading, Row, Unit},
    scale::Scale,
    work,
};

/// Ours, with the service by itself, and then the scans by themselves.
const EACH_ALONE: &str = "ats_each_alone";
const TWO_RUNTIMES: &str = "tokio_two_runtimes";
const SPAWN_BLOCKING: &str = "tokio_spawn_blocking";
const RAYON: &str = "tokio_and_rayon";

const ROW: &str = "page_beside_scans";
const CONNECTIONS: usize = 16;
/// With it, a connection asks less than 100 times a second: what the service and
/// the client compute is a few percent of a core, the same on all engines.
const PAUSE_MS: u64 = 10;
/// What one scan computes.
const SCAN: Duration = Duration::from_millis(50);
/// Scans under way at a time, for each core.
const SCANS_PER_CORE: usize = 2;

pub(crate) fn group() -> Group {
    Group {
        letter: 'F',
        title: "Mixed: scans of 50 ms beside an axum page, 16 connections with pauses",
        prepare: plan::nothing_to_prepare,
        rows: || vec![row()],
        run,
        summary: |_| Vec::new(),
        notes: || {
            [
                "ats_each_alone is ours with the page by itself, then the scans by themselves: \
                 an upper bound of what the page leaves to them.",
                "scans: chunks of computation a second. The client is a process of its own on \
                 the same cores.",
            ]
            .map(str::to_owned)
            .to_vec()
        },
        runs: |scale| scale.pick(5, 3),
    }
}

fn row() -> Row {
    let bar = |metric, limit| Bar {
        engine: ATS,
        metric,
        limit,
    };
    Row {
        name: ROW.to_owned(),
        engines: vec![EACH_ALONE, TOKIO, TWO_RUNTIMES, SPAWN_BLOCKING, RAYON, ATS],
        baseline: EACH_ALONE,
        bars: vec![
            bar("p99", Limit::RatioAtMost(2.0)),
            bar("scans", Limit::RatioAtLeast(0.9)),
        ],
        counted: true,
    }
}

fn run(_row: &str, engine: &str, scale: Scale) -> Vec<Reading> {
    let cores = machine::cores();
    let tokio = || engine::kept(Tokio::start(cores));
    match engine {
        EACH_ALONE => {
            let ats = engine::kept(Ats::start(cores, |builder| builder));
            let mut readings = page(ats, scale);
            let scans = Scans::start(on_cpu_lane(ats));
            thread::sleep(scale.milliseconds(2_000, 700));
            readings.push(scans.throughput());
            readings
        }
        ATS => {
            let ats = engine::kept(Ats::start(cores, |builder| builder));
            let mut readings = both(ats, on_cpu_lane(ats), scale);
            let hand_offs = ats.scheduler().stats().hand_offs as f64;
            readings.push(Reading::detail("hand_offs", Unit::Count, hand_offs));
            readings
        }
        TOKIO => {
            let runtime = tokio();
            both(runtime, as_tasks(runtime), scale)
        }
        TWO_RUNTIMES => both(tokio(), as_tasks(tokio()), scale),
        SPAWN_BLOCKING => {
            let runtime = tokio();
            let submit = |scan: Scan| {
                runtime.block_on(async { drop(tokio::task::spawn_blocking(scan)) });
            };
            both(runtime, Arc::new(submit), scale)
        }
        RAYON => both(tokio(), Arc::new(|scan: Scan| rayon::spawn(scan)), scale),
        other => panic!("group F has no engine {other}"),
    }
}

type Scan = Box<dyn FnOnce() + Send>;
/// Starts a scan somewhere.
type Submit = Arc<dyn Fn(Scan) + Send + Sync>;

fn on_cpu_lane(ats: &'static Ats) -> Submit {
    Arc::new(|scan| {
        let task = ats.scheduler().task().name("scan");
        task.priority(Priority::Batch).cpu().spawn_fn(scan).detach();
    })
}

fn as_tasks<E: Engine>(engine: &'static E) -> Submit {
    let spawner = engine.outside();
    Arc::new(move |scan| {
        let task = spawner.spawn_at(Importance::Unimportant, async move { scan() });
        <E::Outside as Spawn>::detach(task);
    })
}

/// The page beside the scans.
fn both<E: Engine>(engine: &E, submit: Submit, scale: Scale) -> Vec<Reading> {
    let scans = Scans::start(submit);
    let mut readings = page(engine, scale);
    readings.push(scans.throughput());
    readings
}

fn page<E: Engine>(engine: &E, scale: Scale) -> Vec<Reading> {
    let address = server::page(engine, Importance::Important);
    let loaded = loader::load_with_pauses(address, CONNECTIONS, PAUSE_MS, scale);
    let time = |time: Duration| time.as_nanos() as f64;
    vec![
        Reading::headline("p50", Unit::Nanoseconds, time(loaded.p50)),
        Reading::headline("p99", Unit::Nanoseconds, time(loaded.p99)),
        Reading::detail("pages", Unit::PerSecond, loaded.per_second),
    ]
}

/// Streams of scans, each of which starts its next scan when the last has ended.
struct Scans {
    start: Instant,
    chunks: Arc<AtomicU64>,
}

impl Scans {
    fn start(submit: Submit) -> Scans {
        let chunks = Arc::new(AtomicU64::new(0));
        for _ in 0..SCANS_PER_CORE * machine::cores() {
            let (submit, chunks) = (submit.clone(), chunks.clone());
            thread::spawn(move || stream(&submit, &chunks));
        }
        Scans {
            start: Instant::now(),
            chunks,
        }
    }

    fn throughput(&self) -> Reading {
        let done = self.chunks.load(Relaxed) as f64;
        let per_second = done / self.start.elapsed().as_secs_f64();
        Reading::headline("scans", Unit::PerSecond, per_second)
    }
}

fn stream(submit: &Submit, chunks: &Arc<AtomicU64>) {
    loop {
        let (sender, ended) = mpsc::channel();
        let chunks = chunks.clone();
        submit(Box::new(move || {
            work::chunks_for(SCAN, || {
                chunks.fetch_add(1, Relaxed);
                // Where a scan gives way to what is more important. Elsewhere
                // than on ours it does nothing.
                let _ = checkpoint();
            });
            let _ = sender.send(());
        }));
        // A scan that was dropped unrun ends its stream.
        if ended.recv().is_err() {
            return;
        }
    }
}
