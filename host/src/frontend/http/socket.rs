//! A socket's file: bound by one daemon at a time, replaced only if it is a dead socket, removed at the end. Or one that the service
//! manager bound, and keeps; or that goes from one daemon to the next with its connections, and never stops listening.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, Permissions, TryLockError};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use listenfd::ListenFd;
use tokio::net::UnixListener;
use tokio::task::JoinSet;

use words::{Error, Kind, Result};

/// Owner and group may speak to the daemon, which makes them as good as root.
const SOCKET_MODE: u32 = 0o660;
/// Everybody may look into the folder: the plugin sockets of Docker are found by path.
const FOLDER_MODE: u32 = 0o755;

/// How often a lock is tried whose file another daemon removes meanwhile: each time, one of them has ended.
const LOCK_TRIES: usize = 5;

/// What the name of the file is that is locked for a socket, after the socket's.
const LOCK: &str = ".lock";

/// What the name of a socket ends with until it is complete.
const NEW: &str = "new";

/// A bound socket on which nobody is served now.
pub struct Bound {
    listener: StdListener,
    rest: Rest,
}

/// A bound socket that is about to be served.
pub struct Listening {
    /// Where clients connect.
    pub listener: UnixListener,
    /// What else there is of it.
    pub rest: Rest,
}

/// What there is of a socket beside the listener.
#[derive(Default)]
pub struct Rest {
    /// None: the service manager's.
    pub file: Option<SocketFile>,
    /// Connections on which nothing is asked.
    pub waiting: Vec<Waiting>,
    /// Those on which an answer is on its way.
    pub busy: JoinSet<Option<Waiting>>,
}

/// What another daemon needs of a socket to go on with it.
pub struct Shown<'a> {
    /// Where clients connect.
    pub listener: BorrowedFd<'a>,
    /// The file that is locked for it; none: it is the service manager's.
    pub lock: Option<BorrowedFd<'a>>,
    /// Connections on which nothing is asked.
    pub waiting: &'a [Waiting],
}

/// A connection on which nothing is asked, or no more than the beginning of a request.
pub struct Waiting {
    /// The connection.
    pub stream: StdStream,
    /// What was read from it already.
    pub begun: Vec<u8>,
}

/// The sockets that are there before they are served.
#[derive(Default)]
pub struct Inherited {
    /// Those that the service manager bound for this daemon (sd_listen_fds(3)), by path. They stay open here, also while nobody is served on
    /// one: the service manager's own listen anyway, and can't be bound again.
    managed: BTreeMap<PathBuf, StdListener>,
    /// Those that this daemon does not serve for a moment, or that it has from the one before it, by path.
    kept: Mutex<BTreeMap<PathBuf, Bound>>,
    /// The files of those that are from another daemon are this one's by now.
    ours: Arc<AtomicBool>,
}

/// The socket's file; it is removed with this.
pub struct SocketFile {
    path: PathBuf,
    inode: u64,
    lock: Lock,
}

/// A file that is locked for as long as the daemon runs, so that of two that start together one sees the other. It is removed with this.
struct Lock {
    path: PathBuf,
    file: File,
    /// This daemon's to remove, and the socket's file too.
    ours: Arc<AtomicBool>,
}

impl Bound {
    /// Binds it. Clients can connect from now on, and wait.
    pub fn bind(path: &Path) -> Result<Self> {
        let failed = |e: io::Error| Error::new(kind(&e), format!("can't bind the socket {}: {e}", path.display()));
        path.parent().map_or(Ok(()), make_folder)?;
        let lock = lock(path)?;
        check_free(path)?;
        // Under another name until it is complete: it never stands there with wrong permissions, and a dead one is replaced in one step.
        let new = beside(path, &format!(".{NEW}"));
        drop(std::fs::remove_file(&new));
        let listener = StdListener::bind(&new).map_err(failed)?;
        std::fs::set_permissions(&new, Permissions::from_mode(SOCKET_MODE)).map_err(failed)?;
        let inode = std::fs::symlink_metadata(&new).map_err(failed)?.ino();
        std::fs::rename(&new, path).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        Ok(Self::new(listener, Some(SocketFile { path: path.to_owned(), inode, lock })))
    }

    fn new(listener: StdListener, file: Option<SocketFile>) -> Self {
        Self { listener, rest: Rest { file, ..Rest::default() } }
    }

    /// Makes it ready to be served.
    pub fn listen(self) -> Result<Listening> {
        let listener = UnixListener::from_std(self.listener);
        let listener = listener.map_err(|e| Error::internal(format!("can't listen: {e}")))?;
        Ok(Listening { listener, rest: self.rest })
    }

    fn shown(&self) -> Shown<'_> {
        let lock = self.rest.file.as_ref().map(|file| file.lock.file.as_fd());
        Shown { listener: self.listener.as_fd(), lock, waiting: &self.rest.waiting }
    }
}

