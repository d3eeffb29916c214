//! The components that drivers have, and their compiled code: files by the component's digest.

use std::path::PathBuf;
use std::sync::Arc;

use super::compile::{Cache, Compiler};
use crate::place::Place;
use store::Store;
use words::file::{digest, io, make_private, read_within, remove_parts, write_whole};
use words::limit::COMPONENT;
use words::{Error, Result};

/// All of them.
pub struct Components {
    folder: PathBuf,
    cache: Cache,
    store: Arc<Store>,
}

impl Components {
    /// Those of a place.
    pub fn new(store: Arc<Store>, place: &Place) -> Result<Self> {
        let folder = place.state.join("components");
        make_private(&folder)?;
        remove_parts(&folder);
        let program = || Compiler::Program(place.compiler.clone());
        let compiler = place.launcher.clone().map_or_else(program, Compiler::Launcher);
        let cache = Cache::new(place.state.join("compiled"), compiler)?;
        Ok(Self { folder, cache, store })
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

    /// Forgets a component and its code.
    pub fn forget(&self, digest_of_component: &str) -> Result<()> {
        let _ = std::fs::remove_file(self.path(digest_of_component));
        self.cache.remove(&self.store, digest_of_component)
    }

    /// Has a component compiled, if that was not done yet.
    pub fn compile(&self, digest_of_component: &str) -> Result<()> {
        match self.cache.has(&self.store, digest_of_component)? {
            true => Ok(()),
            false => self.compiled_again(digest_of_component).map(drop),
        }
    }

    /// A component's code. What was changed, or can't be run here, is compiled again.
    pub fn code(&self, digest_of_component: &str) -> Result<Vec<u8>> {
        match self.cache.cached(&self.store, digest_of_component)? {
            Some(code) => Ok(code),
            None => self.compiled_again(digest_of_component),
        }
    }

    fn compiled_again(&self, digest_of_component: &str) -> Result<Vec<u8>> {
        let component = self.read(digest_of_component)?;
        self.cache.compile(&self.store, digest_of_component, &component)
    }

    fn path(&self, digest_of_component: &str) -> PathBuf {
        self.folder.join(format!("{digest_of_component}.wasm"))
    }
}
