//! Rules about Rust sources that neither rustc nor clippy knows.

use super::Finding;
use super::code::has_word;
use super::tree::{File, Tree};

/// Longer than this, and a file answers two questions.
const MOST_LINES: usize = 600;

/// How the header of a file of decisions announces itself.
const PURE: &str = "//! Pure:";

/// What a decision may not name: it gets data and `now` as arguments.
const IMPURE: [&str; 4] = ["tokio", "std::thread", "Instant::now", "SystemTime"];

/// Code that is not there yet, or was only there to look at something.
const UNFINISHED: [&str; 3] = ["todo!(", "unimplemented!(", "dbg!("];

/// Remarks that something is not done. In two halves, so that this file passes.
const REMARKS: [&str; 2] = [concat!("FIX", "ME"), concat!("XX", "X")];

pub(super) fn length(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let lines = file.text.lines().count();
        if lines > MOST_LINES {
            let message = format!("{lines} lines; split it by role, the limit is {MOST_LINES}");
            findings.push(Finding::new(&file.path, 0, message));
        }
    }
    findings
}

pub(super) fn unfinished(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        for ((number, line), code) in file.lines().zip(file.code()) {
            let calls = UNFINISHED.into_iter().filter(|call| has_word(&code, call));
            let remarks = REMARKS.into_iter().filter(|remark| has_word(line, remark));
            for what in calls.chain(remarks) {
                findings.push(Finding::new(
                    &file.path,
                    number,
                    format!("unfinished: `{what}`"),
                ));
            }
        }
    }
    findings
}

/// Files marked as pure name neither Tokio, nor a thread, nor a clock. Their
/// tests may: an `Instant` can be had from the clock alone.
pub(super) fn pure(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust().filter(|file| is_pure(file)) {
        let decisions = file
            .lines()
            .take_while(|(_, line)| line.trim() != "#[cfg(test)]");
        for ((number, _), code) in decisions.zip(file.code()) {
            for name in IMPURE.into_iter().filter(|name| has_word(&code, name)) {
                let message = format!("is marked as pure and names `{name}`");
                findings.push(Finding::new(&file.path, number, message));
            }
        }
    }
    findings
}

fn is_pure(file: &File) -> bool {
    let header = file
        .text
        .lines()
        .take_while(|line| line.starts_with("//!") || line.is_empty());
    header.into_iter().any(|line| line.starts_with(PURE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: fn(&Tree) -> Vec<Finding>, text: &str, lines: &[usize]) {
        let tree = Tree::of(&[("src/sample.rs", text)]);
        let found: Vec<usize> = rule(&tree).iter().map(|finding| finding.line).collect();
        assert_eq!(found, lines, "{text}");
    }

    #[test]
    fn a_file_over_the_limit_is_found() {
        check(length, &"\n".repeat(MOST_LINES), &[]);
        check(length, &"\n".repeat(MOST_LINES + 1), &[0]);
    }

    #[test]
    fn unfinished_code_is_found() {
        check(unfinished, "fn a() {\n    todo!(\"later\")\n}\n", &[2]);
        check(unfinished, "fn a() { unimplemented!() }\n", &[1]);
        check(unfinished, "let b = dbg!(a);\n", &[1]);
        check(unfinished, concat!("// FIX", "ME: wrong for zero\n"), &[1]);
        check(unfinished, concat!("// XX", "X\n"), &[1]);
    }

    #[test]
    fn talk_about_unfinished_code_is_not() {
        check(
            unfinished,
            "let call = \"todo!(\"; // no todo!( here\n",
            &[],
        );
        check(unfinished, "my_todo!();\n", &[]);
    }

    #[test]
    fn a_pure_file_that_reads_the_clock_is_found() {
        let header = "//! Pure: decides.\n\n";
        check(pure, &format!("{header}let now = Instant::now();\n"), &[3]);
        check(pure, &format!("{header}use tokio::sync::mpsc;\n"), &[3]);
        check(pure, &format!("{header}std::thread::yield_now();\n"), &[3]);
        check(pure, &format!("{header}fn at(t: SystemTime) {{}}\n"), &[3]);
    }

    #[test]
    fn remarks_and_tests_of_a_pure_file_may_name_what_they_like() {
        check(pure, "//! Pure: decides.\n// as tokio does\n", &[]);
        check(
            pure,
            "//! Pure: decides.\n#[cfg(test)]\nmod tests { Instant::now(); }\n",
            &[],
        );
    }

    #[test]
    fn other_files_may_read_the_clock() {
        check(
            pure,
            "//! Threads.\nuse std::thread;\nlet a = Instant::now();\n",
            &[],
        );
    }
}
