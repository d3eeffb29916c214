//! WireGuard links and their peers: what each check refuses, each alone.

use std::collections::BTreeSet;

use kernel::{LinkKind, Peer, PublicKey, SetPeers};
use words::MacAddress;

use super::calls::{end, no};
use super::look::{Table, key, own, parent, place};
use super::*;
use crate::gate::wireguard::WantedTunnel;

const WORDS: &str =
    "namespaces = ['host']\naddresses = ['network']\nlimits = { links = 10, addresses = 1, neighbours = 3, ports = 3 }";

/// With a way out by every link, or without.
fn granted(permissions: &str, by_all: bool) -> Gate {
    let parents = if by_all { "parents = ['*']\n" } else { "" };
    gate(&format!("permissions = [{permissions}]\n{parents}{WORDS}"))
}

fn tunnel(name: &str) -> WantedTunnel {
    WantedTunnel { end: end(name), port: 51_820 }
}

fn set(index: u32, allowed: &[&str]) -> SetPeers {
    let allowed: BTreeSet<_> = allowed.iter().map(|text| net(text)).collect();
    let peer = Peer { key: PublicKey([7; 32]), endpoint: None, allowed, keepalive: 0 };
    SetPeers { link: key(index), peers: vec![peer], gone: Vec::new() }
}

#[test]
fn a_tunnel_is_a_link_a_port_and_a_way_out() {
    let (gate, mut view) = (granted("'links', 'host-ports'", true), Table::default());
    let view = &mut view;
    let specs = gate.add_wireguard(view, tunnel("t0")).unwrap().take();
    assert_eq!(specs[0].kind, LinkKind::Wireguard { port: 51_820 });
    no(granted("'links'", true).add_wireguard(view, tunnel("t0")), "lacks permissions: host-ports");
    no(granted("'links', 'host-ports'", false).add_wireguard(view, tunnel("t0")), "lacks parents: *");
    no(granted("'host-ports'", true).add_wireguard(view, tunnel("t0")), "lacks links (permissions)");
    no(gate.add_wireguard(view, tunnel("wg0")), "an interface of the host may have");
    let mut odd = tunnel("t0");
    odd.end.rest.addresses = vec![net("10.6.0.1/24")];
    no(gate.add_wireguard(view, odd), "10.6.0.1/24 lies in none of the network's pools");
    let mut odd = tunnel("t0");
    odd.end.place = Some(place());
    no(gate.add_wireguard(view, odd), "a WireGuard link is made in the host's namespace");
    let mut odd = tunnel("t0");
    odd.end.master = Some(own(1, "br0"));
    no(gate.add_wireguard(view, odd), "is nobody's port");
    let mut odd = tunnel("t0");
    odd.end.rest.mac = Some(MacAddress([2; 6]));
    no(gate.add_wireguard(view, odd), "has no MAC address");
    view.left = 0;
    no(gate.add_wireguard(view, tunnel("t0")), "ports: it would have");
    view.left = 1_000;
    view.holds = 3;
    no(gate.add_wireguard(view, tunnel("t0")), "allows 3 (limits: ports)");
    let mut addressed = tunnel("t0");
    addressed.end.rest.addresses = vec![net("10.5.0.1/24")];
    no(gate.add_wireguard(view, addressed), "allows 1 (limits: addresses)");
    view.holds = 10;
    no(gate.add_wireguard(view, tunnel("t0")), "allows 10 (limits: links)");
}

#[test]
fn peers_have_networks_of_the_drivers_own() {
    let (gate, mut view) = (granted("'links'", false), Table::default());
    let (link, view) = (own(1, "br0"), &mut view);
    assert_eq!(gate.set_peers(view, &link, set(5, &["10.5.0.0/25"])).unwrap().take().link, key(1));
    for (net, says) in [
        ("0.0.0.0/0", "0.0.0.0/0 is wider than the network's pools"),
        ("10.6.0.0/16", "10.6.0.0/16 lies in none of the network's pools"),
        ("::/0", "::/0 "),
    ] {
        no(gate.set_peers(view, &link, set(1, &["10.5.0.2/32", net])), says);
    }
    no(gate.set_peers(view, &parent(9, "eth0"), set(9, &[])), "eth0 is not the driver's own");
    no(gate.remove_peers(&parent(9, "eth0"), set(9, &[])), "eth0 is not the driver's own");
    no(gate.set_peers(view, &own(5, "br5"), set(5, &[])), "br5 is gone");
    view.holds = 3;
    no(gate.set_peers(view, &link, set(1, &[])), "allows 3 (limits: neighbours)");
    assert_eq!(gate.remove_peers(&link, set(5, &[])).unwrap().take().link, key(1));
    let bare = granted("'store'", false);
    no(bare.set_peers(view, &link, SetPeers { peers: Vec::new(), ..set(1, &[]) }), "lacks links (permissions)");
    no(bare.remove_peers(&link, set(1, &[])), "lacks links (permissions)");
}
