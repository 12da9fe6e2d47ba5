//! Pure: the shape of a graph. Who runs after whom, in one allocation; the cycle that
//! keeps it from having an order; and what of a node can be known before it runs.

use crate::priority::Priority;
use std::{error::Error, fmt, time::Duration};

/// Who runs after whom, in a graph without cycles.
///
/// Nodes are numbers from 0. Nothing here recurses, so chains may be as long as memory
/// allows; all of it takes time in proportion to nodes and edges.
///
/// ```
/// use adaptive_task_scheduler::{Priority, graph::Shape};
/// use std::time::Duration;
///
/// // 0 before 1 and 2, and 1 before 3.
/// let shape = Shape::new(4, &[(0, 1), (0, 2), (1, 3)]).unwrap();
/// assert_eq!(shape.successors(0), [1, 2]);
/// assert_eq!(shape.critical_path(&[Duration::from_secs(1); 4]), [0, 1, 3]);
///
/// let cycle = Shape::new(2, &[(0, 1), (1, 0)]).unwrap_err();
/// assert_eq!(cycle.nodes(), [0, 1, 0]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Shape {
    /// Where the successors of a node begin; one more than there are nodes.
    begins: Box<[u32]>,
    successors: Box<[u32]>,
    /// How many nodes each one runs after.
    dependencies: Box<[u32]>,
    /// Nodes before those that run after them.
    order: Box<[u32]>,
}

/// Nodes that run after each other, in the order of running; the last is the first again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle(Vec<u32>);

impl Cycle {
    /// The nodes, in the order of running; the last is the first again.
    pub fn nodes(&self) -> &[u32] {
        &self.0
    }
}

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nodes run after each other: ")?;
        for (at, node) in self.0.iter().enumerate() {
            let arrow = if at == 0 { "" } else { " -> " };
            write!(f, "{arrow}{node}")?;
        }
        Ok(())
    }
}

impl Error for Cycle {}

impl Shape {
    /// Of edges `(before, after)`; one that is given several times counts once.
    ///
    /// # Errors
    ///
    /// A cycle, whole and without what hangs on it.
    ///
    /// # Panics
    ///
    /// If an edge names a node that there is not.
    pub fn new(nodes: usize, edges: &[(u32, u32)]) -> Result<Self, Cycle> {
        Self::of(nodes, || edges.iter().copied())
    }

    /// As [`new`](Self::new), of edges that are told twice, each time in the same order.
    pub(super) fn of<E>(nodes: usize, edges: impl Fn() -> E) -> Result<Self, Cycle>
    where
        E: Iterator<Item = (u32, u32)>,
    {
        let mut begins = vec![0u32; nodes + 1];
        for (before, after) in edges() {
            assert!((after as usize) < nodes, "there is no node {after}");
            begins[before as usize + 1] += 1;
        }
        for node in 0..nodes {
            begins[node + 1] += begins[node];
        }
        let mut next = begins.clone();
        let mut successors = vec![0u32; begins[nodes] as usize];
        for (before, after) in edges() {
            let at = &mut next[before as usize];
            successors[*at as usize] = after;
            *at += 1;
        }
        let dependencies = count_once(&mut begins, &mut successors);
        let mut shape = Self {
            begins: begins.into(),
            successors: successors.into(),
            dependencies: dependencies.into(),
            order: Box::default(),
        };
        shape.order = shape.ordered()?.into();
        Ok(shape)
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.dependencies.len()
    }

    /// Whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.dependencies.is_empty()
    }

    /// Nodes before those that run after them, and otherwise as they were numbered.
    pub fn order(&self) -> &[u32] {
        &self.order
    }

    /// The nodes that run right after this one.
    pub fn successors(&self, node: u32) -> &[u32] {
        let node = node as usize;
        &self.successors[self.begins[node] as usize..self.begins[node + 1] as usize]
    }

    /// Of each node, right after how many others it runs.
    pub fn dependencies(&self) -> &[u32] {
        &self.dependencies
    }

    /// All edges `(before, after)`.
    pub fn edges(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        (0..self.len() as u32).flat_map(|node| {
            let successors = self.successors(node).iter();
            successors.map(move |&after| (node, after))
        })
    }

    /// Of each node the most important of its own priority and those of all that run
    /// after it, directly or through others: priority inheritance, before anything runs.
    pub fn effective(&self, own: &[Priority]) -> Vec<Priority> {
        let mut effective = own.to_vec();
        for &node in self.order.iter().rev() {
            for &after in self.successors(node) {
                effective[node as usize] = effective[node as usize].max(effective[after as usize]);
            }
        }
        effective
    }

    /// Of each node how long the longest path is that begins with it, itself included:
    /// the upward rank of HEFT (Topcuoglu et al., 2002).
    pub fn remaining(&self, durations: &[Duration]) -> Vec<Duration> {
        let mut remaining = vec![Duration::ZERO; self.len()];
        for &node in self.order.iter().rev() {
            let after = self.successors(node).iter();
            let longest = after.map(|&after| remaining[after as usize]).max();
            let own = durations[node as usize];
            remaining[node as usize] = own.saturating_add(longest.unwrap_or_default());
        }
        remaining
    }

    /// The nodes of a longest path, in the order of running.
    pub fn critical_path(&self, durations: &[Duration]) -> Vec<u32> {
        let remaining = self.remaining(durations);
        let longest = |&node: &u32| (remaining[node as usize], std::cmp::Reverse(node));
        let roots = (0..self.len() as u32).filter(|&node| self.dependencies[node as usize] == 0);
        let mut next = roots.max_by_key(longest);
        let mut path = Vec::new();
        while let Some(node) = next {
            path.push(node);
            next = self.successors(node).iter().copied().max_by_key(longest);
        }
        path
    }

    fn ordered(&self) -> Result<Vec<u32>, Cycle> {
        let mut left = self.dependencies.to_vec();
        let nodes = 0..left.len() as u32;
        let mut order = Vec::with_capacity(left.len());
        order.extend(nodes.filter(|&node| left[node as usize] == 0));
        let mut next = 0;
        while let Some(&node) = order.get(next) {
            next += 1;
            for &after in self.successors(node) {
                left[after as usize] -= 1;
                if left[after as usize] == 0 {
                    order.push(after);
                }
            }
        }
        if order.len() == left.len() {
            Ok(order)
        } else {
            Err(Cycle(self.cycle_among(&left)))
        }
    }

    /// Each node with dependencies left has one that has some left too, so going up from
    /// any must come back to where it was.
    fn cycle_among(&self, left: &[u32]) -> Vec<u32> {
        let is_left = |node: u32| left[node as usize] > 0;
        let mut above = vec![u32::MAX; left.len()];
        for node in (0..left.len() as u32).filter(|&node| is_left(node)) {
            for &after in self.successors(node) {
                above[after as usize] = node;
            }
        }
        let mut met = vec![usize::MAX; left.len()];
        let mut walk = Vec::new();
        let mut next = (0..left.len() as u32).find(|&node| is_left(node));
        while let Some(node) = next {
            if met[node as usize] != usize::MAX {
                let mut cycle = walk.split_off(met[node as usize]);
                cycle.push(node);
                cycle.reverse();
                return cycle;
            }
            met[node as usize] = walk.len();
            walk.push(node);
            next = Some(above[node as usize]).filter(|&node| node != u32::MAX);
        }
        walk
    }
}

