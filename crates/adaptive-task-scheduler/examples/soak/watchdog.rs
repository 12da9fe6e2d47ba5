//! Ends the program with a report when a round makes no progress.

use crate::{lock, round::Round};
use adaptive_task_scheduler::Scheduler;
use std::{
    process::exit,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(30);
const MOST_TASKS: usize = 20;

static PROGRESS: AtomicU64 = AtomicU64::new(0);
static ROUND: Mutex<Option<Arc<Round>>> = Mutex::new(None);
static DOING: Mutex<&str> = Mutex::new("nothing");

/// Something came to its end.
pub(crate) fn progress() {
    PROGRESS.fetch_add(1, Relaxed);
}

pub(crate) fn watch(round: &Arc<Round>) {
    *lock(&ROUND) = Some(Arc::clone(round));
    progress();
}

/// Says what the round does now.
pub(crate) fn doing(what: &'static str) {
    *lock(&DOING) = what;
    progress();
}

pub(crate) fn start() {
    thread::spawn(|| {
        let mut seen = (PROGRESS.load(Relaxed), Instant::now());
        loop {
            thread::sleep(Duration::from_millis(100));
            let now = PROGRESS.load(Relaxed);
            if now != seen.0 {
                seen = (now, Instant::now());
            } else if seen.1.elapsed() >= LIMIT {
                report();
                exit(1);
            }
        }
    });
}

fn report() {
    eprintln!("soak: no progress for {LIMIT:?} while {}", lock(&DOING));
    let round = lock(&ROUND).clone();
    let Some(round) = round else { return };
    eprintln!("soak: in {round}");
    let entries = round.entries();
    let mut unsettled: Vec<_> = entries.iter().filter(|it| !it.is_settled()).collect();
    // First those that have not ended; of the others only the value is left.
    unsettled.sort_by_key(|entry| entry.is_dropped());
    let unended = unsettled.iter().filter(|it| !it.is_dropped()).count();
    eprintln!(
        "soak: of {} tasks {unended} have not ended, and the values of {} are left",
        entries.len(),
        unsettled.len() - unended
    );
    for what in crate::ledger::complaints() {
        eprintln!("soak: {what}");
    }
    // Any scheduler can be asked about any task of the process.
    let onlooker = Scheduler::builder().io_slots(1).build_runtime().ok();
    for entry in unsettled.into_iter().take(MOST_TASKS) {
        let explained = onlooker.as_ref().zip(entry.id());
        match explained.and_then(|(onlooker, id)| onlooker.explain(id)) {
            Some(explanation) => eprintln!("  {entry}: {explanation}"),
            None => eprintln!("  {entry}: has ended"),
        }
    }
}
