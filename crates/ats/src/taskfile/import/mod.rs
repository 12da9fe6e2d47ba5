//! Files of other programs, as tasks of ours.

pub(super) mod ninja;
