//! Pure: a machine in virtual time. Its clock jumps from one end of a task to the next, and what
//! starts when is decided by [`Dispatcher`], the same code that decides it in `ats run`.
//!
//! The model: identical workers that run one task each; no transfers, and nobody slows anybody
//! down. Without preemption nobody is interrupted; with it a task may be paused for a more important
//! one and goes on later, on any worker, at no cost. Tasks that end at one moment have all ended
//! before the next one starts. Nothing here is random: the same case gives the same schedule.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::time::Duration;

use super::case::{Case, WAITING_PLACES};
use super::policy::Ranking;
use crate::dispatch::{Action, Dispatcher, End, Facts, Holds, Limits};

/// A machine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Machine {
    /// How many workers it has.
    pub cores: usize,
    /// Whether tasks may be paused for more important ones.
    pub preempt: bool,
}

/// When each node ran, and where.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schedule {
    /// By node, when it started.
    pub starts: Vec<Duration>,
    /// By node, when it ended.
    pub ends: Vec<Duration>,
    /// What ran without a break, in the order of ending; arrivals left out.
    pub pieces: Vec<Piece>,
    /// The nodes in the order in which they started, arrivals left out.
    pub order: Vec<u32>,
    /// When the last one ended.
    pub makespan: Duration,
}

/// A stretch of time in which a node ran.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Piece {
    /// What ran
    pub node: u32,
    /// from then
    pub start: Duration,
    /// until then
    pub end: Duration,
    /// on this worker; tasks that wait have numbers of their own.
    pub worker: u32,
}

impl Machine {
    /// Runs a case to its end.
    #[must_use]
    pub fn run(self, case: &Case<'_>, ranking: Ranking<'_>) -> Schedule {
        let mut running = Running::new(case, self, ranking);
        running.act();
        while running.go_on() {
            running.act();
        }
        debug_assert!(running.dispatcher.is_finished());
        running.schedule
    }
}

struct Running<'a> {
    case: &'a Case<'a>,
    dispatcher: Dispatcher,
    ranking: Ranking<'a>,
    now: Duration,
    /// What ends when; of those that end at one moment the earlier node first.
    ends: BTreeSet<(Duration, u32)>,
    /// By node, what is left of it, and where it runs since when.
    left: Vec<Duration>,
    since: Vec<Duration>,
    on: Vec<u32>,
    /// By what tasks hold, in the order of [`Holds`].
    workers: [Workers; 3],
    schedule: Schedule,
}

impl<'a> Running<'a> {
    fn new(case: &'a Case<'a>, machine: Machine, mut ranking: Ranking<'a>) -> Self {
        let plan = &case.plan;
        let nodes = plan.nodes.len();
        let priorities = ranking.priorities();
        let ranks = ranking.ranks();
        let facts = (0..nodes).map(|node| Facts {
            priority: priorities[node],
            rank: ranks[node],
            holds: plan.nodes[node].holds,
            always: false,
            deadline: None,
        });
        let limits = Limits {
            places: machine.cores,
            waiting_places: machine.cores.saturating_mul(WAITING_PLACES),
            preempt: machine.preempt,
        };
        Running {
            case,
            dispatcher: Dispatcher::new(plan.shape.clone(), facts.collect(), limits),
            ranking,
            now: Duration::ZERO,
            ends: BTreeSet::new(),
            left: case.durations.clone(),
            since: vec![Duration::ZERO; nodes],
            on: vec![0; nodes],
            workers: <[Workers; 3]>::default(),
            schedule: Schedule {
                starts: vec![Duration::ZERO; nodes],
                ends: vec![Duration::ZERO; nodes],
                ..Schedule::default()
            },
        }
    }

    /// Does all that is to be done at this moment.
    fn act(&mut self) {
        while let Some(action) = self.dispatcher.next() {
            match action {
                Action::Start(node) => {
                    self.schedule.starts[node as usize] = self.now;
                    if !self.case.is_arrival(node as usize) {
                        self.schedule.order.push(node);
                    }
                    self.let_run(node);
                }
                Action::Continue(node) => self.let_run(node),
                Action::Pause(node) => self.pause(node),
            }
        }
    }

    fn let_run(&mut self, node: u32) {
        let at = node as usize;
        self.since[at] = self.now;
        self.on[at] = self.workers(node).take();
        let end = self.now.saturating_add(self.left[at]);
        self.ends.insert((end, node));
    }

    fn pause(&mut self, node: u32) {
        let at = node as usize;
        let end = self.since[at].saturating_add(self.left[at]);
        self.ends.remove(&(end, node));
        self.left[at] = end - self.now;
        self.leave(node);
    }

    /// A node does not run any longer; what it ran since it was let is a piece.
    fn leave(&mut self, node: u32) {
        let at = node as usize;
        let worker = self.on[at];
        self.workers(node).give_back(worker);
        let piece = Piece {
            node,
            start: self.since[at],
            end: self.now,
            worker,
        };
        let is_whole = self.schedule.starts[at] == piece.start;
        if !self.case.is_arrival(at) && (is_whole || piece.start < piece.end) {
            self.schedule.pieces.push(piece);
        }
    }

    fn workers(&mut self, node: u32) -> &mut Workers {
        let holds: Holds = self.case.plan.nodes[node as usize].holds;
        &mut self.workers[holds as usize]
    }

    /// Goes on to the next moment at which something ends, if there is one.
    fn go_on(&mut self) -> bool {
        let Some(&(next, _)) = self.ends.first() else {
            return false;
        };
        self.now = next;
        while let Some(&(end, node)) = self.ends.first()
            && end == next
        {
            self.ends.pop_first();
            self.end(node);
        }
        if let Some(ranks) = self.ranking.changed() {
            self.dispatcher.set_ranks(&ranks);
        }
        true
    }

    fn end(&mut self, node: u32) {
        let at = node as usize;
        self.leave(node);
        self.schedule.ends[at] = self.now;
        self.dispatcher.ended(node, End::Done);
        if !self.case.is_arrival(at) {
            self.schedule.makespan = self.now;
            self.ranking.ended(node, self.case.durations[at]);
        }
    }
}

/// Numbers of workers; the lowest one that is free is taken.
#[derive(Debug, Default)]
struct Workers {
    free: BinaryHeap<Reverse<u32>>,
    seen: u32,
}

impl Workers {
    fn take(&mut self) -> u32 {
        if let Some(Reverse(worker)) = self.free.pop() {
            return worker;
        }
        self.seen += 1;
        self.seen - 1
    }

    fn give_back(&mut self, worker: u32) {
        self.free.push(Reverse(worker));
    }
}
