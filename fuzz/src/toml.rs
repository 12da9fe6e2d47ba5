//! Fuzzes the reader of files of tasks in TOML: what is taken can be planned and drawn, what is refused says why.

#![no_main]

use ats::taskfile::format::Format;
use ats::taskfile::probe::probe;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| probe(Format::Toml, data));
