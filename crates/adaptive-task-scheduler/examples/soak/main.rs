//! Everything at once, for as long as it is told.
//!
//! In rounds, random tasks are spawned onto random schedulers that end in random
//! ways, with panics, cancels, stuck polls and cycles among them. Every task has
//! an entry in a ledger, and at the end of each round it must be true that
//!
//! - each handle and watch was answered, once, and all say the same of a task;
//! - each task's work and value were dropped exactly once;
//! - what locks guard was counted exactly, and all of them are free;
//! - the events have one beginning and one end of each task;
//! - the counts of the scheduler agree, and its threads are gone;
//! - nothing hung.
//!
//! Run it with `cargo xtask soak --seconds N`. A round's choices follow from the
//! seed, which is printed; what the machine makes of them does not.

mod house;
mod ledger;
mod locks;
mod play;
mod random;
mod round;
mod spawn;
mod watchdog;
mod work;

use ledger::{CYCLES, OUTCOMES, Ordered, complain, complaints};
use locks::DEADLOCKS;
use play::Tally;
use std::{
    panic::{self, PanicHookInfo},
    process::ExitCode,
    sync::{Mutex, MutexGuard, PoisonError, atomic::Ordering::SeqCst},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

const USAGE: &str = "usage: soak [--seconds N] [--seed S]";

struct Options {
    seconds: u64,
    seed: u64,
}

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(what) => {
            eprintln!("soak: {what}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let Options { seconds, seed } = options;
    println!("soak: seed {seed}, for {seconds} s");
    hush();
    watchdog::start();
    if soak(Duration::from_secs(seconds), seed) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let mut options = Options {
        seconds: 10,
        seed: now.map_or(0, |now| now.as_nanos() as u64),
    };
    while let Some(argument) = arguments.next() {
        let target = match argument.as_str() {
            "--seconds" => &mut options.seconds,
            "--seed" => &mut options.seed,
            _ => return Err(format!("there is no argument `{argument}`")),
        };
        let Some(number) = arguments.next() else {
            return Err(format!("{argument} needs a number"));
        };
        *target = number
            .parse()
            .map_err(|_| format!("{argument} needs a number, and `{number}` is none"))?;
    }
    Ok(options)
}

/// Plays rounds until the time is up. False if anything was wrong.
fn soak(limit: Duration, seed: u64) -> bool {
    let begun = Instant::now();
    let outside = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime can be made");
    let mut tally = Tally::default();
    let mut rounds = 0;
    while rounds == 0 || begun.elapsed() < limit {
        rounds += 1;
        let Tally(more) = play::play(rounds, seed, &outside);
        let sums = tally.0.iter_mut().zip(more);
        sums.for_each(|(sum, more)| *sum += more);
        let wrong = complaints();
        if !wrong.is_empty() {
            eprintln!("soak: round {rounds} of seed {seed} went wrong:");
            wrong.iter().for_each(|what| eprintln!("  {what}"));
            return false;
        }
    }
    println!("{}", summary(rounds, &tally));
    true
}

fn summary(rounds: u64, Tally(tally): &Tally) -> String {
    let tasks: u64 = tally.iter().sum();
    let ways = tally.iter().zip(OUTCOMES);
    let ways: Vec<String> = ways.map(|(count, way)| format!("{count} {way}")).collect();
    let (cycles, deadlocks) = (CYCLES.load(SeqCst), DEADLOCKS.load(SeqCst));
    format!(
        "soak: {rounds} rounds, {tasks} tasks, each ended once: {}; {cycles} cycles and \
         {deadlocks} deadlocks refused",
        ways.join(", ")
    )
}

/// Keeps quiet about panics that were ordered. Others are printed, and wrong.
fn hush() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if info.payload().is::<Ordered>() || is_of_a_stopped_runtime(info) {
            return;
        }
        before(info);
        complain(format!("there was a panic: {info}"));
    }));
}

/// A task that is polled while its runtime stops cannot have timers any more,
/// and Tokio panics in it.
fn is_of_a_stopped_runtime(info: &PanicHookInfo<'_>) -> bool {
    let payload = info.payload();
    let text = match payload.downcast_ref::<String>() {
        Some(text) => text.as_str(),
        None => payload.downcast_ref::<&str>().copied().unwrap_or_default(),
    };
    text.contains("is being shutdown") || text.contains("timer is shutdown")
}

/// Locks, also after a panic of whoever had the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
