//! From the text of Ninja files to a [`Manifest`]. A statement that is wrong is noted and left out.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::manifest::{Edge, Input, Kind, Manifest, Rule, Scope, Template, canonical};
use super::scan::{Line, Scan};
use crate::taskfile::load::included_text;
use crate::taskfile::mistakes::Mistake;
use crate::taskfile::sources::{Sources, Spot, Text};
use crate::text::nearest;

/// What a rule can say.
const RULE_KEYS: [&str; 13] = [
    "command",
    "depfile",
    "dyndep",
    "description",
    "deps",
    "generator",
    "pool",
    "restat",
    "rspfile",
    "rspfile_content",
    "msvc_deps_prefix",
    "in",
    "out",
];

/// No project nests files deeper, and none has more.
const NESTED: usize = 50;
const FILES: usize = 10_000;

/// Reads a file and those that it includes.
pub(super) fn parse(
    path: &Path,
    text: String,
    sources: &mut Sources,
    mistakes: &mut Vec<Mistake>,
) -> Manifest {
    let mut parsing = Parsing {
        directory: path.parent().unwrap_or(Path::new("")).to_owned(),
        sources,
        mistakes,
        manifest: Manifest::default(),
        open: Vec::new(),
    };
    parsing.manifest.scopes.push(Scope::default());
    parsing.manifest.pools.insert("console".into(), 1);
    parsing.file(path.to_owned(), text, 0);
    parsing.manifest
}

struct Parsing<'a> {
    /// From where Ninja would run: all paths are seen from here.
    directory: PathBuf,
    sources: &'a mut Sources,
    mistakes: &'a mut Vec<Mistake>,
    manifest: Manifest,
    /// The files that include the one that is being read, outermost first; real path and name.
    open: Vec<(PathBuf, String)>,
}

type Read<T> = Result<T, Mistake>;

