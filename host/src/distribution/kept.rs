//! What was pulled, kept by digest, so that it is there where no registry is. The digest is computed at every read: a file's name proves nothing.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::layout::named;
use super::reference::{Reference, is_digest};
use crate::driver::cache::{make_room, touch, users_folder};
use words::file::{digest, io, make_private, open_own, open_trusted, write_whole};
use words::limit::COMPONENT;
use words::{Error, Result};

/// Bytes that are kept: what was not used for the longest time leaves first.
const MOST: u64 = 1 << 30;

/// The folder.
pub struct Kept {
    folder: PathBuf,
}

/// A download that has begun, and is nobody else's while this is there.
pub struct Part {
    /// Where it is written.
    pub file: File,
    /// What was there.
    pub bytes: Vec<u8>,
    path: PathBuf,
}

impl Kept {
    /// That of whoever runs this, beside their compiled code.
    pub fn of_user() -> Result<Self> {
        let folder = users_folder().map_err(|e| e.context("what is pulled can't be kept"))?;
        Self::at(&folder.join("oci"))
    }

    /// One in a folder, which is made.
    pub fn at(folder: &Path) -> Result<Self> {
        for name in ["blobs", "parts", "tags"] {
            make_private(&folder.join(name))?;
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// What has this digest (`sha256:…`), if it is there and whole.
    pub fn blob(&self, digest: &str) -> Option<Vec<u8>> {
        let path = self.path("blobs", digest)?;
        let file = open_trusted(&path).ok()?;
        let mut bytes = Vec::new();
        (&file).take(COMPONENT as u64 + 1).read_to_end(&mut bytes).ok()?;
        if named(&bytes) != digest {
            // It is asked for again.
            let _ = std::fs::remove_file(&path);
            return None;
        }
        touch(&file);
        Some(bytes)
    }

    /// Keeps bytes, and answers their digest.
    pub fn keep(&self, bytes: &[u8]) -> Result<String> {
        let digest = named(bytes);
        if let Some(path) = self.path("blobs", &digest) {
            write_whole(&path, bytes)?;
        }
        make_room(&self.folder.join("blobs"), MOST);
        Ok(digest)
    }

    /// Which manifest a tag was of when it was asked for last.
    pub fn tagged(&self, reference: &Reference) -> Option<String> {
        let text = words::file::read_within(&self.tag(reference), 100).ok()?;
        String::from_utf8(text).ok().filter(|digest| is_digest(digest))
    }

    /// Notes which manifest a tag is of.
    pub fn tag_is(&self, reference: &Reference, digest: &str) -> Result<()> {
        write_whole(&self.tag(reference), digest.as_bytes())
    }

    /// What has come of a download, to go on with. Waits while another command has it.
    pub fn part(&self, digest: &str) -> Result<Part> {
        let no_digest = || Error::invalid(format!("{digest:?} is no digest that is known here: sha256 is"));
        let path = self.path("parts", digest).ok_or_else(no_digest)?;
        loop {
            let mut file = open_own(&path).map_err(|e| io(&path, &e))?;
            rustix::fs::flock(&file, FlockOperation::LockExclusive).map_err(|e| io(&path, &e.into()))?;
            // Whoever had it may have removed it.
            let is_there = |file: &File| Some(same(&file.metadata().ok()?, &path.metadata().ok()?));
            if is_there(&file) != Some(true) {
                continue;
            }
            let mut bytes = Vec::new();
            open_trusted(&path)
                .and_then(|read| read.take(COMPONENT as u64 + 1).read_to_end(&mut bytes))
                .map_err(|e| io(&path, &e))?;
            file.seek(SeekFrom::End(0)).map_err(|e| io(&path, &e))?;
            return Ok(Part { file, bytes, path });
        }
    }

    fn path(&self, kind: &str, digest: &str) -> Option<PathBuf> {
        is_digest(digest).then(|| self.folder.join(kind).join(digest.replace(':', "-")))
    }

    /// Tags are kept by the digest of their text: a repository's name has slashes.
    fn tag(&self, reference: &Reference) -> PathBuf {
        let tag = format!("{}:{}", reference.repository(), reference.tag().unwrap_or_default());
        self.folder.join("tags").join(digest(tag.as_bytes()))
    }
}

impl Part {
    /// Forgets what is there.
    pub fn begin_anew(&mut self) -> std::io::Result<()> {
        self.bytes.clear();
        self.file.set_len(0)?;
        self.file.rewind()
    }

    /// Forgets it.
    pub fn remove(self) {
        // One that stays is longer than what it is a part of, or other bytes: the next download begins anew.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn same(one: &std::fs::Metadata, other: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::at(folder.path()).unwrap();
        let digest = kept.keep(b"component").unwrap();
        assert_eq!((kept.blob(&digest).unwrap(), &*digest), (b"component".to_vec(), &*named(b"component")));
        let path = kept.path("blobs", &digest).unwrap();
        std::fs::write(&path, "komponent").unwrap();
        assert_eq!((kept.blob(&digest), path.exists()), (None, false));
        for other in ["sha256:../../etc/passwd", "sha512:00", "", &digest.to_uppercase()] {
            assert_eq!(kept.blob(other), None, "{other}");
            assert!(kept.part(other).is_err(), "{other}");
        }
    }

    #[test]
    fn a_tag_is_what_it_was_last() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::at(folder.path()).unwrap();
        let (one, two): (Reference, Reference) =
            ("oci://h:1/a/b:1".parse().unwrap(), "oci://h:1/a/b:2".parse().unwrap());
        let digests = [named(b"1"), named(b"2")];
        assert_eq!(kept.tagged(&one), None);
        digests.iter().for_each(|digest| kept.tag_is(&one, digest).unwrap());
        assert_eq!((kept.tagged(&one), kept.tagged(&two)), (Some(digests[1].clone()), None));
        kept.tag_is(&two, "anything").unwrap();
        assert_eq!(kept.tagged(&two), None);
    }

    #[test]
    fn a_part_is_one_commands_at_a_time() {
        use std::io::Write;
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::at(folder.path()).unwrap();
        let digest = named(b"whole");
        let mut part = kept.part(&digest).unwrap();
        part.file.write_all(b"who").unwrap();
        let other = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| kept.part(&digest).unwrap().bytes);
            std::thread::sleep(std::time::Duration::from_millis(50));
            assert!(!waiting.is_finished());
            drop(part);
            waiting.join().unwrap()
        });
        assert_eq!(other, b"who");
        kept.part(&digest).unwrap().remove();
        assert_eq!(kept.part(&digest).unwrap().bytes, b"");
    }
}
