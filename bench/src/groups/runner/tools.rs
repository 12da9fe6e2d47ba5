//! The tools that run commands: how each wants its file and its arguments.

use std::{
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
    process::{self, Stdio},
};

use super::work::{Command, Task, Work};
use crate::program;

/// A tool that runs commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    Make,
    Ats,
    Ninja,
    Just,
    GoTask,
}

/// What a tool is to do with the file.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    /// Run everything, two commands at a time.
    RunAll,
    /// Run the first task.
    RunFirst,
    /// Say what would be run.
    Plan,
}

impl Tool {
    pub(super) const ALL: [Tool; 5] =
        [Tool::Make, Tool::Ats, Tool::Ninja, Tool::Just, Tool::GoTask];

    pub(super) fn named(name: &str) -> Option<Tool> {
        Tool::ALL.into_iter().find(|tool| tool.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Tool::Make => "make",
            Tool::Ats => "ats",
            Tool::Ninja => "ninja",
            Tool::Just => "just",
            Tool::GoTask => "go_task",
        }
    }

    /// Whether it is installed; ours is built.
    pub(super) fn is_there(self) -> bool {
        match self {
            Tool::Ats => true,
            Tool::GoTask => program::found("task").is_some(),
            other => program::found(other.name()).is_some(),
        }
    }

    fn program(self) -> PathBuf {
        match self {
            Tool::Ats => program::ats().unwrap_or_else(|error| panic!("{error}")),
            Tool::GoTask => "task".into(),
            other => other.name().into(),
        }
    }

    /// Writes the work down in the form of this tool.
    pub(super) fn write(self, work: &Work, folder: &Path) -> io::Result<()> {
        let text = match self {
            Tool::Make => makefile(work),
            Tool::Ats => toml(work),
            Tool::Ninja => ninja(work),
            Tool::Just => justfile(work),
            Tool::GoTask => taskfile(work),
        };
        fs::write(folder.join(self.file()), text)
    }

    fn file(self) -> &'static str {
        match self {
            Tool::Make => "Makefile",
            Tool::Ats => "ats.toml",
            Tool::Ninja => "build.ninja",
            Tool::Just => "justfile",
            Tool::GoTask => "Taskfile.yml",
        }
    }

    /// The tool in that folder, its output thrown away, and what it remembers of a
    /// run kept there.
    pub(super) fn command(self, order: Order, folder: &Path) -> process::Command {
        let mut command = process::Command::new(self.program());
        command
            .args(self.arguments(order))
            .current_dir(folder)
            .env("XDG_CACHE_HOME", folder.join("cache"))
            .env("XDG_STATE_HOME", folder.join("state"))
            .env_remove("MAKEFLAGS")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    fn arguments(self, order: Order) -> Vec<&'static str> {
        use Order::{Plan, RunAll, RunFirst};
        let jobs = match self {
            Tool::Make | Tool::Ninja | Tool::Ats => "-j2",
            Tool::Just => "--jobs=2",
            Tool::GoTask => "--concurrency=2",
        };
        let dry = match self {
            Tool::Make | Tool::Ninja => "-n",
            Tool::Ats | Tool::Just => "--dry-run",
            Tool::GoTask => "--dry",
        };
        let mut arguments = match self {
            Tool::Ats => vec!["run"],
            _ => Vec::new(),
        };
        match order {
            RunAll => arguments.push(jobs),
            RunFirst => arguments.extend([jobs, "t0"]),
            Plan => arguments.push(dry),
        }
        arguments
    }
}

fn names(tasks: &[usize]) -> String {
    let names: Vec<_> = tasks.iter().map(|at| format!("t{at}")).collect();
    names.join(" ")
}

/// One of `names` after the other, between quotes and commas.
fn quoted(tasks: &[usize]) -> String {
    let names: Vec<_> = tasks.iter().map(|at| format!("\"t{at}\"")).collect();
    names.join(", ")
}

fn shell(command: &Command) -> String {
    match command {
        Command::True => "/bin/true".to_owned(),
        Command::Open(pipe) => format!(": > {pipe}"),
    }
}