impl Listening {
    /// Nobody is served for now.
    pub fn pause(self) -> Result<Bound> {
        let listener = self.listener.into_std();
        let listener = listener.map_err(|e| Error::internal(format!("can't keep a socket: {e}")))?;
        Ok(Bound { listener, rest: self.rest })
    }
}

impl From<UnixListener> for Listening {
    fn from(listener: UnixListener) -> Self {
        Self { listener, rest: Rest::default() }
    }
}

impl Inherited {
    /// Takes over what the environment names. A socket that is no listening unix socket with a path is left alone, with a word in the log.
    pub fn from_environment() -> Self {
        let mut given = ListenFd::from_env();
        let mut sockets = BTreeMap::new();
        for number in 0..given.len() {
            let path = |listener: &StdListener| Some(listener.local_addr().ok()?.as_pathname()?.to_owned());
            match given.take_unix_listener(number).ok().flatten().and_then(|l| Some((path(&l)?, l))) {
                Some((path, listener)) => drop(sockets.insert(path, listener)),
                None => tracing::warn!(
                    "socket {number} of the service manager is no unix socket with a path: it is not used"
                ),
            }
        }
        Self { managed: sockets, ..Self::default() }
    }

    /// Whether the socket at a path is the service manager's.
    pub fn has(&self, path: &Path) -> bool {
        self.managed.contains_key(path)
    }

    /// The paths of all that are the service manager's.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.managed.keys().map(PathBuf::as_path)
    }

    /// The socket at a path: one that was kept, the service manager's, or one that is bound now.
    pub fn take_or_bind(&self, path: &Path) -> Result<Bound> {
        if let Some(kept) = self.kept().remove(path) {
            return Ok(kept);
        }
        let Some(listener) = self.managed.get(path) else { return Bound::bind(path) };
        let failed = |e: io::Error| Error::internal(format!("can't use the socket {}: {e}", path.display()));
        let listener = listener.try_clone().map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        Ok(Bound::new(listener, None))
    }

    /// Keeps a socket until somebody takes it.
    pub fn keep(&self, path: &Path, socket: Bound) {
        self.kept().insert(path.to_owned(), socket);
    }

    /// Shows each to somebody, up to the first failure.
    pub fn show(&self, mut to: impl FnMut(&Path, Shown<'_>) -> Result<()>) -> Result<()> {
        let kept = self.kept();
        kept.iter().try_for_each(|(path, bound)| to(path, bound.shown()))?;
        let others = self.managed.iter().filter(|(path, _)| !kept.contains_key(*path));
        let shown = |listener| Shown { listener, lock: None, waiting: &[] };
        others.map(|(path, listener)| (path, shown(listener.as_fd()))).try_for_each(|(path, shown)| to(path, shown))
    }

    /// How many answers are on their way on those that are kept.
    pub fn busy(&self) -> usize {
        self.kept().values().map(|bound| bound.rest.busy.len()).sum()
    }

    /// Keeps a socket that another daemon hands over, with the file that it has locked for it; none: it is the service manager's.
    pub fn receive(&mut self, path: PathBuf, listener: OwnedFd, lock: Option<OwnedFd>) -> Result<()> {
        let failed = |e: io::Error| Error::internal(format!("can't take the socket {} over: {e}", path.display()));
        let listener = StdListener::from(listener);
        let Some(file) = lock else {
            self.managed.insert(path, listener);
            return Ok(());
        };
        let inode = std::fs::symlink_metadata(&path).map_err(failed)?.ino();
        let lock = Lock { path: beside(&path, LOCK), file: file.into(), ours: self.ours.clone() };
        let file = SocketFile { path: path.clone(), inode, lock };
        self.keep(&path, Bound::new(listener, Some(file)));
        Ok(())
    }

    /// Keeps a connection of such a socket.
    pub fn receive_connection(&self, path: &Path, waiting: Waiting) -> Result<()> {
        let mut bound = self.take_or_bind(path)?;
        bound.rest.waiting.push(waiting);
        self.keep(path, bound);
        Ok(())
    }

    /// What another daemon handed over is this one's from now on: files are removed at its end, and now those that nobody took.
    pub fn own(&self) {
        self.ours.store(true, Ordering::Relaxed);
        self.kept().clear();
    }

    /// What is kept is another daemon's from now on: no file is removed.
    pub fn disown(&self) {
        for file in self.kept().values().filter_map(|bound| bound.rest.file.as_ref()) {
            file.lock.ours.store(false, Ordering::Relaxed);
        }
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Bound>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is locked: whoever had it open already sees that it is not the one at the path any more.
        if self.ours.load(Ordering::Relaxed) {
            drop(std::fs::remove_file(&self.path));
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Not a file that somebody else has put there since.
        let is_ours = self.lock.ours.load(Ordering::Relaxed);
        if is_ours && std::fs::symlink_metadata(&self.path).is_ok_and(|m| m.ino() == self.inode) {
            drop(std::fs::remove_file(&self.path));
        }
    }
}

/// Where a socket's file is. The kernel knows the name that it was bound under, which for one of ours was another.
pub fn path_of(listener: &UnixListener) -> Option<PathBuf> {
    let path = listener.local_addr().ok()?.as_pathname()?.to_owned();
    Some(if path.extension().is_some_and(|ending| ending == NEW) { path.with_extension("") } else { path })
}

/// Makes a folder for sockets; one that is there stays as it is.
pub fn make_folder(folder: &Path) -> Result<()> {
    if folder.exists() {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder);
    // Again, because the umask takes bits from the mode.
    let made = made.and_then(|()| std::fs::set_permissions(folder, Permissions::from_mode(FOLDER_MODE)));
    made.map_err(|e| Error::new(kind(&e), format!("can't make the folder {}: {e}", folder.display())))
}

fn lock(path: &Path) -> Result<Lock> {
    let name = beside(path, LOCK);
    let failed = |e: io::Error| Error::new(kind(&e), format!("can't lock {}: {e}", name.display()));
    for _ in 0..LOCK_TRIES {
        // For root alone: whoever can open a file can lock it, and so keep the daemon from starting.
        let file = words::file::open_own(&name).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(path)),
            Err(TryLockError::Error(e)) => return Err(failed(e)),
        }
        let inode = file.metadata().map_err(failed)?.ino();
        if std::fs::symlink_metadata(&name).is_ok_and(|m| m.ino() == inode) {
            return Ok(Lock { path: name, file, ours: Arc::new(AtomicBool::new(true)) });
        }
    }
    Err(in_use(path))
}

