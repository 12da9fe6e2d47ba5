//! The other programs that are measured: finds them beside this one, and has
//! Cargo build those of the project.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The folder of this workspace, where it was when this program was built.
const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// A path that is given as it is seen from this workspace.
pub(crate) fn from_here(path: &str) -> PathBuf {
    Path::new(HERE).join(path)
}

/// The project's command line program.
pub(crate) fn ats() -> Result<PathBuf, String> {
    built("../Cargo.toml", "ats", "ats")
}

/// Has Cargo build a program of this repository in release mode, which does
/// nothing where it is built already, and gives its path.
pub(crate) fn built(manifest: &str, package: &str, name: &str) -> Result<PathBuf, String> {
    let manifest = from_here(manifest);
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--release", "--quiet", "--message-format=json"])
        .args(["--package", package, "--bin", name])
        .arg("--manifest-path")
        .arg(&manifest)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo could not be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo could not build {name}"));
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    executable(&messages, name).ok_or_else(|| format!("cargo built no program {name}"))
}

/// The path of a program in what Cargo says while it builds.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

/// The path of a program that a shell would find.
pub(crate) fn found(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::executable;

    #[test]
    fn a_program_is_found_among_libraries() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"ats"},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"ats"},"executable":"target/ats"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        assert_eq!(
            executable(messages, "ats").as_deref(),
            Some(Path::new("target/ats"))
        );
        assert_eq!(executable(messages, "cargo"), None);
    }
}
