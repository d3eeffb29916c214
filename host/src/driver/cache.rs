//! Compiled code, kept by the component's digest: in the daemon's state folder, or in a folder of an author's that all of their commands use.
//!
//! Compiled code is trusted by whoever runs it, and a flipped byte in it runs too. So a file counts only if nobody but this user can have
//! written it, and if the line at its end names this component, what can run the code, and the hash of the very bytes that are about to run.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::compile::{Compiler, OUTPUT};
use super::pack::without_manifest;
use words::file::{digest, io, is_own, make_private, open_trusted, remove_parts, write_whole};
use words::{Error, Result};

/// Bytes that an author's folder holds: those of some fifteen components in Python, or hundreds in Rust.
const MOST: u64 = 1 << 30;

/// Bytes of the line at a file's end.
const SEAL: usize = HEAD + 1 + 64;

/// Those of its part before the hash.
const HEAD: usize = "compiled ".len() + 16 + 1 + 64;

/// Compiled code by the component's digest.
pub struct Cache {
    folder: PathBuf,
    compiler: Compiler,
    /// What its code can be run by; other code is compiled again.
    compatible: String,
    /// Others use it as well: what was not used for the longest time leaves when it is full.
    is_shared: bool,
}

impl Cache {
    /// A daemon's own, in `folder`, which is made for root alone.
    pub fn new(folder: PathBuf, compiler: Compiler) -> Result<Self> {
        make_private(&folder)?;
        Ok(Self { folder, compiler, compatible: engine::compatibility()?, is_shared: false })
    }

    /// Removes what was not written to its end.
    pub fn remove_parts(&self) {
        if !self.is_shared {
            remove_parts(&self.folder);
        }
    }

    /// One in the folder of [`users_folder`].
    pub fn shared(folder: PathBuf, compiler: Compiler) -> Result<Self> {
        Ok(Self { folder, compiler, compatible: engine::compatibility()?, is_shared: true })
    }

    /// Compiles, and replaces what the cache has.
    pub fn compile(&self, digest_of_component: &str, component: &[u8]) -> Result<Vec<u8>> {
        let mut code = self.compiler.compile(component)?;
        let (length, seal) = (code.len(), format!("{} {}", self.head(digest_of_component), digest(&code)));
        code.extend(seal.as_bytes());
        write_whole(&self.path(digest_of_component), &code)?;
        code.truncate(length);
        if self.is_shared {
            make_room(&self.folder, MOST);
        }
        Ok(code)
    }

    /// Whether the cache has something of a component that can be run here. Whether it was changed is seen when it is used.
    pub fn has(&self, digest_of_component: &str) -> bool {
        let mut head = [0; HEAD];
        let read = open_trusted(&self.path(digest_of_component)).and_then(|mut file| {
            file.seek(SeekFrom::End(-(SEAL as i64)))?;
            file.read_exact(&mut head)
        });
        read.is_ok() && head == *self.head(digest_of_component).as_bytes()
    }

    /// What the cache has of a component, if it is whole.
    pub fn cached(&self, digest_of_component: &str) -> Option<Vec<u8>> {
        if !self.has(digest_of_component) {
            return None;
        }
        let path = self.path(digest_of_component);
        let file = open_trusted(&path).ok()?;
        let mut code = Vec::new();
        (&file).take(OUTPUT + SEAL as u64).read_to_end(&mut code).ok()?;
        let seal = code.split_off(code.len().checked_sub(SEAL)?);
        if seal != format!("{} {}", self.head(digest_of_component), digest(&code)).as_bytes() {
            tracing::warn!("{}: the compiled code was changed; it is compiled again", path.display());
            return None;
        }
        if self.is_shared {
            touch(&file);
        }
        Some(code)
    }

    /// A component's code: what the cache has, or what is compiled now.
    pub fn code(&self, digest_of_component: &str, component: impl FnOnce() -> Result<Vec<u8>>) -> Result<Vec<u8>> {
        match self.cached(digest_of_component) {
            Some(code) => Ok(code),
            None => self.compile(digest_of_component, &component()?),
        }
    }

    /// The code of a component, which is kept by what it is the code of: the component without its manifest. So one that is packed again, with
    /// another manifest, is not compiled again.
    pub fn code_of(&self, component: &[u8]) -> Result<Vec<u8>> {
        let bare = without_manifest(component)?;
        self.code(&digest(&bare), || Ok(bare))
    }

