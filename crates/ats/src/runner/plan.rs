//! What is to run, and in which order one job would run it. Pure.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use adaptive_task_scheduler::Priority;

use crate::graph::topological;
use crate::taskfile::model::{Task, TaskFile};
use crate::text::{nearest, printable};

/// Keeps the named tasks and what they need, directly or through others; all if none is named.
///
/// # Errors
///
/// A name that is not in the file.
pub fn select(mut file: TaskFile, names: &[String]) -> Result<TaskFile, String> {
    if names.is_empty() {
        return Ok(file);
    }
    let mut chosen = vec![false; file.tasks.len()];
    let mut open = places(&file, names)?;
    while let Some(task) = open.pop() {
        if !chosen[task] {
            chosen[task] = true;
            open.extend(&file.tasks[task].needs);
        }
    }
    file.tasks = keep(file.tasks, &chosen);
    Ok(file)
}

fn places(file: &TaskFile, names: &[String]) -> Result<Vec<usize>, String> {
    let known: HashMap<&str, usize> = file
        .tasks
        .iter()
        .enumerate()
        .map(|(place, task)| (task.name.as_str(), place))
        .collect();
    let place = |name: &String| {
        known.get(name.as_str()).copied().ok_or_else(|| {
            let hint = match nearest(name, known.keys().copied()) {
                Some(near) => format!("did you mean `{}`?", printable(near)),
                None => "`--dry-run` without names lists all tasks".to_owned(),
            };
            format!("there is no task `{}`\n  help: {hint}", printable(name))
        })
    };
    names.iter().map(place).collect()
}

fn keep(tasks: Vec<Task>, chosen: &[bool]) -> Vec<Task> {
    let mut new_place = vec![0; tasks.len()];
    let mut next = 0;
    for (old, &stays) in chosen.iter().enumerate() {
        new_place[old] = next;
        next += usize::from(stays);
    }
    let mut kept = tasks;
    let mut place = 0;
    kept.retain(|_| {
        place += 1;
        chosen[place - 1]
    });
    for task in &mut kept {
        for need in &mut task.needs {
            *need = new_place[*need];
        }
    }
    kept
}

/// Places in an order in which needs come first.
#[must_use]
pub fn needs_first(tasks: &[Task]) -> Vec<usize> {
    let needs: Vec<Vec<usize>> = tasks.iter().map(|task| task.needs.clone()).collect();
    // A file with a cycle has been refused; here there is none.
    topological(&needs).unwrap_or_default()
}

/// Each task's priority once everything that waits on it has donated its own.
#[must_use]
pub fn effective_priorities(tasks: &[Task]) -> Vec<Priority> {
    let mut effective: Vec<Priority> = tasks.iter().map(|task| task.priority).collect();
    for &task in needs_first(tasks).iter().rev() {
        for &need in &tasks[task].needs {
            effective[need] = effective[need].max(effective[task]);
        }
    }
    effective
}

/// The order in which a single job runs the tasks: of those that are ready the one of the highest
/// effective priority, among equals the one that stands first in the file.
#[must_use]
pub fn order(tasks: &[Task]) -> Vec<usize> {
    let effective = effective_priorities(tasks);
    let mut waits_on: Vec<usize> = tasks.iter().map(|task| task.needs.len()).collect();
    let mut dependents = vec![Vec::new(); tasks.len()];
    for (place, task) in tasks.iter().enumerate() {
        for &need in &task.needs {
            dependents[need].push(place);
        }
    }
    let entry = |task: usize| (effective[task], Reverse(task));
    let first = (0..tasks.len()).filter(|&task| waits_on[task] == 0);
    let mut ready: BinaryHeap<_> = first.map(entry).collect();
    let mut order = Vec::with_capacity(tasks.len());
    while let Some((_, Reverse(task))) = ready.pop() {
        order.push(task);
        for &dependent in &dependents[task] {
            waits_on[dependent] -= 1;
            if waits_on[dependent] == 0 {
                ready.push(entry(dependent));
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::taskfile::Wrong;
    use crate::taskfile::format::Format;

    fn parse(source: &str) -> Result<TaskFile, Wrong> {
        crate::taskfile::parse(Path::new("tasks.toml"), source.into(), Format::Toml, &[])
    }

    const FILE: &str = r#"
        [tasks.docs]
        run = "docs"
        needs = ["build"]
        priority = "free"
        [tasks.lint]
        run = "lint"
        [tasks.build]
        run = "build"
        needs = ["fetch"]
        [tasks.fetch]
        run = "fetch"
        priority = "batch"
        [tasks.deploy]
        run = "deploy"
        needs = ["build", "lint"]
        priority = "production"
        [tasks.clean]
        run = "clean"
    "#;

    fn names(file: &TaskFile, places: &[usize]) -> Vec<String> {
        places
            .iter()
            .map(|&place| file.tasks[place].name.clone())
            .collect()
    }

    #[test]
    fn what_something_important_needs_goes_first() {
        let file = parse(FILE).unwrap();
        assert_eq!(
            names(&file, &order(&file.tasks)),
            ["lint", "fetch", "build", "deploy", "clean", "docs"]
        );
    }

    #[test]
    fn a_named_task_brings_what_it_needs_and_nothing_else() {
        let file = select(parse(FILE).unwrap(), &["docs".into()]).unwrap();
        assert_eq!(
            names(&file, &order(&file.tasks)),
            ["fetch", "build", "docs"]
        );
        let all = select(parse(FILE).unwrap(), &[]).unwrap();
        assert_eq!(all, parse(FILE).unwrap());
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_nearest() {
        let refused = select(parse(FILE).unwrap(), &["biuld".into()]).unwrap_err();
        assert_eq!(
            refused,
            "there is no task `biuld`\n  help: did you mean `build`?"
        );
    }
}
