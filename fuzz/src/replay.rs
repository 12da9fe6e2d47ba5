//! Fuzzes the readers of `ats replay`, of WfFormat files and traces of our own: what is taken runs to
//! its end under every policy.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| ats::replay::probe::probe(data));
