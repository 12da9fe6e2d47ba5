//! Pure: a machine in virtual time. Its clock jumps from one end of a task to the next, and what
//! starts when is decided by [`Dispatcher`], the same code that decides it in `ats run`.
//!
//! The model: identical workers that run one task each, without interruption; no transfers, and
//! nobody slows anybody down. Tasks that end at one moment have all ended before the next one
//! starts. Nothing here is random: the same case gives the same schedule.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::case::{Case, WAITING_PLACES};
use super::policy::Ranking;
use crate::dispatch::{Action, Dispatcher, End, Facts, Holds, Limits};

/// When each node ran, and where.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schedule {
    /// By node.
    pub spans: Vec<Span>,
    /// The nodes in the order in which they started, arrivals left out.
    pub order: Vec<u32>,
    /// When the last one ended.
    pub makespan: Duration,
}

/// When a node ran.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Span {
    /// From then
    pub start: Duration,
    /// until then
    pub end: Duration,
    /// on this worker, if it needed one.
    pub worker: Option<u32>,
}

/// Runs a case on so many cores.
#[must_use]
pub fn run(case: &Case<'_>, cores: usize, ranking: Ranking<'_>) -> Schedule {
    let mut running = Running::new(case, cores, ranking);
    while !running.dispatcher.is_finished() {
        running.start_all();
        running.end_next();
    }
    running.schedule
}

struct Running<'a> {
    case: &'a Case<'a>,
    dispatcher: Dispatcher,
    ranking: Ranking<'a>,
    now: Duration,
    /// What ends when; of those that end at one moment the earlier node first.
    ends: BinaryHeap<Reverse<(Duration, u32)>>,
    workers: Workers,
    schedule: Schedule,
}

impl<'a> Running<'a> {
    fn new(case: &'a Case<'a>, cores: usize, mut ranking: Ranking<'a>) -> Self {
        let plan = &case.plan;
        let priorities = ranking.priorities();
        let ranks = ranking.ranks();
        let facts = (0..plan.nodes.len()).map(|node| Facts {
            priority: priorities[node],
            rank: ranks[node],
            holds: plan.nodes[node].holds,
            always: false,
            deadline: None,
        });
        let limits = Limits {
            places: cores,
            waiting_places: cores.saturating_mul(WAITING_PLACES),
            preempt: false,
        };
        Running {
            case,
            dispatcher: Dispatcher::new(plan.shape.clone(), facts.collect(), limits),
            ranking,
            now: Duration::ZERO,
            ends: BinaryHeap::new(),
            workers: Workers::default(),
            schedule: Schedule {
                spans: vec![Span::default(); plan.nodes.len()],
                ..Schedule::default()
            },
        }
    }

    fn start_all(&mut self) {
        while let Some(action) = self.dispatcher.next() {
            match action {
                Action::Start(node) => self.start(node),
                // Only a dispatcher that may preempt says so, and this one may not.
                Action::Pause(node) | Action::Continue(node) => {
                    unreachable!("{node} is not to be interrupted")
                }
            }
        }
    }

    fn start(&mut self, node: u32) {
        let at = node as usize;
        let end = self.now.saturating_add(self.case.durations[at]);
        let holds = self.case.plan.nodes[at].holds;
        self.schedule.spans[at] = Span {
            start: self.now,
            end,
            worker: (holds == Holds::Place).then(|| self.workers.take()),
        };
        if holds != Holds::Nothing {
            self.schedule.order.push(node);
        }
        self.ends.push(Reverse((end, node)));
    }

    /// Goes on to the next moment at which something ends.
    fn end_next(&mut self) {
        let Some(&Reverse((next, _))) = self.ends.peek() else {
            return;
        };
        self.now = next;
        while let Some(&Reverse((end, node))) = self.ends.peek()
            && end == next
        {
            self.ends.pop();
            self.end(node);
        }
        if let Some(ranks) = self.ranking.changed() {
            self.dispatcher.set_ranks(&ranks);
        }
    }

    fn end(&mut self, node: u32) {
        let at = node as usize;
        self.dispatcher.ended(node, End::Done);
        if let Some(worker) = self.schedule.spans[at].worker {
            self.workers.give_back(worker);
        }
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
