//! What helps people before anything runs: examples under every `--help`, [`completions`] for
//! their shell, and the [`manual`].

pub mod completions;
pub mod manual;

use crate::exit;

/// Examples and exit codes for `ats --help`.
#[must_use]
pub fn of_ats() -> String {
    with_exit_codes(
        "\
Examples:
  ats run build.toml             run the tasks of a file
  ats run build.toml test        run `test` and what it needs
  ats replay --compare FILE      replay a recorded workflow beside plain Tokio
  source <(ats completions bash) complete commands, options and names of tasks",
    )
}

/// Examples and exit codes for `ats run --help`.
#[must_use]
pub fn of_run() -> String {
    with_exit_codes(
        "\
Examples:
  ats run pipeline.toml                     run everything in the file
  ats run pipeline.toml test docs           run these tasks and what they need
  ats run pipeline.toml -j4 -k              four at once, go on after a failure
  ats run pipeline.toml --dry-run           in which order
  ats run pipeline.toml --explain deploy    why `deploy` runs when it runs
  ats run pipeline.toml --output json       one event a line, for programs
  ats run pipeline.toml --trace trace.json  what ran when: open it in ui.perfetto.dev",
    )
}

/// Examples and exit codes for `ats replay --help`.
#[must_use]
pub fn of_replay() -> String {
    with_exit_codes(
        "\
Examples:
  ats replay FILE                   replay so fast that it takes a few seconds
  ats replay --runs 3 --compare FILE
                                    learn from each run for the next, and compare
  ats replay --cores 2,8,64 FILE... add times up instead: policies on three machines
  ats replay --virtual --cores 4 --urgent 10% --plot FILE
                                    the same with urgent tasks, drawn",
    )
}

/// Examples for `ats completions --help`.
pub const OF_COMPLETIONS: &str = "\
Put one of these into the file that your shell reads when it starts:
  bash        source <(ats completions bash)
  zsh         source <(ats completions zsh)
  fish        ats completions fish | source
  elvish      eval (ats completions elvish | slurp)
  powershell  ats completions powershell | Out-String | Invoke-Expression

The script asks `ats` itself for what fits, names of tasks included, so it is never out of date.";

/// Examples for `ats man --help`.
pub const OF_MAN: &str = "\
Examples:
  ats man | man -l -              read the page of ats
  ats man run | man -l -          read the page of one command
  ats man --dir man/man1          write all pages, for a package";

fn with_exit_codes(examples: &str) -> String {
    format!("{examples}\n\n{}", exit::TABLE)
}
