//! Who starts when, situation by situation; and random graphs, with failures, retries, pauses and
//! stops, beside a runner that looks at everything anew each time.

use std::time::Duration;

use adaptive_task_scheduler::Priority::{self, Batch, Free, Mid, Monitoring, Production};
use adaptive_task_scheduler::graph::Shape;
use proptest::prelude::*;

use super::*;
use std::cmp::Reverse;

const SECOND: Duration = Duration::from_secs(1);

const NONE: [u32; 0] = [];

/// Tasks of these priorities that take a second each.
fn facts(shape: &Shape, own: &[Priority]) -> Vec<Facts> {
    let ranks = shape.remaining(&vec![SECOND; own.len()]);
    let effective = shape.effective(own);
    let all = effective.iter().zip(ranks);
    all.map(|(&priority, rank)| Facts {
        priority,
        rank,
        holds: Holds::Place,
        always: false,
        deadline: None,
    })
    .collect()
}

fn limits(places: usize, preempt: bool) -> Limits {
    Limits {
        places,
        waiting_places: 1,
        preempt,
    }
}

fn dispatcher(places: usize, own: &[Priority], edges: &[(u32, u32)]) -> Dispatcher {
    with(places, own, edges, |_| ())
}

fn with(
    places: usize,
    own: &[Priority],
    edges: &[(u32, u32)],
    change: impl FnOnce(&mut Vec<Facts>),
) -> Dispatcher {
    let shape = Shape::new(own.len(), edges).unwrap();
    let mut facts = facts(&shape, own);
    change(&mut facts);
    Dispatcher::new(shape, facts, limits(places, false))
}

fn all(dispatcher: &mut Dispatcher) -> Vec<Action> {
    std::iter::from_fn(|| dispatcher.next()).collect()
}

fn starts(dispatcher: &mut Dispatcher) -> Vec<u32> {
    let start = |action| match action {
        Action::Start(task) => task,
        other => panic!("{other:?}"),
    };
    all(dispatcher).into_iter().map(start).collect()
}

fn because(task: u32, root: u32) -> Never {
    Never {
        task,
        root: Some(root),
    }
}

fn stopped(task: u32) -> Never {
    Never { task, root: None }
}

#[test]
fn an_important_task_gets_the_next_place_and_lends_its_priority() {
    // 3 needs 2, so both are important.
    let mut it = dispatcher(1, &[Mid, Monitoring, Free, Production], &[(2, 3)]);
    let mut order = Vec::new();
    while let [task] = starts(&mut it)[..] {
        order.push(task);
        assert_eq!(it.ended(task, End::Done), []);
    }
    assert_eq!(order, [1, 2, 3, 0]);
    assert!(it.is_finished());
}

#[test]
fn of_equally_important_ones_the_longest_path_goes_first() {
    let shape = Shape::new(4, &[(1, 2), (2, 3)]).unwrap();
    let facts = facts(&shape, &[Mid; 4]);
    // Once 1 is done, 0 and 2 differ in their paths, then 0 and 3 in who was ready first.
    assert_eq!(one_by_one(shape, facts), [1, 2, 0, 3]);
}

#[test]
fn a_deadline_goes_before_a_long_path_and_counts_for_what_comes_before_it() {
    // 2 after 1 must have ended at 3 s, so 1 must have started at 1 s; 3 alone at 2 s.
    let edges = [(0, 4), (1, 2)];
    let mut it = with(1, &[Mid; 5], &edges, |facts| {
        facts[2].deadline = Some(3 * SECOND);
        facts[3].deadline = Some(3 * SECOND);
    });
    assert_eq!(starts(&mut it), [1]);
    it.ended(1, End::Done);
    assert_eq!(starts(&mut it), [3]);
}

#[test]
fn what_waits_and_what_holds_nothing_takes_no_place() {
    let mut it = with(1, &[Mid; 5], &[], |facts| {
        facts[1].holds = Holds::WaitingPlace;
        facts[2].holds = Holds::WaitingPlace;
        facts[3].holds = Holds::Nothing;
        facts[4].holds = Holds::Nothing;
    });
    assert_eq!(starts(&mut it), [0, 1, 3, 4]);
    it.ended(1, End::Done);
    assert_eq!(starts(&mut it), [2]);
}

