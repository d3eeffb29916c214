//! A kernel in memory: for tests and tools that must not need root, or that make a thousand hosts a second.
//!
//! It is put in where the layer would send its messages, and answers the very messages that the real one gets: what is above (lists that
//! are made as a whole, undo, marks, condemned links) is the layer's own for both. What follows from a change is there when the change is
//! answered, which takes the real kernel a moment: a carrier, a link-local address, the end of a namespace.
//!
//! The suite in `kernel::tests` runs over both, and random operations are made on both and compared. What it can't do is refused: it has no
//! packets, no learnt neighbours, no iptables.
//!
//! - `machine`: the namespaces, and which message goes where; `fields`: a message's attributes
//! - `link`: what a link is; `device`: what happens to one; `removal`: its end; `bridge`: ports
//! - `link_new`, `vxlan` and `wireguard`, `link_set`, `link_tell`, `address`, `route`, `rule`, `neighbour`, `nft`, `setting`, `shaping`, `options` and `feature`, `port`:
//!   the objects
//! - `fib`: whether a gateway can be reached
//! - `state`: all of it as text

mod address;
mod bridge;
mod device;
mod feature;
mod fib;
mod fields;
mod link;
mod link_new;
mod link_set;
mod link_tell;
mod machine;
mod neighbour;
mod nft;
mod nft_map;
mod nft_table;
mod options;
mod port;
mod removal;
mod route;
mod rule;
mod setting;
mod shaping;
mod state;
mod vxlan;
mod wireguard;

use std::fmt;
use std::os::fd::RawFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use crate::transport::socket::{Answer, Protocol, Request, malformed};
use crate::{Error, HostIdentity, LinkName, Namespace, NamespacePath};
use machine::Machine;

pub use port::FakePort;

/// Address families (linux/socket.h).
const AF_INET: u8 = 2;
const AF_BRIDGE: u8 = 7;
const AF_INET6: u8 = 10;
const AF_UNSPEC: u8 = 0;

/// A machine in memory. Clones are the same one, and it outlives the [`Kernel`](crate::Kernel)s that work with it: a new one finds what the
/// last one left, as after a crash.
#[derive(Clone)]
pub struct Fake {
    machine: Arc<Mutex<Machine>>,
    onlooker: Arc<Mutex<Option<Onlooker>>>,
    #[cfg(fuzzing)]
    script: Option<Arc<crate::fuzzing::Script>>,
}

/// See [`Fake::look_on`].
type Onlooker = Box<dyn FnMut(Fake) + Send>;

impl Fake {
    /// A machine that has just booted: a host with a loopback.
    pub fn new() -> Self {
        Self::of(Machine::new())
    }

    fn of(machine: Machine) -> Self {
        Self {
            machine: Arc::new(Mutex::new(machine)),
            onlooker: Arc::default(),
            #[cfg(fuzzing)]
            script: None,
        }
    }

    /// One that has this to say, whatever it is asked.
    #[cfg(fuzzing)]
    pub(super) fn answering(script: Arc<crate::fuzzing::Script>) -> Self {
        Self { script: Some(script), ..Self::new() }
    }

    /// A copy of the machine as it would be if the programs that work with it were killed now: their ports are free.
    pub fn copy(&self) -> Self {
        self.lock().killed()
    }

    /// Shows somebody such a copy before each message that changes the machine, which waits meanwhile; none: nobody any more.
    pub fn look_on(&self, onlooker: Option<Onlooker>) {
        *self.onlooker.lock().unwrap_or_else(PoisonError::into_inner) = onlooker;
    }

    /// A new namespace, its loopback up, at a path where nothing needs to be. Where one is already: `EEXIST`.
    pub fn add_namespace(&self, path: &Path) -> Result<NamespacePath, Error> {
        let doing = || format!("making the network namespace {}", path.display());
        self.lock_to_change().bind(path).map_err(|errno| Error::system(doing(), errno))
    }

    /// Kills the namespace at a path with all that is in it, as when a container ends; false: there is none.
    pub fn remove_namespace(&self, path: &Path) -> bool {
        self.lock_to_change().unbind(path)
    }

