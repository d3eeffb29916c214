//! Hosts as people have them: each variant is set up in a host's namespace before Pontoon comes.

use crate::{Namespace, outside, until};

/// Somewhere behind the next router: what is reached by the default route alone.
pub const FAR: [&str; 2] = ["203.0.113.9", "2001:db8:f::9"];

/// What a host is like before Pontoon comes. The kernel of the tests has no VLANs: a macvlan stands for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// It forwards, has one plain uplink and no firewall.
    Plain,
    /// The uplink is a port of a bridge, which has the addresses: hypervisors, storage boxes.
    UplinkBridge,
    /// The addresses are on a link above the uplink.
    Subinterface,
    /// Two uplinks: the default route of each family is by another one.
    TwoUplinks,
    /// A cloud's or a tunnel's uplink; and nobody hears that a packet was too large.
    Mtu1400,
    /// iptables drop what is forwarded, and bridged packets pass through them: dockerd's doing.
    ForwardDrop,
    /// ufw as it is installed: it drops what comes in and what is forwarded, but for pings.
    Ufw,
    /// firewalld: its last rule rejects. The operator has put Pontoon's bridges into the zone `trusted`, as doctor says.
    Firewalld,
    /// A table of the operator's own, whose policy drops; a rule lets Pontoon's bridges pass.
    NftPolicy,
    /// Bridged packets pass through iptables.
    BridgeNf,
    /// They do not.
    NoBridgeNf,
    /// The IPv6 default route is a router's advertisement, which a host that forwards forgets.
    RouterAdvertisement,
    /// IPv6 is switched off.
    NoIpv6,
    /// The old iptables drop what is forwarded; a rule lets Pontoon's bridges pass.
    LegacyIptables,
    /// It did not forward before.
    NotForwarding,
    /// Programs of the host's have just left the ports that will be published.
    TimeWait,
    /// The kernel tracks thousands of old connections to the ports that will be published.
    OldConnections,
}

