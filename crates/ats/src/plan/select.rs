//! Which tasks of a file are to run. Pure.

use std::collections::HashMap;

use crate::taskfile::model::{Task, TaskFile};
use crate::text::{nearest, printable};

/// What was asked for: names of tasks, of all instances of one, or patterns.
#[derive(Clone, Copy, Debug, Default)]
pub struct Selection<'a> {
    /// These and what they need.
    pub tasks: &'a [String],
    /// These without what they need.
    pub only: &'a [String],
    /// These and what runs after them; of `tasks`, if there are any, what is not before these.
    pub from: &'a [String],
}

/// The places of the tasks that these words mean, in their order.
///
/// # Errors
///
/// A complaint for each word that fits no task.
pub fn find(tasks: &[Task], words: &[String]) -> Result<Vec<usize>, Vec<String>> {
    let names = Names::of(tasks);
    let (mut found, mut wrong) = (Vec::new(), Vec::new());
    for word in words {
        match names.find(word) {
            Ok(places) => found.extend(places),
            Err(complaint) => wrong.push(complaint),
        }
    }
    if wrong.is_empty() {
        Ok(found)
    } else {
        Err(wrong)
    }
}

/// Keeps what was asked for; everything if nothing was. What is needed and not kept counts as done.
///
/// # Errors
///
/// A complaint for each name that fits no task.
pub fn select(mut file: TaskFile, selection: &Selection<'_>) -> Result<TaskFile, Vec<String>> {
    let named = !selection.tasks.is_empty();
    let nothing = !named && selection.only.is_empty() && selection.from.is_empty();
    if nothing && file.default.is_none() {
        return Ok(file);
    }
    let names = Names::of(&file.tasks);
    let mut wrong = Vec::new();
    let mut find = |words: &[String]| -> Vec<usize> {
        let mut found = Vec::new();
        for word in words {
            match names.find(word) {
                Ok(places) => found.extend(places),
                Err(complaint) => wrong.push(complaint),
            }
        }
        found
    };
    let (mut tasks, only, from) = (
        find(selection.tasks),
        find(selection.only),
        find(selection.from),
    );
    if !wrong.is_empty() {
        return Err(wrong);
    }
    if let (true, Some(default)) = (nothing, &file.default) {
        tasks.clone_from(default);
    }
    let count = file.tasks.len();
    let mut chosen = vec![selection.only.is_empty(); count];
    if named || nothing {
        let needs = |task: usize| file.tasks[task].needs.as_slice();
        chosen = reached(count, tasks, needs);
    }
    if !selection.from.is_empty() {
        let after = dependents(&file.tasks);
        let later = reached(count, from, |task| after[task].as_slice());
        for (chosen, later) in chosen.iter_mut().zip(later) {
            *chosen = later && (!named || *chosen);
        }
    }
    for task in only {
        chosen[task] = true;
    }
    if chosen.contains(&false) {
        file.tasks = keep(file.tasks, &chosen);
    }
    Ok(file)
}

/// All that can be reached from a few, these included.
fn reached<'t>(
    count: usize,
    mut open: Vec<usize>,
    next: impl Fn(usize) -> &'t [usize],
) -> Vec<bool> {
    let mut met = vec![false; count];
    while let Some(task) = open.pop() {
        if !met[task] {
            met[task] = true;
            open.extend(next(task));
        }
    }
    met
}

/// For each task the tasks that need it.
fn dependents(tasks: &[Task]) -> Vec<Vec<usize>> {
    let mut dependents = vec![Vec::new(); tasks.len()];
    for (place, task) in tasks.iter().enumerate() {
        for &need in &task.needs {
            dependents[need].push(place);
        }
    }
    dependents
}

fn keep(mut tasks: Vec<Task>, chosen: &[bool]) -> Vec<Task> {
    let mut places = Vec::with_capacity(chosen.len());
    let mut next = 0;
    for &stays in chosen {
        places.push(next);
        next += usize::from(stays);
    }
    let mut stays = chosen.iter();
    tasks.retain(|_| stays.next() == Some(&true));
    for task in &mut tasks {
        task.needs.retain(|&need| chosen[need]);
        for need in &mut task.needs {
            *need = places[*need];
        }
    }
    tasks
}

/// What tasks are called.
struct Names<'t> {
    tasks: &'t [Task],
    by_name: HashMap<&'t str, Vec<usize>>,
    /// What several have in common; counts only where no task is called so.
    by_class: HashMap<&'t str, Vec<usize>>,
}

impl<'t> Names<'t> {
    fn of(tasks: &'t [Task]) -> Self {
        let mut by_name: HashMap<&str, Vec<usize>> = HashMap::with_capacity(tasks.len());
        let mut by_class: HashMap<&str, Vec<usize>> = HashMap::new();
        for (place, task) in tasks.iter().enumerate() {
            by_name.entry(&task.name).or_default().push(place);
            if task.class != task.name {
                by_class.entry(&task.class).or_default().push(place);
            }
            for name in &task.also {
                by_name.entry(name).or_default().push(place);
            }
        }
        Names {
            tasks,
            by_name,
            by_class,
        }
    }