#[test]
fn a_failure_takes_its_descendants_and_only_them() {
    let edges = [(0, 1), (1, 2), (3, 2), (3, 4)];
    let mut it = dispatcher(2, &[Mid; 5], &edges);
    assert_eq!(starts(&mut it), [0, 3]);
    assert_eq!(it.ended(0, End::Failed), [because(1, 0), because(2, 0)]);
    assert_eq!(it.ended(3, End::Skipped), []);
    assert_eq!(starts(&mut it), [4]);
    it.ended(4, End::Done);
    assert!(it.is_finished());
}

#[test]
fn a_cleanup_runs_after_all_that_it_needs_however_that_ended() {
    // 4 cleans up after 2 and 3; 5 needs the cleanup.
    let edges = [(0, 1), (1, 2), (2, 4), (3, 4), (4, 5)];
    let mut it = with(2, &[Mid; 6], &edges, |facts| facts[4].always = true);
    assert_eq!(starts(&mut it), [0, 3]);
    assert_eq!(it.ended(0, End::Failed), [because(1, 0), because(2, 0)]);
    assert_eq!(starts(&mut it), NONE);
    it.ended(3, End::Failed);
    assert_eq!(starts(&mut it), [4]);
    it.ended(4, End::Done);
    assert_eq!(starts(&mut it), [5]);
}

#[test]
fn a_stopped_run_starts_only_cleanups_and_only_after_what_has_begun() {
    // 2 cleans up after 0 and 1; 4 after 3, which never begins.
    let edges = [(0, 1), (1, 2), (3, 4)];
    let mut it = with(1, &[Mid; 5], &edges, |facts| {
        facts[2].always = true;
        facts[4].always = true;
    });
    assert_eq!(starts(&mut it), [0]);
    assert_eq!(it.only_always(), [stopped(3), stopped(4)]);
    assert_eq!(it.ended(0, End::Done), [stopped(1)]);
    assert_eq!(starts(&mut it), [2]);
    assert_eq!(it.nothing_more(), []);
    it.ended(2, End::Failed);
    assert!(it.is_finished());
}

#[test]
fn a_retry_gives_its_place_away_and_comes_back_in_its_turn() {
    let mut it = dispatcher(1, &[Mid, Batch], &[]);
    assert_eq!(starts(&mut it), [0]);
    it.rests(0);
    assert_eq!(starts(&mut it), [1]);
    it.is_rested(0);
    assert_eq!(starts(&mut it), NONE);
    assert_eq!(it.only_always(), [], "it has begun");
    it.ended(1, End::Done);
    assert_eq!(starts(&mut it), [0]);
    it.ended(0, End::Done);
    assert!(it.is_finished());
}

#[test]
fn a_retry_that_is_ended_while_it_waits_does_not_start() {
    let mut it = dispatcher(1, &[Mid, Mid], &[]);
    assert_eq!(starts(&mut it), [0]);
    it.rests(0);
    assert_eq!(starts(&mut it), [1]);
    it.is_rested(0);
    it.ended(0, End::Failed);
    it.ended(1, End::Done);
    assert_eq!(starts(&mut it), NONE);
    assert!(it.is_finished());
}

#[test]
fn an_important_task_pauses_the_least_important_one_if_that_is_wanted() {
    let shape = Shape::new(5, &[(0, 3), (2, 4)]).unwrap();
    let mut facts = facts(&shape, &[Mid, Free, Batch, Mid, Mid]);
    facts[0].priority = Production;
    facts[3].priority = Production;
    facts[2].priority = Batch;
    facts[4].priority = Batch;
    let mut it = Dispatcher::new(shape, facts, limits(2, true));
    // 0 and 2 hold the places; 1 is less important and waits.
    assert_eq!(all(&mut it), [Action::Start(0), Action::Start(2)]);
    it.ended(2, End::Done);
    assert_eq!(all(&mut it), [Action::Start(4)]);
    it.ended(0, End::Done);
    assert_eq!(all(&mut it), [Action::Start(3),]);
    it.ended(4, End::Done);
    assert_eq!(all(&mut it), [Action::Start(1)]);
    assert_eq!(it.ended(3, End::Done), []);
}

