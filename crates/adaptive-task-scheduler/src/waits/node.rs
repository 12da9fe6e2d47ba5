//! What a node of the wait graph is that is no task.

use std::fmt;

/// What stands in a chain of waits and is not a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum NodeKind {
    /// A group: whoever waits on it waits on its tasks.
    Group,
    /// A lock: whoever waits on it waits on its holders.
    Lock,
    /// A channel: whoever waits on it waits on who is to send or to receive.
    Channel,
}

impl NodeKind {
    pub(crate) const ALL: [Self; 3] = [Self::Group, Self::Lock, Self::Channel];
}

impl fmt::Display for NodeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NodeKind::Group => "a group",
            NodeKind::Lock => "a lock",
            NodeKind::Channel => "a channel",
        })
    }
}
