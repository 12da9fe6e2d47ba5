//! Pure: the live display, from the state of a run to lines of text.
//!
//! From top to bottom: how far the run is, what runs now, what failed, the critical path, and what
//! important tasks wait on. Where the terminal is too low, sections shrink to a count in that
//! order of importance; they never take more lines than there are.

use std::time::Duration;

use super::course::Phase;
use super::line::Line;
use super::outlook::{Outlook, outlook};
use super::state::State;
use super::style::{BAD, BOLD, CRITICAL, FAINT, GOOD, Signs, WARN};
use super::waits::{Waiting, most_important};
use crate::runner::stop::Level;
use crate::text::{self, clock, columns, cut};

/// Failures and waiting tasks that are shown at most; the summary has all.
const SHORT: usize = 3;

/// Tasks at the beginning of a path that are shown at most.
const LONGEST_PATH: usize = 16;

/// The widest bar.
const BAR: usize = 24;

/// What a screen can show.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Columns.
    pub width: usize,
    /// Lines.
    pub height: usize,
    /// What stands for what.
    pub signs: Signs,
}

/// The lines to show now: at least one, at most as many as the screen has without its last.
#[must_use]
pub fn screen(state: &State, now: Duration, look: Look) -> Vec<String> {
    let ahead = outlook(state, now);
    let mut running: Vec<u32> = state.under_way().collect();
    running.sort_by_key(|&task| (state.course(task).began(), task));
    let waiting = most_important(state, SHORT);
    let has_path = ahead.path.len() > 1;
    let room = look.height.saturating_sub(2);
    let sizes = [
        running.len(),
        state.failures().len().min(SHORT),
        usize::from(has_path),
        waiting.len(),
    ];
    let [running_lines, failed_lines, path_lines, waiting_lines] = share(room, sizes);

    let mut lines = vec![header(state, now, look, &ahead)];
    lines.extend(running_section(
        state,
        &running,
        now,
        look,
        &ahead,
        running_lines,
    ));
    lines.extend(failed_section(state, look, failed_lines));
    if path_lines > 0 {
        lines.push(path_line(state, look, &ahead));
    }
    lines.extend(
        waiting
            .iter()
            .take(waiting_lines)
            .map(|waiting| waiting_line(state, look, waiting)),
    );
    lines
}

/// Shares lines among running tasks, failures, the path and waiting tasks: each its first in this
/// order, then running tasks as many as possible, and then the others.
fn share(mut room: usize, wanted: [usize; 4]) -> [usize; 4] {
    let mut given = [0; 4];
    let mut give = |section: usize, lines: usize| {
        let more = lines.min(wanted[section] - given[section]).min(room);
        given[section] += more;
        room -= more;
    };
    for section in 0..wanted.len() {
        give(section, 1);
    }
    for section in 0..wanted.len() {
        give(section, usize::MAX);
    }
    given
}

fn header(state: &State, now: Duration, look: Look, ahead: &Outlook) -> String {
    let mut line = Line::new(look.width);
    if look.width >= 60 {
        let (done, open) = bar(ahead.done, BAR.min(look.width / 4), look.signs);
        line.add(GOOD, &done).add(FAINT, &open).plain(" ");
    }
    let tasks = if look.width >= 60 { " tasks" } else { "" };
    line.add(
        BOLD,
        &format!(
            "{} of {}{tasks}",
            text::grouped(state.over_count()),
            text::grouped(state.tasks().len())
        ),
    );
    match state.failures().len() {
        0 => {}
        failed => drop(line.add_whole(BAD, &format!(", {failed} failed"))),
    }
    match state.stopping() {
        Level::Go => {}
        Level::NoMore => drop(line.add_whole(WARN, ", starting no more")),
        Level::Gently => drop(line.add_whole(WARN, ", stopping")),
        Level::AtOnce => drop(line.add_whole(WARN, ", killing")),
    }
    let plain = anstyle::Style::new();
    if let (Some(left), Level::Go) = (ahead.left, state.stopping()) {
        let about = if look.width >= 60 { "about " } else { "" };
        line.add_whole(plain, &format!(", {about}{} left", clock(left)));
    }
    line.add_whole(plain, &format!(", {} so far", clock(now)));
    line.finish()
}

/// A bar of `width` columns of which so many thousandths are done.
fn bar(done: u32, width: usize, signs: Signs) -> (String, String) {
    let full = done as usize * width / 1_000;
    let repeat = |sign: char, times: usize| sign.to_string().repeat(times);
    (repeat(signs.done, full), repeat(signs.open, width - full))
}

