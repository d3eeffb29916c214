//! Paths and entries for others: what each check refuses, each alone.

use kernel::{Hop, RoutePath, Way};

use super::calls::no;
use super::look::{Table, key, own, parent, place};
use super::*;
use crate::gate::paths::WantedPath;

const WORDS: &str = "namespaces = ['host']\naddresses = ['network']\nroutes = ['network', '192.0.2.0/24', '10.9.0.0/16']\nparents = ['eth0']\n\
    limits = { routes = 3, neighbours = 3 }";

/// With the permission for parents, or without.
fn granted(by_parents: bool) -> Gate {
    let more = if by_parents { ", 'parent-routes'" } else { "" };
    gate(&format!("permissions = ['links', 'routing'{more}]\n{WORDS}"))
}

fn hop(link: &Link, gateway: Option<&str>) -> Hop {
    let gateway = gateway.map(|gateway| gateway.parse().unwrap());
    Hop { link: link.key.index, gateway, on_link: false, weight: 1 }
}

fn nowhere(to: &str) -> WantedPath {
    let path = RoutePath {
        namespace: kernel::Namespace::Host,
        destination: net(to),
        way: Way::Blackhole,
        source: None,
        table: None,
        metric: None,
        mtu: None,
    };
    WantedPath { path, links: Vec::new() }
}

fn by(to: &str, links: &[(Link, Option<&str>)]) -> WantedPath {
    let WantedPath { path, .. } = nowhere(to);
    let way = Way::Hops(links.iter().map(|(link, gateway)| hop(link, *gateway)).collect());
    WantedPath { path: RoutePath { way, ..path }, links: links.iter().map(|(link, _)| link.clone()).collect() }
}

fn eth0() -> Link {
    parent(9, "eth0")
}

#[test]
fn a_path_leads_where_the_grant_says() {
    let (gate, mut view) = (granted(true), Table::default());
    let view = &mut view;
    assert_eq!(gate.add_paths(view, None, vec![nowhere("10.5.0.0/25")]).unwrap().take().len(), 1);
    no(gate.add_paths(view, None, vec![nowhere("0.0.0.0/0")]), "a default route is a permission of its own");
    no(gate.add_paths(view, None, vec![nowhere("10.6.0.0/16")]), "lacks routes: 10.6.0.0/16");
    let mut other = nowhere("10.5.0.0/25");
    other.path.table = Some(255);
    no(gate.add_paths(view, None, vec![other.clone()]), "the routing table 255 is the kernel's own");
    other.path.table = Some(100);
    assert!(gate.add_paths(view, None, vec![other.clone()]).is_ok());
    // In tables of its own nothing is in the way of others.
    view.reached = vec![net("10.9.0.0/24"), net("10.5.0.7/32")];
    no(gate.add_paths(view, None, vec![nowhere("10.5.0.0/25")]), "10.5.0.0/25 overlaps with 10.5.0.7/32");
    no(gate.add_paths(view, None, vec![nowhere("10.9.0.0/25")]), "10.9.0.0/25 overlaps with 10.9.0.0/24");
    assert!(gate.add_paths(view, None, vec![other]).is_ok());
    assert!(gate.add_paths(view, None, vec![nowhere("10.9.1.0/24")]).is_ok());
    assert!(gate.add_paths(view, Some(&place()), vec![nowhere("10.9.0.0/25")]).is_ok(), "in its own namespace");
    let bare = super::gate(&format!("permissions = ['links']\n{WORDS}"));
    no(bare.add_paths(view, None, Vec::new()), "lacks routing");
    no(bare.remove_paths(None, Vec::new()), "lacks routing");
    let nowhere_granted = super::gate("permissions = ['routing']\nroutes = ['network']");
    no(nowhere_granted.add_paths(view, None, Vec::new()), "it is in the host's namespace");
    no(nowhere_granted.remove_paths(None, Vec::new()), "it is in the host's namespace");
    view.holds = 3;
    no(gate.add_paths(view, None, vec![nowhere("10.9.1.0/24")]), "limits: routes");
}

