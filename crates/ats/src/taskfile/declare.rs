//! From the tree of a file to its [`Declarations`], or to every mistake in it.
//!
//! A value that is wrong is noted and left out, and the walk goes on. Where some of the file could
//! not be parsed, nothing is said about what seems to be missing: it may stand in that part.

use super::declared::{Command, Declarations, Declared, Entries, Include, Name, Need};
use super::keys;
use super::mistakes::Mistake;
use super::sources::{Spot, Text};
use super::template;
use super::tree::{Document, Key, Node, Table};
use super::values;

/// More instances of one task than this are a slip.
pub(super) const INSTANCES: usize = 10_000;

/// How many needs of one task are compared with each other.
const FEW: usize = 100;

/// Reads a document that was parsed from this text.
pub(super) fn declare(
    document: &Document<'_>,
    text: &str,
    mistakes: &mut Vec<Mistake>,
) -> Declarations {
    let mut walk = Walk {
        text,
        mistakes,
        file: Declarations {
            incomplete: !document.mistakes.is_empty(),
            ..Declarations::default()
        },
    };
    walk.file(&document.root);
    walk.file
}

struct Walk<'m> {
    text: &'m str,
    mistakes: &'m mut Vec<Mistake>,
    file: Declarations,
}

impl Walk<'_> {
    fn note<T>(&mut self, read: Result<T, Mistake>) -> Option<T> {
        read.map_err(|mistake| self.mistakes.push(mistake)).ok()
    }

    fn file(&mut self, root: &Node<'_>) {
        let before = self.mistakes.len();
        let Some(table) = root.as_table() else {
            let mistake = Mistake::new(first_line(root.spot), "a file of tasks must be a table");
            self.mistakes.push(mistake.help(BEGIN));
            return;
        };
        for (key, value) in table {
            match key.text.as_ref() {
                "version" => drop(self.note(values::version(value))),
                "include" => self.includes(value),
                "jobs" => self.file.jobs = self.note(values::jobs(value)),
                "env" => self.file.env = self.env(value),
                "vars" => self.vars(value),
                "tasks" => self.tasks(value),
                _ => self.mistakes.push(keys::unknown(key, &keys::FILE)),
            }
        }
        let nothing = self.file.tasks.is_empty() && self.file.includes.is_empty();
        let only_vars = !self.file.vars.is_empty();
        if nothing && !only_vars && !self.file.incomplete && self.mistakes.len() == before {
            let end = Spot {
                start: root.spot.end,
                ..root.spot
            };
            let mistake = Mistake::new(end, "there are no tasks in this file");
            self.mistakes.push(mistake.help(BEGIN));
        }
    }

    /// A list of files, or a table of namespaces and files.
    fn includes(&mut self, value: &Node<'_>) {
        let help = "give the path of a file, seen from this one";
        if let Some(items) = value.as_list() {
            for item in items {
                if let Some(path) = self.note(values::filled("include", item, help)) {
                    let namespace = None;
                    self.file.includes.push(Include { path, namespace });
                }
            }
        } else if let Some(table) = value.as_table() {
            for (key, item) in table {
                let namespace = self.note(name_of("a namespace", key));
                let path = self.note(values::filled("include", item, help));
                if let (Some(path), Some(_)) = (path, &namespace) {
                    self.file.includes.push(Include { path, namespace });
                }
            }
        } else {
            let expected = "a list of files, or a table of namespaces and files";
            self.mistakes
                .push(values::wrong_type("include", value, expected));
        }
    }

    fn table<'n, 's>(&mut self, key: &str, value: &'n Node<'s>) -> &'n [(Key<'s>, Node<'s>)] {
        match value.as_table() {
            Some(table) => table,
            None => {
                self.mistakes
                    .push(values::wrong_type(key, value, "a table"));
                &[]
            }
        }
    }

    fn vars(&mut self, value: &Node<'_>) {
        for (key, value) in self.table("vars", value) {
            self.check_variable(key);
            if let Some(value) = self.note(values::scalar(&format!("vars.{}", key.text), value)) {
                self.file.vars.push((key.to_text(), value));
            }
        }
    }

    fn check_variable(&mut self, key: &Key<'_>) {
        if !template::is_name(&key.text) {
            let title = format!(
                "`{}` cannot be the name of a variable",
                key.text.escape_debug()
            );
            let help = "use letters, digits, `_` and `-`, and begin with a letter or `_`";
            self.mistakes.push(Mistake::new(key.spot, title).help(help));
        }
    }

    fn env(&mut self, value: &Node<'_>) -> Entries {
        let mut entries = Entries::new();
        for (key, value) in self.table("env", value) {
            if key.text.is_empty() || key.text.contains(['=', '\0']) {
                let title = "this cannot be the name of an environment variable";
                let label = "empty, or with `=` or NUL in it";
                self.mistakes
                    .push(Mistake::new(key.spot, title).label(label));
            }
            if let Some(text) = self.note(values::scalar(&format!("env.{}", key.text), value)) {
                entries.push((key.text.to_string(), text));
            }
        }
        entries
    }

    fn tasks(&mut self, value: &Node<'_>) {
        let Some(table) = value.as_table() else {
            let mistake = Mistake::new(value.spot, "`tasks` must be a table");
            self.mistakes.push(mistake.help(BEGIN));
            return;
        };
        self.file.tasks.reserve(table.len());
        for (name, value) in table {
            self.task(name, value);
        }
    }

    fn task(&mut self, key: &Key<'_>, value: &Node<'_>) {
        let Some(table) = value.as_table() else {
            let title = format!("task `{}` must be a table", key.text.escape_debug());
            let help = "give it keys of its own, such as `run`";
            self.mistakes
                .push(Mistake::new(value.spot, title).help(help));
            return;
        };
        let name = self.note(name_of("a task's name", key));
        let mut task = Declared::new(name.unwrap_or_else(|| key.to_text()));
        for (key, value) in table {
            self.field(&mut task, key, value);
        }
        self.check_command(&task, table);
        self.file.tasks.push(task);
    }

    fn field(&mut self, task: &mut Declared, key: &Key<'_>, value: &Node<'_>) {
        let set = &mut task.settings;
        match key.text.as_ref() {
            "description" => {
                task.description = self
                    .note(values::text("description", value))
                    .map(|text| text.text);
            }
            "run" => {
                let help =
                    "give a shell command, or leave `run` out for a task that only gathers others";
                if let Some(text) = self.note(values::filled("run", value, help)) {
                    task.command = Command::Shell(text);
                }
            }
            "exec" => self.exec(task, value),
            "needs" => task.needs = self.needs(value),
            "inputs" => task.inputs = self.files("inputs", value),
            "outputs" => task.outputs = self.files("outputs", value),
            "env" => task.env = self.env(value),
            "cwd" => task.cwd = self.note(values::filled("cwd", value, "give a directory")),
            "priority" => {
                set.priority = self.note(values::priority(value)).unwrap_or(set.priority);
            }
            "deadline" => set.deadline = self.note(values::duration("deadline", value)),
            "timeout" => set.timeout = self.note(values::duration("timeout", value)),
            "retries" => set.retries = values::retries(value, self.mistakes),
            "if" => {
                let help = "give a shell command that exits with 0 if the task is to run";
                task.condition = self.note(values::filled("if", value, help));
            }
            "always" => set.always = self.note(values::boolean("always", value)) == Some(true),
            "lane" => set.lane = self.note(values::lane(value)).unwrap_or_default(),
            "matrix" => task.matrix = self.matrix(value),
            _ => self.mistakes.push(keys::unknown(key, &keys::TASK)),
        }
    }

    fn exec(&mut self, task: &mut Declared, value: &Node<'_>) {
        let help = "write a program and its arguments: `exec = [\"cargo\", \"build\"]`";
        let read = values::list("exec", value).map_err(|mistake| mistake.help(help));
        let Some(items) = self.note(read) else {
            return;
        };
        let arguments: Vec<Text> = items
            .iter()
            .filter_map(|item| self.note(values::text("exec", item)))
            .collect();
        if items.is_empty() || items[0].as_text().is_some_and(str::is_empty) {
            let mistake = Mistake::new(value.spot, "`exec` names no program");
            self.mistakes.push(mistake.help(help));
        } else if arguments.len() == items.len() {
            task.command = Command::Exec(arguments);
        }
    }

    fn needs(&mut self, value: &Node<'_>) -> Vec<Need> {
        let items = self.note(values::list("needs", value)).unwrap_or_default();
        let mut needs: Vec<Need> = Vec::with_capacity(items.len());
        for (place, item) in items.iter().enumerate() {
            let name = match values::text_of("needs", item) {
                Ok(name) => name,
                Err(mistake) => {
                    self.mistakes.push(mistake);
                    continue;
                }
            };
            // Few needs are compared with each other; of many, the doubled ones do no harm.
            let before = items[..place.min(FEW)].iter();
            if place < FEW && before.clone().any(|other| other.as_text() == Some(name)) {
                let title = format!("`{}` is needed twice", name.escape_debug());
                self.mistakes
                    .push(Mistake::new(item.spot, title).help("name each task once"));
                continue;
            }
            needs.push(Need {
                name: self.name(name),
                spot: item.spot,
            });
        }
        needs
    }

    /// A name where it stands in the file, if that is how it is written.
    fn name(&self, name: &str) -> Name {
        let file = self.text.as_bytes().as_ptr_range();
        let own = name.as_bytes().as_ptr_range();
        let within = file.start <= own.start && own.end <= file.end;
        if !within || template::has_variables(name) {
            return Name::Own(name.to_owned());
        }
        let start = own.start.addr() - file.start.addr();
        Name::Written(start as u32, (start + name.len()) as u32)
    }

    fn files(&mut self, key: &str, value: &Node<'_>) -> Vec<Text> {
        let items = self.note(values::list(key, value)).unwrap_or_default();
        let help = "name a file, or a pattern such as `src/**/*.rs`";
        items
            .iter()
            .filter_map(|item| self.note(values::filled(key, item, help)))
            .collect()
    }

    fn matrix(&mut self, value: &Node<'_>) -> Vec<(String, Vec<String>)> {
        let mut lists = Vec::new();
        for (key, value) in self.table("matrix", value) {
            self.check_variable(key);
            let path = format!("matrix.{}", key.text);
            let Some(items) = self.note(values::list(&path, value)) else {
                continue;
            };
            if items.is_empty() {
                let title = format!("`{path}` is empty");
                let help = "give at least one value: without any there is nothing to run";
                self.mistakes
                    .push(Mistake::new(value.spot, title).help(help));
            }
            let mut list: Vec<String> = Vec::with_capacity(items.len());
            let mut seen = std::collections::HashSet::new();
            for item in items {
                let Some(text) = self.note(values::scalar(&path, item)) else {
                    continue;
                };
                if seen.insert(text.text.clone()) {
                    list.push(text.text);
                } else {
                    let title = format!("`{}` stands twice in `{path}`", text.text.escape_debug());
                    self.mistakes.push(Mistake::new(item.spot, title));
                }
            }
            lists.push((key.text.to_string(), list));
        }
        let instances = lists.iter().try_fold(1_usize, |product, (_, list)| {
            product.checked_mul(list.len())
        });
        if instances.is_none_or(|instances| instances > INSTANCES) {
            let title = format!("this matrix has more than {INSTANCES} combinations");
            self.mistakes
                .push(Mistake::new(first_line(value.spot), title));
            return Vec::new();
        }
        lists.retain(|(_, list)| !list.is_empty());
        lists
    }

    /// There is one way to say what a task does.
    fn check_command(&mut self, task: &Declared, table: &Table<'_>) {
        let find = |name: &str| table.iter().find(|(key, _)| key.text == name);
        match (find("run"), find("exec")) {
            (Some(_), Some((exec, _))) => {
                let title = format!("task `{}` has both `run` and `exec`", shown(&task.name));
                let help = "keep `run` for the shell, `exec` to start a program without one";
                self.mistakes
                    .push(Mistake::new(exec.spot, title).help(help));
            }
            (None, None) if find("needs").is_none() && !self.file.incomplete => {
                let title = format!("task `{}` has nothing to run", shown(&task.name));
                let help = "add `run = \"a shell command\"`, or `needs` if it only gathers others";
                self.mistakes
                    .push(Mistake::new(task.name.spot, title).help(help));
            }
            _ => {}
        }
    }
}

const BEGIN: &str = "begin with\n[tasks.hello]\nrun = \"echo hello\"";

/// A name as it is shown.
pub(super) fn shown(name: &Text) -> String {
    name.text.escape_debug().to_string()
}

/// Where something large begins.
fn first_line(spot: Spot) -> Spot {
    Spot {
        end: spot.start + u32::from(spot.end > spot.start),
        ..spot
    }
}

/// A name that can be shown, and given as an argument.
fn name_of(what: &str, key: &Key<'_>) -> Result<Text, Mistake> {
    let title = if key.text.trim().is_empty() {
        format!("{what} is empty")
    } else if key.text.starts_with('-') {
        format!("{what} begins with `-`")
    } else if key.text.chars().any(char::is_control) {
        format!("{what} has a control character in it")
    } else {
        return Ok(key.to_text());
    };
    let help = "it is shown, and given as an argument; use words";
    Err(Mistake::new(key.spot, title).help(help))
}
