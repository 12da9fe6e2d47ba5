//! Traces of our own: what `ats run --trace FILE` leaves, read from the `ats` section of a file that
//! is otherwise for trace viewers.
//!
//! [`Section`] is the section as it is written, before anything is known to be right; [`check`]
//! makes a [`Workflow`] of it, or a list of everything that is wrong. Nothing here recurses.

use std::path::Path;
use std::time::Duration;

use adaptive_task_scheduler::Priority;
use serde::Deserialize;

use super::workflow::{RecordedTask, Workflow, place_in_order};
use crate::graph::topological;
use crate::input::Problem;
use crate::text::{count, duration, nearest, printable};

/// The version of the section that is understood.
pub const VERSION: u64 = 1;

/// What `ats run` tells of a run, times in microseconds from its beginning.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub struct Section {
    /// Must be [`VERSION`].
    pub version: Option<u64>,
    /// How many commands could run at once.
    pub jobs: Option<u64>,
    /// How long the run took.
    pub makespan_us: Option<u64>,
    /// The tasks, in the order of the task file.
    pub tasks: Vec<TracedTask>,
}

/// A task, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub struct TracedTask {
    /// Unique in the file.
    pub name: Option<String>,
    /// What durations are learned by; the name where it is left out.
    pub class: Option<String>,
    /// Places in the list of tasks.
    pub needs: Vec<u64>,
    /// `free` to `monitoring`.
    pub priority: Option<String>,
    /// `cpu`, `io` or `blocking`.
    pub lane: Option<String>,
    /// When its first attempt began, if it ever did.
    pub start_us: Option<u64>,
    /// When its last attempt ended.
    pub end_us: Option<u64>,
    /// CPU time of all processes.
    pub cpu_us: Option<u64>,
    /// What it was expected to take before the run.
    pub expected_us: Option<u64>,
    /// `done`, `failed`, `skipped`, `stopped` or `never`.
    pub outcome: Option<String>,
}

/// Thirty years, as for other formats.
const LONGEST: u64 = 1_000_000_000 * 1_000_000;

const OUTCOMES: [&str; 5] = ["done", "failed", "skipped", "stopped", "never"];

/// Checks a section.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn check(path: &Path, section: &Section) -> Result<Workflow, Vec<Problem>> {
    check_version(path, section).map_err(|problem| vec![problem])?;
    let mut checking = Checking {
        path,
        tasks: &section.tasks,
        end: section.makespan_us,
        problems: Vec::new(),
    };
    let needs = checking.needs();
    let tasks: Vec<_> = (0..section.tasks.len())
        .map(|place| checking.task(place))
        .collect();
    checking.names();
    let order = checking.order(&needs);
    if !checking.problems.is_empty() {
        return Err(checking.problems);
    }
    Ok(Workflow {
        tasks: arranged(tasks, &needs, &order),
        makespan: section
            .makespan_us
            .map(|us| Duration::from_micros(us.min(LONGEST))),
        notes: notes(section),
    })
}

fn check_version(path: &Path, section: &Section) -> Result<(), Problem> {
    let found = match section.version {
        Some(VERSION) => return Ok(()),
        Some(version) => format!("the trace is of version {version}"),
        None => "no version is given".to_owned(),
    };
    Err(Problem::at(
        path,
        "ats.version",
        found,
        format!("give a trace of version {VERSION}, which `ats run --trace FILE` writes"),
    ))
}

struct Checking<'a> {
    path: &'a Path,
    tasks: &'a [TracedTask],
    /// When the run ended.
    end: Option<u64>,
    problems: Vec<Problem>,
}

