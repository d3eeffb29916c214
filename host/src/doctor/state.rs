//! The daemon's own places: the state folder, and who can write to the admin socket.

use std::io;
use std::path::Path;

use rustix::fs::{statfs, statvfs};

use super::access::{self, Who};
use super::unknown;
use crate::config::Config;
use operation::finding::Finding;

/// A component has 64 MiB at most, and its code about as much again: two of them.
const ROOM: u64 = 256 << 20;
/// The store's log alone grows to 8 MiB.
const LITTLE_ROOM: u64 = 16 << 20;

/// File systems by their numbers in linux/magic.h or their own headers.
enum Kind {
    /// SQLite's log needs memory that all processes share, and locks that hold: sqlite.org/wal.html.
    Network(&'static str),
    Memory(&'static str),
    Other,
}

/// Looks at them; without a daemon there is no socket.
pub fn look(config: &Config, runs: bool) -> Vec<Finding> {
    let mut findings = folder(&config.state);
    findings.extend(runs.then(|| socket(&config.socket)));
    findings
}

fn folder(path: &Path) -> Vec<Finding> {
    let (check, shown) = ("state folder", path.display());
    // Until the first start there is only what it will be made in.
    let Some(there) = path.ancestors().find(|folder| folder.exists()) else { return Vec::new() };
    let (kind, space) = match (statfs(there), statvfs(there)) {
        (Ok(system), Ok(space)) => (kind(system.f_type as u64), space.f_bavail * space.f_frsize),
        (Err(e), _) | (_, Err(e)) => return vec![unknown(check, format_args!("{shown}: {e}"), Some(e.raw_os_error()))],
    };
    let mut findings = vec![match kind {
        Kind::Network(name) => Finding::problem(
            check,
            format!("{shown} is on {name}, which other machines change, too: its database would be damaged"),
            "serve with --state FOLDER on a disk of this machine",
        ),
        Kind::Memory(name) => Finding::warning(
            check,
            format!("{shown} is on {name}: drivers and networks are forgotten when the machine goes down"),
            "serve with --state FOLDER on a disk",
        ),
        Kind::Other => room(&shown.to_string(), space),
    }];
    match access::writer(path) {
        Ok(Some(writer)) => findings.push(Finding::problem(
            check,
            format!("{writer}: whoever can runs code in the daemon"),
            format!("chown -R root:root {shown} && chmod 700 {shown}, and look at the folder that is named"),
        )),
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            findings.push(unknown(check, format_args!("{shown}: {e}"), e.raw_os_error()));
        }
        _ => {}
    }
    findings
}

fn room(shown: &str, space: u64) -> Finding {
    let (check, found) = ("state folder", format!("{shown}, {} MiB free", space >> 20));
    let advice = "make room on its disk, or serve with another --state FOLDER";
    match space {
        0..LITTLE_ROOM => Finding::problem(check, found, advice),
        LITTLE_ROOM..ROOM => Finding::warning(check, found, advice),
        _ => Finding::ok(check, found),
    }
}

fn kind(magic: u64) -> Kind {
    match magic & 0xffff_ffff {
        0x6969 => Kind::Network("NFS"),
        0xff53_4d42 | 0xfe53_4d42 | 0x517b => Kind::Network("SMB"),
        0x0102_1997 => Kind::Network("9p"),
        0x00c3_6400 => Kind::Network("Ceph"),
        0x5346_414f | 0x6b41_4653 => Kind::Network("AFS"),
        0x7461_636f => Kind::Network("OCFS2"),
        0x0116_1970 => Kind::Network("GFS2"),
        0x0bd0_0bd0 => Kind::Network("Lustre"),
        0x0102_1994 => Kind::Memory("tmpfs"),
        0x8584_58f6 => Kind::Memory("ramfs"),
        _ => Kind::Other,
    }
}

fn socket(path: &Path) -> Finding {
    let (check, shown) = ("admin socket", path.display());
    match access::writer(path) {
        Ok(None) => Finding::ok(check, format!("{shown}, which only root can use")),
        // A group is the operator's choice.
        Ok(Some(writer)) if matches!(writer.who, Who::Group(_)) && !writer.above => {
            Finding::ok(check, format!("{writer}, which is as good as being root"))
        }
        Ok(Some(writer)) => Finding::problem(
            check,
            format!("{writer}, which is as good as being root"),
            format!("chown root {shown} && chmod 660 {shown}, and look at the folder that is named"),
        ),
        Err(e) => unknown(check, format_args!("{shown}: {e}"), e.raw_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use operation::finding::Status;

    #[test]
    fn file_systems() {
        assert!(matches!(kind(0x6969), Kind::Network("NFS")));
        assert!(matches!(kind(0xffff_ffff_ff53_4d42), Kind::Network("SMB")), "a number whose sign was extended");
        assert!(matches!(kind(0x0102_1994), Kind::Memory("tmpfs")));
        assert!(matches!(kind(0xef53), Kind::Other));
        assert!(matches!(kind(statfs("/proc").unwrap().f_type as u64), Kind::Other));
    }

    #[test]
    fn room_is_enough_or_not() {
        let status = |space| room("/s", space).status;
        let found = [0, LITTLE_ROOM - 1, LITTLE_ROOM, ROOM - 1, ROOM].map(status);
        assert_eq!(found, [Status::Problem, Status::Problem, Status::Warning, Status::Warning, Status::Ok]);
    }

    #[test]
    fn a_folder_of_everybody_is_a_problem() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(folder(root.path()).len(), 1);
        assert_eq!(folder(&root.path().join("not/yet/there")).len(), 1);
        set_permissions(root.path(), Permissions::from_mode(0o777)).unwrap();
        let findings = folder(root.path());
        assert_eq!(findings[1].status, Status::Problem, "{findings:?}");
    }

    #[test]
    fn a_socket_of_everybody_is_a_problem() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("p.sock");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        for (mode, status) in [(0o660, Status::Ok), (0o666, Status::Problem)] {
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(socket(&path).status, status, "{mode:o}");
        }
        std::os::unix::fs::chown(&path, None, Some(7)).unwrap();
        set_permissions(&path, Permissions::from_mode(0o660)).unwrap();
        assert_eq!((socket(&path).status, socket(&path).found.starts_with("the group 7")), (Status::Ok, true));
    }
}
