//! Starting one command: what exactly is started, where, and with what.
//!
//! Standard output and error are one pipe, so what arrives stays in its order; standard input is
//! empty. The command leads a process group of its own. `std` starts it with `posix_spawn` as long
//! as nothing has to be done between fork and exec, so nothing has to.

use std::collections::HashMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, PipeReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{Access, access};
use rustix::process::Pid;

use super::words::plain_words;
use crate::taskfile::model::{Action, Variables};

/// The shell that POSIX's `system` uses, and make.
const SHELL: &str = "/bin/sh";

/// A command that runs.
#[derive(Debug)]
pub struct Started {
    /// It, and the group that it leads.
    pub pid: Pid,
    /// Where its output comes from; reading does not block.
    pub pipe: PipeReader,
}

/// Starts commands, and remembers what was found out for the ones before.
#[derive(Debug)]
pub struct Starter {
    path: Option<OsString>,
    programs: HashMap<String, PathBuf>,
    /// Directories as they are in files, and where they are; `None` for our own.
    directories: HashMap<PathBuf, Option<PathBuf>>,
    here: Option<PathBuf>,
    /// The environment brings functions of bash, whose names could be any.
    may_be_functions: bool,
}

impl Default for Starter {
    fn default() -> Self {
        let is_function = |name: &OsStr| name.as_encoded_bytes().starts_with(b"BASH_FUNC_");
        Starter {
            path: env::var_os("PATH"),
            programs: HashMap::new(),
            directories: HashMap::new(),
            here: env::current_dir().ok(),
            may_be_functions: env::vars_os().any(|(name, _)| is_function(&name)),
        }
    }
}

impl Starter {
    /// Starts this in that directory, with this added to the environment.
    ///
    /// # Errors
    ///
    /// In words: what could not be started and why.
    pub fn start(
        &mut self,
        action: &Action,
        env: &Variables,
        directory: &Path,
    ) -> Result<Started, String> {
        let place = self.place(directory);
        let started = match action {
            Action::Nothing => self.shell(":", env, place.as_deref()),
            Action::Exec(arguments) => self.program(arguments, env, place.as_deref()),
            Action::Shell(text) => match self.without_shell(text, env, place.as_deref()) {
                Some(started) => Ok(started),
                None => self.shell(text, env, place.as_deref()),
            },
        };
        started.map_err(|error| explain(action, place.as_deref(), &error))
    }

    /// Where a directory is, unless we are in it.
    fn place(&mut self, directory: &Path) -> Option<PathBuf> {
        if directory.as_os_str().is_empty() {
            return None;
        }
        if let Some(known) = self.directories.get(directory) {
            return known.clone();
        }
        let Ok(found) = directory.canonicalize() else {
            // Perhaps a task is about to make it.
            return Some(directory.to_owned());
        };
        let is_here = self.here.as_deref() == Some(&found);
        let place = (!is_here).then_some(found);
        self.directories.insert(directory.to_owned(), place.clone());
        place
    }

    fn shell(&self, text: &str, env: &Variables, place: Option<&Path>) -> io::Result<Started> {
        let mut command = Command::new(SHELL);
        command.arg0("sh").arg("-c").arg(text);
        spawn(command, env, place)
    }

    /// Starts text that no shell need read; `None` if that cannot be done, for whatever reason: the
    /// shell will do it, or say in its own words why not.
    fn without_shell(
        &mut self,
        text: &str,
        env: &Variables,
        place: Option<&Path>,
    ) -> Option<Started> {
        let words = plain_words(text).filter(|_| !self.may_be_functions)?;
        let program = self.find(words[0], env)?;
        let mut command = Command::new(program);
        command.arg0(words[0]).args(&words[1..]);
        spawn(command, env, place).ok()
    }

    fn program(
        &mut self,
        arguments: &[String],
        env: &Variables,
        place: Option<&Path>,
    ) -> io::Result<Started> {
        let name = arguments.first().map_or("", String::as_str);
        let Some(program) = self.find(name, env) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let mut command = Command::new(program);
        command.arg0(name).args(arguments.iter().skip(1));
        spawn(command, env, place)
    }

    /// The program of this name, looked for as a shell does. In a path with entries that depend on
    /// the directory nothing is looked for.
    fn find(&mut self, name: &str, env: &Variables) -> Option<PathBuf> {
        if name.contains('/') {
            return Some(name.into());
        }
        let own = env.iter().rev().find(|(key, _)| key == "PATH");
        if let Some((_, path)) = own {
            return find_in(path.as_ref(), name);
        }
        if let Some(known) = self.programs.get(name) {
            return Some(known.clone());
        }
        let found = find_in(self.path.as_deref()?, name)?;
        self.programs.insert(name.to_owned(), found.clone());
        Some(found)
    }
}

fn find_in(path: &OsStr, name: &str) -> Option<PathBuf> {
    let directories: Vec<PathBuf> = env::split_paths(path).collect();
    if name.is_empty() || !directories.iter().all(|directory| directory.is_absolute()) {
        return None;
    }
    let programs = directories
        .into_iter()
        .map(|directory| directory.join(name));
    programs
        .into_iter()
        .find(|program| access(program, Access::EXEC_OK).is_ok() && program.is_file())
}

fn spawn(mut command: Command, env: &Variables, place: Option<&Path>) -> io::Result<Started> {
    let (pipe, writer) = io::pipe()?;
    rustix::io::ioctl_fionbio(&pipe, true)?;
    if let Some(place) = place {
        command.current_dir(place).env("PWD", place);
    }
    #[cfg(target_os = "linux")]
    let _may_be_started = super::guard::starting();
    let child = command
        .envs(env.iter().map(|(name, value)| (name, value)))
        .stdin(empty())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0)
        .spawn()?;
    // It is waited for together with all others. The command holds our writing ends; dropping it
    // here lets the pipe end with the child.
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or(io::ErrorKind::Unsupported)?;
    Ok(Started { pid, pipe })
}

/// Standard input for a command: our own, if that is empty already.
fn empty() -> Stdio {
    #[cfg(target_os = "linux")]
    if super::guard::is_inner() {
        return Stdio::inherit();
    }
    Stdio::null()
}

fn explain(action: &Action, place: Option<&Path>, error: &io::Error) -> String {
    if let Some(directory) = place.filter(|place| !place.is_dir()) {
        let directory = crate::input::shown(directory);
        return format!("there is no directory {directory}");
    }
    match action {
        Action::Exec(arguments) if error.kind() == io::ErrorKind::NotFound => {
            let program = arguments.first().map_or("", String::as_str);
            format!("there is no program `{}`", crate::text::printable(program))
        }
        _ => error.to_string(),
    }
}
