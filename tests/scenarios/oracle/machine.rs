//! A host with what an operator has on it, on a fake or a real kernel, and what one call of a driver needs: kernel, store, reaper, firewall.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kernel::{
    Change, Config, Fake, Forwarding, HostPort, Kernel, LinkEnd, LinkKey, LinkKind, LinkSpec, Mark, Namespace,
    Neighbour, NewName, NftChain, NftCondition, NftHook, NftProperty, NftRule, NftVerdict, Outcome, Route, Rule,
};
use pontoon::firewall::Firewall;
use pontoon::reaper::Reaper;
use rustix::mount::{UnmountFlags, unmount};
use store::Store;
use tempfile::TempDir;
use words::{LinkName, MacAddress};

use super::seen::{self, HOST, Seen};

/// The namespace of Pontoon's instance, and of another that stands for the operator's own programs.
const OURS: u32 = 1;
const OPERATOR: u32 = 7;

/// The operator's links, and those of them that may be named as parents.
pub const OPERATORS: [&str; 8] = ["lo", "eth0", "eth1", "docker0", "wire0", "wire1", "port0", "port1"];
pub const PARENTS: [&str; 2] = ["eth0", "eth1"];

pub enum Host {
    Fake(Fake),
    /// The host's namespace, and those of the containers, which are there as long as this.
    Real(pontoon_tests::Namespace, #[expect(dead_code, reason = "held")] Vec<pontoon_tests::Namespace>),
}

pub struct Machine {
    pub host: Host,
    pub kernel: Arc<Kernel>,
    pub reaper: Arc<Reaper>,
    pub firewall: Arc<Firewall>,
    pub store: Arc<Store>,
    /// One for each driver.
    pub containers: Vec<Namespace>,
    folder: TempDir,
}

impl Machine {
    pub fn fake() -> Self {
        let fake = Fake::new();
        let paths = ["/fake/a", "/fake/b"].map(PathBuf::from);
        let containers = paths.iter().map(|path| Namespace::At(fake.add_namespace(path).unwrap())).collect();
        Self::new(Host::Fake(fake), containers)
    }

    pub fn real() -> Self {
        let host = pontoon_tests::Namespace::new("host");
        let inside: Vec<_> = ["a", "b"].map(pontoon_tests::Namespace::new).into();
        // So that links that forward need the firewall's leave.
        host.run("iptables -P FORWARD DROP");
        let place = |at: &pontoon_tests::Namespace| {
            let inode = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(at.path()).unwrap());
            Namespace::At(kernel::NamespacePath { path: at.path().to_owned(), inode })
        };
        let containers = inside.iter().map(place).collect();
        Self::new(Host::Real(host, inside), containers)
    }

    fn new(host: Host, containers: Vec<Namespace>) -> Self {
        let folder = tempfile::Builder::new().prefix("pontoon-test-").tempdir().unwrap();
        let start = |instance, run: &str| {
            let host = match &host {
                Host::Fake(fake) => fake.clone().into(),
                Host::Real(at, _) => std::os::fd::OwnedFd::from(std::fs::File::open(at.path()).unwrap()).into(),
            };
            Kernel::new(Config { host, instance, run_folder: folder.path().join(run) }).unwrap()
        };
        operate(&start(OPERATOR, "operator"));
        let kernel = Arc::new(start(OURS, "run"));
        let store = Arc::new(Store::open(&folder.path().join("state")).unwrap());
        let reaper = Arc::new(Reaper::start(kernel.clone()).unwrap());
        let firewall = Arc::new(Firewall::start(kernel.clone(), store.clone()));
        Self { host, kernel, reaper, firewall, store, containers, folder }
    }

    /// What there is. Of a real machine only the host and `others` are looked at, where it was looked at before.
    pub fn look(&self, others: &[&str], last: Option<&Seen>) -> Seen {
        let host = match &self.host {
            Host::Fake(fake) => return seen::fake(&self.kernel, fake),
            Host::Real(host, _) => host.path(),
        };
        let is_asked = |at: &Namespace| {
            let Namespace::At(at) = at else { return false };
            let path = at.path.to_string_lossy();
            last.is_none() || others.iter().any(|other| path == *other || Self::is_of_table(&path, other))
        };
        let all = self.namespaces();
        let there =
            |name: &str| all.iter().any(|at| matches!(at, Namespace::At(at) if at.path.to_string_lossy() == name));
        let mut seen = last.cloned().unwrap_or_default();
        seen.retain(|name, _| name == HOST || there(name));
        seen::look_again(&self.kernel, host, all.iter().filter(|at| is_asked(at)), seen)
    }

    /// The containers', and those that drivers made.
    fn namespaces(&self) -> Vec<Namespace> {
        let made = self.kernel.made_namespaces().unwrap();
        let made = made.iter().map(|name| self.folder.path().join("run/netns").join(name));
        let made = made.filter_map(|path| self.kernel.sandbox(&path).ok().map(Namespace::At));
        self.containers.iter().cloned().chain(made).collect()
    }

