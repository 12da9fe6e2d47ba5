//! Pure: how long a run will still take, and which chain of tasks decides that.
//!
//! No order of running can beat the longest remaining path, nor the remaining work spread over all
//! places; the greater of both is what is foreseen. What runs longer than expected counts as about
//! to end.

use std::cmp::Reverse;
use std::time::Duration;

use super::course::Phase;
use super::state::State;

/// What is foreseen at a moment of a run.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Outlook {
    /// How long the run will still take, if enough is known to say so.
    pub left: Option<Duration>,
    /// Which part of the run is done, in thousandths.
    pub done: u32,
    /// The longest remaining path, from what runs now or could run.
    pub path: Vec<u32>,
    /// How long that will still take.
    pub path_left: Duration,
}

/// Looks ahead.
#[must_use]
pub fn outlook(state: &State, now: Duration) -> Outlook {
    let (path, path_left) = longest_path(state, now);
    let work = work_left(state, now);
    let left = path_left.max(work / divisor(state.tasks().jobs()));
    let known = is_known(state);
    Outlook {
        left: known.then_some(left),
        done: share_done(state, work, known),
        path,
        path_left,
    }
}

pub(super) fn divisor(jobs: usize) -> u32 {
    u32::try_from(jobs).unwrap_or(u32::MAX).max(1)
}

/// How long a task that has begun will still take, and everything on the longest path behind it.
fn tail_left(state: &State, task: u32, now: Duration) -> Duration {
    let known = state.tasks().get(task);
    let elapsed = state.course(task).last_attempt(now);
    known.tail.saturating_sub(elapsed.min(known.guess.mean))
}

fn longest_path(state: &State, now: Duration) -> (Vec<u32>, Duration) {
    let begun = state
        .under_way()
        .map(|task| (tail_left(state, task, now), task));
    let ready = state
        .waiting_for_a_place()
        .map(|task| (state.tasks().get(task).tail, task));
    let longest = begun
        .chain(ready)
        .max_by_key(|&(left, task)| (left, Reverse(task)));
    let Some((left, first)) = longest else {
        return (Vec::new(), Duration::ZERO);
    };
    let mut path = vec![first];
    while let Some(next) = longest_after(state, path[path.len() - 1]) {
        path.push(next);
    }
    (path, left)
}

fn longest_after(state: &State, task: u32) -> Option<u32> {
    let after = state.tasks().shape().successors(task).iter().copied();
    let open = after.filter(|&task| state.course(task).phase == Phase::Waiting);
    open.max_by_key(|&task| (state.tasks().get(task).tail, Reverse(task)))
}

/// What is left to compute. What only waits takes no place from others.
fn work_left(state: &State, now: Duration) -> Duration {
    let begun = state.under_way().map(|task| {
        let elapsed = state.course(task).last_attempt(now);
        elapsed.min(state.tasks().get(task).work())
    });
    state.work_left().saturating_sub(begun.sum())
}

/// Whether at least half of what is not over has a good guess.
fn is_known(state: &State) -> bool {
    let tasks = state.tasks();
    let open = tasks
        .iter()
        .filter(|(task, _)| !state.course(*task).phase.is_over());
    let (known, all) = open.fold((0, 0), |(known, all), (_, task)| {
        (known + usize::from(task.guess.is_known()), all + 1)
    });
    all > 0 && known * 2 >= all
}

fn share_done(state: &State, work: Duration, known: bool) -> u32 {
    let all = state.tasks().work();
    let (done, of) = if known && !all.is_zero() {
        (all.saturating_sub(work).as_micros(), all.as_micros())
    } else {
        (
            state.over_count() as u128,
            state.tasks().len().max(1) as u128,
        )
    };
    u32::try_from(done * 1_000 / of).unwrap_or(1_000).min(1_000)
}
