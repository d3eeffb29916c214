//! Network namespaces: opening and checking them by path, doing something inside one, making and removing them.
//!
//! With `unsafe`: an ioctl, a getsockopt, a close_range and two unshares that rustix offers no safe function for.
#![expect(unsafe_code, reason = "see above; every block says why it is sound")]

pub mod keyholder;
pub mod sysctl;

use std::ffi::{c_int, c_long, c_uint, c_void};
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::thread;

use rustix::fs::{FileType, Mode, OFlags, fstat, fstatfs, open as open_file, openat, stat};
use rustix::io::Errno;
use rustix::ioctl;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_change, mount_remount, unmount,
};
use rustix::process::{chdir, pivot_root};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};

use crate::namespace::keyholder::Keyholder;
use crate::{Error, NamespacePath};

/// The type of a file system whose files are namespaces (linux/magic.h).
pub const NSFS_MAGIC: i64 = 0x6e73_6673;
/// linux/nsfs.h: NS_GET_NSTYPE, which answers a CLONE_NEW* flag.
const NS_GET_NSTYPE: ioctl::Opcode = ioctl::opcode::none(0xb7, 3);
const CLONE_NEWNET: c_int = 0x4000_0000;
/// asm-generic/socket.h, since Linux 5.14.
const SO_NETNS_COOKIE: c_int = 71;
const SOL_SOCKET: c_int = 1;
/// The calling thread's namespace; a process can have threads in several.
const OWN: &str = "/proc/thread-self/ns/net";

/// The calling thread's namespace.
pub(super) fn current() -> Result<OwnedFd, Error> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    open_file(OWN, flags, Mode::empty()).map_err(|e| Error::system(format!("opening {OWN}"), e))
}

/// Whether the calling thread is in the namespace of this inode.
pub(super) fn is_current(inode: u64) -> bool {
    rustix::fs::stat(OWN).is_ok_and(|s| s.st_ino == inode)
}

/// The inode of an open file.
pub(super) fn inode(file: BorrowedFd<'_>) -> Result<u64, Error> {
    fstat(file).map(|s| s.st_ino).map_err(|e| Error::system("reading a namespace's inode", e))
}

/// Opens a path that must be a network namespace, and says what is there instead.
pub(super) fn examine(path: &Path) -> Result<(OwnedFd, u64), Error> {
    let refused =
        |e: &Error| e.errno.is_some_and(|n| [Errno::ACCESS, Errno::PERM].contains(&Errno::from_raw_os_error(n)));
    let open = match (examine_here(path), Keyholder::get()) {
        // Another process has to be woken for it, which on a busy machine takes its time.
        (Err(error), Some(keyholder)) if refused(&error) => keyholder.open(path)?,
        (opened, _) => opened?,
    };
    let inode = inode(open.as_fd())?;
    Ok((open, inode))
}

/// The same by this process itself.
pub(super) fn examine_here(path: &Path) -> Result<OwnedFd, Error> {
    let shown = path.display();
    let failed = |e| Error::system(format!("opening the network namespace {shown}"), e);
    // O_PATH neither waits (a FIFO would make a plain open wait) nor has any effect on a device.
    let found = open_file(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
    if fstatfs(&found).map_err(failed)?.f_type != NSFS_MAGIC {
        return Err(Error::refused(format!("{shown} is no network namespace but {}", what_else(&found))));
    }
    let again = by_number(&found);
    let open = open_file(&again, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty()).map_err(failed)?;
    if kind(open.as_fd()).map_err(failed)? != CLONE_NEWNET {
        return Err(Error::refused(format!("{shown} is a namespace of another kind, no network namespace")));
    }
    Ok(open)
}

/// The path of an open file, which leads to that very file.
fn by_number(file: &impl AsFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_fd().as_raw_fd()))
}

/// Which file a path is: device and inode. None: nothing is there.
pub(super) fn identify(path: &Path) -> Result<Option<(u64, u64)>, Error> {
    match stat(path) {
        Ok(found) => Ok(Some((found.st_dev, found.st_ino))),
        Err(Errno::NOENT) => Ok(None),
        Err(e) => Err(Error::system(format!("looking at {}", path.display()), e)),
    }
}

fn what_else(file: &OwnedFd) -> &'static str {
    // Through /proc because std takes no O_PATH descriptor apart; it follows the link to the very same file.
    let Ok(data) = fs::metadata(by_number(file)) else { return "something else" };
    let kind = data.file_type();
    match () {
        () if kind.is_file() => "a regular file (a namespace that was unmounted leaves one behind)",
        () if kind.is_dir() => "a folder",
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () => "a device",
    }
}

/// Opens a namespace that was seen before. With `errno` ENOENT it is gone.
pub(super) fn open(namespace: &NamespacePath) -> Result<OwnedFd, Error> {
    let gone = |why: &str| gone(&namespace.path, why);
    match examine(&namespace.path) {
        Ok((open, inode)) if inode == namespace.inode => Ok(open),
        Ok(_) => Err(gone(": another one is there now")),
        Err(e) if e.errno == Some(Errno::NOENT.raw_os_error()) => Err(gone("")),
        Err(e) if e.errno.is_none() => Err(gone(&format!(": {}", e.message))),
        Err(e) => Err(e),
    }
}

