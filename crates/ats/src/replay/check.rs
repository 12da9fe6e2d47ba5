//! From what a file says to a workflow that can be run, or to everything that is wrong with it.
//!
//! Each step appends to one list of problems and goes on, so that one look is enough to mend a
//! file. Only a file of another schema is not looked at further. Nothing here recurses.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use super::trace;
use super::wfformat::{Document, ExecutedTask, SCHEMA, SpecifiedFile, SpecifiedTask};
use super::workflow::{RecordedTask, Workflow, class_of, place_in_order};
use crate::graph::topological;
use crate::input::Problem;
use crate::text::{nearest, printable};

/// Checks a document.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn check(path: &Path, document: Document) -> Result<Workflow, Vec<Problem>> {
    if let Some(section) = &document.ats {
        return trace::check(path, section);
    }
    check_schema(path, &document).map_err(|problem| vec![problem])?;
    let parts = document.workflow.unwrap_or_default();
    let specification = parts.specification.unwrap_or_default();
    let specified = specification.tasks;
    let execution = parts.execution.unwrap_or_default();
    let mut checking = Checking {
        path,
        specified: &specified,
        places: HashMap::with_capacity(specified.len()),
        problems: Vec::new(),
    };
    checking.index_ids();
    let edges = checking.edges();
    let measured = checking.measurements(&execution.tasks);
    let order = checking.order(&edges);
    let makespan = checking.makespan(execution.makespan_in_seconds);
    if !checking.problems.is_empty() {
        return Err(checking.problems);
    }
    Ok(Workflow {
        tasks: assemble(&specified, &edges, &measured, &order, &specification.files),
        makespan,
        notes: Vec::new(),
    })
}

fn check_schema(path: &Path, document: &Document) -> Result<(), Problem> {
    let found = match &document.schema_version {
        Some(serde_json::Value::String(version)) if version == SCHEMA => return Ok(()),
        Some(serde_json::Value::String(version)) => format!("the schema is {}", printable(version)),
        Some(_) => "the schema version is not a string".to_owned(),
        None => "no schema version is given".to_owned(),
    };
    Err(Problem::at(
        path,
        "schemaVersion",
        found,
        format!("give a file of WfFormat {SCHEMA}, or convert it with the tools of WfCommons"),
    ))
}

/// What was measured of one task, once it is known to be right.
#[derive(Clone, Copy, Debug)]
struct Measured {
    run_time: Duration,
    cpu_percent: Option<f64>,
}

struct Checking<'a> {
    path: &'a Path,
    specified: &'a [SpecifiedTask],
    /// Where in `specified` each id stands.
    places: HashMap<&'a str, usize>,
    problems: Vec<Problem>,
}

impl<'a> Checking<'a> {
    fn complain(&mut self, place: String, what: String, remedy: impl Into<String>) {
        self.problems
            .push(Problem::at(self.path, place, what, remedy));
    }

    fn index_ids(&mut self) {
        if self.specified.is_empty() {
            let place = specified_at(None);
            self.complain(
                place,
                "there are no tasks".into(),
                "give a workflow with tasks",
            );
        }
        for (index, task) in self.specified.iter().enumerate() {
            let place = specified_at(Some(index));
            let Some(id) = &task.id else {
                self.complain(place, "the task has no id".into(), "give it an `id`");
                continue;
            };
            if let Some(first) = self.places.get(id.as_str()).copied() {
                let what = format!("the id `{}` is doubled", printable(id));
                let first = specified_at(Some(first));
                self.complain(
                    place,
                    what,
                    format!("give each task its own id; {first} has this one"),
                );
            } else {
                self.places.insert(id, index);
            }
        }
    }

    /// The parents of each task, from both of the lists in which the file states them.
    fn edges(&mut self) -> Vec<Vec<usize>> {
        let mut parents = vec![Vec::new(); self.specified.len()];
        for (index, task) in self.specified.iter().enumerate() {
            for (at, id) in task.parents.iter().enumerate() {
                if let Some(parent) = self.find(id, "parent", index, at) {
                    parents[index].push(parent);
                }
            }
            for (at, id) in task.children.iter().enumerate() {
                if let Some(child) = self.find(id, "child", index, at) {
                    parents[child].push(index);
                }
            }
        }
        for list in &mut parents {
            list.sort_unstable();
            list.dedup();
        }
        parents
    }

    fn find(&mut self, id: &str, relation: &str, index: usize, at: usize) -> Option<usize> {
        let found = self.places.get(id).copied();
        if found.is_none() {
            let list = if relation == "parent" {
                "parents"
            } else {
                "children"
            };
            let place = format!("{}.{list}[{at}]", specified_at(Some(index)));
            let what = format!(
                "task {} names an unknown {relation}, `{}`",
                self.quoted(index),
                printable(id)
            );
            let remedy = match nearest(id, self.places.keys().copied()) {
                Some(near) => format!("did you mean `{}`?", printable(near)),
                None => format!("add a task with this id, or take it out of `{list}`"),
            };
            self.complain(place, what, remedy);
        }
        found
    }

    fn quoted(&self, index: usize) -> String {
        match &self.specified[index].id {
            Some(id) => format!("`{}`", printable(id)),
            None => "without id".to_owned(),
        }
    }

