//! Where things are kept between runs that may be lost: in the user's cache directory, by the file
//! of tasks that they are about.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The user's cache directory for this program.
#[must_use]
pub fn directory() -> Option<PathBuf> {
    // The specification has relative paths ignored.
    let absolute = |name| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let cache = absolute("XDG_CACHE_HOME").or_else(|| {
        let home = absolute("HOME")?;
        Some(if cfg!(target_os = "macos") {
            home.join("Library/Caches")
        } else {
            home.join(".cache")
        })
    });
    cache
        .or_else(|| absolute("LOCALAPPDATA"))
        .map(|cache| cache.join("ats"))
}

/// A name for what is kept about a file, the same from wherever it is looked at.
#[must_use]
pub fn name_of(source: &Path) -> Option<String> {
    let whole = fs::canonicalize(source).ok()?;
    let sum = Sha256::digest(whole.as_os_str().as_encoded_bytes());
    let bytes = sum.iter().take(16);
    Some(bytes.map(|byte| format!("{byte:02x}")).collect())
}
