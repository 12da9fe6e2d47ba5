//! The results for people: a table for each size of machine, and a line of geometric means.

use std::fmt::{self, Formatter};
use std::path::Path;
use std::time::Duration;

use anstyle::Style;

use super::arrivals::Process;
use super::measure::{Outcome, Overall, Row, Summary};
use super::policy::Policy;
use crate::text;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// Names of files are cut to this width.
const WIDEST_NAME: usize = 48;

/// Everything that is printed.
#[derive(Debug)]
pub struct Table<'a> {
    rows: &'a [Row],
    summaries: &'a [Summary],
    notes: &'a [String],
    preempt: bool,
    names: Vec<String>,
    width: usize,
}

impl<'a> Table<'a> {
    /// Of these results.
    #[must_use]
    pub fn new(
        rows: &'a [Row],
        summaries: &'a [Summary],
        notes: &'a [String],
        preempt: bool,
    ) -> Self {
        let names: Vec<String> = rows.iter().map(|row| short_name(&row.file)).collect();
        let lengths = names.iter().map(|name| name.chars().count());
        Table {
            rows,
            summaries,
            notes,
            preempt,
            width: lengths.max().unwrap_or(0).max(FOOT.len()),
            names,
        }
    }
}

const FOOT: &str = "worst over first come";

/// The name of a file without its directory and its ending.
pub(super) fn short_name(file: &str) -> String {
    let name = Path::new(file)
        .file_name()
        .map_or(file.into(), |name| name.to_string_lossy());
    let name = name.strip_suffix(".json").unwrap_or(&name);
    if name.chars().count() <= WIDEST_NAME {
        return name.to_owned();
    }
    // What tells files apart is mostly at the end.
    let all: Vec<char> = name.chars().collect();
    let end: String = all[all.len() - WIDEST_NAME + 1..].iter().collect();
    format!("…{end}")
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let interrupted = match self.preempt {
            true => "paused at no cost for what is more important",
            false => "never interrupted",
        };
        writeln!(
            f,
            "Virtual time: identical workers with one task each, {interrupted}; no transfers,"
        )?;
        writeln!(
            f,
            "and nobody slows anybody down. Makespan over max(critical path, work over cores)."
        )?;
        for summary in self.summaries {
            self.machine(f, summary)?;
        }
        if self.rows.len() == self.summaries.len() {
            self.makespans(f)?;
        }
        if let Some(known) = self.known() {
            writeln!(f, "\n{known}")?;
        }
        for note in self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}

