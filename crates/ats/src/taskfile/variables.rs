//! Who can name which variable, and what they are worth.
//!
//! The variables of a file are seen by its own tasks and by those of the files that it includes;
//! the nearest declaration wins. A file that is included without a namespace shares the includer's
//! scope. A value given as an argument takes the place of the declared one, and is data: braces in
//! it mean nothing.

use std::collections::HashMap;

use super::fill::{Filler, Known};
use super::mistakes::Mistake;
use super::sources::{Sources, Text};
use super::template::{Piece, pieces};
use crate::graph::topological;
use crate::text::{nearest, printable};

/// A scope's place among all.
pub(super) type ScopeId = usize;

#[derive(Debug)]
struct Scope {
    /// What stands in front of names: empty, or `namespace:`.
    prefix: String,
    parent: Option<ScopeId>,
    variables: HashMap<String, usize>,
}

#[derive(Debug)]
struct Variable {
    scope: ScopeId,
    name: Text,
    declared: Text,
    given: Option<String>,
    value: String,
}

/// All scopes; those that include come before those that are included.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    scopes: Vec<Scope>,
    variables: Vec<Variable>,
}

impl Scopes {
    /// The scope of this prefix, which is made if need be.
    pub(super) fn scope(&mut self, prefix: &str, parent: Option<ScopeId>) -> ScopeId {
        let known = self.scopes.iter().position(|scope| scope.prefix == prefix);
        known.unwrap_or_else(|| {
            self.scopes.push(Scope {
                prefix: prefix.to_owned(),
                parent,
                variables: HashMap::new(),
            });
            self.scopes.len() - 1
        })
    }

    pub(super) fn prefix(&self, scope: ScopeId) -> &str {
        &self.scopes[scope].prefix
    }

    /// Adds a variable; one that is known already is a mistake.
    pub(super) fn declare(
        &mut self,
        scope: ScopeId,
        name: Text,
        value: Text,
    ) -> Result<(), Mistake> {
        let variables = &mut self.scopes[scope].variables;
        if variables.contains_key(&name.text) {
            let title = format!("the variable `{}` is declared twice", name.text);
            let help = "files that are included without a namespace share their variables";
            return Err(Mistake::new(name.spot, title).help(help));
        }
        variables.insert(name.text.clone(), self.variables.len());
        self.variables.push(Variable {
            scope,
            name,
            declared: value,
            given: None,
            value: String::new(),
        });
        Ok(())
    }

    fn find(&self, scope: ScopeId, name: &str) -> Option<usize> {
        let mut next = Some(scope);
        while let Some(scope) = next {
            let scope = &self.scopes[scope];
            if let Some(&variable) = scope.variables.get(name) {
                return Some(variable);
            }
            next = scope.parent;
        }
        None
    }

    pub(super) fn value(&self, scope: ScopeId, name: &str) -> Option<&str> {
        let variable = self.find(scope, name)?;
        Some(&self.variables[variable].value)
    }

    /// What can be named in a scope, in the order of declaration.
    pub(super) fn names(&self, scope: ScopeId) -> impl Iterator<Item = &str> {
        self.variables
            .iter()
            .enumerate()
            .filter(move |(place, variable)| self.find(scope, &variable.name.text) == Some(*place))
            .map(|(_, variable)| variable.name.text.as_str())
    }

    /// Takes in `--name value` and `--name=value`.
    ///
    /// Returns a text for everything that is wrong with them.
    pub(super) fn give(&mut self, arguments: &[String]) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            if let Err(why) = self.give_one(argument, &mut rest) {
                wrong.push(why);
            }
        }
        wrong
    }

    fn give_one(
        &mut self,
        argument: &str,
        rest: &mut std::slice::Iter<'_, String>,
    ) -> Result<(), String> {
        let Some(given) = argument.strip_prefix("--").filter(|name| !name.is_empty()) else {
            return Err(format!(
                "`{}` is not of the form `--name value`\n  help: {}",
                printable(argument),
                self.what_can_be_given(),
            ));
        };
        let (name, attached) = match given.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (given, None),
        };
        let variable = self.variable(name);
        let value = match attached {
            Some(value) => value,
            None => match rest.as_slice().first() {
                Some(value) if !value.starts_with("--") => {
                    rest.next();
                    value
                }
                _ => "",
            },
        };
        let variable = variable?;
        if attached.is_none() && value.is_empty() {
            return Err(format!(
                "`--{}` has no value\n  help: write `--{0} VALUE`, or `--{0}=VALUE` for one that begins with `--` or is empty",
                printable(name),
            ));
        }
        if value.contains('\0') {
            return Err(format!(
                "the value of `--{}` has a NUL in it",
                printable(name)
            ));
        }
        self.variables[variable].given = Some(value.to_owned());
        Ok(())
    }

    fn full_name(&self, variable: &Variable) -> String {
        format!(
            "{}{}",
            self.scopes[variable.scope].prefix, variable.name.text
        )
    }

    fn variable(&self, name: &str) -> Result<usize, String> {
        let mut variables = self.variables.iter();
        let found = variables.position(|variable| self.full_name(variable) == name);
        found.ok_or_else(|| {
            let names: Vec<String> = self.variables.iter().map(|v| self.full_name(v)).collect();
            let hint = match nearest(name, names.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `--{}`?", printable(near)),
                None => self.what_can_be_given(),
            };
            let name = printable(name);
            format!("there is no variable `{name}`\n  help: {hint}")
        })
    }

    fn what_can_be_given(&self) -> String {
        let names: Vec<String> = self
            .variables
            .iter()
            .map(|variable| format!("--{}", printable(&self.full_name(variable))))
            .collect();
        if names.is_empty() {
            return "the file has no `vars` that could be given".to_owned();
        }
        format!("what can be given is {}", names.join(", "))
    }

    /// Finds out all values. Variables may be made of others, but not of themselves.
    pub(super) fn evaluate(&mut self, sources: &Sources, mistakes: &mut Vec<Mistake>) {
        let order = match topological(&self.uses()) {
            Ok(order) => order,
            Err(cycle) => {
                mistakes.push(self.cyclic(&cycle));
                return;
            }
        };
        for place in order {
            let variable = &self.variables[place];
            let value = match &variable.given {
                Some(given) => given.clone(),
                None => {
                    let known = Known {
                        scopes: self,
                        scope: variable.scope,
                        matrix: &[],
                    };
                    Filler { sources, mistakes }.data(variable.declared.clone(), known)
                }
            };
            self.variables[place].value = value;
        }
    }

    /// Which variables each one is made of.
    fn uses(&self) -> Vec<Vec<usize>> {
        let uses = |variable: &Variable| {
            if variable.given.is_some() {
                return Vec::new();
            }
            let named = pieces(&variable.declared.text).filter_map(|piece| match piece {
                Piece::Variable { name, .. } => self.find(variable.scope, name),
                _ => None,
            });
            named.collect()
        };
        self.variables.iter().map(uses).collect()
    }

    fn cyclic(&self, cycle: &[usize]) -> Mistake {
        let mut path: Vec<String> = cycle
            .iter()
            .map(|&place| format!("`{}`", self.full_name(&self.variables[place])))
            .collect();
        path.reverse();
        let title = format!(
            "variables are made of each other in a cycle: {}",
            path.join(" of ")
        );
        Mistake::new(self.variables[cycle[cycle.len() - 1]].declared.spot, title)
    }
}
