//! Fuzzing of what is read from files, with libFuzzer, in the workspace `fuzz/`.
//!
//! The coverage that steers libFuzzer is an ordinary pass of the stable
//! compiler; a sanitizer of memory would need a nightly one and find little, as
//! the readers have no unsafe code.

use std::fs;

use crate::shell::{self, Failure, Shell};

const COVERAGE: &str = "--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";
const SECONDS: &str = "60";
/// Good files to begin with.
const EXAMPLE: &str = "crates/adaptive-task-scheduler/tests/data/profiles.txt";

pub(crate) fn run(shell: &Shell, arguments: &[String]) -> Result<(), Failure> {
    let seconds = match arguments {
        [] => SECONDS,
        [flag, seconds] if flag == "--seconds" && seconds.parse::<u32>().is_ok() => seconds,
        _ => return Err(Failure::usage("usage: cargo xtask fuzz [--seconds N]")),
    };
    let corpus = shell.target_folder("fuzz-corpus");
    plant(shell, &corpus).map_err(|error| Failure::failed(format!("the corpus: {error}")))?;
    let corpus = corpus.to_string_lossy().into_owned();
    let limit = format!("-max_total_time={seconds}");
    let artifacts = format!("-artifact_prefix={corpus}-found-");
    let mut cargo = shell.cargo([
        "run",
        "--release",
        "--manifest-path",
        "fuzz/Cargo.toml",
        "--bin",
        "profiles",
        "--",
        corpus.as_str(),
        limit.as_str(),
        artifacts.as_str(),
        "-max_len=4096",
    ]);
    // Build scripts and macros must not be instrumented, which a target that is
    // named sees to.
    cargo.env("CARGO_BUILD_TARGET", host(shell)?);
    cargo.env("CARGO_TARGET_DIR", shell.target_folder("fuzz"));
    shell::add_flags(&mut cargo, "RUSTFLAGS", COVERAGE);
    shell.run(cargo)
}

/// Lays the example as a whole file and as lines to be framed.
fn plant(shell: &Shell, corpus: &std::path::Path) -> std::io::Result<()> {
    let example = fs::read_to_string(shell.root().join(EXAMPLE))?;
    let lines: Vec<&str> = example.lines().collect();
    let inner = lines[1..lines.len() - 1].join("\n");
    fs::create_dir_all(corpus)?;
    fs::write(corpus.join("whole"), format!("\0{example}"))?;
    fs::write(corpus.join("lines"), format!("\u{1}{inner}"))
}

fn host(shell: &Shell) -> Result<String, Failure> {
    let mut rustc = std::process::Command::new("rustc");
    rustc.arg("-vV").current_dir(shell.root());
    let told = shell.capture(rustc)?;
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| Failure::failed("rustc -vV names no host"))
}
