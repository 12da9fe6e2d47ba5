//! What a run does when one of its nodes has failed.

/// What a run does when one of its nodes has failed. What runs after the failed node is not
/// run in any case, and nodes that are [run anyway](super::NodeBuilder::run_anyway) are.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnFailure {
    /// Goes on with all that does not run after the failed node.
    #[default]
    KeepGoing,
    /// Lets the nodes that are running end, and begins no more.
    Finish,
    /// Cancels the nodes that are running, and begins no more. A closure that is running
    /// is not interrupted; it can ask [`is_cancelled`](crate::is_cancelled).
    Stop,
}
