//! Pure: the order in which ready nodes are run, and what is known of each node.
//!
//! The order is total and known before a run: effective priority, then the latest start
//! that meets all deadlines, then the longest remaining path, then declaration. So a ready
//! node is a number, its rank, and the best one is the least ([`Bits`](super::bits::Bits)).

use super::shape::Shape;
use crate::priority::Priority;
use std::time::Duration;

/// What is known of a node, in bits.
pub(super) mod kind {
    /// Workers run it, one node after the other.
    pub(in crate::graph) const WORKER: u8 = 1 << 0;
    /// It is run also if what it runs after has failed.
    pub(in crate::graph) const ANYWAY: u8 = 1 << 1;
    /// A future; by workers only if it is known not to suspend.
    pub(in crate::graph) const FUTURE: u8 = 1 << 2;
    /// It has a condition, or other things to look at before it runs.
    pub(in crate::graph) const SPECIAL: u8 = 1 << 3;
    /// Learned: so short that no other worker is worth being woken for it.
    pub(in crate::graph) const SHORT: u8 = 1 << 4;
    /// Learned: so long that reading the clock twice is nothing.
    pub(in crate::graph) const LONG: u8 = 1 << 5;
    /// Its work is a list of items. It is never short: it is offered in parts, and how long
    /// an empty list took says nothing.
    pub(in crate::graph) const ITEMS: u8 = 1 << 6;
}

/// A node is short if it took less than this at best: a handful of them take some
/// microseconds.
const SHORT: Duration = Duration::from_nanos(500);

/// And less than this on average, which is more where workers get into each other's way.
const SHORT_ON_AVERAGE: Duration = Duration::from_micros(2);

/// One more worker is worth so much short work: waking a thread takes some microseconds.
const WORTH: Duration = Duration::from_micros(20);

/// From this on a node is long: two readings of the clock are 1 % of it.
const LONG: Duration = Duration::from_micros(10);

/// What a node counts that is not [`LONG`]. What such nodes differ by is mostly noise, and an
/// order that follows it leaps about in memory. A guess: a measurement of graphs of nodes of
/// 1 to 10 us would change it.
const GRAIN: Duration = Duration::from_micros(1);

/// The order of the nodes, and what is known of each.
#[derive(Debug, Clone)]
pub(super) struct Ranks {
    /// The nodes by rank.
    order: Box<[u32]>,
    /// Of each node its rank.
    rank: Box<[u32]>,
    kinds: Box<[u8]>,
    /// What nodes take on average; zero if nothing was learned yet.
    pub(super) mean: Duration,
}

/// What was learned of one node.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known {
    /// How long it is expected to take.
    pub(super) expected: Duration,
    /// How long it took at best.
    pub(super) at_best: Duration,
    /// Whether enough samples say so.
    pub(super) is_sure: bool,
    /// A future that did not suspend lately.
    pub(super) is_calm: bool,
}

/// What ranks are made from, besides the shape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    pub(super) effective: &'a [Priority],
    pub(super) kinds: &'a [u8],
    /// Nodes with deadlines, counted from the start of the run.
    pub(super) deadlines: &'a [(u32, Duration)],
}

impl Ranks {
    /// Ranks before anything was learned: all nodes count alike.
    pub(super) fn new(shape: &Shape, facts: Facts<'_>) -> Self {
        let mut depths = vec![0u32; shape.len()];
        for &node in shape.order().iter().rev() {
            let after = shape.successors(node).iter();
            let deepest = after.map(|&after| depths[after as usize]).max();
            depths[node as usize] = deepest.unwrap_or_default() + 1;
        }
        if facts.deadlines.is_empty() {
            let order = by_level_and_depth(facts.effective, &depths);
            return Self::of(order, facts.kinds.into());
        }
        let remaining = |node: usize| u64::from(depths[node]) * GRAIN.as_nanos() as u64;
        Self::sorted(shape, facts, &|_| GRAIN, &remaining, facts.kinds.into())
    }

