//! The server's side of a load: starts the load generator and looks at the
//! counters of its own process when the generator begins and when it ends.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Stdio},
    time::Duration,
};

use super::load::{BEGIN, Tally};
use crate::{cell::own_program, machine, options::SpinArguments, scale::Scale};

/// What a load gave.
#[derive(Debug)]
pub(in crate::groups) struct Loaded {
    pub(in crate::groups) requests: u64,
    pub(in crate::groups) per_second: f64,
    pub(in crate::groups) p50: Duration,
    pub(in crate::groups) p99: Duration,
    /// Voluntary context switches of this process meanwhile.
    pub(in crate::groups) switches: u64,
}

/// How long a load warms up.
pub(in crate::groups) fn warm_up(scale: Scale) -> Duration {
    scale.milliseconds(500, 200)
}

/// Loads the server at `address` by our own client.
pub(in crate::groups) fn load(
    address: SocketAddr,
    connections: usize,
    http: bool,
    scale: Scale,
) -> Loaded {
    loaded(start(address, connections, 0, http, scale))
}

/// Asks for the page at `address` with pauses, so that the server has the same to
/// do however fast it is.
pub(in crate::groups) fn load_with_pauses(
    address: SocketAddr,
    connections: usize,
    pause_ms: u64,
    scale: Scale,
) -> Loaded {
    loaded(start(address, connections, pause_ms, true, scale))
}

fn loaded(mut child: Ended) -> Loaded {
    let pipe = child.0.stdout.take().expect("the output is piped");
    let mut lines = BufReader::new(pipe).lines();
    let mut line = || {
        lines
            .next()
            .expect("the load generator lives")
            .expect("it writes text")
    };
    assert_eq!(line(), BEGIN);
    let before = machine::voluntary_switches();
    let tally: Tally = serde_json::from_str(&line()).expect("a tally was printed");
    let after = machine::voluntary_switches();
    Loaded {
        requests: tally.requests,
        per_second: tally.requests as f64 / tally.seconds,
        p50: Duration::from_nanos(tally.p50_ns),
        p99: Duration::from_nanos(tally.p99_ns),
        switches: after.saturating_sub(before),
    }
}

/// A child that is ended when its owner lets go of it.
pub(in crate::groups) struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(
    address: SocketAddr,
    connections: usize,
    pause_ms: u64,
    http: bool,
    scale: Scale,
) -> Ended {
    let milliseconds = |time: Duration| time.as_millis().to_string();
    let mut command = own_program().expect("this program finds itself");
    command
        .arg("load")
        .args(["--address", &address.to_string()])
        .args(["--connections", &connections.to_string()])
        .args(["--pause-ms", &pause_ms.to_string()])
        .args(["--warm-up-ms", &milliseconds(warm_up(scale))])
        .args([
            "--measure-ms",
            &milliseconds(scale.milliseconds(2_000, 700)),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    if http {
        command.arg("--http");
    }
    Ended(command.spawn().expect("the load generator starts"))
}

/// Processes that keep so many cores busy until they are let go of.
pub(in crate::groups) fn spinners(count: usize, arguments: SpinArguments) -> Vec<Ended> {
    let one = || {
        let mut command = own_program().expect("this program finds itself");
        command
            .arg("spin")
            .args(["--seconds", &arguments.seconds.to_string()])
            .stdin(Stdio::piped());
        Ended(command.spawn().expect("a spinner starts"))
    };
    (0..count).map(|_| one()).collect()
}
