//! Bad files and what is said about each: a table of whole messages.

use std::fs;

use super::check::check;
use super::workflow::Workflow;
use super::{listed, wfformat};

/// Reads a file with this content; a refusal has `FILE` in place of its path.
fn read(content: &[u8]) -> Result<Workflow, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), content).unwrap();
    let result = wfformat::read(file.path()).and_then(|document| check(file.path(), document));
    result.map_err(|problems| listed(&problems).replace(file.path().to_str().unwrap(), "FILE"))
}

/// A document of the right schema with these tasks.
fn document(specified: &str, executed: &str) -> String {
    format!(
        r#"{{"schemaVersion": "1.5", "workflow": {{
            "specification": {{"tasks": [{specified}]}},
            "execution": {{"tasks": [{executed}]}}}}}}"#
    )
}

const A_RAN: &str = r#"{"id": "a", "runtimeInSeconds": 1}"#;
const A: &str = r#"{"id": "a"}"#;

#[track_caller]
fn refused(content: &str, expected: &str) {
    let message = read(content.as_bytes()).expect_err("the file was taken");
    assert_eq!(message, expected.trim_matches('\n'), "for {content}");
}

#[test]
fn what_is_not_json_is_refused_with_line_and_column() {
    refused(
        "{\"schemaVersion\": \"1.5\",\n  nonsense}",
        "
error: FILE: line 2, column 3: this is not JSON: key must be a string
  help: give a WfFormat 1.5 file in JSON",
    );
    refused(
        "{\"schemaVersion\": \"1.5\", \"workflow\": {",
        "
error: FILE: line 1, column 38: the file ends too early: EOF while parsing an object
  help: fetch the file again, it seems to be cut off",
    );
    refused(
        "",
        "
error: FILE: line 1, column 0: the file ends too early: EOF while parsing a value
  help: fetch the file again, it seems to be cut off",
    );
}