/// Leaves each edge out but once, and counts the dependencies that are left of each node.
fn count_once(begins: &mut [u32], successors: &mut Vec<u32>) -> Vec<u32> {
    let nodes = begins.len() - 1;
    let mut dependencies = vec![0u32; nodes];
    // Of each node, the last one before it that was met.
    let mut met = vec![u32::MAX; nodes];
    let mut kept = 0;
    let mut begin = 0;
    for node in 0..nodes {
        let end = begins[node + 1] as usize;
        begins[node] = kept as u32;
        for at in begin..end {
            let after = successors[at];
            if met[after as usize] != node as u32 {
                met[after as usize] = node as u32;
                dependencies[after as usize] += 1;
                successors[kept] = after;
                kept += 1;
            }
        }
        begin = end;
    }
    begins[nodes] = kept as u32;
    successors.truncate(kept);
    dependencies
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds<const N: usize>(all: [u64; N]) -> [Duration; N] {
        all.map(Duration::from_secs)
    }

    #[test]
    fn nodes_come_before_those_that_run_after_them() {
        let shape = Shape::new(5, &[(3, 0), (0, 1), (0, 2), (1, 4), (2, 4)]).unwrap();
        assert_eq!(shape.order(), [3, 0, 1, 2, 4]);
        assert_eq!(shape.successors(0), [1, 2]);
        assert_eq!(shape.dependencies(), [1, 1, 1, 0, 2]);
        let durations = seconds([1, 5, 2, 1, 1]);
        assert_eq!(shape.remaining(&durations), seconds([7, 6, 3, 8, 1]));
        assert_eq!(shape.critical_path(&durations), [3, 0, 1, 4]);
    }

    #[test]
    fn an_edge_given_twice_counts_once() {
        let shape = Shape::new(3, &[(0, 2), (1, 2), (0, 2), (0, 1), (0, 2)]).unwrap();
        assert_eq!(shape.dependencies(), [0, 1, 2]);
        assert_eq!(shape.edges().collect::<Vec<_>>(), [(0, 2), (0, 1), (1, 2)]);
        assert_eq!(shape.order(), [0, 1, 2]);
    }

    #[test]
    fn what_an_important_node_runs_after_is_as_important() {
        let shape = Shape::new(4, &[(0, 1), (1, 2), (0, 3)]).unwrap();
        let own = [
            Priority::Batch,
            Priority::Batch,
            Priority::Production,
            Priority::Mid,
        ];
        let effective = shape.effective(&own);
        assert_eq!(effective[..3], [Priority::Production; 3]);
        assert_eq!(effective[3], Priority::Mid);
    }

    #[test]
    fn a_cycle_is_whole_and_without_what_hangs_on_it() {
        let edges = [(0, 1), (1, 2), (2, 0), (2, 3)];
        let cycle = Shape::new(5, &edges).unwrap_err();
        let cycle = cycle.nodes();
        assert_eq!(cycle.first(), cycle.last());
        let mut nodes = cycle[1..].to_vec();
        nodes.sort_unstable();
        assert_eq!(nodes, [0, 1, 2]);
        for pair in cycle.windows(2) {
            assert!(edges.contains(&(pair[0], pair[1])), "{cycle:?}");
        }
        assert_eq!(Shape::new(1, &[(0, 0)]).unwrap_err().nodes(), [0, 0]);
    }

    #[test]
    fn a_long_chain_needs_no_stack() {
        let edges: Vec<_> = (1..300_000).map(|node| (node - 1, node)).collect();
        let shape = Shape::new(300_000, &edges).unwrap();
        let second = Duration::from_secs(1);
        let durations = vec![second; 300_000];
        assert_eq!(shape.remaining(&durations)[0], second * 300_000);
        assert_eq!(shape.critical_path(&durations).len(), 300_000);
    }

    #[test]
    fn no_nodes_are_a_shape_too() {
        let shape = Shape::new(0, &[]).unwrap();
        assert!(shape.is_empty() && shape.order().is_empty());
        assert_eq!(shape.critical_path(&[]), []);
    }
}
