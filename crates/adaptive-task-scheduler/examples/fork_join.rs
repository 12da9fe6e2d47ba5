//! How soon an important CPU task starts while parallel jobs saturate the
//! machine, and what forking costs beside plain Rayon.
//!
//! ```text
//! cargo run --release --example fork_join --features rayon -- [seconds]
//! ```
//!
//! Jobs of low priority, one after the other, each a `par_iter` over chunks of
//! arithmetic, keep every core busy. Every 3 ms an important task is submitted;
//! what is measured is the time from there to its first instruction. The chunk
//! is the checkpoint interval. Three arrangements:
//!
//! - **scheduler**: both are tasks of the CPU lane; the jobs fork, and call
//!   `checkpoint()` between chunks;
//! - **rayon, global pool**: both are jobs of Rayon's global pool, by `spawn`;
//! - **spawn_blocking**: the jobs and the important tasks are closures on Tokio's
//!   blocking pool; the jobs use Rayon's global pool.

use adaptive_task_scheduler::{Priority, Scheduler, checkpoint};
use rayon::prelude::*;
use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

/// Multiplications between two checkpoints.
const CHUNK: u64 = 200_000;
/// Chunks of one job.
const CHUNKS: u32 = 400;
const EVERY: Duration = Duration::from_millis(3);

fn main() {
    let seconds = std::env::args().nth(1).map_or(Ok(5), |text| text.parse());
    let run = Duration::from_secs(seconds.expect("the seconds are a whole number"));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    println!("{cores} cores, {run:?} each\n");
    let scheduler = Scheduler::builder()
        .build_runtime()
        .expect("a scheduler can be built");
    print_row("checkpoint interval", &intervals());
    print_row("scheduler", &on_scheduler(&scheduler, run));
    print_row("rayon, global pool", &on_rayon(run));
    print_row("spawn_blocking", &on_blocking(&scheduler, run));
    println!(
        "\ncheckpoint(), nothing more important: {:?}",
        idle_checkpoint(&scheduler)
    );
    let (plain, forked) = throughput(&scheduler);
    println!(
        "one par_iter job: rayon {plain:?}, forked {forked:?} ({:.2} of Rayon's speed)",
        plain.as_secs_f64() / forked.as_secs_f64()
    );
    let (plain, forked) = smallest(&scheduler);
    println!("an empty join: rayon's install {plain:?}, fork {forked:?}");
}

fn chunk(seed: u64) -> u64 {
    (0..CHUNK).fold(seed, |hash, n| {
        black_box(hash.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(n))
    })
}

/// One job; between its chunks it does as `between` says.
fn job(between: impl Fn() + Sync) -> u64 {
    let chunks = (0..CHUNKS).into_par_iter().with_max_len(1);
    chunks
        .map(|seed| {
            between();
            chunk(u64::from(seed))
        })
        .reduce(|| 0, u64::wrapping_add)
}

/// How long a chunk takes, on a core of its own.
fn intervals() -> Vec<Duration> {
    let time = |seed| {
        let begun = Instant::now();
        black_box(chunk(seed));
        begun.elapsed()
    };
    (0..1_000).map(time).collect()
}

/// Submits an important task every 3 ms for as long as `run`. Gives the delays to
/// their starts.
fn submit(run: Duration, task: impl Fn(Box<dyn FnOnce() + Send>)) -> Vec<Duration> {
    let end = Instant::now() + run;
    let mut delays = Vec::new();
    while Instant::now() < end {
        thread::sleep(EVERY);
        let (tell, told) = mpsc::channel();
        let submitted = Instant::now();
        task(Box::new(move || {
            let delay = submitted.elapsed();
            black_box(chunk(7));
            let _ = tell.send(delay);
        }));
        delays.push(told.recv().expect("the task runs"));
    }
    delays
}

