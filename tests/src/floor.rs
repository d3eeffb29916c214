//! What the kernel alone takes for an endpoint.

use std::hash::{DefaultHasher, Hash, Hasher};

use kernel::{Change, Config, Kernel, LinkEnd, LinkKind, LinkSpec, Namespace as At, NewName, Outcome, Route};
use words::LinkName;

use crate::Namespace;

/// A bridge and what is asked of the kernel for one endpoint: what no program that gives it a network can do without.
pub struct Floor {
    kernel: Kernel,
    bridge: u32,
}

impl Floor {
    /// A bridge beside what else a host has.
    pub fn at(host: &Namespace) -> Self {
        let file = std::fs::File::open(host.path()).unwrap();
        let kernel = Kernel::new(Config {
            host: std::os::fd::OwnedFd::from(file).into(),
            instance: 1,
            run_folder: std::env::temp_dir(),
        })
        .unwrap();
        let addresses = vec!["10.9.0.1/24".parse().unwrap()];
        let spec = LinkSpec { end: LinkEnd { addresses, up: true, ..end(At::Host, "floor0") }, kind: LinkKind::Bridge };
        let applied = kernel.apply(&[Change::AddLink(spec)]).unwrap();
        let Outcome::Link(bridge, _) = &applied[0].outcome else { panic!("no link") };
        Self { bridge: bridge.key.index, kernel }
    }

    /// A pair of links, an address and a route into a sandbox. Answers what takes them away.
    pub fn make(&self, sandbox: &Namespace) -> Change {
        let at = At::At(self.kernel.sandbox(sandbox.path()).unwrap());
        let peer = LinkEnd { addresses: vec!["10.9.0.2/24".parse().unwrap()], up: true, ..end(at, "eth0") };
        let first = LinkEnd { master: Some(self.bridge), up: true, ..end(At::Host, &unique(sandbox)) };
        let applied = self
            .kernel
            .apply(&[Change::AddLink(LinkSpec { end: first, kind: LinkKind::Veth(Box::new(peer)) })])
            .unwrap();
        let Outcome::Link(host_end, Some(peer)) = &applied[0].outcome else { panic!("no pair") };
        let (destination, gateway) = ("0.0.0.0/0".parse().unwrap(), "10.9.0.1".parse().ok());
        let route = Route { link: peer.key.clone(), destination, gateway, source: None, table: None, metric: None };
        self.kernel.apply(&[Change::AddRoute(route)]).unwrap();
        Change::RemoveLink(host_end.key.clone())
    }

    /// A bridge with an address, as a network's. Answers what takes it away.
    pub fn make_bridge(&self) -> Change {
        let addresses = vec!["10.8.0.1/24".parse().unwrap()];
        let end = LinkEnd { addresses, up: true, ..end(At::Host, "floor1") };
        let applied = self.kernel.apply(&[Change::AddLink(LinkSpec { end, kind: LinkKind::Bridge })]).unwrap();
        let Outcome::Link(bridge, _) = &applied[0].outcome else { panic!("no link") };
        Change::RemoveLink(bridge.key.clone())
    }

    /// Waits until the kernel has taken them away.
    pub fn delete(&self, made: &Change) {
        self.kernel.apply(std::slice::from_ref(made)).unwrap();
    }
}

fn end(namespace: At, name: &str) -> LinkEnd {
    let name = NewName::Exact(LinkName::new(name).unwrap());
    LinkEnd { namespace, name, mac: None, mtu: None, master: None, addresses: Vec::new(), up: false }
}

/// A name by the file that a sandbox is bound to.
fn unique(sandbox: &Namespace) -> String {
    let mut hasher = DefaultHasher::new();
    sandbox.path().hash(&mut hasher);
    format!("v{:011x}", hasher.finish() >> 20)
}