#[test]
fn what_was_paused_goes_on_before_what_is_as_important() {
    // 0 makes the important 3 ready while 1 and 2 compute.
    let shape = Shape::new(5, &[(0, 3)]).unwrap();
    let mut facts = facts(&shape, &[Mid, Batch, Batch, Production, Batch]);
    facts[0].holds = Holds::Nothing;
    let mut it = Dispatcher::new(shape, facts, limits(2, true));
    assert_eq!(starts(&mut it), [1, 2, 0]);
    it.ended(0, End::Done);
    assert_eq!(all(&mut it), [Action::Pause(2), Action::Start(3)]);
    it.ended(3, End::Done);
    assert_eq!(all(&mut it), [Action::Continue(2)]);
    it.ended(1, End::Done);
    assert_eq!(all(&mut it), [Action::Start(4)]);
}

#[test]
fn what_ends_while_it_is_paused_frees_no_place() {
    let shape = Shape::new(4, &[(0, 2)]).unwrap();
    let mut facts = facts(&shape, &[Mid, Batch, Production, Batch]);
    facts[0].holds = Holds::Nothing;
    let mut it = Dispatcher::new(shape, facts, limits(1, true));
    assert_eq!(starts(&mut it), [1, 0]);
    it.ended(0, End::Done);
    assert_eq!(all(&mut it), [Action::Pause(1), Action::Start(2)]);
    it.ended(1, End::Failed);
    assert_eq!(all(&mut it), []);
    it.ended(2, End::Done);
    assert_eq!(all(&mut it), [Action::Start(3)]);
}

#[test]
fn better_known_durations_change_the_order() {
    let mut it = dispatcher(1, &[Mid; 3], &[]);
    assert_eq!(starts(&mut it), [0]);
    it.set_ranks(&[SECOND, SECOND, 2 * SECOND]);
    it.ended(0, End::Done);
    assert_eq!(starts(&mut it), [2]);
}

#[test]
fn a_long_chain_needs_no_stack() {
    let edges: Vec<(u32, u32)> = (1..100_000).map(|task| (task - 1, task)).collect();
    let mut it = dispatcher(1, &vec![Mid; 100_000], &edges);
    assert_eq!(starts(&mut it), [0]);
    assert_eq!(it.ended(0, End::Failed).len(), 99_999);
    assert!(it.is_finished());
}

/// Decides the same by looking at everything each time.
struct Naive {
    edges: Vec<(u32, u32)>,
    facts: Vec<Facts>,
    limits: Limits,
    state: Vec<State>,
    open: Open,
    count: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Waiting,
    /// And since when.
    Ready(u64),
    Retry(u64),
    Running(u64),
    Paused(u64),
    Resting,
    Over(End),
    /// Because of which failure.
    Never(Option<u32>),
}

