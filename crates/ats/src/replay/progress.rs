//! What a replay is doing at this moment, counted by its tasks and shown by a thread of its own:
//! while plain Tokio's workers are all blocked, a timer on them would not fire.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::terminal::StatusLine;
use crate::text;

/// How often the line is redrawn on a terminal, and printed anew anywhere else.
const REDRAW: Duration = Duration::from_millis(100);
const PRINT: Duration = Duration::from_secs(2);

/// Counts of started and finished tasks. They are only looked at, nothing is decided by them.
#[derive(Debug, Default)]
pub struct Counts {
    started: AtomicUsize,
    finished: AtomicUsize,
}

impl Counts {
    /// A task starts.
    pub fn start(&self) {
        self.started.fetch_add(1, Ordering::Relaxed);
    }

    /// A task ends.
    pub fn finish(&self) {
        self.finished.fetch_add(1, Ordering::Relaxed);
    }

    /// How many tasks have ended.
    #[must_use]
    pub fn finished(&self) -> usize {
        self.finished.load(Ordering::Relaxed)
    }

    fn line(&self, label: &str, total: usize, since: Instant) -> String {
        let finished = self.finished();
        let running = self
            .started
            .load(Ordering::Relaxed)
            .saturating_sub(finished);
        format!(
            "{label}: {finished} of {} done, {running} under way, {}",
            text::count(total, "task"),
            text::duration(since.elapsed())
        )
    }
}

/// Runs `work` and shows meanwhile how far it is.
pub fn shown<T>(label: &str, total: usize, counts: &Counts, work: impl FnOnce() -> T) -> T {
    thread::scope(|scope| {
        let (done, is_done) = mpsc::channel::<()>();
        scope.spawn(move || show(label, total, counts, &is_done));
        let result = work();
        drop(done);
        result
    })
}

fn show(label: &str, total: usize, counts: &Counts, is_done: &mpsc::Receiver<()>) {
    let since = Instant::now();
    let mut status = StatusLine::on_stderr();
    let every = if status.is_live() { REDRAW } else { PRINT };
    while is_done.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
        let line = counts.line(label, total, since);
        if status.is_live() {
            status.show(&line);
        } else {
            status.print(&line);
        }
    }
}
