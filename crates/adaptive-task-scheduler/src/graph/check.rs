//! Checking a graph whole, and making a plan of it.

use super::{
    build::{Graph, Used},
    inputs::How,
    learned::{Learned, OWN},
    mistakes::{GraphError, Mistake},
    plan::{Plan, Planned},
    ranks::{Facts, Ranks, kind},
    shape::{Cycle, Shape},
    work::Work,
};
use crate::{
    primitives::Mutex,
    priority::Priority,
    task::id::{NameKey, TaskName},
};
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

/// That no node takes an output.
const NOBODY: u32 = u32::MAX;

impl Graph {
    /// Checks the graph, and makes a plan of it that can be run many times.
    ///
    /// # Errors
    ///
    /// All mistakes together: doubled and unknown names; outputs and groups of other
    /// graphs; outputs that are taken and used elsewhere, or cannot be there; and a cycle
    /// with its whole path.
    pub fn build(mut self) -> Result<Plan, GraphError> {
        self.forget_unfinished();
        let mut mistakes = Vec::new();
        self.check_names(&mut mistakes);
        self.check_uses(&mut mistakes);
        let mut edges = self.named_edges(&mut mistakes);
        let declared = self.names.len();
        self.gather_groups(&mut edges);
        let used = || self.own_uses().map(|it| (it.before, it.by));
        let all = || used().chain(edges.iter().copied());
        let shape = match Shape::of(self.names.len(), all) {
            Ok(shape) if mistakes.is_empty() => shape,
            Ok(_) => return Err(GraphError { mistakes }),
            Err(cycle) => {
                mistakes.push(Mistake::Cycle(self.names_on(&cycle)));
                return Err(GraphError { mistakes });
            }
        };
        Ok(self.plan(shape, declared))
    }

    fn plan(mut self, shape: Shape, declared: usize) -> Plan {
        let taken = self.uses.iter().filter(|it| it.how == How::Take);
        let taken: Vec<u32> = taken.map(|it| it.before).collect();
        self.places.set_taken(taken.into_iter());
        let needs = self.needs();
        let effective = shape.effective(&self.own);
        let special = self.special.iter();
        let deadlines = special.filter_map(|(&node, it)| Some((node, it.deadline?)));
        let deadlines: Vec<_> = deadlines.collect();
        let facts = Facts {
            effective: &effective,
            kinds: &self.kinds,
            deadlines: &deadlines,
        };
        let ranks = Ranks::new(&shape, facts);
        Plan(Arc::new(Planned {
            graph: self.id,
            declared,
            names: self.names,
            classes: self.classes,
            class_of: self.class_of,
            groups: self.groups,
            works: self.works,
            kinds: self.kinds,
            special: self.special,
            needs,
            effective,
            deadlines,
            shape,
            places: self.places,
            ranks: Mutex::new(Arc::new(ranks)),
            learned: Mutex::new(Learned::default()),
            memories: Mutex::new(Vec::new()),
        }))
    }

    fn needs(&self) -> Vec<(u32, u32)> {
        if self.special.values().all(|it| it.condition.is_none()) {
            return Vec::new();
        }
        let needed = self.uses.iter();
        let needed = needed.filter(|it| matches!(it.how, How::Read | How::Take));
        let mut needs: Vec<(u32, u32)> = needed.map(|it| (it.by, it.before)).collect();
        needs.sort_unstable();
        needs
    }

    fn name(&self, node: u32) -> TaskName {
        self.names[node as usize].clone()
    }

    /// The nodes on a cycle, without those that gather groups.
    fn names_on(&self, cycle: &Cycle) -> Vec<TaskName> {
        let is_visible = |&&node: &&u32| (node as usize) < self.is_named.len();
        let names = cycle.nodes().iter().filter(is_visible);
        let mut names: Vec<TaskName> = names.map(|&node| self.name(node)).collect();
        if names.len() > 1 && names.first() != names.last() {
            names.push(names[0].clone());
        }
        names
    }

    /// Sorted by a hash, so that names are compared only with their likes.
    fn check_names(&self, mistakes: &mut Vec<Mistake>) {
        let state = RandomState::new();
        let named = (0u32..).zip(&self.names).zip(&self.is_named);
        let named = named.filter(|&(_, is_named)| *is_named);
        let mut hashes: Vec<(u64, u32)> = named
            .map(|((node, name), _)| (state.hash_one(NameKey(name.clone())), node))
            .collect();
        hashes.sort_unstable();
        let mut doubled: Vec<(u32, TaskName)> = Vec::new();
        for (at, &(hash, node)) in hashes.iter().enumerate() {
            let name = &self.names[node as usize];
            let likes = hashes[at + 1..].iter().take_while(|other| other.0 == hash);
            for &(_, other) in likes {
                let is_new = doubled.iter().all(|(_, known)| known != name);
                if *name == self.names[other as usize] && is_new {
                    doubled.push((node, name.clone()));
                }
            }
        }
        doubled.sort_unstable_by_key(|&(node, _)| node);
        mistakes.extend(
            doubled
                .into_iter()
                .map(|(_, name)| Mistake::DoubledName(name)),
        );
    }

