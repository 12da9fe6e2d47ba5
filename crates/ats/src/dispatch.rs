//! Pure: which task starts next, and which never will.
//!
//! Owns where each task stands, but not time and no process: whoever runs the tasks asks
//! [`Dispatcher::next`] until it has nothing more to say, does that, and tells what came of it.
//! `ats run` does so with commands, `ats replay` with times that it adds up, so both decide alike.
//!
//! The order of what is ready: the higher effective priority, then the earlier latest start for
//! the sake of a deadline, then the longer remaining path, then what became ready earlier, then
//! what comes earlier in the file.
//!
//! ```text
//! waiting -> ready -> running <-> paused
//!    |         ^         |
//!    |         '- resting (between two attempts, without a place)
//!    '-> never           '-> over
//! ```
//!
//! What needs a failed task never runs, from the moment of the failure on. What is `always` to run
//! does so once all that it needs is over or will never be. After [`Dispatcher::only_always`]
//! nothing else starts that has not begun; and of the `always` tasks only those before which
//! something has begun, for the others have nothing to clean up.

use std::time::Duration;

use adaptive_task_scheduler::Priority;
use adaptive_task_scheduler::graph::Shape;

mod places;
#[cfg(test)]
mod tests;

use places::{Places, Turn};

/// What there is to know of a task before it runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Facts {
    /// Its effective priority: its own, or that of what needs it.
    pub priority: Priority,
    /// How long the longest path takes that begins with it, itself included.
    pub rank: Duration,
    /// What it holds while it runs.
    pub holds: Holds,
    /// Whether it runs however its needs ended.
    pub always: bool,
    /// When it should have ended, from the start of the run.
    pub deadline: Option<Duration>,
}

/// What a task holds while it runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Holds {
    /// One of the places for what computes.
    Place,
    /// One of the places for what mostly waits.
    WaitingPlace,
    /// Nothing, so that it starts as soon as it is ready.
    Nothing,
}

/// How much may run at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Tasks that compute.
    pub places: usize,
    /// Tasks that mostly wait.
    pub waiting_places: usize,
    /// Whether a task is paused for a more important one that would have to wait.
    pub preempt: bool,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Start this task, or its next attempt.
    Start(u32),
    /// Pause this running task: another one gets its place.
    Pause(u32),
    /// Let this paused task go on.
    Continue(u32),
}

/// How a task ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// It did what it should.
    Done,
    /// There was no reason to run it; what needs it runs.
    Skipped,
    /// It did not; what needs it does not run.
    Failed,
}

/// A task that will never run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Never {
    /// Which.
    pub task: u32,
    /// The failed task that it needs, directly or through others; `None` if it would have run, had
    /// the run not been stopped.
    pub root: Option<u32>,
}

/// Where a task stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Standing {
    Waiting,
    Ready,
    Running,
    Paused,
    Resting,
    Over,
    Never,
}

/// What may begin.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Open {
    Nothing,
    OnlyAlways,
    All,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    standing: Standing,
    /// How many of its needs are neither over nor never to run.
    left: u32,
    /// It has had a first attempt.
    begun: bool,
    /// Something that it needs, directly or through others, has begun.
    after_begun: bool,
    /// Something that it needs will never run because the run was stopped.
    barred: bool,
    /// When it became ready or began, whichever was last; by count, not by clock.
    since: u64,
    /// When it must have started for the sake of its own and later deadlines.
    latest: Duration,
}

/// Decides which task of a graph starts next.
#[derive(Debug)]
pub struct Dispatcher {
    shape: Shape,
    facts: Vec<Facts>,
    nodes: Vec<Node>,
    /// By what tasks hold, in the order of [`Holds`].
    places: [Places; 3],
    preempt: bool,
    open: Open,
    /// How many tasks are neither over nor never to run.
    left: usize,
    /// Counts what happens, so that earlier and later can be told apart.
    count: u64,
    /// What has become ready and was not told yet.
    newly_ready: Vec<u32>,
}

impl Dispatcher {
    /// Of a graph of which nothing has run.
    ///
    /// # Panics
    ///
    /// If there are not as many facts as nodes, or no places at all.
    #[must_use]
    pub fn new(shape: Shape, facts: Vec<Facts>, limits: Limits) -> Self {
        assert_eq!(shape.len(), facts.len(), "facts of each node");
        assert!(limits.places > 0 && limits.waiting_places > 0, "no places");
        let node = |&left: &u32| Node {
            standing: Standing::Waiting,
            left,
            begun: false,
            after_begun: false,
            barred: false,
            since: 0,
            latest: Duration::MAX,
        };
        let mut dispatcher = Dispatcher {
            nodes: shape.dependencies().iter().map(node).collect(),
            left: facts.len(),
            facts,
            shape,
            places: [limits.places, limits.waiting_places, usize::MAX].map(Places::new),
            preempt: limits.preempt,
            open: Open::All,
            count: 0,
            newly_ready: Vec::new(),
        };
        dispatcher.find_latest_starts();
        for task in 0..dispatcher.nodes.len() as u32 {
            if dispatcher.nodes[task as usize].left == 0 {
                dispatcher.make_ready(task);
            }
        }
        dispatcher
    }

