//! WireGuard links and their peers: of others, for everybody, and too many.

use std::net::SocketAddr;

use pontoon_sdk::Result;
use pontoon_sdk::ipnet::IpNet;
use pontoon_sdk::links::{self, Link, LinkEnd, Peer, PublicKey};

use crate::Attack;
use crate::traps::trap;

pub(crate) const ATTACKS: &[(&str, Attack)] = &[
    ("tunnel-by-every-link", |_| tunnel("hw", 51_820).map(drop)),
    ("tunnel-on-a-port-that-is-taken", |_| tunnel("hw", 53).map(drop)),
    ("tunnel-under-a-foreign-name", |_| tunnel("wg0", 51_820).map(drop)),
    ("many-tunnels", |_| (0..200).try_for_each(|number| tunnel(&format!("hw{number}"), 51_820 + number).map(drop))),
    ("tunnel-as-a-port", |stage| {
        let bridge = stage.link("hb")?;
        links::add_wireguard(&LinkEnd { master: Some(&bridge), ..LinkEnd::named("hw") }, 51_820).map(drop)
    }),
    ("peer-for-everything", |_| allow(&["0.0.0.0/0"])),
    ("peer-for-half-of-everything", |_| allow(&["::/1"])),
    ("peer-for-the-lan", |_| allow(&["192.0.2.0/24"])),
    ("peer-of-another-network", |_| allow(&["10.77.0.2/32"])),
    ("peer-with-endless-networks", |stage| {
        let allowed = vec![IpNet::from(stage.address(2)); 1_025];
        tunnel("hw", 51_820)?.set_peers(&[Peer { allowed, ..peer(1) }])
    }),
    ("peers-without-end", |_| {
        let link = tunnel("hw", 51_820)?;
        (1..200).try_for_each(|number| link.set_peers(&[peer(number)]))
    }),
    ("peers-again-and-again", |_| {
        let link = tunnel("hw", 51_820)?;
        (1..200).try_for_each(|number| {
            link.set_peers(&[peer(number)])?;
            link.remove_peers(&[peer(number).key])
        })
    }),
    ("peer-on-the-host-itself", |_| {
        let endpoint = SocketAddr::from(([127, 0, 0, 1], 53));
        tunnel("hw", 51_820)?.set_peers(&[Peer { endpoint: Some(endpoint), ..peer(1) }])
    }),
    ("peer-with-its-own-key", |_| {
        let link = tunnel("hw", 51_820)?;
        link.set_peers(&[Peer { key: link.public_key()?, ..peer(1) }])
    }),
    ("peers-of-another-kind", |stage| stage.link("hb")?.set_peers(&[peer(1)])),
    ("trap-after-a-peer", |stage| {
        let link = tunnel("hw", 51_820)?;
        trap(link.set_peers(&[Peer { allowed: vec![stage.address(9).into()], ..peer(1) }]))
    }),
];

fn tunnel(name: &str, port: u16) -> Result<Link> {
    links::add_wireguard(&LinkEnd { up: true, ..LinkEnd::named(name) }, port)
}

fn peer(number: u8) -> Peer {
    Peer { key: PublicKey([number; 32]), endpoint: None, allowed: Vec::new(), keepalive: None }
}

fn allow(nets: &[&str]) -> Result<()> {
    let allowed = nets.iter().map(|net| net.parse()).collect::<std::result::Result<_, _>>()?;
    tunnel("hw", 51_820)?.set_peers(&[Peer { allowed, ..peer(1) }])
}
