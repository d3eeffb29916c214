//! The ways in which a container gets a network: Pontoon's, and those of other programs.
//!
//! - the kernel alone: a pair of links, an address and a route, straight through the kernel layer
//! - Pontoon: over its socket, as an engine asks it; and by a process of its command line
//! - CNI's bridge with host-local, with ipMasq and without; netavark without a firewall and with nftables: a process each time, as their
//!   engines start it. Neither isolates networks from each other as Pontoon's bridge does.
//!
//! `tests/bench/peers-setup` installs the others.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use pontoon_tests::{Daemon, Floor, Namespace, strace};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The number of the container that stays.
const STAYS: usize = 9_999;

/// The kernel is first, Pontoon second.
pub const WAYS: [(&str, Way); 7] = [
    ("the kernel alone", Way::Kernel),
    ("Pontoon", Way::Socket),
    ("Pontoon by command line", Way::CommandLine),
    ("CNI bridge", Way::Cni { masquerades: false }),
    ("CNI bridge, ipMasq", Way::Cni { masquerades: true }),
    ("netavark", Way::Netavark("none")),
    ("netavark, nftables", Way::Netavark("nftables")),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Kernel,
    Socket,
    CommandLine,
    Cni { masquerades: bool },
    Netavark(&'static str),
}

/// A host for one of the ways, with a network.
pub struct Peer {
    pub name: &'static str,
    pub way: Way,
    at: At,
    host: Namespace,
    folder: TempDir,
    /// A container that stays: with the last one, netavark removes the bridge, and two that come then would both make it.
    stays: Namespace,
}

enum At {
    Floor(Box<Floor>),
    Daemon(Daemon),
    Program,
}

/// What takes an endpoint away again.
pub enum Made {
    Links(kernel::Change),
    Named(String),
}

impl Peer {
    pub fn new((name, way): (&'static str, Way)) -> Self {
        let folder = tempfile::Builder::new().prefix("pontoon-bench-").tempdir().unwrap();
        let host = Namespace::new("host");
        let at = match way {
            Way::Kernel => At::Floor(Box::new(Floor::at(&host))),
            Way::Socket | Way::CommandLine => {
                let daemon = Daemon::start();
                daemon.load("bridge");
                daemon.ok("network create n");
                At::Daemon(daemon)
            }
            Way::Cni { .. } | Way::Netavark(_) => {
                host.run("ip link set lo up");
                host.run("sysctl -qw net.ipv4.ip_forward=1");
                At::Program
            }
        };
        let peer = Self { name, way, at, host, folder, stays: Namespace::new("stays") };
        peer.setup(&peer.stays, STAYS);
        peer
    }

    /// What serves, if the way has something that does.
    pub fn daemon(&self) -> Option<&Daemon> {
        match &self.at {
            At::Daemon(daemon) => Some(daemon),
            _ => None,
        }
    }

    pub fn setup(&self, sandbox: &Namespace, number: usize) -> Made {
        self.setup_under(sandbox, number, None)
    }

    pub fn teardown(&self, sandbox: &Namespace, made: Made) {
        self.teardown_under(sandbox, made, None);
    }

    /// The same; if it is a program of others, with strace writing into a file.
    pub fn setup_under(&self, sandbox: &Namespace, number: usize, trace: Option<&Path>) -> Made {
        let name = format!("c{number}");
        match &self.at {
            At::Floor(floor) => return Made::Links(floor.make(sandbox)),
            At::Daemon(daemon) if self.way == Way::CommandLine => {
                drop(daemon.ok(&format!("endpoint attach --name {name} n {}", sandbox.text())));
            }
            At::Daemon(daemon) => {
                let body = json!({"namespace": sandbox.text(), "name": name}).to_string();
                daemon.ask("POST /networks/n/endpoints", &body);
            }
            At::Program => self.run(sandbox, &name, true, trace),
        }
        Made::Named(name)
    }

    pub fn teardown_under(&self, sandbox: &Namespace, made: Made, trace: Option<&Path>) {
        match (&self.at, made) {
            (At::Floor(floor), Made::Links(links)) => floor.delete(&links),
            (At::Daemon(daemon), _) if self.way == Way::CommandLine => {
                drop(daemon.ok(&format!("endpoint detach n {}", sandbox.text())));
            }
            (At::Daemon(daemon), Made::Named(name)) => daemon.ask(&format!("DELETE /networks/n/endpoints/{name}"), ""),
            (At::Program, Made::Named(name)) => self.run(sandbox, &name, false, trace),
            _ => unreachable!("only the kernel's way makes links by itself"),
        }
    }

    /// Starts another's program in the host's namespace, as its engine would.
    fn run(&self, sandbox: &Namespace, name: &str, is_setup: bool, trace: Option<&Path>) {
        let (command, input) = match self.way {
            Way::Cni { masquerades } => cni(self.folder.path(), sandbox, name, is_setup, masquerades),
            Way::Netavark(firewall) => netavark(self.folder.path(), sandbox, name, is_setup, firewall),
            _ => unreachable!("Pontoon's are no programs of others"),
        };
        let mut command = match trace {
            Some(file) => by(strace(file), &command),
            None => command,
        };
        let ended = self.host.enter(move || {
            let mut child =
                command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
            child.wait_with_output().unwrap()
        });
        let ended = ended.join().unwrap();
        assert!(ended.status.success(), "{:?}: {ended:?}", self.way);
    }
}

/// The same command, run by another program.
fn by(mut program: Command, command: &Command) -> Command {
    program.arg(command.get_program()).args(command.get_args());
    program.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    program
}

fn cni(folder: &Path, sandbox: &Namespace, name: &str, is_setup: bool, masquerades: bool) -> (Command, Value) {
    let mut command = Command::new("/usr/lib/cni/bridge");
    command.env("CNI_COMMAND", if is_setup { "ADD" } else { "DEL" }).env("CNI_CONTAINERID", name);
    command.env("CNI_NETNS", sandbox.path()).env("CNI_IFNAME", "eth0").env("CNI_PATH", "/usr/lib/cni");
    let ipam = json!({
        "type": "host-local", "dataDir": folder.join("leases"),
        "ranges": [[{"subnet": "10.88.0.0/16"}]], "routes": [{"dst": "0.0.0.0/0"}],
    });
    let network = json!({
        "cniVersion": "0.4.0", "name": "n", "type": "bridge", "bridge": "cni0", "isGateway": true,
        "ipMasq": masquerades, "ipam": ipam,
    });
    (command, network)
}

fn netavark(folder: &Path, sandbox: &Namespace, name: &str, is_setup: bool, firewall: &str) -> (Command, Value) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/bin/netavark");
    let mut command = Command::new(program);
    command.arg("--config").arg(folder).args(["--rootless=false", "--aardvark-binary=/usr/bin/false"]);
    command.arg(if is_setup { "setup" } else { "teardown" }).arg(sandbox.path()).env("NETAVARK_FW", firewall);
    // It manages no addresses itself: podman does.
    let number: u32 = name.trim_start_matches('c').parse().unwrap();
    let address = format!("10.89.{}.{}", number / 200, number % 200 + 2);
    let network = json!({
        "name": "n", "id": "0".repeat(64), "driver": "bridge", "network_interface": "podman1", "internal": false,
        "subnets": [{"subnet": "10.89.0.0/16", "gateway": "10.89.0.1"}], "ipv6_enabled": false, "dns_enabled": false,
        "ipam_options": {"driver": "host-local"},
    });
    let asked = json!({
        "container_id": format!("{number:064}"), "container_name": name,
        "networks": {"n": {"static_ips": [address], "interface_name": "eth0"}}, "network_info": {"n": network},
    });
    (command, asked)
}
