//! The laboratory: recorded workflow runs in virtual time, on other machines, under other policies.
//!
//! [`options`] says what can be asked for. A workflow goes through the modules in this order:
//! [`experiment`] tells what each run may learn from the others, [`arrivals`] draws by [`chance`]
//! when urgent tasks come, [`case`] makes one graph of both, [`policy`] ranks it, for one policy by
//! what a [`learner`] makes of its [`knowledge`], [`machine`] runs it with the dispatcher that
//! decides in `ats run`, [`measure`] says what came of it, and [`table`] prints it. What
//! there is to be drawn is in [`drawing`], for [`svg`] and, in the terminal, [`chart`].

pub mod arrivals;
pub mod case;
pub mod chance;
pub mod chart;
pub mod drawing;
pub mod experiment;
pub mod knowledge;
pub mod learner;
pub mod machine;
pub mod measure;
pub mod options;
pub mod policy;
pub mod svg;
pub mod table;
#[cfg(test)]
mod tests;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::workflow::Workflow;
use crate::cli::{Output, ReplayOptions};
use crate::exit::{Exit, Failure};
use crate::input::shown;
use chart::Chart;
use drawing::Drawing;
use experiment::{Experiment, Trial};
use measure::Summary;
use table::Table;

/// Tries the workflows out on all machines that are asked for.
///
/// # Errors
///
/// More urgent tasks would arrive than are of use, or the results cannot be written.
pub fn run(options: &ReplayOptions, workflows: &[Workflow]) -> Result<Exit, Failure> {
    let cores = machines(options);
    let trials = try_all(options, &cores, workflows)?;
    let rows: Vec<_> = trials.iter().map(|trial| trial.row.clone()).collect();
    let summaries: Vec<_> = cores.iter().map(|&n| Summary::of(&rows, n)).collect();
    let drawing = Drawing::new(&trials, &summaries);
    if let Some(path) = &options.lab.svg {
        let saved = fs::write(path, svg::draw(&drawing));
        saved.map_err(|error| unwritable(path, &error))?;
    }
    let mut out = anstream::stdout().lock();
    match options.output {
        Output::Text => {
            let notes = notes(&options.files, workflows);
            let table = Table::new(&rows, &summaries, &notes, options.lab.preempt);
            write!(out, "{table}")?;
            if options.lab.plot {
                let chart = Chart::new(&drawing, chart::width(), options.lab.ascii);
                write!(out, "{chart}")?;
            }
        }
        Output::Json => {
            for row in &rows {
                writeln!(out, "{}", json(row)?)?;
            }
            for summary in &summaries {
                writeln!(out, "{}", json(&serde_json::json!({ "summary": summary }))?)?;
            }
        }
    }
    out.flush()?;
    Ok(Exit::Success)
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    let file = shown(path);
    Failure::Usage(format!(
        "error: {file}: the drawing cannot be written: {error}\n  help: name a file in a directory \
         that exists and that you may write to"
    ))
}

/// The sizes of machines, each once and in the order given.
fn machines(options: &ReplayOptions) -> Vec<usize> {
    let mut cores: Vec<usize> = Vec::new();
    for asked in options.cores.iter().map(|cores| cores.get()) {
        if !cores.contains(&asked) {
            cores.push(asked);
        }
    }
    if cores.is_empty() {
        cores.push(std::thread::available_parallelism().map_or(1, usize::from));
    }
    cores
}

fn try_all<'a>(
    options: &ReplayOptions,
    cores: &[usize],
    workflows: &'a [Workflow],
) -> Result<Vec<Trial<'a>>, Failure> {
    let experiment = Experiment {
        policies: options.lab.policies(),
        urgent: options.lab.urgent,
        urgent_size: options.lab.urgent_size,
        seed: options.lab.seed,
        preempt: options.lab.preempt,
    };
    let subjects = experiment::subjects(workflows);
    let mut trials = Vec::with_capacity(cores.len() * subjects.len());
    for &cores in cores {
        for (path, subject) in options.files.iter().zip(&subjects) {
            let file = shown(path);
            let trial = experiment.try_out(&file, subject, cores);
            let refused = |what| Failure::Usage(format!("error: {file}: {what}"));
            trials.push(trial.map_err(refused)?);
        }
    }
    Ok(trials)
}

fn notes(files: &[PathBuf], workflows: &[Workflow]) -> Vec<String> {
    let of_file = |(path, workflow): (&PathBuf, &Workflow)| {
        let notes = workflow.notes.iter();
        notes
            .map(|note| format!("{}: {note}", shown(path)))
            .collect::<Vec<_>>()
    };
    files.iter().zip(workflows).flat_map(of_file).collect()
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::internal("writing JSON", error))
}
