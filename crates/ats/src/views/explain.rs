//! Pure: why a task would run when it would run.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Write;
use std::time::Duration;

use super::forecast::Forecast;
use super::guess::{Guess, Source};
use super::past::past;
use super::style::{BOLD, FAINT};
use super::tasks::Tasks;
use crate::dispatch::Facts;
use crate::plan::dry_run::command;
use crate::taskfile::model::{Task, TaskFile};
use crate::text::{self, duration, printable};

/// Names that are listed before the rest is only counted.
const NAMES: usize = 8;

/// All that is known before a run, and how it would go.
#[derive(Debug)]
pub struct Explainer<'a> {
    file: &'a TaskFile,
    facts: &'a [Facts],
    forecast: &'a Forecast,
}

impl<'a> Explainer<'a> {
    /// For the tasks of this file, which would run like this.
    #[must_use]
    pub fn new(file: &'a TaskFile, facts: &'a [Facts], forecast: &'a Forecast) -> Self {
        Explainer {
            file,
            facts,
            forecast,
        }
    }

    /// Everything about one task; `check` are words about whether it is up to date.
    #[must_use]
    pub fn explain(&self, task: u32, check: Option<&str>) -> String {
        let of_file = &self.file.tasks[task as usize];
        let mut text = String::new();
        let place = &of_file.place;
        let file = crate::input::shown(&place.file);
        let _ = writeln!(
            text,
            "{BOLD}{}{BOLD:#} ({file}:{})",
            self.name(task),
            place.line
        );
        let rows = [
            (
                "is for",
                of_file
                    .description
                    .as_deref()
                    .map(|what| printable(what).into_owned()),
            ),
            ("runs", Some(command(&of_file.action))),
            (
                "only if",
                of_file
                    .condition
                    .as_deref()
                    .map(|test| printable(test.trim()).into_owned()),
            ),
            ("up to date", check.map(str::to_owned)),
            ("priority", Some(self.priority(task))),
            ("order", self.order(task)),
            ("needs", Some(self.needs(task, of_file))),
            ("ready", Some(self.ready(task))),
            ("starts", Some(self.starts(task))),
            ("takes", Some(takes(self.tasks().get(task).guess))),
            (
                "deadline",
                of_file
                    .deadline
                    .map(|deadline| self.deadline(task, deadline)),
            ),
            ("needed by", Some(self.needed_by(task))),
            ("path", Some(self.path(task))),
        ];
        for (what, said) in rows {
            if let Some(said) = said {
                let _ = writeln!(text, "  {FAINT}{what:<10}{FAINT:#}  {said}");
            }
        }
        text
    }

    /// How sure all of this is.
    #[must_use]
    pub fn proviso(&self) -> Option<String> {
        let tasks = self.tasks();
        let unknown = tasks
            .iter()
            .filter(|(_, known)| !known.guess.is_known())
            .count();
        (unknown > 0).then(|| {
            format!(
                "of {} nothing is known yet: times are rough until they have run",
                match unknown {
                    all if all == tasks.len() => "the durations".to_owned(),
                    some => format!(
                        "{} of {}",
                        text::grouped(some),
                        text::count(tasks.len(), "duration")
                    ),
                }
            )
        })
    }

    fn tasks(&self) -> &Tasks {
        self.forecast.state.tasks()
    }

    fn name(&self, task: u32) -> String {
        self.tasks().name(task).into_owned()
    }

    fn began(&self, task: u32) -> Duration {
        self.forecast.state.course(task).began().unwrap_or_default()
    }

    fn ended(&self, task: u32) -> Duration {
        self.forecast.state.course(task).ended.unwrap_or_default()
    }

    fn priority(&self, task: u32) -> String {
        let known = self.tasks().get(task);
        if known.effective == known.priority {
            return known.priority.to_string();
        }
        let lender = self.lender(task);
        let through = match lender.as_slice() {
            [] => String::new(),
            [lender] => format!(" by {}, which needs it", self.name(*lender)),
            [through @ .., lender] => {
                let through = through.iter().map(|&task| self.name(task));
                let through = through.collect::<Vec<_>>().join(", ");
                format!(
                    " by {}, which needs it through {through}",
                    self.name(*lender)
                )
            }
        };
        format!("{}, raised to {}{through}", known.priority, known.effective)
    }

    /// The shortest way to a task that has the effective priority by itself, that task last.
    fn lender(&self, task: u32) -> Vec<u32> {
        let wanted = self.tasks().get(task).effective;
        let mut from = vec![None; self.tasks().len()];
        let mut open = VecDeque::from([task]);
        while let Some(next) = open.pop_front() {
            if self.tasks().get(next).priority == wanted {
                let mut way = vec![next];
                while let Some(before) =
                    from[way[way.len() - 1] as usize].filter(|before| *before != task)
                {
                    way.push(before);
                }
                way.reverse();
                return way;
            }
            for &after in self.tasks().shape().successors(next) {
                if from[after as usize].is_none() {
                    from[after as usize] = Some(next);
                    open.push_back(after);
                }
            }
        }
        Vec::new()
    }