fn running_section(
    state: &State,
    running: &[u32],
    now: Duration,
    look: Look,
    ahead: &Outlook,
    lines: usize,
) -> Vec<String> {
    // The last line is worth more as a count of what has no line.
    let shown = if lines < running.len() {
        lines.saturating_sub(1)
    } else {
        lines
    };
    let names = running[..shown]
        .iter()
        .map(|&task| columns(&state.tasks().name(task)));
    let column = 2 + names.max().unwrap_or(0).min(look.width.saturating_sub(24)) + 2;
    let mut section: Vec<String> = running[..shown]
        .iter()
        .map(|&task| running_line(state, task, now, look, ahead, column))
        .collect();
    if lines > shown {
        let rest: Vec<_> = running[shown..]
            .iter()
            .map(|&task| state.tasks().name(task))
            .collect();
        let count = match shown {
            0 => format!("{} running", rest.len()),
            _ => format!("and {} more", rest.len()),
        };
        let mut line = Line::new(look.width);
        line.add(FAINT, &format!("  {count}: {}", rest.join(", ")));
        section.push(line.finish());
    }
    section
}

fn running_line(
    state: &State,
    task: u32,
    now: Duration,
    look: Look,
    ahead: &Outlook,
    column: usize,
) -> String {
    let course = state.course(task);
    let guess = state.tasks().get(task).guess;
    let mut line = Line::new(look.width);
    let (sign, style) = match course.phase {
        Phase::Paused(_) => (look.signs.paused, WARN),
        _ if ahead.path.first() == Some(&task) => (look.signs.critical, CRITICAL),
        _ => (look.signs.running, anstyle::Style::new()),
    };
    let name = cut(&state.tasks().name(task), column.saturating_sub(4));
    line.add(style, sign).add(style, &name).tab(column);
    let elapsed = course.last_attempt(now);
    line.plain(&clock(elapsed));
    if guess.is_known() {
        line.add(FAINT, &format!(" of {}", clock(guess.mean)));
    }
    match course.phase {
        Phase::Paused(for_task) => {
            let for_task = state.tasks().name(for_task).into_owned();
            line.add(WARN, &format!(", paused for {for_task}"));
        }
        Phase::Resting => drop(line.add(WARN, ", waits for the next attempt")),
        _ if course.attempts.len() > 1 => {
            line.add(WARN, &format!(", attempt {}", course.attempts.len()));
        }
        _ => {}
    }
    line.finish()
}

fn failed_section(state: &State, look: Look, lines: usize) -> Vec<String> {
    let failures = state.failures();
    let shown = if lines < failures.len() {
        lines.saturating_sub(1).max(1).min(lines)
    } else {
        lines
    };
    let mut section = Vec::new();
    for failure in &failures[..shown] {
        let mut line = Line::new(look.width);
        let name = state.tasks().name(failure.task);
        line.add(BAD, look.signs.failed).add(BAD, &name);
        line.plain(&format!(": {}", failure.ending));
        section.push(line.finish());
    }
    if lines > shown {
        let mut line = Line::new(look.width);
        line.add(
            BAD,
            &format!("  and {} more failed", failures.len() - shown),
        );
        section.push(line.finish());
    }
    section
}

/// The whole path if there is room, else its beginning and its end.
fn path_line(state: &State, look: Look, ahead: &Outlook) -> String {
    let label = match ahead.left {
        _ if look.width < 50 => "path: ",
        Some(_) => "critical path: ",
        None => "longest chain: ",
    };
    let time = match ahead.left {
        Some(_) if look.width >= 30 => format!(", {}", clock(ahead.path_left)),
        _ => String::new(),
    };
    let mut line = Line::new(look.width);
    let room = look.width.saturating_sub(columns(label) + columns(&time));
    line.add(FAINT, label);
    line.plain(&path_within(state, &ahead.path, room, look.signs.then));
    line.add(FAINT, &time);
    line.finish()
}

/// As much of the beginning as there is room for, and the end.
fn path_within(state: &State, path: &[u32], room: usize, then: &str) -> String {
    let names: Vec<_> = path
        .iter()
        .take(LONGEST_PATH)
        .map(|&task| state.tasks().name(task))
        .collect();
    let last = path.last().map(|&task| state.tasks().name(task));
    let begun = (1..=names.len()).rev().map(|first| {
        let beginning = names[..first].join(then);
        match &last {
            _ if first == path.len() => beginning,
            Some(last) if first + 1 == path.len() => format!("{beginning}{then}{last}"),
            Some(last) => format!("{beginning}{then}…{then}{last}"),
            None => beginning,
        }
    });
    let shortest = names.first().map(|first| format!("{first}{then}…"));
    let mut all = begun.chain(shortest.clone());
    let fits = all.find(|text| columns(text) <= room);
    fits.unwrap_or_else(|| cut(&shortest.unwrap_or_default(), room))
}

fn waiting_line(state: &State, look: Look, waiting: &Waiting) -> String {
    let mut line = Line::new(look.width);
    line.add(FAINT, "  ")
        .plain(&state.tasks().name(waiting.task));
    line.add(FAINT, &waiting.because(state));
    line.finish()
}

#[cfg(test)]
mod tests {
    use super::super::sample::Story;
    use super::super::style::{ASCII, UNICODE};
    use super::*;
    use crate::runner::ending::Ending;

