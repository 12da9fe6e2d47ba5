//! What people see of a run: the outputs on stdout, each whole; everything else on stderr.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};

use super::group::GRACE;
use super::note::{Event, Note};
use super::output::Output;
use super::process::Ending;
use super::state::{Failed, RunState};
use super::stop::Level;
use crate::terminal::StatusLine;
use crate::text::{self, printable};

/// How many of a failed task's last lines the summary repeats.
const LAST_LINES: usize = 20;

/// How many names are listed before the rest is only counted.
const NAMES: usize = 20;

const BOLD: Style = Style::new().bold();
const GOOD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
const BAD: Style = Style::new()
    .bold()
    .fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
const WARN: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));

/// Shows a run while it goes on, and sums it up.
#[derive(Debug)]
pub struct Report {
    names: Vec<String>,
    state: RunState,
    status: StatusLine,
    start: Instant,
    /// Stdout was closed by whoever read it.
    closed: bool,
}

impl Report {
    /// A run of tasks with these names.
    #[must_use]
    pub fn new(names: Vec<String>) -> Self {
        Report {
            state: RunState::of(names.len()),
            names: names
                .iter()
                .map(|name| printable(name).into_owned())
                .collect(),
            status: StatusLine::on_stderr(),
            start: Instant::now(),
            closed: false,
        }
    }

    /// What has happened so far.
    #[must_use]
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// Whether [`Event::Output`] is worth telling.
    #[must_use]
    pub fn wants_output(&self) -> bool {
        false
    }

