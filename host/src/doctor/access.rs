//! Who beside root can write to a path, or put something else in its place.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
/// Only the owner of what is in such a folder renames or removes it.
const STICKY: u32 = 0o1000;

/// Who can write to a path or to a folder above it; none: nobody but root.
pub fn writer(path: &Path) -> io::Result<Option<String>> {
    let found = path.metadata()?;
    if let Some(who) = writer_of(&found) {
        return Ok(Some(format!("{who} can write to {}", path.display())));
    }
    // Both as it is written and where its links lead.
    let real = path.canonicalize()?;
    for folder in path.ancestors().skip(1).chain(real.ancestors().skip(1)) {
        let above = folder.metadata()?;
        let kept = above.mode() & STICKY != 0 && above.uid() == 0;
        if let (Some(who), false) = (writer_of(&above), kept) {
            return Ok(Some(format!("{who} can replace what is in {}", folder.display())));
        }
    }
    Ok(None)
}

/// Who beside root can write to what this is of.
fn writer_of(found: &Metadata) -> Option<String> {
    match found.mode() {
        mode if mode & OTHERS_WRITE != 0 => Some("everybody".to_owned()),
        _ if found.uid() != 0 => Some(format!("the user {}", found.uid())),
        mode if mode & GROUP_WRITES != 0 && found.gid() != 0 => Some(format!("the group {}", found.gid())),
        _ => None,
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
        let says = |path: &Path| writer(path).unwrap().unwrap_or_default();
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
