//! Pure: a run as a trace-event file, which Perfetto and `chrome://tracing` open.
//!
//! Each place is a row, each attempt a slice on it, each pause a slice within; arrows go from the
//! end of what a task needs to its beginning, and what waits for a place is a row of its own. The
//! key `ats` beside the events is for programs that want to run the same again, such as
//! `ats replay`.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::course::{Attempt, Course, Phase};
use super::json::lane;
use super::rows::{FIRST_WAITING, FIRST_WITHOUT};
use super::state::State;
use crate::runner::ending::Ending;

/// The version of the key `ats`.
const VERSION: u32 = 1;

/// All events belong to one process.
const PROCESS: u32 = 1;

#[derive(Serialize)]
struct Whole<'a> {
    #[serde(rename = "displayTimeUnit")]
    unit: &'static str,
    #[serde(rename = "traceEvents")]
    events: Vec<Value>,
    ats: Ats<'a>,
}

#[derive(Serialize)]
struct Ats<'a> {
    version: u32,
    jobs: usize,
    makespan_us: u64,
    tasks: Vec<Task<'a>>,
}

#[derive(Serialize)]
struct Task<'a> {
    name: &'a str,
    class: &'a str,
    needs: &'a [u32],
    priority: String,
    lane: &'static str,
    ready_us: Option<u64>,
    start_us: Option<u64>,
    end_us: Option<u64>,
    cpu_us: Option<u64>,
    /// What it was expected to take before the run, if anything was known.
    expected_us: Option<u64>,
    outcome: &'static str,
}

/// The trace of a run that took so long.
#[must_use]
pub fn trace(state: &State, took: Duration) -> String {
    let tasks = state.tasks().iter().map(|(task, known)| {
        let course = state.course(task);
        Task {
            name: &known.name,
            class: &known.class,
            needs: &known.needs,
            priority: known.priority.to_string(),
            lane: lane(known.lane),
            ready_us: course.ready.map(micros),
            start_us: course.began().map(micros),
            end_us: course
                .ended
                .filter(|_| course.began().is_some())
                .map(micros),
            cpu_us: course.cpu.map(micros),
            expected_us: known.guess.is_known().then(|| micros(known.guess.mean)),
            outcome: outcome(course.phase),
        }
    });
    let whole = Whole {
        unit: "ms",
        ats: Ats {
            version: VERSION,
            jobs: state.tasks().jobs(),
            makespan_us: micros(took),
            tasks: tasks.collect(),
        },
        events: events(state, took),
    };
    // All keys are texts, and no number is endless.
    serde_json::to_string(&whole).unwrap_or_default()
}

fn outcome(phase: Phase) -> &'static str {
    match phase {
        Phase::Done => "done",
        Phase::Failed => "failed",
        Phase::Skipped(_) => "skipped",
        Phase::Stopped | Phase::Running | Phase::Resting | Phase::Paused(_) => "stopped",
        Phase::Waiting | Phase::Ready | Phase::Never(_) => "never",
    }
}

fn events(state: &State, took: Duration) -> Vec<Value> {
    let mut events = vec![named("process_name", 0, "ats run")];
    let mut rows: Vec<u32> = Vec::new();
    for (task, _) in state.tasks().iter() {
        let course = state.course(task);
        for (number, attempt) in (1..).zip(&course.attempts) {
            rows.push(attempt.row);
            events.push(slice(state, task, number, attempt, took));
        }
        pauses(state, course, took, &mut events);
        flows(state, task, &mut events);
    }
    rows.sort_unstable();
    rows.dedup();
    for row in rows {
        events.push(named("thread_name", thread(row), &row_name(row)));
        let order = json!({ "sort_index": row });
        events.push(json!({
            "ph": "M", "name": "thread_sort_index", "pid": PROCESS, "tid": thread(row), "args": order,
        }));
    }
    events
}

fn named(what: &str, thread: u32, name: &str) -> Value {
    json!({ "ph": "M", "name": what, "pid": PROCESS, "tid": thread, "args": { "name": name } })
}

/// Thread 0 stands for the whole process.
fn thread(row: u32) -> u32 {
    row + 1
}

fn row_name(row: u32) -> String {
    match row {
        0..FIRST_WAITING => format!("place {}", row + 1),
        FIRST_WAITING..FIRST_WITHOUT => format!("waiting place {}", row - FIRST_WAITING + 1),
        FIRST_WITHOUT.. => "without a place".to_owned(),
    }
}

fn slice(state: &State, task: u32, number: u32, attempt: &Attempt, took: Duration) -> Value {
    let known = state.tasks().get(task);
    let course = state.course(task);
    let waited = course
        .began()
        .unwrap_or_default()
        .saturating_sub(course.ready.unwrap_or_default());
    json!({
        "ph": "X",
        "name": known.name,
        "cat": known.priority.to_string(),
        "pid": PROCESS,
        "tid": thread(attempt.row),
        "ts": micros(attempt.stretch.from),
        "dur": micros(attempt.stretch.length(took)),
        "cname": colour(attempt.ending.as_ref()),
        "args": {
            "attempt": number,
            "ending": attempt.ending.as_ref().map(ToString::to_string),
            "priority": known.priority.to_string(),
            "effective priority": known.effective.to_string(),
            "waited for a place (us)": micros(waited),
            "expected (us)": known.guess.is_known().then(|| micros(known.guess.mean)),
        },
    })
}

