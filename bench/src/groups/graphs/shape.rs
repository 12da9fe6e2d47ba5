//! Pure: the graphs of group H, as lists of what each node runs after.

/// Who runs after whom. Nodes come after all that they run after.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    /// Where the list of each node ends in `before`.
    ends: Vec<u32>,
    before: Vec<u32>,
}

impl Shape {
    /// The shape of that name; see the rows.
    pub(super) fn named(name: &str) -> Option<Shape> {
        let shape = match name {
            "independent" => Shape::of(10_000, |_| []),
            "chain" => Shape::of(10_000, |node| node.checked_sub(1)),
            "layered" => Shape::layered(100),
            "wavefront" => Shape::wavefront(100),
            "tree" => Shape::of(8_191, |node| node.checked_sub(1).map(|node| node / 2)),
            "independent_1000000" => Shape::of(1_000_000, |_| []),
            "layered_1000000" => Shape::layered(1_000),
            _ => return None,
        };
        Some(shape)
    }

    /// As many layers as they are wide; each node runs after two of the layer above.
    fn layered(side: u32) -> Shape {
        Shape::of(side * side, |node| {
            let above = node.checked_sub(side);
            let first = above.map(|above| above / side * side);
            let next = first.map(|first| first + (node + 1) % side);
            above.into_iter().chain(next)
        })
    }

    /// A square in which each node runs after those to its left and above.
    fn wavefront(side: u32) -> Shape {
        Shape::of(side * side, |node| {
            let left = (node % side != 0).then(|| node - 1);
            left.into_iter().chain(node.checked_sub(side))
        })
    }

    fn of<B: IntoIterator<Item = u32>>(nodes: u32, before: impl Fn(u32) -> B) -> Shape {
        let mut shape = Shape::default();
        for node in 0..nodes {
            shape.before.extend(before(node));
            shape.ends.push(shape.before.len() as u32);
        }
        shape
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// What each node runs after, in the order of the nodes.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &[u32]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let before = &self.before[start..end as usize];
            start = end as usize;
            before
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, nodes: usize, edges: usize, roots: usize) {
        let shape = Shape::named(name).unwrap();
        let counts = (
            shape.len(),
            shape.nodes().map(<[u32]>::len).sum(),
            shape.nodes().filter(|before| before.is_empty()).count(),
        );
        assert_eq!(counts, (nodes, edges, roots), "{name}");
        for (node, before) in (0..).zip(shape.nodes()) {
            assert!(before.iter().all(|before| *before < node), "{name} {node}");
            assert!(before.len() < 2 || before[0] != before[1], "{name} {node}");
        }
    }

    #[test]
    fn shapes_have_the_agreed_nodes_and_edges() {
        check("independent", 10_000, 0, 10_000);
        check("chain", 10_000, 9_999, 1);
        check("layered", 10_000, 2 * 9_900, 100);
        check("wavefront", 10_000, 2 * 99 * 100, 1);
        check("tree", 8_191, 8_190, 1);
        check("layered_1000000", 1_000_000, 2 * 999_000, 1_000);
    }

    #[test]
    fn small_shapes_are_as_drawn() {
        let of = |shape: Shape| shape.nodes().map(<[u32]>::to_vec).collect::<Vec<_>>();
        assert_eq!(
            of(Shape::layered(2)),
            [vec![], vec![], vec![0, 1], vec![1, 0]]
        );
        assert_eq!(
            of(Shape::wavefront(2)),
            [vec![], vec![0], vec![0], vec![2, 1]]
        );
    }
}
