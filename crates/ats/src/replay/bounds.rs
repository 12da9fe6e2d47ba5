//! How fast a workflow could be at best, whoever schedules it. Pure arithmetic on the record.

use std::time::Duration;

use super::workflow::Workflow;

/// A file is replayed so fast that its lower bound takes this long: short enough to be watched
/// for two dozen files, long enough that most tasks take milliseconds.
const PLEASANT: Duration = Duration::from_secs(2);

/// The two lower bounds of a workflow's makespan, at some speed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// The longest chain of tasks that run one after the other.
    pub critical_path: Duration,
    /// All computing, spread evenly over the cores. Waiting needs no core.
    pub work_over_cores: Duration,
}

/// The bounds of a workflow as recorded, on so many cores.
#[must_use]
pub fn of(workflow: &Workflow, cores: usize) -> Bounds {
    let mut ends: Vec<Duration> = Vec::with_capacity(workflow.tasks.len());
    let mut computing = Duration::ZERO;
    for task in &workflow.tasks {
        let start = task.parents.iter().map(|&parent| ends[parent]).max();
        ends.push(start.unwrap_or_default() + task.run_time);
        computing += task.run_time.mul_f64(task.computing());
    }
    Bounds {
        critical_path: ends.into_iter().max().unwrap_or_default(),
        work_over_cores: computing.div_f64(cores as f64),
    }
}

impl Bounds {
    /// The higher of the two: no schedule is faster.
    #[must_use]
    pub fn lower(self) -> Duration {
        self.critical_path.max(self.work_over_cores)
    }

    /// The same workflow, replayed `speed` times faster.
    #[must_use]
    pub fn at(self, speed: f64) -> Self {
        Bounds {
            critical_path: self.critical_path.div_f64(speed),
            work_over_cores: self.work_over_cores.div_f64(speed),
        }
    }

    /// The speed at which this takes a few seconds, in two figures; never slower than recorded.
    #[must_use]
    pub fn pleasant_speed(self) -> f64 {
        let exact = self.lower().as_secs_f64() / PLEASANT.as_secs_f64();
        if exact <= 1.0 {
            return 1.0;
        }
        let step = 10_f64.powf(exact.log10().floor() - 1.0);
        (exact / step).round() * step
    }
}

#[cfg(test)]
mod tests {
    use super::super::workflow::RecordedTask;
    use super::*;

    fn task(parents: &[usize], seconds: u64, cpu_percent: f64) -> RecordedTask {
        RecordedTask {
            id: String::new(),
            class: String::new(),
            parents: parents.to_vec(),
            run_time: Duration::from_secs(seconds),
            cpu_percent: Some(cpu_percent),
            ..RecordedTask::default()
        }
    }

    fn bounds(tasks: Vec<RecordedTask>) -> (u64, u64) {
        let workflow = Workflow {
            tasks,
            ..Workflow::default()
        };
        let bounds = of(&workflow, 2);
        (
            bounds.critical_path.as_secs(),
            bounds.work_over_cores.as_secs(),
        )
    }

    #[test]
    fn the_critical_path_is_the_longest_chain_and_waiting_needs_no_core() {
        let diamond = vec![
            task(&[], 10, 100.0),
            task(&[0], 40, 0.0),
            task(&[0], 20, 100.0),
            task(&[1, 2], 10, 50.0),
        ];
        assert_eq!(bounds(diamond), (60, 17));
        assert_eq!(bounds(vec![]), (0, 0));
        assert_eq!(bounds(vec![task(&[], 10, 800.0)]), (10, 5));
    }

    #[test]
    fn the_pleasant_speed_has_two_figures() {
        for (seconds, speed) in [(0, 1.0), (1, 1.0), (91, 46.0), (5_555, 2_800.0)] {
            let bounds = Bounds {
                critical_path: Duration::from_secs(seconds),
                work_over_cores: Duration::ZERO,
            };
            assert!(
                (bounds.pleasant_speed() - speed).abs() < 1e-6,
                "{seconds} s"
            );
        }
    }
}
