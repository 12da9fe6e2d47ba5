//! Where unsafe code may stand: in the files of one list, and nowhere else.

use super::code::has_word;
use super::manifests::forbids_unsafe_code;
use super::tree::{File, Tree};
use super::{Finding, entries};

/// The files with unsafe code, one a line, each with its reason as a remark.
pub(crate) const UNSAFE_FILES: &str = "xtask/unsafe-files.txt";

const FORBID: &str = "#![forbid(unsafe_code)]";
const DENY: &str = "#![deny(unsafe_code)]";

/// Every file with unsafe code is on the list, and every file on it has some.
pub(super) fn only_in_named_files(tree: &Tree) -> Vec<Finding> {
    let named: Vec<_> = named_files(tree).collect();
    let mut findings = Vec::new();
    for file in tree.rust() {
        let listed = named.iter().any(|(_, path)| *path == file.path);
        if let (Some(line), false) = (first_unsafe_line(file), listed) {
            let message = format!("unsafe code in a file that {UNSAFE_FILES} does not name");
            findings.push(Finding::new(&file.path, line, message));
        }
    }
    for (line, path) in named {
        if tree.file(path).and_then(first_unsafe_line).is_none() {
            let message = format!("`{path}` has no unsafe code any more");
            findings.push(Finding::new(UNSAFE_FILES, line, message));
        }
    }
    findings
}

/// A crate's root forbids unsafe code, if its manifest does not, or denies it where
/// a file of the crate is on the list: `forbid` could not be lifted for that file.
pub(super) fn roots_refuse_it(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let Some(package) = package_of_root(&file.path) else {
            continue;
        };
        let excepted = named_files(tree).any(|(_, path)| path.starts_with(package));
        let wanted = if excepted { DENY } else { FORBID };
        let has = |attribute: &str| file.text.lines().any(|line| line.trim() == attribute);
        let manifest = tree.file(&format!("{package}Cargo.toml"));
        let forbidden = manifest.is_some_and(|file| forbids_unsafe_code(&file.text));
        if !(forbidden || has(wanted) || has(FORBID)) {
            findings.push(Finding::new(&file.path, 0, format!("lacks `{wanted}`")));
        }
    }
    findings
}

fn named_files(tree: &Tree) -> impl Iterator<Item = (usize, &str)> {
    tree.file(UNSAFE_FILES)
        .into_iter()
        .flat_map(|file| entries(&file.text))
}

fn first_unsafe_line(file: &File) -> Option<usize> {
    let index = file
        .code()
        .iter()
        .position(|line| has_word(line, "unsafe"))?;
    Some(index + 1)
}

/// The folder, with its slash, of the package whose library or program starts
/// in this file.
fn package_of_root(path: &str) -> Option<&str> {
    let end = path.rfind("src/")?;
    let file = &path[end + "src/".len()..];
    let is_program = file
        .strip_prefix("bin/")
        .is_some_and(|name| !name.contains('/'));
    (file == "lib.rs" || file == "main.rs" || is_program).then_some(&path[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: (&str, &str) = (UNSAFE_FILES, "crates/a/src/slab.rs # slots\n");

    fn check(rule: fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)], expected: &[&str]) {
        let found = rule(&Tree::of(files));
        let paths: Vec<&str> = found.iter().map(|finding| finding.path.as_str()).collect();
        assert_eq!(paths, expected);
    }

    #[test]
    fn unsafe_code_in_a_file_that_is_not_named_is_found() {
        let hidden = ("crates/b/src/ring.rs", "fn a() { unsafe { b() } }\n");
        check(only_in_named_files, &[hidden], &["crates/b/src/ring.rs"]);
    }

    #[test]
    fn a_named_file_may_have_it() {
        let named = ("crates/a/src/slab.rs", "unsafe impl Sync for A {}\n");
        check(only_in_named_files, &[LIST, named], &[]);
    }

    #[test]
    fn a_name_without_unsafe_code_is_found() {
        check(only_in_named_files, &[LIST], &[UNSAFE_FILES]);
        check(
            only_in_named_files,
            &[LIST, ("crates/a/src/slab.rs", "fn a() {}\n")],
            &[UNSAFE_FILES],
        );
    }

    #[test]
    fn the_lint_and_the_word_in_prose_are_not_unsafe_code() {
        let text = "#![forbid(unsafe_code)]\n// unsafe here would be wrong\n";
        check(only_in_named_files, &[("crates/b/src/lib.rs", text)], &[]);
    }

    #[test]
    fn a_root_without_the_attribute_is_found() {
        let bare = [
            ("crates/b/src/lib.rs", ""),
            ("b/src/bin/c.rs", ""),
            ("src/main.rs", ""),
        ];
        check(
            roots_refuse_it,
            &bare,
            &["crates/b/src/lib.rs", "b/src/bin/c.rs", "src/main.rs"],
        );
        check(
            roots_refuse_it,
            &[("crates/b/src/lib.rs", FORBID), ("b/src/part.rs", "")],
            &[],
        );
    }

    #[test]
    fn the_manifest_may_forbid_it_for_the_whole_package() {
        let manifest = ("b/Cargo.toml", "[lints.rust]\nunsafe_code = \"forbid\"\n");
        check(roots_refuse_it, &[manifest, ("b/src/main.rs", "")], &[]);
    }

    #[test]
    fn denying_is_enough_only_with_a_named_file() {
        check(roots_refuse_it, &[LIST, ("crates/a/src/lib.rs", DENY)], &[]);
        check(
            roots_refuse_it,
            &[LIST, ("crates/b/src/lib.rs", DENY)],
            &["crates/b/src/lib.rs"],
        );
    }
}