/// That a namespace is gone, and why.
pub(super) fn gone(path: &Path, why: &str) -> Error {
    let message = format!("the network namespace {} is gone{why}", path.display());
    Error { message, errno: Some(Errno::NOENT.raw_os_error()) }
}

/// Whether an error of [`open`] says that the namespace is gone.
pub(super) fn is_gone(error: &Error) -> bool {
    error.errno == Some(Errno::NOENT.raw_os_error())
}

/// Does something on a thread of its own inside a namespace.
pub(super) fn within<T: Send>(
    namespace: BorrowedFd<'_>,
    action: impl FnOnce() -> Result<T, Error> + Send,
) -> Result<T, Error> {
    on_thread(|| {
        enter(namespace)?;
        action()
    })
}

/// Moves the calling thread into a namespace.
pub(super) fn enter(namespace: BorrowedFd<'_>) -> Result<(), Error> {
    let moved = move_into_link_name_space(namespace, Some(LinkNameSpaceType::Network));
    moved.map_err(|e| Error::system("entering a network namespace", e))
}

fn on_thread<T: Send>(action: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    thread::scope(|scope| {
        let worker = thread::Builder::new().name("namespace".into()).spawn_scoped(scope, action);
        let worker = worker.map_err(|e| Error::io("starting a thread", &e))?;
        worker.join().unwrap_or_else(|_| Err(Error::refused("a thread in another namespace panicked")))
    })
}

/// Does something on a thread of its own inside a new namespace, which goes with the thread.
pub(super) fn within_new<T: Send>(action: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    on_thread(|| {
        new_namespace().map_err(|e| Error::system("making a network namespace", e))?;
        action()
    })
}

/// Makes a namespace, prepares it on a thread inside, and binds it at `folder/name`.
pub(super) fn make(
    folder: &Path,
    name: &str,
    prepare: impl FnOnce() -> Result<(), Error> + Send,
) -> Result<NamespacePath, Error> {
    let path = place(folder, name)?;
    let doing = || format!("making the network namespace {}", path.display());
    if let Ok((_, _)) = examine(&path) {
        return Err(Error::system(doing(), Errno::EXIST));
    }
    private_folder(folder).map_err(|e| Error::io(format!("making the folder {}", folder.display()), &e))?;
    fs::write(&path, "").map_err(|e| Error::io(doing(), &e))?;
    let made = on_thread(|| {
        new_namespace().map_err(|e| Error::system(doing(), e))?;
        prepare()?;
        let namespace = current()?;
        match Keyholder::get() {
            Some(keyholder) => keyholder.bind(name, namespace.as_fd()),
            None => bind_here(open_folder(folder)?.as_fd(), name, namespace.as_fd()),
        }
    });
    match made.and_then(|()| examine(&path)) {
        Ok((_, inode)) => Ok(NamespacePath { path, inode }),
        Err(error) => {
            // What is left is an empty file that the next attempt takes over.
            let _ = remove(folder, name);
            Err(error)
        }
    }
}

/// The names of what is bound in the folder.
pub(super) fn made(folder: &Path) -> Result<Vec<String>, Error> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|e| Error::refused(format!("{}: {e}", folder.display())))?,
    };
    Ok(entries.flatten().filter_map(|e| e.file_name().into_string().ok()).collect())
}

/// Unbinds `folder/name`; the namespace dies with its last user. Ok if it is gone.
pub(super) fn remove(folder: &Path, name: &str) -> Result<(), Error> {
    let path = place(folder, name)?;
    match Keyholder::get() {
        Some(keyholder) => keyholder.unbind(name)?,
        None if folder.exists() => unbind_here(open_folder(folder)?.as_fd(), name)?,
        None => {}
    }
    match fs::remove_file(&path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(Error::io(format!("removing the network namespace {}", path.display()), &e))
        }
        _ => Ok(()),
    }
}

/// Binds a network namespace to the file of a name in a folder. What is there must be the file itself: a link is not followed.
pub(super) fn bind_here(folder: BorrowedFd<'_>, name: &str, namespace: BorrowedFd<'_>) -> Result<(), Error> {
    check_name(name)?;
    let failed = |e| Error::system(format!("binding the network namespace {name}"), e);
    if fstatfs(namespace).map_err(failed)?.f_type != NSFS_MAGIC || kind(namespace).map_err(failed)? != CLONE_NEWNET {
        return Err(Error::refused(format!("what is to be bound as {name} is no network namespace")));
    }
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let place = openat(folder, name, flags, Mode::empty()).map_err(failed)?;
    if !FileType::from_raw_mode(fstat(&place).map_err(failed)?.st_mode).is_file() {
        return Err(Error::refused(format!("{name}, where a network namespace is to be bound, is no regular file")));
    }
    mount_bind(by_number(&namespace), by_number(&place)).map_err(failed)
}

