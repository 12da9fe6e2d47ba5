//! The ledger: one entry for each task. Whoever hears how a task ended writes it
//! there, and all who hear must hear the same.

use crate::{lock, watchdog};
use adaptive_task_scheduler::{TaskError, TaskErrorKind, TaskId};
use std::{
    fmt,
    panic::panic_any,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::SeqCst},
    },
};

/// The payload of the panics that the soak orders.
pub(crate) struct Ordered;

/// How a task ended. `Cycle` is not among the errors: it is told to a waiter,
/// and the awaited task goes on.
pub(crate) const OUTCOMES: [&str; 9] = [
    "unobserved",
    "completed",
    "failed",
    "panicked",
    "cancelled",
    "timed out",
    "not run after a failure",
    "rejected",
    "shut down",
];

pub(crate) const COMPLETED: u8 = 1;
pub(crate) const FAILED: u8 = 2;
pub(crate) const PANICKED: u8 = 3;
pub(crate) const TIMED_OUT: u8 = 5;
pub(crate) const DEPENDENCY: u8 = 6;
pub(crate) const REJECTED: u8 = 7;
pub(crate) const SHUT_DOWN: u8 = 8;

/// The outcome that an error stands for; `None` for a cycle.
pub(crate) fn outcome_of(error: &TaskError) -> Option<u8> {
    match error.kind() {
        TaskErrorKind::Failed => Some(FAILED),
        TaskErrorKind::Panicked => Some(PANICKED),
        TaskErrorKind::Cancelled => Some(4),
        TaskErrorKind::TimedOut => Some(TIMED_OUT),
        TaskErrorKind::Dependency => Some(DEPENDENCY),
        TaskErrorKind::Rejected => Some(REJECTED),
        TaskErrorKind::ShutDown => Some(SHUT_DOWN),
        _ => None,
    }
}

static COMPLAINTS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// How many waits were refused because they would have closed a cycle.
pub(crate) static CYCLES: AtomicU64 = AtomicU64::new(0);

/// Notes what is wrong.
pub(crate) fn complain(what: String) {
    lock(&COMPLAINTS).push(what);
}

pub(crate) fn complaints() -> Vec<String> {
    std::mem::take(&mut lock(&COMPLAINTS))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Future,
    Fallible,
    Closure,
}

/// What is known of a task when it is spawned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    pub(crate) scheduler: usize,
    pub(crate) form: Form,
    pub(crate) drop_panics: bool,
    pub(crate) has_timeout: bool,
    pub(crate) has_after: bool,
}

pub(crate) struct Entry {
    number: usize,
    pub(crate) facts: Facts,
    id: OnceLock<TaskId>,
    work_dropped: AtomicU32,
    returned: AtomicU32,
    values_made: AtomicU32,
    values_dropped: AtomicU32,
    answers: AtomicU32,
    outcome: AtomicU8,
}

impl Entry {
    pub(crate) fn new(number: usize, facts: Facts) -> Self {
        Self {
            number,
            facts,
            id: OnceLock::new(),
            work_dropped: AtomicU32::new(0),
            returned: AtomicU32::new(0),
            values_made: AtomicU32::new(0),
            values_dropped: AtomicU32::new(0),
            answers: AtomicU32::new(0),
            outcome: AtomicU8::new(0),
        }
    }

    pub(crate) fn set_id(&self, id: TaskId) {
        let _ = self.id.set(id);
    }

    pub(crate) fn id(&self) -> Option<TaskId> {
        self.id.get().copied()
    }

    pub(crate) fn outcome(&self) -> u8 {
        self.outcome.load(SeqCst)
    }

    pub(crate) fn note_dropped(&self) {
        watchdog::progress();
        self.work_dropped.fetch_add(1, SeqCst);
    }

    /// The work ran to its end.
    pub(crate) fn note_returned(&self) {
        self.returned.fetch_add(1, SeqCst);
    }

