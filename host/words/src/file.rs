//! Files: what they hold, as TOML or as a digest, how they are written whole, and why that failed.

use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::{Error, Result};

/// Reads TOML text. An error is one line with the place, the line there and what was wrong.
pub fn from_toml<T: DeserializeOwned>(place: impl Display, text: &str) -> Result<T> {
    toml::from_str(text).map_err(|e| {
        let start = e.span().map_or(0, |span| span.start);
        let line = 1 + text.bytes().take(start).filter(|b| *b == b'\n').count();
        let message: Vec<_> = e.message().split_whitespace().collect();
        Error::invalid(format!("{place}:{line}: {}", message.join(" ")))
    })
}

/// The SHA-256 digest of some bytes, in hexadecimal digits.
pub fn digest(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// An error of the file system.
pub fn io(path: &Path, error: &std::io::Error) -> Error {
    Error::internal(format!("{}: {error}", path.display()))
}

/// Removes what a write left that did not come to its end: the daemon was killed.
pub fn remove_parts(folder: &Path) {
    let is_part = |path: &PathBuf| path.extension().is_some_and(|e| e.to_string_lossy().starts_with("part"));
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for part in entries.map(|e| e.path()).filter(is_part) {
        let _ = std::fs::remove_file(part);
    }
}

/// Makes a folder that only its owner can enter.
pub fn make_private(folder: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| io(folder, &e))
}

/// Writes a file so that it is there whole or not at all, also after a power cut.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    // A name of its own: the same component can be on its way under several names.
    let part = path.with_extension(format!("part{}", WRITES.fetch_add(1, Ordering::Relaxed)));
    let write = || {
        let mut file = std::fs::File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&part, path)
    };
    write().map_err(|e: std::io::Error| {
        let _ = std::fs::remove_file(&part);
        io(path, &e)
    })
}
