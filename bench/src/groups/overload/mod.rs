//! G. Starvation and overload: what unimportant work gets beneath a flood that
//! never ends, and what becomes of goodput when requests come faster than they
//! can be served.

mod flood;
mod open_loop;
mod requests;

use crate::{
    engine::{self, ATS, TOKIO},
    machine,
    plan::{self, Bar, Group, Limit, Reading, Row},
    scale::Scale,
};
use flood::Flood;
use open_loop::Overload;

const FLOOD: &str = "flood_above";
const OVERLOAD: &str = "overload";

/// The bound of waiting that our scheduler has when nobody says.
const AGEING_NS: f64 = 1e9;

pub(crate) fn group() -> Group {
    Group {
        letter: 'G',
        title: "Starvation and overload",
        prepare: plan::nothing_to_prepare,
        rows,
        run,
        summary: |_| Vec::new(),
        notes: || {
            [
                "flood_above: important polls of 0.1 ms are always ready, and an unimportant \
                 task comes every 10 ms. low_longest_wait is until its first poll; low_begun \
                 the share that has begun by the end. The ageing bound is the default, 1 s.",
                "overload: open loop at 0.5 to 3 times the load that fits: the rate at which a \
                 closed loop of the same requests, spawned by the same kind of thread, is \
                 served, just before and after (a round in which the two differ by more than a \
                 tenth, or the generator falls short, is repeated). Goodput is a share of that; \
                 20 % important, 30 % middling.",
                "An answer after 50 ms is no goodput; a request that late at its beginning is \
                 dropped there, on every engine. Requests that were due in the first 50 ms do \
                 not count, and the load goes on for 50 ms after the last that does. \
                 goodput_lost: how far goodput at 3 times is below the peak of its round. \
                 top_p99_growth: p99 of the important at 3 times over that at 0.5; we call up \
                 to 2 flat.",
                "There is no admission yet: nothing is refused, late requests are dropped.",
            ]
            .map(str::to_owned)
            .to_vec()
        },
        runs: |scale| scale.pick(3, 2),
    }
}

fn rows() -> Vec<Row> {
    let bar = |metric, limit| Bar {
        engine: ATS,
        metric,
        limit,
    };
    let row = |name: &str, bars| Row {
        name: name.to_owned(),
        engines: vec![TOKIO, ATS],
        baseline: TOKIO,
        bars,
        counted: true,
    };
    vec![
        row(
            FLOOD,
            vec![bar("low_longest_wait", Limit::EachAtMost(AGEING_NS))],
        ),
        row(
            OVERLOAD,
            vec![
                bar("goodput_lost", Limit::MedianAtMost(0.05)),
                bar("top_p99_growth", Limit::MedianAtMost(2.0)),
            ],
        ),
    ]
}

fn run(row: &str, engine: &str, scale: Scale) -> Vec<Reading> {
    let workers = machine::cores();
    match row {
        FLOOD => {
            let window = scale.milliseconds(6_000, 3_000);
            engine::with(engine, workers, Flood { workers, window })
        }
        OVERLOAD => {
            let overload = Overload {
                workers,
                rounds: scale.pick(5, 3),
                window: scale.milliseconds(1_000, 400),
            };
            engine::with(engine, workers, overload)
        }
        row => panic!("group G has no row {row}"),
    }
}
