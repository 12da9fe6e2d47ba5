//! A file of tasks with all files that it includes.

use std::collections::HashSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::declare::declare;
use super::declared::Declarations;
use super::format::{self, Format};
use super::mistakes::Mistake;
use super::sources::{Sources, Text};
use super::tree::{Document, toml, yaml};
use super::variables::{ScopeId, Scopes};
use crate::input::{self, Problem, shown};

/// Room for some 500,000 tasks.
pub(super) const SIZE_LIMIT: u64 = 64 << 20;

/// No project has as many; a few files that include each other's many times over would.
const FILES: usize = 1000;

/// A file that has been read.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) declarations: Declarations,
    pub(super) scope: ScopeId,
    /// The file that includes this one.
    pub(super) by: Option<usize>,
}

/// All files that belong together, those that include before those that are included.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) loaded: Vec<Loaded>,
    pub(super) scopes: Scopes,
}

/// Where a file comes from.
struct Origin {
    path: PathBuf,
    scope: ScopeId,
    by: Option<usize>,
}

/// Loads what the outermost file includes; its own text has been read.
pub(super) fn load(
    path: &Path,
    text: String,
    format: Format,
    sources: &mut Sources,
    mistakes: &mut Vec<Mistake>,
) -> Files {
    let mut loading = Loading {
        files: Files::default(),
        real: Vec::new(),
        seen: HashSet::new(),
        sources,
        mistakes,
    };
    let scope = loading.files.scopes.scope("", None);
    let origin = Origin {
        path: path.to_owned(),
        scope,
        by: None,
    };
    loading.add(origin, text, format);
    let mut next = 0;
    while next < loading.files.loaded.len() {
        loading.follow(next);
        next += 1;
    }
    loading.files
}

struct Loading<'a> {
    files: Files,
    /// For each loaded file its path without links and detours.
    real: Vec<PathBuf>,
    seen: HashSet<(PathBuf, ScopeId)>,
    sources: &'a mut Sources,
    mistakes: &'a mut Vec<Mistake>,
}

impl Loading<'_> {
    fn add(&mut self, origin: Origin, text: String, format: Format) {
        let directory = origin.path.parent().unwrap_or(Path::new("")).to_owned();
        let real = fs::canonicalize(&origin.path).unwrap_or_else(|_| origin.path.clone());
        self.seen.insert((real.clone(), origin.scope));
        self.real.push(real);
        let source = self.sources.add(origin.path, text);
        let text = std::sync::Arc::clone(&self.sources.get(source).text);
        let document = parse(source, &text, format);
        self.mistakes.extend(document.mistakes.iter().cloned());
        let mut declarations = declare(&document, &text, self.mistakes);
        declarations.directory = directory;
        for (name, value) in std::mem::take(&mut declarations.vars) {
            if let Err(mistake) = self.files.scopes.declare(origin.scope, name, value) {
                self.mistakes.push(mistake);
            }
        }
        self.files.loaded.push(Loaded {
            declarations,
            scope: origin.scope,
            by: origin.by,
        });
    }

    /// Loads what a file includes.
    fn follow(&mut self, by: usize) {
        let includes = std::mem::take(&mut self.files.loaded[by].declarations.includes);
        for include in includes {
            let path = self.files.loaded[by]
                .declarations
                .directory
                .join(&include.path.text);
            let outer = self.files.loaded[by].scope;
            let scope = match &include.namespace {
                None => outer,
                Some(namespace) => {
                    let prefix = format!("{}{}:", self.files.scopes.prefix(outer), namespace.text);
                    self.files.scopes.scope(&prefix, Some(outer))
                }
            };
            let origin = Origin {
                path,
                scope,
                by: Some(by),
            };
            if self.include(origin, &include.path, by).is_none() {
                // What is in it is not known, so nothing can be said to be missing.
                self.files.loaded[by].declarations.incomplete = true;
            }
        }
    }

    fn include(&mut self, origin: Origin, named: &Text, by: usize) -> Option<()> {
        if let Ok(real) = fs::canonicalize(&origin.path) {
            if let Some(title) = self.cycle(&real, by) {
                self.mistakes.push(Mistake::new(named.spot, title));
                return None;
            }
            if self.seen.contains(&(real, origin.scope)) {
                return Some(());
            }
        }
        if self.files.loaded.len() >= FILES {
            let title = format!("more than {FILES} files are included");
            self.mistakes.push(Mistake::new(named.spot, title));
            return None;
        }
        let read = included_text(&origin.path).and_then(|text| {
            let format = format::recognise(&origin.path, &text)?;
            Ok((text, format))
        });
        match read {
            Ok((text, format @ (Format::Toml | Format::Yaml))) => {
                self.add(origin, text, format);
                Some(())
            }
            Ok((_, format)) => {
                let title = format!(
                    "`{}` is {format}, which cannot be included",
                    shown(&origin.path)
                );
                let mistake = Mistake::new(named.spot, title);
                self.mistakes
                    .push(mistake.help("only files of tasks in TOML or YAML can"));
                None
            }
            Err(problem) => {
                let title = format!("`{}` cannot be included: {}", problem.file, problem.what);
                self.mistakes
                    .push(Mistake::new(named.spot, title).help(problem.remedy));
                None
            }
        }
    }

    /// What is said if a file includes itself through others.
    fn cycle(&self, real: &Path, by: usize) -> Option<String> {
        let name = |file: usize| {
            let first = self.files.loaded[file].declarations.directory.as_path();
            let name = self.real[file].file_name().unwrap_or_default();
            format!("`{}`", shown(&first.join(name)))
        };
        let mut path = Vec::new();
        let mut next = Some(by);
        while let Some(file) = next {
            path.push(name(file));
            if self.real[file] == real {
                path.reverse();
                path.push(name(file));
                let path = path.join(" includes ");
                return Some(format!("files include each other in a cycle: {path}"));
            }
            next = self.files.loaded[file].by;
        }
        None
    }
}

fn parse(source: u32, text: &str, format: Format) -> Document<'_> {
    match format {
        Format::Yaml => yaml::parse(source, text),
        _ => toml::parse(source, text),
    }
}

/// The text of a file that another one names. A pipe or a device is none: it might never end.
pub(super) fn included_text(path: &Path) -> Result<String, Problem> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => Err(Problem::with_file(
            path,
            "this is not a regular file",
            "include files only",
        )),
        _ => text_of(path),
    }
}

/// The text of a file.
pub(super) fn text_of(path: &Path) -> Result<String, Problem> {
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
            "save the file as UTF-8; no other encoding is read",
        )
    })
}
