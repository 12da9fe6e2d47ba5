//! `ats-bench`: the benchmarks of the adaptive task scheduler beside its peers.

use std::process::ExitCode;

fn main() -> ExitCode {
    ats_bench::main()
}
