//! Pure: the event stream for programs, one object a line. [docs/events.md](../../docs/events.md)
//! documents it; within a version fields and events are only added.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::summary::Totals;
use super::tasks::{Known, Tasks, number};
use crate::exit::Exit;
use crate::runner::ending::Ending;
use crate::runner::note::{Event, Note, Skip};
use crate::runner::stop::Level;
use crate::taskfile::model::Lane;

/// The version of the stream.
pub const VERSION: u32 = 1;

/// What every object begins with.
#[derive(Serialize)]
struct Object<'a> {
    version: u32,
    /// Seconds from the start of the run.
    at: f64,
    #[serde(flatten)]
    what: What<'a>,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum What<'a> {
    RunStarted {
        file: &'a str,
        run: Option<&'a str>,
        tasks: usize,
        jobs: usize,
    },
    TaskPlanned {
        task: &'a str,
        class: &'a str,
        needs: Vec<&'a str>,
        priority: String,
        effective_priority: String,
        lane: &'static str,
        expected: Option<f64>,
    },
    TaskReady {
        task: &'a str,
    },
    TaskStarted {
        task: &'a str,
        attempt: u32,
        pid: Option<u32>,
    },
    TaskOutput {
        task: &'a str,
        text: String,
    },
    TaskRetrying {
        task: &'a str,
        #[serde(flatten)]
        ending: Ended,
        attempts_left: u32,
        after: f64,
    },
    TaskPaused {
        task: &'a str,
        for_task: &'a str,
    },
    TaskContinued {
        task: &'a str,
    },
    TaskSkipped {
        task: &'a str,
        why: &'static str,
    },
    TaskNeverRun {
        task: &'a str,
        because_of: Option<&'a str>,
    },
    TaskEnded {
        task: &'a str,
        #[serde(flatten)]
        ending: Ended,
        took: f64,
        attempts: u32,
        cpu: Option<f64>,
    },
    RunStopping {
        how: &'static str,
    },
    RunEnded {
        exit_code: u8,
        done: usize,
        skipped: usize,
        failed: usize,
        stopped: usize,
        never_run: usize,
    },
}

#[derive(Serialize)]
struct Ended {
    outcome: &'static str,
    exit_code: Option<i32>,
    signal: Option<i32>,
    message: Option<String>,
}

impl From<&Ending> for Ended {
    fn from(ending: &Ending) -> Self {
        let (outcome, exit_code, signal) = match ending {
            Ending::Success => ("done", Some(0), None),
            Ending::ExitCode(code) => ("failed", Some(*code), None),
            Ending::Signal(number) => ("failed", None, Some(*number)),
            Ending::TimedOut(_) => ("timed-out", None, None),
            Ending::Stopped => ("stopped", None, None),
            Ending::Broken(_) => ("broken", None, None),
        };
        let message = matches!(ending, Ending::Broken(_) | Ending::TimedOut(_));
        Ended {
            outcome,
            exit_code,
            signal,
            message: message.then(|| ending.to_string()),
        }
    }
}

/// Turns events into lines. Remembers bytes of characters of which the rest has not come.
#[derive(Debug, Default)]
pub struct Stream {
    begun: HashMap<usize, Vec<u8>>,
}

impl Stream {
    /// The lines with which a run begins: itself, then each of its tasks.
    #[must_use]
    pub fn beginning(file: &Path, run: Option<&str>, tasks: &Tasks) -> String {
        let file = &file.to_string_lossy();
        let (len, jobs) = (tasks.len(), tasks.jobs());
        let mut lines = object(
            Duration::ZERO,
            What::RunStarted {
                file,
                run,
                tasks: len,
                jobs,
            },
        );
        for (_, known) in tasks.iter() {
            lines.push_str(&object(Duration::ZERO, planned(tasks, known)));
        }
        lines
    }

    /// The lines about something that has happened.
    #[must_use]
    pub fn lines(&mut self, tasks: &Tasks, note: &Note) -> String {
        match &note.event {
            Event::Output { task, bytes } => self.output(tasks, note.at, *task, bytes),
            Event::Ended { task, .. } => {
                let rest = self.begun.remove(task).unwrap_or_default();
                let mut lines = String::new();
                if !rest.is_empty() {
                    let text = String::from_utf8_lossy(&rest).into_owned();
                    let task = name(tasks, *task);
                    lines = object(note.at, What::TaskOutput { task, text });
                }
                lines.push_str(&one(tasks, note));
                lines
            }
            _ => one(tasks, note),
        }
    }

    /// The line with which a run ends.
    #[must_use]
    pub fn end(totals: &Totals, exit: Exit, at: Duration) -> String {
        let what = What::RunEnded {
            exit_code: exit.code(),
            done: totals.done,
            skipped: totals.skipped,
            failed: totals.failed,
            stopped: totals.stopped,
            never_run: totals.never,
        };
        object(at, what)
    }

