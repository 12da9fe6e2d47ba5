//! The statements of a Ninja file.

use std::collections::HashMap;

use crate::taskfile::sources::{Spot, Text};

/// A text with variables in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Template {
    pub(super) parts: Vec<Part>,
    pub(super) spot: Option<Spot>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Part {
    Plain(String),
    Variable(String),
}

/// How a command is made.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: Text,
    pub(super) bindings: HashMap<String, Template>,
}

/// Where variables and rules are known.
#[derive(Debug, Default)]
pub(super) struct Scope {
    pub(super) parent: Option<usize>,
    pub(super) variables: HashMap<String, String>,
    pub(super) rules: HashMap<String, usize>,
}

/// A build statement.
#[derive(Debug)]
pub(super) struct Edge {
    pub(super) spot: Spot,
    /// `None` is `phony`.
    pub(super) rule: Option<usize>,
    pub(super) scope: usize,
    pub(super) bindings: HashMap<String, String>,
    /// Numbers in [`Manifest::paths`]; those before `explicit_outputs` were not behind a `|`.
    pub(super) outputs: Vec<u32>,
    pub(super) explicit_outputs: usize,
    pub(super) inputs: Vec<Input>,
}

/// Something that a build statement needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input {
    pub(super) path: u32,
    pub(super) spot: Spot,
    pub(super) kind: Kind,
}

/// Where among the inputs it stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Explicit,
    /// Behind `|`: not in `$in`.
    Implicit,
    /// Behind `||`: only has to be there before.
    OrderOnly,
}

/// All that a file and those that it includes say.
#[derive(Debug, Default)]
pub(super) struct Manifest {
    pub(super) paths: Vec<String>,
    by_path: HashMap<String, u32>,
    pub(super) rules: Vec<Rule>,
    /// The first is the outermost file's.
    pub(super) scopes: Vec<Scope>,
    pub(super) edges: Vec<Edge>,
    /// For each path the build statement that makes it.
    pub(super) producers: HashMap<u32, usize>,
    pub(super) defaults: Vec<(u32, Spot)>,
    pub(super) pools: HashMap<String, i64>,
    /// Some of it could not be read.
    pub(super) incomplete: bool,
}

impl Manifest {
    pub(super) fn path(&mut self, path: &str) -> u32 {
        if let Some(&known) = self.by_path.get(path) {
            return known;
        }
        let number = self.paths.len() as u32;
        self.paths.push(path.to_owned());
        self.by_path.insert(path.to_owned(), number);
        number
    }

    /// A variable of a file: its own, or of the file that has included it with `subninja`.
    pub(super) fn variable(&self, scope: usize, name: &str) -> Option<&str> {
        let mut next = Some(scope);
        while let Some(scope) = next {
            let scope = &self.scopes[scope];
            if let Some(value) = scope.variables.get(name) {
                return Some(value);
            }
            next = scope.parent;
        }
        None
    }

    pub(super) fn rule(&self, scope: usize, name: &str) -> Option<usize> {
        let mut next = Some(scope);
        while let Some(scope) = next {
            let scope = &self.scopes[scope];
            if let Some(&rule) = scope.rules.get(name) {
                return Some(rule);
            }
            next = scope.parent;
        }
        None
    }

    /// The names of all rules that are known in a scope.
    pub(super) fn rule_names(&self, scope: usize) -> Vec<&str> {
        let mut names = vec!["phony"];
        let mut next = Some(scope);
        while let Some(scope) = next {
            names.extend(self.scopes[scope].rules.keys().map(String::as_str));
            next = self.scopes[scope].parent;
        }
        names
    }

    /// The text with the variables of a build statement and of its file.
    pub(super) fn evaluate(
        &self,
        template: &Template,
        scope: usize,
        bindings: &HashMap<String, String>,
    ) -> String {
        let mut out = String::new();
        for part in &template.parts {
            match part {
                Part::Plain(plain) => out.push_str(plain),
                Part::Variable(name) => {
                    let own = bindings.get(name).map(String::as_str);
                    out.push_str(own.or_else(|| self.variable(scope, name)).unwrap_or(""));
                }
            }
        }
        out
    }
}

/// A path without detours, as Ninja compares them.
pub(super) fn canonical(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if path.starts_with('/') && parts.is_empty() => {}
            part => parts.push(part),
        }
    }
    let relative = parts.join("/");
    match (path.starts_with('/'), relative.is_empty()) {
        (true, _) => format!("/{relative}"),
        (false, true) => ".".to_owned(),
        (false, false) => relative,
    }
}
