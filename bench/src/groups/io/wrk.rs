//! Loading by `wrk`, where it is installed.

use std::{net::SocketAddr, process::Command, sync::OnceLock, time::Duration};

use super::loader::Loaded;
use crate::{machine, scale::Scale};

/// The first words that wrk says about itself, if it is there.
pub(super) fn version() -> Option<&'static str> {
    static VERSION: OnceLock<Option<String>> = OnceLock::new();
    let version = VERSION.get_or_init(|| {
        let output = Command::new("wrk").arg("-v").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let words: Vec<&str> = text.split_whitespace().take(2).collect();
        Some(words.join(" "))
    });
    version.as_deref()
}

/// Loads the page at `address`: once to warm up, once to measure.
pub(super) fn load(address: SocketAddr, connections: usize, scale: Scale) -> Loaded {
    run(address, connections, 1);
    let before = machine::voluntary_switches();
    let output = run(address, connections, scale.pick(3, 1));
    let after = machine::voluntary_switches();
    let mut loaded = parse(&output).unwrap_or_else(|| panic!("wrk said:\n{output}"));
    loaded.switches = after.saturating_sub(before);
    loaded
}

fn run(address: SocketAddr, connections: usize, seconds: u32) -> String {
    let output = Command::new("wrk")
        .args(["--latency", "--threads", "1"])
        .args(["--connections", &connections.to_string()])
        .args(["--duration", &format!("{seconds}s")])
        .arg(format!("http://{address}/"))
        .output()
        .expect("wrk starts");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Reads wrk's report; nothing if a request failed.
fn parse(report: &str) -> Option<Loaded> {
    if report.contains("Socket errors") || report.contains("Non-2xx") {
        return None;
    }
    let word_after = |label: &str| {
        let mut words = report.split_whitespace().skip_while(|word| *word != label);
        words.nth(1)
    };
    let before_requests = report
        .lines()
        .find(|line| line.contains(" requests in "))?
        .split_whitespace()
        .next()?;
    Some(Loaded {
        requests: before_requests.parse().ok()?,
        per_second: word_after("Requests/sec:")?.parse().ok()?,
        p50: time(word_after("50%")?)?,
        p99: time(word_after("99%")?)?,
        switches: 0,
    })
}

fn time(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds = match &text[digits.len()..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(digits.parse::<f64>().ok()? * seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "Running 3s test @ http://127.0.0.1:8080/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   552.95us   90.00us   3.34ms   79.81%
    Req/Sec   115.10k     3.21k  120.21k    70.00%
  Latency Distribution
     50%  541.00us
     75%  600.00us
     90%  650.00us
     99%    1.25ms
  345678 requests in 3.00s, 42.10MB read
Requests/sec: 115226.12
Transfer/sec:     14.03MB
";

    #[test]
    fn a_report_is_read() {
        let loaded = parse(REPORT).unwrap();
        assert_eq!(loaded.requests, 345_678);
        assert_eq!(loaded.per_second, 115_226.12);
        assert_eq!(loaded.p50, Duration::from_micros(541));
        assert_eq!(loaded.p99, Duration::from_micros(1_250));
    }

    #[test]
    fn a_report_of_failures_is_not() {
        let failed = format!("{REPORT}  Non-2xx or 3xx responses: 3\n");
        assert!(parse(&failed).is_none());
        assert!(parse("nothing").is_none());
    }
}
