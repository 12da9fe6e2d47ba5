//! What somebody gets who only wrote `cargo add adaptive-task-scheduler`.
//!
//! The library's normal dependencies, with all features, on the platforms below,
//! are compared with a list in which each crate stands with its reason. A crate
//! that is not on the list is a decision to be made, not a detail of a lock file.

use std::collections::BTreeSet;

use super::tree::Tree;
use super::{Finding, entries};
use crate::shell::{self, Failure, Shell};

const ALLOWED: &str = "xtask/allowed-dependencies.txt";

/// One target of each family. Not `all`: that would count loom and shuttle,
/// which come only with a cfg that nobody sets outside model checks.
const TARGETS: [&str; 3] = [
    "x86_64-unknown-linux-gnu",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-msvc",
];

pub(super) fn check(shell: &Shell, tree: &Tree) -> Result<Vec<Finding>, Failure> {
    let allowed = tree
        .file(ALLOWED)
        .ok_or_else(|| Failure::failed(format!("{ALLOWED} is missing")))?;
    let mut cargo = shell.cargo(["tree", "--package", shell::LIBRARY, "--all-features"]);
    cargo.args(["--edges", "normal", "--prefix", "none", "--format", "{p}"]);
    for target in TARGETS {
        cargo.args(["--target", target]);
    }
    Ok(compare(&names(&shell.capture(cargo)?), &allowed.text))
}

/// The crates in what `cargo tree --prefix none` prints, without the library.
fn names(listing: &str) -> BTreeSet<&str> {
    let first_words = listing
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    first_words.filter(|name| *name != shell::LIBRARY).collect()
}

fn compare(used: &BTreeSet<&str>, allowed: &str) -> Vec<Finding> {
    let listed: BTreeSet<&str> = entries(allowed).map(|(_, name)| name).collect();
    let new = used.difference(&listed).map(|name| {
        let message = format!("the library now depends on `{name}`, which is not on this list");
        Finding::new(ALLOWED, 0, message)
    });
    let stale = entries(allowed)
        .filter(|(_, name)| !used.contains(name))
        .map(|(line, name)| {
            Finding::new(
                ALLOWED,
                line,
                format!("the library does not depend on `{name}` any more"),
            )
        });
    new.chain(stale).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(listing: &str, allowed: &str, expected: &[(usize, &str)]) {
        let found = compare(&names(listing), allowed);
        let found: Vec<_> = found
            .iter()
            .map(|f| (f.line, f.message.split('`').nth(1).unwrap()))
            .collect();
        assert_eq!(found, expected);
    }

    const LISTING: &str = "adaptive-task-scheduler v0.1.0 (crates/adaptive-task-scheduler)\n\
        tokio v1.54.1\npin-project-lite v0.2.16\ntokio v1.54.1 (*)\n";

    #[test]
    fn the_listed_crates_pass() {
        check(LISTING, "tokio # the runtime\npin-project-lite\n", &[]);
    }

    #[test]
    fn a_new_crate_is_found() {
        check(LISTING, "tokio\n", &[(0, "pin-project-lite")]);
    }

    #[test]
    fn a_crate_that_is_not_used_any_more_is_found() {
        check(
            LISTING,
            "tokio\npin-project-lite\ndashmap\n",
            &[(3, "dashmap")],
        );
    }
}