    /// Whether [`Report::draw`] does anything.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.status.is_live()
    }

    /// Takes in what has happened, and prints what is worth it.
    pub fn take(&mut self, note: Note) {
        match note.event {
            Event::Started { task, .. } => {
                self.state.start(task);
                // On a terminal the status line says so.
                if !self.is_live() {
                    self.status.print(&format!("start   {}", self.names[task]));
                }
            }
            Event::Retrying {
                task, ending, left, ..
            } => {
                let left = text::count(left as usize, "attempt");
                let name = &self.names[task];
                self.status.print(&format!(
                    "{WARN}retry{WARN:#}   {name}: {ending}, {left} left"
                ));
            }
            Event::Ended {
                task,
                ending,
                took,
                attempts,
                output,
                ..
            } => {
                self.ended(task, ending, took, attempts, output);
            }
            _ => {}
        }
    }

    fn ended(
        &mut self,
        task: usize,
        ending: Ending,
        took: Duration,
        attempts: u32,
        mut output: Output,
    ) {
        let last_lines = match ending {
            Ending::Success => vec![],
            _ => output.last_lines(LAST_LINES),
        };
        let name = self.names[task].clone();
        if ending == Ending::Success {
            self.state.succeed(task);
            let took = text::duration(took);
            self.status
                .print(&format!("{GOOD}done{GOOD:#}    {name}  {took}"));
        } else {
            let failed = Failed {
                ending,
                took,
                attempts,
                last_lines,
            };
            let line = format!("{BAD}failed{BAD:#}  {name}: {}", how(&failed));
            self.state.fail(task, failed);
            self.status.print(&line);
        }
        self.print_output(&mut output);
    }

    /// The whole output of a task, as it was, undivided.
    fn print_output(&mut self, output: &mut Output) {
        if self.closed {
            return;
        }
        let mut out = io::stdout().lock();
        let copied = output.copy(&mut out).and_then(|last| {
            // So that on a terminal the next line does not stick to an unfinished one.
            if out.is_terminal() && last.is_some_and(|last| last != b'\n') {
                out.write_all(b"\n")?;
            }
            out.flush()
        });
        drop(out);
        if let Err(error) = copied {
            // The tasks' work is worth finishing even if nobody reads about it.
            self.closed = true;
            if error.kind() != io::ErrorKind::BrokenPipe {
                self.status.print(&format!(
                    "{WARN}output cannot be printed any more: {error}{WARN:#}"
                ));
            }
        }
    }

    /// Draws the status line anew.
    pub fn draw(&mut self) {
        let running: Vec<&str> = self
            .state
            .running()
            .map(|task| self.names[task].as_str())
            .collect();
        let failed = match self.state.failed().count() {
            0 => String::new(),
            failed => format!(", {failed} failed"),
        };
        let line = format!(
            "{} of {} ended{failed}, {}, running: {}",
            self.state.ended(),
            self.state.total(),
            text::duration(self.start.elapsed()),
            if running.is_empty() {
                "nothing".into()
            } else {
                running.join(", ")
            },
        );
        self.status.show(&line);
    }

    /// Says what a signal does.
    pub fn stopping(&mut self, level: Level) {
        let commands = text::count(self.state.running().count(), "command");
        let grace = text::duration(GRACE);
        match level {
            Level::Gently => self.status.print(&format!(
                "{WARN}stopping {commands}{WARN:#}; killing what still runs after {grace}, or at once when asked again"
            )),
            Level::AtOnce => self.status.print(&format!("{WARN}killing {commands}{WARN:#}")),
            Level::Go | Level::NoMore => {}
        }
    }

    /// Sums the run up: the first failure first, then the others, then what never started and why.
    pub fn summary(&mut self, reason: impl Fn(usize) -> Option<usize>) {
        let lines = self.summary_lines(reason);
        self.status.print(lines.trim_end());
    }

    fn summary_lines(&self, reason: impl Fn(usize) -> Option<usize>) -> String {
        let mut lines = String::new();
        for (place, (task, failed)) in self.state.failed().enumerate() {
            let (name, how) = (&self.names[task], how(failed));
            if place == 0 {
                let _ = writeln!(lines, "{BAD}first failure: {name}{BAD:#}: {how}");
                for line in &failed.last_lines {
                    let _ = writeln!(lines, "    | {line}");
                }
            } else {
                let _ = writeln!(lines, "{BAD}also failed: {name}{BAD:#}: {how}");
            }
        }
        let stopped = self.state.stopped();
        if !stopped.is_empty() {
            let _ = writeln!(lines, "{WARN}stopped:{WARN:#} {}", self.list(stopped));
        }
        let never = self.state.never_started(reason);
        let because = self.state.failed().map(|(task, _)| task);
        for root in because.chain(stopped.iter().copied()) {
            if let Some(skipped) = never.get(&Some(root)) {
                let (root, skipped) = (&self.names[root], self.list(skipped));
                let _ = writeln!(lines, "{WARN}skipped because of {root}:{WARN:#} {skipped}");
            }
        }
        if let Some(rest) = never.get(&None) {
            let _ = writeln!(lines, "{WARN}not started:{WARN:#} {}", self.list(rest));
        }
        let _ = writeln!(lines, "{BOLD}{}{BOLD:#}", self.tally(&never));
        lines
    }

    fn tally(&self, never: &std::collections::HashMap<Option<usize>, Vec<usize>>) -> String {
        let count = |skipped: bool| {
            let groups = never.iter().filter(|(root, _)| root.is_some() == skipped);
            groups.map(|(_, tasks)| tasks.len()).sum::<usize>()
        };
        let parts = [
            (self.state.failed().count(), "failed"),
            (self.state.stopped().len(), "stopped"),
            (count(true), "skipped"),
            (count(false), "not started"),
        ];
        let total = text::count(self.state.total(), "task");
        let mut tally = format!("{} of {total} done", self.state.done());
        for (number, what) in parts.iter().filter(|(number, _)| *number > 0) {
            let _ = write!(tally, ", {number} {what}");
        }
        format!("{tally}, in {}", text::duration(self.start.elapsed()))
    }

    fn list(&self, tasks: &[usize]) -> String {
        let names: Vec<&str> = tasks
            .iter()
            .take(NAMES)
            .map(|&task| self.names[task].as_str())
            .collect();
        match tasks.len().saturating_sub(NAMES) {
            0 => names.join(", "),
            more => format!("{} and {more} more", names.join(", ")),
        }
    }
}

fn how(failed: &Failed) -> String {
    let Failed {
        ending,
        took,
        attempts,
        ..
    } = failed;
    let mut how = ending.to_string();
    let obvious = matches!(ending, Ending::TimedOut(_) | Ending::Broken(_));
    if !obvious || *attempts > 1 {
        let _ = write!(how, ", after {}", text::duration(*took));
    }
    if *attempts > 1 {
        let _ = write!(how, " and {attempts} attempts");
    }
    how
}