#[test]
fn a_path_goes_by_own_links_and_by_parents_with_a_permission() {
    let mut view = Table::default();
    let view = &mut view;
    let path = || by("10.9.0.0/24", &[(eth0(), Some("192.0.2.7"))]);
    assert!(granted(true).add_paths(view, None, vec![path()]).is_ok());
    no(granted(false).add_paths(view, None, vec![path()]), "lacks permissions: parent-routes");
    let foreign = by("10.9.0.0/24", &[(eth0(), Some("192.0.2.7")), (eth0(), Some("198.51.100.1"))]);
    no(granted(true).add_paths(view, None, vec![foreign]), "198.51.100.1 is a gateway beyond a parent");
    // Behind a link of its own there are its own machines.
    let own_links = by("10.5.0.0/25", &[(own(1, "br0"), Some("198.51.100.1"))]);
    assert!(granted(false).add_paths(view, None, vec![own_links]).is_ok());
    no(granted(true).add_paths(view, None, vec![by("10.5.0.0/25", &[(own(9, "eth0"), None)])]), "eth0 is gone, or");
    no(granted(true).add_paths(view, None, vec![by("10.5.0.0/25", &[(own(21, "in0"), None)])]), "in another namespace");
    assert!(granted(true).add_paths(view, Some(&place()), vec![by("10.5.0.0/25", &[(own(21, "in0"), None)])]).is_ok());
    view.removed = vec![1];
    no(granted(true).add_paths(view, None, vec![by("10.5.0.0/25", &[(own(1, "br0"), None)])]), "this call removed it");
}

#[test]
fn a_way_that_can_not_be() {
    let (gate, mut view) = (granted(true), Table::default());
    let mut refused = |wanted: WantedPath, says: &str| no(gate.add_paths(&mut view, None, vec![wanted]), says);
    let br0 = || (own(1, "br0"), Some("10.5.0.9"));
    refused(by("10.5.0.0/25", &[]), "0 next hops: 1 to 16");
    refused(by("10.5.0.0/25", &vec![br0(); 17]), "17 next hops: 1 to 16");
    refused(by("10.5.0.0/25", &[br0(), (own(1, "br0"), None)]), "each has a gateway");
    refused(by("10.5.0.0/25", &[(own(1, "br0"), Some("fd00::1"))]), "of the other family");
    let with = |change: &dyn Fn(&mut RoutePath)| {
        let mut wanted = by("10.5.0.0/25", &[br0()]);
        change(&mut wanted.path);
        wanted
    };
    for (mtu, is_fine) in [(67, false), (68, true), (65_520, true), (65_521, false)] {
        let wanted = with(&|path| path.mtu = Some(mtu));
        assert_eq!(gate.add_paths(&mut Table::default(), None, vec![wanted]).is_ok(), is_fine, "{mtu}");
    }
    for (weight, is_fine) in [(0, false), (1, true), (256, true), (257, false)] {
        let wanted = with(&|path| {
            path.way = Way::Hops(vec![Hop { weight, ..hop(&own(1, "br0"), Some("10.5.0.9")) }]);
        });
        assert_eq!(gate.add_paths(&mut Table::default(), None, vec![wanted]).is_ok(), is_fine, "{weight}");
    }
    refused(with(&|path| path.source = Some("fd00::1".parse().unwrap())), "its source is of the other family");
    let on_link = |gateway| Way::Hops(vec![Hop { on_link: true, ..hop(&own(1, "br0"), gateway) }]);
    refused(with(&|path| path.way = on_link(None)), "on-link is said of a gateway");
    assert!(gate.add_paths(&mut view, None, vec![with(&|path| path.way = on_link(Some("10.5.0.9")))]).is_ok());
}

#[test]
fn the_host_answers_for_the_networks_addresses() {
    let mut view = Table::default();
    let add = |gate: &Gate, view: &mut Table, link: Link, address: &str| {
        gate.add_proxies(view, vec![(link, address.parse().unwrap())])
    };
    let view = &mut view;
    let gate = granted(true);
    assert_eq!(add(&gate, view, eth0(), "10.5.0.7").unwrap().take()[0].link, key(9));
    assert!(add(&gate, view, own(1, "br0"), "169.254.1.1").is_ok(), "a gateway that nobody else has there");
    no(add(&gate, view, eth0(), "169.254.1.1"), "none of the network's pools");
    no(add(&gate, view, own(1, "br0"), "192.0.2.1"), "none of the network's pools");
    no(add(&granted(false), view, eth0(), "10.5.0.7"), "lacks permissions: parent-routes");
    no(add(&gate, view, own(3, "gone"), "10.5.0.7"), "gone is gone");
    view.addresses = vec!["10.5.0.7".parse().unwrap()];
    no(add(&gate, view, eth0(), "10.5.0.7"), "10.5.0.7 is an address of this host's");
    view.routers = vec!["10.5.0.1".parse().unwrap()];
    no(add(&gate, view, own(1, "br0"), "10.5.0.1"), "10.5.0.1 is a router that routes of this host go by");
    // Elsewhere it has neither.
    assert!(add(&gate, view, own(21, "in0"), "10.5.0.7").is_ok());
    assert!(add(&gate, view, own(21, "in0"), "10.5.0.1").is_ok());
    view.holds = 3;
    no(add(&gate, view, eth0(), "10.5.0.8"), "limits: neighbours");
    let bare = super::gate("permissions = ['routing', 'parent-routes']");
    no(bare.add_proxies(view, Vec::new()), "lacks links");
    no(bare.remove_proxies(Vec::new()), "lacks links");
}
