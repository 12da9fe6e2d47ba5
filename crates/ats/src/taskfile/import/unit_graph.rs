//! What `cargo build --unit-graph -Z unstable-options` prints: each unit becomes a task.
//!
//! The graph does not say how a unit is built: Cargo makes up the command lines, and finds out the
//! rest from build scripts while it runs. So these tasks can be looked at, not run; what stands for
//! a command is as much of it as the graph tells.

use std::collections::HashMap;
use std::path::Path;

use crate::graph::topological;
use crate::taskfile::mistakes::{Mistake, SHOWN};
use crate::taskfile::model::{Action, Task, TaskFile};
use crate::taskfile::sources::{Sources, Spot};
use crate::taskfile::tree::{Kind, Node, json};
use crate::taskfile::values::{list, text, wrong_type};

/// Why a unit graph is not run.
const LOOK_ONLY: &str = "a unit graph does not say how its units are built, so it cannot be run\n  \
    help: look at it with `--dry-run`, `--graph` or `--list`, and build with `cargo build`";

/// Reads the text of a file of this name.
pub(in crate::taskfile) fn read(
    path: &Path,
    source: String,
    sources: &mut Sources,
    mistakes: &mut Vec<Mistake>,
) -> TaskFile {
    let number = sources.add(path.to_owned(), source);
    let source = std::sync::Arc::clone(&sources.get(number).text);
    let document = json::parse(number, &source);
    let unreadable = !document.mistakes.is_empty();
    mistakes.extend(document.mistakes);
    let mut file = TaskFile {
        source: path.to_owned(),
        look_only: Some(LOOK_ONLY.into()),
        ..TaskFile::default()
    };
    if unreadable {
        return file;
    }
    let mut reading = Reading {
        sources,
        mistakes,
        units: Vec::new(),
    };
    if reading.check_version(&document.root) {
        reading.units(&document.root);
        file.default = reading.roots(&document.root);
        reading.cycles();
        file.tasks = reading.tasks(path);
    }
    file
}

/// A unit as far as it makes a difference here.
struct Unit {
    package: String,
    version: String,
    target: String,
    kind: String,
    mode: String,
    source: String,
    needs: Vec<(usize, Spot)>,
    spot: Spot,
}

struct Reading<'a> {
    sources: &'a mut Sources,
    mistakes: &'a mut Vec<Mistake>,
    units: Vec<Unit>,
}

