//! Kernel settings below /proc/sys/net, which shows each thread its own namespace's.

use std::fs;
use std::io;

use crate::host::Host;
use crate::transport::session::Session;
use crate::{Error, Namespace, Sysctl};

const ROOT: &str = "/proc/sys/net";

/// Reads a setting.
pub(crate) fn get(session: &mut Session, at: &Namespace, sysctl: &Sysctl) -> Result<i32, Error> {
    let path = path(sysctl)?;
    match session.host() {
        Host::Real(real) => session.within(real, at, || read(&format!("{ROOT}/{path}"), sysctl)),
        Host::Fake(fake) => fake.setting(at, &path)?.map_err(|errno| failed(&errno.into(), sysctl)),
    }
}

/// Writes a setting.
pub(crate) fn set(session: &mut Session, at: &Namespace, sysctl: &Sysctl, value: i32) -> Result<(), Error> {
    let path = path(sysctl)?;
    match session.host() {
        Host::Real(real) => session.within(real, at, || {
            fs::write(format!("{ROOT}/{path}"), format!("{value}\n")).map_err(|e| failed(&e, sysctl))
        }),
        Host::Fake(fake) => fake.set_setting(at, &path, value)?.map_err(|errno| failed(&errno.into(), sysctl)),
    }
}

fn read(path: &str, sysctl: &Sysctl) -> Result<i32, Error> {
    let text = fs::read_to_string(path).map_err(|e| failed(&e, sysctl))?;
    text.trim().parse().map_err(|_| Error::refused(format!("the setting {sysctl} is no number: {:?}", text.trim())))
}

fn failed(error: &io::Error, sysctl: &Sysctl) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::io(format!("there is no setting {sysctl}, or no such link"), error),
        _ => Error::io(format!("the setting {sysctl}"), error),
    }
}

/// Below [`ROOT`].
fn path(sysctl: &Sysctl) -> Result<String, Error> {
    match sysctl {
        Sysctl::Namespace(path) => Ok((*path).to_owned()),
        // The kernel makes no such entries for links of these names; they stand for every link.
        Sysctl::Link { link, .. } if ["all", "default"].contains(&link.as_str()) => {
            Err(Error::refused(format!("a link named {link} has no settings of its own")))
        }
        Sysctl::Link { family, link, name } => Ok(format!("{family}/conf/{link}/{name}")),
    }
}
