//! Model checks: the library's own tests compiled against loom or shuttle.
//!
//! The models stand in the library under a cfg of our own. A global `loom` cfg
//! would also change Tokio. Each checker has a target folder of its own, since a
//! cfg given by RUSTFLAGS rebuilds every dependency.

use std::process::Command;

use crate::shell::{self, Failure, Shell};

pub(crate) struct Checker {
    /// Name of the tool, of the step, of the target folder and of the modules
    /// that hold the models.
    name: &'static str,
    cfg: &'static str,
    /// Environment for the short check, and for the long one.
    brief: &'static [(&'static str, &'static str)],
    long: &'static [(&'static str, &'static str)],
}

/// Two preemptions find nearly every error that loom finds at all, and three are
/// an order of magnitude slower.
pub(crate) const LOOM: Checker = Checker {
    name: "loom",
    cfg: "ats_loom",
    brief: &[("LOOM_MAX_PREEMPTIONS", "2")],
    long: &[("LOOM_MAX_PREEMPTIONS", "3")],
};

/// The models take the number of schedules to try from `ATS_SHUTTLE_ITERATIONS`,
/// and have a small number of their own where it is not set.
pub(crate) const SHUTTLE: Checker = Checker {
    name: "shuttle",
    cfg: "ats_shuttle",
    brief: &[],
    long: &[("ATS_SHUTTLE_ITERATIONS", "20000")],
};

impl Checker {
    pub(crate) fn check_briefly(&self, shell: &Shell) -> Result<(), Failure> {
        self.check(shell, self.brief, self.name)
    }

    pub(crate) fn check_at_length(
        &self,
        shell: &Shell,
        arguments: &[String],
    ) -> Result<(), Failure> {
        match arguments {
            [] => self.check(shell, self.long, self.name),
            [filter] => self.check(shell, self.long, filter),
            _ => Err(Failure::usage(format!(
                "usage: cargo xtask {} [FILTER]",
                self.name
            ))),
        }
    }

    fn check(
        &self,
        shell: &Shell,
        environment: &[(&str, &str)],
        filter: &str,
    ) -> Result<(), Failure> {
        self.some_model_matches(shell, filter)?;
        let mut cargo = self.command(shell, filter);
        for (variable, value) in environment {
            if std::env::var_os(variable).is_none() {
                cargo.env(variable, value);
            }
        }
        shell.run(cargo)
    }

    /// A filter that matches nothing would pass, and a check that went off
    /// unnoticed is worse than none.
    fn some_model_matches(&self, shell: &Shell, filter: &str) -> Result<(), Failure> {
        let mut cargo = self.command(shell, filter);
        cargo.args(["--", "--list"]);
        let listed = count_tests(&shell.capture(cargo)?);
        if listed == 0 {
            return Err(Failure::failed(format!(
                "no {} model has `{filter}` in its name: nothing was checked",
                self.name
            )));
        }
        eprintln!("    {} models: {listed}", self.name);
        Ok(())
    }

    fn command(&self, shell: &Shell, filter: &str) -> Command {
        let mut cargo = shell.cargo(["test", "--release", "-p", shell::LIBRARY, "--lib", filter]);
        cargo.env("CARGO_TARGET_DIR", shell.target_folder(self.name));
        shell::add_flags(&mut cargo, "RUSTFLAGS", &format!("--cfg {}", self.cfg));
        cargo
    }
}

/// Counts the tests in what `--list` prints: `path::of::the_test: test`.
fn count_tests(listing: &str) -> usize {
    listing
        .lines()
        .filter(|line| line.ends_with(": test"))
        .count()
}

#[cfg(test)]
mod tests {
    use super::count_tests;

    #[test]
    fn only_tests_are_counted() {
        let listing = "claim::loom::one_wins: test\nslow: benchmark\n\n2 tests, 1 benchmark\n";
        assert_eq!(count_tests(listing), 1);
        assert_eq!(count_tests("\n0 tests, 0 benchmarks\n"), 0);
    }
}