impl Variant {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Plain,
        Self::UplinkBridge,
        Self::Subinterface,
        Self::TwoUplinks,
        Self::Mtu1400,
        Self::ForwardDrop,
        Self::Ufw,
        Self::Firewalld,
        Self::NftPolicy,
        Self::BridgeNf,
        Self::NoBridgeNf,
        Self::RouterAdvertisement,
        Self::NoIpv6,
        Self::LegacyIptables,
        Self::NotForwarding,
        Self::TimeWait,
        Self::OldConnections,
    ];

    /// Whether the host has IPv6.
    pub fn has_ipv6(self) -> bool {
        self != Self::NoIpv6
    }

    /// The addresses at which somebody outside reaches the host.
    pub fn addresses(self) -> Vec<&'static str> {
        match self {
            Self::NoIpv6 => vec!["192.0.2.1"],
            Self::TwoUplinks => vec!["192.0.2.1", "2001:db8::1", "198.51.100.1", "2001:db8:1::1"],
            _ => vec!["192.0.2.1", "2001:db8::1"],
        }
    }

    /// Makes this of a host's namespace. Answers what is outside, with [`FAR`] behind it.
    pub fn prepare(self, host: &Namespace) -> Namespace {
        let outside = outside(host);
        for (address, length) in FAR.iter().zip([32, 128]) {
            outside.run(&format!("ip address add {address}/{length} dev lo"));
        }
        let forwards = !matches!(
            self,
            Self::NotForwarding | Self::RouterAdvertisement | Self::Ufw | Self::Firewalld | Self::NftPolicy
        );
        let forwards = u8::from(forwards);
        host.run(&format!("sysctl -q net.ipv4.ip_forward={forwards} net.ipv6.conf.all.forwarding={forwards}"));
        self.lay_links(host, &outside);
        self.set_rules(host);
        self.leave_traces(host, &outside);
        outside
    }

    /// Links and routes.
    fn lay_links(self, host: &Namespace, outside: &Namespace) {
        let mut gateways = ["192.0.2.2", "2001:db8::2"].map(Some);
        match self {
            Self::UplinkBridge => {
                host.run("ip link add br-up type bridge");
                host.run("ip link set eth0 master br-up");
                carry_addresses(host, "br-up");
            }
            Self::Subinterface => {
                host.run("ip link add link eth0 name eth0.5 type macvlan mode bridge");
                carry_addresses(host, "eth0.5");
            }
            Self::TwoUplinks => {
                second_cable(host, outside);
                gateways[1] = Some("2001:db8:1::2");
            }
            Self::Mtu1400 => {
                host.run("ip link set eth0 mtu 1400");
                outside.run("ip link set cable mtu 1400");
            }
            Self::RouterAdvertisement => {
                host.run("sysctl -q net.ipv6.conf.eth0.accept_ra=1");
                // A neighbour that says it is no router takes its route along.
                outside.run("sysctl -q net.ipv6.conf.cable.forwarding=1");
                until("the advertisement", || {
                    assert!(outside.try_run_script(ADVERTISE).status.success());
                    host.run("ip -6 route show default").contains("proto ra")
                });
                gateways[1] = None;
            }
            Self::NoIpv6 => {
                host.run("sysctl -q net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1");
                gateways[1] = None;
            }
            _ => {}
        }
        for gateway in gateways.into_iter().flatten() {
            host.run(&format!("ip route add default via {gateway}"));
        }
    }

    /// A firewall, and what passes through it.
    fn set_rules(self, host: &Namespace) {
        match self {
            Self::Mtu1400 => load(host, "nft -f -", TOO_LARGE),
            Self::ForwardDrop => {
                bridge_nf(host, 1);
                ["iptables-nft", "ip6tables-nft"].iter().for_each(|p| drop(host.run(&format!("{p} -P FORWARD DROP"))));
            }
            Self::Ufw => {
                for (program, icmp) in [("iptables-nft-restore", "icmp"), ("ip6tables-nft-restore", "ipv6-icmp")] {
                    load(host, program, &UFW.replace("ICMP", icmp));
                }
            }
            Self::Firewalld => load(host, "nft -f -", FIREWALLD),
            Self::NftPolicy => load(host, "nft -f -", POLICY),
            Self::BridgeNf => bridge_nf(host, 1),
            Self::NoBridgeNf => bridge_nf(host, 0),
            Self::LegacyIptables => {
                for program in ["iptables-legacy-restore", "ip6tables-legacy-restore"] {
                    load(host, program, LEGACY);
                }
            }
            _ => {}
        }
    }

    /// What earlier programs and clients left.
    fn leave_traces(self, host: &Namespace, outside: &Namespace) {
        match self {
            Self::TimeWait => load(host, "python3", LEAVE_PORTS),
            Self::OldConnections => {
                load(host, "nft -f -", TRACK);
                load(outside, "python3", SEND_FROM_MANY);
                let tracked = host.run("sysctl -n net.netfilter.nf_conntrack_count");
                assert!(tracked.trim().parse::<u32>().unwrap() > 10_000, "{tracked}");
            }
            _ => {}
        }
    }
}

/// Moves the host's addresses from the uplink to a link above it.
fn carry_addresses(host: &Namespace, link: &str) {
    host.run("ip address flush dev eth0");
    host.run(&format!("sysctl -q net/ipv6/conf/{link}/accept_dad=0"));
    host.run(&format!("ip address add 192.0.2.1/24 dev {link}"));
    host.run(&format!("ip address add 2001:db8::1/64 dev {link} nodad"));
    host.run(&format!("ip link set {link} up"));
    until("the uplink", || host.pings("192.0.2.2") && host.pings("2001:db8::2"));
}

fn second_cable(host: &Namespace, outside: &Namespace) {
    host.run("ip link add eth1 type veth peer name cable1");
    host.run(&format!("ip link set cable1 netns {}", outside.text()));
    for (namespace, link, number) in [(host, "eth1", 1), (outside, "cable1", 2)] {
        namespace.run(&format!("ip address add 198.51.100.{number}/24 dev {link}"));
        namespace.run(&format!("ip address add 2001:db8:1::{number}/64 dev {link} nodad"));
        namespace.run(&format!("ip link set {link} up"));
    }
    until("the second uplink", || host.pings("198.51.100.2") && host.pings("2001:db8:1::2"));
}

