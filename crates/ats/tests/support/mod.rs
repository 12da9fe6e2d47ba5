//! Starting the program as a user does, and looking at what it did.

#![allow(dead_code, reason = "each test file uses its own part")]

#[cfg(unix)]
pub(crate) mod running;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What a finished run of the program left.
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "\nstdout:\n{}\nstderr:\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// Both streams are free of escape codes, as they must be when nobody looks.
    #[track_caller]
    pub(crate) fn expect_plain(self) -> Self {
        assert!(!self.stdout.contains('\u{1b}'), "{}", self.stdout);
        assert!(!self.stderr.contains('\u{1b}'), "{}", self.stderr);
        self
    }
}

impl From<Output> for Finished {
    fn from(output: Output) -> Self {
        Finished {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// The program, with both its streams caught.
pub(crate) fn ats<A: AsRef<std::ffi::OsStr>>(arguments: &[A]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ats"));
    command
        .args(arguments)
        .env_remove("RUST_BACKTRACE")
        .env_remove("COLUMNS")
        .env_remove("CLICOLOR_FORCE")
        // Nothing that a test teaches is for whoever runs the tests.
        .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs the program to its end.
pub(crate) fn finish(mut command: Command) -> Finished {
    command.output().expect("ats could not be started").into()
}

/// A directory of its own for a test, with one file in it.
pub(crate) struct Place {
    directory: tempfile::TempDir,
    file: PathBuf,
}

impl Place {
    pub(crate) fn with(name: &str, content: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory for the test");
        let file = directory.path().join(name);
        fs::write(&file, content).expect("the test's file");
        Place { directory, file }
    }

    pub(crate) fn file(&self) -> &str {
        self.file.to_str().expect("a path in UTF-8")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }
}