    fn order(&self, task: u32) -> Option<String> {
        let place = self
            .forecast
            .order
            .iter()
            .position(|&other| other == task)?;
        Some(format!(
            "starts as number {} of {}, on {}",
            text::grouped(place + 1),
            text::grouped(self.tasks().len()),
            text::count(self.tasks().jobs(), "place"),
        ))
    }

    fn needs(&self, task: u32, of_file: &Task) -> String {
        let mut needs: Vec<u32> = self.tasks().get(task).needs.clone();
        if needs.is_empty() {
            return "nothing".into();
        }
        needs.sort_by_key(|&need| std::cmp::Reverse(self.ended(need)));
        let always = if of_file.always {
            "; runs however they end"
        } else {
            ""
        };
        let list = self.list(&needs, |need| {
            format!(
                "{} (ends at {})",
                self.name(need),
                duration(self.ended(need))
            )
        });
        format!("{list}{always}")
    }

    fn ready(&self, task: u32) -> String {
        let needs = self.tasks().get(task).needs.iter().copied();
        match needs.max_by_key(|&need| self.ended(need)) {
            Some(last) => format!(
                "at {}, when {} has ended",
                duration(self.ended(last)),
                self.name(last)
            ),
            None => "at once".into(),
        }
    }

    fn starts(&self, task: u32) -> String {
        let course = self.forecast.state.course(task);
        let (ready, began) = (course.ready.unwrap_or_default(), self.began(task));
        if began.is_zero() {
            return "at once".into();
        }
        if began <= ready {
            return format!("at {}, as soon as it is ready", duration(began));
        }
        let waits = began.saturating_sub(ready);
        format!(
            "at {}: it waits {} for a place behind {}",
            duration(began),
            duration(waits),
            self.ahead(task, ready, began),
        )
    }

    /// Who had the places of its kind while it waited, and why they came first.
    fn ahead(&self, task: u32, ready: Duration, began: Duration) -> String {
        let holds = self.facts[task as usize].holds;
        let order = self.forecast.order.iter().copied();
        let ahead: Vec<u32> = order
            .filter(|&other| other != task && self.facts[other as usize].holds == holds)
            .filter(|&other| self.began(other) <= began && self.ended(other) > ready)
            .filter(|&other| self.ended(other) <= began || self.began(other) < began)
            .collect();
        self.list(&ahead, |other| {
            let why = if self.began(other) < ready {
                "runs already".into()
            } else {
                self.why_first(other, task)
            };
            format!("{} ({why})", self.name(other))
        })
    }

    /// Why the dispatcher prefers one ready task to another.
    fn why_first(&self, first: u32, other: u32) -> String {
        let (one, two) = (&self.facts[first as usize], &self.facts[other as usize]);
        let latest = |facts: &Facts| {
            facts
                .deadline
                .map(|deadline| deadline.saturating_sub(facts.rank))
        };
        if one.priority != two.priority {
            format!("{} before {}", one.priority, two.priority)
        } else if latest(one) != latest(two) {
            "its deadline is nearer".into()
        } else if one.rank != two.rank {
            format!(
                "{} of work in line with it, not {}",
                duration(one.rank),
                duration(two.rank)
            )
        } else if self.forecast.state.course(first).ready != self.forecast.state.course(other).ready
        {
            "ready earlier".into()
        } else {
            "earlier in the file".into()
        }
    }

    fn deadline(&self, task: u32, deadline: Duration) -> String {
        let ends = self.ended(task);
        let what = if ends <= deadline { "kept" } else { "missed" };
        let (apart, ends) = (duration(deadline.abs_diff(ends)), duration(ends));
        format!(
            "{}: it ends at {ends}, so it is {what} by {apart}",
            duration(deadline)
        )
    }

    fn needed_by(&self, task: u32) -> String {
        let direct = self.tasks().shape().successors(task);
        if direct.is_empty() {
            return "nothing".into();
        }
        let list = self.list(direct, |after| self.name(after));
        let all = self.all_after(task);
        match all - direct.len() {
            0 => list,
            more => format!("{list}, and {} through them", text::count(more, "task")),
        }
    }

    fn all_after(&self, task: u32) -> usize {
        let mut seen = BTreeSet::new();
        let mut open = vec![task];
        while let Some(next) = open.pop() {
            let after = self.tasks().shape().successors(next).iter().copied();
            open.extend(after.filter(|&after| seen.insert(after)));
        }
        seen.len()
    }