fn bridge_nf(host: &Namespace, on: u8) {
    host.run(&format!("sysctl -q net.bridge.bridge-nf-call-iptables={on} net.bridge.bridge-nf-call-ip6tables={on}"));
}

/// Gives a program its standard input.
fn load(namespace: &Namespace, program: &str, text: &str) {
    let ran = namespace.try_run_script(&format!("{program} <<'END'\n{text}\nEND"));
    assert!(ran.status.success(), "{program}: {ran:?}");
}

/// A router's advertisement, sent by whoever is outside.
pub const ADVERTISE: &str = r#"python3 -c '
import socket
s = socket.socket(10, 3, 58)
s.setsockopt(41, 18, 255)
i = socket.if_nametoindex("cable")
s.sendto(bytes.fromhex("86000000400007080000000000000000"), ("ff02::1", 0, 0, i))'"#;

/// The host tells nobody of packets that were too large.
const TOO_LARGE: &str = "table inet silent {
  chain out {
    type filter hook output priority 0
    icmp type destination-unreachable drop
    icmpv6 type packet-too-big drop
  }
}";

/// What ufw loads when it is enabled, as far as packets notice.
const UFW: &str = "*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:ufw-before-input - [0:0]
:ufw-before-forward - [0:0]
-A INPUT -j ufw-before-input
-A FORWARD -j ufw-before-forward
-A ufw-before-input -i lo -j ACCEPT
-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-input -m conntrack --ctstate INVALID -j DROP
-A ufw-before-input -p ICMP -j ACCEPT
-A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-forward -p ICMP -j ACCEPT
COMMIT";

/// What firewalld loads, as far as packets notice: `public` for the uplink, `trusted` for Pontoon's bridges.
const FIREWALLD: &str = "table inet firewalld {
  chain filter_PREROUTING {
    type filter hook prerouting priority 10
    icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept
    meta nfproto ipv6 fib saddr . mark . iif oif missing drop
  }
  chain filter_IN_public { meta l4proto { icmp, ipv6-icmp } accept; }
  chain filter_INPUT {
    type filter hook input priority 10
    ct state established,related accept
    ct status dnat accept
    iifname lo accept
    ct state invalid drop
    iifname \"br-*\" accept
    jump filter_IN_public
    reject with icmpx admin-prohibited
  }
  chain filter_FORWARD {
    type filter hook forward priority 10
    ct state established,related accept
    ct status dnat accept
    iifname lo accept
    ct state invalid drop
    iifname \"br-*\" accept
    reject with icmpx admin-prohibited
  }
}";

/// An operator's own.
const POLICY: &str = "table inet filter {
  chain input {
    type filter hook input priority 0; policy drop;
    ct state established,related accept
    iifname lo accept
    meta l4proto { icmp, ipv6-icmp } accept
  }
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    ct status dnat accept
    iifname \"br-*\" accept
  }
}";

const LEGACY: &str = "*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -m conntrack --ctstate DNAT -j ACCEPT
-A FORWARD -i br-+ -j ACCEPT
COMMIT";

/// Servers that close first, at the ports that sites publish.
const LEAVE_PORTS: &str = "import socket
for family, address in (socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::1'):
    for port in 8080, 8081:
        server = socket.socket(family)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6: server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        server.bind((address, port))
        server.listen()
        client = socket.create_connection((address, port))
        there, _ = server.accept()
        there.close()
        client.recv(1)
        client.close()
        server.close()";

/// Something that looks at connections makes the kernel track them.
const TRACK: &str = "table inet seen {
  chain arrived {
    type filter hook prerouting priority 0
    ct state established accept
  }
}";

/// Datagrams to the port that sites publish, from every port that a client may have.
const SEND_FROM_MANY: &str = "import socket
for family, address in (socket.AF_INET, '192.0.2.1'), (socket.AF_INET6, '2001:db8::1'):
    for port in range(1024, 9216):
        sender = socket.socket(family, socket.SOCK_DGRAM)
        sender.bind(('', port))
        sender.sendto(b'x', (address, 5353))
        sender.close()";
