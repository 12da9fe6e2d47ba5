//! What tasks do: a few random steps.

use crate::{
    ledger::{Ordered, Value},
    locks,
    round::Held,
    spawn::{Work, settle, spawn},
};
use adaptive_task_scheduler::{
    Scheduler, checkpoint, is_cancelled,
    sync::{mpsc, oneshot},
    will_block, yield_now,
};
use std::{
    collections::HashMap,
    fmt,
    future::pending,
    panic::panic_any,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    task::block_in_place,
    time::{sleep, timeout},
};

/// Tasks this far below an outside thread spawn no others.
const DEEPEST: u8 = 4;

/// What fallible work fails with.
#[derive(Debug)]
pub(crate) struct Failure;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("as ordered")
    }
}

impl std::error::Error for Failure {}

pub(crate) async fn future(mut work: Work) -> Value {
    steps(&mut work).await;
    let value = work.give();
    drop(work);
    value
}

pub(crate) async fn fallible(mut work: Work) -> Result<Value, Failure> {
    steps(&mut work).await;
    if work.random.chance(20) {
        work.entry.note_returned();
        return Err(Failure);
    }
    let value = work.give();
    drop(work);
    Ok(value)
}

pub(crate) fn closure(mut work: Work) -> Value {
    for _ in 0..work.random.between(0, 3) {
        if checkpoint().is_err() {
            break;
        }
        match work.random.below(100) {
            0..10 => sleep_in_poll(&mut work),
            10..20 => spin(&mut work),
            20..35 => spawn_some(&mut work),
            35..45 => meddle(&mut work),
            45..48 => panic_any(Ordered),
            48..55 => send(&mut work),
            _ => thread::yield_now(),
        }
    }
    let value = work.give();
    drop(work);
    value
}

async fn steps(work: &mut Work) {
    for _ in 0..work.random.between(0, 5) {
        if work.random.chance(20) && is_cancelled() {
            return;
        }
        match work.random.below(100) {
            0..10 => give_way(work).await,
            10..18 => locks::step(work).await,
            18..30 => sleep(work.random.millis(4)).await,
            30..33 => sleep_in_poll(work),
            33..36 => spin(work),
            36..38 => will_block(|| sleep_in_poll(work)),
            38..40 => block_in_its_place(work),
            40..52 => spawn_some(work),
            52..64 => await_handle(work).await,
            64..70 => await_watch(work).await,
            70..75 => await_group(work).await,
            75..79 => receive_once(work).await,
            79..82 => receive_many(work).await,
            82..86 => send(work),
            86..89 => send_many(work).await,
            89..92 => tokio_task(work).await,
            92..96 => meddle(work),
            96..98 => panic_any(Ordered),
            98 => never(work).await,
            _ => drop(checkpoint()),
        }
    }
}

async fn give_way(work: &mut Work) {
    for _ in 0..work.random.between(1, 20) {
        if work.random.chance(80) {
            yield_now().await;
        } else {
            tokio::task::yield_now().await;
        }
    }
}

fn sleep_in_poll(work: &mut Work) {
    if work.round.weather.has_stuck_polls {
        thread::sleep(work.random.millis(20));
    }
}

fn spin(work: &mut Work) {
    if work.round.weather.has_stuck_polls {
        let end = Instant::now() + work.random.millis(5);
        while Instant::now() < end {
            std::hint::spin_loop();
        }
    }
}

fn block_in_its_place(work: &mut Work) {
    let flavor = Handle::try_current().map(|handle| handle.runtime_flavor());
    if flavor.is_ok_and(|flavor| flavor == RuntimeFlavor::MultiThread) {
        block_in_place(|| sleep_in_poll(work));
    }
}

/// The task's own scheduler, or another.
fn scheduler(work: &mut Work) -> Option<(usize, Scheduler)> {
    if work.random.chance(30) {
        return work.round.scheduler(&mut work.random);
    }
    Some((work.entry.facts.scheduler, Scheduler::try_current()?))
}

fn spawn_one(work: &mut Work, at: usize, scheduler: &Scheduler) -> Option<Held> {
    let depth = work.depth + 1;
    if depth > DEEPEST {
        return None;
    }
    spawn(&work.round, (at, scheduler), depth, &mut work.random)
}

fn spawn_some(work: &mut Work) {
    for _ in 0..work.random.between(1, 3) {
        let Some((at, scheduler)) = scheduler(work) else {
            return;
        };
        if let Some(held) = spawn_one(work, at, &scheduler) {
            settle(&work.round, held, &mut work.random);
        }
    }
}

