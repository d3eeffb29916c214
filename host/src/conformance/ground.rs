//! Where a world stands: a folder and the network namespaces in it, the kernel's own or a fake's. Gone with this value, whatever a driver
//! did there.

use std::fs;
use std::net::{IpAddr, TcpListener, TcpStream};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::place::Host;
use kernel::{self, Change, Fake, Kernel, LinkEnd, LinkKind, LinkSpec, NamespacePath, NewName, Outcome, Sysctl};
use words::{Error, Id, Kind, LinkName, MacAddress, Result};

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// A folder and namespaces.
pub struct Ground {
    folder: PathBuf,
    /// The machine in memory, unless the namespaces are the kernel's.
    fake: Option<Fake>,
    /// Makes the namespaces. It is not the one that the driver under test works with.
    maker: Kernel,
    /// Links of each host that drivers may be granted as parents.
    parents: Vec<LinkName>,
}

impl Ground {
    /// A new one, empty.
    pub fn new(fake: bool, parents: &[LinkName]) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("pontoon-test-{}", &Id::random()?.as_str()[..12]));
        let made = fs::DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(|e| Error::internal(format!("can't make {}: {e}", folder.display())))?;
        let fake = fake.then(Fake::new);
        let maker = kernel(fake.as_ref(), &folder)?;
        Ok(Self { folder, fake, maker, parents: parents.to_vec() })
    }

    /// A host to work in: a new one each time, as after a reboot.
    pub fn host(&self, name: &str) -> Result<Host> {
        match &self.fake {
            None => {
                let namespace = self.namespace(name)?;
                self.add_parents(&kernel::Namespace::At(namespace.clone()))?;
                Ok(Host::At(namespace.path))
            }
            Some(fake) => {
                fake.reboot();
                self.add_parents(&kernel::Namespace::Host)?;
                Ok(Host::Fake(fake.clone()))
            }
        }
    }

    /// A pair stands for a card and its cable, with the same MAC addresses each time.
    fn add_parents(&self, namespace: &kernel::Namespace) -> Result<()> {
        let end = |name, side, number| LinkEnd {
            namespace: namespace.clone(),
            name,
            mac: Some(MacAddress([2, 0x77, 0, 0, side, number])),
            mtu: None,
            master: None,
            addresses: Vec::new(),
            up: true,
        };
        let cable = LinkName::new("cable")?;
        let card = |(name, number): (&LinkName, u8)| {
            let other = Box::new(end(NewName::Prefix(cable.clone()), 2, number));
            Change::AddLink(LinkSpec { end: end(NewName::Exact(name.clone()), 1, number), kind: LinkKind::Veth(other) })
        };
        self.maker.apply(&self.parents.iter().zip(1..).map(card).collect::<Vec<_>>())?;
        Ok(())
    }

    /// A namespace with its loopback up.
    pub fn namespace(&self, name: &str) -> Result<NamespacePath> {
        match self.maker.apply(&[Change::AddNamespace(name.to_owned())]) {
            Ok(applied) => match applied.into_iter().next().map(|applied| applied.outcome) {
                Some(Outcome::Namespace(path)) => Ok(path),
                _ => Err(Error::internal("a namespace was made, and the kernel layer does not say where")),
            },
            Err(error) if error.errno == Some(rustix::io::Errno::PERM.raw_os_error()) => {
                Err(Error::new(Kind::Forbidden, format!("{error}: run this as root, or with --fake")))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Switches IPv6 off in a namespace, as some containers have it.
    pub fn without_ipv6(&self, namespace: &NamespacePath) -> Result<()> {
        let (namespace, sysctl) =
            (kernel::Namespace::At(namespace.clone()), Sysctl::Namespace("ipv6/conf/all/disable_ipv6"));
        self.maker.apply(&[Change::SetSysctl { namespace, sysctl, value: 1 }])?;
        Ok(())
    }

    /// Whether one namespace can connect to an address of another. None: the fake has no packets.
    pub fn reaches(&self, from: &NamespacePath, to: &NamespacePath, address: IpAddr) -> Result<Option<bool>> {
        if self.fake.is_some() {
            return Ok(None);
        }
        let failed = |e: std::io::Error| kernel::Error { message: format!("a socket on {address}: {e}"), errno: None };
        let listener = self.maker.within(to, || TcpListener::bind((address, 0)).map_err(failed))?;
        let target = listener.local_addr().map_err(failed)?;
        let connected = self.maker.within(from, || Ok(TcpStream::connect_timeout(&target, PATIENCE).is_ok()))?;
        Ok(Some(connected))
    }

    /// A place in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        unbind(&self.maker);
        // Those that the driver made.
        if let Ok(kernel) = kernel(self.fake.as_ref(), &self.path("run")) {
            unbind(&kernel);
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn kernel(fake: Option<&Fake>, run_folder: &Path) -> Result<Kernel> {
    let host = match fake {
        None => Kernel::current_namespace()?.into(),
        Some(fake) => fake.clone().into(),
    };
    Ok(Kernel::new(kernel::Config { host, instance: 1, run_folder: run_folder.to_owned() })?)
}

fn unbind(kernel: &Kernel) {
    let names = kernel.made_namespaces().unwrap_or_default();
    kernel.attempt(&names.into_iter().map(Change::RemoveNamespace).collect::<Vec<_>>());
}

/// Copies a folder of files and folders.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    let failed = |e: std::io::Error| Error::internal(format!("can't copy {}: {e}", from.display()));
    fs::DirBuilder::new().mode(0o700).create(to).map_err(failed)?;
    for entry in fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let target = to.join(entry.file_name());
        match entry.file_type().map_err(failed)?.is_dir() {
            true => copy(&entry.path(), &target)?,
            false => drop(fs::copy(entry.path(), &target).map_err(failed)?),
        }
    }
    Ok(())
}