    fn look(width: usize, height: usize) -> Look {
        Look {
            width,
            height,
            signs: UNICODE,
        }
    }

    /// What a terminal of this size shows, without colours.
    fn shown(story: &Story, look: Look) -> String {
        let lines = screen(&story.state, story.now(), look);
        assert!(lines.len() < look.height.max(2), "too many lines");
        let plain: Vec<String> = lines
            .iter()
            .map(|line| anstream::adapter::strip_str(line).to_string())
            .collect();
        for line in &plain {
            assert!(columns(line) <= look.width, "too wide: {line}");
        }
        plain.join("\n")
    }

    fn in_the_middle() -> Story {
        let mut story = Story::of_build();
        story.at(0).begin("fetch");
        story
            .at(2_900)
            .done("fetch")
            .begin("generate")
            .begin("lint")
            .ready("docs");
        story
            .at(7_000)
            .done("generate")
            .begin("compile (os=macos)")
            .ready("compile (os=linux)");
        story.at(9_100).done("lint").start("compile (os=linux)", 1);
        story.at(21_000);
        story
    }

    #[test]
    fn at_the_start() {
        let mut story = Story::of_build();
        story.at(0).begin("fetch");
        story.at(400);
        insta::assert_snapshot!(shown(&story, look(80, 24)));
    }

    #[test]
    fn in_the_middle_on_a_usual_terminal() {
        insta::assert_snapshot!(shown(&in_the_middle(), look(80, 24)));
    }

    #[test]
    fn in_the_middle_on_a_narrow_terminal() {
        insta::assert_snapshot!(shown(&in_the_middle(), look(40, 10)));
    }

    #[test]
    fn in_the_middle_on_a_tiny_terminal() {
        insta::assert_snapshot!(shown(&in_the_middle(), look(20, 4)));
    }

    #[test]
    fn in_the_middle_without_unicode() {
        let ascii = Look {
            signs: ASCII,
            ..look(80, 24)
        };
        let lines = shown(&in_the_middle(), ascii);
        insta::assert_snapshot!(lines);
    }

    #[test]
    fn colours_mark_what_matters() {
        let lines = screen(
            &in_the_middle().state,
            Duration::from_secs(21),
            look(80, 24),
        );
        insta::assert_snapshot!(
            lines
                .join("\n")
                .escape_debug()
                .to_string()
                .replace("\\n", "\n")
        );
    }

    #[test]
    fn with_a_failure_a_pause_and_a_further_attempt() {
        let mut story = in_the_middle();
        story.at(22_000).retry("compile (os=linux)");
        story
            .at(24_000)
            .start("compile (os=linux)", 2)
            .pause("compile (os=macos)", "deploy");
        story
            .at(25_000)
            .end("compile (os=linux)", Ending::ExitCode(1), "no\n");
        story.never("unit-tests", Some("compile (os=linux)"));
        story.never("deploy", Some("compile (os=linux)"));
        story.tell(crate::runner::note::Event::Stopping {
            level: Level::NoMore,
        });
        story.at(26_500);
        insta::assert_snapshot!(shown(&story, look(80, 24)));
    }

    #[test]
    fn many_tasks_on_a_low_terminal() {
        let rows: Vec<super::super::sample::Row> = (0..40)
            .map(|number| {
                let name: &'static str = format!("job-{number:02}").leak();
                (name, &[][..], adaptive_task_scheduler::Priority::Mid, None)
            })
            .collect();
        let mut story = Story::of(&rows, 32);
        for row in &rows[..32] {
            story.begin(row.0);
        }
        for row in &rows[..5] {
            story.at(1_000).end(row.0, Ending::Signal(9), "");
        }
        story.at(2_000);
        insta::assert_snapshot!(shown(&story, look(80, 12)));
    }

    #[test]
    fn no_size_is_too_small() {
        let story = in_the_middle();
        for (width, height) in [(1, 1), (0, 0), (3, 2), (200, 3), (10, 50)] {
            shown(&story, look(width, height));
        }
    }

    #[test]
    fn names_from_a_file_cannot_steer_the_terminal() {
        let mut story = Story::of(
            &[(
                "a\u{1b}[2Jb",
                &[],
                adaptive_task_scheduler::Priority::Mid,
                None,
            )],
            1,
        );
        story.begin("a\u{1b}[2Jb");
        let lines = screen(&story.state, story.now(), look(80, 24)).join("\n");
        assert!(!lines.contains("\u{1b}[2J"), "{lines:?}");
    }

    #[test]
    fn every_section_gets_a_line_before_any_gets_two() {
        assert_eq!(share(22, [4, 2, 1, 3]), [4, 2, 1, 3]);
        assert_eq!(share(6, [9, 2, 1, 3]), [3, 1, 1, 1]);
        assert_eq!(share(2, [9, 2, 1, 3]), [1, 1, 0, 0]);
        assert_eq!(share(0, [9, 2, 1, 3]), [0, 0, 0, 0]);
    }
}
