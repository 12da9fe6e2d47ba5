//! Pure: whatever a file contains, it is either refused in words that help and harm nobody, or it
//! is a workflow that every policy brings to its end. For fuzzing and for tests.

use std::path::Path;

use super::check::check;
use super::lab::case::Case;
use super::lab::knowledge::Knowledge;
use super::lab::learner::Learner;
use super::lab::machine::Machine;
use super::lab::policy::{Policy, Ranking};
use super::wfformat;
use super::workflow::Workflow;
use crate::input::Problem;

/// Larger ones take long and show nothing new.
const MOST_TASKS: usize = 200;

/// Reads the content of a file, and tries it out if it is right.
///
/// # Panics
///
/// If something does not hold that must.
pub fn probe(content: &[u8]) {
    let path = Path::new("probe.json");
    let read = wfformat::read_bytes(path, content);
    match read.and_then(|document| check(path, document)) {
        Ok(workflow) => taken(&workflow),
        Err(problems) => refused(&problems),
    }
}

fn refused(problems: &[Problem]) {
    assert!(!problems.is_empty(), "refused without a reason");
    for problem in problems {
        let said = problem.to_string();
        let harmless = said.chars().all(|c| c == '\n' || !c.is_control());
        assert!(harmless, "{said:?} could steer a terminal");
    }
}

fn taken(workflow: &Workflow) {
    assert!(!workflow.tasks.is_empty(), "there is nothing to run");
    for (place, task) in workflow.tasks.iter().enumerate() {
        let is_before = |&parent: &usize| parent < place;
        assert!(
            task.parents.iter().all(is_before),
            "{place} comes too early"
        );
    }
    if workflow.tasks.len() > MOST_TASKS {
        return;
    }
    let case = Case::new(workflow, &[]);
    let longest = case.bounds(2).critical_path;
    for policy in Policy::ALL {
        let learner = || Box::new(Learner::new(&case.plan, Knowledge::default()));
        let ranking = Ranking::fixed(policy, &case).unwrap_or_else(|| Ranking::Learning(learner()));
        let machine = Machine {
            cores: 2,
            preempt: true,
        };
        let schedule = machine.run(&case, ranking);
        assert_eq!(schedule.order.len(), workflow.tasks.len(), "all begin");
        assert!(schedule.makespan >= longest, "faster than possible");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRACE: &[u8] = include_bytes!("../../tests/traces/build.json");
    const WORKFLOW: &[u8] = br#"{"schemaVersion": "1.5", "workflow": {"specification": {"tasks":
        [{"id": "a", "children": ["b"], "inputFiles": ["f"]}, {"id": "b", "parents": ["a"]}],
        "files": [{"id": "f", "sizeInBytes": 7}]}, "execution": {"makespanInSeconds": 3, "tasks":
        [{"id": "a", "runtimeInSeconds": 1.5, "avgCPU": 50}, {"id": "b", "runtimeInSeconds": 1}]}}}"#;

    #[test]
    fn good_files_are_tried_out() {
        for content in [TRACE, WORKFLOW] {
            let document = wfformat::read_bytes(Path::new("x"), content).unwrap();
            assert!(check(Path::new("x"), document).is_ok());
            probe(content);
        }
    }

    /// What stands in the place of a piece of a good file.
    fn piece() -> impl Strategy<Value = Vec<u8>> {
        let words: [&[u8]; 12] = [
            b"",
            b"0",
            b"-1",
            b"1e300",
            b"18446744073709551615",
            b"null",
            b"\"a\"",
            b"[]",
            b"[0]",
            b"{}",
            b"\"\\u001b\"",
            b"\"never\"",
        ];
        prop_oneof![
            prop::sample::select(words.map(<[u8]>::to_vec).to_vec()),
            prop::collection::vec(any::<u8>(), 0..4),
        ]
    }

    /// Where the tokens of a file begin and end.
    fn tokens(content: &[u8]) -> Vec<usize> {
        let is_edge = |byte: &u8| b"{}[],: \n".contains(byte);
        let edges = (0..content.len()).filter(|&at| is_edge(&content[at]));
        edges.flat_map(|at| [at, at + 1]).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn a_good_file_with_something_else_in_it_harms_nobody(
            which in any::<bool>(),
            changes in prop::collection::vec(
                (any::<prop::sample::Index>(), 0..3_usize, piece()), 1..4),
        ) {
            let mut content = if which { TRACE.to_vec() } else { WORKFLOW.to_vec() };
            for (at, length, piece) in changes {
                let edges = tokens(&content);
                if edges.is_empty() {
                    continue;
                }
                let first = at.index(edges.len());
                let last = (first + length).min(edges.len() - 1);
                content.splice(edges[first]..edges[last].max(edges[first]), piece);
            }
            probe(&content);
        }
    }
}
