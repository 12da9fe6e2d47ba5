//! Pure: what is said when a run has ended. What failed first comes first, with its last lines; a
//! run in which all went well is summed up in a line, and in three if it took its time.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use super::course::Phase;
use super::past::{Past, past};
use super::plain::how;
use super::state::State;
use super::style::{BAD, BOLD, FAINT, WARN};
use crate::runner::note::Skip;
use crate::text::{self, printable};

/// Names that are listed before the rest is only counted.
const NAMES: usize = 20;

/// Tasks of the critical path that are shown, at its beginning and at its end.
const STEPS: usize = 4;

/// Of a shorter run nobody asks why it took so long.
const WORTH_A_WORD: Duration = Duration::from_secs(1);

/// What became of all tasks, counted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Totals {
    /// All of them.
    pub all: usize,
    /// Ran and succeeded.
    pub done: usize,
    /// Counted as done without running.
    pub skipped: usize,
    /// Failed.
    pub failed: usize,
    /// Were interrupted.
    pub stopped: usize,
    /// Never ran.
    pub never: usize,
}

impl Totals {
    /// The counts of a run.
    #[must_use]
    pub fn of(state: &State) -> Self {
        let all = state.tasks().len();
        let (done, skipped) = (state.done(), state.skipped_count());
        let (failed, stopped) = (state.failures().len(), state.stopped().len());
        Totals {
            all,
            done,
            skipped,
            failed,
            stopped,
            never: all.saturating_sub(done + skipped + failed + stopped),
        }
    }
}

/// The whole summary, with colours, of a run that took so long.
#[must_use]
pub fn summary(state: &State, took: Duration) -> String {
    let mut lines = String::new();
    failures(state, &mut lines);
    let stopped = state.stopped();
    if !stopped.is_empty() {
        let _ = writeln!(lines, "{WARN}stopped:{WARN:#} {}", list(state, stopped));
    }
    let never = Never::of(state);
    let failed = state.failures().iter().map(|failure| failure.task);
    for root in failed.chain(stopped.iter().copied()) {
        if let Some(skipped) = never.because_of.get(&root) {
            let (root, skipped) = (state.tasks().name(root), list(state, skipped));
            let _ = writeln!(lines, "{WARN}skipped because of {root}:{WARN:#} {skipped}");
        }
    }
    if !never.not_started.is_empty() {
        let rest = list(state, &never.not_started);
        let _ = writeln!(lines, "{WARN}not started:{WARN:#} {rest}");
    }
    if took >= WORTH_A_WORD {
        time(state, &past(state), &mut lines);
    }
    let _ = write!(lines, "{BOLD}{}{BOLD:#}", tally(state, &never, took));
    lines
}

/// Whether something has been done, and something has not.
#[must_use]
pub fn is_worth_resuming(state: &State) -> bool {
    let totals = Totals::of(state);
    totals.done > 0 && totals.done + totals.skipped < totals.all
}

fn failures(state: &State, lines: &mut String) {
    for (place, failure) in state.failures().iter().enumerate() {
        let (name, how) = (state.tasks().name(failure.task), how(failure));
        if place > 0 {
            let _ = writeln!(lines, "{BAD}also failed: {name}{BAD:#}: {how}");
            continue;
        }
        let _ = writeln!(lines, "{BAD}first failure: {name}{BAD:#}: {how}");
        for line in &failure.last_lines {
            let _ = writeln!(lines, "    | {}", harmless(line));
        }
    }
}

/// A line of output as it would be read: without what moves the cursor or clears the screen, and of
/// what was written over and over in one line the last.
fn harmless(line: &str) -> String {
    let plain = anstream::adapter::strip_str(line).to_string();
    let parts = plain.trim_end_matches('\r').rsplit('\r');
    let last = parts.into_iter().find(|part| !part.is_empty());
    printable(&last.unwrap_or_default().replace('\t', "    ")).into_owned()
}

/// What never ran, by the reason.
struct Never {
    because_of: BTreeMap<u32, Vec<u32>>,
    not_started: Vec<u32>,
}