    /// Plugs a physical device into the host, down. Where something has the name already: `EEXIST`.
    pub fn plug_in(&self, name: &LinkName) -> Result<(), Error> {
        let doing = || format!("plugging in {name}");
        self.lock_to_change().plug_in(name.as_str()).map_err(|errno| Error::system(doing(), errno))
    }

    /// Boots again: everything is gone, and [`Kernel::identity`](crate::Kernel::identity) another.
    pub fn reboot(&self) {
        self.lock().reboot();
    }

    /// Everything that there is, as text: the same before and after what takes itself back. Indexes and handles, which are never used again,
    /// and what only follows from the rest are left out.
    pub fn state(&self) -> String {
        self.lock().text()
    }

    pub(super) fn identity(&self) -> HostIdentity {
        let machine = self.lock();
        HostIdentity { boot: format!("fake-{}", machine.boot), namespace: machine.host }
    }

    pub(super) fn namespace(&self, path: &Path) -> Result<NamespacePath, Error> {
        let doing = || format!("opening the network namespace {}", path.display());
        let inode = self.lock().paths.get(path).copied().ok_or_else(|| Error::system(doing(), Errno::NOENT))?;
        Ok(NamespacePath { path: path.to_owned(), inode })
    }

    pub(super) fn exists(&self, at: &Namespace) -> bool {
        self.lock().open(at).is_ok()
    }

    pub(super) fn bound_in(&self, folder: &Path) -> Vec<String> {
        let machine = self.lock();
        let inside = machine.paths.keys().filter(|path| path.parent() == Some(folder));
        inside.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect()
    }

    pub(super) fn exchange(
        &self,
        at: &Namespace,
        protocol: Protocol,
        requests: &[Request],
    ) -> Result<Vec<Answer>, Error> {
        #[cfg(fuzzing)]
        if let Some(script) = &self.script {
            return script.answers(requests);
        }
        let mut machine = self.lock();
        let at = machine.open(at)?;
        // Of a transaction of nftables there is all or nothing.
        let together = if protocol == Protocol::Netfilter { requests.len().max(1) } else { 1 };
        let answers = requests.chunks(together).flat_map(|requests| {
            // The two lowest bits of a message of rtnetlink's are its verb, and 2 is "get".
            if protocol != Protocol::Route || requests.iter().any(|request| request.kind & 3 != 2) {
                self.show(&machine);
            }
            machine.exchange(at, protocol, requests)
        });
        Ok(answers.collect())
    }

    /// A call of the layer ends: what the real kernel does a moment later is done now.
    pub(super) fn settle(&self) {
        self.lock().settle();
    }

    pub(super) fn ask(&self, at: &Namespace, protocol: Protocol, request: &Request) -> Result<Answer, Error> {
        self.exchange(at, protocol, std::slice::from_ref(request))?.pop().ok_or_else(malformed)
    }

    /// What stands for a namespace's descriptor in a message: its inode.
    pub(super) fn descriptor(&self, at: &Namespace) -> Result<RawFd, Error> {
        let inode = self.lock().open(at)?;
        RawFd::try_from(inode).map_err(|_| Error::refused("the fake kernel has no more namespaces"))
    }

    pub(super) fn setting(&self, at: &Namespace, path: &str) -> Result<Result<i32, Errno>, Error> {
        let mut machine = self.lock();
        let at = machine.open(at)?;
        Ok(machine.setting(at, path))
    }

    pub(super) fn set_setting(&self, at: &Namespace, path: &str, value: i32) -> Result<Result<(), Errno>, Error> {
        let mut machine = self.lock_to_change();
        let at = machine.open(at)?;
        Ok(machine.set_setting(at, path, value))
    }

    fn lock_to_change(&self) -> MutexGuard<'_, Machine> {
        let machine = self.lock();
        self.show(&machine);
        machine
    }

    fn show(&self, machine: &Machine) {
        let mut onlooker = self.onlooker.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(look) = onlooker.as_mut() {
            look(machine.killed());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Fake {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fake")
    }
}
