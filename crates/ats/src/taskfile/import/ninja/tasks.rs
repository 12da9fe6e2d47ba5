//! From statements to tasks.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::depfile;
use super::manifest::{Edge, Input, Kind, Manifest, Template};
use crate::graph::topological;
use crate::taskfile::mistakes::{Mistake, SHOWN};
use crate::taskfile::model::{Action, Task, TaskFile};
use crate::taskfile::shell::quoted;
use crate::taskfile::sources::{Sources, Spot};
use crate::text::nearest;

/// A dependency file is small; one that is not, is none.
const DEPFILE_LIMIT: u64 = 4 << 20;

/// Variables of a rule may be made of others, but not without end.
const NESTED: usize = 64;

/// What a system takes as one argument is 128 KiB; the rest of the command must fit, too.
const RESPONSE_LIMIT: usize = 96 << 10;

/// How many inputs are listed in all before `phony` targets are no longer looked through.
const LISTED: usize = 5_000_000;

/// Makes a task of each build statement.
pub(super) fn tasks(
    path: &Path,
    manifest: &Manifest,
    sources: &mut Sources,
    mistakes: &mut Vec<Mistake>,
) -> TaskFile {
    let mut making = Making {
        manifest,
        directory: path.parent().unwrap_or(Path::new("")).to_owned(),
        sources,
        mistakes,
        listed: 0,
        refused: HashSet::new(),
    };
    let tasks = manifest.edges.iter().map(|edge| making.task(edge));
    let tasks: Vec<Task> = tasks.collect();
    let default = making.default();
    making.cycles();
    TaskFile {
        tasks,
        source: path.to_owned(),
        default,
        notes: notes(manifest),
        ..TaskFile::default()
    }
}

/// What is read but makes a difference to Ninja that it does not make here.
fn notes(manifest: &Manifest) -> Vec<String> {
    let pools: BTreeMap<&String, &i64> = manifest.pools.iter().collect();
    let limited: Vec<String> = pools
        .into_iter()
        .filter(|(name, depth)| **depth > 0 && name.as_str() != "console")
        .map(|(name, depth)| format!("{} ({depth})", crate::text::printable(name)))
        .collect();
    if limited.is_empty() {
        return Vec::new();
    }
    let pools = limited.join(", ");
    vec![format!(
        "pools do not limit anything here, only --jobs does: {pools}"
    )]
}

struct Making<'a> {
    manifest: &'a Manifest,
    directory: PathBuf,
    sources: &'a mut Sources,
    mistakes: &'a mut Vec<Mistake>,
    listed: usize,
    /// What was complained about already: rules are used many times.
    refused: HashSet<Spot>,
}

