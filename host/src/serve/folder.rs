//! The drivers folder: an operator puts components there, and each start loads those that are new.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::controller::Controller;
use crate::frontend::http::limits::MAX_COMPONENT;
use grant::{self, Grant};
use operation::driver::{Driver, LoadDriver, PUT_ASIDE, READY, Signature, Signed, Source};
use words::file::digest;
use words::{Error, Kind, Name, Result};

/// Bytes of a signature in base64, which has about a hundred.
const SIGNATURE: usize = 1024;

/// Loads the folder's components under their files' names. One that can't be loaded is reported, and the others still are:
/// it must not keep the machine's networks down.
pub async fn load(controller: &Controller, folder: &Path) {
    let files = match components(folder) {
        Ok(files) => files,
        Err(error) => return tracing::error!("can't read {}: {error}", folder.display()),
    };
    for file in files {
        if let Err(error) = load_file(controller, &file).await {
            tracing::error!("{} is not loaded: {error}", file.display());
        }
    }
}

/// The name that a component's file gives its driver.
pub fn name_of(file: &Path) -> Result<Name> {
    Name::new(file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default())
}

/// Reads a component, and no more than one may have.
pub fn read_component(file: &Path) -> Result<Vec<u8>> {
    let bytes = read_beyond(file, MAX_COMPONENT)?;
    match bytes.len() {
        0 => Err(Error::invalid(format!("{} is empty", file.display()))),
        n if n > MAX_COMPONENT => {
            Err(Error::invalid(format!("{} is larger than {MAX_COMPONENT} bytes", file.display())))
        }
        _ => Ok(bytes),
    }
}

/// Reads a file; of one that is larger than `most` bytes only one byte more.
pub fn read_beyond(file: &Path, most: usize) -> Result<Vec<u8>> {
    words::file::read_beyond(file, most)
        .map_err(|e| Error::new(kind(&e), format!("can't read {}: {e}", file.display())))
}

/// The folder's components in the order of their names; a folder that is not there has none.
fn components(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    let mut components: Vec<_> = paths.into_iter().filter(|p| p.extension().is_some_and(|e| e == "wasm")).collect();
    components.sort();
    Ok(components)
}

/// Reads a grant. An error is one line that begins with the file.
pub fn read_grant(file: &Path) -> Result<Grant> {
    grant::file::read(&file.display().to_string(), &read_beyond(file, grant::file::SIZE)?)
}

/// The grant beside a component, `bridge.grant.toml` for `bridge.wasm`; none: there is no such file.
pub fn grant_beside(component: &Path) -> Result<Option<Grant>> {
    let file = component.with_extension("grant.toml");
    if file.exists() { read_grant(&file).map(Some) } else { Ok(None) }
}

/// The signature beside a component, `bridge.sig` for `bridge.wasm`, as `cosign sign-blob` writes it; without it there is none.
pub fn signed_beside(component: &Path) -> Result<Signed> {
    let file = component.with_extension("sig");
    if !file.exists() {
        return Ok(Signed::default());
    }
    let text = read_beyond(&file, SIGNATURE)?;
    if text.len() > SIGNATURE {
        return Err(Error::invalid(format!("{} is larger than {SIGNATURE} bytes", file.display())));
    }
    let signature = String::from_utf8_lossy(&text).trim().to_owned();
    Ok(Signed { manifest: None, signatures: vec![Signature { payload: None, signature }] })
}

async fn load_file(controller: &Controller, file: &Path) -> Result<()> {
    let (name, component, grant) = (name_of(file)?, read_component(file)?, grant_beside(file)?);
    let loaded = controller.drivers().await?.into_iter().find(|driver| driver.name == name);
    match loaded {
        Some(driver) if driver.digest == digest(&component) && is_loaded(&driver) => match grant {
            Some(grant) if grant != controller.driver(&name).await?.grant => {
                tracing::info!(driver = %name, "{} says another grant than before", file.display());
                controller.set_grant(&name, grant).await.map(drop)
            }
            _ => Ok(()),
        },
        Some(driver) if driver.digest != digest(&component) => Err(Error::exists(format!(
            "another component is loaded as {name}: put this one in its place with `pontoon driver upgrade`, or that one into the folder"
        ))),
        // New, or one whose files in the state folder were lost or damaged.
        _ => {
            let (configuration, signed) = (BTreeMap::new(), signed_beside(file)?);
            let source = Source { from: file.display().to_string(), ..Source::default() };
            let (grant, allow_unsigned) = (grant.into(), false);
            let load = LoadDriver { name, component, configuration, grant, source, signed, allow_unsigned };
            controller.load_driver(load).await.map(drop)
        }
    }
}

/// It can be called, or could if it did not trap.
fn is_loaded(driver: &Driver) -> bool {
    driver.state == READY || driver.state.starts_with(PUT_ASIDE)
}

fn kind(error: &io::Error) -> Kind {
    match error.kind() {
        io::ErrorKind::NotFound => Kind::NotFound,
        io::ErrorKind::PermissionDenied => Kind::Forbidden,
        io::ErrorKind::InvalidInput => Kind::InvalidArgument,
        _ => Kind::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_read_within_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.wasm");
        assert_eq!(read_component(&file).unwrap_err().kind, Kind::NotFound);
        std::fs::write(&file, "").unwrap();
        assert!(read_component(&file).unwrap_err().message.contains("is empty"));
        std::fs::File::options().write(true).open(&file).unwrap().set_len(MAX_COMPONENT as u64 + 1).unwrap();
        assert!(read_component(&file).unwrap_err().message.contains("larger than"));
        assert_eq!(read_component(folder.path()).unwrap_err().kind, Kind::InvalidArgument);
    }

    #[test]
    fn components_are_found_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.wasm", "a.wasm", "README", "c.wasm.part"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let found = components(folder.path()).unwrap();
        assert_eq!(found.iter().map(|f| name_of(f).unwrap().to_string()).collect::<Vec<_>>(), ["a", "b"]);
        assert!(components(&folder.path().join("none")).unwrap().is_empty());
    }
}
