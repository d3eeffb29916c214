//! The kernel, spoken to with values: links, addresses, routes, rules, neighbours, nftables rules and settings, per network namespace.
//!
//! Everything here is synchronous and blocking (call it with `spawn_blocking`), knows nothing of drivers and policy, and never keeps a
//! sandbox's namespace open beyond one call, or it could not die.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use ipnet::IpNet;

mod value;

pub use value::*;

/// What a [`Kernel`] works with.
#[derive(Debug)]
pub struct Config {
    /// The nsfs file of the namespace to work in; see [`Kernel::current_namespace`].
    pub host: OwnedFd,
    /// The random 22-bit id of this Pontoon's state folder. It goes into the marks, so that two Pontoons in one namespace leave each other alone.
    pub instance: u32,
    /// The run folder: namespaces that are made are bound in `netns/NAME` below it.
    pub run_folder: PathBuf,
}

/// Which boot of which machine, and which namespace there. Another value: everything that was made is gone.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HostIdentity {
    /// /proc/sys/kernel/random/boot_id.
    pub boot: String,
    /// The namespace's cookie (SO_NETNS_COOKIE), or its inode where the kernel has none (before 5.14).
    pub namespace: u64,
}

/// The kernel. Share it in an `Arc`.
#[derive(Debug)]
pub struct Kernel {
    #[expect(dead_code, reason = "comes with the transport")]
    config: Config,
}

fn not_yet<T>() -> Result<T, Error> {
    Err(Error { message: "the kernel layer can't do this yet".into(), errno: None })
}

impl Kernel {
    /// Opens what it needs in the namespace of `config`.
    pub fn new(config: Config) -> Result<Self, Error> {
        Ok(Self { config })
    }

    /// The namespace of the calling thread.
    pub fn current_namespace() -> Result<OwnedFd, Error> {
        not_yet()
    }

    /// Which boot and which namespace this is.
    pub fn identity(&self) -> Result<HostIdentity, Error> {
        not_yet()
    }

    /// Opens and checks a sandbox: it must be a network namespace and not the host's own.
    pub fn sandbox(&self, _path: &Path) -> Result<NamespacePath, Error> {
        not_yet()
    }

    /// Whether the namespace is still there, and the same.
    pub fn exists(&self, _namespace: &Namespace) -> bool {
        false
    }

    /// Makes all changes or none: when one fails, what was done is undone in reverse, and the error names the change.
    pub fn apply(&self, _changes: &[Change]) -> Result<Vec<Applied>, Error> {
        not_yet()
    }

    /// Takes changes back, the last one first, as far as it goes. What is gone already is no error.
    pub fn undo(&self, _applied: &[Applied]) -> Vec<Error> {
        Vec::new()
    }

    /// Makes each change by itself, in order, and goes on after errors.
    pub fn attempt(&self, _changes: &[Change]) -> Vec<Error> {
        Vec::new()
    }

    /// Takes links of this instance out of the way at once (down, no master, no addresses, another name) for [`Kernel::reap`] to delete.
    /// Pairs and bridges only wait; other kinds are deleted here. The other end of a pair comes along.
    pub fn condemn(&self, _links: &[LinkKey]) -> Result<(), Error> {
        not_yet()
    }

    /// Deletes what was condemned in a namespace, all in one go; answers how many links it found.
    pub fn reap(&self, _namespace: &Namespace) -> Result<usize, Error> {
        not_yet()
    }

    /// The link of a name.
    pub fn link_by_name(&self, _namespace: &Namespace, _name: &LinkName) -> Result<Option<LinkInfo>, Error> {
        not_yet()
    }

    /// A link by its key.
    pub fn link(&self, _link: &LinkKey) -> Result<Option<LinkInfo>, Error> {
        not_yet()
    }

    /// All links of a namespace.
    pub fn links(&self, _namespace: &Namespace) -> Result<Vec<LinkInfo>, Error> {
        not_yet()
    }

    /// The addresses of a link.
    pub fn addresses(&self, _link: &LinkKey) -> Result<Vec<IpNet>, Error> {
        not_yet()
    }

    /// The addresses of all links of a namespace, with the ifindex of the link.
    pub fn all_addresses(&self, _namespace: &Namespace) -> Result<Vec<(u32, IpNet)>, Error> {
        not_yet()
    }

    /// This instance's routes through a link.
    pub fn routes(&self, _link: &LinkKey) -> Result<Vec<Route>, Error> {
        not_yet()
    }

    /// This instance's rules.
    pub fn rules(&self, _namespace: &Namespace) -> Result<Vec<Rule>, Error> {
        not_yet()
    }

    /// The permanent neighbours of a link.
    pub fn neighbours(&self, _link: &LinkKey) -> Result<Vec<Neighbour>, Error> {
        not_yet()
    }

    /// The permanent forwarding entries of a link.
    pub fn forwardings(&self, _link: &LinkKey) -> Result<Vec<Forwarding>, Error> {
        not_yet()
    }

    /// A setting's value.
    pub fn sysctl(&self, _namespace: &Namespace, _sysctl: &Sysctl) -> Result<i32, Error> {
        not_yet()
    }

    /// The names of the nftables tables of family inet.
    pub fn nft_tables(&self, _namespace: &Namespace) -> Result<Vec<String>, Error> {
        not_yet()
    }

    /// The rules of a table with their comments; none where there is no such table.
    pub fn nft_rules(&self, _namespace: &Namespace, _table: &str) -> Result<Vec<(NftHandle, String)>, Error> {
        not_yet()
    }
}