    /// The task's handle was answered.
    pub(crate) fn answered(&self, answer: Result<Value, TaskError>) {
        let outcome = match answer {
            Ok(mut value) => {
                value.is_armed = false;
                if value.entry.number != self.number {
                    complain(format!("{self} gave the value of {}", value.entry));
                }
                COMPLETED
            }
            Err(error) => {
                let Some(outcome) = outcome_of(&error) else {
                    CYCLES.fetch_add(1, SeqCst);
                    return;
                };
                if self.id().is_some_and(|id| id != error.task()) {
                    complain(format!("{self} was told of another task: {error}"));
                }
                outcome
            }
        };
        if self.answers.fetch_add(1, SeqCst) > 0 {
            complain(format!("{self} answered its handle twice"));
        }
        self.hear("its handle", outcome);
    }

    /// A watch of the task was answered.
    pub(crate) fn watched(&self, answer: Result<(), TaskError>) {
        match answer {
            Ok(()) => self.hear("a watch", COMPLETED),
            Err(error) => match outcome_of(&error) {
                Some(outcome) => self.hear("a watch", outcome),
                None => drop(CYCLES.fetch_add(1, SeqCst)),
            },
        }
    }

    /// Somebody heard how the task ended.
    pub(crate) fn hear(&self, whence: &str, outcome: u8) {
        watchdog::progress();
        if let Err(before) = self.outcome.compare_exchange(0, outcome, SeqCst, SeqCst)
            && before != outcome
        {
            let (before, now) = (OUTCOMES[before as usize], OUTCOMES[outcome as usize]);
            complain(format!("{self} ended as {before}, but {whence} says {now}"));
        }
    }

    /// Whether the task's work is gone.
    pub(crate) fn is_dropped(&self) -> bool {
        self.work_dropped.load(SeqCst) > 0
    }

    /// Whether nothing of the task is left.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_dropped() && self.values_made.load(SeqCst) == self.values_dropped.load(SeqCst)
    }

    /// Complains of what cannot be true of a task that has ended.
    pub(crate) fn check(&self) {
        let must = |holds: bool, what: &str| {
            if !holds {
                complain(format!("{self} {what}"));
            }
        };
        let Facts {
            form,
            drop_panics,
            has_timeout,
            has_after,
            ..
        } = self.facts;
        must(
            self.work_dropped.load(SeqCst) == 1,
            "did not drop its work exactly once",
        );
        must(
            self.values_made.load(SeqCst) == self.values_dropped.load(SeqCst),
            "did not drop its value exactly once",
        );
        let returned = self.returned.load(SeqCst);
        must(returned <= 1, "ran more than once");
        match self.outcome() {
            0 => {}
            COMPLETED => must(returned == 1, "completed without running to its end"),
            FAILED => must(form == Form::Fallible, "failed without an error"),
            PANICKED => {}
            TIMED_OUT => must(has_timeout, "timed out without a time-out"),
            DEPENDENCY => must(has_after, "waited for nothing that could fail"),
            _ => {}
        }
        // What a poll returns counts, whatever was asked of the task meanwhile.
        let kept = match self.outcome() {
            0 | COMPLETED | FAILED => true,
            PANICKED => drop_panics,
            _ => false,
        };
        must(returned == 0 || kept, "lost what it returned");
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {} ", self.number)?;
        match self.id() {
            Some(id) => write!(f, "(id {id}, ")?,
            None => write!(f, "(no id, ")?,
        }
        write!(
            f,
            "{:?}; work dropped {}, returned {}, values {}/{}, answers {}, {})",
            self.facts,
            self.work_dropped.load(SeqCst),
            self.returned.load(SeqCst),
            self.values_dropped.load(SeqCst),
            self.values_made.load(SeqCst),
            self.answers.load(SeqCst),
            OUTCOMES[self.outcome() as usize],
        )
    }
}

/// What a task gives. Some panic when they are dropped by anybody but who was
/// given them.
pub(crate) struct Value {
    pub(crate) entry: Arc<Entry>,
    is_armed: bool,
}

impl Value {
    pub(crate) fn new(entry: &Arc<Entry>, is_armed: bool) -> Self {
        entry.values_made.fetch_add(1, SeqCst);
        Self {
            entry: Arc::clone(entry),
            is_armed,
        }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.entry.values_dropped.fetch_add(1, SeqCst);
        if self.is_armed && !std::thread::panicking() {
            panic_any(Ordered);
        }
    }
}
