//! The scene: Task A depends on Task B, B blocks its worker over and over, A has waited too long.
//!
//! B is ordinary async work to the scheduler: nobody says that it computes, nobody says that it is
//! important. It reads this program's own file and hashes it, some 25 ms between two yields.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use adaptive_task_scheduler::{Event, Events, Priority, Scheduler, yield_now};
use sha2::{Digest, Sha256};

use super::narrator::Narrator;
use crate::exit::Failure;
use crate::text;

/// Long enough that a worker is really stuck, and often enough that B can be moved on the way.
const POLL: Duration = Duration::from_millis(25);
const POLLS: u32 = 14;

/// A scene has some dozens of events.
const CAPACITY: usize = 4096;

/// Plays the scene and prints it from the scheduler's events as they come.
///
/// # Errors
///
/// The scheduler could not be started, a task failed, or printing did.
pub fn play(workers: usize) -> Result<(), Failure> {
    let scheduler = Scheduler::builder()
        .io_slots(workers)
        .build_runtime()
        .map_err(|error| Failure::internal("starting the scheduler", error))?;
    let events = scheduler.subscribe(CAPACITY);
    let telling = thread::spawn(move || narrate(events));
    let digest = scheduler.block_on(spawn_a(&scheduler));
    let narrator = telling
        .join()
        .map_err(|_| Failure::Internal("the scene's narrator panicked".into()))??;
    scheduler.block_on(scheduler.shutdown(Duration::from_secs(5)));
    let digest = digest.map_err(|error| Failure::internal("playing the scene", error))?;
    let mut out = anstream::stdout().lock();
    writeln!(out, "\n{}", narrator.account())?;
    writeln!(out, "B {digest}.")?;
    Ok(())
}

/// A starts B from within, as ordinary async work, and waits for what it finds.
fn spawn_a(
    scheduler: &Scheduler,
) -> impl Future<Output = Result<String, Box<dyn std::error::Error + Send + Sync>>> + use<> {
    let a = scheduler
        .task()
        .name("Task A")
        .priority(Priority::Production)
        .spawn(async {
            let b = Scheduler::current()
                .task()
                .name("Task B")
                .priority(Priority::Batch)
                .spawn(read_and_hash());
            b.await
        });
    async move { a.await?? }
}

fn narrate(mut events: Events) -> Result<Narrator, Failure> {
    let mut narrator = Narrator::default();
    while let Some(event) = events.blocking_recv() {
        let ended = ends_the_scene(&event);
        let mut out = anstream::stdout().lock();
        for line in narrator.tell(&event) {
            writeln!(out, "{line}")?;
        }
        out.flush()?;
        if ended {
            break;
        }
    }
    Ok(narrator)
}

fn ends_the_scene(event: &Event) -> bool {
    match event {
        Event::Completed { name, .. } | Event::Failed { name, .. } => name.as_str() == "Task A",
        _ => false,
    }
}

async fn read_and_hash() -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let path: PathBuf = std::env::current_exe()?;
    let mut file = File::open(&path)?;
    let mut hasher = Sha256::new();
    let mut block = vec![0; 16 << 10];
    let mut bytes = 0;
    for _ in 0..POLLS {
        let start = Instant::now();
        while start.elapsed() < POLL {
            let read = file.read(&mut block)?;
            if read == 0 {
                file.rewind()?;
            }
            hasher.update(&block[..read]);
            bytes += read;
        }
        yield_now().await;
    }
    let digest = hasher.finalize();
    let digits: String = digest[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mebibytes = text::grouped(bytes >> 20);
    Ok(format!(
        "read and hashed {mebibytes} MiB on the way (SHA-256 {digits}...)"
    ))
}
