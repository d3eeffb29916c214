//! Files: what they hold, as TOML or as a digest, how they are written whole, and why that failed.

use std::fmt::Display;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read, Result as Done, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::OFlags;
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

/// Opens a file to read it, which must be a regular one: a pipe without a writer, or a device, would hold up whoever opens or reads it.
pub fn open_regular(path: &Path) -> Done<File> {
    open(path, OpenOptions::new().read(true), OFlags::empty())
}

/// Opens a file of the program's own to write it, made for its owner alone if it is not there. No symbolic link is followed, so that
/// nobody who can write to the folder chooses which file it is.
pub fn open_own(path: &Path) -> Done<File> {
    open(path, OpenOptions::new().create(true).truncate(false).write(true).mode(0o600), OFlags::NOFOLLOW)
}

/// Whether this is of the user's own, and nobody else may write to it.
pub fn is_own(metadata: &Metadata) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0
}

/// Opens a regular file to read it that nobody but this user can have written. No symbolic link is followed.
pub fn open_trusted(path: &Path) -> Done<File> {
    let file = open(path, OpenOptions::new().read(true), OFlags::NOFOLLOW)?;
    let other = || std::io::Error::new(ErrorKind::PermissionDenied, "others may have written it");
    if is_own(&file.metadata()?) { Ok(file) } else { Err(other()) }
}

fn open(path: &Path, options: &mut OpenOptions, flags: OFlags) -> Done<File> {
    let irregular = || std::io::Error::new(ErrorKind::InvalidInput, "it is not a regular file");
    // To a regular file NONBLOCK is nothing.
    let flags = (flags | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = options.custom_flags(flags).open(path).map_err(|e| match e.raw_os_error() {
        // A socket, a device without a driver, a pipe that nobody reads.
        Some(errno) if errno == rustix::io::Errno::NXIO.raw_os_error() => irregular(),
        _ => e,
    })?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(irregular()) }
}

/// Reads a regular file; of one that is larger than `most` bytes only one byte more.
pub fn read_beyond(path: &Path, most: usize) -> Done<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a regular file of at most `most` bytes.
pub fn read_within(path: &Path, most: usize) -> Done<Vec<u8>> {
    let bytes = read_beyond(path, most)?;
    if bytes.len() <= most {
        return Ok(bytes);
    }
    Err(std::io::Error::new(ErrorKind::FileTooLarge, format!("it is larger than {most} bytes")))
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
    // A name of its own: the same component can be on its way under several names, and from several processes.
    let number = (std::process::id(), WRITES.fetch_add(1, Ordering::Relaxed));
    let part = path.with_extension(format!("part{}-{}", number.0, number.1));
    let write = || {
        let options = &mut OpenOptions::new();
        let mut file = open(&part, options.create(true).truncate(true).write(true).mode(0o644), OFlags::NOFOLLOW)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&part, path)
    };
    write().map_err(|e: std::io::Error| {
        let _ = std::fs::remove_file(&part);
        io(path, &e)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_regular_files_of_a_bounded_size_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "text").unwrap();
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        assert_eq!(
            (read_within(&at("file"), 4).unwrap(), read_within(&at("link"), 4).unwrap()),
            (b"text".into(), b"text".into())
        );
        assert!(read_within(&at("file"), 3).unwrap_err().to_string().contains("larger than 3 bytes"));
        assert_eq!(read_beyond(&at("file"), 2).unwrap(), b"tex");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", at("device")).unwrap();
        std::fs::create_dir(at("folder")).unwrap();
        for irregular in ["pipe", "socket", "device", "folder"] {
            let error = read_within(&at(irregular), 100).unwrap_err();
            assert!(error.to_string().contains("not a regular file"), "{irregular}: {error}");
        }
        for irregular in ["pipe", "socket", "device", "folder", "link"] {
            assert!(open_own(&at(irregular)).is_err(), "{irregular}");
        }
        assert_eq!(std::fs::read(at("file")).unwrap(), b"text");
        // Of one's own: not what others may write, and not through a link.
        let mode = |mode| std::fs::set_permissions(at("file"), std::fs::Permissions::from_mode(mode)).unwrap();
        for (allowed, is_trusted) in [(0o644, true), (0o664, false), (0o602, false), (0o600, true)] {
            mode(allowed);
            assert_eq!(open_trusted(&at("file")).is_ok(), is_trusted, "{allowed:o}");
        }
        for irregular in ["pipe", "socket", "device", "folder", "link"] {
            assert!(open_trusted(&at(irregular)).is_err(), "{irregular}");
        }
    }
}
