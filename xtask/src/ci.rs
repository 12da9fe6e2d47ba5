//! The steps of CI: named, timed, in an order that lets the quick ones fail first.

use std::time::{Duration, Instant};

use crate::models;
use crate::shell::{self, Failure, Shell};
use crate::tidy;

struct Step {
    name: &'static str,
    what: &'static str,
    run: fn(&Shell) -> Result<(), Failure>,
}

const STEPS: [Step; 8] = [
    Step {
        name: "fmt",
        what: "the code is formatted",
        run: fmt,
    },
    Step {
        name: "tidy",
        what: "the project's own rules hold",
        run: tidy::run,
    },
    Step {
        name: "clippy",
        what: "no lint of rustc or clippy fires",
        run: clippy,
    },
    Step {
        name: "test",
        what: "unit and integration tests",
        run: test,
    },
    Step {
        name: "doctest",
        what: "examples in the documentation",
        run: doctest,
    },
    Step {
        name: "doc",
        what: "the documentation builds without a warning",
        run: doc,
    },
    Step {
        name: "loom",
        what: "a short model check of the atomics",
        run: loom,
    },
    Step {
        name: "shuttle",
        what: "the core under random schedules",
        run: shuttle,
    },
];

/// Runs the named steps, or all of them, and stops at the first that fails.
pub(crate) fn run(shell: &Shell, names: &[String]) -> Result<(), Failure> {
    let steps = selected(names)?;
    let start = Instant::now();
    let mut times = Vec::with_capacity(steps.len());
    for step in &steps {
        eprintln!("==> {}: {}", step.name, step.what);
        let step_start = Instant::now();
        let outcome = (step.run)(shell);
        let elapsed = step_start.elapsed();
        outcome.map_err(|failure| stopped(step, elapsed, &failure))?;
        eprintln!("==> {}: ok in {}", step.name, seconds(elapsed));
        times.push(format!("{} {}", step.name, seconds(elapsed)));
    }
    eprintln!("==> {}", times.join(", "));
    println!(
        "ci: all steps passed ({}) in {}",
        steps.len(),
        seconds(start.elapsed())
    );
    Ok(())
}

/// One line for each step, for the help text.
pub(crate) fn describe() -> String {
    let lines = STEPS
        .iter()
        .map(|step| format!("  {:<9} {}", step.name, step.what));
    lines.collect::<Vec<_>>().join("\n")
}

fn selected(names: &[String]) -> Result<Vec<&'static Step>, Failure> {
    if names.is_empty() {
        return Ok(STEPS.iter().collect());
    }
    names.iter().map(|name| find(name)).collect()
}

fn find(name: &str) -> Result<&'static Step, Failure> {
    STEPS.iter().find(|step| step.name == name).ok_or_else(|| {
        let known = STEPS.map(|step| step.name).join(", ");
        Failure::usage(format!("no step is called `{name}`; there are {known}"))
    })
}

fn stopped(step: &Step, elapsed: Duration, failure: &Failure) -> Failure {
    Failure::failed(format!(
        "{failure}\nci: FAILED at {name} after {time}; that step alone: cargo xtask ci {name}",
        name = step.name,
        time = seconds(elapsed),
    ))
}

fn seconds(elapsed: Duration) -> String {
    format!("{:.1} s", elapsed.as_secs_f64())
}

fn fmt(shell: &Shell) -> Result<(), Failure> {
    shell.run(shell.cargo(["fmt", "--all", "--check"]))?;
    // The benchmarks are a workspace of their own, so `--all` does not reach them.
    shell.run(shell.cargo(["fmt", "--manifest-path", "bench/Cargo.toml", "--check"]))
}

fn clippy(shell: &Shell) -> Result<(), Failure> {
    shell.run(shell.cargo([
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ]))
}

fn test(shell: &Shell) -> Result<(), Failure> {
    if shell.works(shell.cargo(["nextest", "--version"])) {
        return shell.run(shell.cargo([
            "nextest",
            "run",
            "--config-file",
            "xtask/nextest.toml",
            "--workspace",
            "--all-features",
            "--no-fail-fast",
        ]));
    }
    // Doc tests are a step of their own, hence the kinds of target by name.
    shell.run(shell.cargo([
        "test",
        "--workspace",
        "--all-features",
        "--no-fail-fast",
        "--lib",
        "--bins",
        "--tests",
        "--examples",
    ]))
}

fn doctest(shell: &Shell) -> Result<(), Failure> {
    shell.run(shell.cargo(["test", "--workspace", "--all-features", "--doc"]))
}

fn doc(shell: &Shell) -> Result<(), Failure> {
    let mut cargo = shell.cargo(["doc", "--workspace", "--all-features", "--no-deps"]);
    shell::add_flags(&mut cargo, "RUSTDOCFLAGS", "-D warnings");
    shell.run(cargo)
}

fn loom(shell: &Shell) -> Result<(), Failure> {
    models::LOOM.check_briefly(shell)
}

fn shuttle(shell: &Shell) -> Result<(), Failure> {
    models::SHUTTLE.check_briefly(shell)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_of(arguments: &[&str]) -> Result<Vec<&'static str>, Failure> {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        Ok(selected(&arguments)?.iter().map(|step| step.name).collect())
    }

    #[test]
    fn no_name_means_every_step_in_order() {
        assert_eq!(names_of(&[]).unwrap(), STEPS.map(|step| step.name));
    }

    #[test]
    fn named_steps_run_in_the_order_given() {
        assert_eq!(names_of(&["clippy", "fmt"]).unwrap(), ["clippy", "fmt"]);
    }

    #[test]
    fn an_unknown_step_is_refused_with_the_known_ones() {
        let failure = names_of(&["fmt", "lint"]).unwrap_err();
        assert!(matches!(failure, Failure::Usage(_)));
        assert!(failure.to_string().contains("`lint`") && failure.to_string().contains("clippy"));
    }

    #[test]
    fn the_last_line_of_a_failure_names_the_step() {
        let failure = stopped(
            &STEPS[2],
            Duration::from_secs(3),
            &Failure::failed("it broke"),
        );
        let text = failure.to_string();
        assert_eq!(
            text.lines().last(),
            Some("ci: FAILED at clippy after 3.0 s; that step alone: cargo xtask ci clippy")
        );
    }
}
