//! The graph of the tasks in the language of a program that draws, the critical path marked.
//!
//! Nodes are numbered, and names stand only in labels, escaped: whatever a task is called, it
//! cannot be read as anything but its name.

use std::collections::HashSet;
use std::io::{self, BufWriter, Write};

use clap::ValueEnum;

use super::foresight::Foresight;
use crate::taskfile::model::{Action, Lane, Task, TaskFile};
use crate::text::printable;

/// What a graph is written in.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Language {
    /// For Graphviz: `| dot -Tsvg`
    Dot,
    /// For Markdown, in a block of code called `mermaid`
    Mermaid,
}

/// Prints the graph.
///
/// # Errors
///
/// Printing failed.
pub fn print(
    file: &TaskFile,
    foresight: &Foresight,
    language: Language,
    out: impl Write,
) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let drawing = Drawing::of(file, foresight);
    match language {
        Language::Dot => drawing.dot(&mut out)?,
        Language::Mermaid => drawing.mermaid(&mut out)?,
    }
    out.flush()
}

struct Drawing<'a> {
    tasks: &'a [Task],
    critical: HashSet<usize>,
    /// The edges of the critical path.
    steps: HashSet<(usize, usize)>,
}

impl<'a> Drawing<'a> {
    fn of(file: &'a TaskFile, foresight: &Foresight) -> Self {
        let steps = foresight.critical.windows(2);
        Drawing {
            tasks: &file.tasks,
            critical: foresight.critical.iter().copied().collect(),
            steps: steps.map(|step| (step[0], step[1])).collect(),
        }
    }

    /// All edges, from what is needed to what needs it.
    fn edges(&self) -> impl Iterator<Item = (usize, usize)> {
        let tasks = self.tasks.iter().enumerate();
        tasks.flat_map(|(place, task)| task.needs.iter().map(move |&need| (need, place)))
    }

    fn dot(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "digraph tasks {{")?;
        writeln!(out, "  rankdir=LR;")?;
        writeln!(out, "  node [shape=box, style=rounded];")?;
        for (place, task) in self.tasks.iter().enumerate() {
            let mut label = for_dot(&task.name);
            if let Some(priority) = unusual_priority(task) {
                label.push_str(&format!("\\n{priority}"));
            }
            write!(out, "  n{place} [label=\"{label}\"")?;
            if let Some(style) = dot_style(task) {
                write!(out, ", {style}")?;
            }
            if self.critical.contains(&place) {
                write!(out, ", color=red, penwidth=2")?;
            }
            writeln!(out, "];")?;
        }
        for (from, to) in self.edges() {
            let mark = match self.steps.contains(&(from, to)) {
                true => " [color=red, penwidth=2]",
                false => "",
            };
            writeln!(out, "  n{from} -> n{to}{mark};")?;
        }
        writeln!(out, "}}")
    }

    fn mermaid(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "flowchart LR")?;
        for (place, task) in self.tasks.iter().enumerate() {
            let mut label = for_mermaid(&task.name);
            if let Some(priority) = unusual_priority(task) {
                label.push_str(&format!("<br>{priority}"));
            }
            let (open, close) = match &task.action {
                Action::Nothing => ("(", ")"),
                _ => ("[", "]"),
            };
            writeln!(out, "  n{place}{open}\"{label}\"{close}")?;
        }
        let mut marked = Vec::new();
        for (number, edge) in self.edges().enumerate() {
            writeln!(out, "  n{} --> n{}", edge.0, edge.1)?;
            if self.steps.contains(&edge) {
                marked.push(number.to_string());
            }
        }
        let mut critical: Vec<usize> = self.critical.iter().copied().collect();
        critical.sort_unstable();
        if !critical.is_empty() {
            let nodes: Vec<String> = critical.iter().map(|node| format!("n{node}")).collect();
            writeln!(out, "  classDef critical stroke:red,stroke-width:2px")?;
            writeln!(out, "  class {} critical", nodes.join(","))?;
        }
        if !marked.is_empty() {
            let edges = marked.join(",");
            writeln!(out, "  linkStyle {edges} stroke:red,stroke-width:2px")?;
        }
        Ok(())
    }
}

fn unusual_priority(task: &Task) -> Option<String> {
    let usual = task.priority == adaptive_task_scheduler::Priority::Mid;
    (!usual).then(|| task.priority.to_string())
}

fn dot_style(task: &Task) -> Option<&'static str> {
    match (&task.action, task.lane) {
        (Action::Nothing, _) => Some("shape=ellipse, style=solid"),
        (_, Lane::Io | Lane::Blocking) => Some("style=\"rounded,dashed\""),
        _ => None,
    }
}

/// Text inside of double quotes.
fn for_dot(text: &str) -> String {
    let text = printable(text);
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// Text inside of double quotes, where only entities are safe.
fn for_mermaid(text: &str) -> String {
    let mut out = String::new();
    for c in printable(text).chars() {
        if c.is_alphanumeric() || " -_.:,=()/+".contains(c) {
            out.push(c);
        } else {
            out.push_str(&format!("#{};", u32::from(c)));
        }
    }
    out
}
