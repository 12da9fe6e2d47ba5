//! The slow and obvious scheduler, as a judge.
//!
//! It plays the same program without threads and without queues. Which ready
//! task comes next it does not decide but is told by the trace, and checks that
//! it might. Everything else follows from the program.
//!
//! What the model leaves free, because the scheduler promises nothing there:
//! the order among tasks that become ready at one and the same step, and the
//! place within its level of a task that was boosted while it was queued, once
//! it was polled or the loan was taken back (an entry left behind is a right to
//! look, not a place in the line).

use crate::{
    program::{GATES, LOCKS, Plan, Step},
    world::Note,
};
use adaptive_task_scheduler::{CancelMode, Priority, TaskErrorKind, TaskState};
use std::vec::IntoIter;

/// How a task ended: with a value, or with an error of that kind.
type End = Option<TaskErrorKind>;

struct Task {
    plan: Plan,
    /// `None`: not spawned yet.
    state: Option<TaskState>,
    end: Option<End>,
    /// The next step, and whether it was begun and is pending.
    step: usize,
    begun: bool,
    cancelled: bool,
    condemned: bool,
    has_started: bool,
    /// Whom it waits on, declared and awaited, and for which lock.
    waits_on: Vec<usize>,
    missing: usize,
    dependents: Vec<usize>,
    watchers: Vec<usize>,
    /// The effective priority that the scheduler should know.
    level: Priority,
    /// When it came to its present level of the queue.
    since: u64,
    boosted_in_queue: bool,
    place_is_free: bool,
}

#[derive(Default)]
struct Gate {
    open: bool,
    waiting: Vec<usize>,
}

/// Has a number after those of all tasks in `waits_on`.
#[derive(Default)]
struct Lock {
    holder: Option<usize>,
    /// In the order of their coming.
    line: Vec<usize>,
}

pub(crate) struct Model {
    tasks: Vec<Task>,
    gates: [Gate; GATES],
    locks: [Lock; LOCKS],
    /// The task that is being polled, and whether it must be queued again.
    running: Option<usize>,
    notified: bool,
    now: u64,
}

impl Model {
    pub(crate) fn new(plans: Vec<Plan>) -> Self {
        let task = |plan: Plan| Task {
            level: plan.priority,
            plan,
            state: None,
            end: None,
            step: 0,
            begun: false,
            cancelled: false,
            condemned: false,
            has_started: false,
            waits_on: Vec::new(),
            missing: 0,
            dependents: Vec::new(),
            watchers: Vec::new(),
            since: 0,
            boosted_in_queue: false,
            place_is_free: false,
        };
        Self {
            tasks: plans.into_iter().map(task).collect(),
            gates: Default::default(),
            locks: Default::default(),
            running: None,
            notified: false,
            now: 0,
        }
    }

    pub(crate) fn state(&self, task: usize) -> Option<TaskState> {
        self.tasks[task].state
    }

    pub(crate) fn end(&self, task: usize) -> Option<End> {
        self.tasks[task].end
    }

    fn lives(&self, task: usize) -> bool {
        self.tasks[task]
            .state
            .is_some_and(|state| state != TaskState::Finished)
    }

    fn numbers(&self) -> std::ops::Range<usize> {
        0..self.tasks.len()
    }

    fn ready(&self) -> impl Iterator<Item = usize> {
        self.numbers()
            .filter(|&task| self.state(task) == Some(TaskState::Ready))
    }

    /// The most important of the task and of all who wait on it, directly or
    /// through others.
    pub(crate) fn effective(&self, task: usize) -> Priority {
        let waits = |other: &usize| *other == task || self.reaches(*other, task);
        let all = self
            .numbers()
            .filter(|&other| self.lives(other))
            .filter(waits);
        all.map(|other| self.tasks[other].plan.priority)
            .max()
            .expect("it lives itself")
    }

    /// Whether `from` waits on `to`, directly or through others.
    fn reaches(&self, from: usize, to: usize) -> bool {
        let mut seen = vec![false; self.tasks.len() + LOCKS];
        let mut open = vec![from];
        while let Some(at) = open.pop() {
            for on in self.blockers(at) {
                if on == to {
                    return true;
                }
                if !std::mem::replace(&mut seen[on], true) {
                    open.push(on);
                }
            }
        }
        false
    }

