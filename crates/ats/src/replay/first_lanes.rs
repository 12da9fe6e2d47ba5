//! On which lane each task started, beside what its record says it did. Pure.
//!
//! The recorded share of CPU time is the ground truth: a task that computed for most of its time
//! belongs on the CPU lane, one that waited for most of it blocks its thread and belongs on the
//! blocking lane. The scheduler is told neither; it learns from the tasks of the same class.

use std::time::Duration;

use adaptive_task_scheduler::Lane;
use serde::Serialize;

use super::work::Load;
use super::workflow::RecordedTask;

/// Above so much of a core, in percent, a task clearly computed; below the other it clearly waited.
const COMPUTED: f64 = 75.0;
const WAITED: f64 = 25.0;
/// A shorter load holds nobody up, on whatever lane.
const SHORT: Duration = Duration::from_millis(1);

/// What a task's record says of its lane.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Truth {
    Clear(Lane),
    /// It did both, or the share was not recorded.
    Unclear,
    /// Replayed in less than a millisecond.
    Short,
}

fn truth(task: &RecordedTask, load: Load) -> Truth {
    if load.computing + load.waiting < SHORT {
        return Truth::Short;
    }
    match task.cpu_percent {
        Some(percent) if percent > COMPUTED => Truth::Clear(Lane::Cpu),
        Some(percent) if percent < WAITED => Truth::Clear(Lane::Blocking),
        _ => Truth::Unclear,
    }
}

/// How many tasks of one run started where they belong.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct FirstLanes {
    /// Tasks that clearly computed or clearly waited.
    pub clear: usize,
    /// Those of them that started on the CPU or the blocking lane, as they should.
    pub right: usize,
    /// Tasks that did both, or whose share of CPU time was not recorded.
    pub unclear: usize,
    /// Tasks of less than a millisecond.
    pub short: usize,
}

impl FirstLanes {
    /// Judges the lanes on which the tasks started; a lane for each task that did.
    #[must_use]
    pub fn judge(tasks: &[RecordedTask], loads: &[Load], started: &[Option<Lane>]) -> Self {
        let mut counts = Self::default();
        for ((task, &load), started) in tasks.iter().zip(loads).zip(started) {
            match truth(task, load) {
                Truth::Clear(lane) => {
                    counts.clear += 1;
                    counts.right += usize::from(*started == Some(lane));
                }
                Truth::Unclear => counts.unclear += 1,
                Truth::Short => counts.short += 1,
            }
        }
        counts
    }

    /// The share of clear tasks that started where they belong; `None` without any.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        (self.clear > 0).then(|| self.right as f64 / self.clear as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(cpu_percent: Option<f64>) -> RecordedTask {
        RecordedTask {
            id: "x".into(),
            class: "x".into(),
            parents: vec![],
            run_time: Duration::from_secs(1),
            cpu_percent,
            ..RecordedTask::default()
        }
    }

    #[test]
    fn only_tasks_that_clearly_did_one_thing_are_judged() {
        let cases = [
            (Some(99.0), 10.0, Some(Lane::Cpu), (1, 1, 0, 0)),
            (Some(99.0), 10.0, Some(Lane::Io), (1, 0, 0, 0)),
            (Some(110.0), 10.0, None, (1, 0, 0, 0)),
            (Some(3.0), 10.0, Some(Lane::Blocking), (1, 1, 0, 0)),
            (Some(3.0), 10.0, Some(Lane::Cpu), (1, 0, 0, 0)),
            (Some(50.0), 10.0, Some(Lane::Cpu), (0, 0, 1, 0)),
            (None, 10.0, Some(Lane::Cpu), (0, 0, 1, 0)),
            (Some(3.0), 2_000.0, Some(Lane::Blocking), (0, 0, 0, 1)),
        ];
        for (percent, speed, started, (clear, right, unclear, short)) in cases {
            let task = task(percent);
            let load = Load::of(&task, speed);
            let counts = FirstLanes::judge(&[task], &[load], &[started]);
            let expected = FirstLanes {
                clear,
                right,
                unclear,
                short,
            };
            assert_eq!(counts, expected, "{percent:?} at {speed}");
        }
    }

    #[test]
    fn there_is_no_share_of_nothing() {
        assert_eq!(FirstLanes::default().share(), None);
    }
}
