//! What `--dry-run` prints: a line a task for people, one object for machines.

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};
use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;

use super::foresight::Foresight;
use crate::taskfile::model::{Action, Lane, Task, TaskFile};
use crate::taskfile::shell::quoted;
use crate::text::{self, printable};

/// The version of the JSON form. It rises when something is taken away or changes its meaning.
pub const VERSION: u32 = 1;

/// The form of a dry run.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Form {
    /// For people
    Human,
    /// For machines: one JSON object
    Json,
}

/// Prints the tasks in the order in which one job would run them.
///
/// # Errors
///
/// Printing failed.
pub fn print(
    file: &TaskFile,
    foresight: &Foresight,
    form: Form,
    out: impl Write,
) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    match form {
        Form::Human => human(file, foresight, &mut out)?,
        Form::Json => json(file, foresight, &mut out)?,
    }
    out.flush()
}

fn human(file: &TaskFile, foresight: &Foresight, out: &mut impl Write) -> io::Result<()> {
    for (number, &place) in foresight.order.iter().enumerate() {
        let task = &file.tasks[place];
        let facts = facts(task, foresight, place);
        let name = printable(&task.name);
        writeln!(
            out,
            "{}. {name} ({facts}): {}",
            number + 1,
            command(&task.action)
        )?;
    }
    let known: Vec<Duration> = foresight.expected.iter().flatten().copied().collect();
    if known.is_empty() {
        return Ok(());
    }
    let path = foresight.critical.iter();
    let on_path = path.clone().filter_map(|&task| foresight.expected[task]);
    let names: Vec<Cow<'_, str>> = path
        .map(|&task| printable(&file.tasks[task].name))
        .collect();
    let unknown = foresight.expected.len() - known.len();
    let tasks = text::count(file.tasks.len(), "task");
    let all = text::duration(known.iter().sum());
    write!(out, "{tasks}, about {all} one after the other")?;
    if unknown > 0 {
        let unknown = text::count(unknown, "task");
        write!(out, " without {unknown} of which nothing is known")?;
    }
    let least = text::duration(on_path.sum());
    writeln!(out, "; never less than {least}: {}", shortened(&names))
}

/// What there is to know about a task beside its command.
fn facts(task: &Task, foresight: &Foresight, place: usize) -> String {
    let mut facts = task.priority.to_string();
    if foresight.effective[place] > task.priority {
        facts.push_str(&format!(", raised to {}", foresight.effective[place]));
    }
    if task.lane != Lane::Cpu {
        facts.push_str(&format!(", lane {}", lane(task.lane)));
    }
    if let Some(deadline) = task.deadline {
        facts.push_str(&format!(", by {}", text::duration(deadline)));
    }
    if let Some(expected) = foresight.expected[place] {
        facts.push_str(&format!(", about {}", text::duration(expected)));
    }
    if let Some(condition) = &task.condition {
        facts.push_str(&format!(", if {}", printable(condition.trim())));
    }
    if task.always {
        facts.push_str(", always");
    }
    facts
}

/// The first and last names of a long path.
fn shortened(names: &[Cow<'_, str>]) -> String {
    const SHOWN: usize = 10;
    if names.len() <= 2 * SHOWN {
        return names.join(", ");
    }
    let last = names[names.len() - SHOWN..].join(", ");
    let more = names.len() - 2 * SHOWN;
    format!("{}, {more} more, {last}", names[..SHOWN].join(", "))
}

/// An action as it could be typed.
#[must_use]
pub fn command(action: &Action) -> String {
    match action {
        Action::Shell(text) => printable(text.trim()).into_owned(),
        Action::Exec(arguments) => {
            let words: Vec<String> = arguments.iter().map(|word| as_word(word)).collect();
            printable(&words.join(" ")).into_owned()
        }
        Action::Nothing => "nothing".to_owned(),
    }
}

/// An argument, in quotes if a shell would read it otherwise.
fn as_word(argument: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        argument.to_owned()
    } else {
        quoted(argument)
    }
}

/// What a lane is called in files.
#[must_use]
pub fn lane(lane: Lane) -> &'static str {
    match lane {
        Lane::Cpu => "cpu",
        Lane::Io => "io",
        Lane::Blocking => "blocking",
    }
}

#[derive(Serialize)]
struct Plan<'a> {
    version: u32,
    file: Cow<'a, str>,
    jobs: Option<u16>,
    /// In the order in which one job would run them.
    tasks: Vec<Planned<'a>>,
    critical_path: Vec<&'a str>,
}

#[derive(Serialize)]
struct Planned<'a> {
    name: &'a str,
    class: &'a str,
    description: Option<&'a str>,
    #[serde(flatten)]
    action: Command<'a>,
    needs: Vec<&'a str>,
    inputs: &'a [String],
    outputs: &'a [String],
    env: Vec<[&'a str; 2]>,
    directory: Cow<'a, str>,
    priority: String,
    effective_priority: String,
    lane: &'static str,
    deadline_seconds: Option<f64>,
    timeout_seconds: Option<f64>,
    retries: u32,
    backoff_seconds: f64,
    #[serde(rename = "if")]
    condition: Option<&'a str>,
    always: bool,
    expected_seconds: Option<f64>,
    defined_in: Cow<'a, str>,
    line: usize,
}

/// What a task runs; neither if it only gathers others.
#[derive(Serialize)]
struct Command<'a> {
    run: Option<&'a str>,
    exec: Option<&'a [String]>,
}

fn json(file: &TaskFile, foresight: &Foresight, out: &mut impl Write) -> io::Result<()> {
    let name = |&place: &usize| file.tasks[place].name.as_str();
    let plan = Plan {
        version: VERSION,
        file: file.source.to_string_lossy(),
        jobs: file.jobs,
        tasks: foresight
            .order
            .iter()
            .map(|&place| planned(file, foresight, place))
            .collect(),
        critical_path: foresight.critical.iter().map(name).collect(),
    };
    serde_json::to_writer(&mut *out, &plan)?;
    writeln!(out)
}

fn planned<'a>(file: &'a TaskFile, foresight: &Foresight, place: usize) -> Planned<'a> {
    let task = &file.tasks[place];
    let seconds = |duration: Option<Duration>| duration.map(|duration| duration.as_secs_f64());
    let word = |priority: adaptive_task_scheduler::Priority| priority.to_string().to_lowercase();
    let needs = task.needs.iter();
    let (run, exec) = match &task.action {
        Action::Shell(text) => (Some(text.as_str()), None),
        Action::Exec(arguments) => (None, Some(arguments.as_slice())),
        Action::Nothing => (None, None),
    };
    Planned {
        name: &task.name,
        class: &task.class,
        description: task.description.as_deref(),
        action: Command { run, exec },
        needs: needs.map(|&need| file.tasks[need].name.as_str()).collect(),
        inputs: &task.inputs,
        outputs: &task.outputs,
        env: task
            .env
            .iter()
            .map(|(name, value)| [name.as_str(), value.as_str()])
            .collect(),
        directory: task.directory.to_string_lossy(),
        priority: word(task.priority),
        effective_priority: word(foresight.effective[place]),
        lane: lane(task.lane),
        deadline_seconds: seconds(task.deadline),
        timeout_seconds: seconds(task.timeout),
        retries: task.retries.count,
        backoff_seconds: task.retries.backoff.as_secs_f64(),
        condition: task.condition.as_deref(),
        always: task.always,
        expected_seconds: seconds(foresight.expected[place]),
        defined_in: task.place.file.to_string_lossy(),
        line: task.place.line,
    }
}
