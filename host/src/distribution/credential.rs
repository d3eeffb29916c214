//! Who asks a registry: what `docker login` kept, in Docker's configuration or with one of its helpers.

use std::env::var_os;
use std::io::Read;
use std::path::PathBuf;

use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};

use words::file::{io, open_regular};
use words::{Error, Kind, Result};

/// Bytes of the file.
const SIZE: u64 = 1 << 20;

/// Docker's own registry has a name of its own there.
const DOCKER: (&str, &str) = ("docker.io", "https://index.docker.io/v1/");

/// The user and the password for a registry; none: nobody in particular asks.
pub fn of(host: &str) -> Result<Option<(String, String)>> {
    let server = if host == DOCKER.0 { DOCKER.1 } else { host };
    let Some(file) = file().filter(|file| file.exists()) else { return Ok(None) };
    let opened = open_regular(&file).map_err(|e| io(&file, &e))?;
    match get_credential_from_reader(opened.take(SIZE), server) {
        Ok(DockerCredential::UsernamePassword(user, password)) => Ok(Some((user, password))),
        Ok(DockerCredential::IdentityToken(_)) => {
            let message =
                format!("Docker's configuration has an identity token for {host}: only passwords are known here");
            Err(Error::new(Kind::NotImplemented, message))
        }
        Err(CredentialRetrievalError::NoCredentialConfigured) => Ok(None),
        Err(error) => {
            let why = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
            Err(Error::internal(format!("Docker's configuration has no password for {host} that can be had: {why}")))
        }
    }
}

/// Docker's configuration.
fn file() -> Option<PathBuf> {
    let folder = var_os("DOCKER_CONFIG").map(PathBuf::from);
    let folder = folder.or_else(|| Some(PathBuf::from(var_os("HOME")?).join(".docker")))?;
    Some(folder.join("config.json"))
}
