//! Ready tasks in their order: rings close to the carriers, an injector for
//! each level, and the rule that picks the next.

pub(crate) mod injector;
pub(crate) mod ready;
pub(crate) mod ring;