    fn path(&self, task: u32) -> String {
        let durations: Vec<Duration> = self
            .tasks()
            .iter()
            .map(|(_, known)| known.guess.mean)
            .collect();
        let longest = self
            .tasks()
            .shape()
            .remaining(&durations)
            .into_iter()
            .max()
            .unwrap_or_default();
        let through = self.head(task).saturating_add(self.tasks().get(task).tail);
        let whole = past(&self.forecast.state);
        let decides = whole.path.iter().any(|step| step.task == task);
        let spare = longest.saturating_sub(through);
        let what = match (spare.is_zero(), decides) {
            (true, _) => {
                "on the critical path: every second that it takes longer, the run does".to_owned()
            }
            (false, true) => format!(
                "decides when the run ends, for want of places; the longest path through it is {} shorter than the critical one",
                duration(spare)
            ),
            (false, false) => format!(
                "could take {} longer before it is on the critical path",
                duration(spare)
            ),
        };
        format!("{what}; the whole run takes {}", duration(whole.took))
    }

    /// The longest path that ends where the task begins.
    fn head(&self, task: u32) -> Duration {
        let mut heads = vec![Duration::ZERO; self.tasks().len()];
        for &node in self.tasks().shape().order() {
            if node == task {
                break;
            }
            let end = heads[node as usize].saturating_add(self.tasks().get(node).guess.mean);
            for &after in self.tasks().shape().successors(node) {
                heads[after as usize] = heads[after as usize].max(end);
            }
        }
        heads[task as usize]
    }

    fn list(&self, tasks: &[u32], word: impl Fn(u32) -> String) -> String {
        let named: Vec<String> = tasks.iter().take(NAMES).map(|&task| word(task)).collect();
        match tasks.len().saturating_sub(NAMES) {
            0 => named.join(", "),
            more => format!("{} and {} more", named.join(", "), text::grouped(more)),
        }
    }
}

fn takes(guess: Guess) -> String {
    let mean = duration(guess.mean);
    let runs = usize::try_from(guess.samples).unwrap_or(usize::MAX);
    let learned = || {
        let runs = text::count(runs, "run");
        match guess.deviation.is_zero() {
            true => format!("learned from {runs}"),
            false => format!(
                "give or take {}, learned from {runs}",
                duration(guess.deviation)
            ),
        }
    };
    match guess.source {
        Source::Task => format!("about {mean}, {}", learned()),
        Source::Class => format!("about {mean}, {} of tasks of its kind", learned()),
        Source::File => format!("about {mean}, says the file"),
        Source::Nothing => "no time: it only gathers what it needs".into(),
        Source::Others => format!("nobody knows; counted as {mean}, like tasks that are known"),
        Source::Unknown => format!("nobody knows; counted as {mean}, like every other task"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::forecast::forecast;
    use super::super::sample::{self, Row, Story};
    use super::*;
    use crate::dispatch::{Dispatcher, Limits};
    use crate::runner::facts::facts;

    fn explained(rows: &[Row], deadline: Option<u64>, names: &[&str]) -> String {
        let story = Story::of(rows, 2);
        let mut file = sample::file(rows);
        for name in names {
            file.tasks[story.place(name)].deadline = deadline.map(Duration::from_secs);
        }
        let tasks = story.state.tasks().clone();
        let expected: Vec<Duration> = tasks.iter().map(|(_, known)| known.guess.mean).collect();
        let facts = facts(&file.tasks, tasks.shape(), &expected);
        let limits = Limits {
            places: 2,
            waiting_places: 16,
            preempt: false,
        };
        let dispatcher = Dispatcher::new(tasks.shape().clone(), facts.clone(), limits);
        let forecast = forecast(tasks, dispatcher);
        let explainer = Explainer::new(&file, &facts, &forecast);
        let told = names.iter().map(|name| {
            let task = super::super::tasks::number(story.place(name));
            explainer.explain(task, Some("no: out/app is missing"))
        });
        let told: String = told.collect();
        let told = told + &explainer.proviso().unwrap_or_default();
        anstream::adapter::strip_str(&told).to_string()
    }

    #[test]
    fn what_is_boosted_and_what_waits_for_a_place() {
        let names = ["fetch", "docs", "lint", "deploy"];
        insta::assert_snapshot!(explained(sample::BUILD, None, &names));
    }

    #[test]
    fn a_deadline_is_set_against_the_forecast() {
        let told = explained(sample::BUILD, Some(30), &["compile (os=linux)"]);
        assert!(
            told.contains("deadline    30.0 s: it ends at 28.0 s, so it is kept by 2.00 s"),
            "{told}"
        );
    }

    #[test]
    fn where_nothing_is_known_that_is_said() {
        let rows: Vec<Row> = sample::BUILD
            .iter()
            .map(|row| (row.0, row.1, row.2, None))
            .collect();
        let told = explained(&rows, None, &["docs"]);
        assert!(told.contains("nobody knows; counted as 1.00 s"), "{told}");
        assert!(told.ends_with(
            "of the durations nothing is known yet: times are rough until they have run"
        ));
    }
}
