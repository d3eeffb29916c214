//! The drivers folder: an operator puts components there. What is new in it is loaded, or takes the place of what it had before, at each start and
//! whenever a file of it changes.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::watch::{Change, Watcher};
use crate::controller::Controller;
use crate::frontend::docker::Plugins;
use crate::frontend::http::limits::MAX_COMPONENT;
use grant::{self, Grant};
use operation::driver::{Driver, LoadDriver, PUT_ASIDE, READY, Signature, Signed, Source};
use words::file::digest;
use words::{Error, Kind, Name, Result};

/// Bytes of a signature in base64, which has about a hundred.
const SIGNATURE: usize = 1024;

/// Loads the folder's components under their files' names. One that can't be loaded is reported, and the others still are:
/// it must not keep the machine's networks down. What another version has replaced since is not loaded again.
pub async fn load(controller: &Controller, folder: &Path) {
    let files = match components(folder) {
        Ok(files) => files,
        Err(error) => return tracing::error!("can't read {}: {error}", folder.display()),
    };
    for file in files {
        take(controller, &file, false).await;
    }
}

/// Watches a folder; none: it can't be, and the log says so.
pub fn watch(folder: &Path) -> Option<Watcher> {
    let watcher = Watcher::new(folder);
    let why = |error: &io::Error| tracing::info!("{} is read at a start only: {error}", folder.display());
    watcher.inspect_err(why).ok()
}

/// Takes over what changes in the folder, for ever.
pub async fn follow(controller: &Controller, plugins: &Plugins, folder: &Path, watcher: &mut Option<Watcher>) {
    let Some(watcher) = watcher else { return std::future::pending().await };
    loop {
        let changed = match watcher.next().await {
            Ok(Some(changed)) => changed,
            Ok(None) => {
                load(controller, folder).await;
                continue;
            }
            Err(error) => {
                tracing::error!("{} is not watched any more: {error}", folder.display());
                return std::future::pending().await;
            }
        };
        for (name, change) in changed {
            let file = folder.join(format!("{name}.wasm"));
            match change {
                Change::Gone => gone(controller, &file).await,
                // Of a grant alone nothing is made.
                Change::Whole if !file.exists() => {}
                Change::Whole => {
                    if let Some(name) = take(controller, &file, true).await
                        && let Err(error) = plugins.publish(&name).await
                    {
                        tracing::warn!("Docker does not see the driver {name}: {error}");
                    }
                }
            }
        }
    }
}

/// A driver outlives its file: its networks need it.
async fn gone(controller: &Controller, file: &Path) {
    let Ok(name) = name_of(file) else { return };
    controller.note_file(&name, None);
    if controller.driver_history(&name).await.is_ok() {
        let file = file.display();
        tracing::info!(driver = %name, "{file} is gone, and the driver stays: `pontoon driver rm {name}` removes it");
    }
}

/// Takes a file over, or reports why not. Answers the driver's name if it serves what the file has. `again`: also what has served before.
async fn take(controller: &Controller, file: &Path, again: bool) -> Option<Name> {
    let taken = load_file(controller, file, again).await;
    let name = name_of(file).ok();
    let why = taken.as_ref().err().map(|error| format!("{} is not loaded: {error}", file.display()));
    if let Some(why) = &why {
        tracing::error!("{why}");
    }
    if let Some(name) = &name {
        controller.note_file(name, why);
    }
    taken.is_ok().then_some(name).flatten()
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

async fn load_file(controller: &Controller, file: &Path, again: bool) -> Result<()> {
    let (name, component, grant) = (name_of(file)?, read_component(file)?, grant_beside(file)?);
    match controller.listed_driver(&name).await? {
        Some(driver) if driver.digest == digest(&component) && is_loaded(&driver) => match grant {
            Some(grant) if grant != controller.driver(&name).await?.grant => {
                tracing::info!(driver = %name, "{} says another grant than before", file.display());
                controller.set_grant(&name, grant).await.map(drop)
            }
            _ => Ok(()),
        },
        Some(driver) if driver.digest != digest(&component) => {
            let digest = digest(&component);
            let history = controller.driver_history(&name).await?;
            if !again && history.iter().any(|version| version.digest == digest) {
                tracing::info!(driver = %name, "{} has an earlier version, and is left there", file.display());
                return Ok(());
            }
            controller.upgrade_driver(loading(name, component, grant, file)?).await.map(drop)
        }
        // New, or one whose files in the state folder were lost or damaged.
        _ => controller.load_driver(loading(name, component, grant, file)?).await.map(drop),
    }
}

fn loading(name: Name, component: Vec<u8>, grant: Option<Grant>, file: &Path) -> Result<LoadDriver> {
    let (configuration, signed) = (BTreeMap::new(), signed_beside(file)?);
    let source = Source { from: file.display().to_string(), ..Source::default() };
    let (grant, allow_unsigned) = (grant.into(), false);
    Ok(LoadDriver { name, component, configuration, grant, source, signed, allow_unsigned })
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
