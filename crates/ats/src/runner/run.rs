//! A run: does what the dispatcher decides, and tells it what came of it.
//!
//! Owns the tasks under way, each a [`Job`] that is moved from step to step here. What happens to
//! their processes meanwhile is in `attend`.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::children::{self, Reaper};
use super::ending::Ending;
use super::fresh::{self, Found};
use super::job::{Attempt, Job, Step};
use super::memory::Memory;
use super::note::{Event, Note, Skip};
use super::process::Starter;
use super::report::Report;
use super::retry;
use super::stop::{Level, Stop};
use crate::dispatch::{Action, Dispatcher, End, Never};
use crate::exit::Exit;
use crate::taskfile::model::{self, Task};

/// What a failed task does to the others.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum AfterFailure {
    /// What runs may end, nothing new is started.
    #[default]
    Finish,
    /// What does not need it still runs.
    KeepGoing,
    /// What runs is asked to end.
    StopAtOnce,
}

/// A run under way.
#[derive(Debug)]
pub struct Run<'a> {
    pub(super) tasks: &'a [Task],
    pub(super) dispatcher: Dispatcher,
    pub(super) jobs: BTreeMap<u32, Job>,
    pub(super) pids: HashMap<Pid, u32>,
    pub(super) reaper: Reaper,
    pub(super) report: &'a mut Report,
    pub(super) stop: Stop,
    pub(super) buffer: Vec<u8>,
    pub(super) memory: Memory,
    /// What was not yet handed over.
    notes: Vec<Note>,
    starter: Starter,
    begin: Instant,
    after_failure: AfterFailure,
    /// Of each task, whether it was started in this run.
    ran: Vec<bool>,
    /// The task that was paused last, until it is known for which one.
    making_way: Option<u32>,
}

impl<'a> Run<'a> {
    /// A run of these tasks, of which none has begun.
    #[must_use]
    pub fn new(
        tasks: &'a [Task],
        dispatcher: Dispatcher,
        after_failure: AfterFailure,
        memory: Memory,
        report: &'a mut Report,
    ) -> Self {
        Run {
            tasks,
            dispatcher,
            jobs: BTreeMap::new(),
            pids: HashMap::new(),
            reaper: Reaper::default(),
            report,
            stop: Stop::default(),
            buffer: vec![0; 64 << 10],
            memory,
            notes: Vec::new(),
            starter: Starter::default(),
            begin: Instant::now(),
            after_failure,
            ran: vec![false; tasks.len()],
            making_way: None,
        }
    }