    /// Forgets a component's code, unless others use it as well.
    pub fn remove(&self, digest_of_component: &str) {
        if !self.is_shared {
            let _ = std::fs::remove_file(self.path(digest_of_component));
        }
    }

    fn head(&self, digest_of_component: &str) -> String {
        format!("compiled {} {digest_of_component}", self.compatible)
    }

    /// The file of a component's code.
    pub fn path(&self, digest_of_component: &str) -> PathBuf {
        self.folder.join(format!("{digest_of_component}.cwasm"))
    }
}

/// The folder for compiled code of whoever runs this, which is made if it is not there. Nobody else may write to it, and whoever runs a
/// command as root with the environment of another user does not use that user's.
pub fn users_folder() -> Result<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    let base = base.ok_or_else(|| Error::not_found("neither XDG_CACHE_HOME nor HOME is an absolute path"))?;
    folder_in(&base)
}

fn folder_in(base: &Path) -> Result<PathBuf> {
    let above = base.parent().unwrap_or(base);
    if !above.is_dir() {
        let why = format!("{} is no folder: set HOME, or XDG_CACHE_HOME, to one of yours", above.display());
        return Err(Error::not_found(why));
    }
    make_private(base)?;
    let folder = base.join("pontoon");
    // Whoever owns the base can replace what lies in it.
    let other =
        |path: &Path| Error::invalid(format!("{} is another user's, or others may write to it", path.display()));
    let of_base = base.metadata().map_err(|e| io(base, &e))?;
    if !is_own(&of_base) {
        return Err(other(base));
    }
    make_private(&folder)?;
    let of_folder = folder.symlink_metadata().map_err(|e| io(&folder, &e))?;
    if !(of_folder.is_dir() && is_own(&of_folder)) {
        return Err(other(&folder));
    }
    rustix::fs::access(&folder, rustix::fs::Access::WRITE_OK).map_err(|e| io(&folder, &e.into()))?;
    Ok(folder)
}

/// It was used now, and leaves later.
pub fn touch(file: &File) {
    // Where that can't be noted it only leaves earlier.
    let _ = file.set_modified(SystemTime::now());
}

