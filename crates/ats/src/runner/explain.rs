//! `--explain`: plans as a run would, runs it in the mind, and says why a task runs when it runs.

use std::io::Write;

use super::execute::dispatcher;
use super::fresh::why::why;
use super::journal;
use crate::cli::RunOptions;
use crate::exit::Failure;
use crate::plan::select::find;
use crate::taskfile::model::TaskFile;
use crate::views::explain::Explainer;
use crate::views::forecast::forecast;
use crate::views::profile::Profile;
use crate::views::tasks::{Tasks, number, shape};

/// Explains the tasks that were named.
///
/// # Errors
///
/// A name fits no task that is to run, or printing failed.
pub fn print(
    file: &TaskFile,
    options: &RunOptions,
    jobs: usize,
    mut out: impl Write,
) -> Result<(), Failure> {
    let asked = find(&file.tasks, &options.looks.explain)
        .map_err(|wrong| Failure::Usage(format!("error: {}", wrong.join("\nerror: "))))?;
    let (profile, _) = Profile::open(&options.views, &file.source);
    let tasks = Tasks::of(file, shape(&file.tasks), profile.durations(), jobs);
    let expected: Vec<_> = tasks.iter().map(|(_, known)| known.guess.mean).collect();
    let dispatcher = dispatcher(file, &expected, &[], jobs, options.preempt);
    let facts: Vec<_> = tasks
        .iter()
        .map(|(task, _)| *dispatcher.facts(task))
        .collect();
    let forecast = forecast(tasks, dispatcher);
    let explainer = Explainer::new(file, &facts, &forecast);
    let records = journal::directory(&file.source).map(|runs| runs.join("records"));
    for task in asked {
        let check = why(records.as_deref(), &file.tasks[task], options.force);
        writeln!(out, "{}", explainer.explain(number(task), Some(&check)))?;
    }
    if let Some(proviso) = explainer.proviso() {
        writeln!(out, "{proviso}")?;
    }
    Ok(())
}
