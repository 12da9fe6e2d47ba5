//! Links between the project's pages lead somewhere.

use super::Finding;
use super::tree::{File, Tree};

pub(super) fn links_resolve(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for page in tree
        .files()
        .iter()
        .filter(|file| file.path.ends_with(".md"))
    {
        for (number, line) in prose(page) {
            for target in targets(line) {
                if let Some(message) = problem(tree, page, target) {
                    findings.push(Finding::new(&page.path, number, message));
                }
            }
        }
    }
    findings
}

/// The lines outside fenced blocks.
fn prose(page: &File) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    page.lines().filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// What the links of a line point to: `[text](target)` and `[name]: target`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let inline = line.match_indices("](").filter_map(move |(at, opening)| {
        let inside_code = line[..at].matches('`').count() % 2 == 1;
        let rest = &line[at + opening.len()..];
        (!inside_code).then(|| &rest[..closing(rest)])
    });
    let definition = line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]: "));
    let defined = definition.map(|(_, target)| target);
    let all = inline
        .chain(defined)
        .filter_map(|target| target.split_whitespace().next());
    all.map(|target| target.trim_start_matches('<').trim_end_matches('>'))
}

/// Where the parenthesis that is already open closes.
fn closing(rest: &str) -> usize {
    let mut depth = 1;
    for (at, character) in rest.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn problem(tree: &Tree, page: &File, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = match target.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor)),
        None => (target, None),
    };
    let resolved = if path.is_empty() {
        Some(page.path.clone())
    } else {
        join(&page.path, path)
    };
    let Some(resolved) = resolved.filter(|path| tree.has(path)) else {
        return Some(format!("link to `{target}`, which is not in the project"));
    };
    let destination = tree
        .file(&resolved)
        .filter(|file| file.path.ends_with(".md"))?;
    let missing = anchor.filter(|anchor| !anchors(destination).any(|known| known == *anchor))?;
    Some(format!(
        "link to `{target}`, but {resolved} has no heading `#{missing}`"
    ))
}

/// Resolves a link relative to the page that it stands in; nothing above the
/// root can be resolved.
fn join(page: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()?),
            // A leading slash means the root of the web site, not of the project.
            "" if parts.is_empty() => return None,
            "" => {}
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// The anchors that a forge derives from a page's headings.
fn anchors(page: &File) -> impl Iterator<Item = String> {
    prose(page)
        .filter(|(_, line)| line.starts_with('#'))
        .map(|(_, line)| {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let kept = heading
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUIDE: (&str, &str) = ("docs/guide.md", "# The guide\n\n## Why, and `when`?\n");

    fn check(page: &str, text: &str, expected: usize) {
        let tree = Tree::of(&[GUIDE, ("LICENSE", ""), (page, text)]);
        assert_eq!(links_resolve(&tree).len(), expected, "{text}");
    }

    #[test]
    fn links_to_files_that_are_there_resolve() {
        check(
            "README.md",
            "[a](docs/guide.md), [b](docs) and ![c](./LICENSE)",
            0,
        );
        check(
            "docs/other.md",
            "[a](guide.md) [b](../LICENSE) [c](../docs/guide.md)",
            0,
        );
        check("README.md", "[guide]: docs/guide.md", 0);
    }

    #[test]
    fn links_to_nothing_are_found() {
        check("README.md", "[a](docs/missing.md) and [b](guide.md)", 2);
        check("README.md", "[guide]: docs/missing.md", 1);
        check(
            "README.md",
            "[outside](../elsewhere.md) [absolute](/LICENSE)",
            2,
        );
    }

    #[test]
    fn anchors_are_headings() {
        check(
            "README.md",
            "# Top\n[a](docs/guide.md#why-and-when) [b](#top)",
            0,
        );
        check("README.md", "# Top\n[a](docs/guide.md#how) [b](#bottom)", 2);
    }

    #[test]
    fn what_leads_outside_or_is_code_is_left_alone() {
        check(
            "README.md",
            "[a](https://example.org/x) [b](mailto:a@example.org)",
            0,
        );
        check(
            "README.md",
            "```rust\nlet a = [b](missing);\n```\n`[c](missing)`",
            0,
        );
    }

    #[test]
    fn a_path_with_parentheses_is_read_whole() {
        assert_eq!(
            targets("[a](b(c).md) and more").collect::<Vec<_>>(),
            ["b(c).md"]
        );
    }
}
