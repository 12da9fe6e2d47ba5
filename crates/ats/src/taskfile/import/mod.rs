//! Files of other programs, as tasks of ours.

pub(super) mod ninja;
pub(super) mod unit_graph;
pub(super) mod wfformat;
