//! What kind of file it is: by the end of its name, or by what it begins with.

use std::fmt;
use std::path::Path;

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
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Toml => "a file of tasks in TOML",
            Format::Yaml => "a file of tasks in YAML",
            Format::Ninja => "a Ninja file",
        })
    }
}

/// Finds out what a file is.
///
/// # Errors
///
/// It is none of the kinds that are known.
pub fn recognise(path: &Path, _text: &str) -> Result<Format, Problem> {
    let ending = path.extension().and_then(|ending| ending.to_str());
    match ending.map(str::to_ascii_lowercase).as_deref() {
        Some("yaml" | "yml") => Ok(Format::Yaml),
        Some("ninja") => Ok(Format::Ninja),
        _ => Ok(Format::Toml),
    }
}
