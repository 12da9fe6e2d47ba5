//! B. I/O: a TCP echo server and an axum page, served by tasks of the engine and
//! loaded from another process, so that no thread of the load is a thread of the
//! server. Watched beside: how often a thread of the server goes to sleep, and
//! whether our engine hands a slot off although nothing is stuck.

mod client;
pub(in crate::groups) mod loader;
pub(in crate::groups) mod server;
mod wrk;

pub(crate) mod load;

use std::time::Duration;

use crate::{
    engine::{self, ATS, Engine, Importance, Scenario, TOKIO},
    machine,
    options::SpinArguments,
    plan::{self, Bar, Group, Limit, Reading, Row, Unit},
    scale::Scale,
};
use loader::Loaded;

/// Name and connections of the echo rows with bars.
const ECHO: [(&str, usize); 2] = [("echo_16", 16), ("echo_128", 128)];
/// One connection, with server and load on one and the same core.
const ECHO_ONE_CORE: &str = "echo_1_one_core";
/// One connection, wherever the kernel puts its two ends. On one core a round
/// trip costs two switches of context, on two cores two wake-ups of an idle core,
/// which on a virtual machine are four times as long; the kernel changes its mind
/// between runs. So this row has no bar for its times.
const ECHO_ANYWHERE: &str = "echo_1";
/// As `echo_16`, while other processes keep every core busy.
const ECHO_BUSY: &str = "echo_16_busy_machine";
const ECHO_BUSY_CONNECTIONS: usize = 16;
/// The rows of one page: by wrk, and by our own client where there is no wrk.
const PAGE_BY_WRK: &str = "axum_hello_wrk";
const PAGE_BY_CLIENT: &str = "axum_hello_own_client";
const PAGE_CONNECTIONS: usize = 64;

pub(crate) fn group() -> Group {
    Group {
        letter: 'B',
        title: "I/O: TCP echo of 64 bytes, and an axum page",
        prepare: plan::nothing_to_prepare,
        rows,
        run,
        summary: |_| Vec::new(),
        notes,
        runs: |scale| scale.pick(5, 3),
    }
}

fn rows() -> Vec<Row> {
    let page = if wrk::version().is_some() {
        PAGE_BY_WRK
    } else {
        PAGE_BY_CLIENT
    };
    let echo = ECHO.map(|(name, _)| name);
    let timed = [ECHO_ONE_CORE].into_iter().chain(echo).chain([page]);
    // In these it is mostly the kernel's doing how fast they are.
    let untimed = [ECHO_ANYWHERE, ECHO_BUSY];
    let timed = timed.map(|name| row(name, timed_bars()));
    let untimed = untimed.map(|name| row(name, vec![no_hand_offs()]));
    timed.chain(untimed).collect()
}

fn row(name: &str, bars: Vec<Bar>) -> Row {
    Row {
        name: name.to_owned(),
        engines: vec![TOKIO, ATS],
        baseline: TOKIO,
        bars,
        counted: true,
    }
}

fn timed_bars() -> Vec<Bar> {
    let bar = |metric, limit| Bar {
        engine: ATS,
        metric,
        limit,
    };
    vec![
        bar("throughput", Limit::RatioAtLeast(1.0)),
        bar("p50", Limit::RatioAtMost(1.1)),
        bar("p99", Limit::RatioAtMost(1.1)),
        no_hand_offs(),
    ]
}

fn no_hand_offs() -> Bar {
    Bar {
        engine: ATS,
        metric: "hand_offs",
        limit: Limit::EachAtMost(0.0),
    }
}

fn notes() -> Vec<String> {
    let loader = match wrk::version() {
        Some(version) => format!("the axum page is loaded by {version}"),
        None => "wrk is not installed: the axum page is loaded by our own client".to_owned(),
    };
    vec![
        format!("{loader}; the echo rows are loaded by our own client, one thread in a process."),
        "switches_per_op: voluntary context switches of the server's threads a request.".to_owned(),
        format!(
            "{ECHO_ANYWHERE} has no bar for its times: they depend on the core that the kernel \
             wakes each end on."
        ),
    ]
}

fn run(row: &str, engine: &str, scale: Scale) -> Vec<Reading> {
    let workers = machine::cores();
    if row == ECHO_ONE_CORE {
        machine::stay_on_one_core();
    }
    engine::with(engine, workers, Served { row, scale })
}

struct Served<'a> {
    row: &'a str,
    scale: Scale,
}

impl Scenario for Served<'_> {
    type Output = Vec<Reading>;

    fn run<E: Engine>(self, engine: &E) -> Vec<Reading> {
        let echo = ECHO.into_iter().find(|(name, _)| *name == self.row);
        let loaded = match (self.row, echo) {
            (_, Some((_, connections))) => self.echo(engine, connections),
            (ECHO_ONE_CORE | ECHO_ANYWHERE, _) => self.echo(engine, 1),
            (ECHO_BUSY, _) => {
                let _spinners = loader::spinners(machine::cores(), SpinArguments { seconds: 60 });
                self.echo(engine, ECHO_BUSY_CONNECTIONS)
            }
            (PAGE_BY_WRK, _) => {
                let address = server::page(engine, Importance::Middling);
                wrk::load(address, PAGE_CONNECTIONS, self.scale)
            }
            (PAGE_BY_CLIENT, _) => {
                let address = server::page(engine, Importance::Middling);
                loader::load(address, PAGE_CONNECTIONS, true, self.scale)
            }
            (row, None) => panic!("group B has no row {row}"),
        };
        readings(
            &loaded,
            engine.counters().map(|counters| counters.hand_offs),
        )
    }
}

impl Served<'_> {
    fn echo<E: Engine>(&self, engine: &E, connections: usize) -> Loaded {
        loader::load(server::echo(engine), connections, false, self.scale)
    }
}

fn readings(loaded: &Loaded, hand_offs: Option<u64>) -> Vec<Reading> {
    let time = |time: Duration| time.as_nanos() as f64;
    let switches = loaded.switches as f64 / loaded.requests.max(1) as f64;
    let mut readings = vec![
        Reading::headline("throughput", Unit::PerSecond, loaded.per_second),
        Reading::headline("p50", Unit::Nanoseconds, time(loaded.p50)),
        Reading::headline("p99", Unit::Nanoseconds, time(loaded.p99)),
        Reading::headline("switches_per_op", Unit::Count, switches),
    ];
    if let Some(hand_offs) = hand_offs {
        readings.push(Reading::headline(
            "hand_offs",
            Unit::Count,
            hand_offs as f64,
        ));
    }
    readings
}
