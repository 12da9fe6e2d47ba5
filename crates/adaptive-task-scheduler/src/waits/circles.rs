//! Finds all circles of tasks that wait for each other, as they stand now.
//!
//! Pure: who waits on whom is asked of the caller. A depth-first walk without
//! recursion that comes to each task once and reports a circle wherever it meets
//! a task on its own way. Waits that would close a circle are refused when they
//! begin (see [`super::cycle`]), so there should be none.

use std::{collections::HashMap, hash::Hash};

/// How far the walk has come with a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// It is on the way to where the walk is, at this place.
    OnTheWay(usize),
    Done,
}

/// Circles among what can be reached from `starts`, each in the order of
/// waiting. Circles that share a task may be told as one.
pub(crate) fn find<T: Copy + Eq + Hash>(
    starts: impl IntoIterator<Item = T>,
    blockers: impl Fn(T) -> Vec<T>,
) -> Vec<Vec<T>> {
    let mut marks: HashMap<T, Mark> = HashMap::new();
    let mut circles = Vec::new();
    for start in starts {
        if marks.contains_key(&start) {
            continue;
        }
        // Each task on the way, with those that it waits on and are left.
        let mut way = vec![(start, blockers(start))];
        marks.insert(start, Mark::OnTheWay(0));
        while let Some((at, left)) = way.last_mut() {
            let Some(next) = left.pop() else {
                marks.insert(*at, Mark::Done);
                way.pop();
                continue;
            };
            match marks.get(&next) {
                Some(Mark::Done) => {}
                Some(&Mark::OnTheWay(place)) => {
                    circles.push(way[place..].iter().map(|(task, _)| *task).collect());
                }
                None => {
                    marks.insert(next, Mark::OnTheWay(way.len()));
                    way.push((next, blockers(next)));
                }
            }
        }
    }
    circles
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(edges: &[(u8, u8)], expected: &[&[u8]]) {
        let blockers = |at: u8| {
            let of = edges.iter().filter(|(from, _)| *from == at);
            of.map(|(_, to)| *to).collect()
        };
        assert_eq!(find(0..10, blockers), expected, "{edges:?}");
    }

    #[test]
    fn circles_are_told_in_the_order_of_waiting() {
        check(&[], &[]);
        check(&[(0, 1), (1, 2), (0, 2)], &[]);
        check(&[(3, 3)], &[&[3]]);
        check(&[(0, 1), (1, 2), (2, 1)], &[&[1, 2]]);
        check(&[(2, 0), (0, 1), (1, 2)], &[&[0, 1, 2]]);
        check(
            &[(0, 1), (1, 0), (4, 5), (5, 4), (6, 5)],
            &[&[0, 1], &[4, 5]],
        );
    }

    #[test]
    fn a_chain_of_any_length_needs_no_recursion() {
        let length = 1_000_000u32;
        let next = |at: u32| vec![(at + 1) % length];
        let circles = find([5], next);
        assert_eq!(circles.len(), 1);
        assert_eq!(circles[0].len(), length as usize);
    }

    proptest! {
        #[test]
        fn there_is_a_circle_if_and_only_if_tasks_cannot_be_put_in_order(
            edges in prop::collection::vec((0u8..8, 0u8..8), 0..20),
        ) {
            let blockers = |at: u8| -> Vec<u8> {
                edges.iter().filter(|(from, _)| *from == at).map(|(_, to)| *to).collect()
            };
            let circles = find(0..8, blockers);
            for circle in &circles {
                for (at, task) in circle.iter().enumerate() {
                    let next = circle[(at + 1) % circle.len()];
                    prop_assert!(edges.contains(&(*task, next)), "{circle:?}");
                }
            }
            // Take away who waits on nobody left, again and again.
            let mut left: Vec<u8> = (0..8).collect();
            loop {
                let before = left.len();
                let kept = left.clone();
                left.retain(|at| blockers(*at).iter().any(|on| kept.contains(on)));
                if left.len() == before {
                    break;
                }
            }
            prop_assert_eq!(circles.is_empty(), left.is_empty());
        }
    }
}