    fn output(&mut self, tasks: &Tasks, at: Duration, task: usize, bytes: &[u8]) -> String {
        let mut all = self.begun.remove(&task).unwrap_or_default();
        all.extend_from_slice(bytes);
        let whole = whole_characters(&all);
        let text = String::from_utf8_lossy(&all[..whole]).into_owned();
        if whole < all.len() {
            self.begun.insert(task, all.split_off(whole));
        }
        if text.is_empty() {
            return String::new();
        }
        object(
            at,
            What::TaskOutput {
                task: name(tasks, task),
                text,
            },
        )
    }
}

/// How many of the bytes do not belong to a character that is cut off at the end.
fn whole_characters(bytes: &[u8]) -> usize {
    let mut from = 0;
    loop {
        match std::str::from_utf8(&bytes[from..]) {
            Ok(_) => return bytes.len(),
            Err(error) => match error.error_len() {
                // Bytes that are no text at all stay where they are.
                Some(wrong) => from += error.valid_up_to() + wrong,
                None => return from + error.valid_up_to(),
            },
        }
    }
}

fn planned<'a>(tasks: &'a Tasks, known: &'a Known) -> What<'a> {
    What::TaskPlanned {
        task: &known.name,
        class: &known.class,
        needs: known
            .needs
            .iter()
            .map(|&need| tasks.get(need).name.as_str())
            .collect(),
        priority: known.priority.to_string(),
        effective_priority: known.effective.to_string(),
        lane: lane(known.lane),
        expected: known.guess.is_known().then(|| seconds(known.guess.mean)),
    }
}

/// The word for a lane.
#[must_use]
pub fn lane(lane: Lane) -> &'static str {
    match lane {
        Lane::Cpu => "cpu",
        Lane::Io => "io",
        Lane::Blocking => "blocking",
    }
}

fn one(tasks: &Tasks, note: &Note) -> String {
    let name = |task: usize| name(tasks, task);
    let what = match &note.event {
        Event::Ready { task } => What::TaskReady { task: name(*task) },
        Event::Started { task, attempt, pid } => What::TaskStarted {
            task: name(*task),
            attempt: *attempt,
            pid: *pid,
        },
        Event::Retrying {
            task,
            ending,
            left,
            after,
        } => What::TaskRetrying {
            task: name(*task),
            ending: ending.into(),
            attempts_left: *left,
            after: seconds(*after),
        },
        Event::Paused { task, for_task } => What::TaskPaused {
            task: name(*task),
            for_task: name(*for_task),
        },
        Event::Continued { task } => What::TaskContinued { task: name(*task) },
        Event::Skipped { task, why } => What::TaskSkipped {
            task: name(*task),
            why: match why {
                Skip::UpToDate => "up-to-date",
                Skip::Condition => "condition",
                Skip::Resumed => "resumed",
            },
        },
        Event::NeverRun { task, root } => What::TaskNeverRun {
            task: name(*task),
            because_of: root.map(name),
        },
        Event::Ended {
            task,
            ending,
            took,
            attempts,
            cpu,
            ..
        } => What::TaskEnded {
            task: name(*task),
            ending: ending.into(),
            took: seconds(*took),
            attempts: *attempts,
            cpu: cpu.map(seconds),
        },
        Event::Stopping { level } => What::RunStopping {
            how: match level {
                Level::Go | Level::NoMore => "start-no-more",
                Level::Gently => "gently",
                Level::AtOnce => "at-once",
            },
        },
        Event::Output { .. } => return String::new(),
    };
    object(note.at, what)
}

fn name(tasks: &Tasks, task: usize) -> &str {
    &tasks.get(number(task)).name
}

fn seconds(duration: Duration) -> f64 {
    // Microseconds are as fine as anybody wants to read.
    (duration.as_secs_f64() * 1e6).round() / 1e6
}

fn object(at: Duration, what: What<'_>) -> String {
    let object = Object {
        version: VERSION,
        at: seconds(at),
        what,
    };
    // Nothing in it can fail to be written: all keys are texts.
    let mut line = serde_json::to_string(&object).unwrap_or_default();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::super::sample::Story;
    use super::*;

    #[test]
    fn everything_is_told() {
        let story = Story::of_all_kinds();
        let end = Stream::end(&Totals::of(&story.state), Exit::Interrupted, story.now());
        insta::assert_snapshot!(story.json.clone() + &end);
        for line in story.json.lines() {
            assert!(
                serde_json::from_str::<serde_json::Value>(line).is_ok(),
                "{line}"
            );
        }
    }

    #[test]
    fn characters_are_put_together_from_pieces_and_nothing_is_lost() {
        let bytes = "aé漢🦀\u{fffd}".as_bytes();
        for cut in 0..bytes.len() {
            let mut story = Story::of_build();
            story.json.clear();
            story
                .begin("fetch")
                .print("fetch", &bytes[..cut])
                .print("fetch", &bytes[cut..]);
            story.print("fetch", &[0xff, 0xe6, 0xbc]).done("fetch");
            let texts = story.json.lines().filter_map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                line["text"].as_str().map(str::to_owned)
            });
            let whole: String = texts.collect();
            assert_eq!(whole, "aé漢🦀\u{fffd}\u{fffd}\u{fffd}", "cut at {cut}");
        }
    }
}
