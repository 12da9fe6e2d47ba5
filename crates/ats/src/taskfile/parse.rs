//! From TOML to a [`TaskFile`], or to every mistake in it at once.
//!
//! The document is walked with the place of each value at hand. A value that is wrong is noted and
//! left out, and the walk goes on. TOML that cannot be parsed is noted too, and what could be
//! parsed is walked; then nothing is said about what seems to be missing, since it may stand in the
//! part that could not be read.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::mistakes::{Mistake, SHOWN, render};
use super::model::{Action, Place, Retries, Task, TaskFile, Variables};
use super::values;
use crate::exit::Failure;
use crate::graph::topological;
use crate::input::{self, Problem};
use crate::text::nearest;

/// Room for some 500,000 tasks.
const SIZE_LIMIT: u64 = 64 << 20;

const FILE_KEYS: [&str; 3] = ["tasks", "env", "jobs"];
const TASK_KEYS: [&str; 7] = [
    "run", "needs", "priority", "timeout", "retries", "env", "cwd",
];

/// Reads a file of tasks.
///
/// # Errors
///
/// The file cannot be read, or there are mistakes in it; the text shows them all.
pub fn read(path: &Path) -> Result<TaskFile, Failure> {
    let source = text_of(path).map_err(|problem| Failure::Usage(problem.to_string()))?;
    parse(path, &source).map_err(|mistakes| Failure::Usage(render(path, &source, &mistakes)))
}

fn text_of(path: &Path) -> Result<String, Problem> {
    let mut file = input::open(path, SIZE_LIMIT)?;
    let mut bytes = Vec::new();
    if let Err(error) = file.read_to_end(&mut bytes) {
        return Err(if file.exceeded() {
            input::too_large(path, SIZE_LIMIT)
        } else {
            input::unreadable(path, &error)
        });
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|&&byte| byte == b'\n').count() + 1;
        Problem::at(
            path,
            format!("line {line}"),
            "this is not UTF-8 text",
            "save the file as UTF-8; TOML has no other encoding",
        )
    })
}

/// Parses the text of a file of tasks.
///
/// # Errors
///
/// All its mistakes.
pub fn parse(path: &Path, source: &str) -> Result<TaskFile, Vec<Mistake>> {
    let (document, errors) = DeTable::parse_recoverable(source);
    let mut walk = Walk {
        path: path.into(),
        source,
        counted: (0, 1),
        file: TaskFile {
            source: path.to_owned(),
            ..TaskFile::default()
        },
        env: Variables::new(),
        needs: Vec::new(),
        names: Vec::new(),
        incomplete: !errors.is_empty(),
        mistakes: errors.iter().map(|error| unparsed(error, source)).collect(),
    };
    walk.file(document.get_ref());
    walk.share_env();
    walk.resolve_needs();
    walk.find_cycles();
    if walk.mistakes.is_empty() {
        Ok(walk.file)
    } else {
        Err(walk.mistakes)
    }
}

fn unparsed(error: &toml::de::Error, source: &str) -> Mistake {
    Mistake {
        span: error.span().unwrap_or(source.len()..source.len()),
        title: error.message().to_owned(),
        label: String::new(),
        help: None,
    }
}

/// A name in `needs`, with its place.
struct Need {
    name: String,
    span: Range<usize>,
}

struct Walk<'s> {
    path: Arc<Path>,
    source: &'s str,
    /// An offset in `source`, and its line.
    counted: (usize, usize),
    file: TaskFile,
    /// For every task.
    env: Variables,
    /// What each task of the file needs, by name.
    needs: Vec<Vec<Need>>,
    /// Where each task's name stands.
    names: Vec<Range<usize>>,
    mistakes: Vec<Mistake>,
    /// Some of the file could not be parsed.
    incomplete: bool,
}

