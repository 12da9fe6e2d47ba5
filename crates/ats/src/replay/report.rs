//! What a replay measured, for people and for machines.

use std::fmt;
use std::time::Duration;

use anstyle::Style;
use serde::Serialize;

use super::bounds::Bounds;
use super::first_lanes::FirstLanes;
use super::scheduled::Outcome;
use super::workflow::Workflow;
use crate::text;

/// The results of one file. Times are seconds.
#[derive(Debug, Serialize)]
pub struct Report {
    file: String,
    tasks: usize,
    dependencies: usize,
    cores: usize,
    speed: f64,
    recorded_makespan: Option<f64>,
    critical_path: f64,
    work_over_cores: f64,
    lower_bound: f64,
    runs: Vec<Run>,
    first_come_on_tokio: Option<FirstCome>,
    /// Tasks of which no `avgCPU` was recorded: they computed all the time.
    without_cpu_share: usize,
    /// Tasks that used more than one core: a replayed one has only one.
    of_several_cores: usize,
    /// What must be known about the record.
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Promotions {
    boosts: u64,
    relocations: u64,
    hand_offs: u64,
}

/// One run on the scheduler.
#[derive(Debug, Serialize)]
struct Run {
    makespan: f64,
    over_lower_bound: Option<f64>,
    promotions: Promotions,
    first_lanes: FirstLanes,
    /// Of the tasks that clearly computed or waited.
    on_the_right_lane: Option<f64>,
}

#[derive(Debug, Serialize)]
struct FirstCome {
    makespan: f64,
    over_lower_bound: Option<f64>,
}

impl Report {
    /// Puts the results of one file together; `recorded` are the bounds before the speed-up.
    #[must_use]
    pub fn new(
        file: String,
        workflow: &Workflow,
        cores: usize,
        speed: f64,
        recorded: Bounds,
        scheduled: &[Outcome],
        first_come: Option<Duration>,
    ) -> Self {
        let bounds = recorded.at(speed);
        let lower = bounds.lower().as_secs_f64();
        let over = |makespan: Duration| (lower > 0.0).then(|| makespan.as_secs_f64() / lower);
        let tasks = &workflow.tasks;
        Report {
            file,
            tasks: tasks.len(),
            dependencies: workflow.dependencies(),
            cores,
            speed,
            recorded_makespan: workflow.makespan.map(|makespan| makespan.as_secs_f64()),
            critical_path: bounds.critical_path.as_secs_f64(),
            work_over_cores: bounds.work_over_cores.as_secs_f64(),
            lower_bound: lower,
            runs: scheduled
                .iter()
                .map(|run| Run {
                    makespan: run.makespan.as_secs_f64(),
                    over_lower_bound: over(run.makespan),
                    promotions: Promotions {
                        boosts: run.boosts,
                        relocations: run.relocations,
                        hand_offs: run.hand_offs,
                    },
                    first_lanes: run.first_lanes,
                    on_the_right_lane: run.first_lanes.share(),
                })
                .collect(),
            first_come_on_tokio: first_come.map(|makespan| FirstCome {
                makespan: makespan.as_secs_f64(),
                over_lower_bound: over(makespan),
            }),
            without_cpu_share: tasks
                .iter()
                .filter(|task| task.cpu_percent.is_none())
                .count(),
            of_several_cores: tasks
                .iter()
                .filter(|task| task.used_several_cores())
                .count(),
            notes: workflow.notes.clone(),
        }
    }
}

const BOLD: Style = Style::new().bold();

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{BOLD}{}{BOLD:#}", self.file)?;
        self.graph(f)?;
        self.bounds(f)?;
        for (number, run) in (1..).zip(&self.runs) {
            let title = match self.runs.len() {
                1 => "makespan".to_owned(),
                _ => format!("run {number}"),
            };
            writeln!(f, "  {title:<12} {run}")?;
        }
        if let Some(tokio) = &self.first_come_on_tokio {
            let measured = measured(tokio.makespan, tokio.over_lower_bound);
            writeln!(
                f,
                "  plain Tokio  {measured}, the same graph, first come first served"
            )?;
        }
        if let [only] = self.runs.as_slice() {
            writeln!(f, "  promotions   {}", only.promotions)?;
        }
        self.lanes(f)?;
        self.notes(f)
    }
}

impl Report {
    fn graph(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "  {}, {} dependencies, at {} times the recorded speed on {}",
            text::count(self.tasks, "task"),
            text::grouped(self.dependencies),
            self.speed,
            text::count(self.cores, "core"),
        )?;
        match self.recorded_makespan {
            Some(makespan) => writeln!(f, "; the recorded run took {}", seconds(makespan)),
            None => writeln!(f),
        }
    }

    fn bounds(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  lower bound  {:<8} the greater of: critical path {}, work over cores {}",
            seconds(self.lower_bound),
            seconds(self.critical_path),
            seconds(self.work_over_cores),
        )
    }

    /// What the shares of the right lanes are of.
    fn lanes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(lanes) = self.runs.first().map(|run| run.first_lanes) else {
            return Ok(());
        };
        writeln!(
            f,
            "  lanes        judged of {} that clearly computed or waited; {} did both, {} took \
             less than 1 ms",
            text::count(lanes.clear, "task"),
            text::grouped(lanes.unclear),
            text::grouped(lanes.short),
        )
    }

    fn notes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.without_cpu_share > 0 {
            let tasks = text::count(self.without_cpu_share, "task");
            writeln!(
                f,
                "  note         {tasks} without avgCPU, replayed as computing"
            )?;
        }
        if self.of_several_cores > 0 {
            let tasks = text::count(self.of_several_cores, "task");
            writeln!(
                f,
                "  note         {tasks} used several cores, replayed on one"
            )?;
        }
        for note in &self.notes {
            writeln!(f, "  note         {note}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let makespan = measured(self.makespan, self.over_lower_bound);
        write!(f, "{makespan}")?;
        match self.on_the_right_lane {
            Some(share) => write!(f, ", {:.1} % began on the right lane", share * 100.0),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Promotions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            boosts,
            relocations,
            hand_offs,
        } = self;
        write!(
            f,
            "{boosts} boosts, {relocations} relocations, {hand_offs} hand-offs"
        )
    }
}

fn seconds(seconds: f64) -> String {
    text::duration(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

fn measured(makespan: f64, over: Option<f64>) -> String {
    match over {
        Some(over) => format!("{:<8} {over:.3} of the lower bound", seconds(makespan)),
        None => seconds(makespan),
    }
}
