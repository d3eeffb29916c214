//! Who beside root can write to a path, or put something else in its place.

use std::fmt;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
/// Only the owner of what is in such a folder renames or removes it.
const STICKY: u32 = 0o1000;

/// Somebody who can write to a path.
#[derive(Debug)]
pub struct Writer {
    /// Who.
    pub who: Who,
    /// Where: the path itself, or a folder above it, in which it can be replaced.
    at: PathBuf,
    /// It is a folder above.
    pub above: bool,
}

/// Who is not root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Every user.
    Everybody,
    /// The user of this number.
    User(u32),
    /// The group of this number.
    Group(u32),
}

/// Who can write to a path or to a folder above it; none: nobody but root.
pub fn writer(path: &Path) -> io::Result<Option<Writer>> {
    if let Some(who) = writer_of(&path.metadata()?) {
        return Ok(Some(Writer { who, at: path.to_owned(), above: false }));
    }
    // Both as it is written and where its links lead.
    let real = path.canonicalize()?;
    for folder in path.ancestors().skip(1).chain(real.ancestors().skip(1)) {
        let found = folder.metadata()?;
        let kept = found.mode() & STICKY != 0 && found.uid() == 0;
        if let (Some(who), false) = (writer_of(&found), kept) {
            return Ok(Some(Writer { who, at: folder.to_owned(), above: true }));
        }
    }
    Ok(None)
}

fn writer_of(found: &Metadata) -> Option<Who> {
    match found.mode() {
        mode if mode & OTHERS_WRITE != 0 => Some(Who::Everybody),
        _ if found.uid() != 0 => Some(Who::User(found.uid())),
        mode if mode & GROUP_WRITES != 0 && found.gid() != 0 => Some(Who::Group(found.gid())),
        _ => None,
    }
}

impl fmt::Display for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.who {
            Who::Everybody => f.write_str("everybody")?,
            Who::User(number) => write!(f, "the user {number}")?,
            Who::Group(number) => write!(f, "the group {number}")?,
        }
        let can = if self.above { "replace what is in" } else { "write to" };
        write!(f, " can {can} {}", self.at.display())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, create_dir, set_permissions};
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;

    #[test]
    fn others_are_named() {
        let root = tempfile::tempdir().unwrap();
        let (folder, inner) = (root.path().join("a"), root.path().join("a/b"));
        create_dir(&folder).unwrap();
        create_dir(&inner).unwrap();
        let says = |path: &Path| writer(path).unwrap().map(|writer| writer.to_string()).unwrap_or_default();
        let mode = |path: &Path, mode| set_permissions(path, Permissions::from_mode(mode)).unwrap();
        // The temporary folder itself is everybody's, and sticky.
        assert_eq!(says(&inner), "");
        mode(&inner, 0o777);
        assert_eq!(says(&inner), format!("everybody can write to {}", inner.display()));
        mode(&inner, 0o770);
        assert_eq!(says(&inner), "", "the group is root's");
        chown(&inner, None, Some(7)).unwrap();
        assert_eq!(says(&inner), format!("the group 7 can write to {}", inner.display()));
        chown(&inner, Some(7), Some(0)).unwrap();
        assert_eq!(says(&inner), format!("the user 7 can write to {}", inner.display()));
        chown(&inner, Some(0), None).unwrap();
        mode(&folder, 0o777);
        assert_eq!(says(&inner), format!("everybody can replace what is in {}", folder.display()));
        let link = root.path().join("link");
        symlink(&inner, &link).unwrap();
        assert!(says(&link).contains("everybody can replace"), "where the link leads");
        mode(&folder, 0o1777);
        assert_eq!(says(&inner), "");
        assert_eq!(writer(&folder.join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