/// Keeps `start`ing jobs on a thread of its own while `body` runs.
fn saturated<R>(start: impl Fn() + Send + 'static, body: impl FnOnce() -> R) -> R {
    let ends = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&ends);
    let feeder = thread::spawn(move || {
        while !seen.load(Ordering::Relaxed) {
            start();
        }
    });
    thread::sleep(Duration::from_millis(50));
    let result = body();
    ends.store(true, Ordering::Relaxed);
    feeder.join().expect("no job panics");
    result
}

fn on_scheduler(scheduler: &Scheduler, run: Duration) -> Vec<Duration> {
    let jobs = scheduler.clone();
    let start = move || {
        let task = jobs.task().name("job").priority(Priority::Batch).parallel();
        let task = task.spawn_fn(|| job(|| checkpoint().expect("nobody cancels")));
        jobs.block_on(task).expect("the job ends");
    };
    saturated(start, || {
        submit(run, |task| {
            let important = scheduler.task().priority(Priority::Production);
            important.spawn_fn(task).detach();
        })
    })
}

fn on_rayon(run: Duration) -> Vec<Duration> {
    let start = || {
        black_box(job(|| ()));
    };
    saturated(start, || submit(run, rayon::spawn))
}

fn on_blocking(scheduler: &Scheduler, run: Duration) -> Vec<Duration> {
    let runtime = scheduler.runtime().clone();
    let jobs = runtime.clone();
    let start = move || {
        let job = jobs.spawn_blocking(|| job(|| ()));
        jobs.block_on(job).expect("the job ends");
    };
    saturated(start, || {
        submit(run, |task| drop(runtime.spawn_blocking(task)))
    })
}

/// What a checkpoint costs while there is nothing more important.
fn idle_checkpoint(scheduler: &Scheduler) -> Duration {
    const COUNT: u32 = 10_000_000;
    let time = scheduler.cpu(|| {
        let begun = Instant::now();
        for _ in 0..COUNT {
            checkpoint().expect("nobody cancels");
        }
        begun.elapsed() / COUNT
    });
    scheduler.block_on(time).expect("it ends")
}

/// The best times of one job, in Rayon's global pool and in a fork.
fn throughput(scheduler: &Scheduler) -> (Duration, Duration) {
    let time = |run: &dyn Fn() -> u64| {
        let begun = Instant::now();
        black_box(run());
        begun.elapsed()
    };
    let plain = || job(|| ());
    let forked = || {
        let task = scheduler.task().parallel();
        let task = task.spawn_fn(|| job(|| checkpoint().expect("nobody cancels")));
        scheduler.block_on(task).expect("the job ends")
    };
    // By turns, so that both meet the same machine.
    let times = (0..40).map(|_| (time(&plain), time(&forked)));
    times.fold((Duration::MAX, Duration::MAX), |best, now| {
        (best.0.min(now.0), best.1.min(now.1))
    })
}

/// What it costs to get to the pool's threads and back.
fn smallest(scheduler: &Scheduler) -> (Duration, Duration) {
    const COUNT: u32 = 2_000;
    let pool = rayon::ThreadPoolBuilder::new().build().expect("a pool");
    let time = |run: &dyn Fn()| {
        let begun = Instant::now();
        (0..COUNT).for_each(|_| run());
        begun.elapsed() / COUNT
    };
    let join = || {
        black_box(rayon::join(|| 1, || 2));
    };
    let plain = time(&|| pool.install(join));
    let forked = scheduler.cpu(move || {
        let begun = Instant::now();
        (0..COUNT).for_each(|_| adaptive_task_scheduler::fork(join));
        begun.elapsed() / COUNT
    });
    (plain, scheduler.block_on(forked).expect("it ends"))
}

fn print_row(what: &str, delays: &[Duration]) {
    let mut sorted = delays.to_vec();
    sorted.sort_unstable();
    let at = |share: f64| {
        let place = (sorted.len() as f64 * share) as usize;
        sorted[place.min(sorted.len() - 1)]
    };
    println!(
        "{what:<20} p50 {:>10.1?}  p99 {:>10.1?}  max {:>10.1?}  ({} measured)",
        at(0.5),
        at(0.99),
        at(1.0),
        sorted.len()
    );
}
