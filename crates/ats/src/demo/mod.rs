//! `ats demo`: the scene that started the project, then a comparison with plain Tokio.
//!
//! [`scene`] plays the scene on the real scheduler and [`narrator`] turns its events into the
//! lines; [`comparison`] measures both [`engine`]s in turn, doing the [`busywork`] that each
//! situation asks for, and [`chart`] shows the [`sample`]s.

pub mod busywork;
pub mod chart;
pub mod comparison;
pub mod engine;
pub mod narrator;
pub mod sample;
pub mod scene;

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::thread;

use crate::exit::{Exit, Failure};

/// Plays the scene, measures, and says what to try next.
///
/// # Errors
///
/// A scheduler or runtime could not be started.
pub fn run() -> Result<Exit, Failure> {
    // More workers make the rounds slower, not the picture clearer.
    let workers = thread::available_parallelism()
        .map_or(2, NonZeroUsize::get)
        .clamp(1, 4);
    scene::play(workers)?;
    let results = comparison::measure(workers)?;
    let mut out = anstream::stdout().lock();
    write!(
        out,
        "\n{}",
        chart::Comparison {
            workers,
            results: &results
        }
    )?;
    what_next(&mut out)?;
    out.flush()?;
    Ok(Exit::Success)
}

fn what_next(out: &mut impl Write) -> io::Result<()> {
    // Cargo says so in the environment when it started us.
    let ats = match std::env::var_os("CARGO") {
        Some(_) => "cargo run --release --",
        None => "ats",
    };
    writeln!(out, "\nWhat to try next:")?;
    writeln!(out, "  {ats} run crates/ats/examples/pipeline.toml")?;
    writeln!(
        out,
        "      a graph of shell commands, the urgent ones first"
    )?;
    writeln!(out, "  {ats} replay --compare FILE")?;
    writeln!(
        out,
        "      a real workflow run; github.com/wfcommons/WfInstances has hundreds"
    )?;
    writeln!(out, "  cargo add adaptive-task-scheduler")?;
    writeln!(out, "      the same in your own Tokio program")
}
