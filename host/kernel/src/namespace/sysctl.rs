//! Kernel settings below /proc/sys/net, which shows each thread its own namespace's.

use std::fs;
use std::io;

use rustix::io::Errno;

use crate::host::Host;
use crate::link;
use crate::link::mark::Marks;
use crate::transport::session::Session;
use crate::{Error, LinkKey, Namespace, Sysctl};

const ROOT: &str = "/proc/sys/net";

/// Reads a setting.
pub(crate) fn get(session: &mut Session, at: &Namespace, sysctl: &Sysctl, marks: Marks) -> Result<i32, Error> {
    let path = path(session, at, sysctl, marks, false)?;
    match session.host() {
        Host::Real(real) => session.within(real, at, || read(&format!("{ROOT}/{path}"), sysctl)),
        Host::Fake(fake) => fake.setting(at, &path)?.map_err(|errno| failed(&errno.into(), sysctl)),
    }
}

/// Writes a setting.
pub(crate) fn set(
    session: &mut Session,
    at: &Namespace,
    sysctl: &Sysctl,
    value: i32,
    marks: Marks,
) -> Result<(), Error> {
    let path = path(session, at, sysctl, marks, true)?;
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
    match Errno::from_io_error(error) {
        Some(Errno::NOENT | Errno::NODEV) => Error::io(format!("there is no setting {sysctl}, or no such link"), error),
        _ => Error::io(format!("the setting {sysctl}"), error),
    }
}

/// Below [`ROOT`]. `own`: a link must be this instance's.
fn path(session: &mut Session, at: &Namespace, sysctl: &Sysctl, marks: Marks, own: bool) -> Result<String, Error> {
    let (family, index, name) = match sysctl {
        Sysctl::Namespace(path) => return Ok((*path).to_owned()),
        Sysctl::Link { family, index, name } => (*family, *index, *name),
        Sysctl::AcceptRa { index } => ("ipv6", *index, "accept_ra"),
    };
    let Some(seen) = link::read::get(session, at, link::read::by_index(index), marks)? else {
        return Err(failed(&Errno::NODEV.into(), sysctl));
    };
    if own && matches!(sysctl, Sysctl::Link { .. }) {
        link::set::own(&LinkKey { namespace: at.clone(), index }, &seen)?;
    }
    // Never `all` or `default`: the kernel makes no links of these names (sysctl_dev_name_is_allowed).
    Ok(format!("{family}/conf/{}/{name}", seen.info.name))
}
