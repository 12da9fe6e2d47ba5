//! From names in `needs` to places of tasks; unknown and doubled names, and cycles.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use adaptive_task_scheduler::graph::Shape;

use super::declared::Need;
use super::expand::Expanded;
use super::mistakes::{Mistake, SHOWN};
use super::model::Task;
use super::sources::{Sources, Spot};
use super::variables::{ScopeId, Scopes};
use crate::graph::topological;
use crate::text::nearest;

/// Every one of many that needs every one of many others: more edges than this are a slip.
const EDGES: usize = 20_000_000;

/// How many names are looked at in all to find near ones, so that a large file with many mistakes
/// does not take minutes.
const COMPARED: usize = 1_000_000;

/// The most names of a cycle that are written out.
const PATH: usize = 100;

/// Gives every task its needs.
pub(super) fn resolve(
    expanded: Expanded,
    scopes: &Scopes,
    sources: &mut Sources,
    incomplete: bool,
    mistakes: &mut Vec<Mistake>,
) -> Vec<Task> {
    let texts = sources.texts();
    let mut resolution = Resolution {
        expanded: &expanded,
        texts: &texts,
        scopes,
        places: HashMap::with_capacity(expanded.tasks.len()),
        edges: 0,
        compared: 0,
        incomplete,
        mistakes,
    };
    resolution.index(sources);
    let needs = resolution.all_needs();
    resolution.cycles(&needs);
    let mut tasks = expanded.tasks;
    for (task, needs) in tasks.iter_mut().zip(needs) {
        task.needs = needs;
    }
    tasks
}

struct Resolution<'a> {
    expanded: &'a Expanded,
    texts: &'a [Arc<str>],
    scopes: &'a Scopes,
    /// What each name stands for: a task, or all instances of one.
    places: HashMap<&'a str, Range<usize>>,
    edges: usize,
    compared: usize,
    incomplete: bool,
    mistakes: &'a mut Vec<Mistake>,
}

impl<'a> Resolution<'a> {
    fn index(&mut self, sources: &mut Sources) {
        let expanded = self.expanded;
        for (place, (task, origin)) in expanded.tasks.iter().zip(&expanded.origins).enumerate() {
            if task.class != task.name && origin.again {
                if let Some(range) = self.places.get_mut(task.class.as_str()) {
                    range.end = range.end.max(place + 1);
                }
            } else {
                self.insert(&task.class, place, origin.name, sources);
            }
            if task.class != task.name {
                self.insert(&task.name, place, origin.name, sources);
            }
        }
    }

    fn insert(&mut self, name: &'a str, place: usize, spot: Spot, sources: &mut Sources) {
        let Some(first) = self.places.insert(name, place..place + 1) else {
            return;
        };
        let first = sources.place(self.expanded.origins[first.start].name);
        let title = format!("there are two tasks `{}`", name.escape_debug());
        let file = crate::input::shown(&first.file);
        let help = format!("the other one stands in {file}, line {}", first.line);
        self.mistakes.push(Mistake::new(spot, title).help(help));
    }

    fn all_needs(&mut self) -> Vec<Vec<usize>> {
        let mut all = Vec::with_capacity(self.expanded.tasks.len());
        for place in 0..self.expanded.tasks.len() {
            all.push(self.needs_of(place));
            if self.edges > EDGES {
                let title = format!("up to this task there are more than {EDGES} dependencies");
                let mistake = Mistake::new(self.expanded.origins[place].name, title);
                let help = "put a task in between that gathers the others";
                self.mistakes.push(mistake.help(help));
                all.resize(self.expanded.tasks.len(), Vec::new());
                break;
            }
        }
        all
    }

    /// The places that a name in `needs` stands for.
    fn find(&self, scope: ScopeId, name: &str) -> Option<Range<usize>> {
        let found = match self.scopes.prefix(scope) {
            "" => self.places.get(name),
            prefix => self.places.get(format!("{prefix}{name}").as_str()),
        };
        found.cloned()
    }

    fn needs_of(&mut self, task: usize) -> Vec<usize> {
        let origin = &self.expanded.origins[task];
        let mut needs: Vec<usize> = Vec::with_capacity(origin.needs.len());
        for need in &origin.needs {
            let name = need.name(self.texts);
            match self.find(origin.scope, name) {
                Some(range) => {
                    self.edges += range.len();
                    needs.extend(range);
                }
                None if self.incomplete || origin.again => {}
                None => self.unknown(task, name, need.spot),
            }
        }
        // An instance may be named beside the task that it is one of.
        needs.sort_unstable();
        needs.dedup();
        needs
    }

    fn unknown(&mut self, task: usize, name: &str, spot: Spot) {
        let prefix = self.scopes.prefix(self.expanded.origins[task].scope);
        let affordable = self.compared < COMPARED && self.mistakes.len() < SHOWN;
        let near = affordable.then(|| {
            self.compared += self.places.len();
            let names = self.places.keys();
            nearest(name, names.filter_map(|known| known.strip_prefix(prefix)))
        });
        let title = format!(
            "task `{}` needs `{}`, which is not in this file",
            self.expanded.tasks[task].class.escape_debug(),
            name.escape_debug()
        );
        self.mistakes
            .push(Mistake::new(spot, title).near(near.flatten()));
    }

    /// Finds one cycle after the other, each time without the need that was complained about.
    fn cycles(&mut self, needs: &[Vec<usize>]) {
        let edges: Vec<(u32, u32)> = needs
            .iter()
            .zip(0..)
            .flat_map(|(needs, task)| needs.iter().map(move |&need| (need as u32, task)))
            .collect();
        if Shape::new(needs.len(), &edges).is_ok() {
            return;
        }
        let mut left = needs.to_vec();
        for _ in 0..SHOWN {
            let Err(mut cycle) = topological(&left) else {
                return;
            };
            // From what needs to what is needed, as it is written in the file.
            cycle.reverse();
            let spot = self.written(cycle[0], cycle[1]);
            self.complain_about(&cycle, spot);
            for (list, origin) in left.iter_mut().zip(&self.expanded.origins) {
                // Other instances have the same need from the same words.
                if origin.needs.iter().any(|need| need.spot == spot) {
                    *list = Vec::new();
                }
            }
            left[cycle[0]].retain(|&need| need != cycle[1]);
        }
    }

    /// Where it is written that one task needs another.
    fn written(&self, task: usize, need: usize) -> Spot {
        let origin = &self.expanded.origins[task];
        let mut needs = origin.needs.iter();
        let means = |other: &&Need| {
            self.find(origin.scope, other.name(self.texts))
                .is_some_and(|range| range.contains(&need))
        };
        needs.find(means).map_or(origin.name, |other| other.spot)
    }

    fn complain_about(&mut self, cycle: &[usize], spot: Spot) {
        let name = |&task: &usize| format!("`{}`", self.expanded.tasks[task].name.escape_debug());
        let mut path: Vec<String> = cycle.iter().take(PATH).map(name).collect();
        if cycle.len() > PATH {
            path.push(format!("... {} more ...", cycle.len() - PATH - 1));
            path.extend(cycle.last().map(name));
        }
        let title = format!("tasks need each other in a cycle: {}", path.join(" needs "));
        let label = "one of these needs has to go";
        self.mistakes.push(Mistake::new(spot, title).label(label));
    }
}
