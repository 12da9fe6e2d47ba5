//! The program `ats`, as a library so that its parts can be tested one by one.
//!
//! Read the modules in this order: [`cli`] says what can be asked for, [`exit`] how it ends,
//! [`help`] what is told about it beforehand; [`demo`], [`replay`] and [`runner`] are the three
//! commands, each a folder whose `mod.rs` is its table of contents; [`taskfile`] reads what is to be
//! run, [`dispatch`] decides when; [`graph`], [`input`], [`terminal`] and [`text`] are what they
//! share.

#![forbid(unsafe_code)]

pub mod cli;
pub mod exit;
pub mod help;

pub mod demo;
pub mod plan;
pub mod replay;
pub mod runner;
pub mod schema;
pub mod taskfile;
pub mod views;

pub mod cache;
pub mod dispatch;
pub mod graph;
pub mod input;
pub mod terminal;
pub mod text;
