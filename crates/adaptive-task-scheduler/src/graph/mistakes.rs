//! What is wrong with a graph that was declared: all of it, at once.

use crate::task::id::TaskName;
use std::{error::Error, fmt};

/// Why a graph cannot be built: every mistake that was made in declaring it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphError {
    pub(super) mistakes: Vec<Mistake>,
}

impl GraphError {
    /// The mistakes, in the order of the nodes; cycles come last.
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
