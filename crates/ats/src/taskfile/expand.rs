//! From what is declared to what can be run: an instance for each combination of a matrix, every
//! variable filled in.

use std::sync::Arc;

use super::declared::{Command, Declarations, Declared, Entries, Need};
use super::fill::{Filler, Known};
use super::load::Files;
use super::mistakes::Mistake;
use super::model::{Action, Task, Variables};
use super::sources::{Sources, Spot, Text};
use super::variables::ScopeId;

/// More tasks than this are a slip: several matrices in one file, or files included many times.
const TASKS: usize = 1_000_000;

/// Tasks whose needs are still names.
#[derive(Debug, Default)]
pub(super) struct Expanded {
    pub(super) tasks: Vec<Task>,
    /// What belongs to each task.
    pub(super) origins: Vec<Origin>,
}

/// Where a task comes from.
#[derive(Debug)]
pub(super) struct Origin {
    /// The names in its `needs`.
    pub(super) needs: Vec<Need>,
    /// Where they are looked up.
    pub(super) scope: ScopeId,
    /// Its name in the file.
    pub(super) name: Spot,
    /// Whether an instance of the same declaration stands before it.
    pub(super) again: bool,
}

/// Expands all tasks of all files.
pub(super) fn expand(
    files: &mut Files,
    sources: &mut Sources,
    mistakes: &mut Vec<Mistake>,
) -> Expanded {
    let mut out = Expanded::default();
    let mut envs: Vec<Arc<Variables>> = Vec::with_capacity(files.loaded.len());
    for place in 0..files.loaded.len() {
        let file = &mut files.loaded[place];
        let tasks = std::mem::take(&mut file.declarations.tasks);
        out.tasks.reserve(tasks.len());
        out.origins.reserve(tasks.len());
        let known = Known {
            scopes: &files.scopes,
            scope: file.scope,
            matrix: &[],
        };
        let own = entries(
            std::mem::take(&mut file.declarations.env),
            known,
            &mut Filler { sources, mistakes },
        );
        // The files that include this one come first, so that its own win.
        let mut env = file.by.map_or_else(Variables::new, |by| envs[by].to_vec());
        env.extend(own);
        envs.push(Arc::new(env));
        let mut expansion = Expansion {
            file: &file.declarations,
            env: Arc::clone(&envs[place]),
            known,
            sources,
            mistakes,
            out: &mut out,
        };
        for task in tasks {
            if expansion.declared(task).is_none() {
                return out;
            }
        }
    }
    out
}

struct Expansion<'a> {
    file: &'a Declarations,
    env: Arc<Variables>,
    known: Known<'a>,
    sources: &'a mut Sources,
    mistakes: &'a mut Vec<Mistake>,
    out: &'a mut Expanded,
}