    fn check_uses(&self, mistakes: &mut Vec<Mistake>) {
        let foreign = self.uses.iter().filter(|it| it.is_foreign);
        mistakes.extend(foreign.map(|it| Mistake::ForeignOutput(self.name(it.by))));
        let foreign = self.foreign_groups.iter();
        mistakes.extend(foreign.map(|&node| Mistake::ForeignGroup(self.name(node))));
        self.check_taken(mistakes);
        self.check_special(mistakes);
    }

    fn own_uses(&self) -> impl Iterator<Item = &Used> {
        self.uses.iter().filter(|it| !it.is_foreign)
    }

    fn check_taken(&self, mistakes: &mut Vec<Mistake>) {
        let is_taken = |it: &&Used| it.how == How::Take;
        let foreign = self.results.iter().filter(|it| it.graph != self.id);
        mistakes.extend(foreign.map(|_| Mistake::ForeignResult));
        if !self.own_uses().any(|it| is_taken(&it)) {
            return;
        }
        let mut takers = vec![NOBODY; self.names.len()];
        for it in self.own_uses().filter(is_taken) {
            let taker = &mut takers[it.before as usize];
            if *taker == NOBODY {
                *taker = it.by;
            } else {
                mistakes.push(self.taken_and_used(it.before, *taker, it.by));
            }
        }
        for it in self.own_uses() {
            let taker = takers[it.before as usize];
            if taker != NOBODY && matches!(it.how, How::Read | How::Maybe) {
                mistakes.push(self.taken_and_used(it.before, taker, it.by));
            }
        }
        for it in self.results.iter().filter(|it| it.graph == self.id) {
            let taker = takers[it.node as usize];
            if taker != NOBODY {
                let (output, by) = (self.name(it.node), self.name(taker));
                mistakes.push(Mistake::TakenResult { output, by });
            }
        }
    }

    fn taken_and_used(&self, output: u32, by: u32, also: u32) -> Mistake {
        Mistake::TakenAndUsed {
            output: self.name(output),
            by: self.name(by),
            also: self.name(also),
        }
    }

    fn check_special(&self, mistakes: &mut Vec<Mistake>) {
        if self.special.is_empty() && self.kinds.iter().all(|kind| kind & kind::ANYWAY == 0) {
            return;
        }
        for it in self.own_uses() {
            let (output, by) = (it.before, it.by);
            let retries = self.special.get(&by).and_then(|it| it.retries);
            if it.how == How::Take && retries.is_some() {
                let (output, by) = (self.name(output), self.name(by));
                mistakes.push(Mistake::TakenAndRetried { output, by });
            }
            let is_anyway = self.kinds[by as usize] & kind::ANYWAY != 0;
            if is_anyway && matches!(it.how, How::Take | How::Read) {
                let (output, by) = (self.name(output), self.name(by));
                mistakes.push(Mistake::NeededAnyway { output, by });
            }
        }
        let mut watched: Vec<u32> = Vec::new();
        for (&node, special) in &self.special {
            if special.is_watched() && matches!(self.works[node as usize], Work::Expand(..)) {
                watched.push(node);
            }
        }
        watched.sort_unstable();
        let watched = watched.into_iter();
        mistakes.extend(watched.map(|node| Mistake::WatchedItems(self.name(node))));
    }

    /// What nodes run after by name.
    fn named_edges(&self, mistakes: &mut Vec<Mistake>) -> Vec<(u32, u32)> {
        let mut edges = Vec::with_capacity(self.after_names.len());
        if self.after_names.is_empty() {
            return edges;
        }
        let named = (0u32..).zip(&self.names).zip(&self.is_named);
        let names: HashMap<&TaskName, u32> = named
            .filter(|&(_, is_named)| *is_named)
            .map(|((node, name), _)| (name, node))
            .collect();
        for (by, after) in &self.after_names {
            match names.get(after) {
                Some(&before) => edges.push((before, *by)),
                None => mistakes.push(Mistake::UnknownName {
                    node: self.name(*by),
                    after: after.clone(),
                }),
            }
        }
        edges
    }

    /// Behind the declared nodes, one for each group that others run after.
    fn gather_groups(&mut self, edges: &mut Vec<(u32, u32)>) {
        let mut gathers: HashMap<u32, u32> = HashMap::new();
        for (group, by) in std::mem::take(&mut self.after_groups) {
            let next = self.names.len() as u32;
            let gather = *gathers.entry(group).or_insert(next);
            if gather == next {
                let (name, members) = &self.groups[group as usize];
                edges.extend(members.iter().map(|&member| (member, gather)));
                self.names.push(name.clone());
                self.works.push(Work::Nothing);
                self.kinds.push(kind::WORKER);
                self.own.push(Priority::Free);
                self.class_of.push(OWN);
                self.places.add::<()>();
            }
            edges.push((gather, by));
        }
    }
}