    /// What a task waits on, or who holds a lock.
    fn blockers(&self, at: usize) -> Vec<usize> {
        let tasks = self.tasks.len();
        match self.tasks.get(at) {
            Some(task) => {
                let all = task.waits_on.iter().copied();
                all.filter(|&on| on >= tasks || self.lives(on)).collect()
            }
            None => self.locks[at - tasks].holder.into_iter().collect(),
        }
    }

    /// Who waits on whom has changed.
    fn settle(&mut self) {
        for task in self
            .numbers()
            .filter(|&task| self.lives(task))
            .collect::<Vec<_>>()
        {
            let (before, level) = (self.tasks[task].level, self.effective(task));
            let (now, it) = (self.now, &mut self.tasks[task]);
            it.level = level;
            if it.state != Some(TaskState::Ready) {
                continue;
            }
            if level > before {
                it.boosted_in_queue = true;
                it.since = now;
            } else if level < before {
                it.place_is_free = true;
            }
        }
    }

    fn add_edge(&mut self, waiter: usize, on: usize) {
        self.tasks[waiter].waits_on.push(on);
        self.settle();
    }

    fn remove_edge(&mut self, waiter: usize, on: usize) {
        let edges = &mut self.tasks[waiter].waits_on;
        let at = edges
            .iter()
            .rposition(|&edge| edge == on)
            .expect("there is such an edge");
        edges.remove(at);
        self.settle();
    }

    fn enqueue(&mut self, task: usize) {
        let it = &mut self.tasks[task];
        it.state = Some(TaskState::Ready);
        it.since = self.now;
    }

    /// Something new happens.
    fn tick(&mut self) {
        self.now += 1;
    }

    fn wake(&mut self, task: usize) {
        match self.state(task) {
            Some(TaskState::Suspended) => self.enqueue(task),
            Some(TaskState::Running) => self.notified = true,
            _ => {}
        }
    }

    /// The task must look at a request to end.
    fn call(&mut self, task: usize) {
        match self.state(task) {
            Some(TaskState::Blocked) => self.enqueue(task),
            _ => self.wake(task),
        }
    }

    pub(crate) fn cancel(&mut self, task: usize) {
        self.tick();
        let it = &mut self.tasks[task];
        let ignores = it.plan.on_cancel == CancelMode::Shield || it.cancelled;
        if self.lives(task) && !ignores {
            self.tasks[task].cancelled = true;
            self.call(task);
        }
    }

    pub(crate) fn release(&mut self, gate: usize) {
        self.gates[gate].open = true;
        for task in std::mem::take(&mut self.gates[gate].waiting) {
            self.tick();
            self.wake(task);
        }
    }

    pub(crate) fn spawn(&mut self, task: usize) {
        self.tick();
        if self.tasks[task].state.is_some() {
            return;
        }
        let after = self.tasks[task].plan.after.clone();
        let after: Vec<_> = after
            .into_iter()
            .filter(|&on| self.tasks[on].state.is_some())
            .collect();
        if after.is_empty() {
            return self.enqueue(task);
        }
        self.tasks[task].state = Some(TaskState::Blocked);
        self.tasks[task].missing = 1;
        for on in after {
            self.declare(task, on);
        }
        self.dependency_ended(task, None);
    }

    fn declare(&mut self, task: usize, on: usize) {
        self.tasks[task].missing += 1;
        self.add_edge(task, on);
        match self.tasks[on].end {
            Some(end) => self.dependency_ended(task, end),
            None => self.tasks[on].dependents.push(task),
        }
    }

    /// `Err` says whether it would have closed a cycle.
    pub(crate) fn add_dependency(&mut self, task: usize, on: usize) -> Result<(), bool> {
        self.tick();
        if self.state(task) != Some(TaskState::Blocked) {
            return Err(false);
        }
        // To look for a cycle the edge is added; if it stays, it is added anew.
        self.add_edge(task, on);
        let is_cycle = self.reaches(task, task);
        self.remove_edge(task, on);
        if is_cycle {
            return Err(true);
        }
        self.declare(task, on);
        Ok(())
    }

    fn dependency_ended(&mut self, task: usize, end: End) {
        if !self.lives(task) {
            return;
        }
        self.tasks[task].missing -= 1;
        if end.is_some() {
            if !std::mem::replace(&mut self.tasks[task].condemned, true) {
                self.call(task);
            }
        } else if self.tasks[task].missing == 0 && self.state(task) == Some(TaskState::Blocked) {
            self.enqueue(task);
        }
    }