impl Walk<'_> {
    fn file(&mut self, document: &DeTable<'_>) {
        for (key, value) in document {
            match key.get_ref().as_ref() {
                "tasks" => self.tasks(value),
                "env" => self.env = values::variables(value, &mut self.mistakes),
                "jobs" => self.file.jobs = self.noted(values::jobs(value)),
                _ => self.unknown_key(key, &FILE_KEYS),
            }
        }
        if self.names.is_empty() && !self.incomplete && self.mistakes.is_empty() {
            let end = self.source.len();
            self.mistakes.push(Mistake {
                span: end..end,
                title: "there are no tasks in this file".into(),
                label: String::new(),
                help: Some("begin with\n[tasks.hello]\nrun = \"echo hello\"".into()),
            });
        }
    }

    fn noted<T>(&mut self, read: Result<T, Mistake>) -> Option<T> {
        read.map_err(|mistake| self.mistakes.push(mistake)).ok()
    }

    fn unknown_key(&mut self, key: &Spanned<DeString<'_>>, known: &[&str]) {
        let help = match nearest(key.get_ref(), known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the keys here are {}", known.join(", ")),
        };
        self.mistakes.push(Mistake {
            span: key.span(),
            title: format!("unknown key `{}`", key.get_ref()),
            label: String::new(),
            help: Some(help),
        });
    }

    fn tasks(&mut self, value: &Spanned<DeValue<'_>>) {
        let Some(table) = value.get_ref().as_table() else {
            let help = "begin each task with `[tasks.NAME]`";
            let title = "`tasks` must be a table".into();
            self.mistakes.push(values::mistake(value, title, "", help));
            return;
        };
        let mut entries: Vec<_> = table.iter().collect();
        // Tables are sorted by name; what counts among equals is the order of the file.
        entries.sort_by_key(|(name, _)| name.span().start);
        for (name, value) in entries {
            self.task(name, value);
        }
    }

    fn task(&mut self, name: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>) {
        let Some(table) = value.get_ref().as_table() else {
            let title = format!("task `{}` must be a table", name.get_ref());
            let help = format!(
                "write `[tasks.{}]` and below it `run = \"...\"`",
                name.get_ref()
            );
            self.mistakes.push(values::mistake(value, title, "", &help));
            return;
        };
        if name.get_ref().is_empty() {
            self.mistakes.push(Mistake {
                span: name.span(),
                title: "a task's name is empty".into(),
                label: String::new(),
                help: None,
            });
        }
        let place = self.place_of(name.span().start);
        let mut task = Task::new(name.get_ref().to_string(), place);
        task.directory = self.directory().to_owned();
        let needs = self.fields(&mut task, table);
        if !table.contains_key("run") && !self.incomplete {
            self.mistakes.push(Mistake {
                span: name.span(),
                title: format!("task `{}` has nothing to run", task.name),
                label: String::new(),
                help: Some("add `run = \"a shell command\"`".into()),
            });
        }
        self.file.tasks.push(task);
        self.needs.push(needs);
        self.names.push(name.span());
    }

    /// Reads the keys of a task; returns what it needs.
    fn fields(&mut self, task: &mut Task, table: &DeTable<'_>) -> Vec<Need> {
        let mut needs = Vec::new();
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "run" => {
                    if let Some(command) = self.noted(values::command(value)) {
                        task.action = Action::Shell(command);
                    }
                }
                "needs" => needs = self.needs_of(value),
                "priority" => {
                    task.priority = self.noted(values::priority(value)).unwrap_or(task.priority);
                }
                "timeout" => task.timeout = self.noted(values::duration("timeout", value)),
                "retries" => {
                    task.retries = Retries {
                        count: self.noted(values::retries(value)).unwrap_or_default(),
                        ..Retries::default()
                    };
                }
                "env" => task.env = values::variables(value, &mut self.mistakes),
                "cwd" => {
                    if let Some(own) = self.noted(values::text("cwd", value)) {
                        task.directory = self.directory().join(own);
                    }
                }
                _ => self.unknown_key(key, &TASK_KEYS),
            }
        }
        needs
    }

    fn needs_of(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<Need> {
        let items = self.noted(values::list("needs", value)).unwrap_or_default();
        let mut seen = HashSet::new();
        let mut needs = Vec::new();
        for item in items {
            let Some(name) = self.noted(values::text("needs", item)) else {
                continue;
            };
            if !seen.insert(name.clone()) {
                let title = format!("`{name}` is needed twice");
                let help = "name each task once";
                self.mistakes.push(values::mistake(item, title, "", help));
                continue;
            }
            needs.push(Need {
                name,
                span: item.span(),
            });
        }
        needs
    }

    /// Where the file lies.
    fn directory(&self) -> &Path {
        self.file.source.parent().unwrap_or(Path::new(""))
    }

    /// The place of an offset; asked for in the order of the file, so that nothing is counted twice.
    fn place_of(&mut self, offset: usize) -> Place {
        let (from, line) = self.counted;
        let between = &self.source.as_bytes()[from.min(offset)..offset];
        let newlines = between.iter().filter(|&&byte| byte == b'\n').count();
        self.counted = (offset, line + newlines);
        Place {
            file: Arc::clone(&self.path),
            line: line + newlines,
        }
    }

    /// Puts the file's environment in front of every task's own.
    fn share_env(&mut self) {
        if self.env.is_empty() {
            return;
        }
        for task in &mut self.file.tasks {
            let own = std::mem::take(&mut task.env);
            task.env = self.env.iter().cloned().chain(own).collect();
        }
    }

    /// Turns names into places, once all tasks are known.
    fn resolve_needs(&mut self) {
        let tasks = self.file.tasks.iter().enumerate();
        let places: HashMap<String, usize> = tasks
            .map(|(place, task)| (task.name.clone(), place))
            .collect();
        let mut unknown = Vec::new();
        for (task, needs) in self.needs.iter().enumerate() {
            for need in needs {
                match places.get(&need.name) {
                    Some(&place) => self.file.tasks[task].needs.push(place),
                    None => unknown.push((task, need)),
                }
            }
        }
        if self.incomplete {
            return;
        }
        for (task, need) in unknown {
            // Looking for a near name means looking at all; not for what is not shown anyway.
            let near = (self.mistakes.len() < SHOWN)
                .then(|| nearest(&need.name, places.keys().map(String::as_str)))
                .flatten();
            self.mistakes.push(Mistake {
                span: need.span.clone(),
                title: format!(
                    "task `{}` needs `{}`, which is not in this file",
                    self.file.tasks[task].name, need.name
                ),
                label: String::new(),
                help: near.map(|near| format!("did you mean `{near}`?")),
            });
        }
    }

    /// Finds one cycle after the other, each time without the need that was complained about.
    fn find_cycles(&mut self) {
        let tasks = self.file.tasks.iter();
        let mut needs: Vec<Vec<usize>> = tasks.map(|task| task.needs.clone()).collect();
        for _ in 0..SHOWN {
            let Err(mut cycle) = topological(&needs) else {
                return;
            };
            // From what needs to what is needed, as it is written in the file.
            cycle.reverse();
            self.complain_about(&cycle);
            needs[cycle[0]].retain(|&need| need != cycle[1]);
        }
    }

    fn complain_about(&mut self, cycle: &[usize]) {
        let name = |task: usize| &self.file.tasks[task].name;
        let path: Vec<String> = cycle
            .iter()
            .map(|&task| format!("`{}`", name(task)))
            .collect();
        let need = self.needs[cycle[0]]
            .iter()
            .find(|need| need.name == *name(cycle[1]));
        self.mistakes.push(Mistake {
            span: need.map_or(self.names[cycle[0]].clone(), |need| need.span.clone()),
            title: format!("tasks need each other in a cycle: {}", path.join(" needs ")),
            label: "one of these needs has to go".into(),
            help: None,
        });
    }
}