impl Reading<'_> {
    fn note<T>(&mut self, read: Result<T, Mistake>) -> Option<T> {
        read.map_err(|mistake| self.mistakes.push(mistake)).ok()
    }

    fn check_version(&mut self, root: &Node<'_>) -> bool {
        let version = root.get("version");
        let known = version.is_some_and(|node| matches!(node.kind, Kind::Integer(Some(1))));
        if !known {
            let spot = version.unwrap_or(root).spot;
            let title = "this version of the unit graph is not known";
            let help = "version 1 is read; Cargo may print another one";
            self.mistakes.push(Mistake::new(spot, title).help(help));
        }
        known
    }

    fn units(&mut self, root: &Node<'_>) {
        let Some(units) = self.required(root, "units") else {
            return;
        };
        let items = self.note(list("units", units)).unwrap_or_default();
        if items.is_empty() && units.as_list().is_some() {
            let mistake = Mistake::new(units.spot, "there are no units in this graph");
            self.mistakes.push(mistake);
        }
        for item in items {
            self.unit(item, items.len());
        }
    }

    fn required<'n, 's>(&mut self, node: &'n Node<'s>, key: &str) -> Option<&'n Node<'s>> {
        let found = node.get(key);
        if found.is_none() {
            let spot = Spot {
                end: node.spot.start + 1,
                ..node.spot
            };
            let title = match node.as_table() {
                Some(_) => format!("there is no `{key}` in this object"),
                None => format!("this must be an object with a `{key}`"),
            };
            self.mistakes.push(Mistake::new(spot, title));
        }
        found
    }

    fn text_at(&mut self, node: &Node<'_>, key: &str) -> String {
        let found = self.required(node, key).map(|value| text(key, value));
        let text = found.and_then(|read| self.note(read));
        text.map(|text| text.text).unwrap_or_default()
    }

    fn unit(&mut self, node: &Node<'_>, units: usize) {
        let (package, version) = package(&self.text_at(node, "pkg_id"));
        let mut unit = Unit {
            package,
            version,
            target: String::new(),
            kind: String::new(),
            mode: self.text_at(node, "mode"),
            source: String::new(),
            needs: Vec::new(),
            spot: node.spot,
        };
        if let Some(target) = self.required(node, "target") {
            unit.target = self.text_at(target, "name");
            unit.source = self.text_at(target, "src_path");
            if let Some(kinds) = self.required(target, "kind") {
                let kinds = self.note(list("kind", kinds)).unwrap_or_default();
                let kinds = kinds
                    .iter()
                    .filter_map(|kind| self.note(text("kind", kind)));
                let kinds: Vec<String> = kinds.map(|kind| kind.text).collect();
                unit.kind = kinds.join("+");
            }
        }
        if let Some(dependencies) = self.required(node, "dependencies") {
            let items = self.note(list("dependencies", dependencies));
            for item in items.unwrap_or_default() {
                if let Some(index) = self.required(item, "index") {
                    let place = self.note(place("index", index, units));
                    unit.needs.extend(place.map(|place| (place, index.spot)));
                }
            }
        }
        self.units.push(unit);
    }

    fn roots(&mut self, root: &Node<'_>) -> Option<Vec<usize>> {
        let roots = self.required(root, "roots")?;
        let items = self.note(list("roots", roots))?;
        let count = self.units.len();
        let places = items
            .iter()
            .filter_map(|item| self.note(place("roots", item, count)));
        Some(places.collect())
    }

    fn cycles(&mut self) {
        let places = |unit: &Unit| unit.needs.iter().map(|(place, _)| *place).collect();
        let mut needs: Vec<Vec<usize>> = self.units.iter().map(places).collect();
        for _ in 0..SHOWN {
            let Err(mut cycle) = topological(&needs) else {
                return;
            };
            cycle.reverse();
            let path: Vec<String> = cycle
                .iter()
                .take(100)
                .map(|unit| unit.to_string())
                .collect();
            let title = format!("units need each other in a cycle: {}", path.join(" needs "));
            let unit = &self.units[cycle[0]];
            let written = unit.needs.iter().find(|(place, _)| *place == cycle[1]);
            let spot = written.map_or(unit.spot, |(_, spot)| *spot);
            self.mistakes.push(Mistake::new(spot, title));
            needs[cycle[0]].retain(|&need| need != cycle[1]);
        }
    }

    fn tasks(&mut self, path: &Path) -> Vec<Task> {
        let mut used: HashMap<String, usize> = HashMap::new();
        let mut tasks = Vec::with_capacity(self.units.len());
        for unit in &self.units {
            let plain = unit.name();
            let times = used.entry(plain.clone()).or_default();
            *times += 1;
            // The same target for the host and for the target, or with other features.
            let name = match *times {
                1 => plain,
                times => format!("{plain} #{times}"),
            };
            let mut task = Task::new(name, self.sources.place(unit.spot));
            task.class = format!("{} {}", unit.mode, unit.kind);
            task.description = Some(unit.source.clone());
            task.action = Action::Exec(unit.command());
            task.needs = unit.needs.iter().map(|(place, _)| *place).collect();
            task.needs.sort_unstable();
            task.needs.dedup();
            task.directory = path.parent().unwrap_or(Path::new("")).to_owned();
            tasks.push(task);
        }
        tasks
    }
}

