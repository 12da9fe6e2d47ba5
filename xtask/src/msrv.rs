//! Building with the oldest Rust that the root manifest promises to support.

use std::fs;

use crate::shell::{Failure, Shell};

pub(crate) fn run(shell: &Shell) -> Result<(), Failure> {
    let manifest = fs::read_to_string(shell.root().join("Cargo.toml"))
        .map_err(|error| Failure::failed(format!("Cargo.toml: {error}")))?;
    let version = stated(&manifest)
        .ok_or_else(|| Failure::failed("Cargo.toml states no rust-version for the workspace"))?;
    if !shell.works(shell.cargo_of(version, ["--version"])) {
        return Err(Failure::failed(format!(
            "Rust {version} is not installed; `rustup toolchain install {version}` brings it"
        )));
    }
    let arguments = ["check", "--workspace", "--all-targets", "--all-features"];
    let mut cargo = shell.cargo_of(version, arguments);
    cargo.env("CARGO_TARGET_DIR", shell.target_folder("msrv"));
    shell.run(cargo)
}

fn stated(manifest: &str) -> Option<&str> {
    let line = manifest
        .lines()
        .find(|line| line.starts_with("rust-version"))?;
    line.split('"').nth(1)
}

#[cfg(test)]
mod tests {
    use super::stated;

    #[test]
    fn the_version_is_read_from_the_manifest() {
        assert_eq!(
            stated("[workspace.package]\nrust-version = \"1.88\"\n"),
            Some("1.88")
        );
        assert_eq!(stated("[workspace]\n"), None);
    }
}