impl Naive {
    fn needs(&self, task: u32) -> impl Iterator<Item = u32> + '_ {
        let to = self.edges.iter().filter(move |edge| edge.1 == task);
        to.map(|edge| edge.0)
    }

    fn path(&self, task: u32) -> (Duration, Duration) {
        let after = self.edges.iter().filter(|edge| edge.0 == task);
        let rest = after.clone().map(|edge| self.facts[edge.1 as usize].rank);
        let own = self.facts[task as usize].rank - rest.max().unwrap_or_default();
        let latest = after.map(|edge| self.path(edge.1).1);
        let deadline = self.facts[task as usize].deadline;
        let end = latest.chain(deadline).min().unwrap_or(Duration::MAX);
        let start = match end {
            Duration::MAX => end,
            end => end.saturating_sub(own),
        };
        (own, start)
    }

    fn has_begun(&self, task: u32) -> bool {
        !matches!(
            self.state[task as usize],
            State::Waiting | State::Ready(_) | State::Never(_)
        )
    }

    fn after_begun(&self, task: u32) -> bool {
        self.needs(task)
            .any(|need| self.has_begun(need) || self.after_begun(need))
    }

    fn may_begin(&self, task: u32) -> bool {
        match self.open {
            Open::All => true,
            Open::OnlyAlways => self.facts[task as usize].always && self.after_begun(task),
            Open::Nothing => false,
        }
    }

    /// The failed task because of which this one cannot run.
    fn is_spoiled(&self, task: u32) -> bool {
        !self.facts[task as usize].always
            && self.needs(task).any(|need| {
                matches!(
                    self.state[need as usize],
                    State::Over(End::Failed) | State::Never(Some(_))
                )
            })
    }

    fn is_settled(&self, task: u32) -> bool {
        matches!(self.state[task as usize], State::Over(_) | State::Never(_))
    }

    fn is_barred(&self, task: u32) -> bool {
        !self.facts[task as usize].always
            && self
                .needs(task)
                .any(|need| self.state[need as usize] == State::Never(None))
    }

    /// Settles everything that follows from what is known, `root` being the last failure.
    fn settle(&mut self, root: Option<u32>) {
        loop {
            let before = self.state.clone();
            for task in 0..self.state.len() as u32 {
                let settled = self.needs(task).all(|need| self.is_settled(need));
                let next = match self.state[task as usize] {
                    State::Waiting if self.is_spoiled(task) => State::Never(root),
                    State::Waiting
                        if settled && (self.is_barred(task) || !self.may_begin(task)) =>
                    {
                        State::Never(None)
                    }
                    State::Waiting if settled => State::Ready(self.count),
                    State::Ready(_) if !self.may_begin(task) => State::Never(None),
                    same => same,
                };
                self.state[task as usize] = next;
            }
            if before == self.state {
                return;
            }
        }
    }

    fn of(&self, holds: Holds) -> impl Iterator<Item = u32> + '_ {
        let all = 0..self.state.len() as u32;
        all.filter(move |&task| self.facts[task as usize].holds == holds)
    }

    fn next(&mut self) -> Option<Action> {
        let kinds = [Holds::Place, Holds::WaitingPlace, Holds::Nothing];
        let action = kinds.into_iter().find_map(|holds| self.next_of(holds))?;
        self.count += u64::from(!matches!(action, Action::Pause(_)));
        let (Action::Start(task) | Action::Continue(task) | Action::Pause(task)) = action;
        self.state[task as usize] = match (action, self.state[task as usize]) {
            (Action::Pause(_), State::Running(since)) => State::Paused(since),
            _ => State::Running(self.count),
        };
        Some(action)
    }

    fn next_of(&self, holds: Holds) -> Option<Action> {
        let priority = |task: u32| self.facts[task as usize].priority;
        let number = match holds {
            Holds::Place => self.limits.places,
            Holds::WaitingPlace => self.limits.waiting_places,
            Holds::Nothing => usize::MAX,
        };
        let mut ready = Vec::new();
        let mut running = Vec::new();
        let mut paused = Vec::new();
        for task in self.of(holds) {
            match self.state[task as usize] {
                State::Ready(since) | State::Retry(since) => ready.push((
                    Reverse(priority(task)),
                    self.path(task).1,
                    Reverse(self.facts[task as usize].rank),
                    since,
                    task,
                )),
                State::Running(since) => running.push((priority(task), Reverse(since), task)),
                State::Paused(since) => paused.push((Reverse(priority(task)), since, task)),
                _ => {}
            }
        }
        let first = ready.iter().min();
        if running.len() >= number {
            let victim = running.iter().min()?;
            let is_better = first?.0.0 > victim.0;
            return (self.limits.preempt && is_better).then_some(Action::Pause(victim.2));
        }
        let resumed = paused.iter().min();
        match (resumed, first) {
            (Some(paused), Some(ready)) if paused.0 <= ready.0 => Some(Action::Continue(paused.2)),
            (_, Some(ready)) => Some(Action::Start(ready.4)),
            (Some(paused), None) => Some(Action::Continue(paused.2)),
            (None, None) => None,
        }
    }
}

/// What happens between two rounds of decisions; numbers choose among the tasks that it fits.
#[derive(Clone, Copy, Debug)]
enum Step {
    End(usize, End),
    Rest(usize),
    Rested(usize),
    OnlyAlways,
    NothingMore,
}

fn any_facts() -> impl Strategy<Value = (Priority, u64, Holds, bool, Option<u64>)> {
    let priority = prop::sample::select(&Priority::ALL[..]);
    let holds = prop::sample::select(vec![
        Holds::Place,
        Holds::Place,
        Holds::WaitingPlace,
        Holds::Nothing,
    ]);
    (
        priority,
        0..4u64,
        holds,
        prop::bool::weighted(0.2),
        prop::option::weighted(0.2, 0..9u64),
    )
}

fn any_step() -> impl Strategy<Value = Step> {
    let end = prop::sample::select(vec![End::Done, End::Done, End::Skipped, End::Failed]);
    prop_oneof![
        12 => (any::<usize>(), end).prop_map(|(at, end)| Step::End(at, end)),
        3 => any::<usize>().prop_map(Step::Rest),
        3 => any::<usize>().prop_map(Step::Rested),
        1 => Just(Step::OnlyAlways),
        1 => Just(Step::NothingMore),
    ]
}

