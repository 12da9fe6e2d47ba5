//! One round from its beginning to its end, and what must be true of it.

use crate::{
    house::{End, House, Plan},
    ledger::{OUTCOMES, complain, outcome_of},
    random::Random,
    round::{Held, Round, Weather},
    spawn::{settle, spawn},
    watchdog::{self, doing},
};
use adaptive_task_scheduler::{Event, Events, Scheduler, TaskId};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::{runtime::Runtime, time::timeout};

/// How many tasks ended in each way.
#[derive(Default, Clone)]
pub(crate) struct Tally(pub(crate) [u64; OUTCOMES.len()]);

/// What the events said of a task.
#[derive(Default)]
struct Told {
    spawned: u32,
    ended: Vec<u8>,
}

/// What a subscriber heard, and how many events it lost.
type Heard = (HashMap<TaskId, Told>, u64);

pub(crate) fn play(number: u64, seed: u64, outside: &Runtime) -> Tally {
    let mut random = Random::new(seed ^ number.wrapping_mul(0xA076_1D64_78BD_642F));
    let plans = plans(&mut random);
    let round = Arc::new(begin(number, seed, &plans, &mut random));
    watchdog::watch(&round);

    doing("building");
    let threads = Arc::new(AtomicI64::new(0));
    let mut houses: Vec<House> = plans
        .into_iter()
        .map(|plan| House::build(plan, &threads, &mut random))
        .collect();
    let schedulers: Vec<Scheduler> = houses
        .iter()
        .flat_map(|house| house.schedulers.clone())
        .collect();
    let listeners: Vec<_> = schedulers
        .iter()
        .map(|scheduler| random.chance(60).then(|| listen(scheduler, &mut random)))
        .collect();
    round.set_schedulers(&schedulers);
    drop(schedulers);

    doing("spawning");
    let mut spawners: Vec<_> = (0..random.between(1, 4))
        .map(|_| spawner(&round, random.fork()))
        .collect();
    if random.chance(50) {
        join(&mut spawners);
    }
    thread::sleep(random.millis(40));

    doing("ending");
    round.close();
    houses = houses
        .into_iter()
        .map(|house| house.end(outside, &mut random))
        .collect();
    join(&mut spawners);

    doing("collecting");
    collect(&round, outside, &mut random);
    check_stats(&round, &houses);

    doing("tearing down");
    for house in &mut houses {
        house.schedulers.clear();
        house.stop_runtime(&mut random);
    }
    drop(houses);
    for (at, listener) in listeners.into_iter().enumerate() {
        if let Some(listener) = listener {
            match listener.join() {
                Ok(heard) => check_events(&round, at, heard),
                Err(_) => complain("the thread that hears events panicked".to_owned()),
            }
        }
    }
    wait_until(|| threads.load(SeqCst) == 0);
    let mut tally = Tally::default();
    round.locks.check();
    for entry in round.entries() {
        entry.check();
        tally.0[entry.outcome() as usize] += 1;
    }
    tally
}

/// One scheduler, or two in two houses, or two in one.
fn plans(random: &mut Random) -> Vec<Plan> {
    match random.below(4) {
        0 => vec![Plan::random(random, 1)],
        1 => vec![Plan::random(random, 2)],
        _ => vec![Plan::random(random, 1), Plan::random(random, 1)],
    }
}

fn begin(number: u64, seed: u64, plans: &[Plan], random: &mut Random) -> Round {
    let is_any = |end: End| plans.iter().any(|plan| plan.end == end);
    // Who waits for every task must not have to wait for ever.
    let has_endless_tasks = !is_any(End::Patient) && random.chance(60);
    let weather = Weather {
        has_stuck_polls: random.chance(50),
        has_endless_tasks,
        // A group holds its scheduler, whose last handle then is not dropped.
        has_groups: !(has_endless_tasks && is_any(End::Dropped)),
    };
    let budget = random.between(20, 1500);
    let names: Vec<String> = plans.iter().map(Plan::to_string).collect();
    Round::new(number, seed, weather, budget, names.join(", "))
}

fn spawner(round: &Arc<Round>, mut random: Random) -> JoinHandle<()> {
    let round = Arc::clone(round);
    // Its handles keep the schedulers alive until it is done.
    let scheduler = round.scheduler(&mut random);
    thread::spawn(move || {
        let Some((at, scheduler)) = scheduler else {
            return;
        };
        for _ in 0..random.between(5, 300) {
            let Some(held) = spawn(&round, (at, &scheduler), 0, &mut random) else {
                continue;
            };
            settle(&round, held, &mut random);
            if random.chance(3) {
                thread::sleep(random.millis(1));
            }
            if random.chance(10)
                && let Some(id) = round.some_id(&mut random)
            {
                scheduler.cancel(id);
            }
        }
    })
}

