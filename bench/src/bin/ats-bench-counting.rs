//! `ats-bench` with an allocator that counts. It is started by `ats-bench` for the
//! cells that ask how much was allocated.

use std::{alloc::System, process::ExitCode};

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    ats_bench::main_counting(|| {
        let stats = ALLOCATOR.stats();
        ats_bench::Allocations {
            count: stats.allocations + stats.reallocations,
            bytes: stats.bytes_allocated - stats.bytes_deallocated,
        }
    })
}