fn pick(state: &[State], at: usize, fits: impl Fn(State) -> bool) -> Option<u32> {
    let all: Vec<u32> = (0..state.len() as u32)
        .filter(|&task| fits(state[task as usize]))
        .collect();
    (!all.is_empty()).then(|| all[at % all.len()])
}

fn never(state: &[State]) -> Vec<Never> {
    let all = (0..).zip(state);
    all.filter_map(|(task, state)| match state {
        State::Never(root) => Some(Never { task, root: *root }),
        _ => None,
    })
    .collect()
}

/// Does the same to both; returns what the dispatcher says will never run.
fn step(it: &mut Dispatcher, naive: &mut Naive, step: Step) -> Vec<Never> {
    let under_way = |state| {
        matches!(
            state,
            State::Running(_) | State::Paused(_) | State::Resting | State::Retry(_)
        )
    };
    match step {
        Step::End(at, end) => {
            let Some(task) = pick(&naive.state, at, under_way) else {
                return Vec::new();
            };
            naive.count += 1;
            naive.state[task as usize] = State::Over(end);
            naive.settle(Some(task));
            it.ended(task, end)
        }
        Step::Rest(at) => {
            let running = |state| matches!(state, State::Running(_));
            if let Some(task) = pick(&naive.state, at, running) {
                naive.state[task as usize] = State::Resting;
                it.rests(task);
            }
            Vec::new()
        }
        Step::Rested(at) => {
            if let Some(task) = pick(&naive.state, at, |state| state == State::Resting) {
                naive.count += 1;
                naive.state[task as usize] = State::Retry(naive.count);
                it.is_rested(task);
            }
            Vec::new()
        }
        Step::OnlyAlways => {
            naive.open = naive.open.min(Open::OnlyAlways);
            naive.settle(None);
            it.only_always()
        }
        Step::NothingMore => {
            naive.open = Open::Nothing;
            naive.settle(None);
            it.nothing_more()
        }
    }
}

proptest! {
    #[test]
    fn it_decides_as_the_naive_runner_does(
        raw in prop::collection::vec(any_facts(), 1..12),
        chosen in prop::collection::vec((any::<u32>(), any::<u32>()), 0..24),
        places in 1..4usize,
        waiting_places in 1..3usize,
        preempt in any::<bool>(),
        steps in prop::collection::vec(any_step(), 0..40),
    ) {
        let tasks = raw.len() as u32;
        let mut edges: Vec<(u32, u32)> = chosen
            .iter()
            .map(|(one, other)| (one % tasks, other % tasks))
            .filter(|(one, other)| one != other)
            .map(|(one, other)| (one.min(other), one.max(other)))
            .collect();
        edges.sort_unstable();
        edges.dedup();
        let shape = Shape::new(raw.len(), &edges).unwrap();
        let own: Vec<Priority> = raw.iter().map(|facts| facts.0).collect();
        let durations: Vec<Duration> = raw.iter().map(|facts| Duration::from_secs(facts.1)).collect();
        let (effective, ranks) = (shape.effective(&own), shape.remaining(&durations));
        let facts: Vec<Facts> = (0..raw.len()).map(|task| Facts {
            priority: effective[task],
            rank: ranks[task],
            holds: raw[task].2,
            always: raw[task].3,
            deadline: raw[task].4.map(Duration::from_secs),
        }).collect();
        let limits = Limits { places, waiting_places, preempt };
        let mut it = Dispatcher::new(shape, facts.clone(), limits);
        let mut naive = Naive {
            edges,
            state: vec![State::Waiting; raw.len()],
            facts,
            limits,
            open: Open::All,
            count: 0,
        };
        naive.settle(None);
        let mut told = Vec::new();
        let last = std::iter::repeat_n(Step::End(0, End::Done), 2 * raw.len());
        for one in steps.into_iter().chain(last) {
            let decided = all(&mut it);
            let expected: Vec<Action> = std::iter::from_fn(|| naive.next()).collect();
            prop_assert_eq!(decided, expected);
            told.extend(step(&mut it, &mut naive, one));
            told.sort_unstable_by_key(|never| never.task);
            prop_assert_eq!(&told, &never(&naive.state));
        }
        let settled = (0..tasks).all(|task| naive.is_settled(task));
        prop_assert_eq!(it.is_finished(), settled);
        prop_assert!(settled, "{:?}", naive.state);
    }
}
