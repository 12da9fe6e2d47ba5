//! The two situations: every worker stuck, and a crowd that came first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::engine::Engine;

/// How long each poll of a hog blocks its worker.
pub const STUCK: Duration = Duration::from_millis(20);

/// How many hogs there are for each worker. One would do to keep it stuck; a service whose
/// background work blocks has a queue of such work.
pub const HOGS: usize = 16;

/// How many unimportant tasks come before the important one.
pub const CROWD: usize = 10_000;

/// How long each of them computes.
pub const LITTLE: Duration = Duration::from_micros(5);

/// How often something important comes in while every worker is stuck.
pub const PACE: Duration = Duration::from_millis(2);

/// For how long it does.
pub const STUCK_ROUND: Duration = Duration::from_millis(700);

const CROWDED_ROUND: Duration = Duration::from_millis(500);

/// Blocks every worker over and over. Meanwhile something important comes in at a steady pace,
/// whether what came before has been served or not, as requests do.
pub fn stuck(engine: &Engine, workers: usize) -> Vec<Duration> {
    let hogs = Hogs::start(engine, HOGS * workers);
    let (answer, answers) = mpsc::channel();
    let start = Instant::now();
    let mut next = start;
    while next < start + STUCK_ROUND {
        thread::sleep(next.saturating_duration_since(Instant::now()));
        probe(engine, answer.clone());
        next += PACE;
    }
    hogs.stop();
    drop(answer);
    answers.into_iter().collect()
}

/// Queues a crowd and then one important task; waits until all are done, and again.
pub fn crowded(engine: &Engine) -> Vec<Duration> {
    let end = Instant::now() + CROWDED_ROUND;
    let mut delays = Vec::new();
    while delays.is_empty() || Instant::now() < end {
        delays.push(behind_a_crowd(engine));
    }
    delays
}

fn behind_a_crowd(engine: &Engine) -> Duration {
    let (done, all_done) = mpsc::channel();
    let left = Arc::new(AtomicUsize::new(CROWD));
    for _ in 0..CROWD {
        let (left, done) = (Arc::clone(&left), done.clone());
        engine.unimportant(async move {
            compute(LITTLE);
            if left.fetch_sub(1, Ordering::AcqRel) == 1 {
                let _ = done.send(());
            }
        });
    }
    let (answer, answered) = mpsc::channel();
    probe(engine, answer);
    let delay = answered.recv().unwrap_or_default();
    let _ = all_done.recv();
    delay
}

/// Spawns an important task that answers how long it waited for its first poll.
fn probe(engine: &Engine, answer: mpsc::Sender<Duration>) {
    let asked = Instant::now();
    engine.important(async move {
        let _ = answer.send(asked.elapsed());
    });
}

fn compute(time: Duration) {
    let start = Instant::now();
    let mut block = [0_u8; 64];
    while start.elapsed() < time {
        let digest = Sha256::digest(block);
        block[..digest.len()].copy_from_slice(&digest);
    }
    std::hint::black_box(block);
}

/// Tasks that block in every poll until told to stop.
struct Hogs {
    stop: Arc<AtomicBool>,
    stopped: mpsc::Receiver<()>,
}

impl Hogs {
    fn start(engine: &Engine, number: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (running, stopped) = mpsc::channel();
        let kind = engine.kind();
        for _ in 0..number {
            let (stop, running) = (Arc::clone(&stop), running.clone());
            engine.unimportant(async move {
                while !stop.load(Ordering::Relaxed) {
                    thread::sleep(STUCK);
                    kind.yield_now().await;
                }
                drop(running);
            });
        }
        // Until every worker is in a poll of a hog.
        thread::sleep(2 * STUCK);
        Hogs { stop, stopped }
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        // Nothing is ever sent: this returns when the last hog has dropped its end.
        let _ = self.stopped.recv();
    }
}
