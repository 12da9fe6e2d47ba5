//! Pure: what a task is, in one number, so that it can be told whether it has changed.

use std::path::Path;

use blake3::Hasher;

use crate::taskfile::model::{Action, Task};

/// A number for what a task runs, with which environment, where, and for which files. Neither its
/// name nor what it needs counts, nor what only says when it runs.
#[must_use]
pub fn fingerprint(task: &Task) -> String {
    let mut hasher = Hasher::new();
    match &task.action {
        Action::Shell(text) => list(&mut hasher, "shell", [text.as_bytes()]),
        Action::Exec(words) => list(&mut hasher, "exec", words.iter().map(String::as_bytes)),
        Action::Nothing => list(&mut hasher, "nothing", []),
    }
    let env = task.env.iter();
    let env = env.flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
    list(&mut hasher, "env", env);
    list(&mut hasher, "directory", [bytes(&task.directory)]);
    list(
        &mut hasher,
        "if",
        task.condition.iter().map(String::as_bytes),
    );
    list(
        &mut hasher,
        "inputs",
        task.inputs.iter().map(String::as_bytes),
    );
    list(
        &mut hasher,
        "outputs",
        task.outputs.iter().map(String::as_bytes),
    );
    hasher.finalize().to_hex()[..32].to_owned()
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

/// Each part with its length, so that nothing can look like something else.
fn list<'a>(hasher: &mut Hasher, what: &str, parts: impl IntoIterator<Item = &'a [u8]>) {
    hasher.update(what.as_bytes());
    for part in parts {
        hasher.update(&[1]);
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.update(&[0]);
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::taskfile::model::Place;

    fn task() -> Task {
        let file = Path::new("ats.toml").into();
        let mut task = Task::new("a", Place { file, line: 1 });
        task.action = Action::Exec(vec!["cc".into(), "-c".into()]);
        task
    }

    #[test]
    fn what_a_task_does_changes_it_and_when_it_does_it_does_not() {
        let plain = fingerprint(&task());
        let check = |change: fn(&mut Task), same: bool| {
            let mut task = task();
            change(&mut task);
            assert_eq!(fingerprint(&task) == plain, same, "{task:?}");
        };
        check(|task| task.name = "b".into(), true);
        check(|task| task.timeout = Some(Duration::from_secs(1)), true);
        check(|task| task.needs = vec![1], true);
        check(|task| task.action = Action::Exec(vec!["cc".into()]), false);
        check(
            |task| task.action = Action::Exec(vec!["cc -c".into()]),
            false,
        );
        check(|task| task.action = Action::Shell("cc -c".into()), false);
        check(|task| task.env = vec![("A".into(), "1".into())], false);
        check(|task| task.directory = "there".into(), false);
        check(|task| task.condition = Some("cc".into()), false);
        check(|task| task.inputs = vec!["a".into()], false);
        check(|task| task.outputs = vec!["a".into()], false);
    }
}
