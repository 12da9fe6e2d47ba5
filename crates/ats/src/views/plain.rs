//! Pure: whole lines about single events, for logs and above the live display.

use std::fmt::Write;
use std::time::Duration;

use super::state::{Failure, State};
use super::style::{BAD, FAINT, GOOD, WARN};
use super::tasks::number;
use crate::runner::children::GRACE;
use crate::runner::ending::Ending;
use crate::runner::note::{Event, Skip};
use crate::runner::stop::Level;
use crate::text::{self, clock};

/// Names that are listed before the rest is only counted.
const NAMES: usize = 5;

/// The line about something that has happened and that `state` knows already. With a live display
/// only what stays interesting gets a line.
#[must_use]
pub fn line(state: &State, event: &Event, live: bool) -> Option<String> {
    let name = |task: usize| state.tasks().name(number(task));
    let gathers = |task: usize| state.tasks().get(number(task)).gathers;
    let line = match event {
        // What only gathers others is nothing that runs.
        Event::Started { task, .. } | Event::Ended { task, .. } if gathers(*task) => return None,
        Event::Started {
            task, attempt: 1, ..
        } if !live => format!("start   {}", name(*task)),
        Event::Retrying {
            task, ending, left, ..
        } => {
            let left = text::count(*left as usize, "attempt");
            format!(
                "{WARN}retry{WARN:#}   {}: {ending}, {left} left",
                name(*task)
            )
        }
        Event::Paused { task, for_task } if !live => {
            format!(
                "{WARN}pause{WARN:#}   {}, for {}",
                name(*task),
                name(*for_task)
            )
        }
        Event::Continued { task } if !live => format!("go on   {}", name(*task)),
        Event::Skipped { task, why } if !live => {
            format!(
                "{FAINT}skip    {}: {}{FAINT:#}",
                name(*task),
                why_skipped(*why)
            )
        }
        Event::Ended {
            task,
            ending: Ending::Success,
            took,
            ..
        } => {
            format!(
                "{GOOD}done{GOOD:#}    {}  {}",
                name(*task),
                text::duration(*took)
            )
        }
        Event::Ended {
            task,
            ending: Ending::Stopped,
            ..
        } => {
            format!("{WARN}stopped{WARN:#} {}", name(*task))
        }
        Event::Ended { task, .. } => {
            let failed = state.failures().last();
            let how = failed.map_or_else(String::new, how);
            format!("{BAD}failed{BAD:#}  {}: {how}", name(*task))
        }
        Event::Stopping { level } => stopping(state, *level)?,
        _ => return None,
    };
    Some(line)
}

/// In words why a task was not run.
#[must_use]
pub fn why_skipped(why: Skip) -> &'static str {
    match why {
        Skip::UpToDate => "up to date",
        Skip::Condition => "its `if` does not hold",
        Skip::Resumed => "done before",
    }
}

/// What a signal does.
fn stopping(state: &State, level: Level) -> Option<String> {
    let commands = text::count(state.under_way().len(), "command");
    let grace = text::duration(GRACE);
    match level {
        Level::Gently => Some(format!(
            "{WARN}stopping {commands}{WARN:#}; killing what still runs after {grace}, or at once when asked again"
        )),
        Level::AtOnce => Some(format!("{WARN}killing {commands}{WARN:#}")),
        Level::Go | Level::NoMore => None,
    }
}

/// How a task failed, in words.
#[must_use]
pub fn how(failure: &Failure) -> String {
    let Failure {
        ending,
        took,
        attempts,
        ..
    } = failure;
    let mut how = ending.to_string();
    let obvious = matches!(ending, Ending::TimedOut(_) | Ending::Broken(_));
    if !obvious || *attempts > 1 {
        let _ = write!(how, ", after {}", text::duration(*took));
    }
    if *attempts > 1 {
        let _ = write!(how, " and {attempts} attempts");
    }
    how
}

/// A sign of life for logs in which nothing else has happened for a while.
#[must_use]
pub fn still(state: &State, now: Duration) -> Option<String> {
    let mut running: Vec<u32> = state.under_way().collect();
    running.sort_by_key(|&task| state.course(task).began());
    let named = running.iter().take(NAMES).map(|&task| {
        let elapsed = state.course(task).last_attempt(now);
        format!("{} ({})", state.tasks().name(task), clock(elapsed))
    });
    let named: Vec<String> = named.collect();
    let line = match running.len().saturating_sub(NAMES) {
        _ if running.is_empty() => return None,
        0 => format!("still   {}", named.join(", ")),
        more => format!("still   {} and {more} more", named.join(", ")),
    };
    let (over, all) = (state.over_count(), state.tasks().len());
    Some(format!("{FAINT}{line}; {over} of {all} over{FAINT:#}"))
}

#[cfg(test)]
mod tests {
    use super::super::sample::Story;
    use super::*;

    #[test]
    fn a_log_tells_of_everything() {
        insta::assert_snapshot!(Story::of_all_kinds().plain.join("\n"));
    }

    #[test]
    fn above_a_live_display_only_what_stays_interesting_is_told() {
        insta::assert_snapshot!(Story::of_all_kinds().above.join("\n"));
    }

    #[test]
    fn a_silent_log_gets_a_sign_of_life() {
        let mut story = Story::of_build();
        assert_eq!(still(&story.state, story.now()), None);
        story.at(0).begin("fetch");
        story.at(3_000).done("fetch").begin("lint").begin("docs");
        let line = still(&story.state, Duration::from_secs(83)).unwrap();
        let line = anstream::adapter::strip_str(&line).to_string();
        assert_eq!(
            line,
            "still   lint (1:20 min), docs (1:20 min); 1 of 8 over"
        );
    }
}
