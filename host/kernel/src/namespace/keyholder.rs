//! The process that holds the keys to namespaces, for a daemon that has given them up (`confine`).
//!
//! Namespaces lie wherever engines and operators put them, those of processes open only to who may look into the processes, and those that
//! drivers make are bound by a mount. This process is started before the daemon confines itself and keeps these rights. It opens a
//! path that must be a network namespace, binds and unbinds one in the run folder, says which file a path is, and does nothing else.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use serde::{Deserialize, Serialize};

use crate::process::{is_gone, pair, receive, send};
use crate::{Error, namespace};

/// The hidden subcommand of this program.
pub const SUBCOMMAND: &str = "keyholder";

/// How long an answer may take: a path can lead to a file system that hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// As many lines as calls usually run at the same time; more are closed after use.
const IDLE_LINES: usize = 16;

/// This process's. Like the confinement that makes it necessary, it is a fact about the whole process.
static OURS: OnceLock<Keyholder> = OnceLock::new();

/// The way to it. Each line is a socket of its own to a thread of its own, so that a path that hangs holds up nobody else.
#[derive(Debug)]
pub(crate) struct Keyholder {
    /// Takes the other ends of new lines.
    door: OwnedFd,
    idle: Mutex<Vec<OwnedFd>>,
}

/// What it is asked for.
#[derive(Debug, Serialize, Deserialize)]
enum Wish {
    /// The network namespace at a path.
    Open(PathBuf),
    /// Bind the namespace that comes along under a name.
    Bind(String),
    /// Undo that.
    Unbind(String),
    /// Device and inode of what is at a path.
    Identify(PathBuf),
}

/// What it answers, [`Wish::Identify`] only; an open file comes beside it.
type Reply = Result<Option<Identity>, Error>;

/// Device and inode.
type Identity = (u64, u64);

/// What it gave.
type Given = (Option<Identity>, Option<OwnedFd>);

/// Starts it from this program's file, for namespaces that are bound in this folder. From now on this process asks it, and can't start
/// another: whoever calls this waits for its end.
pub fn start_keyholder(program: &Path, folder: &Path) -> Result<Child, Error> {
    let failed = |e: io::Error| Error::io("starting the process for namespaces", &e);
    let (door, theirs) = pair()?;
    let mut command = Command::new(program);
    // A process group of its own: an interrupt from a terminal is for the daemon, whose end is its end.
    command.arg0("pontoon").arg(SUBCOMMAND).arg(folder).env_clear().process_group(0);
    let child = command.stdin(Stdio::from(theirs)).stdout(Stdio::null()).spawn().map_err(failed)?;
    let started = OURS.set(Keyholder { door, idle: Mutex::default() });
    started.map_err(|_| Error::refused("the process for namespaces runs already"))?;
    Ok(child)
}

/// Which file a path is: device and inode. None: nothing is there.
pub fn identify(path: &Path) -> Result<Option<(u64, u64)>, Error> {
    match OURS.get() {
        Some(keyholder) => Ok(keyholder.ask(&Wish::Identify(path.to_owned()), None)?.0),
        None => namespace::identify(path),
    }
}

impl Keyholder {
    /// This process's; none where it is not confined and does these things itself.
    pub fn get() -> Option<&'static Self> {
        OURS.get()
    }

    /// The network namespace at a path.
    pub fn open(&self, path: &Path) -> Result<OwnedFd, Error> {
        self.ask(&Wish::Open(path.to_owned()), None)?.1.ok_or_else(ended)
    }

    /// Binds a namespace under a name.
    pub fn bind(&self, name: &str, namespace: BorrowedFd<'_>) -> Result<(), Error> {
        self.ask(&Wish::Bind(name.to_owned()), Some(namespace)).map(drop)
    }

    /// Unbinds what is bound under a name.
    pub fn unbind(&self, name: &str) -> Result<(), Error> {
        self.ask(&Wish::Unbind(name.to_owned()), None).map(drop)
    }

    fn ask(&self, wish: &Wish, file: Option<BorrowedFd<'_>>) -> Result<Given, Error> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let line = idle.map_or_else(|| self.line(), Ok)?;
        // After an error an answer may still be on its way: that line is not used again.
        tell(line.as_fd(), wish, file)?;
        let (reply, file) = hear::<Reply>(line.as_fd())?.ok_or_else(ended)?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(line);
        idle.truncate(IDLE_LINES);
        Ok((reply?, file))
    }

    fn line(&self) -> Result<OwnedFd, Error> {
        let (ours, theirs) = pair()?;
        set_socket_timeout(&ours, Timeout::Recv, Some(PATIENCE))
            .map_err(|e| Error::system("setting up a socket", e))?;
        tell(self.door.as_fd(), &(), Some(theirs.as_fd()))?;
        Ok(ours)
    }
}