impl Table<'_> {
    fn machine(&self, f: &mut Formatter<'_>, summary: &Summary) -> fmt::Result {
        let cores = text::count(summary.cores, "core");
        let names = summary.policies.iter().map(|one| one.policy.name());
        let names: Vec<_> = names.map(|name| name.split_once(' ')).collect();
        let first = |name: &Option<(&str, _)>| format!(" {:>WIDTH$}", name.map_or("", |it| it.0));
        let above: String = names.iter().map(first).collect();
        let left = self.width + 16;
        if !above.trim().is_empty() {
            write!(f, "\n{:left$}{}", "", above.trim_end())?;
        }
        write!(f, "\n{BOLD}{cores:<width$}{BOLD:#}", width = self.width)?;
        write!(f, " {:>6} {:>8}", "tasks", "bound")?;
        for (name, overall) in names.iter().zip(&summary.policies) {
            let last = name.map_or(overall.policy.name(), |(_, last)| last);
            write!(f, " {last:>WIDTH$}")?;
        }
        writeln!(f)?;
        for (row, name) in self.of_machine(summary) {
            self.row(f, row, name)?;
        }
        if self.of_machine(summary).count() > 1 {
            self.foot(f, summary)?;
        }
        if summary
            .policies
            .iter()
            .any(|one| one.urgent_wait_p99.is_some())
        {
            self.urgent(f, summary)?;
        } else if self
            .of_machine(summary)
            .any(|(row, _)| row.urgent.is_some())
        {
            writeln!(
                f,
                "no urgent task arrived until the bound; give a higher rate"
            )?;
        }
        Ok(())
    }

    /// Of a single file how long everything takes, a line for each size of machine.
    fn makespans(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{BOLD}makespan{BOLD:#}")?;
        for row in self.rows {
            let cores = text::count(row.cores, "core");
            write!(f, "{cores:<width$} {:>15}", "", width = self.width)?;
            for outcome in &row.policies {
                write!(f, " {:>WIDTH$}", brief(outcome.makespan))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }

    /// How much there was to learn from; of no interest if nothing learns.
    fn known(&self) -> Option<String> {
        let is_learned = |overall: &Overall| overall.policy == Policy::Learned;
        let summary = self.summaries.first()?;
        summary.policies.iter().find(|one| is_learned(one))?;
        let of = self.of_machine(summary).count();
        let known = self
            .of_machine(summary)
            .filter(|(row, _)| row.learned_from > 0);
        let known = known.count();
        let files = text::count(of, "file");
        Some(format!(
            "learned: {known} of {files} had other runs of the same workflow to learn from"
        ))
    }

    fn of_machine(&self, summary: &Summary) -> impl Iterator<Item = (&Row, &String)> {
        let cores = summary.cores;
        let all = self.rows.iter().zip(&self.names);
        all.filter(move |(row, _)| row.cores == cores)
    }

    fn row(&self, f: &mut Formatter<'_>, row: &Row, name: &str) -> fmt::Result {
        let bound = seconds(row.lower_bound);
        write!(f, "{name:<width$}", width = self.width)?;
        write!(f, " {:>6} {bound:>8}", row.tasks)?;
        for outcome in &row.policies {
            cell(f, outcome.over_lower_bound)?;
        }
        writeln!(f)
    }

    fn foot(&self, f: &mut Formatter<'_>, summary: &Summary) -> fmt::Result {
        let workflows = text::count(summary.workflows, "workflow");
        let first_come = |overall: &Overall| overall.policy == Policy::FirstCome;
        self.line(f, "geometric mean", &workflows, summary, BOLD, |overall| {
            overall.geometric_mean
        })?;
        if summary.policies.iter().any(first_come) {
            self.line(f, FOOT, "", summary, DIM, |overall| {
                overall.worst_over_first_come
            })?;
        }
        Ok(())
    }

    fn line(
        &self,
        f: &mut Formatter<'_>,
        title: &str,
        about: &str,
        summary: &Summary,
        style: Style,
        of: impl Fn(&Overall) -> Option<f64>,
    ) -> fmt::Result {
        write!(f, "{style}{title:<width$} {about:>15}", width = self.width)?;
        for overall in &summary.policies {
            cell(f, of(overall))?;
        }
        writeln!(f, "{style:#}")
    }

    fn urgent(&self, f: &mut Formatter<'_>, summary: &Summary) -> fmt::Result {
        writeln!(
            f,
            "{:<width$} {:>6} {:>8} 99 of 100 urgent tasks waited no longer than",
            "",
            "urgent",
            "size",
            width = self.width,
        )?;
        for (row, name) in self.of_machine(summary) {
            let Some(arrived) = &row.urgent else { continue };
            let size = seconds(arrived.mean_size);
            write!(f, "{name:<width$}", width = self.width)?;
            write!(f, " {:>6} {size:>8}", arrived.tasks)?;
            for outcome in &row.policies {
                write!(f, " {:>WIDTH$}", longest_wait(outcome))?;
            }
            writeln!(f)?;
        }
        self.line(
            f,
            "p50, in mean tasks",
            "all files",
            summary,
            Style::new(),
            |one| one.urgent_wait_p50,
        )?;
        self.line(f, "p99, in mean tasks", "all files", summary, BOLD, |one| {
            one.urgent_wait_p99
        })?;
        self.line(f, "p99 over first come", "", summary, BOLD, |one| {
            one.urgent_wait_p99_over_first_come
        })?;
        self.arrivals(f, summary)
    }

    fn arrivals(&self, f: &mut Formatter<'_>, summary: &Summary) -> fmt::Result {
        let mut rows = self.of_machine(summary);
        let arrived = rows.find_map(|(row, _)| row.urgent.as_ref());
        let Some(arrived) = arrived else {
            return Ok(());
        };
        write!(
            f,
            "{DIM}Poisson arrivals until the bound, sizes exponential, seed {}",
            arrived.seed
        )?;
        if rows.next().is_none() {
            let process = Process {
                per_second: arrived.per_second,
                size: duration(arrived.mean_size),
            };
            write!(f, ": {process}")?;
        }
        writeln!(f, "; urgent ones are of priority production{DIM:#}")
    }
}

/// As wide as the longest word in the names of policies, and as a time.
const WIDTH: usize = 8;

fn cell(f: &mut Formatter<'_>, number: Option<f64>) -> fmt::Result {
    match number {
        Some(number) => write!(f, " {number:>WIDTH$.3}"),
        None => write!(f, " {:>WIDTH$}", "-"),
    }
}

fn longest_wait(outcome: &Outcome) -> String {
    match outcome.urgent {
        Some(urgent) => brief(urgent.wait_p99),
        None => "-".to_owned(),
    }
}

/// A time in few characters.
fn brief(time: f64) -> String {
    if time == 0.0 {
        return "0".to_owned();
    }
    seconds(time).replace(' ', "")
}

fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

fn seconds(seconds: f64) -> String {
    text::duration(duration(seconds))
}