pub(crate) async fn await_handle(work: &mut Work) {
    let Some(Held { mut handle, entry }) = work.round.take_held(&mut work.random) else {
        return;
    };
    let patience = work.random.millis(10);
    let answer = match work.random.below(4) {
        0 => timeout(patience, handle.join()).await,
        // The edge of this wait stays until somebody else polls the handle.
        1 => timeout(patience, &mut handle).await,
        _ => return entry.answered(handle.await),
    };
    match answer {
        Ok(answer) => entry.answered(answer),
        Err(_) => work.round.leave_held(Held { handle, entry }),
    }
}

async fn await_watch(work: &mut Work) {
    let Some(seen) = work.round.some_seen(&mut work.random) else {
        return;
    };
    if work.random.chance(50) {
        seen.entry.watched(seen.watch.await);
    } else if let Ok(answer) = timeout(work.random.millis(10), seen.watch).await {
        seen.entry.watched(answer);
    }
}

async fn await_group(work: &mut Work) {
    if !work.round.weather.has_groups {
        return;
    }
    let Some(scheduler) = Scheduler::try_current() else {
        return;
    };
    let at = work.entry.facts.scheduler;
    let mut group = scheduler.group::<Value>();
    let mut entries = HashMap::new();
    for _ in 0..work.random.between(1, 6) {
        let member = if work.random.chance(70) {
            spawn_one(work, at, &scheduler)
        } else {
            work.round.take_held(&mut work.random)
        };
        if let Some(Held { handle, entry }) = member {
            entries.insert(group.insert(handle), entry);
        }
    }
    drop(scheduler);
    loop {
        match work.random.below(20) {
            0 => group.cancel_all(),
            1 => group.detach_all(),
            2 => return,
            _ => {}
        }
        let patience = if work.random.chance(30) {
            work.random.millis(5)
        } else {
            Duration::from_secs(3600)
        };
        let Ok(next) = timeout(patience, group.join_next()).await else {
            continue;
        };
        match next {
            None => return,
            Some(Ok(value)) => {
                let entry = Arc::clone(&value.entry);
                entry.answered(Ok(value));
            }
            Some(Err(error)) if error.is_cycle() => {}
            Some(Err(error)) => match entries.get(&error.task()) {
                Some(entry) => entry.answered(Err(error)),
                None => crate::ledger::complain(format!("a group had no such task: {error}")),
            },
        }
    }
}

async fn receive_once(work: &mut Work) {
    let (sender, receiver) = oneshot::channel();
    work.round.leave_oneshot(sender);
    drop(receiver.await);
}

fn send(work: &mut Work) {
    if let Some(sender) = work.round.take_oneshot(&mut work.random) {
        let _ = sender.send(());
    }
}

async fn receive_many(work: &mut Work) {
    let (sender, mut receiver) = mpsc::channel(work.random.between(1, 4));
    work.round.leave_channel(sender);
    for _ in 0..work.random.between(1, 8) {
        if receiver.recv().await.is_none() {
            return;
        }
    }
}

async fn send_many(work: &mut Work) {
    for _ in 0..work.random.between(1, 8) {
        if let Some(sender) = work.round.some_channel(&mut work.random) {
            let _ = sender.send(1).await;
        }
    }
}

/// A task of Tokio's own. It awaits no task of ours, whose cycle nobody would
/// see.
async fn tokio_task(work: &mut Work) {
    let pause = work.random.millis(3);
    let panics = work.random.chance(10);
    let task = tokio::spawn(async move {
        sleep(pause).await;
        if panics {
            panic_any(Ordered);
        }
    });
    if work.random.chance(70) {
        drop(task.await);
    }
}

async fn never(work: &mut Work) {
    if work.round.weather.has_endless_tasks {
        pending::<()>().await;
    }
}

/// Interferes with some task.
pub(crate) fn meddle(work: &mut Work) {
    let Some(id) = work.round.some_id(&mut work.random) else {
        return;
    };
    let Some((_, scheduler)) = scheduler(work) else {
        return;
    };
    match work.random.below(10) {
        0 => drop(
            scheduler
                .explain(id)
                .map(|explanation| explanation.to_string()),
        ),
        1 => drop(scheduler.stats()),
        2 => {
            if let Some(blocker) = work.round.some_id(&mut work.random) {
                drop(scheduler.add_dependency(id, blocker));
            }
        }
        _ => drop(scheduler.cancel(id)),
    }
}