    /// Ranks by learned durations.
    pub(super) fn learned(shape: &Shape, facts: Facts<'_>, known: &[Known]) -> Self {
        let durations: Vec<Duration> = known.iter().map(Known::counts).collect();
        let remaining = shape.remaining(&durations);
        let nanos = |node: usize| remaining[node].as_nanos().min(u128::from(u64::MAX)) as u64;
        let kinds = facts
            .kinds
            .iter()
            .zip(known)
            .map(|(&kind, it)| it.kind(kind));
        let duration = |node: usize| durations[node];
        let mut ranks = Self::sorted(shape, facts, &duration, &nanos, kinds.collect());
        let sum: Duration = known.iter().map(|it| it.expected).sum();
        ranks.mean = sum / (known.len() as u32).max(1);
        ranks
    }

    fn sorted(
        shape: &Shape,
        facts: Facts<'_>,
        duration: &dyn Fn(usize) -> Duration,
        remaining: &dyn Fn(usize) -> u64,
        kinds: Box<[u8]>,
    ) -> Self {
        let starts = latest_starts(shape, facts.deadlines, duration);
        let start = |node: usize| starts.as_ref().map_or(u64::MAX, |starts| starts[node]);
        let key = |node: usize| {
            let level = u64::from(u8::MAX - facts.effective[node].level());
            // The priority in the first byte, and the remaining path, downwards, in the rest.
            let path = (u64::MAX - remaining(node)) >> 8;
            (level, start(node), path)
        };
        let mut keys: Vec<((u64, u64, u64), u32)> = (0..shape.len() as u32)
            .map(|node| (key(node as usize), node))
            .collect();
        keys.sort_unstable();
        Self::of(keys.iter().map(|&(_, node)| node).collect(), kinds)
    }

    fn of(order: Box<[u32]>, kinds: Box<[u8]>) -> Self {
        let mut rank = vec![0; order.len()];
        for (at, &node) in (0..).zip(&order) {
            rank[node as usize] = at;
        }
        Self {
            order,
            rank: rank.into(),
            kinds,
            mean: Duration::ZERO,
        }
    }

    /// The same, but for nodes that do not count as short.
    pub(super) fn without_short(&self, nodes: &[u32]) -> Self {
        let mut ranks = self.clone();
        for &node in nodes {
            ranks.kinds[node as usize] &= !kind::SHORT;
        }
        ranks
    }

    pub(super) fn node(&self, rank: u32) -> u32 {
        self.order[rank as usize]
    }

    pub(super) fn rank(&self, node: u32) -> u32 {
        self.rank[node as usize]
    }

    /// How many more workers so many short nodes are worth.
    pub(super) fn wanted_for_short(&self, ready: usize) -> usize {
        let work = self.mean.as_nanos() * ready as u128;
        (work / WORTH.as_nanos()) as usize
    }

    pub(super) fn is(&self, node: u32, kind: u8) -> bool {
        self.kinds[node as usize] & kind != 0
    }
}

impl Known {
    fn counts(&self) -> Duration {
        match self.expected < LONG {
            true => GRAIN,
            false => self.expected,
        }
    }

    fn kind(&self, kind: u8) -> u8 {
        let mut kind = kind;
        if self.is_calm && kind & kind::FUTURE != 0 && self.expected < LONG {
            kind |= kind::WORKER;
        }
        let is_short = self.at_best < SHORT && self.expected < SHORT_ON_AVERAGE;
        if self.is_sure && is_short && kind & kind::ITEMS == 0 {
            kind |= kind::SHORT;
        }
        if self.is_sure && self.expected >= LONG {
            kind |= kind::LONG;
        }
        kind
    }
}

/// The highest level first, of one level the deepest first, of one depth in order; without
/// comparing nodes.
fn by_level_and_depth(effective: &[Priority], depths: &[u32]) -> Box<[u32]> {
    let by_depth = from_the_greatest(0..depths.len() as u32, depths);
    let levels: Vec<u32> = effective.iter().map(|it| u32::from(it.level())).collect();
    from_the_greatest(by_depth.into_iter(), &levels).into()
}

/// Nodes from the greatest value to the least, those of one value as they come.
fn from_the_greatest(nodes: impl Iterator<Item = u32> + Clone, values: &[u32]) -> Vec<u32> {
    let greatest = values.iter().max().copied().unwrap_or_default();
    let bucket = |node: u32| (greatest - values[node as usize]) as usize;
    let mut begins = vec![0u32; greatest as usize + 2];
    for node in nodes.clone() {
        begins[bucket(node) + 1] += 1;
    }
    for at in 1..begins.len() {
        begins[at] += begins[at - 1];
    }
    let mut sorted = vec![0; values.len()];
    for node in nodes {
        let at = &mut begins[bucket(node)];
        sorted[*at as usize] = node;
        *at += 1;
    }
    sorted
}

