//! Random WireGuard links and peers, where the kernel has the kind.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use crate::tests::lockstep::side::Side;
use crate::tests::lockstep::step::At;
use crate::tests::lockstep::*;

/// Whether the real kernel has the kind: it is asked once.
pub fn are_there() -> bool {
    static THERE: OnceLock<bool> = OnceLock::new();
    let ask = || {
        let mut there = false;
        in_real(|world| {
            let spec = LinkSpec { end: end(&Namespace::Host, "wg"), kind: LinkKind::Wireguard { port: 8082 } };
            there = world.kernel.apply(&[Change::AddLink(spec)]).is_ok();
        });
        if !there {
            println!("skipped: WireGuard links, which this kernel has not");
        }
        there
    };
    *THERE.get_or_init(ask)
}

/// One of the kind, on the host: nobody asks for it with a MAC or as a port.
pub fn spec(random: &mut Random, end: LinkEnd) -> LinkSpec {
    // Ports that programs take, too.
    let port = random.pick(&[8080, 8081, 8090]);
    LinkSpec { end: LinkEnd { mac: None, master: None, ..end }, kind: LinkKind::Wireguard { port } }
}

/// Mostly a tunnel.
pub fn tunnel(random: &mut Random, side: &Side, other: At) -> At {
    let there = side.kernel().links(&Namespace::Host).unwrap_or_default();
    let tunnels: Vec<u32> = there.iter().filter(|link| link.kind == "wireguard").map(|link| link.index).collect();
    if tunnels.is_empty() || random.one_in(8) { other } else { (0, random.pick(&tunnels)) }
}

pub fn key(random: &mut Random) -> PublicKey {
    PublicKey([random.below(3) as u8 + 1; 32])
}

pub fn peer(random: &mut Random) -> Peer {
    let nets = ["10.9.1.0/24", "10.9.2.0/24", "10.9.1.7/32", "fd09::/64", "0.0.0.0/0"];
    let allowed: BTreeSet<IpNet> = (0..random.below(3)).map(|_| random.text(&nets)).collect();
    let ends = ["192.0.2.1:51820", "10.0.0.7:1", "[2001:db8::3]:1000"];
    Peer {
        key: key(random),
        endpoint: random.maybe(|random| random.text(&ends)),
        allowed,
        keepalive: random.pick(&[0, 0, 25]),
    }
}