/// Removes the files that were not used for the longest time, until the rest has at most so many bytes.
pub fn make_room(folder: &Path, most: u64) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .filter_map(|entry| {
            let metadata = entry.metadata().ok().filter(|metadata| metadata.is_file())?;
            Some((metadata.modified().ok()?, metadata.len(), entry.path()))
        })
        .collect();
    files.sort();
    let mut all: u64 = files.iter().map(|(_, size, _)| size).sum();
    for (_, size, path) in files {
        if all <= most {
            return;
        }
        // Another command may have removed it.
        let _ = std::fs::remove_file(path);
        all -= size;
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown, symlink};
    use std::time::Duration;

    use super::*;

    const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    /// A cache whose compiler counts how often it was asked, and makes these bytes.
    fn cache(folder: &Path, makes: &str) -> Cache {
        let program = folder.join("compiler");
        let text = format!("#!/bin/sh\ncat >/dev/null\necho >>{}\nprintf {makes}\n", folder.join("count").display());
        std::fs::write(&program, text).unwrap();
        mode(&program, 0o700);
        let cached = folder.join("cache");
        make_private(&cached).unwrap();
        Cache::shared(cached, Compiler::Program(program)).unwrap()
    }

    fn mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_was_compiled_is_used_again_unless_others_may_have_changed_it() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path(), "code");
        let count = || std::fs::read(folder.path().join("count")).map_or(0, |count| count.len());
        let code = || cache.code(DIGEST, || Ok(b"component".to_vec())).unwrap();
        assert_eq!((code(), code(), count()), (b"code".to_vec(), b"code".to_vec(), 1));
        let path = cache.path(DIGEST);
        let whole = std::fs::read(&path).unwrap();
        let other = whole.iter().map(|byte| if *byte == b'c' { b'k' } else { *byte }).collect::<Vec<_>>();
        let of_another = String::from_utf8(whole.clone()).unwrap().replace(DIGEST, &DIGEST.replace('0', "1"));
        let of_another_engine =
            String::from_utf8(whole.clone()).unwrap().replace(&cache.compatible, "0123456789abcdef");
        let changed: &[(&str, &dyn Fn())] = &[
            ("a byte", &|| std::fs::write(&path, &other).unwrap()),
            ("cut", &|| std::fs::write(&path, &whole[1..]).unwrap()),
            ("empty", &|| std::fs::write(&path, "").unwrap()),
            ("another component's", &|| std::fs::write(&path, &of_another).unwrap()),
            ("another engine's", &|| std::fs::write(&path, &of_another_engine).unwrap()),
            ("written by a group", &|| mode(&path, 0o664)),
            ("written by all", &|| mode(&path, 0o646)),
            ("a link", &|| {
                std::fs::rename(&path, folder.path().join("aside")).unwrap();
                symlink(folder.path().join("aside"), &path).unwrap();
            }),
            ("gone", &|| std::fs::remove_file(&path).unwrap()),
        ];
        for (number, (what, change)) in changed.iter().enumerate() {
            change();
            assert_eq!((cache.has(DIGEST) && cache.cached(DIGEST).is_some(), count()), (false, number + 1), "{what}");
            assert_eq!((code(), code(), count()), (b"code".to_vec(), b"code".to_vec(), number + 2), "{what}");
        }
        if rustix::process::geteuid().is_root() {
            chown(&path, Some(65534), None).unwrap();
            assert_eq!(cache.cached(DIGEST), None, "another user's");
        }
    }

    /// What was compiled is what the key is the digest of.
    #[test]
    fn a_component_is_the_same_with_any_manifest() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path(), "code");
        let count = || std::fs::read(folder.path().join("count")).map_or(0, |count| count.len());
        let component = |sections: &[(&str, &str)]| {
            let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
            for (name, data) in sections {
                bytes.extend([0, (1 + name.len() + data.len()) as u8, name.len() as u8]);
                bytes.extend([name.as_bytes(), data.as_bytes()].concat());
            }
            bytes
        };
        let section = crate::driver::manifest::SECTION;
        let same = [component(&[]), component(&[(section, "one")]), component(&[(section, "two")])];
        for component in &same {
            assert_eq!((cache.code_of(component).unwrap(), count()), (b"code".to_vec(), 1));
        }
        assert!(cache.has(&digest(&same[0])) && !cache.has(&digest(&same[1])));
        cache.code_of(&component(&[("name", "one"), (section, "one")])).unwrap();
        assert_eq!(count(), 2, "names are a part of the code's");
        assert!(cache.code_of(b"\0asm\x0d\0\x01\0\0").is_err() && count() == 2);
    }

    #[test]
    fn a_folder_of_anothers_is_not_used() {
        let base = tempfile::tempdir().unwrap();
        let folder = folder_in(base.path()).unwrap();
        assert_eq!(folder, base.path().join("pontoon"));
        assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        let refused =
            |what: &str| assert!(folder_in(base.path()).unwrap_err().message.contains("another user's"), "{what}");
        for place in [&folder, &base.path().to_owned()] {
            for allowed in [0o777, 0o770, 0o722] {
                mode(place, allowed);
                refused(&format!("{} with {allowed:o}", place.display()));
            }
            mode(place, 0o755);
            folder_in(base.path()).unwrap();
            if rustix::process::geteuid().is_root() {
                chown(place, Some(65534), None).unwrap();
                refused("another user's");
                chown(place, Some(0), None).unwrap();
            }
        }
        std::fs::rename(&folder, base.path().join("aside")).unwrap();
        symlink(base.path().join("aside"), &folder).unwrap();
        refused("a link");
    }

    #[test]
    fn what_was_not_used_for_the_longest_time_leaves_first() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (name, age) in [("old", 30), ("older", 40), ("new", 10), ("used", 50)] {
            std::fs::write(at(name), [0; 100]).unwrap();
            let time = SystemTime::now() - Duration::from_secs(age);
            File::options().write(true).open(at(name)).unwrap().set_modified(time).unwrap();
        }
        touch(&File::open(at("used")).unwrap());
        let there = || ["older", "old", "new", "used"].map(|name| at(name).exists());
        make_room(folder.path(), 400);
        assert_eq!(there(), [true; 4]);
        make_room(folder.path(), 399);
        assert_eq!(there(), [false, true, true, true]);
        make_room(folder.path(), 150);
        assert_eq!(there(), [false, false, false, true]);
    }
}