impl Making<'_> {
    fn task(&mut self, edge: &Edge) -> Task {
        let name = |output: u32| self.manifest.paths[output as usize].clone();
        let mut task = Task::new(name(edge.outputs[0]), self.sources.place(edge.spot));
        task.also = edge.outputs[1..]
            .iter()
            .map(|&output| name(output))
            .collect();
        task.directory.clone_from(&self.directory);
        task.needs = self.needs(edge);
        let Some(rule) = edge.rule else {
            return task;
        };
        task.class.clone_from(&self.manifest.rules[rule].name.text);
        task.action = self.action(edge, rule);
        let description = self.binding(edge, "description");
        task.description = (!description.is_empty()).then_some(description);
        self.files(edge, &mut task);
        task
    }

    fn needs(&self, edge: &Edge) -> Vec<usize> {
        let made = edge.inputs.iter().filter_map(|input| {
            // A phony target that names itself is how some say that it may be absent.
            let own = edge.rule.is_none() && edge.outputs.contains(&input.path);
            let producer = self.manifest.producers.get(&input.path).copied();
            producer.filter(|_| !own)
        });
        let mut needs: Vec<usize> = made.collect();
        needs.sort_unstable();
        needs.dedup();
        needs
    }

    fn action(&mut self, edge: &Edge, rule: usize) -> Action {
        let dyndep = self.binding(edge, "dyndep");
        let rule = &self.manifest.rules[rule];
        if !dyndep.is_empty() && self.refused.insert(edge.spot) {
            let title = "dynamic dependencies (`dyndep`) are not supported";
            let help = "they are found out while Ninja runs, and ats plans before";
            self.mistakes
                .push(Mistake::new(edge.spot, title).help(help));
        }
        let pool = self.binding(edge, "pool");
        if !pool.is_empty() && !self.manifest.pools.contains_key(&pool) {
            let template = rule.bindings.get("pool");
            let spot = template.and_then(|template| template.spot);
            let spot = spot.filter(|_| !edge.bindings.contains_key("pool"));
            let spot = spot.unwrap_or(edge.spot);
            if self.refused.insert(spot) {
                let near = nearest(&pool, self.manifest.pools.keys().map(String::as_str));
                let title = format!("there is no pool `{}`", pool.escape_debug());
                self.mistakes.push(Mistake::new(spot, title).near(near));
            }
        }
        let command = self.binding(edge, "command");
        if command.trim().is_empty() {
            return Action::Nothing;
        }
        let command = self.with_response_file(edge, command);
        Action::Shell(self.with_folders(edge, command))
    }

    /// The command with its response file written before, and removed once it has succeeded.
    fn with_response_file(&mut self, edge: &Edge, command: String) -> String {
        let file = self.binding(edge, "rspfile");
        if file.is_empty() {
            return command;
        }
        let content = self.binding(edge, "rspfile_content");
        if content.len() > RESPONSE_LIMIT && self.refused.insert(edge.spot) {
            let title = format!("the response file of this has more than {RESPONSE_LIMIT} bytes");
            let help = "such long ones are not supported";
            self.mistakes
                .push(Mistake::new(edge.spot, title).help(help));
        }
        let (file, content) = (quoted(&file), quoted(&content));
        format!("printf %s {content} > {file} && {{ {command}\n}} && rm -f -- {file}")
    }

    /// The command with folders made before that its outputs need, as Ninja does. The text is the
    /// same whether they are there or not: a command that changes is run again.
    fn with_folders(&self, edge: &Edge, command: String) -> String {
        let mut made: Vec<String> = Vec::new();
        for &output in &edge.outputs {
            let path = Path::new(&self.manifest.paths[output as usize]);
            let folder = path.parent().map(Path::to_string_lossy);
            let Some(folder) = folder.filter(|folder| !matches!(folder.as_ref(), "" | "/")) else {
                continue;
            };
            let folder = quoted(&folder);
            let make = format!("{{ [ -d {folder} ] || mkdir -p -- {folder}; }} && ");
            if !made.contains(&make) {
                made.push(make);
            }
        }
        match made.is_empty() {
            true => command,
            false => format!("{}{{ {command}\n}}", made.concat()),
        }
    }

    /// The value of a variable for a build statement.
    fn binding(&mut self, edge: &Edge, name: &str) -> String {
        self.look_up(edge, name, 0)
    }

    fn look_up(&mut self, edge: &Edge, name: &str, depth: usize) -> String {
        match name {
            "in" => return self.listed(edge, " ", true),
            "in_newline" => return self.listed(edge, "\n", true),
            "out" => return self.listed(edge, " ", false),
            _ => {}
        }
        if let Some(own) = edge.bindings.get(name) {
            return own.clone();
        }
        let manifest = self.manifest;
        let rule = edge.rule.map(|rule| &manifest.rules[rule]);
        match rule.and_then(|rule| rule.bindings.get(name)) {
            Some(template) => self.evaluate(edge, name, template, depth),
            None => manifest
                .variable(edge.scope, name)
                .unwrap_or_default()
                .to_owned(),
        }
    }

    fn evaluate(&mut self, edge: &Edge, name: &str, template: &Template, depth: usize) -> String {
        let spot = template.spot.unwrap_or(edge.spot);
        let mut out = String::new();
        for part in &template.parts {
            match part {
                super::manifest::Part::Plain(plain) => out.push_str(plain),
                super::manifest::Part::Variable(_) if depth >= NESTED => {
                    if self.refused.insert(spot) {
                        let title = format!("the variable `{name}` of this rule is made of itself");
                        self.mistakes.push(Mistake::new(spot, title));
                    }
                    return String::new();
                }
                super::manifest::Part::Variable(inner) => {
                    out.push_str(&self.look_up(edge, inner, depth + 1));
                }
            }
            if out.len() > crate::taskfile::fill::LENGTH {
                if self.refused.insert(spot) {
                    let title = "with its variables filled in this is longer than a million bytes";
                    self.mistakes.push(Mistake::new(spot, title));
                }
                return String::new();
            }
        }
        out
    }

    /// Paths as words of the shell.
    fn listed(&self, edge: &Edge, between: &str, inputs: bool) -> String {
        let word = |path: u32| as_word(&self.manifest.paths[path as usize]);
        let words: Vec<String> = if inputs {
            let explicit = edge
                .inputs
                .iter()
                .filter(|input| input.kind == Kind::Explicit);
            explicit.map(|input| word(input.path)).collect()
        } else {
            let explicit = edge.outputs[..edge.explicit_outputs].iter();
            explicit.map(|&output| word(output)).collect()
        };
        words.join(between)
    }

    /// The files by which a later run sees whether anything has changed; none where not all of
    /// them are known, so that the command runs.
    fn files(&mut self, edge: &Edge, task: &mut Task) {
        let Some(more) = self.found_out_before(edge) else {
            return;
        };
        let mut inputs = self.real_files(edge);
        if self.listed > LISTED {
            return;
        }
        let paths = more.iter().map(|path| super::manifest::canonical(path));
        inputs.extend(paths);
        inputs.sort_unstable();
        inputs.dedup();
        let escaped = |path: &String| glob::Pattern::escape(path);
        task.inputs = inputs.iter().map(escaped).collect();
        let outputs = edge.outputs.iter();
        task.outputs = outputs
            .map(|&output| escaped(&self.manifest.paths[output as usize]))
            .collect();
    }

    /// What a compiler found out last time; `None` if it may be anything.
    fn found_out_before(&mut self, edge: &Edge) -> Option<Vec<String>> {
        let (depfile, deps) = (self.binding(edge, "depfile"), self.binding(edge, "deps"));
        if depfile.is_empty() && deps.is_empty() {
            return Some(Vec::new());
        }
        if depfile.is_empty() {
            return None;
        }
        let path = self.directory.join(depfile);
        let metadata = fs::metadata(&path).ok()?;
        if !metadata.is_file() || metadata.len() > DEPFILE_LIMIT {
            return None;
        }
        depfile::needed(&fs::read_to_string(&path).ok()?)
    }

    /// The files among the inputs, those that phony targets stand for included.
    fn real_files(&mut self, edge: &Edge) -> Vec<String> {
        let mut files = Vec::new();
        let mut met = HashSet::new();
        let counts = |input: &&Input| input.kind != Kind::OrderOnly;
        let mut open: Vec<u32> = edge
            .inputs
            .iter()
            .filter(counts)
            .map(|input| input.path)
            .collect();
        while let Some(path) = open.pop() {
            self.listed += 1;
            if self.listed > LISTED {
                break;
            }
            let producer = self.manifest.producers.get(&path);
            match producer.map(|&producer| &self.manifest.edges[producer]) {
                Some(phony) if phony.rule.is_none() => {
                    if met.insert(path) {
                        open.extend(phony.inputs.iter().filter(counts).map(|input| input.path));
                    }
                }
                _ => files.push(self.manifest.paths[path as usize].clone()),
            }
        }
        files
    }

    /// What is built when nothing is named.
    fn default(&mut self) -> Option<Vec<usize>> {
        if self.manifest.edges.is_empty() && !self.manifest.incomplete && self.mistakes.is_empty() {
            let end = self.sources.get(0).text.len();
            let spot = Spot {
                source: 0,
                start: end as u32,
                end: end as u32,
            };
            self.mistakes
                .push(Mistake::new(spot, "nothing is built in this file"));
        }
        if self.manifest.defaults.is_empty() {
            return None;
        }
        let mut default = Vec::new();
        for (target, spot) in &self.manifest.defaults {
            match self.manifest.producers.get(target) {
                Some(&producer) => default.push(producer),
                None if self.manifest.incomplete => {}
                None => {
                    let name = &self.manifest.paths[*target as usize];
                    let known = self.manifest.producers.keys();
                    let known = known.map(|&path| self.manifest.paths[path as usize].as_str());
                    let title = format!("nothing builds `{}`", name.escape_debug());
                    let near = nearest(name, known);
                    self.mistakes.push(Mistake::new(*spot, title).near(near));
                }
            }
        }
        Some(default)
    }

    fn cycles(&mut self) {
        let edges = self.manifest.edges.iter();
        let mut needs: Vec<Vec<usize>> = edges.map(|edge| self.needs(edge)).collect();
        for _ in 0..SHOWN {
            let Err(mut cycle) = topological(&needs) else {
                return;
            };
            cycle.reverse();
            let edge = &self.manifest.edges[cycle[0]];
            let needed = &self.manifest.edges[cycle[1]];
            let input = edge
                .inputs
                .iter()
                .find(|input| needed.outputs.contains(&input.path));
            let name = |place: &usize| {
                let output = self.manifest.edges[*place].outputs[0];
                format!("`{}`", self.manifest.paths[output as usize].escape_debug())
            };
            let mut path: Vec<String> = cycle.iter().take(100).map(name).collect();
            if cycle.len() > 100 {
                path.push(format!("... {} more", cycle.len() - 100));
            }
            let title = format!(
                "targets need each other in a cycle: {}",
                path.join(" needs ")
            );
            let spot = input.map_or(edge.spot, |input| input.spot);
            self.mistakes.push(Mistake::new(spot, title));
            needs[cycle[0]].retain(|&need| need != cycle[1]);
        }
    }
}

/// A path as a word of the shell; as Ninja does, in quotes only if it has to be.
fn as_word(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-./".contains(&byte);
    if path.bytes().all(plain) {
        path.to_owned()
    } else {
        quoted(path)
    }
}
