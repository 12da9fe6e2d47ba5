//! What kind of file it is: by the end of its name, or by what it begins with.

use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::input::Problem;

/// The kinds of files that can be run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// Our own, in TOML.
    Toml,
    /// Our own, in YAML.
    Yaml,
    /// Of Ninja.
    Ninja,
    /// What Cargo prints of its units.
    UnitGraph,
    /// A recorded workflow run.
    WfFormat,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Toml => "a file of tasks in TOML",
            Format::Yaml => "a file of tasks in YAML",
            Format::Ninja => "a Ninja file",
            Format::UnitGraph => "a unit graph of Cargo",
            Format::WfFormat => "a WfFormat file",
        })
    }
}

/// Finds out what a file is.
///
/// # Errors
///
/// It is none of the kinds that are known.
pub fn recognise(path: &Path, text: &str) -> Result<Format, Problem> {
    let ending = path.extension().and_then(|ending| ending.to_str());
    match ending.map(str::to_ascii_lowercase).as_deref() {
        Some("toml") => Ok(Format::Toml),
        Some("yaml" | "yml") => Ok(Format::Yaml),
        Some("ninja") => Ok(Format::Ninja),
        Some("json") => json(path, text),
        _ => by_content(path, text),
    }
}

/// Where the name says nothing.
fn by_content(path: &Path, text: &str) -> Result<Format, Problem> {
    if text.trim_start().starts_with('{') {
        return json(path, text);
    }
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let is_ninja = |line: &str| line.starts_with("rule ") || line.starts_with("build ");
    if lines.clone().any(is_ninja) {
        Ok(Format::Ninja)
    } else if lines.any(|line| line.trim_end() == "tasks:" || line.starts_with("tasks: ")) {
        Ok(Format::Yaml)
    } else {
        Ok(Format::Toml)
    }
}

/// What of a JSON file tells its kind.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Outline {
    units: Option<IgnoredAny>,
    workflow: Option<IgnoredAny>,
    schema_version: Option<IgnoredAny>,
}

fn json(path: &Path, text: &str) -> Result<Format, Problem> {
    let outline = serde_json::from_str::<Outline>(text);
    match outline {
        Ok(outline) if outline.units.is_some() => Ok(Format::UnitGraph),
        Ok(outline) if outline.workflow.is_some() || outline.schema_version.is_some() => {
            Ok(Format::WfFormat)
        }
        // Whoever reads it says what is wrong.
        Err(_) if text.contains("\"units\"") => Ok(Format::UnitGraph),
        Err(_) if text.contains("\"workflow\"") => Ok(Format::WfFormat),
        _ => Err(Problem::with_file(
            path,
            "this is no kind of JSON file that can be run",
            "give a WfFormat file, or what `cargo build --unit-graph -Z unstable-options` prints",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_recognised_by_name_and_content() {
        let cases = [
            ("a.toml", "rule x", Format::Toml),
            ("a.YML", "", Format::Yaml),
            ("x.ninja", "", Format::Ninja),
            ("x", "# c\nrule r\n", Format::Ninja),
            ("x", "version: 1\ntasks:\n", Format::Yaml),
            ("x", "[tasks.a]\nrun = 'x'", Format::Toml),
            ("x", " {\"units\": []}", Format::UnitGraph),
            ("a.json", "{\"workflow\": {}}", Format::WfFormat),
            ("a.json", "{\"workflow\": {", Format::WfFormat),
        ];
        for (name, text, format) in cases {
            assert_eq!(
                recognise(Path::new(name), text),
                Ok(format),
                "{name}: {text}"
            );
        }
        assert!(recognise(Path::new("a.json"), "{\"tasks\": []}").is_err());
    }
}
