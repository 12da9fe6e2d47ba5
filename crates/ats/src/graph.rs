//! The order of a graph, or the cycle that keeps it from having one. Pure, and never recursive:
//! a chain may be as long as memory allows.

/// Parents first and otherwise as given; or a cycle, from one task through those that run after
/// it back to the same task.
///
/// # Errors
///
/// The cycle.
pub fn topological(parents: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut left: Vec<usize> = parents.iter().map(Vec::len).collect();
    let mut children = vec![Vec::new(); parents.len()];
    for (child, list) in parents.iter().enumerate() {
        for &parent in list {
            children[parent].push(child);
        }
    }
    let mut order: Vec<usize> = (0..parents.len()).filter(|&task| left[task] == 0).collect();
    let mut next = 0;
    while let Some(&task) = order.get(next) {
        next += 1;
        for &child in &children[task] {
            left[child] -= 1;
            if left[child] == 0 {
                order.push(child);
            }
        }
    }
    if order.len() == parents.len() {
        Ok(order)
    } else {
        Err(cycle_among(parents, &left))
    }
}

/// Every task with parents left has such a parent itself, so walking up must meet itself.
fn cycle_among(parents: &[Vec<usize>], left: &[usize]) -> Vec<usize> {
    let mut met = vec![usize::MAX; parents.len()];
    let mut walk = Vec::new();
    let mut next = left.iter().position(|&count| count > 0);
    while let Some(task) = next {
        if met[task] != usize::MAX {
            let mut cycle = walk.split_off(met[task]);
            cycle.push(task);
            // The walk went from child to parent; people read from what runs first.
            cycle.reverse();
            return cycle;
        }
        met[task] = walk.len();
        walk.push(task);
        next = parents[task]
            .iter()
            .copied()
            .find(|&parent| left[parent] > 0);
    }
    walk
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_come_first_and_otherwise_the_order_stays() {
        let diamond = [vec![3], vec![0], vec![0], vec![], vec![1, 2]];
        assert_eq!(topological(&diamond), Ok(vec![3, 0, 1, 2, 4]));
        assert_eq!(topological(&[]), Ok(vec![]));
    }

    #[test]
    fn a_cycle_is_named_whole_and_without_what_hangs_on_it() {
        // 0 -> 1 -> 2 -> 0 is the cycle, 3 waits on it, 4 is apart.
        let parents = [vec![2], vec![0], vec![1], vec![2], vec![]];
        let cycle = topological(&parents).unwrap_err();
        assert_eq!(cycle, [0, 1, 2, 0]);
        assert_eq!(topological(&[vec![0]]), Err(vec![0, 0]));
    }

    #[test]
    fn a_long_chain_and_a_long_cycle_need_no_stack() {
        let tasks = 300_000;
        let mut parents: Vec<Vec<usize>> = (0..tasks)
            .map(|task: usize| task.checked_sub(1).into_iter().collect())
            .collect();
        assert_eq!(topological(&parents).map(|order| order.len()), Ok(tasks));
        parents[0].push(tasks - 1);
        assert_eq!(
            topological(&parents).map_err(|cycle| cycle.len()),
            Err(tasks + 1)
        );
    }
}