impl Unit {
    /// What people call it.
    fn name(&self) -> String {
        let package = format!("{} {}", self.package, self.version);
        let package = package.trim();
        let own = match (self.kind.as_str(), self.mode.as_str()) {
            (_, "run-custom-build") => "run build script".to_owned(),
            ("custom-build", _) => "build script".to_owned(),
            (kind @ ("bin" | "example" | "test" | "bench"), _) => format!("{kind} {}", self.target),
            (kind, _) => kind.to_owned(),
        };
        match self.mode.as_str() {
            "build" | "run-custom-build" => format!("{package} {own}"),
            mode => format!("{package} {own} {mode}"),
        }
    }

    /// As much of its command line as is known.
    fn command(&self) -> Vec<String> {
        let words: Vec<&str> = match self.mode.as_str() {
            "run-custom-build" => vec!["build-script-build"],
            "doc" => vec!["rustdoc", "--crate-name", &self.target, &self.source],
            _ => vec!["rustc", "--crate-name", &self.target, &self.source],
        };
        words.into_iter().map(str::to_owned).collect()
    }
}

/// Name and version out of a package id: `registry+https://...#name@1.0.0`,
/// `path+file:///folder/name#1.0.0`, or as older ones print it, `name 1.0.0 (...)`.
fn package(id: &str) -> (String, String) {
    let (name, version) = match id.split_once('#') {
        Some((url, fragment)) => match fragment.split_once('@') {
            Some((name, version)) => (name, version),
            None => (url.rsplit('/').next().unwrap_or(url), fragment),
        },
        None => {
            let mut words = id.split(' ');
            (words.next().unwrap_or(id), words.next().unwrap_or(""))
        }
    };
    let clean = |word: &str| crate::text::printable(word).into_owned();
    (clean(name), clean(version))
}

fn place(key: &str, node: &Node<'_>, units: usize) -> Result<usize, Mistake> {
    let Kind::Integer(number) = node.kind else {
        return Err(wrong_type(key, node, "a whole number"));
    };
    let place = number.and_then(|number| usize::try_from(number).ok());
    place.filter(|place| *place < units).ok_or_else(|| {
        let title = format!(
            "there is no unit of this number, only 0 to {}",
            units.max(1) - 1
        );
        Mistake::new(node.spot, title)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::taskfile::format::Format;

    /// Of a package with a library, a binary, a build script and a dependency.
    const GRAPH: &str = include_str!("../../../tests/unit_graphs/small.json");

    fn parsed(text: &str) -> TaskFile {
        crate::taskfile::parse(Path::new("units.json"), text.into(), Format::UnitGraph, &[])
            .unwrap_or_else(|wrong| panic!("{wrong}"))
    }

    #[test]
    fn units_become_tasks_that_are_looked_at() {
        let file = parsed(GRAPH);
        let names: Vec<&str> = file.tasks.iter().map(|task| task.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "itoa 1.0.19 lib",
                "tiny 0.1.0 lib",
                "tiny 0.1.0 bin tiny",
                "tiny 0.1.0 build script",
                "tiny 0.1.0 run build script"
            ]
        );
        let needs: Vec<&[usize]> = file
            .tasks
            .iter()
            .map(|task| task.needs.as_slice())
            .collect();
        assert_eq!(needs, [&[][..], &[0, 4], &[0, 1, 4], &[], &[3]]);
        assert_eq!(file.default, Some(vec![1, 2]));
        assert!(file.look_only.is_some());
    }

    #[test]
    fn package_ids_of_all_ages_are_understood() {
        let cases = [
            ("registry+https://x#itoa@1.0.1", ("itoa", "1.0.1")),
            ("path+file:///a/tiny#0.1.0", ("tiny", "0.1.0")),
            ("itoa 1.0.1 (registry+https://x)", ("itoa", "1.0.1")),
            ("", ("", "")),
        ];
        for (id, (name, version)) in cases {
            assert_eq!(package(id), (name.to_owned(), version.to_owned()), "{id}");
        }
    }
}
