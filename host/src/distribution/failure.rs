//! What went wrong with a registry, in one line.

use std::error::Error as Source;

use serde::Deserialize;

use super::reference::Reference;
use words::foreign::{MESSAGE_BYTES, printable};
use words::{Error, Kind};

/// What a registry says of an error: OCI's distribution specification.
#[derive(Default, Deserialize)]
struct Said {
    #[serde(default)]
    errors: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    #[serde(default)]
    message: String,
}

/// An answer that is none of what was asked for. `is_known`: a password was given.
pub fn refused(reference: &Reference, status: u16, body: &[u8], is_known: bool) -> Error {
    let host = reference.host();
    let said: Said = serde_json::from_slice(body).unwrap_or_default();
    let said: Vec<_> = said.errors.into_iter().map(|error| error.message).collect();
    let said = if said.is_empty() { String::new() } else { format!(": {}", said.join("; ")) };
    let error = match status {
        401 | 403 if is_known => {
            Error::forbidden(format!("{host} refuses the password that Docker's configuration has for it"))
        }
        401 | 403 => Error::forbidden(format!("{host} wants a password: `docker login {host}` keeps one")),
        404 => Error::not_found(format!("there is no {reference}")),
        429 | 500.. => Error::new(Kind::Unavailable, format!("{host} answers {status}{said}: try again later")),
        _ => Error::internal(format!("{host} answers {status} for {reference}{said}")),
    };
    one_line(error)
}

/// What came is not what was asked for.
pub fn damaged(reference: &Reference, why: &str) -> Error {
    one_line(Error::invalid(format!("what {} has as {reference} is damaged: {why}", reference.host())))
}

/// No answer came.
pub fn unreachable(host: &str, error: &ureq::Error) -> Error {
    let cause = match error {
        ureq::Error::Io(error) => cause(error),
        ureq::Error::Rustls(error) => cause(error),
        other => cause(other),
    };
    let hint = if cause.contains("InvalidContentType") { ": without TLS it is asked with --plain-http" } else { "" };
    one_line(Error::new(Kind::Unavailable, format!("can't reach {host}: {cause}{hint}")))
}

/// An answer did not come whole.
pub fn broken(host: &str, error: &dyn Source) -> Error {
    one_line(Error::new(Kind::Unavailable, format!("{host} broke the connection off: {}", cause(error))))
}

/// What is at the bottom of an error.
fn cause(mut error: &dyn Source) -> String {
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Much of it is the registry's text.
fn one_line(error: Error) -> Error {
    let text = error.message.split_whitespace().collect::<Vec<_>>().join(" ");
    Error { message: printable(&text, MESSAGE_BYTES), ..error }
}
