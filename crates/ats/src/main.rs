//! The program `ats`: read the arguments, do what they ask for, leave with a documented exit code.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use ats::cli::{Arguments, Command};
use ats::help::{completions, manual};
use ats::{demo, exit, replay, runner, schema};

/// Plans are many small strings, which the system's allocator gives out at half this speed.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    completions::answer();
    let arguments = Arguments::read();
    arguments.color.apply();
    exit::leave(|| match arguments.chosen() {
        Command::Demo => demo::run(),
        Command::Replay(options) => replay::run(&options),
        Command::Run(options) => runner::run(&options),
        Command::Schema => schema::print(),
        Command::Completions(options) => completions::print(&options),
        Command::Man(options) => manual::run(&options),
    })
}
