//! Kernel settings below /proc/sys/net, which shows each thread its own namespace's.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use rustix::io::Errno;

use crate::host::Host;
use crate::link;
use crate::link::mark::Marks;
use crate::transport::session::Session;
use crate::{Error, LinkKey, Namespace, PROXY_DELAY, Sysctl};

const ROOT: &str = "/proc/sys/net";

/// A setting that was read to be changed.
pub(crate) struct Setting {
    /// Below [`ROOT`].
    path: String,
    /// An open file stays the setting of the namespace that it was opened in. None: a fake's.
    file: Option<File>,
    /// What it is.
    pub value: i32,
}

/// Reads a setting.
pub(crate) fn get(session: &mut Session, at: &Namespace, sysctl: &Sysctl, marks: Marks) -> Result<i32, Error> {
    let path = path(session, at, sysctl, marks, false)?;
    Ok(read(session, at, sysctl, path, false)?.value)
}

/// Reads a setting that is to be changed, on one way to its namespace.
pub(crate) fn open(session: &mut Session, at: &Namespace, sysctl: &Sysctl, marks: Marks) -> Result<Setting, Error> {
    let path = path(session, at, sysctl, marks, true)?;
    read(session, at, sysctl, path, true)
}

/// Writes a setting.
pub(crate) fn set(
    session: &mut Session,
    at: &Namespace,
    sysctl: &Sysctl,
    setting: &Setting,
    value: i32,
) -> Result<(), Error> {
    match (session.host(), &setting.file) {
        // From the beginning: what is written behind it the kernel ignores (sysctl_writes_strict).
        (Host::Real(_), Some(file)) => {
            file.write_all_at(format!("{value}\n").as_bytes(), 0).map_err(|e| failed(&e, sysctl))
        }
        (Host::Real(_), None) => Err(Error::refused(format!("the setting {sysctl} is not open"))),
        (Host::Fake(fake), _) => {
            fake.set_setting(at, &setting.path, value)?.map_err(|errno| failed(&errno.into(), sysctl))
        }
    }
}

fn read(session: &mut Session, at: &Namespace, sysctl: &Sysctl, path: String, write: bool) -> Result<Setting, Error> {
    let real = match session.host() {
        Host::Real(real) => real,
        Host::Fake(fake) => {
            let value = fake.setting(at, &path)?.map_err(|errno| failed(&errno.into(), sysctl))?;
            return Ok(Setting { path, file: None, value });
        }
    };
    let sysctl = sysctl.clone();
    session.within(real, at, move || {
        let opened = OpenOptions::new().read(true).write(write).open(format!("{ROOT}/{path}"));
        let mut file = opened.map_err(|e| failed(&e, &sysctl))?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|e| failed(&e, &sysctl))?;
        let value = text.trim().parse();
        let value =
            value.map_err(|_| Error::refused(format!("the setting {sysctl} is no number: {:?}", text.trim())))?;
        Ok(Setting { path, file: Some(file), value })
    })
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
    let Some(seen) = link::read::known(session, at, link::read::by_index(index), marks)? else {
        return Err(failed(&Errno::NODEV.into(), sysctl));
    };
    if own && matches!(sysctl, Sysctl::Link { .. }) {
        link::set::own(&LinkKey { namespace: at.clone(), index }, &seen)?;
    }
    // Never `all` or `default`: the kernel makes no links of these names (sysctl_dev_name_is_allowed).
    let folder = if name == PROXY_DELAY { "neigh" } else { "conf" };
    Ok(format!("{family}/{folder}/{}/{name}", seen.info.name))
}
