//! Spawning: a random task with a random description, and what becomes of its
//! handle.

use crate::{
    ledger::{Entry, Facts, Form, Ordered, Value},
    random::Random,
    round::{Held, Round, Seen},
    work,
};
use adaptive_task_scheduler::{CancelMode, Priority, Scheduler, TaskBuilder};
use std::{future::Future, panic::panic_any, pin::Pin, sync::Arc, thread, time::Instant};

/// What a task has: dropped exactly once, with its future or closure.
pub(crate) struct Work {
    pub(crate) round: Arc<Round>,
    pub(crate) entry: Arc<Entry>,
    pub(crate) random: Random,
    /// How many tasks there are above this one.
    pub(crate) depth: u8,
}

impl Work {
    /// The work has come to its end.
    pub(crate) fn give(&mut self) -> Value {
        self.entry.note_returned();
        Value::new(&self.entry, self.random.chance(1))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.entry.note_dropped();
        if self.entry.facts.drop_panics && !thread::panicking() {
            panic_any(Ordered);
        }
    }
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Spawns a random task on the scheduler, which is the round's `at`th. `None`
/// if the round has had all its tasks.
pub(crate) fn spawn(
    round: &Arc<Round>,
    (at, scheduler): (usize, &Scheduler),
    depth: u8,
    random: &mut Random,
) -> Option<Held> {
    let forms = [Form::Future, Form::Future, Form::Fallible, Form::Closure];
    let facts = Facts {
        scheduler: at,
        form: *random.pick(&forms)?,
        drop_panics: random.chance(3),
        has_timeout: random.chance(10),
        has_after: random.chance(25),
    };
    let entry = round.enter(facts)?;
    let builder = describe(scheduler.task(), facts, round, random);
    let work = Work {
        round: Arc::clone(round),
        entry: Arc::clone(&entry),
        random: random.fork(),
        depth,
    };
    let handle = match facts.form {
        Form::Future => builder.spawn(Box::pin(work::future(work)) as Boxed<_>),
        Form::Fallible => builder.spawn_try(Box::pin(work::fallible(work)) as Boxed<_>),
        Form::Closure => builder.spawn_fn(move || work::closure(work)),
    };
    entry.set_id(handle.id());
    round.leave_id(handle.id());
    Some(Held { handle, entry })
}

fn describe<'a>(
    mut task: TaskBuilder<'a>,
    facts: Facts,
    round: &Round,
    random: &mut Random,
) -> TaskBuilder<'a> {
    if random.chance(30) {
        task = task.name("static name");
    } else if random.chance(30) {
        task = task.name(format!("name {}", random.below(100)));
    }
    if let Some(priority) = random.pick(&Priority::ALL) {
        task = task.priority(*priority);
    }
    if random.chance(15) {
        task = task.deadline(Instant::now() + random.millis(50));
    }
    if facts.has_timeout {
        task = task.timeout(random.millis(20));
    }
    if facts.has_after {
        for _ in 0..random.between(1, 5) {
            if let Some(id) = round.some_id(random) {
                task = task.after(&id);
            }
            if let Some(seen) = round.some_seen(random) {
                task = task.after(&seen.watch);
            }
        }
    }
    let modes = [CancelMode::Drop, CancelMode::Cooperate, CancelMode::Shield];
    if let Some(mode) = random.pick(&modes) {
        task = task.on_cancel(*mode);
    }
    task = task.cancel_on_drop(random.chance(15));
    match random.below(8) {
        0 => task.cpu(),
        1 => task.blocking(),
        2 => task.io(),
        _ => task,
    }
}

/// Decides what becomes of a handle.
pub(crate) fn settle(round: &Arc<Round>, held: Held, random: &mut Random) {
    if random.chance(25) {
        let watch = held.handle.watch();
        let entry = Arc::clone(&held.entry);
        let seen = Seen { watch, entry };
        if random.chance(50) {
            round.leave_seen(seen);
        } else {
            round.keep_watch(seen);
        }
    }
    match random.below(100) {
        0..30 => round.keep(held),
        30..70 => round.leave_held(held),
        70..80 => {
            held.handle.cancel();
            round.keep(held);
        }
        80..90 => held.handle.detach(),
        _ => drop(held),
    }
}