impl Never {
    fn of(state: &State) -> Self {
        let mut never = Never {
            because_of: BTreeMap::new(),
            not_started: Vec::new(),
        };
        for (task, _) in state.tasks().iter() {
            match state.course(task).phase {
                Phase::Never(Some(root)) => never.because_of.entry(root).or_default().push(task),
                Phase::Never(None) | Phase::Waiting | Phase::Ready => never.not_started.push(task),
                _ => {}
            }
        }
        never
    }
}

fn tally(state: &State, never: &Never, took: Duration) -> String {
    let skipped = |why: Skip| {
        let tasks = state.tasks().iter();
        tasks
            .filter(|(task, _)| state.course(*task).phase == Phase::Skipped(why))
            .count()
    };
    let parts = [
        (skipped(Skip::UpToDate), "up to date"),
        (skipped(Skip::Resumed), "done before"),
        (skipped(Skip::Condition), "left out by `if`"),
        (state.failures().len(), "failed"),
        (state.stopped().len(), "stopped"),
        (never.because_of.values().map(Vec::len).sum(), "skipped"),
        (never.not_started.len(), "not started"),
    ];
    let total = text::count(state.tasks().len(), "task");
    let mut tally = format!("{} of {total} done", text::grouped(state.done()));
    for (number, what) in parts.iter().filter(|(number, _)| *number > 0) {
        let _ = write!(tally, ", {} {what}", text::grouped(*number));
    }
    format!("{tally}, in {}", text::duration(took))
}

/// The path that decided how long it took, and what of that was lost.
fn time(state: &State, past: &Past, lines: &mut String) {
    if past.path.len() < 2 && lost(past).is_empty() {
        return;
    }
    let step = |at: usize| {
        let step = &past.path[at];
        format!(
            "{} {}",
            state.tasks().name(step.task),
            text::duration(step.ran)
        )
    };
    let len = past.path.len();
    let steps: Vec<String> = if len <= 2 * STEPS {
        (0..len).map(step).collect()
    } else {
        let left_out = format!("({} more)", len - 2 * STEPS);
        let (first, last) = ((0..STEPS).map(step), (len - STEPS..len).map(step));
        first.chain([left_out]).chain(last).collect()
    };
    let _ = writeln!(lines, "{FAINT}critical path:{FAINT:#} {}", steps.join(", "));
    let lost = lost(past);
    if lost.is_empty() {
        return;
    }
    let _ = writeln!(
        lines,
        "{FAINT}lost on it:{FAINT:#} {}; at best the run takes {} on {}",
        lost.join(", "),
        text::duration(past.bound()),
        text::count(state.tasks().jobs(), "place"),
    );
    let longest = past.path.iter().max_by_key(|step| step.waited);
    if let Some((step, behind)) = longest.and_then(|step| Some((step, step.behind?)))
        && is_much(step.waited, past)
    {
        let (name, behind) = (state.tasks().name(step.task), state.tasks().name(behind));
        let waited = text::duration(step.waited);
        let _ = writeln!(
            lines,
            "{FAINT}longest wait:{FAINT:#} {name}, {waited} for the place of {behind}"
        );
    }
}

/// What was lost on the path and is worth a word, in words.
fn lost(past: &Past) -> Vec<String> {
    if past.took.saturating_sub(past.bound()) * 20 < past.bound() {
        // Whatever was waited for, the run could not have been much shorter.
        return Vec::new();
    }
    let parts = [
        (past.sum(|step| step.waited), "waiting for a place"),
        (past.sum(|step| step.retried), "in retries"),
        (past.sum(|step| step.paused), "paused"),
        (past.sum(|step| step.between), "between tasks"),
    ];
    let much = parts.iter().filter(|(time, _)| is_much(*time, past));
    much.map(|(time, what)| format!("{} {what}", text::duration(*time)))
        .collect()
}

/// At least a twentieth of the whole.
fn is_much(time: Duration, past: &Past) -> bool {
    !time.is_zero() && time * 20 >= past.took
}