/// Unbinds what is bound to a name in a folder. Ok if nothing is.
pub(super) fn unbind_here(folder: BorrowedFd<'_>, name: &str) -> Result<(), Error> {
    check_name(name)?;
    let place = openat(folder, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
    match place.and_then(|place| unmount(by_number(&place), UnmountFlags::DETACH)) {
        Ok(()) | Err(Errno::INVAL | Errno::NOENT) => Ok(()),
        Err(e) => Err(Error::system(format!("unbinding the network namespace {name}"), e)),
    }
}

/// The path of a name that a namespace can be bound under.
pub(super) fn place(folder: &Path, name: &str) -> Result<PathBuf, Error> {
    check_name(name).map(|()| folder.join(name))
}

fn check_name(name: &str) -> Result<(), Error> {
    let fits = (1..=255).contains(&name.len()) && !name.starts_with('.');
    if fits && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
        return Ok(());
    }
    Err(Error::refused(format!("{name:?} is no name for a network namespace: letters, digits, '-', '_' and '.'")))
}

/// Opens the folder in which namespaces are bound, and makes it first where it is not there.
pub(super) fn open_folder(folder: &Path) -> Result<OwnedFd, Error> {
    let failed = |e: io::Error| Error::io(format!("the folder {}", folder.display()), &e);
    private_folder(folder).map_err(failed)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    open_file(folder, flags, Mode::empty()).map_err(|e| failed(e.into()))
}

fn private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn new_namespace() -> rustix::io::Result<()> {
    // SAFETY: only unsharing the table of open files (CLONE_FILES) can make another thread's descriptors invalid.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET) }
}

/// Answers a CLONE_NEW* flag.
fn kind(namespace: BorrowedFd<'_>) -> rustix::io::Result<c_int> {
    struct NamespaceKind;
    // SAFETY: NS_GET_NSTYPE takes no argument, writes nothing, and its result is the system call's return value.
    unsafe impl ioctl::Ioctl for NamespaceKind {
        type Output = c_int;
        const IS_MUTATING: bool = false;
        fn opcode(&self) -> ioctl::Opcode {
            NS_GET_NSTYPE
        }
        fn as_ptr(&mut self) -> *mut c_void {
            std::ptr::null_mut()
        }
        unsafe fn output_from_ptr(result: ioctl::IoctlOutput, _: *mut c_void) -> rustix::io::Result<c_int> {
            Ok(result)
        }
    }
    // SAFETY: as above; on a file that isn't nsfs the kernel refuses the number, and `examine` has checked that before.
    unsafe { ioctl::ioctl(namespace, NamespaceKind) }
}

unsafe extern "C" {
    fn getsockopt(socket: c_int, level: c_int, name: c_int, value: *mut c_void, length: *mut u32) -> c_int;
}

/// The never repeated number of the calling thread's namespace since boot; none on kernels before 5.14.
pub(super) fn cookie() -> Option<u64> {
    let socket = std::os::unix::net::UnixDatagram::unbound().ok()?;
    let mut cookie = 0u64;
    let mut length = 8u32;
    // SAFETY: the socket is open for the whole call, and the kernel writes at most `length` = 8 bytes into the u64 behind the pointer.
    let result = unsafe {
        getsockopt(socket.as_raw_fd(), SOL_SOCKET, SO_NETNS_COOKIE, (&raw mut cookie).cast(), &raw mut length)
    };
    (result == 0 && length == 8).then_some(cookie)
}

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
}

/// close_range(2), the same on every architecture. Since Linux 5.9.
const SYS_CLOSE_RANGE: c_long = 436;

/// Closes all open files but standard input, output and error: what the process that started this one left open is not for it. To be
/// called first in a process's life.
pub fn close_inherited() -> Result<(), Error> {
    let (first, last, flags): (c_uint, c_uint, c_uint) = (3, c_uint::MAX, 0);
    // SAFETY: nothing in this process owns a descriptor yet but the three that stay open.
    match unsafe { syscall(SYS_CLOSE_RANGE, first, last, flags) } {
        0 => Ok(()),
        _ => Err(Error::io("closing what was inherited", &io::Error::last_os_error())),
    }
}

/// Moves this process, which has one thread, out of the host: into network, IPC, UTS and mount namespaces of its own, of which the last
/// has one empty folder that can't be written to. `folder` is any folder to build that on; it stays as it is.
pub fn leave_the_host(folder: &Path) -> Result<(), Error> {
    let failed = |e| Error::system("leaving the host's namespaces", e);
    let all = UnshareFlags::NEWNET | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS | UnshareFlags::NEWNS;
    // SAFETY: as above.
    unsafe { unshare_unsafe(all) }.map_err(failed)?;
    let empty = || {
        mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)?;
        let bare = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount("none", folder, "tmpfs", bare, Some(c"size=4k,mode=555"))?;
        chdir(folder)?;
        // Onto itself: the old root is then on top, and goes.
        pivot_root(".", ".")?;
        unmount(".", UnmountFlags::DETACH)?;
        chdir("/")?;
        mount_remount("/", bare | MountFlags::RDONLY, c"")
    };
    empty().map_err(failed)
}

/// Moves the calling thread into a fresh namespace.
#[cfg(test)]
pub(super) fn enter_new() -> rustix::io::Result<()> {
    new_namespace()
}