/// The process's work, until the daemon is gone.
pub fn hold_keys(folder: &Path) -> Result<(), Error> {
    let folder = Arc::new(namespace::open_folder(folder)?);
    let door = io::stdin();
    while let Some(((), line)) = hear::<()>(door.as_fd())? {
        let Some(line) = line else { continue };
        let folder = folder.clone();
        let attending = thread::Builder::new().spawn(move || attend(line.as_fd(), folder.as_fd()));
        attending.map_err(|e| Error::io("starting a thread", &e))?;
    }
    Ok(())
}

fn attend(line: BorrowedFd<'_>, folder: BorrowedFd<'_>) {
    while let Ok(Some((wish, file))) = hear::<Wish>(line) {
        let (reply, file) = match grant(wish, file, folder) {
            Ok((found, file)) => (Ok(found), file),
            Err(error) => (Err(error), None),
        };
        if tell(line, &reply, file.as_ref().map(AsFd::as_fd)).is_err() {
            return;
        }
    }
}

fn grant(wish: Wish, file: Option<OwnedFd>, folder: BorrowedFd<'_>) -> Result<Given, Error> {
    match wish {
        Wish::Open(path) => Ok((None, Some(namespace::examine_here(&path)?))),
        Wish::Bind(name) => {
            let file = file.ok_or_else(|| Error::refused("no namespace came along"))?;
            namespace::bind_here(folder, &name, file.as_fd())?;
            Ok((None, None))
        }
        Wish::Unbind(name) => namespace::unbind_here(folder, &name).map(|()| (None, None)),
        Wish::Identify(path) => Ok((namespace::identify(&path)?, None)),
    }
}

fn ended() -> Error {
    let message = "the process for namespaces has ended: start the daemon again".into();
    Error { message, errno: Some(rustix::io::Errno::PIPE.raw_os_error()) }
}

fn tell(to: BorrowedFd<'_>, message: &impl Serialize, file: Option<BorrowedFd<'_>>) -> Result<(), Error> {
    match send(to, message, file.as_slice()) {
        Err(error) if is_gone(&error) => Err(ended()),
        sent => sent,
    }
}

/// The next message, and the file that came beside it; none: the other side is gone.
fn hear<T: for<'a> Deserialize<'a>>(from: BorrowedFd<'_>) -> Result<Option<(T, Option<OwnedFd>)>, Error> {
    Ok(receive(from)?.map(|(message, mut files)| (message, files.pop())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A keyholder on a thread of this process.
    fn keyholder(folder: &Path) -> Keyholder {
        let (door, theirs) = pair().unwrap();
        let folder = Arc::new(namespace::open_folder(folder).unwrap());
        thread::spawn(move || {
            while let Ok(Some(((), Some(line)))) = hear::<()>(theirs.as_fd()) {
                let folder = folder.clone();
                thread::spawn(move || attend(line.as_fd(), folder.as_fd()));
            }
        });
        Keyholder { door, idle: Mutex::default() }
    }

    #[test]
    fn it_opens_network_namespaces_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let keyholder = keyholder(folder.path());
        let own = keyholder.open(Path::new("/proc/self/ns/net")).unwrap();
        assert!(namespace::is_current(namespace::inode(own.as_fd()).unwrap()));
        for (path, why) in [
            ("/etc/passwd", "is no network namespace but a regular file"),
            ("/", "is no network namespace but a folder"),
            ("/proc/self/ns/mnt", "a namespace of another kind"),
            ("/nonexistent", "No such file"),
        ] {
            let error = keyholder.open(Path::new(path)).unwrap_err();
            assert!(error.message.contains(why), "{path}: {error}");
        }
        assert_eq!(keyholder.open(Path::new("/nonexistent")).unwrap_err().errno, Some(2));
    }

    #[test]
    fn it_binds_network_namespaces_in_its_folder_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let keyholder = keyholder(folder.path());
        let (file, link) = (folder.path().join("a"), folder.path().join("link"));
        std::fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink("/etc/hostname", &link).unwrap();
        let own = namespace::current().unwrap();
        let other = std::fs::File::open("/etc").unwrap();
        assert!(keyholder.bind("a", other.as_fd()).unwrap_err().message.contains("no network namespace"));
        for name in ["..", "../a", "/a", "", "a/b"] {
            assert!(keyholder.bind(name, own.as_fd()).unwrap_err().message.contains("is no name"), "{name}");
        }
        let error = keyholder.bind("link", own.as_fd()).unwrap_err();
        assert!(error.message.contains("is no regular file"), "a link that leads out is not followed: {error}");
        keyholder.bind("a", own.as_fd()).unwrap();
        namespace::examine_here(&file).unwrap();
        keyholder.unbind("a").unwrap();
        assert!(namespace::examine_here(&file).is_err());
        keyholder.unbind("a").unwrap();
        keyholder.unbind("none").unwrap();
    }

    #[test]
    fn one_that_has_ended_says_so() {
        let (door, theirs) = pair().unwrap();
        drop(theirs);
        let keyholder = Keyholder { door, idle: Mutex::default() };
        let error = keyholder.open(Path::new("/proc/self/ns/net")).unwrap_err();
        assert!(error.message.contains("start the daemon again"), "{error}");
    }
}
