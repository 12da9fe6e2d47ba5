//! Pure: what of a run that is over need not be done again.

use std::collections::{HashMap, HashSet};

use adaptive_task_scheduler::graph::Shape;

use super::fingerprint::fingerprint;
use crate::taskfile::model::Task;

/// What of a run need not be done again, and what was done and still has to be.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Resumed {
    /// Of each task, whether it is done.
    pub done: Vec<bool>,
    /// Tasks that were done and have changed since.
    pub changed: Vec<usize>,
    /// Names of tasks that were done and that are not there any more.
    pub gone: Vec<String>,
}

/// A task is done if it was done as it is now, and if all that it needs is. So what was changed is
/// run again, and everything after it.
#[must_use]
pub fn resumed(tasks: &[Task], shape: &Shape, before: &HashMap<String, String>) -> Resumed {
    let mut resumed = Resumed {
        done: vec![false; tasks.len()],
        ..Resumed::default()
    };
    for &place in shape.order() {
        let place = place as usize;
        let task = &tasks[place];
        let Some(before) = before.get(&task.name) else {
            continue;
        };
        if *before != fingerprint(task) {
            resumed.changed.push(place);
        } else {
            resumed.done[place] = task.needs.iter().all(|&need| resumed.done[need]);
        }
    }
    let names: HashSet<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
    let gone = before.keys().filter(|name| !names.contains(name.as_str()));
    resumed.gone = gone.cloned().collect();
    resumed.gone.sort();
    resumed.changed.sort_unstable();
    resumed
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::taskfile::model::{Action, Place};

    fn task(name: &str, needs: &[usize]) -> Task {
        let file = Path::new("ats.toml").into();
        let mut task = Task::new(name, Place { file, line: 1 });
        task.action = Action::Shell(name.into());
        task.needs = needs.to_vec();
        task
    }

    #[test]
    fn what_changed_is_run_again_and_everything_after_it() {
        let mut tasks = [
            task("a", &[]),
            task("b", &[0]),
            task("c", &[1]),
            task("d", &[0]),
            task("e", &[]),
        ];
        let done = |task: &Task| (task.name.clone(), fingerprint(task));
        let mut before: HashMap<String, String> = tasks[..4].iter().map(done).collect();
        before.insert("old".into(), String::new());
        tasks[1].action = Action::Shell("changed".into());
        let shape = Shape::new(5, &[(0, 1), (1, 2), (0, 3)]).unwrap();
        assert_eq!(
            resumed(&tasks, &shape, &before),
            Resumed {
                done: vec![true, false, false, true, false],
                changed: vec![1],
                gone: vec!["old".into()],
            }
        );
    }
}
