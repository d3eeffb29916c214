//! The components that drivers have, and their compiled code: files by the component's digest.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::admit::admit;
use super::cache::Cache;
use super::compile::Compiler;
use crate::place::Place;
use words::file::{digest, io, make_private, read_within, remove_parts, write_whole};
use words::limit::COMPONENT;
use words::{Error, Result};

/// All of them.
pub struct Components {
    folder: PathBuf,
    cache: Cache,
    /// An author's commands use the cache as well.
    is_shared: bool,
}

impl Components {
    /// Those of a place.
    pub fn new(place: &Place) -> Result<Self> {
        let components = Self::beside_another(place)?;
        remove_parts(&components.folder);
        components.cache.remove_parts();
        Ok(components)
    }

    /// The same while another daemon may be writing there.
    pub fn beside_another(place: &Place) -> Result<Self> {
        let folder = place.state.join("components");
        make_private(&folder)?;
        let program = || Compiler::Program(place.compiler.clone());
        let compiler = place.launcher.clone().map_or_else(program, Compiler::Launcher);
        let cache = match &place.compiled {
            Some(folder) => Cache::shared(folder.clone(), compiler)?,
            None => Cache::new(place.state.join("compiled"), compiler)?,
        };
        Ok(Self { folder, cache, is_shared: place.compiled.is_some() })
    }

    /// A component.
    pub fn read(&self, digest_of_component: &str) -> Result<Vec<u8>> {
        let path = self.path(digest_of_component);
        let component = read_within(&path, COMPONENT).map_err(|e| io(&path, &e))?;
        match digest(&component) == digest_of_component {
            true => Ok(component),
            false => Err(Error::internal(format!("{}: the component was changed; load it again", path.display()))),
        }
    }

    /// Keeps a component.
    pub fn keep(&self, digest_of_component: &str, component: &[u8]) -> Result<()> {
        write_whole(&self.path(digest_of_component), component)
    }

    /// Whether there is a file of a component. Whether it was changed is seen when it is read.
    pub fn has(&self, digest_of_component: &str) -> bool {
        self.path(digest_of_component).exists()
    }

    /// Forgets a component and its code.
    pub fn forget(&self, digest_of_component: &str) {
        let _ = std::fs::remove_file(self.path(digest_of_component));
        self.cache.remove(digest_of_component);
    }

    /// Forgets what was compiled of a component, which stays.
    pub fn forget_code(&self, digest_of_component: &str) {
        self.cache.remove(digest_of_component);
    }

    /// Bytes that components and their code have on the disk, each once.
    pub fn size_of<'a>(&self, digests: impl Iterator<Item = &'a str>) -> u64 {
        let digests: BTreeSet<_> = digests.collect();
        let size = |path: PathBuf| path.metadata().map_or(0, |metadata| metadata.len());
        digests.into_iter().map(|digest| size(self.path(digest)) + size(self.cache.path(digest))).sum()
    }

    /// Forgets all but these: what a load left behind that a kill broke off.
    pub fn forget_others(&self, kept: &BTreeSet<&str>) {
        for entry in std::fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let digest = name.to_str().and_then(|name| name.strip_suffix(".wasm"));
            if let Some(digest) = digest.filter(|digest| !kept.contains(digest)) {
                self.forget(digest);
            }
        }
    }

    /// Whether a component was compiled by this program's like, so that it is known to be valid.
    pub fn is_compiled(&self, digest_of_component: &str) -> bool {
        !self.is_shared && self.cache.has(digest_of_component)
    }

    /// Has a component compiled, if that was not done yet.
    pub fn compile(&self, digest_of_component: &str) -> Result<()> {
        match self.cache.has(digest_of_component) {
            _ if self.is_shared => self.code(digest_of_component).map(drop),
            true => Ok(()),
            false => self.cache.compile(digest_of_component, &self.read(digest_of_component)?).map(drop),
        }
    }

    /// What can be seen beforehand of whether this program can serve a component: it is admitted, and compiled.
    pub fn try_out(&self, digest_of_component: &str) -> Result<()> {
        admit(&self.read(digest_of_component)?)?;
        self.compile(digest_of_component)
    }

    /// A component's code. What was changed, or can't be run here, is compiled again.
    pub fn code(&self, digest_of_component: &str) -> Result<Vec<u8>> {
        let read = || self.read(digest_of_component);
        if self.is_shared { self.cache.code_of(&read()?) } else { self.cache.code(digest_of_component, read) }
    }

    fn path(&self, digest_of_component: &str) -> PathBuf {
        self.folder.join(format!("{digest_of_component}.wasm"))
    }
}
