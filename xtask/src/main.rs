//! `cargo xtask`: the commands that build, check and measure the project.
//!
//! CI calls `cargo xtask ci` and nothing else, so whatever CI rejects can be
//! seen beforehand on any machine. Each command is a thin layer over cargo; the
//! only logic of its own is in [`tidy`], the rules that no other tool checks.

#![forbid(unsafe_code)]

mod ci;
mod fuzz;
mod miri;
mod models;
mod msrv;
mod shell;
mod tidy;

use std::env;
use std::process::ExitCode;

use shell::{Failure, Shell};

const USAGE: &str = "\
cargo xtask COMMAND

  ci [STEP...]       what CI runs, or only the steps named
  tidy               the project's own rules: dependencies, unsafe, links, ...
  bench [ARG...]     benchmarks with peers, in the workspace bench/
  soak [ARG...]      everything at once, for as long as told: --seconds N
  loom [FILTER]      the long model check of the library's atomics
  shuttle [FILTER]   the library's core under random and PCT schedules
  fuzz [--seconds N] [TARGET...]
                     what is read from files, under libFuzzer (a C++ compiler)
  miri [FILTER]      the library's files with unsafe code, under Miri (nightly)
  msrv               build with the minimum Rust version, if it is installed
  help               this text

Exit codes: 0 all is well, 1 something failed, 2 the command was not understood.";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            failure.exit_code()
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Failure> {
    let shell = Shell::at_workspace_root();
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", arguments),
    };
    match command {
        "ci" => ci::run(&shell, rest),
        "tidy" => tidy::run(&shell),
        "bench" => bench(&shell, rest),
        "soak" => soak(&shell, rest),
        "loom" => models::LOOM.check_at_length(&shell, rest),
        "shuttle" => models::SHUTTLE.check_at_length(&shell, rest),
        "fuzz" => fuzz::run(&shell, rest),
        "miri" => miri::run(&shell, rest),
        "msrv" => msrv::run(&shell),
        "help" | "--help" | "-h" => {
            println!("{USAGE}\n\nSteps of ci, in order:\n{}", ci::describe());
            Ok(())
        }
        other => Err(Failure::usage(format!(
            "no command is called `{other}`; `cargo xtask help` lists them"
        ))),
    }
}

fn bench(shell: &Shell, arguments: &[String]) -> Result<(), Failure> {
    let mut cargo = shell.cargo([
        "run",
        "--release",
        "--manifest-path",
        "bench/Cargo.toml",
        "--",
    ]);
    cargo.args(arguments);
    shell.run(cargo)
}

fn soak(shell: &Shell, arguments: &[String]) -> Result<(), Failure> {
    let mut cargo = shell.cargo([
        "run",
        "--release",
        "-p",
        shell::LIBRARY,
        "--example",
        "soak",
        "--",
    ]);
    cargo.args(arguments);
    shell.run(cargo)
}
