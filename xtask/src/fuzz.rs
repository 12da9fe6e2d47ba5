//! Fuzzing of what is read from files, with libFuzzer, in the workspace `fuzz/`.
//!
//! The coverage that steers libFuzzer is an ordinary pass of the stable
//! compiler; a sanitizer of memory would need a nightly one and find little, as
//! the readers have no unsafe code.

use std::fs;
use std::path::Path;

use crate::shell::{self, Failure, Shell};

const COVERAGE: &str = "--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";
const SECONDS: &str = "60";
/// The readers, each with good files to begin with.
const TARGETS: [(&str, &[&str]); 7] = [
    (
        PROFILES,
        &["crates/adaptive-task-scheduler/tests/data/profiles.txt"],
    ),
    (
        "toml",
        &["crates/ats/examples/pipeline.toml", "fuzz/seeds/tasks.toml"],
    ),
    (
        "yaml",
        &["crates/ats/examples/website.yaml", "fuzz/seeds/tasks.yaml"],
    ),
    ("ninja", &["fuzz/seeds/build.ninja"]),
    ("unit_graph", &["crates/ats/tests/unit_graphs/small.json"]),
    ("wfformat", &["fuzz/seeds/workflow.json"]),
    (
        "replay",
        &[
            "fuzz/seeds/workflow.json",
            "crates/ats/tests/traces/build.json",
        ],
    ),
];
const PROFILES: &str = "profiles";
const USAGE: &str = "usage: cargo xtask fuzz [--seconds N] [TARGET...]";

pub(crate) fn run(shell: &Shell, arguments: &[String]) -> Result<(), Failure> {
    let (seconds, names) = match arguments {
        [flag, seconds, names @ ..] if flag == "--seconds" => (seconds.as_str(), names),
        names => (SECONDS, names),
    };
    if seconds.parse::<u32>().is_err() {
        return Err(Failure::usage(USAGE));
    }
    if let Some(unknown) = names
        .iter()
        .find(|name| !TARGETS.iter().any(|(own, _)| own == name))
    {
        let known = TARGETS.map(|(name, _)| name).join(", ");
        let message = format!("no target is called `{unknown}`, only {known}; {USAGE}");
        return Err(Failure::usage(message));
    }
    for (name, seeds) in TARGETS {
        if names.is_empty() || names.iter().any(|chosen| chosen == name) {
            fuzz(shell, name, seeds, seconds)?;
        }
    }
    Ok(())
}

fn fuzz(shell: &Shell, target: &str, seeds: &[&str], seconds: &str) -> Result<(), Failure> {
    let corpus = shell.target_folder("fuzz-corpus").join(target);
    plant(shell, &corpus, target, seeds)
        .map_err(|error| Failure::failed(format!("the corpus: {error}")))?;
    // Files that are named in what is fuzzed are looked for where there are none.
    let nowhere = shell.target_folder("fuzz-nowhere");
    fs::create_dir_all(&nowhere).map_err(|error| Failure::failed(error.to_string()))?;
    let corpus = corpus.to_string_lossy().into_owned();
    let manifest = shell.root().join("fuzz/Cargo.toml");
    let mut cargo = shell.cargo(["run", "--release", "--manifest-path"]);
    cargo
        .arg(manifest)
        .args(["--bin", target, "--", corpus.as_str()]);
    cargo.arg(format!("-max_total_time={seconds}"));
    cargo.arg(format!("-artifact_prefix={corpus}-found-"));
    cargo
        .arg("-max_len=4096")
        .arg("-timeout=20")
        .arg("-rss_limit_mb=4096");
    cargo.current_dir(nowhere);
    // Build scripts and macros must not be instrumented, which a target that is
    // named sees to.
    cargo.env("CARGO_BUILD_TARGET", host(shell)?);
    cargo.env("CARGO_TARGET_DIR", shell.target_folder("fuzz"));
    shell::add_flags(&mut cargo, "RUSTFLAGS", COVERAGE);
    shell.run(cargo)
}

/// Lays the seeds into the corpus; those of profiles as a whole file and as lines to be framed.
fn plant(shell: &Shell, corpus: &Path, target: &str, seeds: &[&str]) -> std::io::Result<()> {
    fs::create_dir_all(corpus)?;
    for seed in seeds {
        let path = shell.root().join(seed);
        if target != PROFILES {
            let name = path.file_name().unwrap_or_default();
            fs::copy(&path, corpus.join(name))?;
            continue;
        }
        let example = fs::read_to_string(path)?;
        let lines: Vec<&str> = example.lines().collect();
        let inner = lines[1..lines.len() - 1].join("\n");
        fs::write(corpus.join("whole"), format!("\0{example}"))?;
        fs::write(corpus.join("lines"), format!("\u{1}{inner}"))?;
    }
    Ok(())
}

fn host(shell: &Shell) -> Result<String, Failure> {
    let mut rustc = std::process::Command::new("rustc");
    rustc.arg("-vV").current_dir(shell.root());
    let told = shell.capture(rustc)?;
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| Failure::failed("rustc -vV names no host"))
}
