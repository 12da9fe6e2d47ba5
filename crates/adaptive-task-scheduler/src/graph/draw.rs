//! Plans as pictures: DOT for Graphviz, and Mermaid.

use super::plan::{Plan, Planned};
use std::{collections::HashSet, fmt::Write};

impl Plan {
    /// The graph in the DOT language of Graphviz: groups as clusters, and the path that is
    /// expected to take longest drawn bold.
    pub fn to_dot(&self) -> String {
        let plan = &*self.0;
        let mut text = String::from("digraph {\n");
        let path = plan.critical_path();
        let critical: HashSet<u32> = path.iter().copied().collect();
        let steps: HashSet<(u32, u32)> = path.windows(2).map(|it| (it[0], it[1])).collect();
        for (at, (name, members)) in plan.groups.iter().enumerate() {
            let name = in_dot(&name.as_str());
            let _ = writeln!(
                text,
                "    subgraph cluster_{at} {{\n        label=\"{name}\";"
            );
            for node in members {
                let _ = writeln!(text, "        n{node};");
            }
            text += "    }\n";
        }
        for node in 0..plan.declared as u32 {
            let name = in_dot(&plan.name(node).as_str());
            let style = if critical.contains(&node) {
                ", style=bold"
            } else {
                ""
            };
            let _ = writeln!(text, "    n{node} [label=\"{name}\"{style}];");
        }
        for (before, after) in visible(plan) {
            let style = if steps.contains(&(before, after)) {
                " [style=bold]"
            } else {
                ""
            };
            let _ = writeln!(text, "    n{before} -> n{after}{style};");
        }
        text + "}\n"
    }

    /// The graph as a Mermaid flowchart: groups as subgraphs, and the path that is
    /// expected to take longest drawn with thick borders.
    pub fn to_mermaid(&self) -> String {
        let plan = &*self.0;
        let mut text = String::from("flowchart TD\n");
        for node in 0..plan.declared {
            let name = in_mermaid(&plan.names[node].as_str());
            let _ = writeln!(text, "    n{node}[\"{name}\"]");
        }
        for (at, (name, members)) in plan.groups.iter().enumerate() {
            let name = in_mermaid(&name.as_str());
            let _ = writeln!(text, "    subgraph g{at}[\"{name}\"]");
            for node in members {
                let _ = writeln!(text, "        n{node}");
            }
            text += "    end\n";
        }
        for (before, after) in visible(plan) {
            let _ = writeln!(text, "    n{before} --> n{after}");
        }
        for node in plan.critical_path() {
            let _ = writeln!(text, "    style n{node} stroke-width:4px");
        }
        text
    }
}

/// Edges between declared nodes. What runs after a group runs after all its members.
fn visible(plan: &Planned) -> impl Iterator<Item = (u32, u32)> {
    let is_declared = |node: u32| (node as usize) < plan.declared;
    let edges = plan
        .shape
        .edges()
        .filter(move |&(before, _)| is_declared(before));
    edges.flat_map(move |(before, after)| {
        let own = is_declared(after).then_some((before, after));
        let gathered = match own {
            None => plan.shape.successors(after),
            Some(_) => &[],
        };
        own.into_iter()
            .chain(gathered.iter().map(move |&waiter| (before, waiter)))
    })
}

fn in_dot(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        match letter {
            '\\' => text += "\\\\",
            '"' => text += "\\\"",
            '\n' => text += "\\n",
            _ => text.push(letter),
        }
    }
    text
}

fn in_mermaid(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        match letter {
            '#' | '"' | '<' | '>' | '&' | '\n' | '\r' => {
                let _ = write!(text, "#{};", u32::from(letter));
            }
            _ => text.push(letter),
        }
    }
    text
}
