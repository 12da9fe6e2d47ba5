//! The benchmarks of the adaptive task scheduler beside its peers.
//!
//! The way through the program: `options` says what to measure, `groups` says
//! which rows there are, `harness` runs each row on each of its engines in
//! turn, every run in a process of its own (`cell`), and `report` prints what
//! came out. `engine` is the little that all engines have in common.
//!
//! Two programs are made of this: `ats-bench`, and `ats-bench-counting`, which is
//! the same with an allocator that counts. Cells that ask how much was allocated
//! run in that one, and all others in the first, since counting costs time.

mod allocations;
mod cell;
mod engine;
mod groups;
mod harness;
mod machine;
mod options;
mod plan;
mod program;
mod report;
mod scale;
mod statistics;
mod work;

use std::process::ExitCode;

use clap::Parser;
use options::{Helper, Options};

pub use allocations::Allocations;

/// The whole program.
pub fn main() -> ExitCode {
    let options = Options::parse();
    match &options.helper {
        Some(Helper::Cell(cell)) => cell::serve(cell),
        Some(Helper::Load(load)) => groups::io::load::serve(load),
        Some(Helper::Spin(spin)) => work::serve_spinner(spin),
        None => measure(&options),
    }
}

/// The whole program, in a process whose allocator counts.
pub fn main_counting(allocations: fn() -> Allocations) -> ExitCode {
    allocations::counted_by(allocations);
    main()
}

/// Runs the groups that were asked for and prints their tables.
fn measure(options: &Options) -> ExitCode {
    let scale = options.scale();
    let mut all_ended = true;
    for group in groups::chosen(&options.groups) {
        let rows = group.rows_named(options.row.as_deref());
        if rows.is_empty() {
            say_why_nothing_is_there(&group);
            continue;
        }
        if let Err(reason) = (group.prepare)() {
            eprintln!("FAILED: {}: {reason}", group.letter);
            all_ended = false;
            continue;
        }
        let runs = options.runs.unwrap_or((group.runs)(&scale));
        let measured: Vec<_> = rows
            .into_iter()
            .map(|row| harness::measure(group.letter, row, runs, &mut cell::Processes::new(&scale)))
            .collect();
        all_ended &= measured.iter().all(|row| row.failures.is_empty());
        report::print(&group, measured, options.json);
    }
    if all_ended {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// A group that lacks what it needs here says so in its notes.
fn say_why_nothing_is_there(group: &plan::Group) {
    if group.rows_named(None).is_empty() {
        (group.notes)().iter().for_each(|note| eprintln!("{note}"));
    }
}
