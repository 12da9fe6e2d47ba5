//! Every package of the workspace takes its licence, minimum Rust version,
//! edition and lints from the workspace, so that each is stated once.

use super::Finding;
use super::tree::{File, Tree};

const INHERITED: [&str; 4] = [
    "package.license",
    "package.rust-version",
    "package.edition",
    "lints",
];

pub(super) fn inherit_from_the_workspace(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in tree.files().iter().filter(|file| is_manifest(&file.path)) {
        let settings = settings(&manifest.text);
        if !has_table(&settings, "package") || !is_in_root_workspace(tree, manifest) {
            continue;
        }
        for key in INHERITED
            .into_iter()
            .filter(|key| !inherits(&settings, key))
        {
            let message = format!("`{key}` is not inherited; write `{key}.workspace = true`");
            findings.push(Finding::new(&manifest.path, 0, message));
        }
    }
    findings
}

fn is_manifest(path: &str) -> bool {
    path == "Cargo.toml" || path.ends_with("/Cargo.toml")
}

/// A package belongs to the nearest workspace above it, itself included.
fn is_in_root_workspace(tree: &Tree, manifest: &File) -> bool {
    let mut folder = manifest.path.trim_end_matches("Cargo.toml");
    while !folder.is_empty() {
        let nearest = tree.file(&format!("{folder}Cargo.toml"));
        if nearest.is_some_and(|file| has_table(&settings(&file.text), "workspace")) {
            return false;
        }
        let parent = folder.trim_end_matches('/');
        folder = &folder[..parent.rfind('/').map_or(0, |slash| slash + 1)];
    }
    true
}

/// Each setting as its whole dotted key and its value without blanks. Tables
/// without settings appear with an empty value. This is as much TOML as the
/// manifests of this workspace use; cargo itself reads the rest.
fn settings(manifest: &str) -> Vec<(String, String)> {
    let mut table = String::new();
    let mut settings = Vec::new();
    for line in manifest.lines() {
        let line: String = line.chars().filter(|c| !c.is_whitespace()).collect();
        if let Some(header) = line
            .strip_prefix('[')
            .and_then(|rest| rest.split(']').next())
        {
            header.trim_start_matches('[').clone_into(&mut table);
            settings.push((table.clone(), String::new()));
        } else if let (Some((key, value)), false) = (line.split_once('='), line.starts_with('#')) {
            let key = if table.is_empty() {
                key.to_owned()
            } else {
                format!("{table}.{key}")
            };
            settings.push((key, value.to_owned()));
        }
    }
    settings
}

/// Whether a package's manifest forbids unsafe code in all its targets.
pub(super) fn forbids_unsafe_code(manifest: &str) -> bool {
    let wanted = ("lints.rust.unsafe_code".to_owned(), "\"forbid\"".to_owned());
    settings(manifest).contains(&wanted)
}

fn has_table(settings: &[(String, String)], table: &str) -> bool {
    let inside = format!("{table}.");
    settings
        .iter()
        .any(|(key, _)| key == table || key.starts_with(&inside))
}

fn inherits(settings: &[(String, String)], wanted: &str) -> bool {
    settings.iter().any(|(key, value)| {
        let dotted = key.strip_prefix(wanted) == Some(".workspace") && value.starts_with("true");
        dotted || (key == wanted && value.starts_with("{workspace=true}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: (&str, &str) = ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\n");
    const GOOD: &str = "[package]\nname = \"a\"\nlicense.workspace = true\n\
        rust-version = { workspace = true }\nedition.workspace = true\n\n[lints]\nworkspace = true\n";

    fn check(files: &[(&str, &str)], expected: &[&str]) {
        let found = inherit_from_the_workspace(&Tree::of(files));
        let keys: Vec<_> = found
            .iter()
            .filter_map(|f| f.message.split('`').nth(1))
            .collect();
        assert_eq!(keys, expected);
    }

    #[test]
    fn a_package_that_inherits_everything_passes() {
        check(&[ROOT, ("crates/a/Cargo.toml", GOOD)], &[]);
    }

    #[test]
    fn what_is_not_inherited_is_named() {
        let own = GOOD.replace("license.workspace = true", "license = \"MIT\"");
        check(&[ROOT, ("crates/a/Cargo.toml", &own)], &["package.license"]);
        let silent = GOOD.replace("[lints]\nworkspace = true\n", "# lints.workspace = true\n");
        check(&[ROOT, ("crates/a/Cargo.toml", &silent)], &["lints"]);
        check(
            &[ROOT, ("crates/a/Cargo.toml", "[package]\nname = \"a\"\n")],
            &INHERITED,
        );
    }

    #[test]
    fn only_forbidding_forbids() {
        assert!(forbids_unsafe_code(
            "[lints.rust]\nunsafe_code = \"forbid\"\n"
        ));
        assert!(!forbids_unsafe_code(
            "[lints.rust]\nunsafe_code = \"warn\"\n"
        ));
        assert!(!forbids_unsafe_code("[lints]\nworkspace = true\n"));
    }

    #[test]
    fn another_workspace_has_its_own_rules() {
        let bench = "[workspace]\n\n[package]\nname = \"bench\"\n";
        check(&[ROOT, ("bench/Cargo.toml", bench)], &[]);
        check(
            &[
                ROOT,
                ("bench/Cargo.toml", bench),
                ("bench/a/Cargo.toml", "[package]\n"),
            ],
            &[],
        );
    }
}