impl Parsing<'_> {
    fn file(&mut self, path: PathBuf, text: String, scope: usize) {
        let real = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        self.open.push((real, crate::input::shown(&path)));
        let source = self.sources.add(path, text);
        let text = Arc::clone(&self.sources.get(source).text);
        let mut scan = Scan::new(source, &text);
        loop {
            let line = scan.next_line();
            if line == Line::End {
                break;
            }
            let read = match line {
                Line::Indented => {
                    scan.skip_spaces();
                    Err(Mistake::new(
                        scan.here(),
                        "this line is indented, but belongs to nothing",
                    ))
                }
                _ => self.statement(&mut scan, scope),
            };
            if let Err(mistake) = read {
                self.mistakes.push(mistake);
                self.manifest.incomplete = true;
                scan.skip_statement();
            }
        }
        self.open.pop();
    }

    fn statement(&mut self, scan: &mut Scan<'_>, scope: usize) -> Read<()> {
        let start = scan.at();
        let (word, spot) = scan.word("a statement: `rule`, `build`, `default` or a variable")?;
        match word {
            "rule" => self.rule(scan, scope),
            "build" => self.build(scan, scope, start),
            "default" => self.default(scan, scope),
            "pool" => self.pool(scan, scope),
            "include" => self.include(scan, scope, scope),
            "subninja" => {
                self.manifest.scopes.push(Scope {
                    parent: Some(scope),
                    ..Scope::default()
                });
                let inner = self.manifest.scopes.len() - 1;
                self.include(scan, scope, inner)
            }
            name => {
                if !scan.take("=") {
                    let keywords = ["rule", "build", "default", "pool", "include", "subninja"];
                    let mistake = Mistake::new(spot, format!("`{name}` is no statement"));
                    return Err(match nearest(name, keywords) {
                        Some(near) => mistake.near(Some(near)),
                        None => mistake.help(format!("to set a variable, write `{name} = ...`")),
                    });
                }
                let value = scan.value()?;
                let value = self.manifest.evaluate(&value, scope, &HashMap::new());
                let variables = &mut self.manifest.scopes[scope].variables;
                variables.insert(name.to_owned(), value);
                Ok(())
            }
        }
    }

    /// The indented lines of a statement.
    fn bindings(&mut self, scan: &mut Scan<'_>) -> Vec<(Text, Template)> {
        let mut bindings = Vec::new();
        while scan.continues() {
            scan.skip_spaces();
            match binding(scan) {
                Ok(binding) => bindings.push(binding),
                Err(mistake) => {
                    self.mistakes.push(mistake);
                    self.manifest.incomplete = true;
                    scan.skip_line();
                }
            }
        }
        bindings
    }

    fn rule(&mut self, scan: &mut Scan<'_>, scope: usize) -> Read<()> {
        let (name, spot) = scan.word("the name of the rule")?;
        scan.end_of_line()?;
        let mut bindings = HashMap::new();
        for (key, value) in self.bindings(scan) {
            if RULE_KEYS.contains(&key.text.as_str()) {
                bindings.insert(key.text, value);
            } else {
                let title = format!("a rule has no `{}`", key.text);
                let mistake = Mistake::new(key.spot, title);
                self.mistakes
                    .push(mistake.near(nearest(&key.text, RULE_KEYS)));
            }
        }
        if name == "phony" || self.manifest.scopes[scope].rules.contains_key(name) {
            return self.note(Mistake::new(
                spot,
                format!("there is a rule `{name}` already"),
            ));
        }
        if !bindings.contains_key("command") {
            self.mistakes.push(Mistake::new(
                spot,
                format!("the rule `{name}` has no `command`"),
            ));
        }
        let place = self.manifest.rules.len();
        let rules = &mut self.manifest.scopes[scope].rules;
        rules.insert(name.to_owned(), place);
        let name = Text {
            text: name.to_owned(),
            spot,
        };
        self.manifest.rules.push(Rule { name, bindings });
        Ok(())
    }

    /// Notes a mistake of a statement that has been read to its end.
    fn note(&mut self, mistake: Mistake) -> Read<()> {
        self.mistakes.push(mistake);
        Ok(())
    }

    fn build(&mut self, scan: &mut Scan<'_>, scope: usize, start: usize) -> Read<()> {
        let outputs = paths(scan)?;
        let mut implicit = Vec::new();
        if scan.take("|") {
            implicit = paths(scan)?;
        }
        let spot = scan.spot(start, scan.at());
        if !scan.take(":") {
            return Err(scan.expected("`:` behind the outputs"));
        }
        if outputs.is_empty() && implicit.is_empty() {
            return Err(Mistake::new(spot, "this builds nothing").help("name an output before `:`"));
        }
        let (rule, rule_spot) = scan.word("the name of a rule")?;
        let explicit = paths(scan)?;
        let mut inputs: Vec<(Kind, Vec<Template>)> = vec![(Kind::Explicit, explicit)];
        if !scan.starts_with("||") && !scan.starts_with("|@") && scan.take("|") {
            inputs.push((Kind::Implicit, paths(scan)?));
        }
        if !scan.starts_with("|@") && scan.take("||") {
            inputs.push((Kind::OrderOnly, paths(scan)?));
        }
        if scan.starts_with("|@") {
            let title = "validations (`|@`) are not supported";
            let help = "take them out, or name what they validate as an input of its own target";
            return Err(Mistake::new(scan.here(), title).help(help));
        }
        scan.end_of_line()?;
        let mut bindings = HashMap::new();
        for (key, value) in self.bindings(scan) {
            let value = self.manifest.evaluate(&value, scope, &HashMap::new());
            bindings.insert(key.text, value);
        }
        let rule = match (rule, self.manifest.rule(scope, rule)) {
            ("phony", _) => None,
            (_, Some(known)) => Some(known),
            (name, None) => {
                let title = format!("there is no rule `{name}`");
                let near = nearest(name, self.manifest.rule_names(scope));
                let mistake = Mistake::new(rule_spot, title).near(near);
                return self.note(mistake);
            }
        };
        let explicit_outputs = outputs.len();
        let outputs = self.numbered([outputs, implicit].concat(), scope, &bindings, spot);
        let mut edge = Edge {
            spot,
            rule,
            scope,
            explicit_outputs,
            outputs: outputs.into_iter().map(|(path, _)| path).collect(),
            inputs: Vec::new(),
            bindings,
        };
        for (kind, templates) in inputs {
            let numbered = self.numbered(templates, scope, &edge.bindings, spot);
            let inputs = numbered.into_iter();
            edge.inputs
                .extend(inputs.map(|(path, spot)| Input { path, spot, kind }));
        }
        // An output without a name has been complained about.
        if !edge.outputs.is_empty() {
            edge.explicit_outputs = edge.explicit_outputs.min(edge.outputs.len());
            self.add(edge);
        }
        Ok(())
    }

    fn add(&mut self, edge: Edge) {
        for &output in &edge.outputs {
            let place = self.manifest.edges.len();
            if let Some(first) = self.manifest.producers.insert(output, place) {
                let first = self
                    .manifest
                    .edges
                    .get(first)
                    .map_or(edge.spot, |edge| edge.spot);
                let first = self.sources.place(first);
                let path = &self.manifest.paths[output as usize];
                let title = format!("`{}` is built twice", path.escape_debug());
                let file = crate::input::shown(&first.file);
                let help = format!("it is built in {file}, line {}, too", first.line);
                self.mistakes
                    .push(Mistake::new(edge.spot, title).help(help));
            }
        }
        self.manifest.edges.push(edge);
    }

    fn numbered(
        &mut self,
        templates: Vec<Template>,
        scope: usize,
        bindings: &HashMap<String, String>,
        around: Spot,
    ) -> Vec<(u32, Spot)> {
        let mut numbered = Vec::with_capacity(templates.len());
        for template in templates {
            let spot = template.spot.unwrap_or(around);
            let path = self.manifest.evaluate(&template, scope, bindings);
            if path.is_empty() {
                let title = "this path is empty once its variables are filled in";
                self.mistakes.push(Mistake::new(spot, title));
            } else {
                numbered.push((self.manifest.path(&canonical(&path)), spot));
            }
        }
        numbered
    }

    fn default(&mut self, scan: &mut Scan<'_>, scope: usize) -> Read<()> {
        let targets = paths(scan)?;
        if targets.is_empty() {
            return Err(scan.expected("the names of targets"));
        }
        scan.end_of_line()?;
        let around = scan.here();
        let targets = self.numbered(targets, scope, &HashMap::new(), around);
        self.manifest.defaults.extend(targets);
        Ok(())
    }

    fn pool(&mut self, scan: &mut Scan<'_>, scope: usize) -> Read<()> {
        let (name, spot) = scan.word("the name of the pool")?;
        scan.end_of_line()?;
        let mut depth = None;
        for (key, value) in self.bindings(scan) {
            let value_text = self.manifest.evaluate(&value, scope, &HashMap::new());
            if key.text != "depth" {
                let title = format!("a pool has no `{}`, only `depth`", key.text);
                self.mistakes.push(Mistake::new(key.spot, title));
                continue;
            }
            match value_text.trim().parse::<i64>() {
                Ok(number) if number >= 0 => depth = Some(number),
                _ => {
                    let spot = value.spot.unwrap_or(key.spot);
                    let title = "`depth` must be a whole number, 0 for as many as there are";
                    return self.note(Mistake::new(spot, title));
                }
            }
        }
        let Some(depth) = depth else {
            return self.note(Mistake::new(
                spot,
                format!("the pool `{name}` has no `depth`"),
            ));
        };
        if self.manifest.pools.insert(name.to_owned(), depth).is_some() {
            return self.note(Mistake::new(
                spot,
                format!("there is a pool `{name}` already"),
            ));
        }
        Ok(())
    }

    fn include(&mut self, scan: &mut Scan<'_>, outer: usize, scope: usize) -> Read<()> {
        let template = scan.path()?;
        let spot = template.spot.unwrap_or(scan.here());
        if template.parts.is_empty() {
            return Err(scan.expected("the path of a file"));
        }
        scan.end_of_line()?;
        let named = self.manifest.evaluate(&template, outer, &HashMap::new());
        let path = self.directory.join(&named);
        let real = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        if let Some(place) = self.open.iter().position(|(open, _)| *open == real) {
            let mut names: Vec<String> = self.open[place..]
                .iter()
                .map(|(_, name)| format!("`{name}`"))
                .collect();
            names.push(names[0].clone());
            let path = names.join(" includes ");
            let title = format!("files include each other in a cycle: {path}");
            return self.note(Mistake::new(spot, title));
        }
        if self.open.len() >= NESTED || self.sources.len() >= FILES {
            let title = format!("files are included more than {NESTED} deep, or more than {FILES}");
            return self.note(Mistake::new(spot, title));
        }
        match included_text(&path) {
            Ok(text) => self.file(path, text, scope),
            Err(problem) => {
                self.manifest.incomplete = true;
                let title = format!("`{}` cannot be included: {}", problem.file, problem.what);
                self.mistakes
                    .push(Mistake::new(spot, title).help(problem.remedy));
            }
        }
        Ok(())
    }
}

fn binding(scan: &mut Scan<'_>) -> Read<(Text, Template)> {
    let (key, spot) = scan.word("the name of a variable")?;
    if !scan.take("=") {
        return Err(scan.expected("`=`"));
    }
    let key = Text {
        text: key.to_owned(),
        spot,
    };
    Ok((key, scan.value()?))
}

fn paths(scan: &mut Scan<'_>) -> Read<Vec<Template>> {
    let mut paths = Vec::new();
    loop {
        let path = scan.path()?;
        if path.parts.is_empty() {
            return Ok(paths);
        }
        paths.push(path);
    }
}
