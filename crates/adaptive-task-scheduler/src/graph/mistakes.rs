//! What is wrong with a graph that was declared: all of it, at once.

use crate::task::id::TaskName;
use std::{error::Error, fmt};

/// Why a graph cannot be built: every mistake that was made in declaring it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphError {
    pub(super) mistakes: Vec<Mistake>,
}

impl GraphError {
    /// The mistakes by their kinds, and within one in the order of the nodes; a cycle comes
    /// last.
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }
}

/// One mistake in declaring a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mistake {
    /// Several nodes have this name.
    DoubledName(TaskName),
    /// A node is to run after one that does not exist.
    UnknownName {
        /// The node.
        node: TaskName,
        /// What it names.
        after: TaskName,
    },
    /// A node uses an output of another graph.
    ForeignOutput(TaskName),
    /// A node is in a group of another graph, or runs after one.
    ForeignGroup(TaskName),
    /// The reports are to have an output of another graph.
    ForeignResult,
    /// The reports are to have an output that another node takes by value.
    TakenResult {
        /// The node whose output it is.
        output: TaskName,
        /// The node that takes it.
        by: TaskName,
    },
    /// A node that is tried again takes an output by value, which is there only once.
    TakenAndRetried {
        /// The node whose output it is.
        output: TaskName,
        /// The node that takes it.
        by: TaskName,
    },
    /// A node that is run anyway needs an output, which may be missing.
    NeededAnyway {
        /// The node whose output it is.
        output: TaskName,
        /// The node that is run anyway.
        by: TaskName,
    },
    /// A node with a list of items has a time-out or is tried again.
    WatchedItems(TaskName),
    /// An output is taken by one node and used by another.
    TakenAndUsed {
        /// The node whose output it is.
        output: TaskName,
        /// The node that takes it.
        by: TaskName,
        /// The node that uses it as well.
        also: TaskName,
    },
    /// Nodes run after each other, in the order of running; the last is the first again.
    Cycle(Vec<TaskName>),
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mistake::DoubledName(name) => write!(f, "several nodes are called \"{name}\""),
            Mistake::UnknownName { node, after } => {
                write!(f, "\"{node}\" runs after \"{after}\", which does not exist")
            }
            Mistake::ForeignOutput(node) => {
                write!(f, "\"{node}\" uses an output of another graph")
            }
            Mistake::ForeignGroup(node) => {
                write!(f, "\"{node}\" names a group of another graph")
            }
            Mistake::ForeignResult => f.write_str("a result is an output of another graph"),
            Mistake::TakenResult { output, by } => write!(
                f,
                "the output of \"{output}\" is a result and is taken by \"{by}\"; \
                 give it by reference"
            ),
            Mistake::TakenAndRetried { output, by } => write!(
                f,
                "\"{by}\" is tried again and takes the output of \"{output}\", \
                 which is there only once; give it by reference"
            ),
            Mistake::NeededAnyway { output, by } => write!(
                f,
                "\"{by}\" is run anyway and needs the output of \"{output}\", \
                 which may be missing; use it with `maybe()`"
            ),
            Mistake::WatchedItems(node) => write!(
                f,
                "\"{node}\" has a list of items and a time-out or retries; \
                 give the items' own work those"
            ),
            Mistake::TakenAndUsed { output, by, also } => write!(
                f,
                "the output of \"{output}\" is taken by \"{by}\" and used by \"{also}\" too; \
                 give it to both by reference"
            ),
            Mistake::Cycle(path) => {
                f.write_str("nodes run after each other: ")?;
                for (at, name) in path.iter().enumerate() {
                    let arrow = if at == 0 { "" } else { " -> " };
                    write!(f, "{arrow}\"{name}\"")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, mistake) in self.mistakes.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}{mistake}")?;
        }
        Ok(())
    }
}

impl Error for GraphError {}