    fn measurements(&mut self, executed: &'a [ExecutedTask]) -> Vec<Option<Measured>> {
        let mut measured = vec![None; self.specified.len()];
        let mut seen: HashMap<&str, usize> = HashMap::with_capacity(executed.len());
        for (index, task) in executed.iter().enumerate() {
            let Some(id) = &task.id else {
                let place = executed_at(index);
                self.complain(
                    place,
                    "the task has no id".into(),
                    "give it the id of its specification",
                );
                continue;
            };
            if let Some(first) = seen.insert(id, index) {
                let what = format!("the id `{}` is doubled", printable(id));
                let first = executed_at(first);
                self.complain(
                    executed_at(index),
                    what,
                    format!("keep one; {first} has this one"),
                );
                continue;
            }
            let measurement = self.measurement(index, id, task);
            match self.places.get(id.as_str()).copied() {
                Some(place) => measured[place] = measurement,
                None => self.complain(
                    executed_at(index),
                    format!("task `{}` was executed but is not specified", printable(id)),
                    "add it to workflow.specification.tasks, or remove it here",
                ),
            }
        }
        self.require_all(&seen);
        measured
    }

    /// Every specified task must have been executed.
    fn require_all(&mut self, executed: &HashMap<&str, usize>) {
        for (index, task) in self.specified.iter().enumerate() {
            if let Some(id) = task.id.as_deref().filter(|id| !executed.contains_key(id)) {
                self.complain(
                    specified_at(Some(index)),
                    format!("task `{}` has no run time", printable(id)),
                    "add it to workflow.execution.tasks with its runtimeInSeconds",
                );
            }
        }
    }

    fn measurement(&mut self, index: usize, id: &str, task: &ExecutedTask) -> Option<Measured> {
        let run_time = self.run_time(index, id, task);
        let cpu_percent = task.avg_cpu;
        if let Some(percent) = cpu_percent.filter(|percent| !percent.is_finite() || *percent < 0.0)
        {
            self.complain(
                format!("{}.avgCPU", executed_at(index)),
                format!("the CPU share of task `{}` is {percent}", printable(id)),
                "give percent of one core, or leave it out",
            );
        }
        Some(Measured {
            run_time: run_time?,
            cpu_percent,
        })
    }

    fn run_time(&mut self, index: usize, id: &str, task: &ExecutedTask) -> Option<Duration> {
        let place = format!("{}.runtimeInSeconds", executed_at(index));
        let Some(seconds) = task.runtime_in_seconds else {
            let what = format!("task `{}` has no run time", printable(id));
            self.complain(place, what, "give the seconds that it ran, 0 if it did not");
            return None;
        };
        let time = plausible(seconds);
        if time.is_none() {
            let what = format!("the run time of task `{}` is {seconds} s", printable(id));
            self.complain(place, what, "give the seconds that it ran, from 0 to 1e9");
        }
        time
    }

    fn makespan(&mut self, seconds: Option<f64>) -> Option<Duration> {
        let time = plausible(seconds?);
        if time.is_none() {
            self.complain(
                "workflow.execution.makespanInSeconds".into(),
                format!("the makespan is {} s", seconds.unwrap_or_default()),
                "give the seconds that the run took, or leave it out",
            );
        }
        time
    }

    /// An order in which parents come first; empty when there is none.
    fn order(&mut self, parents: &[Vec<usize>]) -> Vec<usize> {
        match topological(parents) {
            Ok(order) => order,
            Err(cycle) => {
                let path: Vec<String> = cycle.iter().map(|&task| self.quoted(task)).collect();
                self.complain(
                    specified_at(Some(cycle[0])),
                    format!("tasks wait on each other in a cycle: {}", path.join(" -> ")),
                    "remove one of these dependencies",
                );
                Vec::new()
            }
        }
    }
}

/// Up to 30 years, which keeps all arithmetic on times far from its limits.
fn plausible(seconds: f64) -> Option<Duration> {
    if (0.0..=1e9).contains(&seconds) {
        Duration::try_from_secs_f64(seconds).ok()
    } else {
        None
    }
}

fn specified_at(index: Option<usize>) -> String {
    match index {
        Some(index) => format!("workflow.specification.tasks[{index}]"),
        None => "workflow.specification.tasks".to_owned(),
    }
}

fn executed_at(index: usize) -> String {
    format!("workflow.execution.tasks[{index}]")
}

fn assemble(
    specified: &[SpecifiedTask],
    parents: &[Vec<usize>],
    measured: &[Option<Measured>],
    order: &[usize],
    files: &[SpecifiedFile],
) -> Vec<RecordedTask> {
    let place_of = place_in_order(order);
    let sizes = sizes(files);
    order
        .iter()
        .filter_map(|&task| {
            let measured = measured[task]?;
            let id = specified[task].id.clone()?;
            let name = specified[task].name.as_deref().unwrap_or(&id);
            Some(RecordedTask {
                class: class_of(name).to_owned(),
                place: task,
                parents: parents[task]
                    .iter()
                    .map(|&parent| place_of[parent])
                    .collect(),
                run_time: measured.run_time,
                cpu_percent: measured.cpu_percent,
                input_bytes: together(&specified[task].input_files, &sizes),
                id,
                ..RecordedTask::default()
            })
        })
        .collect()
}

/// What is no size is none: sizes help to guess durations, and nothing depends on them.
fn sizes(files: &[SpecifiedFile]) -> HashMap<&str, u64> {
    let size = |file: &'_ SpecifiedFile| file.size_in_bytes.filter(|size| *size >= 0.0);
    files
        .iter()
        .filter_map(|file| Some((file.id.as_deref()?, size(file)? as u64)))
        .collect()
}

fn together(files: &[String], sizes: &HashMap<&str, u64>) -> Option<u64> {
    let known = files.iter().filter_map(|file| sizes.get(file.as_str()));
    known.copied().reduce(u64::saturating_add)
}
