//! Files of tasks: from what stands in them to what a run has to know.
//!
//! [`parse`] reads a file into the [`model`], or lists every one of its [`mistakes`].

#[cfg(test)]
mod bad_files;
pub mod mistakes;
pub mod model;
pub mod parse;
mod values;