/// Nothing, or a socket that nobody listens on.
fn check_free(path: &Path) -> Result<()> {
    match std::fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(Error::new(kind(&e), format!("can't look at {}: {e}", path.display()))),
        Ok(found) if !found.file_type().is_socket() => Err(Error::exists(format!(
            "{} is there and is no socket: remove it, or choose another --socket",
            path.display()
        ))),
        Ok(_) => match StdStream::connect(path) {
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            // A full backlog, for one, is a sign of life.
            _ => Err(in_use(path)),
        },
    }
}

fn in_use(path: &Path) -> Error {
    Error::exists(format!("another daemon listens on {} already", path.display()))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn kind(error: &io::Error) -> Kind {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Kind::Forbidden,
        io::ErrorKind::InvalidInput => Kind::InvalidArgument,
        _ => Kind::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn it_is_made_with_its_folder_and_removed() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b/p.sock");
        let socket = Bound::bind(&path).unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o660, 0o755));
        assert_eq!(mode(&beside(&path, ".lock")), 0o600);
        StdStream::connect(&path).expect("a client that comes early can connect");
        drop(socket);
        assert!(!path.exists());
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 0, "nothing stays behind");
    }

    #[test]
    fn a_lock_that_is_a_link_is_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("p.sock");
        let outside = root.path().join("outside");
        std::os::unix::fs::symlink(&outside, beside(&path, ".lock")).unwrap();
        assert!(Bound::bind(&path).err().unwrap().message.contains("can't lock"));
        assert!(!outside.exists());
    }

    #[test]
    fn a_dead_socket_is_replaced() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("p.sock");
        drop(StdListener::bind(&path).unwrap());
        assert!(path.exists());
        let socket = Bound::bind(&path).unwrap();
        StdStream::connect(&path).unwrap();
        drop(socket);
    }

    #[test]
    fn a_live_one_is_not() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("p.sock");
        let first = Bound::bind(&path).unwrap();
        assert_eq!(Bound::bind(&path).err().unwrap().kind, Kind::AlreadyExists);
        StdStream::connect(&path).expect("the first still listens");
        drop(first);
        let _foreign = StdListener::bind(&path).unwrap();
        let error = Bound::bind(&path).err().unwrap();
        assert!(error.message.contains("another daemon listens on"), "{error}");
    }

    #[test]
    fn something_else_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("p.sock");
        std::fs::write(&path, "precious").unwrap();
        let error = Bound::bind(&path).err().unwrap();
        assert!(error.message.contains("is no socket"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn a_foreign_file_is_not_removed_at_the_end() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("p.sock");
        let socket = Bound::bind(&path).unwrap();
        // Beside it first, so that it can't get the same inode.
        std::fs::write(root.path().join("other"), "").unwrap();
        std::fs::rename(root.path().join("other"), &path).unwrap();
        drop(socket);
        assert!(path.exists());
    }

    #[test]
    fn a_path_that_is_too_long_is_one_line() {
        let root = tempfile::tempdir().unwrap();
        let error = Bound::bind(&root.path().join("x".repeat(120))).err().unwrap();
        assert_eq!(error.kind, Kind::InvalidArgument);
    }
}
