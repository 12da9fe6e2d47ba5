//! What happens while commands run: they print, end, take too long, or do not end when asked to.
//!
//! One thread does it all. It sleeps in `poll` until a signal comes (the end of a child is one), a
//! pipe has something or a time is over, and then: takes signals, waits for children, reads
//! pipes, and looks at what is due.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;

use super::children;
use super::ending::Ending;
use super::fresh::Looks;
use super::job::{Due, Step};
use super::note::Event;
use super::run::{REDRAW, Run, ask_to_end};
use super::signals::Signals;

/// A command that prints without end must not keep this thread from everything else.
const READS_AT_ONCE: usize = 16;

impl Run<'_> {
    /// Sleeps until something happens, and sees to that.
    pub fn attend(&mut self, signals: &Signals) {
        let readable = self.sleep(signals);
        signals.clear();
        if let Some(exit) = signals.take() {
            self.signalled(exit);
        }
        for task in readable {
            self.listen(task);
        }
        self.reap();
        while let Some((task, found)) = self.memory.looks.as_ref().and_then(Looks::take) {
            self.found(task, found);
        }
        self.see_to_what_is_due();
    }

    /// Returns whose pipes have something.
    fn sleep(&self, signals: &Signals) -> Vec<u32> {
        let now = Instant::now();
        let due = self.jobs.values().filter_map(|job| job.due_at(now)).min();
        let until = due.map_or(REDRAW, |due| due.saturating_duration_since(now));
        let timeout = until.min(REDRAW);
        let mut tasks = Vec::new();
        let mut fds = vec![PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN)];
        for (&task, job) in &self.jobs {
            let attempt = job
                .attempt()
                .filter(|attempt| self.report.wants_output() || attempt.is_listened_to(now));
            if let Some(pipe) = attempt.and_then(|attempt| attempt.pipe.as_ref()) {
                tasks.push(task);
                fds.push(PollFd::new(pipe, PollFlags::IN));
            }
        }
        // Rounded up to a tick of the clock, or it would wake a moment too early, and again.
        let timeout = Timespec::try_from(timeout + Duration::from_micros(50)).ok();
        if poll(&mut fds, timeout.as_ref()).is_err() {
            return Vec::new();
        }
        let readable = fds[1..].iter().zip(tasks);
        readable
            .filter(|(fd, _)| !fd.revents().is_empty())
            .map(|(_, task)| task)
            .collect()
    }

    /// Reads what a task's process has printed.
    fn listen(&mut self, task: u32) {
        for _ in 0..READS_AT_ONCE {
            let job = self.jobs.get_mut(&task);
            let Some(attempt) = job.and_then(|job| job.attempt_mut()) else {
                return;
            };
            let Some(pipe) = &mut attempt.pipe else {
                return;
            };
            match pipe.read(&mut self.buffer) {
                Ok(0) => attempt.pipe = None,
                Ok(read) => self.heard(task, read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => attempt.pipe = None,
            }
        }
    }

    fn heard(&mut self, task: u32, read: usize) {
        if let Some(job) = self.jobs.get_mut(&task) {
            job.output.add(&self.buffer[..read]);
        }
        if self.report.wants_output() {
            let bytes = self.buffer[..read].to_vec();
            self.tell(Event::Output {
                task: task as usize,
                bytes,
            });
        }
    }

    /// Waits for all children that have ended.
    fn reap(&mut self) {
        while let Some(ended) = self.reaper.take() {
            // What commands left behind is waited for too, and forgotten.
            let Some(task) = self.pids.remove(&ended.pid) else {
                continue;
            };
            if let Some(job) = self.jobs.get_mut(&task) {
                job.cpu += ended.cpu;
                if let Some(attempt) = job.attempt_mut() {
                    attempt.ended(Ending::from(ended.status), Instant::now());
                }
            }
            self.listen(task);
        }
    }

    fn see_to_what_is_due(&mut self) {
        let now = Instant::now();
        let tasks: Vec<u32> = self.jobs.keys().copied().collect();
        for task in tasks {
            self.see_to(task, now);
        }
    }

    fn see_to(&mut self, task: u32, now: Instant) {
        let Some(job) = self.jobs.get_mut(&task) else {
            return;
        };
        match &mut job.step {
            Step::Resting { until } if *until <= now => self.rested(task),
            Step::Condition(attempt) | Step::Command(attempt) => match attempt.due(now) {
                Due::Nothing => {}
                Due::Limit(limit) => ask_to_end(attempt, Ending::TimedOut(limit), Signal::TERM),
                Due::Kill => ask_to_end(attempt, Ending::Stopped, Signal::KILL),
                Due::LookAtGroup if !children::is_empty(attempt.pid) => {}
                Due::LookAtGroup | Due::Over => self.attempt_over(task),
            },
            _ => {}
        }
    }
}