impl Expansion<'_> {
    /// Adds all instances of a task; `None` if there are too many.
    fn declared(&mut self, mut declared: Declared) -> Option<()> {
        let prefix = self.known.scopes.prefix(self.known.scope);
        let class = match prefix {
            "" => std::mem::take(&mut declared.name.text),
            prefix => format!("{prefix}{}", declared.name.text),
        };
        let spot = declared.name.spot;
        let matrix = std::mem::take(&mut declared.matrix);
        if matrix.is_empty() {
            self.instance(declared, class.clone(), class, &[], false);
        } else {
            self.instances(&declared, &class, &matrix);
        }
        if self.out.tasks.len() > TASKS {
            let title = format!("with this one there are more than {TASKS} tasks");
            self.mistakes.push(Mistake::new(spot, title));
            return None;
        }
        Some(())
    }

    fn instances(&mut self, declared: &Declared, class: &str, matrix: &[(String, Vec<String>)]) {
        let known_before = self.mistakes.len();
        for (number, values) in combinations(matrix).enumerate() {
            let pairs: Vec<String> = values
                .iter()
                .map(|(key, value)| format!("{key}={}", value.escape_debug()))
                .collect();
            let name = format!("{class} ({})", pairs.join(", "));
            let class = class.to_owned();
            self.instance(declared.clone(), class, name, &values, number > 0);
            if self.mistakes.len() > known_before {
                // The others would have the same ones.
                break;
            }
        }
    }

    fn instance(
        &mut self,
        declared: Declared,
        class: String,
        name: String,
        matrix: &[(&str, &str)],
        again: bool,
    ) {
        let known_before = self.mistakes.len();
        let known = Known {
            matrix,
            ..self.known
        };
        let mut task = Task::new(name, self.sources.place(declared.name.spot));
        task.class = class;
        let set = declared.settings;
        task.priority = set.priority;
        task.deadline = set.deadline;
        task.timeout = set.timeout;
        task.retries = set.retries;
        task.always = set.always;
        task.lane = set.lane;
        task.description = declared.description;
        let mut filler = Filler {
            sources: self.sources,
            mistakes: self.mistakes,
        };
        task.action = action(declared.command, known, &mut filler);
        let condition = declared.condition;
        task.condition = condition.map(|text| filler.shell(text, known));
        task.inputs = patterns(declared.inputs, known, &mut filler);
        task.outputs = patterns(declared.outputs, known, &mut filler);
        task.directory = match declared.cwd {
            Some(cwd) => self.file.directory.join(filler.data(cwd, known)),
            None => self.file.directory.clone(),
        };
        task.env = self.env.to_vec();
        task.env.extend(entries(declared.env, known, &mut filler));
        let needs = declared
            .needs
            .into_iter()
            .map(|need| filler.need(need, known));
        let origin = Origin {
            needs: needs.collect(),
            scope: known.scope,
            name: declared.name.spot,
            again,
        };
        let empty = matches!(&task.action, Action::Exec(arguments) if arguments[0].is_empty());
        if empty && self.mistakes.len() == known_before {
            let title = format!("`exec` of `{}` names no program", task.name.escape_debug());
            let help = "its first argument is empty once its variables are filled in";
            self.mistakes
                .push(Mistake::new(declared.name.spot, title).help(help));
        }
        self.out.tasks.push(task);
        self.out.origins.push(origin);
    }
}

fn action(command: Command, known: Known<'_>, filler: &mut Filler<'_>) -> Action {
    match command {
        Command::Shell(text) => Action::Shell(filler.shell(text, known)),
        Command::Exec(arguments) => {
            let filled = arguments.into_iter().map(|text| filler.data(text, known));
            Action::Exec(filled.collect())
        }
        Command::Nothing => Action::Nothing,
    }
}

fn patterns(texts: Vec<Text>, known: Known<'_>, filler: &mut Filler<'_>) -> Vec<String> {
    texts
        .into_iter()
        .map(|text| filler.pattern(text, known))
        .collect()
}

fn entries(entries: Entries, known: Known<'_>, filler: &mut Filler<'_>) -> Variables {
    entries
        .into_iter()
        .map(|(name, text)| (name, filler.data(text, known)))
        .collect()
}

/// Each combination of a value of each list; the last list changes fastest.
fn combinations(matrix: &[(String, Vec<String>)]) -> impl Iterator<Item = Vec<(&str, &str)>> {
    let count = match matrix {
        [] => 0,
        lists => lists.iter().map(|(_, list)| list.len()).product(),
    };
    (0..count).map(move |mut number| {
        let mut values: Vec<(&str, &str)> = Vec::with_capacity(matrix.len());
        for (key, list) in matrix.iter().rev() {
            values.push((key, &list[number % list.len()]));
            number /= list.len();
        }
        values.reverse();
        values
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combinations_are_in_the_order_of_the_file() {
        let list = |values: &[&str]| values.iter().map(ToString::to_string).collect();
        let matrix = [
            ("os".to_owned(), list(&["a", "b"])),
            ("n".to_owned(), list(&["1", "2"])),
        ];
        let all: Vec<String> = combinations(&matrix)
            .map(|values| values.iter().map(|(_, value)| *value).collect())
            .collect();
        assert_eq!(all, ["a1", "a2", "b1", "b2"]);
        assert_eq!(combinations(&[]).count(), 0);
    }
}
