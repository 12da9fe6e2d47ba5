//! Pure: how long each task will probably take, and how sure that is.

use std::time::Duration;

use adaptive_task_scheduler::graph::{Basis, Durations};

use crate::taskfile::model::{Action, Task, TaskFile};

/// What a guess is made from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source {
    /// What this task took in earlier runs.
    Task,
    /// What tasks of its class took.
    Class,
    /// The file says so.
    File,
    /// It does nothing, and that takes no time.
    Nothing,
    /// What the other tasks take: little better than no guess.
    Others,
    /// Nothing is known, and all tasks count alike.
    Unknown,
}

/// How long a task will probably take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Guess {
    /// The mean.
    pub mean: Duration,
    /// The standard deviation, where one is known.
    pub deviation: Duration,
    /// How many samples it is made from.
    pub samples: u64,
    /// What it is made from.
    pub source: Source,
}

impl Guess {
    /// Whether it is good enough to be shown to people.
    #[must_use]
    pub fn is_known(self) -> bool {
        !matches!(self.source, Source::Others | Source::Unknown)
    }

    fn plain(mean: Duration, source: Source) -> Self {
        Guess {
            mean,
            deviation: Duration::ZERO,
            samples: 0,
            source,
        }
    }
}

/// Of each task of the file how long it will take: what was learned, else what the file says,
/// else what others take.
#[must_use]
pub fn guesses(file: &TaskFile, learned: &Durations) -> Vec<Guess> {
    let guesses = file.tasks.iter().map(|task| guess(task, learned));
    guesses.collect()
}

fn guess(task: &Task, learned: &Durations) -> Guess {
    if task.action == Action::Nothing {
        return Guess::plain(Duration::ZERO, Source::Nothing);
    }
    let expected = learned.expected(&task.class, &task.name);
    let source = match (expected.basis, task.expected) {
        (Basis::Node, _) => Source::Task,
        (Basis::Class, _) if task.class == task.name => Source::Task,
        (Basis::Class, _) => Source::Class,
        (_, Some(said)) => return Guess::plain(said, Source::File),
        (Basis::Others, None) => Source::Others,
        (_, None) => Source::Unknown,
    };
    Guess {
        mean: expected.mean,
        deviation: expected.deviation,
        samples: expected.samples,
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::taskfile::model::Place;

    fn task(name: &str, class: &str, expected: Option<u64>) -> Task {
        let place = Place {
            file: Path::new("a.toml").into(),
            line: 1,
        };
        Task {
            class: class.into(),
            action: Action::Shell("true".into()),
            expected: expected.map(Duration::from_secs),
            ..Task::new(name, place)
        }
    }

    #[test]
    fn what_was_learned_comes_before_what_the_file_says_and_that_before_what_others_take() {
        let mut learned = Durations::new();
        learned.record("test", "test (a)", Duration::from_secs(2));
        learned.record("build", "build", Duration::from_secs(7));
        let file = TaskFile {
            tasks: vec![
                task("test (b)", "test", Some(100)),
                task("build", "build", Some(100)),
                task("import", "import", Some(5)),
                task("other", "other", None),
            ],
            ..TaskFile::default()
        };
        let told: Vec<_> = guesses(&file, &learned)
            .iter()
            .map(|guess| (guess.mean.as_secs(), guess.source))
            .collect();
        assert_eq!(told[0], (2, Source::Class));
        assert_eq!(told[1], (7, Source::Task));
        assert_eq!(told[2], (5, Source::File));
        assert_eq!(told[3].1, Source::Others);
    }

    #[test]
    fn with_nothing_known_all_count_alike_and_nobody_is_told() {
        let file = TaskFile {
            tasks: vec![task("a", "a", None), task("b", "b", None)],
            ..TaskFile::default()
        };
        let guesses = guesses(&file, &Durations::new());
        assert_eq!(guesses[0].mean, guesses[1].mean);
        assert!(!guesses[0].is_known());
    }
}
