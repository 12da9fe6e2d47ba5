//! Pure: the shape of a graph. Who comes after whom, in one allocation; the cycle that
//! keeps it from having an order; and what of a node can be known before it runs.

use crate::priority::Priority;

/// The edges of a graph from each node to those that run after it.
#[derive(Debug)]
pub(super) struct Shape {
    /// Where the successors of a node begin; one more than there are nodes.
    begins: Box<[u32]>,
    successors: Box<[u32]>,
    /// How many nodes each one runs after.
    dependencies: Box<[u32]>,
}

impl Shape {
    /// Of edges `(before, after)`, each once.
    pub(super) fn new(nodes: usize, edges: &[(u32, u32)]) -> Self {
        let mut begins = vec![0u32; nodes + 1];
        let mut dependencies = vec![0u32; nodes];
        for &(before, after) in edges {
            begins[before as usize + 1] += 1;
            dependencies[after as usize] += 1;
        }
        for node in 0..nodes {
            begins[node + 1] += begins[node];
        }
        let mut next = begins.clone();
        let mut successors = vec![0u32; edges.len()];
        for &(before, after) in edges {
            let at = &mut next[before as usize];
            successors[*at as usize] = after;
            *at += 1;
        }
        Self {
            begins: begins.into(),
            successors: successors.into(),
            dependencies: dependencies.into(),
        }
    }

    pub(super) fn successors(&self, node: u32) -> &[u32] {
        let node = node as usize;
        &self.successors[self.begins[node] as usize..self.begins[node + 1] as usize]
    }

    pub(super) fn dependencies(&self) -> &[u32] {
        &self.dependencies
    }

    /// Nodes before those that run after them.
    ///
    /// # Errors
    ///
    /// A cycle, from one node through those that run after it back to the same.
    pub(super) fn order(&self) -> Result<Vec<u32>, Vec<u32>> {
        let mut left = self.dependencies.to_vec();
        let nodes = 0..left.len() as u32;
        let mut order: Vec<u32> = nodes.filter(|&node| left[node as usize] == 0).collect();
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
            Err(self.cycle_among(&left))
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

    /// The most important of each node and those that run after it, directly or not.
    pub(super) fn effective(&self, order: &[u32], own: &[Priority]) -> Vec<Priority> {
        let mut effective = own.to_vec();
        for &node in order.iter().rev() {
            for &after in self.successors(node) {
                effective[node as usize] = effective[node as usize].max(effective[after as usize]);
            }
        }
        effective
    }

    /// How many nodes there are on the longest path that begins with each.
    pub(super) fn remaining(&self, order: &[u32]) -> Vec<u32> {
        let mut remaining = vec![1u32; order.len()];
        for &node in order.iter().rev() {
            for &after in self.successors(node) {
                let path = remaining[after as usize] + 1;
                let present = &mut remaining[node as usize];
                *present = path.max(*present);
            }
        }
        remaining
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_come_before_those_that_run_after_them() {
        let shape = Shape::new(5, &[(3, 0), (0, 1), (0, 2), (1, 4), (2, 4)]);
        let order = shape.order().unwrap();
        assert_eq!(order, [3, 0, 1, 2, 4]);
        assert_eq!(shape.remaining(&order), [3, 2, 2, 4, 1]);
        assert_eq!(shape.successors(0), [1, 2]);
        assert_eq!(shape.dependencies(), [1, 1, 1, 0, 2]);
    }

    #[test]
    fn what_an_important_node_runs_after_is_as_important() {
        let shape = Shape::new(4, &[(0, 1), (1, 2), (0, 3)]);
        let own = [
            Priority::Batch,
            Priority::Batch,
            Priority::Production,
            Priority::Mid,
        ];
        let effective = shape.effective(&shape.order().unwrap(), &own);
        assert_eq!(effective[..3], [Priority::Production; 3]);
        assert_eq!(effective[3], Priority::Mid);
    }

    #[test]
    fn a_cycle_is_whole_and_without_what_hangs_on_it() {
        let shape = Shape::new(5, &[(0, 1), (1, 2), (2, 0), (2, 3)]);
        let cycle = shape.order().unwrap_err();
        assert_eq!(cycle.first(), cycle.last());
        let mut nodes = cycle[1..].to_vec();
        nodes.sort_unstable();
        assert_eq!(nodes, [0, 1, 2]);
        for pair in cycle.windows(2) {
            assert!(shape.successors(pair[0]).contains(&pair[1]), "{cycle:?}");
        }
        assert_eq!(Shape::new(1, &[(0, 0)]).order(), Err(vec![0, 0]));
    }

    #[test]
    fn a_long_chain_needs_no_stack() {
        let edges: Vec<_> = (1..300_000).map(|node| (node - 1, node)).collect();
        let shape = Shape::new(300_000, &edges);
        let order = shape.order().unwrap();
        assert_eq!(shape.remaining(&order)[0], 300_000);
    }
}
