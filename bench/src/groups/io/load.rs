//! The load generator, a process of its own with one thread. It says `begin` when
//! it has warmed up, so that the server can look at its counters, and then prints
//! what it measured. It is bounded in time and in count, and ends with whoever
//! started it.

use std::{
    cell::{Cell, RefCell},
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
    let mut under_way = Vec::new();
    for _ in 0..load.connections {
        let client = Client::connect(load.address, load.http)
            .await
            .expect("the server accepts");
        let asked = Rc::new(Cell::new(None));
        under_way.push(asked.clone());
        let pause = Duration::from_millis(load.pause_ms);
        tokio::task::spawn_local(connection(client, pause, asked, histogram.clone()));
    }
    tokio::time::sleep(Duration::from_millis(load.warm_up_ms)).await;
    histogram.borrow_mut().reset();
    println!("{BEGIN}");
    let _ = std::io::stdout().flush();
    let start = Instant::now();
    tokio::time::sleep(Duration::from_millis(load.measure_ms)).await;
    let mut histogram = histogram.borrow_mut();
    let answered = histogram.len();
    if load.pause_ms > 0 {
        // What has not been answered by the end is at least as late as it is by
        // then: otherwise a server that does not answer would look best.
        for asked in under_way.iter().filter_map(|asked| asked.get()) {
            histogram.saturating_record(nanoseconds_since(asked));
        }
    }
    Tally {
        requests: answered,
        ..tally(&histogram, start.elapsed())
    }
}

/// Asks again and again; the process ends around it.
async fn connection(
    mut client: Client,
    pause: Duration,
    asked: Rc<Cell<Option<Instant>>>,
    histogram: Rc<RefCell<Histogram<u64>>>,
) {
    for _ in 0..MOST_REQUESTS {
        let start = Instant::now();
        asked.set(Some(start));
        if let Err(error) = client.round_trip().await {
            eprintln!("a connection broke: {error}");
            exit(1);
        }
        asked.set(None);
        let taken = nanoseconds_since(start);
        histogram.borrow_mut().saturating_record(taken);
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
}

fn nanoseconds_since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos())
        .unwrap_or(u64::MAX)
        .max(1)
}

fn tally(histogram: &Histogram<u64>, elapsed: Duration) -> Tally {
    Tally {
        requests: histogram.len(),
        seconds: elapsed.as_secs_f64(),
        p50_ns: histogram.value_at_quantile(0.5),
        p99_ns: histogram.value_at_quantile(0.99),
    }
}