#[test]
fn json_of_another_kind_is_refused() {
    refused(
        r#"{"nodes": []}"#,
        "
error: FILE: schemaVersion: no schema version is given
  help: give a file of WfFormat 1.5, or convert it with the tools of WfCommons",
    );
    refused(
        "3",
        "
error: FILE: line 1, column 1: this is neither WfFormat 1.5 nor a trace of `ats run`: invalid type: integer `3`, expected an object
  help: see https://github.com/wfcommons/WfFormat for the type of each field",
    );
    refused(
        r#"{"schemaVersion": "1.4", "workflow": {"tasks": [{"name": "x", "runtime": 1}]}}"#,
        "
error: FILE: schemaVersion: the schema is 1.4
  help: give a file of WfFormat 1.5, or convert it with the tools of WfCommons",
    );
    refused(
        &document(r#"{"id": "a", "parents": 3}"#, A_RAN),
        "
error: FILE: line 2, column 65: this is neither WfFormat 1.5 nor a trace of `ats run`: invalid type: integer `3`, expected a sequence
  help: see https://github.com/wfcommons/WfFormat for the type of each field",
    );
}

#[test]
fn deep_nesting_does_not_exhaust_the_stack() {
    let deep = format!("{{\"schemaVersion\": {}", "[".repeat(1_000_000));
    refused(
        &deep,
        "
error: FILE: line 1, column 145: values are nested more than 100 deep
  help: give a WfFormat file, which nests less than 10 deep",
    );
    let unread = format!(
        "{{\"unread\": {}{}}}",
        "[".repeat(1_000_000),
        "]".repeat(1_000_000)
    );
    assert!(read(unread.as_bytes()).is_err());
}

#[test]
fn unknown_relatives_are_refused_with_the_nearest_name() {
    refused(
        &document(
            r#"{"id": "align_1"}, {"id": "sort", "parents": ["align_2", "elsewhere"], "children": ["gone"]}"#,
            r#"{"id": "align_1", "runtimeInSeconds": 1}, {"id": "sort", "runtimeInSeconds": 1}"#,
        ),
        "
error: FILE: workflow.specification.tasks[1].parents[0]: task `sort` names an unknown parent, `align_2`
  help: did you mean `align_1`?
error: FILE: workflow.specification.tasks[1].parents[1]: task `sort` names an unknown parent, `elsewhere`
  help: add a task with this id, or take it out of `parents`
error: FILE: workflow.specification.tasks[1].children[0]: task `sort` names an unknown child, `gone`
  help: add a task with this id, or take it out of `children`",
    );
}

#[test]
fn a_cycle_is_refused_with_its_whole_path() {
    refused(
        &document(
            r#"{"id": "a", "parents": ["c"]}, {"id": "b", "parents": ["a"]},
               {"id": "c", "parents": ["b"]}, {"id": "d", "parents": ["c"]}"#,
            r#"{"id": "a", "runtimeInSeconds": 1}, {"id": "b", "runtimeInSeconds": 1},
               {"id": "c", "runtimeInSeconds": 1}, {"id": "d", "runtimeInSeconds": 1}"#,
        ),
        "
error: FILE: workflow.specification.tasks[0]: tasks wait on each other in a cycle: `a` -> `b` -> `c` -> `a`
  help: remove one of these dependencies",
    );
    refused(
        &document(r#"{"id": "a", "children": ["a"]}"#, A_RAN),
        "
error: FILE: workflow.specification.tasks[0]: tasks wait on each other in a cycle: `a` -> `a`
  help: remove one of these dependencies",
    );
}

#[test]
fn doubled_and_absent_ids_are_refused() {
    refused(
        &document(&format!("{A}, {A}"), &format!("{A_RAN}, {A_RAN}")),
        "
error: FILE: workflow.specification.tasks[1]: the id `a` is doubled
  help: give each task its own id; workflow.specification.tasks[0] has this one
error: FILE: workflow.execution.tasks[1]: the id `a` is doubled
  help: keep one; workflow.execution.tasks[0] has this one",
    );
    refused(
        &document(r#"{"name": "nameless"}"#, r#"{"runtimeInSeconds": 1}"#),
        "
error: FILE: workflow.specification.tasks[0]: the task has no id
  help: give it an `id`
error: FILE: workflow.execution.tasks[0]: the task has no id
  help: give it the id of its specification",
    );
}

#[test]
fn run_times_must_be_real() {
    let cases = [
        (
            "-0.5",
            "error: FILE: workflow.execution.tasks[0].runtimeInSeconds: the run time of task `a` is -0.5 s\n  help: give the seconds that it ran, from 0 to 1e9",
        ),
        (
            "1e300",
            &format!(
                "error: FILE: workflow.execution.tasks[0].runtimeInSeconds: the run time of task `a` is 1{} s\n  help: give the seconds that it ran, from 0 to 1e9",
                "0".repeat(300)
            ),
        ),
        (
            "null",
            "error: FILE: workflow.execution.tasks[0].runtimeInSeconds: task `a` has no run time\n  help: give the seconds that it ran, 0 if it did not",
        ),
        (
            "NaN",
            "error: FILE: line 3, column 69: this is not JSON: expected value\n  help: give a WfFormat 1.5 file in JSON",
        ),
        (
            "1e999",
            "error: FILE: line 3, column 74: this is not JSON: number out of range\n  help: give a WfFormat 1.5 file in JSON",
        ),
        (
            "\"1\"",
            "error: FILE: line 3, column 71: this is neither WfFormat 1.5 nor a trace of `ats run`: invalid type: string \"1\", expected f64\n  help: see https://github.com/wfcommons/WfFormat for the type of each field",
        ),
    ];
    for (time, expected) in cases {
        let executed = format!(r#"{{"id": "a", "runtimeInSeconds": {time}}}"#);
        refused(&document(A, &executed), expected);
    }
}

#[test]
fn what_was_specified_was_executed_and_the_other_way_round() {
    refused(
        &document(A, r#"{"id": "b", "runtimeInSeconds": 1, "avgCPU": -3}"#),
        "
error: FILE: workflow.execution.tasks[0].avgCPU: the CPU share of task `b` is -3
  help: give percent of one core, or leave it out
error: FILE: workflow.execution.tasks[0]: task `b` was executed but is not specified
  help: add it to workflow.specification.tasks, or remove it here
error: FILE: workflow.specification.tasks[0]: task `a` has no run time
  help: add it to workflow.execution.tasks with its runtimeInSeconds",
    );
    refused(
        r#"{"schemaVersion": "1.5"}"#,
        "
error: FILE: workflow.specification.tasks: there are no tasks
  help: give a workflow with tasks",
    );
}

#[test]
fn names_cannot_steer_the_terminal() {
    refused(
        &document(
            r#"{"id": "a", "parents": ["\u001b[2J"]}"#,
            A_RAN,
        ),
        "
error: FILE: workflow.specification.tasks[0].parents[0]: task `a` names an unknown parent, `\\u{1b}[2J`
  help: add a task with this id, or take it out of `parents`",
    );
}

#[test]
fn a_flood_of_problems_is_cut_short() {
    let many: Vec<String> = (0..100).map(|n| format!(r#"{{"id": "{n}"}}"#)).collect();
    let message = read(document(&many.join(","), "").as_bytes()).unwrap_err();
    assert_eq!(message.lines().count(), 41);
    assert!(message.ends_with("... and 80 more"), "{message}");
}

#[test]
fn a_good_file_is_put_in_order() {
    let specified = r#"
        {"id": "last", "name": "last", "parents": ["first", "first"], "children": []},
        {"id": "first_ID01", "name": "first_ID01", "children": ["last"]},
        {"id": "first"}"#;
    let executed = r#"
        {"id": "first", "runtimeInSeconds": 0},
        {"id": "first_ID01", "runtimeInSeconds": 2.5, "avgCPU": 180.5},
        {"id": "last", "runtimeInSeconds": 1, "avgCPU": 0}"#;
    let workflow = read(document(specified, executed).as_bytes()).unwrap();
    let tasks: Vec<(&str, &str, &[usize])> = workflow
        .tasks
        .iter()
        .map(|task| {
            (
                task.id.as_str(),
                task.class.as_str(),
                task.parents.as_slice(),
            )
        })
        .collect();
    assert_eq!(
        tasks,
        [
            ("first_ID01", "first", [].as_slice()),
            ("first", "first", &[]),
            ("last", "last", &[0, 1]),
        ]
    );
    assert_eq!(workflow.dependencies(), 2);
    assert!(workflow.tasks[0].used_several_cores());
}
