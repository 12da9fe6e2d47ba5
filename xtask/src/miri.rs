//! Miri over those unit tests of the library that lie in files with unsafe code.
//!
//! The rest of the library starts Tokio's reactor, which Miri cannot run.

use std::fs;

use crate::shell::{self, Failure, Shell};
use crate::tidy;

const TOOLCHAIN: &str = "nightly";

pub(crate) fn run(shell: &Shell, arguments: &[String]) -> Result<(), Failure> {
    if !shell.works(shell.cargo_of(TOOLCHAIN, ["miri", "--version"])) {
        return Err(Failure::failed(
            "Miri is not installed; it comes with \
             `rustup toolchain install nightly --component miri`",
        ));
    }
    let filters = if arguments.is_empty() {
        modules_with_unsafe(shell)?
    } else {
        arguments.into()
    };
    if filters.is_empty() {
        return Err(Failure::failed(format!(
            "{} names no file of the library",
            tidy::UNSAFE_FILES
        )));
    }
    let mut cargo = shell.cargo_of(TOOLCHAIN, ["miri", "test", "-p", shell::LIBRARY, "--lib"]);
    cargo.arg("--").args(filters);
    cargo.env("CARGO_TARGET_DIR", shell.target_folder("miri"));
    shell::add_flags(&mut cargo, "MIRIFLAGS", "-Zmiri-strict-provenance");
    shell.run(cargo)
}

fn modules_with_unsafe(shell: &Shell) -> Result<Vec<String>, Failure> {
    let list = fs::read_to_string(shell.root().join(tidy::UNSAFE_FILES))
        .map_err(|error| Failure::failed(format!("{}: {error}", tidy::UNSAFE_FILES)))?;
    Ok(tidy::entries(&list)
        .filter_map(|(_, path)| module_of(path))
        .collect())
}

/// `crates/adaptive-task-scheduler/src/a/b.rs` is the module `a::b`.
fn module_of(path: &str) -> Option<String> {
    let inside = path
        .strip_prefix(shell::LIBRARY_FOLDER)?
        .strip_prefix("/src/")?;
    let module = inside.strip_suffix(".rs")?;
    let module = module.strip_suffix("/mod").unwrap_or(module);
    Some(format!("{}::", module.replace('/', "::")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: Option<&str>) {
        assert_eq!(module_of(path).as_deref(), expected);
    }

    #[test]
    fn files_become_module_filters() {
        check(
            "crates/adaptive-task-scheduler/src/queue/ring.rs",
            Some("queue::ring::"),
        );
        check(
            "crates/adaptive-task-scheduler/src/task/mod.rs",
            Some("task::"),
        );
        check("crates/ats/src/signal.rs", None);
    }
}