/// From the palette of `chrome://tracing`; Perfetto chooses by name.
fn colour(ending: Option<&Ending>) -> &'static str {
    match ending {
        Some(Ending::Success) => "good",
        Some(Ending::Stopped) | None => "bad",
        Some(_) => "terrible",
    }
}

fn pauses(state: &State, course: &Course, took: Duration, events: &mut Vec<Value>) {
    for pause in &course.pauses {
        let attempts = course.attempts.iter();
        let paused = attempts
            .rev()
            .find(|attempt| attempt.stretch.from <= pause.stretch.from);
        let Some(attempt) = paused else { continue };
        events.push(json!({
            "ph": "X",
            "name": "paused",
            "cat": "pause",
            "pid": PROCESS,
            "tid": thread(attempt.row),
            "ts": micros(pause.stretch.from),
            "dur": micros(pause.stretch.length(took)),
            "args": { "for": state.tasks().get(pause.for_task).name },
        }));
    }
}

/// An arrow from each need that ran to the task, if it began.
fn flows(state: &State, task: u32, events: &mut Vec<Value>) {
    let known = state.tasks().get(task);
    let Some(first) = state.course(task).attempts.first() else {
        return;
    };
    for &need in &known.needs {
        let course = state.course(need);
        let (Some(last), Some(ended)) = (course.attempts.last(), course.ended) else {
            continue;
        };
        let id = format!("{need}-{task}");
        // An arrow belongs to the slice in which it begins, so it begins just before its end.
        let leaves = micros(ended)
            .saturating_sub(1)
            .max(micros(last.stretch.from));
        events.push(json!({
            "ph": "s", "name": "needs", "cat": "needs", "id": id,
            "pid": PROCESS, "tid": thread(last.row), "ts": leaves,
        }));
        events.push(json!({
            "ph": "f", "bp": "e", "name": "needs", "cat": "needs", "id": id,
            "pid": PROCESS, "tid": thread(first.row), "ts": micros(first.stretch.from),
        }));
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::sample::Story;
    use super::*;

    fn traced() -> Value {
        let mut story = Story::of_build();
        story.at(0).begin("fetch");
        story
            .at(3_000)
            .done("fetch")
            .begin("generate")
            .begin("docs")
            .ready("lint");
        story.at(4_000).retry("generate");
        story.at(5_000).start("generate", 2);
        story.at(6_000).pause("docs", "generate");
        story.at(7_000).go_on("docs");
        story.at(8_000).done("docs").start("lint", 1);
        story.at(8_500).end("lint", Ending::ExitCode(1), "");
        story
            .at(9_000)
            .done("generate")
            .never("deploy", Some("lint"));
        serde_json::from_str(&trace(&story.state, story.now())).unwrap()
    }

    #[test]
    fn slices_stand_on_their_rows_and_do_not_overlap() {
        let whole = traced();
        let events = whole["traceEvents"].as_array().unwrap();
        let mut slices: Vec<(u64, u64, u64)> = events
            .iter()
            .filter(|event| event["ph"] == "X" && event["cat"] != "pause")
            .map(|event| {
                let at = event["ts"].as_u64().unwrap();
                (
                    event["tid"].as_u64().unwrap(),
                    at,
                    at + event["dur"].as_u64().unwrap(),
                )
            })
            .collect();
        slices.sort_unstable();
        assert_eq!(slices.len(), 5);
        for pair in slices.windows(2) {
            let [(row, _, end), (next_row, begin, _)] = [pair[0], pair[1]];
            assert!(row != next_row || end <= begin, "{slices:?}");
        }
        let rows = events
            .iter()
            .filter(|event| event["name"] == "thread_name")
            .count();
        assert_eq!(rows, 2);
    }

    #[test]
    fn every_arrow_has_both_ends_in_slices() {
        let whole = traced();
        let events = whole["traceEvents"].as_array().unwrap();
        let ends: Vec<&Value> = events
            .iter()
            .filter(|event| event["ph"] == "s" || event["ph"] == "f")
            .collect();
        assert_eq!(ends.len(), 2 * 3);
        for end in ends {
            let at = end["ts"].as_u64().unwrap();
            let within = events
                .iter()
                .filter(|event| event["ph"] == "X" && event["tid"] == end["tid"]);
            let count = within
                .filter(|slice| {
                    let from = slice["ts"].as_u64().unwrap();
                    (from..=from + slice["dur"].as_u64().unwrap()).contains(&at)
                })
                .count();
            assert!(count >= 1, "{end}");
        }
    }

    #[test]
    fn the_part_for_programs() {
        let whole = traced();
        insta::assert_snapshot!(serde_json::to_string_pretty(&whole["ats"]).unwrap());
    }
}