fn join(threads: &mut Vec<JoinHandle<()>>) {
    for thread in threads.drain(..) {
        if thread.join().is_err() {
            complain("a thread that spawns panicked".to_owned());
        }
    }
}

/// Awaits all that is left, and the end of every task.
fn collect(round: &Round, outside: &Runtime, random: &mut Random) {
    let entries = round.entries();
    loop {
        let is_settled = entries.iter().all(|entry| entry.is_settled());
        let is_settled = is_settled && round.entries().len() == entries.len();
        let (handles, watches) = round.take_kept();
        if is_settled && handles.is_empty() && watches.is_empty() {
            return;
        }
        for Held { mut handle, entry } in handles {
            let answer = outside.block_on(async {
                match timeout(random.millis(1), handle.join()).await {
                    Ok(answer) => answer,
                    Err(_) => handle.await,
                }
            });
            entry.answered(answer);
        }
        for seen in watches {
            let again = seen.watch.clone();
            seen.entry.watched(outside.block_on(seen.watch));
            seen.entry.watched(outside.block_on(again));
        }
        if entries.len() != round.entries().len() {
            return collect(round, outside, random);
        }
        thread::sleep(Duration::from_micros(200));
    }
}

/// Waits for what must come; the watchdog ends the program if it does not.
fn wait_until(holds: impl Fn() -> bool) {
    while !holds() {
        thread::sleep(Duration::from_micros(200));
    }
}

fn check_stats(round: &Round, houses: &[House]) {
    let mut at = 0;
    for house in houses {
        for scheduler in &house.schedulers {
            wait_until(|| scheduler.stats().live == 0);
            let stats = scheduler.stats();
            let ours = |entry: &&Arc<_>| is_of(entry, at + index_in(house, scheduler));
            let entered = round.entries().iter().filter(ours).count() as u64;
            if stats.spawned != stats.finished || stats.spawned + stats.rejected != entered {
                complain(format!("{entered} spawns were tried, but {stats:?}"));
            }
        }
        at += house.plan.schedulers;
    }
}

fn is_of(entry: &crate::ledger::Entry, scheduler: usize) -> bool {
    entry.facts.scheduler == scheduler
}

fn index_in(house: &House, scheduler: &Scheduler) -> usize {
    let is_it = |it: &Scheduler| std::ptr::eq(it, scheduler);
    house.schedulers.iter().position(is_it).unwrap_or(0)
}

fn listen(scheduler: &Scheduler, random: &mut Random) -> JoinHandle<Heard> {
    let capacity = if random.chance(20) { 16 } else { 1 << 20 };
    let mut events = scheduler.subscribe(capacity);
    thread::spawn(move || {
        let mut told = HashMap::new();
        while let Some(event) = events.blocking_recv() {
            note(&mut told, &event);
        }
        (told, lost(&events))
    })
}

fn lost(events: &Events) -> u64 {
    events.dropped()
}

fn note(told: &mut HashMap<TaskId, Told>, event: &Event) {
    let Some(task) = event.task() else { return };
    match event {
        Event::Spawned { .. } => told.entry(task).or_default().spawned += 1,
        Event::Completed { .. } => {
            let ended = &mut told.entry(task).or_default().ended;
            ended.push(crate::ledger::COMPLETED);
        }
        Event::Failed { error, .. } => {
            let ended = &mut told.entry(task).or_default().ended;
            ended.extend(outcome_of(error));
        }
        _ => {}
    }
}

fn check_events(round: &Round, scheduler: usize, (mut told, lost): Heard) {
    if lost > 0 {
        return;
    }
    for entry in round.entries() {
        let Some(id) = entry.id().filter(|_| is_of(&entry, scheduler)) else {
            continue;
        };
        match told.remove(&id) {
            Some(Told { spawned: 1, ended }) if ended.len() == 1 => {
                entry.hear("an event", ended[0]);
            }
            Some(Told { spawned, ended }) => complain(format!(
                "{entry} had {spawned} events of its beginning, and of its end {ended:?}"
            )),
            None => entry.hear("the lack of events", crate::ledger::REJECTED),
        }
    }
    for (id, told) in told {
        let (spawned, ended) = (told.spawned, told.ended);
        complain(format!(
            "{id} had events, {spawned} and {ended:?}, and is not in the ledger"
        ));
    }
}
