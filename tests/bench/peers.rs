//! What giving a container a network costs, beside what other programs take for the same, in one run, interleaved.
//!
//! - the kernel alone: a pair of links, an address and a route, straight through the kernel layer
//! - Pontoon: over its socket, as an engine asks it; and by a process of its command line
//! - CNI's bridge with host-local, with ipMasq and without; netavark without a firewall and with nftables: a process each time, as their
//!   engines start it. Neither isolates networks from each other as Pontoon's bridge does.
//!
//! `tests/bench/peers-setup` installs the others.
#![expect(clippy::unwrap_used, reason = "a bench that can't go on has failed")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use pontoon_tests::{Daemon, Floor, Namespace, Timings, bars, save};
use serde_json::{Value, json};
use tempfile::TempDir;

const ROUNDS: usize = 30;
/// As many containers start at once.
const TOGETHER: usize = 16;
const ROUNDS_TOGETHER: usize = 5;
/// The number of the container that stays.
const STAYS: usize = 9_999;

/// Each of the ways, and what its times are called: setup, teardown, and many setups at once.
const WAYS: [(Way, [&str; 3]); 7] = [
    (Way::Kernel, ["the kernel alone", "the kernel alone: teardown", "the kernel alone: 16 at once"]),
    (Way::Socket, ["Pontoon", "Pontoon: teardown", "Pontoon: 16 at once"]),
    (
        Way::CommandLine,
        ["Pontoon by command line", "Pontoon by command line: teardown", "Pontoon by command line: 16 at once"],
    ),
    (Way::Cni { masquerades: false }, ["CNI bridge", "CNI bridge: teardown", "CNI bridge: 16 at once"]),
    (
        Way::Cni { masquerades: true },
        ["CNI bridge, ipMasq", "CNI bridge, ipMasq: teardown", "CNI bridge, ipMasq: 16 at once"],
    ),
    (Way::Netavark("none"), ["netavark", "netavark: teardown", "netavark: 16 at once"]),
    (
        Way::Netavark("nftables"),
        ["netavark, nftables", "netavark, nftables: teardown", "netavark, nftables: 16 at once"],
    ),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Kernel,
    Socket,
    CommandLine,
    Cni { masquerades: bool },
    Netavark(&'static str),
}

/// A host for one of the ways, with a network.
struct Peer {
    way: Way,
    at: At,
    host: Namespace,
    folder: TempDir,
    /// A container that stays: with the last one, netavark removes the bridge, and two that come then would both make it.
    stays: Namespace,
}

enum At {
    Floor(Floor),
    Daemon(Daemon),
    Program,
}

/// What takes an endpoint away again.
enum Made {
    Links(kernel::Change),
    Named(String),
}

fn main() {
    let peers = WAYS.map(|(way, names)| (Peer::new(way), names));
    let all: Vec<&'static str> = (0..3).flat_map(|at| WAYS.map(|(_, names)| names[at])).collect();
    let mut timings = Timings::of(&all);
    for round in 0..=ROUNDS {
        for (peer, [setup, teardown, _]) in &peers {
            let sandbox = Namespace::new("c");
            // The first finds nothing warm.
            let mut first = Timings::of(&[setup, teardown]);
            let timings = if round == 0 { &mut first } else { &mut timings };
            let made = timings.time(setup, || peer.setup(&sandbox, round));
            assert!(sandbox.run("ip -4 -brief address show dev eth0").contains('/'), "{:?}: no address", peer.way);
            timings.time(teardown, || peer.teardown(&sandbox, made));
        }
    }
    for round in 1..=ROUNDS_TOGETHER {
        for (peer, [.., together]) in &peers {
            let sandboxes: Vec<Namespace> = (0..TOGETHER).map(|_| Namespace::new("c")).collect();
            let numbered = || sandboxes.iter().enumerate().map(|(at, sandbox)| (1000 * round + at, sandbox));
            let made = timings.time(together, || {
                std::thread::scope(|scope| {
                    let all: Vec<_> =
                        numbered().map(|(number, sandbox)| scope.spawn(move || peer.setup(sandbox, number))).collect();
                    all.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
                })
            });
            made.into_iter().zip(&sandboxes).for_each(|(made, sandbox)| peer.teardown(sandbox, made));
        }
    }
    timings.print();
    let column = |at: usize| WAYS.map(|(_, names)| names[at]);
    bars("setup", "A container gets a network (median)", &timings, &column(0));
    bars("teardown", "A container's network goes (median)", &timings, &column(1));
    bars("together", "16 containers at once get a network (median)", &timings, &column(2));
    save("peers", json!(timings.all().iter().cloned().collect::<std::collections::BTreeMap<_, _>>()));
    for (at, what) in ["setup", "teardown", "16 at once"].iter().enumerate() {
        let [kernel, pontoon, ..] = column(at);
        let times = |name: &str| timings.median(name) / timings.median(pontoon);
        let others = column(at)[3..].iter().map(|name| format!("{name} {:.1}", times(name))).collect::<Vec<_>>();
        println!("{what}: {:.2} times {kernel}; as fast as Pontoon, times: {}", 1.0 / times(kernel), others.join(", "));
    }
    println!("16 at once take {:.1} times one", timings.median(WAYS[1].1[2]) / timings.median(WAYS[1].1[0]));
}

impl Peer {
    fn new(way: Way) -> Self {
        let folder = tempfile::Builder::new().prefix("pontoon-bench-").tempdir().unwrap();
        let host = Namespace::new("host");
        let at = match way {
            Way::Kernel => At::Floor(Floor::at(&host)),
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
        let peer = Self { way, at, host, folder, stays: Namespace::new("stays") };
        peer.setup(&peer.stays, STAYS);
        peer
    }

    fn setup(&self, sandbox: &Namespace, number: usize) -> Made {
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
            At::Program => self.run(sandbox, &name, true),
        }
        Made::Named(name)
    }

    fn teardown(&self, sandbox: &Namespace, made: Made) {
        match (&self.at, made) {
            (At::Floor(floor), Made::Links(links)) => floor.delete(&links),
            (At::Daemon(daemon), _) if self.way == Way::CommandLine => {
                drop(daemon.ok(&format!("endpoint detach n {}", sandbox.text())));
            }
            (At::Daemon(daemon), Made::Named(name)) => daemon.ask(&format!("DELETE /networks/n/endpoints/{name}"), ""),
            (At::Program, Made::Named(name)) => self.run(sandbox, &name, false),
            _ => unreachable!("only the kernel's way makes links by itself"),
        }
    }

    /// Starts another's program in the host's namespace, as its engine would.
    fn run(&self, sandbox: &Namespace, name: &str, is_setup: bool) {
        let (mut command, input) = match self.way {
            Way::Cni { masquerades } => cni(self.folder.path(), sandbox, name, is_setup, masquerades),
            Way::Netavark(firewall) => netavark(self.folder.path(), sandbox, name, is_setup, firewall),
            _ => unreachable!("Pontoon's are no programs of others"),
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