/// A line or two for each task.
fn each(work: &Work, mut head: String, text: impl Fn(usize, &Task) -> String) -> String {
    for (at, task) in work.tasks.iter().enumerate() {
        head += &text(at, task);
    }
    head
}

fn makefile(work: &Work) -> String {
    let all = format!(".PHONY: all\nall: {}\n", names(&work.last()));
    each(work, all, |at, Task { command, needs }| {
        let (needs, command) = (names(needs), shell(command));
        format!(".PHONY: t{at}\nt{at}: {needs}\n\t{command}\n")
    })
}

fn ninja(work: &Work) -> String {
    let rule = "rule run\n  command = $run\n".to_owned();
    each(work, rule, |at, Task { command, needs }| {
        let (needs, command) = (names(needs), shell(command));
        format!("build t{at}: run {needs}\n  run = {command}\n")
    })
}

fn toml(work: &Work) -> String {
    each(work, String::new(), |at, Task { command, needs }| {
        let mut text = format!("[tasks.t{at}]\n");
        match command {
            Command::True => text += "exec = [\"/bin/true\"]\n",
            Command::Open(_) => text += &format!("run = \"{}\"\n", shell(command)),
        }
        if !needs.is_empty() {
            let _ = writeln!(text, "needs = [{}]", quoted(needs));
        }
        text
    })
}

fn justfile(work: &Work) -> String {
    let all = format!("[parallel]\nall: {}\n", names(&work.last()));
    each(work, all, |at, Task { command, needs }| {
        let (needs, command) = (names(needs), shell(command));
        format!("[parallel]\nt{at}: {needs}\n    @{command}\n")
    })
}

fn taskfile(work: &Work) -> String {
    let head = "version: '3'\nsilent: true\ntasks:\n  default:\n    deps: ";
    let all = format!("{head}[{}]\n", quoted(&work.last()));
    each(work, all, |at, Task { command, needs }| {
        let (needs, command) = (quoted(needs), shell(command));
        format!("  t{at}:\n    run: once\n    deps: [{needs}]\n    cmds: ['{command}']\n")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tool: Tool, text: &str) {
        let work = Work {
            tasks: vec![
                Task {
                    command: Command::Open("p".to_owned()),
                    needs: vec![],
                },
                Task {
                    command: Command::True,
                    needs: vec![0],
                },
            ],
        };
        let folder = std::env::temp_dir().join(format!("ats-bench-test-{}", tool.name()));
        fs::create_dir_all(&folder).unwrap();
        tool.write(&work, &folder).unwrap();
        let written = fs::read_to_string(folder.join(tool.file())).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(written, text);
    }

    #[test]
    fn each_tool_is_given_the_same_work() {
        check(
            Tool::Make,
            ".PHONY: all\nall: t1\n.PHONY: t0\nt0: \n\t: > p\n.PHONY: t1\nt1: t0\n\t/bin/true\n",
        );
        check(
            Tool::Ninja,
            "rule run\n  command = $run\nbuild t0: run \n  run = : > p\n\
             build t1: run t0\n  run = /bin/true\n",
        );
        check(
            Tool::Ats,
            "[tasks.t0]\nrun = \": > p\"\n[tasks.t1]\nexec = [\"/bin/true\"]\nneeds = [\"t0\"]\n",
        );
        check(
            Tool::Just,
            "[parallel]\nall: t1\n[parallel]\nt0: \n    @: > p\n[parallel]\nt1: t0\n    @/bin/true\n",
        );
        check(
            Tool::GoTask,
            "version: '3'\nsilent: true\ntasks:\n  default:\n    deps: [\"t1\"]\n\
             \x20 t0:\n    run: once\n    deps: []\n    cmds: [': > p']\n\
             \x20 t1:\n    run: once\n    deps: [\"t0\"]\n    cmds: ['/bin/true']\n",
        );
    }

    #[test]
    fn tools_are_found_by_their_names() {
        for tool in Tool::ALL {
            assert_eq!(Tool::named(tool.name()), Some(tool));
        }
        assert_eq!(Tool::named("cmake"), None);
    }
}
