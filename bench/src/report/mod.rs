//! What came out, for people as tables and for programs as lines of JSON. The
//! results go to standard output, everything else to standard error.

mod json;
mod quantity;
mod table;
mod verdict;

use crate::{harness::Measured, plan::Group};

/// Prints all that was measured of a group.
pub(crate) fn print(group: &Group, mut measured: Vec<Measured>, as_json: bool) {
    let summary = (group.summary)(&measured);
    measured.extend(summary);
    if as_json {
        for line in json::lines(group.letter, &measured) {
            println!("{line}");
        }
    } else {
        println!("\n{}. {}\n", group.letter, group.title);
        for line in table::headlines(&measured) {
            println!("{line}");
        }
        for line in table::details(&measured) {
            println!("{line}");
        }
        for note in (group.notes)() {
            println!("Note: {note}");
        }
    }
    for failed in &measured {
        for failure in &failed.failures {
            eprintln!(
                "FAILED: {} {} on {}, run {}: {}",
                group.letter,
                failed.row.name,
                failure.engine,
                failure.run + 1,
                failure.reason
            );
        }
    }
}
