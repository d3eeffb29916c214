//! Which kernel there is: the real one, or a fake. Messages to it are a session's; this is what goes another way.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use crate::fake::{Fake, FakePort};
use crate::link::mark::Marks;
use crate::transport::session::Real;
use crate::{Error, HostIdentity, HostPort, IptablesFamily, Namespace, NamespacePath, Watch};
use crate::{iptables, link, namespace, port};

/// The host's namespace, of which kernel.
#[derive(Debug)]
pub(super) enum Host {
    /// The machine's own.
    Real(Real),
    /// In memory.
    Fake(Fake),
}

/// What holds a port, until it is dropped. Nothing asks it anything.
#[derive(Debug)]
pub(super) enum Holding {
    Socket(OwnedFd),
    #[expect(dead_code, reason = "it is held")]
    Fake(FakePort),
}

impl Host {
    /// See [`Kernel::identity`](crate::Kernel::identity).
    pub fn identity(&self) -> Result<HostIdentity, Error> {
        const BOOT: &str = "/proc/sys/kernel/random/boot_id";
        let real = match self {
            Self::Real(real) => real,
            Self::Fake(fake) => return Ok(fake.identity()),
        };
        let boot = std::fs::read_to_string(BOOT).map_err(|e| Error::io(format!("reading {BOOT}"), &e))?;
        let namespace = real.within(|| Ok(namespace::cookie()))?.unwrap_or(real.inode());
        Ok(HostIdentity { boot: boot.trim().to_owned(), namespace })
    }

    /// A namespace that is not the host's own.
    pub fn sandbox(&self, path: &Path) -> Result<NamespacePath, Error> {
        let real = match self {
            Self::Real(real) => real,
            Self::Fake(fake) => return fake.namespace(path),
        };
        let (_, inode) = namespace::examine(path)?;
        if inode == real.inode() {
            return Err(Error::refused(format!("{} is the host's own network namespace", path.display())));
        }
        Ok(NamespacePath { path: path.to_owned(), inode })
    }

    /// Whether a namespace is still there.
    pub fn exists(&self, namespace: &Namespace) -> bool {
        match (self, namespace) {
            (_, Namespace::Host) => true,
            (Self::Real(_), Namespace::At(at)) => namespace::open(at).is_ok(),
            (Self::Fake(fake), Namespace::At(_)) => fake.exists(namespace),
        }
    }

    /// Puts a frame on a link.
    pub fn send(&self, index: u32, frame: &[u8]) -> Result<(), Error> {
        match self {
            Self::Real(real) => real.send(index, frame),
            // Nobody listens there.
            Self::Fake(_) => Ok(()),
        }
    }

    /// The names of what is bound in a folder.
    pub fn made_namespaces(&self, folder: &Path) -> Result<Vec<String>, Error> {
        match self {
            Self::Real(_) => namespace::made(folder),
            Self::Fake(fake) => Ok(fake.bound_in(folder)),
        }
    }

    /// Makes a namespace with its loopback up, and binds it in a folder.
    pub fn make_namespace(&self, folder: &Path, name: &str) -> Result<NamespacePath, Error> {
        match self {
            Self::Real(_) => namespace::make(folder, name, link::set::loopback_up),
            Self::Fake(fake) => fake.add_namespace(&namespace::place(folder, name)?),
        }
    }

    /// Unbinds it; answers it, where the machine has it yet. Ok if it is gone.
    pub fn remove_namespace(&self, folder: &Path, name: &str) -> Result<Option<OwnedFd>, Error> {
        let path: PathBuf = namespace::place(folder, name)?;
        match self {
            Self::Real(_) => {
                let there = namespace::examine(&path).ok();
                namespace::remove(folder, name)?;
                Ok(there.map(|(file, _)| file))
            }
            Self::Fake(fake) => {
                fake.remove_namespace(&path);
                Ok(None)
            }
        }
    }

    /// Takes ports from all other programs, in order up to the first that can't be had where their addresses must be there; none for one
    /// that can be taken from nobody ([`port::open`]).
    pub fn hold(&self, ports: &[HostPort], address: port::Address) -> Vec<Result<Option<Holding>, Error>> {
        match self {
            Self::Real(real) => {
                let open = |port: &HostPort| port::open(*port, address).map(|socket| socket.map(Holding::Socket));
                let opened = real.within(|| Ok(port::until_refused(ports.iter().map(open), address)));
                opened.unwrap_or_else(|error| ports.iter().map(|_| Err(error.clone())).collect())
            }
            Self::Fake(fake) => {
                let open = |port: &HostPort| fake.hold_port(*port, address).map(|held| Some(Holding::Fake(held)));
                port::until_refused(ports.iter().map(open), address)
            }
        }
    }

    /// The ports for whoever wants any.
    pub fn ephemeral(&self) -> Result<(u16, u16), Error> {
        match self {
            Self::Real(real) => real.within(port::ephemeral),
            // The kernel's own choice.
            Self::Fake(_) => Ok((32_768, 60_999)),
        }
    }

    /// See [`Kernel::has_legacy_iptables`](crate::Kernel::has_legacy_iptables).
    pub fn has_legacy_iptables(&self, family: IptablesFamily) -> Result<bool, Error> {
        match self {
            Self::Real(real) => real.within(|| iptables::has_legacy(family)),
            Self::Fake(_) => Ok(false),
        }
    }

    /// See [`Kernel::watch`](crate::Kernel::watch).
    pub fn watch(&self, tag: &str) -> Result<Watch, Error> {
        match self {
            Self::Real(real) => real.within(|| Watch::tables(tag, real.own())),
            Self::Fake(_) => Ok(Watch::of_nobody()),
        }
    }

    /// Opens a subscription in the host's namespace. In a fake nobody else changes anything, and nobody is told.
    pub fn subscribe<T: Send>(&self, open: fn() -> Result<T, Error>) -> Result<Option<T>, Error> {
        match self {
            Self::Real(real) => real.within(open).map(Some),
            Self::Fake(_) => Ok(None),
        }
    }

    /// See [`Kernel::watch_links`](crate::Kernel::watch_links).
    pub fn watch_links(&self, marks: Marks) -> Result<Watch, Error> {
        match self {
            Self::Real(real) => real.within(|| Watch::links(marks, real.own())),
            Self::Fake(_) => Ok(Watch::of_nobody()),
        }
    }
}
