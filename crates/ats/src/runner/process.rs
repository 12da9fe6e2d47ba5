//! One attempt at one command: started, listened to, waited for, and stopped if need be.
//!
//! Standard output and error are one pipe, so what arrives stays in its order. The attempt ends
//! with the command, not with the pipe: what it left running in the background may hold the pipe
//! open for ever, and gets only a moment longer to say its last words.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::group::Group;
use super::output::Output;
use super::stop::{Level, Stop};
use crate::taskfile::model::{Action, Variables};
use crate::text;

/// How long after a command's end its output may still arrive.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// All that is needed to start a command.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// What to start.
    pub action: Action,
    /// Added to the environment, the last of equal names wins.
    pub env: Variables,
    /// Where it runs; empty for here.
    pub directory: PathBuf,
    /// How long it may take.
    pub timeout: Option<Duration>,
}

/// How an attempt ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ending {
    /// With exit code 0.
    Success,
    /// With another exit code.
    ExitCode(i32),
    /// By a signal that was not ours.
    Signal(i32),
    /// Stopped by us after this time.
    TimedOut(Duration),
    /// Stopped by us because the run was.
    Stopped,
    /// It never started, or the system lost it.
    Broken(String),
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Success => write!(f, "done"),
            Ending::ExitCode(code) => write!(f, "exit code {code}"),
            Ending::Signal(number) => write!(f, "killed by signal {number}"),
            Ending::TimedOut(limit) => write!(f, "timed out after {}", text::duration(*limit)),
            Ending::Stopped => write!(f, "stopped"),
            Ending::Broken(why) => write!(f, "could not be run: {why}"),
        }
    }
}

impl From<ExitStatus> for Ending {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(0), _) => Ending::Success,
            (Some(code), _) => Ending::ExitCode(code),
            (None, Some(number)) => Ending::Signal(number),
            (None, None) => Ending::Broken("it ended in an unknown way".into()),
        }
    }
}

/// Runs a command once, adding what it prints to `output`.
pub async fn attempt(recipe: &Recipe, output: &mut Output, stop: &Stop) -> Ending {
    if recipe.action == Action::Nothing {
        return Ending::Success;
    }
    let (mut child, pipe) = match start(recipe) {
        Ok(started) => started,
        Err(error) => return Ending::Broken(explain(recipe, &error)),
    };
    let mut filling = pin!(output.fill(pipe));
    let mut ending = pin!(supervise(&mut child, recipe.timeout, stop));
    tokio::select! {
        ending = &mut ending => {
            let _ = timeout(LAST_WORDS, filling).await;
            ending
        }
        () = &mut filling => ending.await,
    }
}

fn start(recipe: &Recipe) -> io::Result<(Child, pipe::Receiver)> {
    let (reader, writer) = io::pipe()?;
    let mut command = command(&recipe.action);
    command
        .envs(recipe.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0)
        .kill_on_drop(true);
    if !recipe.directory.as_os_str().is_empty() {
        command.current_dir(&recipe.directory);
    }
    let pipe = pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?;
    // The command holds our writing ends; dropping it here lets the pipe end with the child.
    Ok((command.spawn()?, pipe))
}

fn command(action: &Action) -> Command {
    let mut command = match action {
        Action::Exec(arguments) if !arguments.is_empty() => Command::new(&arguments[0]),
        _ => Command::new("sh"),
    };
    match action {
        Action::Exec(arguments) => command.args(arguments.iter().skip(1)),
        Action::Shell(text) => command.arg("-c").arg(text),
        Action::Nothing => command.arg("-c").arg(":"),
    };
    command
}

fn explain(recipe: &Recipe, error: &io::Error) -> String {
    if !recipe.directory.as_os_str().is_empty() && !recipe.directory.is_dir() {
        let directory = crate::input::shown(&recipe.directory);
        return format!("there is no directory {directory}");
    }
    error.to_string()
}

async fn supervise(child: &mut Child, limit: Option<Duration>, stop: &Stop) -> Ending {
    let group = Group::led_by(child);
    let ending = tokio::select! {
        // What has ended by itself was not stopped, even if both are true at once.
        biased;
        status = child.wait() => {
            return status.map_or_else(|error| Ending::Broken(error.to_string()), Ending::from);
        }
        () = stop.reached(Level::Gently) => Ending::Stopped,
        limit = elapsed(limit) => Ending::TimedOut(limit),
    };
    group.end(child, stop).await;
    ending
}

/// Returns the limit once it is over, never if there is none.
async fn elapsed(limit: Option<Duration>) -> Duration {
    match limit {
        Some(limit) => {
            tokio::time::sleep(limit).await;
            limit
        }
        None => std::future::pending().await,
    }
}
