//! Pure: why a run took as long as it did.
//!
//! From the task that ended last one walks back: before each task ran, the last of its needs had
//! to end. So the whole time of a run is the sum of what the tasks of this path ran, were retried,
//! were paused and waited for a place, and of what lay between them. The first of these is set
//! against the lower bound, which no order of running can beat.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

use super::course::Course;
use super::outlook::divisor;
use super::state::State;
use crate::taskfile::model::Lane;

/// A task of the path, and where its time went.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Step {
    /// The task.
    pub task: u32,
    /// How long its last attempt ran.
    pub ran: Duration,
    /// How long it waited for a place.
    pub waited: Duration,
    /// Who had the place that it took at last.
    pub behind: Option<u32>,
    /// How long attempts and rests before the last attempt took.
    pub retried: Duration,
    /// How long it was paused.
    pub paused: Duration,
    /// How long after the end of what it needed it was ready.
    pub between: Duration,
}

/// Why a run took as long as it did.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Past {
    /// The path that decided how long the run took, in the order of running.
    pub path: Vec<Step>,
    /// When the last task of it ended.
    pub took: Duration,
    /// The longest path by what the tasks took.
    pub longest: Duration,
    /// What was computed, spread over all places.
    pub spread: Duration,
}

impl Past {
    /// No order of running could have been faster.
    #[must_use]
    pub fn bound(&self) -> Duration {
        self.longest.max(self.spread)
    }

    /// The sum over all steps of one of their parts.
    #[must_use]
    pub fn sum(&self, part: impl Fn(&Step) -> Duration) -> Duration {
        self.path.iter().map(part).sum()
    }
}

/// Looks back.
#[must_use]
pub fn past(state: &State) -> Past {
    let ran: Vec<Duration> = durations(state);
    let tasks = state.tasks();
    let computed: Duration = tasks
        .iter()
        .filter(|(_, task)| task.lane == Lane::Cpu)
        .map(|(task, _)| ran[task as usize])
        .sum();
    let remaining = tasks.shape().remaining(&ran);
    let path = path(state);
    Past {
        took: path
            .last()
            .and_then(|step| state.course(step.task).ended)
            .unwrap_or_default(),
        path,
        longest: remaining.into_iter().max().unwrap_or_default(),
        spread: computed / divisor(tasks.jobs()),
    }
}

fn durations(state: &State) -> Vec<Duration> {
    let tasks = state.tasks().iter();
    tasks.map(|(task, _)| ran(state.course(task))).collect()
}

/// How long the last attempt of a task that is over ran.
#[must_use]
pub fn ran(course: &Course) -> Duration {
    course.last_attempt(course.ended.unwrap_or_default())
}

fn path(state: &State) -> Vec<Step> {
    let ran = |task: &u32| !state.course(*task).attempts.is_empty();
    let tasks = state.tasks().iter().map(|(task, _)| task);
    let mut next = tasks
        .filter(ran)
        .max_by_key(|&task| (state.course(task).ended, Reverse(task)));
    let before = Before::of(state);
    let mut path = Vec::new();
    while let Some(task) = next {
        let needs = state.tasks().get(task).needs.iter().copied();
        next = needs
            .filter(ran)
            .max_by_key(|&need| (state.course(need).ended, Reverse(need)));
        let released = next.and_then(|need| state.course(need).ended);
        path.push(step(state, task, released.unwrap_or_default(), &before));
    }
    path.reverse();
    path
}

fn step(state: &State, task: u32, released: Duration, before: &Before) -> Step {
    let course = state.course(task);
    let ready = course.ready.unwrap_or_default();
    let began = course.began().unwrap_or(ready);
    let ended = course.ended.unwrap_or(began);
    let last = course
        .attempts
        .last()
        .map_or(began, |last| last.stretch.from);
    let waited = began.saturating_sub(ready);
    Step {
        task,
        ran: ran(course),
        waited,
        behind: before.find(task).filter(|_| !waited.is_zero()),
        retried: last.saturating_sub(began),
        paused: course.paused(ended),
        between: ready.saturating_sub(released),
    }
}

/// Who had each place before whom.
struct Before(HashMap<u32, u32>);

impl Before {
    fn of(state: &State) -> Self {
        let mut attempts: Vec<(Duration, u32, u32)> = state
            .tasks()
            .iter()
            .flat_map(|(task, _)| {
                let attempts = state.course(task).attempts.iter();
                attempts.map(move |attempt| (attempt.stretch.from, attempt.row, task))
            })
            .collect();
        attempts.sort_unstable();
        let mut last_on = HashMap::new();
        let mut before = HashMap::new();
        for (_, row, task) in attempts {
            if let Some(other) = last_on.insert(row, task) {
                before.entry(task).or_insert(other);
            }
        }
        Before(before)
    }

    fn find(&self, task: u32) -> Option<u32> {
        self.0.get(&task).copied()
    }
}

#[cfg(test)]
mod tests {
    use adaptive_task_scheduler::Priority;

    use super::super::sample::{Row, Story};
    use super::*;

    const ROWS: &[Row] = &[
        ("a", &[], Priority::Mid, None),
        ("b", &["a"], Priority::Mid, None),
        ("c", &["a"], Priority::Mid, None),
        ("d", &["b"], Priority::Mid, None),
    ];

    #[test]
    fn all_of_the_time_is_accounted_for() {
        let mut story = Story::of(ROWS, 1);
        story.at(100).begin("a");
        story.at(1_100).done("a").ready("b").begin("c");
        story.at(3_100).done("c").start("b", 1);
        story.at(4_100).retry("b");
        story.at(5_100).start("b", 2);
        story.at(6_100).pause("b", "d");
        story.at(6_600).go_on("b");
        story.at(7_100).done("b").begin("d");
        story.at(8_100).done("d");
        let past = past(&story.state);
        let names: Vec<_> = past
            .path
            .iter()
            .map(|step| story.state.tasks().name(step.task))
            .collect();
        assert_eq!(names, ["a", "b", "d"]);
        let b = &past.path[1];
        let millis = |duration: u64| Duration::from_millis(duration);
        assert_eq!((b.waited, b.retried), (millis(2_000), millis(2_000)));
        assert_eq!((b.paused, b.ran), (millis(500), millis(1_500)));
        assert_eq!(b.behind, Some(2));
        let sum =
            past.sum(|step| step.ran + step.waited + step.retried + step.paused + step.between);
        assert_eq!(sum, past.took);
        assert_eq!(past.took, millis(8_100));
        assert_eq!(past.longest, millis(3_500));
        assert_eq!(past.bound(), millis(5_500));
    }

    #[test]
    fn what_did_not_run_is_on_no_path() {
        let mut story = Story::of(ROWS, 1);
        story.at(0).begin("a");
        story
            .at(5)
            .end("a", crate::runner::ending::Ending::ExitCode(1), "");
        story
            .never("b", Some("a"))
            .never("c", Some("a"))
            .never("d", Some("a"));
        let path = past(&story.state).path;
        assert_eq!(path.iter().map(|step| step.task).collect::<Vec<_>>(), [0]);
        assert_eq!(past(&Story::of(ROWS, 1).state), Past::default());
    }
}
