//! Pure: a run in which nothing fails and every task takes as long as expected, decided by the
//! dispatcher of real runs.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::state::State;
use super::tasks::Tasks;
use crate::dispatch::{Action, Dispatcher, End};
use crate::runner::ending::Ending;
use crate::runner::note::{Event, Note};
use crate::runner::output::Output;

/// What would happen, and in which order the tasks would start.
#[derive(Debug)]
pub struct Forecast {
    /// The run at its end.
    pub state: State,
    /// Tasks in the order of their starts.
    pub order: Vec<u32>,
}

/// Runs the tasks in the mind.
#[must_use]
pub fn forecast(tasks: Tasks, dispatcher: Dispatcher) -> Forecast {
    let left = tasks.iter().map(|(_, known)| known.guess.mean).collect();
    let mut mind = Mind {
        dispatcher,
        forecast: Forecast {
            state: State::of(tasks),
            order: Vec::new(),
        },
        now: Duration::ZERO,
        ends: BinaryHeap::new(),
        left,
        pausing: None,
    };
    loop {
        mind.start_all();
        if !mind.end_next() {
            return mind.forecast;
        }
    }
}

struct Mind {
    dispatcher: Dispatcher,
    forecast: Forecast,
    now: Duration,
    /// When what runs ends; an entry of a task that was paused since says another time.
    ends: BinaryHeap<Reverse<(Duration, u32)>>,
    /// How long each task that does not run has still to run; of those that do, when they end.
    left: Vec<Duration>,
    /// Who was paused and for whom is not known before the next start.
    pausing: Option<u32>,
}

impl Mind {
    fn start_all(&mut self) {
        while let Some(action) = self.dispatcher.next() {
            match action {
                Action::Start(task) => self.start(task),
                Action::Pause(task) => {
                    self.left[task as usize] = self.left[task as usize].saturating_sub(self.now);
                    self.pausing = Some(task);
                }
                Action::Continue(task) => {
                    self.goes_on(task);
                    self.tell(Event::Continued {
                        task: task as usize,
                    });
                }
            }
        }
    }

    fn start(&mut self, task: u32) {
        if let Some(paused) = self.pausing.take() {
            let (task, for_task) = (paused as usize, task as usize);
            self.tell(Event::Paused { task, for_task });
        }
        self.goes_on(task);
        self.forecast.order.push(task);
        self.tell(Event::Started {
            task: task as usize,
            attempt: 1,
            pid: None,
        });
    }

    fn goes_on(&mut self, task: u32) {
        let end = self.now.saturating_add(self.left[task as usize]);
        self.left[task as usize] = end;
        self.ends.push(Reverse((end, task)));
    }

    /// Goes on to the next end; tells whether there was one.
    fn end_next(&mut self) -> bool {
        while let Some(Reverse((end, task))) = self.ends.pop() {
            if self.left[task as usize] != end || !self.dispatcher.is_under_way(task) {
                continue;
            }
            self.now = end;
            self.dispatcher.ended(task, End::Done);
            self.tell(Event::Ended {
                task: task as usize,
                ending: Ending::Success,
                took: self.forecast.state.course(task).last_attempt(end),
                attempts: 1,
                output: Output::default(),
                cpu: None,
            });
            return true;
        }
        false
    }

    fn tell(&mut self, event: Event) {
        let at = self.now;
        self.forecast.state.take(&mut Note { at, event });
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{self, Story};
    use super::*;
    use crate::dispatch::Limits;
    use crate::runner::facts::facts;

    fn foretold(preempt: bool) -> Forecast {
        let tasks = Story::of_build().state.tasks().clone();
        let file = sample::file(sample::BUILD);
        let expected: Vec<Duration> = tasks.iter().map(|(_, known)| known.guess.mean).collect();
        let facts = facts(&file.tasks, tasks.shape(), &expected);
        let limits = Limits {
            places: 2,
            waiting_places: 16,
            preempt,
        };
        let dispatcher = Dispatcher::new(tasks.shape().clone(), facts, limits);
        forecast(tasks, dispatcher)
    }

    #[test]
    fn everything_runs_after_what_it_needs_and_takes_as_long_as_expected() {
        for preempt in [false, true] {
            let forecast = foretold(preempt);
            assert_eq!(forecast.state.done(), 8);
            assert_eq!(forecast.order.len(), 8);
            for (task, known) in forecast.state.tasks().iter() {
                let course = forecast.state.course(task);
                assert_eq!(course.last_attempt(course.ended.unwrap()), known.guess.mean);
                for &need in &known.needs {
                    assert!(forecast.state.course(need).ended <= course.began());
                }
            }
        }
    }
}