/// Of each node the latest start, in nanoseconds from the start of the run, with which it
/// and all that run after it meet their deadlines. `None` if nothing has one.
fn latest_starts(
    shape: &Shape,
    deadlines: &[(u32, Duration)],
    duration: &dyn Fn(usize) -> Duration,
) -> Option<Vec<u64>> {
    if deadlines.is_empty() {
        return None;
    }
    let nanos = |it: Duration| it.as_nanos().min(u128::from(u64::MAX - 1)) as u64;
    let mut ends = vec![u64::MAX; shape.len()];
    for &(node, deadline) in deadlines {
        ends[node as usize] = nanos(deadline);
    }
    for &node in shape.order().iter().rev() {
        let after = shape.successors(node).iter();
        let earliest = after.map(|&after| ends[after as usize]).min();
        let end = ends[node as usize].min(earliest.unwrap_or(u64::MAX));
        if end < u64::MAX {
            ends[node as usize] = end.saturating_sub(nanos(duration(node as usize)));
        }
    }
    Some(ends)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Priority::{Free, Mid, Production};

    const UNKNOWN: Known = Known {
        expected: Duration::from_secs(1),
        at_best: Duration::from_secs(1),
        is_sure: false,
        is_calm: false,
    };

    #[track_caller]
    fn check(edges: &[(u32, u32)], own: &[Priority], deadlines: &[(u32, u64)], expected: &[u32]) {
        let shape = Shape::new(own.len(), edges).unwrap();
        let deadlines: Vec<_> = deadlines
            .iter()
            .map(|&(node, at)| (node, Duration::from_secs(at)))
            .collect();
        let facts = Facts {
            effective: &shape.effective(own),
            kinds: &vec![kind::WORKER; own.len()],
            deadlines: &deadlines,
        };
        let known = vec![UNKNOWN; own.len()];
        let ranks = Ranks::learned(&shape, facts, &known);
        assert_eq!(*ranks.order, *expected);
        for (at, &node) in (0..).zip(expected) {
            assert_eq!((ranks.node(at), ranks.rank(node)), (node, at));
        }
        if deadlines.is_empty() {
            assert_eq!(*Ranks::new(&shape, facts).order, *expected);
        }
    }

    #[test]
    fn priority_counts_first_then_the_longest_path_then_declaration() {
        check(&[], &[Mid; 3], &[], &[0, 1, 2]);
        check(&[(2, 1)], &[Mid; 3], &[], &[2, 0, 1]);
        check(&[(0, 1)], &[Mid, Mid, Production], &[], &[2, 0, 1]);
        check(&[(0, 3)], &[Free, Mid, Mid, Production], &[], &[0, 3, 1, 2]);
    }

    #[test]
    fn within_a_priority_the_latest_start_counts_before_the_path() {
        // 2 must start at 3 at the latest, since 3 takes one second and must end at 5.
        check(&[(0, 1), (2, 3)], &[Mid; 4], &[(3, 5)], &[2, 3, 0, 1]);
        check(&[], &[Mid; 3], &[(2, 9), (1, 7)], &[1, 2, 0]);
        check(&[], &[Mid, Production], &[(0, 1)], &[1, 0]);
    }

    #[test]
    fn learned_durations_say_which_path_is_longest_and_what_is_short() {
        let shape = Shape::new(4, &[(0, 1), (1, 2)]).unwrap();
        let facts = Facts {
            effective: &[Mid; 4],
            kinds: &[kind::WORKER, kind::WORKER, kind::FUTURE, kind::WORKER],
            deadlines: &[],
        };
        let known = |nanos, is_sure| Known {
            expected: Duration::from_nanos(nanos),
            at_best: Duration::from_nanos(nanos),
            is_sure,
            is_calm: true,
        };
        let known = [
            known(100, true),
            known(50, false),
            known(200, true),
            known(20_000, true),
        ];
        let ranks = Ranks::learned(&shape, facts, &known);
        // Noise below a microsecond is none.
        assert_eq!(*ranks.order, [3, 0, 1, 2]);
        assert!(ranks.is(0, kind::SHORT) && !ranks.is(1, kind::SHORT));
        assert!(ranks.is(2, kind::WORKER) && ranks.is(3, kind::LONG));
    }
}