    pub(super) fn task(&self, task: u32) -> &'a Task {
        &self.tasks[task as usize]
    }

    pub(super) fn tell(&mut self, event: Event) {
        let at = self.begin.elapsed();
        self.notes.push(Note { at, event });
    }

    /// Hands over what has happened, to be shown and written down. That is done when all that can
    /// start has been started, so that no command waits for it.
    pub fn deliver(&mut self) {
        self.memory.flush();
        self.report.take_all(self.notes.drain(..));
    }

    /// Whether every task is over or will never run.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.dispatcher.is_finished()
    }

    /// How it ends because of a signal, if one came.
    #[must_use]
    pub fn signal(&self) -> Option<Exit> {
        self.stop.signal()
    }

    /// The names of the tasks that have worked, and what they were, if that is to be known.
    pub fn take_done(&mut self) -> HashMap<String, String> {
        self.memory.take_done()
    }

    /// Whether what still runs is to be killed.
    #[must_use]
    pub fn is_killing(&self) -> bool {
        self.stop.level() == Level::AtOnce
    }

    /// Does all that the dispatcher wants done now.
    pub fn act(&mut self) {
        loop {
            for task in self.dispatcher.take_newly_ready() {
                let task = task as usize;
                self.tell(Event::Ready { task });
            }
            match self.dispatcher.next() {
                Some(Action::Start(task)) => self.start(task),
                Some(Action::Pause(task)) => self.pause(task),
                Some(Action::Continue(task)) => self.go_on(task),
                None => return,
            }
        }
    }

    fn start(&mut self, task: u32) {
        if let Some(victim) = self.making_way.take() {
            self.tell(Event::Paused {
                task: victim as usize,
                for_task: task as usize,
            });
        }
        if self.jobs.contains_key(&task) {
            // It is here for its next attempt, so there is nothing to find out any more.
            self.command(task);
            return;
        }
        self.jobs.insert(task, Job::new());
        if self.memory.is_done(task) {
            self.skip(task, Skip::Resumed);
            return;
        }
        match &self.task(task).condition {
            Some(condition) => {
                let condition = model::Action::Shell(condition.clone());
                if let Some(attempt) = self.spawn(task, &condition) {
                    self.set_step(task, Step::Condition(attempt));
                }
            }
            None => self.check(task),
        }
    }

    /// Begins to find out whether it has to run, if that can be found out.
    fn check(&mut self, task: u32) {
        let about = self.task(task);
        match &self.memory.looks {
            Some(looks) if fresh::has_files(about) => {
                let priority = self.dispatcher.facts(task).priority;
                looks.check(task, about, priority);
                self.set_step(task, Step::Checking);
            }
            // In a later round a task without files runs only after what runs.
            _ if !fresh::has_files(about)
                && self.memory.worked_before(about)
                && !about.needs.iter().any(|&need| self.ran[need]) =>
            {
                self.skip(task, Skip::UpToDate);
            }
            _ => self.command(task),
        }
    }

    /// Something was found out about a task's files.
    pub(super) fn found(&mut self, task: u32, found: Found) {
        let Some(job) = self.jobs.get_mut(&task) else {
            // It was stopped meanwhile.
            return;
        };
        match (&job.step, found) {
            (Step::Checking, Found::UpToDate) => self.skip(task, Skip::UpToDate),
            (Step::Checking, Found::Stale(inputs)) => {
                job.inputs = inputs;
                self.command(task);
            }
            (Step::Recording, _) => self.end(task, Ending::Success),
            _ => {}
        }
    }

    fn set_step(&mut self, task: u32, step: Step) {
        if let Some(job) = self.jobs.get_mut(&task) {
            job.step = step;
        }
    }

    /// Begins the next attempt.
    pub(super) fn command(&mut self, task: u32) {
        let Some(job) = self.jobs.get_mut(&task) else {
            return;
        };
        job.attempts += 1;
        let attempt = job.attempts;
        self.ran[task as usize] = true;
        let action = &self.task(task).action;
        if *action == model::Action::Nothing {
            self.tell(Event::Started {
                task: task as usize,
                attempt,
                pid: None,
            });
            self.end(task, Ending::Success);
            return;
        }
        if let Some(process) = self.spawn(task, action) {
            let pid = process.pid.as_raw_nonzero().get().unsigned_abs();
            self.tell(Event::Started {
                task: task as usize,
                attempt,
                pid: Some(pid),
            });
            self.set_step(task, Step::Command(process));
        }
    }

    /// Starts a process for a task; if that fails the task has failed.
    fn spawn(&mut self, task: u32, action: &model::Action) -> Option<Attempt> {
        self.memory.write_down_before(self.task(task));
        let Task {
            env,
            directory,
            timeout,
            ..
        } = self.task(task);
        let now = Instant::now();
        match self.starter.start(action, env, directory) {
            Ok(started) => {
                self.pids.insert(started.pid, task);
                let mut attempt = Attempt::new(started, *timeout, now);
                if self.jobs.get(&task).is_some_and(|job| job.is_paused) {
                    children::signal_group(attempt.pid, Signal::STOP);
                    attempt.pause(now);
                }
                Some(attempt)
            }
            Err(why) => {
                // What cannot be started now cannot be started a moment later.
                self.end(task, Ending::Broken(why));
                None
            }
        }
    }

    fn pause(&mut self, task: u32) {
        self.making_way = Some(task);
        if let Some(job) = self.jobs.get_mut(&task) {
            job.is_paused = true;
            let running = job.attempt_mut().filter(|attempt| attempt.is_running());
            if let Some(attempt) = running {
                children::signal_group(attempt.pid, Signal::STOP);
                attempt.pause(Instant::now());
            }
        }
    }

    fn go_on(&mut self, task: u32) {
        if let Some(job) = self.jobs.get_mut(&task) {
            job.is_paused = false;
            if let Some(attempt) = job.attempt_mut() {
                attempt.go_on(Instant::now());
                children::signal_group(attempt.pid, Signal::CONT);
            }
        }
        self.tell(Event::Continued {
            task: task as usize,
        });
    }

    /// A process of a task is over; what comes next for the task?
    pub(super) fn attempt_over(&mut self, task: u32) {
        let Some(job) = self.jobs.get_mut(&task) else {
            return;
        };
        match std::mem::replace(&mut job.step, Step::Checking) {
            Step::Condition(attempt) => self.condition_over(task, attempt.into_ending()),
            Step::Command(attempt) => {
                job.took += attempt.ran(Instant::now());
                self.command_over(task, attempt.into_ending());
            }
            _ => {}
        }
    }

    fn condition_over(&mut self, task: u32, ending: Ending) {
        match ending {
            Ending::Success => {
                if let Some(job) = self.jobs.get_mut(&task) {
                    job.output = Default::default();
                }
                self.check(task);
            }
            // Shells say so when the command was not found or could not be run.
            Ending::ExitCode(126 | 127) | Ending::Signal(_) | Ending::Broken(_) => {
                self.end(task, Ending::Broken(format!("its `if` failed: {ending}")));
            }
            Ending::ExitCode(_) => self.skip(task, Skip::Condition),
            Ending::Stopped | Ending::TimedOut(_) => self.end(task, ending),
        }
    }

    fn command_over(&mut self, task: u32, ending: Ending) {
        let Some(job) = self.jobs.get_mut(&task) else {
            return;
        };
        let retries = self.tasks[task as usize].retries;
        let left = (retries.count + 1).saturating_sub(job.attempts);
        let is_final = ending == Ending::Success || ending == Ending::Stopped;
        if ending == Ending::Success && fresh::has_files(&self.tasks[task as usize]) {
            self.record(task);
            return;
        }
        if is_final || left == 0 || self.stop.level() >= Level::Gently {
            self.end(task, ending);
            return;
        }
        let after = retry::wait(retries.backoff, job.attempts, fastrand::f64());
        let until = Instant::now() + after;
        job.step = Step::Resting { until };
        self.dispatcher.rests(task);
        self.tell(Event::Retrying {
            task: task as usize,
            ending,
            left,
            after,
        });
        if after.is_zero() {
            self.rested(task);
        }
    }

    /// It has worked; what it left is put on record before anything may change it.
    fn record(&mut self, task: u32) {
        let about = self.task(task);
        match (&self.memory.looks, self.jobs.get_mut(&task)) {
            (Some(looks), Some(job)) => {
                job.step = Step::Recording;
                let inputs = std::mem::take(&mut job.inputs);
                let priority = self.dispatcher.facts(task).priority;
                looks.record(task, about, priority, inputs);
            }
            _ => self.end(task, Ending::Success),
        }
    }

    /// The next attempt is due.
    pub(super) fn rested(&mut self, task: u32) {
        self.set_step(task, Step::Queued);
        self.dispatcher.is_rested(task);
    }

    fn skip(&mut self, task: u32, why: Skip) {
        self.jobs.remove(&task);
        if why != Skip::Resumed {
            self.memory
                .write_down(task as usize, &self.tasks[task as usize]);
        }
        self.tell(Event::Skipped {
            task: task as usize,
            why,
        });
        self.dispatcher.ended(task, End::Skipped);
    }

    /// A task is over.
    pub(super) fn end(&mut self, task: u32, ending: Ending) {
        let Some(job) = self.jobs.remove(&task) else {
            return;
        };
        let is_failure = !matches!(ending, Ending::Success | Ending::Stopped);
        let end = match ending {
            Ending::Success => {
                self.memory
                    .write_down(task as usize, &self.tasks[task as usize]);
                End::Done
            }
            _ => End::Failed,
        };
        self.tell(Event::Ended {
            task: task as usize,
            ending,
            took: job.took,
            attempts: job.attempts,
            output: job.output,
            cpu: Some(job.cpu),
        });
        let never = self.dispatcher.ended(task, end);
        self.tell_never(never);
        if is_failure {
            match self.after_failure {
                AfterFailure::KeepGoing => {}
                AfterFailure::Finish => self.raise(Level::NoMore),
                AfterFailure::StopAtOnce => self.raise(Level::Gently),
            }
        }
    }

    fn tell_never(&mut self, never: Vec<Never>) {
        for Never { task, root } in never {
            self.tell(Event::NeverRun {
                task: task as usize,
                root: root.map(|root| root as usize),
            });
        }
    }

    /// A signal asked to stop.
    pub fn signalled(&mut self, exit: Exit) {
        let before = self.stop.level();
        self.stop.signalled(exit);
        self.obey(before);
    }

    fn raise(&mut self, level: Level) {
        let before = self.stop.level();
        self.stop.raise(level);
        self.obey(before);
    }

    fn obey(&mut self, before: Level) {
        let level = self.stop.level();
        if level == before {
            return;
        }
        self.tell(Event::Stopping { level });
        match level {
            Level::Go => {}
            Level::NoMore => self.begin_no_more(),
            Level::Gently => {
                self.begin_no_more();
                // What cleans up is what gentleness is for.
                self.end_jobs(Signal::TERM, |task| !task.always);
            }
            Level::AtOnce => {
                let never = self.dispatcher.nothing_more();
                self.tell_never(never);
                self.end_jobs(Signal::KILL, |_| true);
            }
        }
    }

    fn begin_no_more(&mut self) {
        let never = self.dispatcher.only_always();
        self.tell_never(never);
    }

    fn end_jobs(&mut self, signal: Signal, which: impl Fn(&Task) -> bool) {
        let all = self.jobs.keys().copied();
        let tasks: Vec<u32> = all.filter(|&task| which(self.task(task))).collect();
        for task in tasks {
            match self.jobs.get_mut(&task).map(|job| &mut job.step) {
                Some(Step::Condition(attempt) | Step::Command(attempt)) => {
                    ask_to_end(attempt, Ending::Stopped, signal);
                }
                Some(Step::Resting { .. } | Step::Queued | Step::Checking) => {
                    self.end(task, Ending::Stopped);
                }
                Some(Step::Recording) | None => {}
            }
        }
    }
}

/// Asks a process with all that it started to end, or makes it end.
pub(super) fn ask_to_end(attempt: &mut Attempt, ending: Ending, signal: Signal) {
    attempt.stopping(ending, Instant::now());
    children::signal_all_of(attempt.pid, signal);
    if signal == Signal::KILL {
        attempt.killed();
    } else {
        // A process that stands still sees the request only once it goes on.
        children::signal_all_of(attempt.pid, Signal::CONT);
    }
}

/// How long the run may sleep at most, so that it can be seen to be alive.
pub const REDRAW: Duration = Duration::from_millis(100);
