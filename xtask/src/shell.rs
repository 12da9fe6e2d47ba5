//! Starting cargo and other programs, always from the workspace root.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};

/// The crate that is published; every rule about "the library" means this one.
pub(crate) const LIBRARY: &str = "adaptive-task-scheduler";

/// Where the library's package lies.
pub(crate) const LIBRARY_FOLDER: &str = "crates/adaptive-task-scheduler";

/// Why a command ended without having done what was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The arguments make no sense.
    Usage(String),
    /// The work was tried and failed.
    Failed(String),
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::Failed(message) => f.write_str(message),
        }
    }
}

/// Runs programs in the workspace root.
#[derive(Debug)]
pub(crate) struct Shell {
    root: PathBuf,
}

impl Shell {
    pub(crate) fn at_workspace_root() -> Self {
        // Cargo says at run time where the package lies. The path fixed at
        // compile time is only for a binary started by hand.
        let package = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = package
            .parent()
            .map_or_else(|| package.clone(), Path::to_path_buf);
        Self { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A folder inside the target directory, wherever that has been put.
    pub(crate) fn target_folder(&self, name: &str) -> PathBuf {
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
        self.root.join(target).join(name)
    }

    /// The cargo that started us, so that a `+toolchain` is kept.
    pub(crate) fn cargo<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.root);
        command
    }

    /// Cargo of another toolchain, which only rustup can find.
    pub(crate) fn cargo_of<const N: usize>(
        &self,
        toolchain: &str,
        arguments: [&str; N],
    ) -> Command {
        let mut command = Command::new("rustup");
        command
            .args(["run", toolchain, "cargo"])
            .args(arguments)
            .current_dir(&self.root);
        // Left in place, these would point the other cargo back to our own compiler.
        for inherited in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN"] {
            command.env_remove(inherited);
        }
        command
    }

    /// Runs a program whose output the user sees.
    pub(crate) fn run(&self, mut command: Command) -> Result<(), Failure> {
        eprintln!("    $ {}", in_words(&command));
        let status = command
            .status()
            .map_err(|error| not_started(&command, &error))?;
        succeeded(&command, status)
    }

    /// Runs a program for what it writes to its standard output.
    pub(crate) fn capture(&self, mut command: Command) -> Result<String, Failure> {
        command.stderr(Stdio::inherit());
        let output = command
            .output()
            .map_err(|error| not_started(&command, &error))?;
        succeeded(&command, output.status)?;
        String::from_utf8(output.stdout)
            .map_err(|_| Failure::failed(format!("{} did not write UTF-8", in_words(&command))))
    }

    /// Whether a program starts and ends well; its output is of no interest.
    pub(crate) fn works(&self, mut command: Command) -> bool {
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }
}

/// Adds flags to those that the user has put into the environment.
pub(crate) fn add_flags(command: &mut Command, variable: &str, flags: &str) {
    let flags = match env::var(variable) {
        Ok(present) if !present.trim().is_empty() => format!("{present} {flags}"),
        _ => flags.to_owned(),
    };
    command.env(variable, flags);
}

fn in_words(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_stem()
        .unwrap_or_default();
    let arguments = command
        .get_args()
        .map(|argument| argument.to_string_lossy());
    let words = std::iter::once(program.to_string_lossy()).chain(arguments);
    words.collect::<Vec<_>>().join(" ")
}

fn not_started(command: &Command, error: &std::io::Error) -> Failure {
    Failure::failed(format!("could not start `{}`: {error}", in_words(command)))
}

fn succeeded(command: &Command, status: ExitStatus) -> Result<(), Failure> {
    if status.success() {
        Ok(())
    } else {
        Err(Failure::failed(format!(
            "`{}` ended with {status}",
            in_words(command)
        )))
    }
}