    /// The tasks that a word means.
    fn find(&self, word: &str) -> Result<Vec<usize>, String> {
        let known = self.by_name.get(word).or_else(|| self.by_class.get(word));
        if let Some(places) = known {
            return Ok(places.clone());
        }
        if word.contains(['*', '?', '[']) {
            return self.fitting(word);
        }
        let hint = match nearest(
            word,
            self.by_name.keys().chain(self.by_class.keys()).copied(),
        ) {
            Some(near) => format!("did you mean `{}`?", printable(near)),
            None => "`--list` shows all tasks".to_owned(),
        };
        let word = printable(word);
        Err(format!("there is no task `{word}`\n  help: {hint}"))
    }

    fn fitting(&self, word: &str) -> Result<Vec<usize>, String> {
        let pattern = glob::Pattern::new(word).map_err(|error| {
            let word = printable(word);
            format!("`{word}` is not a pattern: {}\n  help: `*` stands for anything, `?` for one character, `[ab]` for one of these", error.msg)
        })?;
        let fits = |task: &Task| {
            let mut names = [&task.name, &task.class].into_iter().chain(&task.also);
            names.any(|name| pattern.matches(name))
        };
        let found: Vec<usize> = (0..self.tasks.len())
            .filter(|&place| fits(&self.tasks[place]))
            .collect();
        if found.is_empty() {
            let word = printable(word);
            return Err(format!(
                "no task fits `{word}`\n  help: `--list` shows all tasks"
            ));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::taskfile::format::Format;

    const FILE: &str = r#"
        [tasks.docs]
        run = "docs"
        needs = ["build"]
        [tasks.lint]
        run = "lint"
        [tasks.build]
        run = "build"
        needs = ["fetch"]
        [tasks.fetch]
        run = "fetch"
        [tasks.test]
        run = "test {{ matrix.n }}"
        needs = ["build", "lint"]
        matrix = { n = [1, 2] }
        [tasks.deploy]
        run = "deploy"
        needs = ["test"]
    "#;

    fn chosen(tasks: &[&str], only: &[&str], from: &[&str]) -> Result<Vec<String>, Vec<String>> {
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (tasks, only, from) = (words(tasks), words(only), words(from));
        let file = crate::taskfile::parse(Path::new("t.toml"), FILE.into(), Format::Toml, &[]);
        let selection = Selection {
            tasks: &tasks,
            only: &only,
            from: &from,
        };
        let file = select(file.unwrap(), &selection)?;
        for task in &file.tasks {
            assert!(task.needs.iter().all(|&need| need < file.tasks.len()));
        }
        Ok(file.tasks.into_iter().map(|task| task.name).collect())
    }

    #[track_caller]
    fn expect(tasks: &[&str], only: &[&str], from: &[&str], expected: &[&str]) {
        assert_eq!(chosen(tasks, only, from).unwrap(), expected);
    }

    #[test]
    fn a_named_task_brings_what_it_needs_and_nothing_else() {
        expect(&["docs"], &[], &[], &["docs", "build", "fetch"]);
        assert_eq!(chosen(&[], &[], &[]).unwrap().len(), 7);
    }

    #[test]
    fn names_patterns_and_matrices_mean_all_that_fit() {
        let both = ["lint", "build", "fetch", "test (n=1)", "test (n=2)"];
        expect(&["test"], &[], &[], &both);
        expect(&["te*"], &[], &[], &both);
        expect(
            &["test (n=2)"],
            &[],
            &[],
            &["lint", "build", "fetch", "test (n=2)"],
        );
        expect(&["[lf]*t*"], &[], &[], &["lint", "fetch"]);
    }

    #[test]
    fn only_leaves_out_what_is_needed() {
        expect(&[], &["deploy"], &[], &["deploy"]);
        expect(&["lint"], &["docs"], &[], &["docs", "lint"]);
    }

    #[test]
    fn from_goes_on_with_what_runs_after() {
        let after_build = ["docs", "build", "test (n=1)", "test (n=2)", "deploy"];
        expect(&[], &[], &["build"], &after_build);
        expect(&["docs"], &[], &["build"], &["docs", "build"]);
        expect(&[], &["fetch"], &["deploy"], &["fetch", "deploy"]);
    }

    #[test]
    fn every_unknown_name_is_refused_with_the_nearest() {
        assert_eq!(
            chosen(&["biuld", "x*y"], &["qqqqqq"], &["[a"]).unwrap_err(),
            [
                "there is no task `biuld`\n  help: did you mean `build`?",
                "no task fits `x*y`\n  help: `--list` shows all tasks",
                "there is no task `qqqqqq`\n  help: `--list` shows all tasks",
                "`[a` is not a pattern: invalid range pattern\n  help: `*` stands for anything, `?` for one character, `[ab]` for one of these"
            ]
        );
    }
}
