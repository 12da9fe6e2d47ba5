//! WfFormat files: each recorded task becomes a task that runs the recorded command and is expected
//! to take as long as it did. Reading and checking is that of `ats replay`.

use std::collections::HashMap;
use std::path::Path;

use crate::input::Problem;
use crate::replay::{check::check, wfformat::read_bytes};
use crate::taskfile::Wrong;
use crate::taskfile::mistakes::Mistake;
use crate::taskfile::model::{Action, Lane, Task, TaskFile};
use crate::taskfile::sources::Spot;
use crate::taskfile::tree::{Node, json};
use crate::taskfile::values::{list, text};
use crate::text;

/// What uses less of a core than this mostly waits.
const COMPUTES: f64 = 0.5;

/// Reads the text of a file of this name.
pub(in crate::taskfile) fn read(path: &Path, source: String, wrong: &mut Wrong) -> TaskFile {
    let mut file = TaskFile {
        source: path.to_owned(),
        ..TaskFile::default()
    };
    let checked = read_bytes(path, source.as_bytes()).and_then(|document| check(path, document));
    let number = wrong.sources.add(path.to_owned(), source);
    let workflow = match checked {
        Ok(workflow) => workflow,
        Err(problems) => {
            wrong
                .problems
                .extend(problems.iter().map(Problem::to_string));
            return file;
        }
    };
    let source = std::sync::Arc::clone(&wrong.sources.get(number).text);
    let document = json::parse(number, &source);
    let mut recorded = commands(&document.root, &mut wrong.mistakes);
    let start = Spot {
        source: number,
        start: 0,
        end: 0,
    };
    let mut without = Vec::new();
    for own in workflow.tasks {
        let (spot, command) = recorded.remove(own.id.as_str()).unwrap_or((start, None));
        let mut task = Task::new(own.id.as_str(), wrong.sources.place(spot));
        match command {
            Some(command) => task.action = Action::Exec(command),
            None => without.push(own.id.clone()),
        }
        task.lane = if own.computing() < COMPUTES {
            Lane::Blocking
        } else {
            Lane::Cpu
        };
        task.class = own.class;
        task.needs = own.parents;
        task.expected = Some(own.run_time);
        task.directory = path.parent().unwrap_or(Path::new("")).to_owned();
        file.tasks.push(task);
    }
    if let Some(first) = without.first() {
        let (first, count) = (text::printable(first), text::count(without.len(), "task"));
        file.look_only = Some(format!(
            "{count} of this workflow have no command on record, the first is `{first}`\n  \
             help: look at it with `--dry-run`, `--graph` or `--list`, and replay it with `ats replay`"
        ));
    }
    file
}

/// Where each executed task stands, and its command if there is one, by the task's id.
fn commands(
    root: &Node<'_>,
    mistakes: &mut Vec<Mistake>,
) -> HashMap<String, (Spot, Option<Vec<String>>)> {
    let execution = root.get("workflow").and_then(|node| node.get("execution"));
    let tasks = execution
        .and_then(|node| node.get("tasks"))
        .and_then(Node::as_list);
    let mut commands = HashMap::new();
    for task in tasks.unwrap_or_default() {
        let Some(id) = task.get("id") else { continue };
        let command = match task.get("command").map(command).transpose() {
            Ok(command) => command.flatten(),
            Err(mistake) => {
                mistakes.push(mistake);
                None
            }
        };
        let name = id.as_text().unwrap_or_default().to_owned();
        commands.insert(name, (id.spot, command));
    }
    commands
}

/// A program and its arguments; none if no program is named.
fn command(node: &Node<'_>) -> Result<Option<Vec<String>>, Mistake> {
    let Some(program) = node.get("program") else {
        return Ok(None);
    };
    let mut words = vec![text("program", program)?.text];
    if words[0].is_empty() {
        return Ok(None);
    }
    if let Some(arguments) = node.get("arguments") {
        for argument in list("arguments", arguments)? {
            words.push(text("arguments", argument)?.text);
        }
    }
    Ok(Some(words))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::taskfile::format::Format;

    const WORKFLOW: &str = r#"{"schemaVersion": "1.5", "workflow": {
        "specification": {"tasks": [
            {"id": "b_2", "name": "b_2", "parents": ["a_1"]},
            {"id": "a_1", "name": "a_1", "children": ["b_2"]}]},
        "execution": {"makespanInSeconds": 3, "tasks": [
            {"id": "a_1", "runtimeInSeconds": 1.5, "avgCPU": 5,
             "command": {"program": "cat", "arguments": ["a b", "$(x)"]}},
            {"id": "b_2", "runtimeInSeconds": 1, "command": {"program": "true"}}]}}}"#;

    fn parsed(text: &str) -> Result<TaskFile, Wrong> {
        crate::taskfile::parse(Path::new("w.json"), text.into(), Format::WfFormat, &[])
    }

    #[test]
    fn recorded_commands_and_times_are_taken() {
        let file = parsed(WORKFLOW).unwrap_or_else(|wrong| panic!("{wrong}"));
        let [a, b] = file.tasks.as_slice() else {
            panic!("{file:?}")
        };
        let command = ["cat", "a b", "$(x)"].map(str::to_owned);
        assert_eq!(
            (a.name.as_str(), &a.action),
            ("a_1", &Action::Exec(command.into()))
        );
        assert_eq!((a.class.as_str(), a.lane), ("a", Lane::Blocking));
        assert_eq!(a.expected, Some(Duration::from_millis(1500)));
        assert_eq!((a.place.line, b.place.line), (6, 8));
        assert_eq!((b.needs.as_slice(), b.lane), (&[0][..], Lane::Cpu));
        assert_eq!(file.look_only, None);
    }

    #[test]
    fn a_workflow_without_commands_can_only_be_looked_at() {
        let file = parsed(&WORKFLOW.replace("program", "prog")).unwrap();
        let reason = file.look_only.unwrap();
        assert!(
            reason.starts_with(
                "2 tasks of this workflow have no command on record, the first is `a_1`"
            ),
            "{reason}"
        );
    }

    #[test]
    fn what_replay_refuses_is_refused_here() {
        let wrong = parsed(&WORKFLOW.replace("[\"a_1\"]", "[\"a_7\"]")).unwrap_err();
        let said = wrong.to_string();
        assert!(said.contains("names an unknown parent, `a_7`"), "{said}");
    }
}