fn list(state: &State, tasks: &[u32]) -> String {
    let named = tasks
        .iter()
        .take(NAMES)
        .map(|&task| state.tasks().name(task));
    let names = named.collect::<Vec<_>>().join(", ");
    match tasks.len().saturating_sub(NAMES) {
        0 => names,
        more => format!("{names} and {} more", text::grouped(more)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::Story;
    use super::*;
    use crate::runner::ending::Ending;

    fn said(story: &Story) -> String {
        let summary = summary(&story.state, story.now());
        anstream::adapter::strip_str(&summary).to_string()
    }

    #[test]
    fn when_all_went_well_and_fast() {
        let mut story = Story::of_build();
        for (at, row) in super::super::sample::BUILD.iter().enumerate() {
            story.at(at as u64 * 10).begin(row.0);
            story.at(at as u64 * 10 + 10).done(row.0);
        }
        assert_eq!(said(&story), "8 of 8 tasks done, in 80.0 ms");
    }

    #[test]
    fn when_all_went_well_and_took_its_time() {
        let mut story = Story::of_build();
        story.at(0).begin("fetch");
        story
            .at(3_000)
            .done("fetch")
            .begin("generate")
            .begin("docs")
            .skip("lint", Skip::UpToDate);
        story
            .at(8_000)
            .done("generate")
            .ready("compile (os=linux)")
            .begin("compile (os=macos)");
        story.at(13_000).done("docs").start("compile (os=linux)", 1);
        story.at(31_000).done("compile (os=macos)");
        story
            .at(32_000)
            .done("compile (os=linux)")
            .begin("unit-tests");
        story.at(45_000).retry("unit-tests");
        story.at(47_000).start("unit-tests", 2);
        story.at(75_000).done("unit-tests").begin("deploy");
        story.at(79_000).done("deploy");
        insta::assert_snapshot!(said(&story));
    }

    #[test]
    fn when_something_failed() {
        let mut story = Story::of_build();
        story.at(0).begin("fetch");
        story.at(300).done("fetch").begin("generate").begin("lint");
        story.at(500).end(
            "lint",
            Ending::ExitCode(2),
            "src/a.c:7: tabs\nsrc/b.c:9: tabs\n",
        );
        story.never("deploy", Some("lint")).never("docs", None);
        story.at(900).end("generate", Ending::Signal(11), "crash\n");
        for name in ["compile (os=linux)", "compile (os=macos)", "unit-tests"] {
            story.never(name, Some("generate"));
        }
        insta::assert_snapshot!(said(&story));
    }

    #[test]
    fn last_lines_are_only_text() {
        let cases = [
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("a\u{1b}[2J\u{1b}[Hb", "ab"),
            (" 10 %\r 90 %\r100 %\r", "100 %"),
            ("a\tb", "a    b"),
            ("\u{1b}]0;title\u{7}x\u{8}", "x"),
        ];
        for (line, expected) in cases {
            assert_eq!(harmless(line), expected, "{line:?}");
        }
    }

    #[test]
    fn what_was_interrupted_is_not_blamed() {
        let mut story = Story::of_build();
        story.at(0).begin("fetch");
        story.at(300).done("fetch").begin("generate").begin("lint");
        story.at(500).end("lint", Ending::ExitCode(2), "tabs\n");
        story
            .at(600)
            .end("generate", Ending::Stopped, "much text\n");
        story.never("compile (os=linux)", Some("generate"));
        insta::assert_snapshot!(said(&story));
    }

    #[test]
    fn what_could_not_have_been_faster_has_lost_nothing() {
        let rows = [
            ("a", &[][..], adaptive_task_scheduler::Priority::Mid, None),
            ("b", &[][..], adaptive_task_scheduler::Priority::Mid, None),
        ];
        let mut story = Story::of(&rows, 1);
        story.at(0).ready("b").begin("a");
        story.at(2_000).done("a").start("b", 1);
        story.at(4_000).done("b");
        assert_eq!(said(&story), "2 of 2 tasks done, in 4.00 s");
    }

    #[test]
    fn a_time_out_with_attempts() {
        let mut story = Story::of_build();
        story.at(0).begin("fetch");
        story.at(1_500).retry("fetch").start("fetch", 2);
        story
            .at(3_000)
            .end("fetch", Ending::TimedOut(Duration::from_millis(1_500)), "");
        for row in &super::super::sample::BUILD[1..] {
            story.never(row.0, Some("fetch"));
        }
        insta::assert_snapshot!(said(&story));
    }
}