    /// What is to be done now, if anything; to be asked until there is nothing.
    #[allow(
        clippy::should_implement_trait,
        reason = "no iterator: what comes next depends on what is told in between"
    )]
    pub fn next(&mut self) -> Option<Action> {
        (0..self.places.len()).find_map(|kind| self.next_of(kind))
    }

    fn next_of(&mut self, kind: usize) -> Option<Action> {
        self.drop_void_turns(kind);
        let places = &self.places[kind];
        let action = if places.is_any_free() {
            places.fill()?
        } else {
            let victim = places.victim().filter(|_| self.preempt)?;
            Action::Pause(victim)
        };
        match action {
            Action::Start(task) => {
                self.places[kind].take_first();
                self.run(task);
            }
            Action::Continue(task) => self.run(task),
            Action::Pause(task) => self.pause(task),
        }
        Some(action)
    }

    /// A turn is void if its task was ended while it waited for its next attempt.
    fn drop_void_turns(&mut self, kind: usize) {
        while let Some(turn) = self.places[kind].first() {
            let node = &self.nodes[turn.task() as usize];
            if node.standing == Standing::Ready && node.since == turn.since() {
                return;
            }
            self.places[kind].take_first();
        }
    }

    fn run(&mut self, task: u32) {
        self.leave_place(task);
        self.count += 1;
        let node = &mut self.nodes[task as usize];
        node.standing = Standing::Running;
        node.begun = true;
        node.since = self.count;
        let facts = &self.facts[task as usize];
        self.places[facts.holds as usize].occupy(facts.priority, self.count, task);
    }

    fn pause(&mut self, task: u32) {
        self.leave_place(task);
        let node = &mut self.nodes[task as usize];
        node.standing = Standing::Paused;
        let facts = &self.facts[task as usize];
        self.places[facts.holds as usize].pause(facts.priority, node.since, task);
    }

    fn leave_place(&mut self, task: u32) {
        let node = &self.nodes[task as usize];
        if matches!(node.standing, Standing::Running | Standing::Paused) {
            let facts = &self.facts[task as usize];
            self.places[facts.holds as usize].leave(facts.priority, node.since, task);
        }
    }

    fn make_ready(&mut self, task: u32) {
        self.nodes[task as usize].standing = Standing::Ready;
        self.nodes[task as usize].since = self.count;
        if !self.nodes[task as usize].begun {
            self.newly_ready.push(task);
        }
        self.queue(task);
    }

    fn queue(&mut self, task: u32) {
        let (facts, node) = (&self.facts[task as usize], &self.nodes[task as usize]);
        let turn = Turn::new(facts.priority, node.latest, facts.rank, node.since, task);
        self.places[facts.holds as usize].queue(turn);
    }

    /// Between two attempts a running task holds no place.
    pub fn rests(&mut self, task: u32) {
        self.leave_place(task);
        self.nodes[task as usize].standing = Standing::Resting;
    }

    /// A resting task wants its next attempt.
    pub fn is_rested(&mut self, task: u32) {
        debug_assert_eq!(self.nodes[task as usize].standing, Standing::Resting);
        self.count += 1;
        self.make_ready(task);
    }

    /// A task that has begun is over, wherever it stands. Returns what will therefore never run.
    pub fn ended(&mut self, task: u32, end: End) -> Vec<Never> {
        debug_assert!(self.is_under_way(task), "{task} is not under way");
        self.leave_place(task);
        self.nodes[task as usize].standing = Standing::Over;
        self.left -= 1;
        self.count += 1;
        let mut never = Vec::new();
        let spoiled = (end == End::Failed).then_some(Some(task));
        self.release(task, spoiled, &mut never);
        self.follow_up(never)
    }

    /// From now on nothing begins but what is always to run. Returns what will therefore never
    /// run; more may follow when what runs has ended.
    pub fn only_always(&mut self) -> Vec<Never> {
        self.close(Open::OnlyAlways)
    }

    /// From now on nothing begins at all. Returns as [`Dispatcher::only_always`] does.
    pub fn nothing_more(&mut self) -> Vec<Never> {
        self.close(Open::Nothing)
    }

    fn close(&mut self, open: Open) -> Vec<Never> {
        self.open = self.open.min(open);
        let mut never = Vec::new();
        for task in 0..self.nodes.len() as u32 {
            let node = &self.nodes[task as usize];
            if node.standing == Standing::Ready && !node.begun && !self.may_begin(task) {
                self.give_up(task, None, &mut never);
            }
        }
        self.follow_up(never)
    }

    fn may_begin(&self, task: u32) -> bool {
        match self.open {
            Open::All => true,
            Open::OnlyAlways => {
                self.facts[task as usize].always && self.nodes[task as usize].after_begun
            }
            Open::Nothing => false,
        }
    }

    /// Tells those right after it that a task is over or will never be. `spoiled` says that what
    /// needs it does not run, and because of which failure.
    fn release(&mut self, task: u32, spoiled: Option<Option<u32>>, never: &mut Vec<Never>) {
        let node = self.nodes[task as usize];
        for at in 0..self.shape.successors(task).len() {
            let after = self.shape.successors(task)[at];
            let next = &mut self.nodes[after as usize];
            next.left -= 1;
            next.after_begun |= node.begun || node.after_begun;
            if next.standing != Standing::Waiting {
                continue;
            }
            let spoiled = spoiled.filter(|_| !self.facts[after as usize].always);
            next.barred |= spoiled == Some(None);
            match spoiled.flatten() {
                Some(root) => self.give_up(after, Some(root), never),
                None if self.nodes[after as usize].left == 0 => self.admit(after, never),
                None => {}
            }
        }
    }

    fn admit(&mut self, task: u32, never: &mut Vec<Never>) {
        if self.nodes[task as usize].barred || !self.may_begin(task) {
            self.give_up(task, None, never);
        } else {
            self.make_ready(task);
        }
    }

    fn give_up(&mut self, task: u32, root: Option<u32>, never: &mut Vec<Never>) {
        self.nodes[task as usize].standing = Standing::Never;
        self.left -= 1;
        never.push(Never { task, root });
    }

    /// Releases what comes after each of these, and after those that are added by it.
    fn follow_up(&mut self, mut never: Vec<Never>) -> Vec<Never> {
        let mut at = 0;
        while let Some(&Never { task, root }) = never.get(at) {
            self.release(task, Some(root), &mut never);
            at += 1;
        }
        never
    }

    /// Durations are known better now: the longest remaining paths from each task.
    ///
    /// # Panics
    ///
    /// If there are not as many as nodes.
    pub fn set_ranks(&mut self, ranks: &[Duration]) {
        assert_eq!(ranks.len(), self.facts.len(), "ranks of each node");
        for (facts, &rank) in self.facts.iter_mut().zip(ranks) {
            facts.rank = rank;
        }
        self.find_latest_starts();
        for places in &mut self.places {
            places.forget_turns();
        }
        for task in 0..self.nodes.len() as u32 {
            if self.nodes[task as usize].standing == Standing::Ready {
                self.queue(task);
            }
        }
    }

    /// A task must have ended when its deadline is there and when the first of those after it must
    /// have started; how long it takes is what its path is longer than theirs.
    fn find_latest_starts(&mut self) {
        for &task in self.shape.order().iter().rev() {
            let facts = &self.facts[task as usize];
            let after = self.shape.successors(task).iter();
            let mut latest_end = facts.deadline.unwrap_or(Duration::MAX);
            let mut rest = Duration::ZERO;
            for &next in after {
                latest_end = latest_end.min(self.nodes[next as usize].latest);
                rest = rest.max(self.facts[next as usize].rank);
            }
            self.nodes[task as usize].latest = if latest_end == Duration::MAX {
                latest_end
            } else {
                latest_end.saturating_sub(facts.rank.saturating_sub(rest))
            };
        }
    }

    /// What has become ready since this was last asked, each task once.
    pub fn take_newly_ready(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.newly_ready)
    }

    /// Whether every task is over or will never run.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.left == 0
    }

    /// Whether it has begun and is not over.
    #[must_use]
    pub fn is_under_way(&self, task: u32) -> bool {
        let node = &self.nodes[task as usize];
        node.begun && node.standing != Standing::Over
    }

    /// Whether it could run now, had it a place.
    #[must_use]
    pub fn is_ready(&self, task: u32) -> bool {
        self.nodes[task as usize].standing == Standing::Ready
    }

    /// What is known of a task.
    #[must_use]
    pub fn facts(&self, task: u32) -> &Facts {
        &self.facts[task as usize]
    }

    /// The graph.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }
}

/// The order in which a single place would run all tasks, if none fails.
#[must_use]
pub fn one_by_one(shape: Shape, facts: Vec<Facts>) -> Vec<u32> {
    let alone = facts.into_iter().map(|facts| Facts {
        holds: Holds::Place,
        ..facts
    });
    let limits = Limits {
        places: 1,
        waiting_places: 1,
        preempt: false,
    };
    let mut dispatcher = Dispatcher::new(shape, alone.collect(), limits);
    let mut order = Vec::new();
    while let Some(action) = dispatcher.next() {
        if let Action::Start(task) = action {
            order.push(task);
            dispatcher.ended(task, End::Done);
        }
    }
    order
}