impl Checking<'_> {
    fn complain(&mut self, place: String, what: String, remedy: impl Into<String>) {
        let problem = Problem::at(self.path, place, what, remedy);
        self.problems.push(problem);
    }

    fn quoted(&self, place: usize) -> String {
        match &self.tasks[place].name {
            Some(name) => format!("`{}`", printable(name)),
            None => "without name".to_owned(),
        }
    }

    fn needs(&mut self) -> Vec<Vec<usize>> {
        let mut all = Vec::with_capacity(self.tasks.len());
        for (place, task) in self.tasks.iter().enumerate() {
            let mut needs = Vec::with_capacity(task.needs.len());
            for (at, &need) in task.needs.iter().enumerate() {
                match usize::try_from(need).ok().filter(|&n| n < self.tasks.len()) {
                    Some(need) => needs.push(need),
                    None => self.complain(
                        format!("{}.needs[{at}]", task_at(place)),
                        format!("task {} needs the task at {need}", self.quoted(place)),
                        format!("give a place from 0 to {}", self.tasks.len() - 1),
                    ),
                }
            }
            needs.sort_unstable();
            needs.dedup();
            all.push(needs);
        }
        all
    }

    fn task(&mut self, place: usize) -> RecordedTask {
        let task = &self.tasks[place];
        let name = task.name.clone().unwrap_or_default();
        let run_time = self.run_time(place);
        let waits = self.word(place, "lane", &task.lane, &["cpu", "io", "blocking"]) != Some(0);
        RecordedTask {
            class: task.class.clone().unwrap_or_else(|| name.clone()),
            id: name,
            place,
            parents: Vec::new(),
            run_time,
            cpu_percent: self.cpu_percent(place, run_time),
            input_bytes: None,
            priority: self.priority(place),
            waits: waits && task.lane.is_some(),
            expected: task
                .expected_us
                .map(|us| Duration::from_micros(us.min(LONGEST))),
        }
    }

    fn run_time(&mut self, place: usize) -> Duration {
        let task = &self.tasks[place];
        let outcome = self.word(place, "outcome", &task.outcome, &OUTCOMES);
        let (start, end) = match (task.start_us, task.end_us) {
            (Some(start), Some(end)) => (start, end),
            (None, None) if matches!(outcome.map(|at| OUTCOMES[at]), Some("never" | "skipped")) => {
                return Duration::ZERO;
            }
            // It was under way when the run was stopped for good.
            (Some(start), None) if outcome.map(|at| OUTCOMES[at]) == Some("stopped") => {
                (start, self.end.unwrap_or(start).max(start))
            }
            (start, _) => {
                let missing = if start.is_none() {
                    "start_us"
                } else {
                    "end_us"
                };
                self.complain(
                    format!("{}.{missing}", task_at(place)),
                    format!("task {} has no {missing}", self.quoted(place)),
                    "give it, or the outcome `never`",
                );
                return Duration::ZERO;
            }
        };
        if end > LONGEST || end < start {
            self.complain(
                format!("{}.end_us", task_at(place)),
                format!(
                    "task {} starts at {start} µs and ends at {end} µs",
                    self.quoted(place)
                ),
                "give an end that is not before the start, and at most 1e15",
            );
            return Duration::ZERO;
        }
        Duration::from_micros(end - start)
    }

    fn cpu_percent(&self, place: usize, run_time: Duration) -> Option<f64> {
        let cpu = Duration::from_micros(self.tasks[place].cpu_us?.min(LONGEST));
        (!run_time.is_zero()).then(|| 100.0 * cpu.as_secs_f64() / run_time.as_secs_f64())
    }

    fn priority(&mut self, place: usize) -> Priority {
        let words = Priority::ALL.map(Priority::as_str);
        let word = self.word(place, "priority", &self.tasks[place].priority, &words);
        word.map(|at| Priority::ALL[at]).unwrap_or_default()
    }

    /// Which of the words a field says; a field that is left out says none.
    fn word(
        &mut self,
        place: usize,
        field: &str,
        said: &Option<String>,
        words: &[&str],
    ) -> Option<usize> {
        let said = said.as_deref()?;
        let found = words.iter().position(|&word| word == said);
        if found.is_none() {
            let remedy = match nearest(said, words.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("give one of {}", words.join(", ")),
            };
            self.complain(
                format!("{}.{field}", task_at(place)),
                format!(
                    "task {} has the {field} `{}`",
                    self.quoted(place),
                    printable(said)
                ),
                remedy,
            );
        }
        found
    }

    fn names(&mut self) {
        if self.tasks.is_empty() {
            let (place, what) = ("ats.tasks".to_owned(), "there are no tasks".to_owned());
            self.complain(place, what, "give a trace with tasks");
        }
        let mut seen = std::collections::HashMap::with_capacity(self.tasks.len());
        for (place, task) in self.tasks.iter().enumerate() {
            let Some(name) = task.name.as_deref() else {
                let what = "the task has no name".to_owned();
                self.complain(task_at(place), what, "give it a `name`");
                continue;
            };
            if let Some(first) = seen.insert(name, place) {
                let what = format!("the name {} is doubled", self.quoted(place));
                let remedy = format!("give each task its own; {} has this one", task_at(first));
                self.complain(task_at(place), what, remedy);
            }
        }
    }

    fn order(&mut self, needs: &[Vec<usize>]) -> Vec<usize> {
        topological(needs).unwrap_or_else(|cycle| {
            let path: Vec<String> = cycle.iter().map(|&task| self.quoted(task)).collect();
            self.complain(
                task_at(cycle[0]),
                format!("tasks wait on each other in a cycle: {}", path.join(" -> ")),
                "remove one of these needs",
            );
            Vec::new()
        })
    }
}

fn task_at(place: usize) -> String {
    format!("ats.tasks[{place}]")
}

fn arranged(
    mut tasks: Vec<RecordedTask>,
    needs: &[Vec<usize>],
    order: &[usize],
) -> Vec<RecordedTask> {
    let place_of = place_in_order(order);
    let arrange = |&place: &usize| RecordedTask {
        parents: needs[place].iter().map(|&need| place_of[need]).collect(),
        ..std::mem::take(&mut tasks[place])
    };
    order.iter().map(arrange).collect()
}

/// What of the run makes its replay differ from what a whole run would have been.
fn notes(section: &Section) -> Vec<String> {
    let with = |wanted: &str| {
        let is_so = |task: &&TracedTask| task.outcome.as_deref() == Some(wanted);
        section.tasks.iter().filter(is_so).count()
    };
    let kinds = [
        ("skipped", "skipped: no time is taken here"),
        ("never", "never begun: no time is taken here"),
        ("failed", "failed: what needs it goes on here"),
        ("stopped", "stopped: the time until then is taken"),
    ];
    let of_kinds = kinds
        .into_iter()
        .filter(|(outcome, _)| with(outcome) > 0)
        .map(|(outcome, said)| format!("{} {said}", count(with(outcome), "task")));
    took(section).into_iter().chain(of_kinds).collect()
}

/// What the run was, to compare with what it could have been.
fn took(section: &Section) -> Option<String> {
    let makespan = Duration::from_micros(section.makespan_us?.min(LONGEST));
    let jobs = usize::try_from(section.jobs?).ok()?;
    let jobs = count(jobs, "job");
    Some(format!("the run took {} with {jobs}", duration(makespan)))
}
