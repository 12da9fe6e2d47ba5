//! From the scheduler's events to the lines of the scene.
//!
//! Every line comes from an event; where an event does not come, its line is not printed, and the
//! account at the end says so. Two events may arrive the wrong way round: B can start on another
//! worker before A, which spawned it, has begun to wait for it. B's line is held back until A's,
//! which needs the wait to know what A depends on, has been told.

use std::fmt::Write as _;
use std::time::Duration;

use adaptive_task_scheduler::{Event, Lane, Priority, TaskName};
use anstyle::{AnsiColor, Style};

use crate::text;

/// What has been told, and what is worth an account at the end.
#[derive(Debug, Default)]
pub struct Narrator {
    a_told: bool,
    b_started: bool,
    wait_told: bool,
    boosted: Option<(Priority, Priority)>,
    waited: Option<Duration>,
    relocated: Option<(Lane, String)>,
    hand_offs: usize,
}

const A: &str = "Task A";
const B: &str = "Task B";

impl Narrator {
    /// The lines that an event gives rise to, mostly none.
    pub fn tell(&mut self, event: &Event) -> Vec<String> {
        match event {
            Event::Waiting { name, on_name, .. } if is(name, A) => self.a_waits(on_name),
            Event::Started { name, .. } if is(name, B) => self.b_starts(),
            Event::Stalled {
                name,
                on_name,
                waited,
                ..
            } if is(name, A) => self.stalled(on_name, *waited),
            Event::Boosted { name, from, to, .. } if is(name, B) => {
                self.boosted.get_or_insert((*from, *to));
                vec![]
            }
            Event::Relocated { name, to, why, .. } if is(name, B) => {
                self.moved(*to, why.to_string())
            }
            Event::HandedOff { name, .. } if is(name, B) => {
                self.hand_offs += 1;
                vec![]
            }
            Event::Completed { name, .. } => vec![line(Tag::Complete, &format!("{name} done"))],
            Event::Failed { name, error, .. } => {
                vec![line(Tag::Failed, &format!("{name}: {error}"))]
            }
            _ => vec![],
        }
    }

    fn a_waits(&mut self, on: &TaskName) -> Vec<String> {
        if self.a_told {
            return vec![];
        }
        self.a_told = true;
        let mut lines = vec![line(Tag::Spawn, &format!("{A} started (depends on {on})"))];
        if self.b_started {
            lines.push(b_started());
        }
        lines
    }

    fn b_starts(&mut self) -> Vec<String> {
        self.b_started = true;
        if self.a_told {
            vec![b_started()]
        } else {
            vec![]
        }
    }

    fn stalled(&mut self, on: &TaskName, waited: Duration) -> Vec<String> {
        if self.wait_told {
            return vec![];
        }
        self.wait_told = true;
        self.waited = Some(waited);
        let on = on.to_string();
        let on = on.strip_prefix("Task ").unwrap_or(&on);
        let text = format!("{A} still waiting on {on}... triggering promotion");
        vec![line(Tag::Wait, &text)]
    }

    fn moved(&mut self, to: Lane, why: String) -> Vec<String> {
        if self.relocated.is_some() {
            return vec![];
        }
        self.relocated = Some((to, why));
        let lane = match to {
            Lane::Cpu => "CPU".to_owned(),
            other => other.to_string(),
        };
        vec![line(Tag::Promote, &format!("{B} moved to {lane} thread"))]
    }

    /// What the lines do not say: how long A had waited, and why B was moved.
    #[must_use]
    pub fn account(&self) -> String {
        let mut account = String::new();
        if let Some((from, to)) = self.boosted {
            let _ = write!(
                account,
                "When A began to wait, B was boosted from {from} to {to}. "
            );
        }
        match (&self.relocated, self.waited) {
            (Some((lane, why)), Some(waited)) => {
                let waited = text::duration(waited);
                let _ = write!(
                    account,
                    "After {waited} it was relocated to the {lane} lane: {why}."
                );
            }
            (Some((lane, why)), None) => {
                let _ = write!(account, "It was relocated to the {lane} lane: {why}.");
            }
            (None, _) => account.push_str(
                "B was not moved in this run: the scheduler saw no reason in time. A machine whose \
                 cores are all taken by others can cause this; run it again.",
            ),
        }
        match self.hand_offs {
            0 => {}
            1 => account.push_str(" Its worker's queue was handed off once meanwhile."),
            times => {
                let _ = write!(
                    account,
                    " Its worker's queue was handed off {times} times meanwhile."
                );
            }
        }
        account
    }
}

fn is(name: &TaskName, expected: &str) -> bool {
    name.as_str() == expected
}

fn b_started() -> String {
    line(Tag::Spawn, &format!("{B} started"))
}

#[derive(Clone, Copy)]
enum Tag {
    Spawn,
    Wait,
    Promote,
    Complete,
    Failed,
}

fn line(tag: Tag, text: &str) -> String {
    let (word, color) = match tag {
        Tag::Spawn => ("[spawn]", AnsiColor::Cyan),
        // As long as `[spawn]`, so that the first three lines stand in one column.
        Tag::Wait => ("[wait] ", AnsiColor::Yellow),
        Tag::Promote => ("[promote]", AnsiColor::Magenta),
        Tag::Complete => ("[complete]", AnsiColor::Green),
        Tag::Failed => ("[failed]", AnsiColor::Red),
    };
    let style = Style::new().bold().fg_color(Some(color.into()));
    format!("{style}{word}{style:#} {text}")
}