    /// The same once the reaper has deleted what was removed.
    pub fn look_at_rest(&self, others: &[&str], last: Option<&Seen>) -> Seen {
        let begin = Instant::now();
        let condemned = |at: &Namespace| {
            self.kernel.exists(at) && self.kernel.links(at).unwrap().iter().any(|link| link.mark == Mark::Condemned)
        };
        let all = [self.namespaces(), vec![Namespace::Host]].concat();
        while all.iter().any(condemned) {
            assert!(begin.elapsed() < Duration::from_secs(30), "the reaper reaps nothing");
            std::thread::sleep(Duration::from_micros(300));
        }
        self.look(others, last)
    }

    /// Whether some program has this port of the host.
    pub fn is_held(&self, port: HostPort) -> bool {
        match &self.host {
            Host::Fake(fake) => {
                let taken = fake.take_port(port);
                taken.is_err_and(|error| error.errno == Some(rustix::io::Errno::ADDRINUSE.raw_os_error()))
            }
            Host::Real(host, _) => host.enter(move || is_bound(port)).join().unwrap(),
        }
    }

    /// The path of a namespace that the driver of this table made.
    pub fn is_of_table(path: &str, table: &str) -> bool {
        path != HOST && Path::new(path).file_name().is_some_and(|name| name.to_string_lossy().starts_with(table))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if matches!(self.host, Host::Real(..)) {
            for entry in std::fs::read_dir(self.folder.path().join("run/netns")).into_iter().flatten().flatten() {
                let _ = unmount(entry.path(), UnmountFlags::DETACH);
            }
        }
    }
}

fn is_bound(port: HostPort) -> bool {
    let at = (port.address, port.port);
    let bound = match port.protocol {
        6 => std::net::TcpListener::bind(at).map(drop),
        _ => std::net::UdpSocket::bind(at).map(drop),
    };
    bound.is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
}

pub fn link_name(name: &str) -> LinkName {
    LinkName::new(name).unwrap()
}

/// What the operator and other programs have there.
fn operate(kernel: &Kernel) {
    let end = |name: &str, mac: u8, address: &str, master| LinkEnd {
        namespace: Namespace::Host,
        name: NewName::Exact(link_name(name)),
        mac: Some(MacAddress([2, 0, 0, 0, 0, mac])),
        mtu: None,
        master,
        addresses: address.parse().into_iter().collect(),
        up: true,
    };
    let add = |spec: LinkSpec| {
        let applied = kernel.apply(&[Change::AddLink(spec)]).unwrap();
        let Outcome::Link(link, _) = &applied[0].outcome else { panic!("no link") };
        link.key.clone()
    };
    let pair = |first: LinkEnd, second: LinkEnd| add(LinkSpec { end: first, kind: LinkKind::Veth(Box::new(second)) });
    let eth0 = pair(end("eth0", 1, "192.168.1.10/24", None), end("wire0", 2, "", None));
    let eth1 = pair(end("eth1", 3, "10.9.0.1/24", None), end("wire1", 4, "", None));
    let docker0 = add(LinkSpec { end: end("docker0", 5, "172.17.0.1/16", None), kind: LinkKind::Bridge });
    let port = pair(end("port0", 6, "", Some(docker0.index)), end("port1", 7, "", None));
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let route = |link: &LinkKey, destination: &str, gateway: Option<&str>, table| Route {
        link: link.clone(),
        destination: destination.parse().unwrap(),
        gateway: gateway.map(address),
        source: None,
        table,
        metric: None,
    };
    let rule = |input: Option<&str>, source: Option<&str>| Rule {
        namespace: Namespace::Host,
        ipv6: false,
        priority: 100,
        source: source.map(|net| net.parse().unwrap()),
        destination: None,
        input: input.map(link_name),
        mark: None,
        table: 100,
    };
    let drop_telnet = NftRule {
        chain: NftChain { nat: false, hook: NftHook::Input, priority: 0 },
        conditions: vec![NftCondition { property: NftProperty::InputLink(eth0.index), negated: false }],
        statements: Vec::new(),
        verdict: NftVerdict::Drop,
        own: None,
        comment: "the operator's".into(),
    };
    let mac = MacAddress([2, 0, 0, 0, 1, 1]);
    kernel
        .apply(&[
            Change::AddRoute(route(&eth0, "0.0.0.0/0", Some("192.168.1.1"), None)),
            Change::AddRoute(route(&eth1, "10.8.0.0/16", Some("10.9.0.2"), Some(100))),
            Change::AddRule(rule(None, Some("192.168.1.0/24"))),
            Change::AddNeighbour(Neighbour { link: eth0, address: address("192.168.1.1"), mac }),
            Change::AddForwarding(Forwarding { link: port, mac, remote: None }),
            Change::AddNftRules { namespace: Namespace::Host, table: "operator".into(), rules: vec![drop_telnet] },
        ])
        .unwrap();
}
