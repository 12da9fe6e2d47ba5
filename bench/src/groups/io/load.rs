//! The load generator, a process of its own with one thread. It says `begin` when
//! it has warmed up, so that the server can look at its counters, and then prints
//! what it measured. It is bounded in time and in count, and ends with whoever
//! started it.

use std::{
    cell::RefCell,
    io::Write,
    process::{ExitCode, exit},
    rc::Rc,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use tokio::task::LocalSet;

use super::client::Client;
use crate::{options::LoadArguments, work};

/// What the load generator says on its standard output after warming up.
pub(super) const BEGIN: &str = "begin";

/// More requests than any engine answers in the time: a bound, not a goal.
const MOST_REQUESTS: u64 = 20_000_000;

/// The longest round trip that is told apart from longer ones, in nanoseconds.
const LONGEST: u64 = 60_000_000_000;

/// What the load generator says at its end.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Tally {
    pub(super) requests: u64,
    pub(super) seconds: f64,
    pub(super) p50_ns: u64,
    pub(super) p99_ns: u64,
}

/// The load generator's side of the program.
pub(crate) fn serve(load: &LoadArguments) -> ExitCode {
    work::exit_with_parent();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a Tokio runtime can be made");
    let tally = LocalSet::new().block_on(&runtime, drive(load));
    println!(
        "{}",
        serde_json::to_string(&tally).expect("a tally is plain data")
    );
    let _ = std::io::stdout().flush();
    // Not a return: the connections are still under way.
    exit(0)
}

async fn drive(load: &LoadArguments) -> Tally {
    let histogram = Rc::new(RefCell::new(
        Histogram::<u64>::new_with_bounds(1, LONGEST, 3).expect("three digits are possible"),
    ));
    for _ in 0..load.connections {
        let client = Client::connect(load.address, load.http)
            .await
            .expect("the server accepts");
        tokio::task::spawn_local(connection(client, load.pause_ms, histogram.clone()));
    }
    tokio::time::sleep(Duration::from_millis(load.warm_up_ms)).await;
    histogram.borrow_mut().reset();
    println!("{BEGIN}");
    let _ = std::io::stdout().flush();
    let start = Instant::now();
    tokio::time::sleep(Duration::from_millis(load.measure_ms)).await;
    tally(&histogram.borrow(), start.elapsed())
}

/// Asks again and again; the process ends around it.
async fn connection(mut client: Client, pause_ms: u64, histogram: Rc<RefCell<Histogram<u64>>>) {
    for _ in 0..MOST_REQUESTS {
        let start = Instant::now();
        if let Err(error) = client.round_trip().await {
            eprintln!("a connection broke: {error}");
            exit(1);
        }
        let taken = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        histogram.borrow_mut().saturating_record(taken.max(1));
        if pause_ms > 0 {
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        }
    }
}

fn tally(histogram: &Histogram<u64>, elapsed: Duration) -> Tally {
    Tally {
        requests: histogram.len(),
        seconds: elapsed.as_secs_f64(),
        p50_ns: histogram.value_at_quantile(0.5),
        p99_ns: histogram.value_at_quantile(0.99),
    }
}
