//! A run for tests: the tasks of a small build, and what happens to them, told in short.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use adaptive_task_scheduler::Priority;
use adaptive_task_scheduler::graph::Durations;

use super::json::Stream;
use super::plain::line;
use super::state::State;
use super::tasks::{Tasks, number, shape};
use crate::runner::ending::Ending;
use crate::runner::note::{Event, Note, Skip};
use crate::runner::output::Output;
use crate::runner::stop::Level;
use crate::taskfile::model::{Action, Place, Task, TaskFile};

/// Of each task its name, what it needs, its priority, and how many seconds it took before.
pub(crate) type Row = (&'static str, &'static [&'static str], Priority, Option<u64>);

/// A small build.
pub(crate) const BUILD: &[Row] = &[
    ("fetch", &[], Priority::Mid, Some(3)),
    ("generate", &["fetch"], Priority::Mid, Some(5)),
    ("compile (os=linux)", &["generate"], Priority::Mid, Some(20)),
    ("compile (os=macos)", &["generate"], Priority::Mid, Some(24)),
    ("lint", &["fetch"], Priority::Mid, Some(6)),
    ("docs", &["fetch"], Priority::Free, Some(10)),
    (
        "unit-tests",
        &["compile (os=linux)"],
        Priority::Mid,
        Some(30),
    ),
    (
        "deploy",
        &["unit-tests", "lint", "compile (os=macos)"],
        Priority::Production,
        Some(4),
    ),
];

/// A run that is told what happens.
pub(crate) struct Story {
    pub(crate) state: State,
    /// What a log shows of it.
    pub(crate) plain: Vec<String>,
    /// What scrolls by above a live display.
    pub(crate) above: Vec<String>,
    /// What programs read of it.
    pub(crate) json: String,
    stream: Stream,
    places: HashMap<String, usize>,
    at: Duration,
}

impl Story {
    /// The small build, two tasks at once.
    pub(crate) fn of_build() -> Self {
        Story::of(BUILD, 2)
    }

    /// These tasks, so many at once.
    pub(crate) fn of(rows: &[Row], jobs: usize) -> Self {
        let file = file(rows);
        let mut learned = Durations::new();
        for (task, (_, _, _, took)) in file.tasks.iter().zip(rows) {
            for took in took.iter().flat_map(|took| [took; 3]) {
                learned.record(&task.class, &task.name, Duration::from_secs(*took));
            }
        }
        let tasks = Tasks::of(&file, shape(&file.tasks), &learned, jobs);
        let places = file.tasks.iter().enumerate();
        Story {
            plain: Vec::new(),
            above: Vec::new(),
            json: Stream::beginning(Path::new("ats.toml"), Some("r1"), &tasks),
            stream: Stream::default(),
            state: State::of(tasks),
            places: places
                .map(|(place, task)| (task.name.clone(), place))
                .collect(),
            at: Duration::ZERO,
        }
    }

    /// What comes next happens at so many milliseconds.
    pub(crate) fn at(&mut self, milliseconds: u64) -> &mut Self {
        self.at = Duration::from_millis(milliseconds);
        self
    }

    pub(crate) fn now(&self) -> Duration {
        self.at
    }

    pub(crate) fn place(&self, name: &str) -> usize {
        self.places[name]
    }

    pub(crate) fn tell(&mut self, event: Event) -> &mut Self {
        let mut note = Note { at: self.at, event };
        self.state.take(&mut note);
        let strip = |line: String| anstream::adapter::strip_str(&line).to_string();
        self.plain
            .extend(line(&self.state, &note.event, false).map(strip));
        self.above
            .extend(line(&self.state, &note.event, true).map(strip));
        self.json += &self.stream.lines(self.state.tasks(), &note);
        self
    }

    pub(crate) fn ready(&mut self, name: &str) -> &mut Self {
        let task = self.place(name);
        self.tell(Event::Ready { task })
    }

    /// A further attempt begins.
    pub(crate) fn start(&mut self, name: &str, attempt: u32) -> &mut Self {
        let task = self.place(name);
        self.tell(Event::Started {
            task,
            attempt,
            pid: Some(4711),
        })
    }

    /// Is ready and begins at once.
    pub(crate) fn begin(&mut self, name: &str) -> &mut Self {
        self.ready(name).start(name, 1)
    }

    pub(crate) fn end(&mut self, name: &str, ending: Ending, said: &str) -> &mut Self {
        let task = self.place(name);
        let course = self.state.course(number(task));
        let event = Event::Ended {
            task,
            ending,
            took: course.last_attempt(self.at),
            attempts: u32::try_from(course.attempts.len()).unwrap(),
            output: printed(said),
            cpu: None,
        };
        self.tell(event)
    }

    /// Everything that can happen to tasks.
    pub(crate) fn of_all_kinds() -> Self {
        let mut story = Story::of_build();
        story.at(0).begin("fetch");
        story
            .at(2_900)
            .print("fetch", "12 files\n".as_bytes())
            .done("fetch");
        story
            .begin("generate")
            .skip("lint", Skip::UpToDate)
            .begin("docs");
        story.at(4_000).pause("docs", "compile (os=macos)");
        story
            .at(7_000)
            .done("generate")
            .begin("compile (os=macos)")
            .ready("compile (os=linux)");
        story.at(9_000).go_on("docs").skip("docs", Skip::Condition);
        story
            .at(9_100)
            .start("compile (os=linux)", 1)
            .retry("compile (os=linux)");
        story.at(11_100).start("compile (os=linux)", 2);
        story
            .at(12_000)
            .print("compile (os=linux)", "no spa\u{e9}".as_bytes());
        story.end(
            "compile (os=linux)",
            Ending::TimedOut(Duration::from_secs(1)),
            "no spaé",
        );
        story
            .never("unit-tests", Some("compile (os=linux)"))
            .never("deploy", None);
        story.tell(Event::Stopping {
            level: Level::Gently,
        });
        story.at(12_500).tell(Event::Stopping {
            level: Level::AtOnce,
        });
        story.end("compile (os=macos)", Ending::Stopped, "");
        story
    }

    pub(crate) fn print(&mut self, name: &str, bytes: &[u8]) -> &mut Self {
        let (task, bytes) = (self.place(name), bytes.to_vec());
        self.tell(Event::Output { task, bytes })
    }

    pub(crate) fn done(&mut self, name: &str) -> &mut Self {
        self.end(name, Ending::Success, "")
    }

    pub(crate) fn retry(&mut self, name: &str) -> &mut Self {
        let event = Event::Retrying {
            task: self.place(name),
            ending: Ending::ExitCode(1),
            left: 1,
            after: Duration::from_secs(2),
        };
        self.tell(event)
    }

    pub(crate) fn pause(&mut self, name: &str, for_name: &str) -> &mut Self {
        let (task, for_task) = (self.place(name), self.place(for_name));
        self.tell(Event::Paused { task, for_task })
    }

    pub(crate) fn go_on(&mut self, name: &str) -> &mut Self {
        let task = self.place(name);
        self.tell(Event::Continued { task })
    }

    pub(crate) fn skip(&mut self, name: &str, why: Skip) -> &mut Self {
        let task = self.place(name);
        self.tell(Event::Skipped { task, why })
    }

    pub(crate) fn never(&mut self, name: &str, root: Option<&str>) -> &mut Self {
        let (task, root) = (self.place(name), root.map(|root| self.place(root)));
        self.tell(Event::NeverRun { task, root })
    }
}

/// An output that says this.
pub(crate) fn printed(said: &str) -> Output {
    let mut output = Output::default();
    output.add(said.as_bytes());
    output
}

/// A checked file of these tasks.
pub(crate) fn file(rows: &[Row]) -> TaskFile {
    let place = |name: &str| {
        rows.iter()
            .position(|row| row.0 == name)
            .expect("a task of the sample")
    };
    let tasks = rows
        .iter()
        .enumerate()
        .map(|(at, (name, needs, priority, _))| Task {
            class: name.split(" (").next().unwrap_or(name).to_owned(),
            action: Action::Shell(format!("make {name}")),
            needs: needs.iter().map(|need| place(need)).collect(),
            priority: *priority,
            ..Task::new(
                *name,
                Place {
                    file: Path::new("ats.toml").into(),
                    line: 1 + 4 * at,
                },
            )
        });
    TaskFile {
        tasks: tasks.collect(),
        ..TaskFile::default()
    }
}