    /// Plays the locking of a lock. Whether it is pending.
    fn lock(&mut self, task: usize, lock: usize, trace: &mut IntoIter<Note>) -> bool {
        let number = self.tasks.len() + lock;
        match self.locks[lock].holder {
            Some(holder) if holder == task => return false,
            None => {
                self.locks[lock].holder = Some(task);
                self.settle();
                return false;
            }
            Some(_) if self.tasks[task].begun => return true,
            Some(_) => {}
        }
        self.locks[lock].line.push(task);
        self.add_edge(task, number);
        if self.reaches(task, task) {
            match trace.next() {
                Some(Note::Cycle(told, path)) if told == task => self.check_cycle(task, &path),
                other => panic!("{other:?}, though task {task} closes a cycle"),
            }
            self.leave_line(task, lock);
            return false;
        }
        true
    }

    fn leave_line(&mut self, task: usize, lock: usize) {
        self.locks[lock].line.retain(|&waiter| waiter != task);
        self.remove_edge(task, self.tasks.len() + lock);
    }

    /// The lock goes to the most important of those who wait, the first of them.
    fn unlock(&mut self, lock: usize) {
        self.locks[lock].holder = None;
        self.settle();
        let line = &self.locks[lock].line;
        let level = |waiter: &usize| self.tasks[*waiter].level;
        let Some(highest) = line.iter().map(level).max() else {
            return;
        };
        let next = line.iter().copied().find(|waiter| level(waiter) == highest);
        let next = next.expect("somebody has the highest level");
        self.leave_line(next, lock);
        self.locks[lock].holder = Some(next);
        self.settle();
        self.wake(next);
    }

    /// A task that ends gives up its place in a line, and what it holds.
    fn leave_locks(&mut self, task: usize) {
        let it = &self.tasks[task];
        let pending = match it.plan.steps.get(it.step) {
            Some(&Step::Lock(lock)) if it.begun => Some(lock),
            _ => None,
        };
        for lock in pending.into_iter().chain(0..LOCKS) {
            if self.locks[lock].line.contains(&task) {
                self.leave_line(task, lock);
            }
            if self.locks[lock].holder == Some(task) {
                self.unlock(lock);
            }
        }
    }

    fn finish(&mut self, task: usize, end: End) {
        self.tick();
        self.leave_locks(task);
        let it = &mut self.tasks[task];
        it.state = Some(TaskState::Finished);
        it.end = Some(end);
        it.waits_on.clear();
        let (dependents, watchers) = (
            std::mem::take(&mut it.dependents),
            std::mem::take(&mut it.watchers),
        );
        self.settle();
        for dependent in dependents {
            self.dependency_ended(dependent, end);
        }
        for watcher in watchers {
            self.wake(watcher);
        }
    }

    /// Follows the real scheduler through a round.
    pub(crate) fn replay(&mut self, trace: Vec<Note>) {
        let mut trace = trace.into_iter();
        while let Some(note) = trace.next() {
            match note {
                Note::Poll(task) => {
                    self.take(task);
                    assert!(
                        !self.must_stop(task),
                        "task {task} should not have been polled"
                    );
                    self.tasks[task].has_started = true;
                    self.poll(task, &mut trace);
                }
                Note::Dropped(task) => {
                    self.take(task);
                    assert!(self.must_stop(task), "task {task} was dropped");
                    let dependency = self.tasks[task].condemned;
                    let kinds = (TaskErrorKind::Dependency, TaskErrorKind::Cancelled);
                    self.finish(task, Some(if dependency { kinds.0 } else { kinds.1 }));
                }
                other => panic!("{other:?} outside of a poll"),
            }
        }
    }

    pub(crate) fn assert_quiescent(&self) {
        let left: Vec<_> = self.ready().collect();
        assert!(
            left.is_empty(),
            "tasks {left:?} are ready and were not polled"
        );
    }

    fn must_stop(&self, task: usize) -> bool {
        let it = &self.tasks[task];
        let cooperates = it.plan.on_cancel == CancelMode::Cooperate && it.has_started;
        it.condemned || (it.cancelled && !cooperates)
    }

    /// The scheduler has chosen this task.
    fn take(&mut self, task: usize) {
        assert_eq!(
            self.state(task),
            Some(TaskState::Ready),
            "task {task} was chosen"
        );
        let level = self.effective(task);
        let place = |it: &Task| (it.plan.deadline.unwrap_or(u64::MAX), it.since);
        for other in self.ready() {
            assert!(
                self.effective(other) <= level,
                "task {task} went before task {other}"
            );
            let (it, rival) = (&self.tasks[task], &self.tasks[other]);
            if rival.level == level && !it.place_is_free && !rival.place_is_free {
                assert!(
                    place(it) <= place(rival),
                    "task {task} went before task {other}"
                );
            }
        }
        let it = &mut self.tasks[task];
        it.state = Some(TaskState::Running);
        it.place_is_free |= std::mem::take(&mut it.boosted_in_queue);
        self.running = Some(task);
        self.notified = false;
    }

    /// Plays one poll of a task, and compares what it notes.
    fn poll(&mut self, task: usize, trace: &mut IntoIter<Note>) {
        while let Some(&step) = self.tasks[task].plan.steps.get(self.tasks[task].step) {
            self.tick();
            let is_pending = match step {
                Step::Panic => {
                    assert_eq!(trace.next(), Some(Note::Dropped(task)));
                    return self.finish(task, Some(TaskErrorKind::Panicked));
                }
                Step::Await(on) => self.wait(task, on, trace),
                Step::Lock(lock) => self.lock(task, lock, trace),
                step => self.play(task, step),
            };
            self.tasks[task].begun = is_pending;
            if is_pending {
                return self.suspend(task);
            }
            self.tasks[task].step += 1;
        }
        assert_eq!(trace.next(), Some(Note::Dropped(task)));
        self.finish(task, None);
    }

    fn suspend(&mut self, task: usize) {
        self.tick();
        self.tasks[task].state = Some(TaskState::Suspended);
        if self.notified {
            self.enqueue(task);
        }
    }

    /// Plays a step that notes nothing. Whether it is pending.
    fn play(&mut self, task: usize, step: Step) -> bool {
        let begun = self.tasks[task].begun;
        match step {
            Step::Yield => {
                self.notified |= !begun;
                return !begun;
            }
            Step::Pass(gate) => {
                let gate = &mut self.gates[gate];
                if !gate.open && !begun {
                    gate.waiting.push(task);
                }
                return !gate.open;
            }
            Step::Release(gate) => self.release(gate),
            Step::Unlock(lock) if self.locks[lock].holder == Some(task) => self.unlock(lock),
            Step::Unlock(_) => {}
            Step::Cancel(other) => self.cancel(other),
            Step::Spawn(other) => self.spawn(other),
            Step::Await(_) | Step::Lock(_) | Step::Panic => unreachable!("played elsewhere"),
        }
        false
    }

    /// Plays an await of a task. Whether it is pending.
    fn wait(&mut self, task: usize, on: usize, trace: &mut IntoIter<Note>) -> bool {
        if self.tasks[on].state.is_none() {
            return false;
        }
        if let Some(end) = self.tasks[on].end {
            if self.tasks[task].begun {
                self.remove_edge(task, on);
            }
            assert_eq!(trace.next(), Some(Note::Got(task, on, end)));
            return false;
        }
        if self.tasks[task].begun {
            return true;
        }
        self.add_edge(task, on);
        if self.reaches(task, task) {
            match trace.next() {
                Some(Note::Cycle(told, path)) if told == task => self.check_cycle(task, &path),
                other => panic!("{other:?}, though task {task} closes a cycle"),
            }
            self.remove_edge(task, on);
            return false;
        }
        self.tasks[on].watchers.push(task);
        true
    }

    /// Each of the path waits on the next, and the last on the first.
    fn check_cycle(&self, task: usize, path: &[String]) {
        let number = |name: &String| {
            let (what, number) = name.split_once(' ').expect("a name of this test");
            let number: usize = number.parse().expect("a number");
            match what {
                "task" => number,
                _ => self.tasks.len() + number,
            }
        };
        let path: Vec<_> = path.iter().map(number).collect();
        assert_eq!(path[0], task);
        for (at, &waiter) in path.iter().enumerate() {
            let on = path[(at + 1) % path.len()];
            assert!(self.blockers(waiter).contains(&on), "{path:?}");
        }
    }
}
