//! What there is much of: each thing up to its own limit, and what is shared up to a share.

use kernel::{
    Forwarding, IpvlanFlag, IpvlanMode, LinkChanges, MacvlanMode, Neighbour, NftChain, NftHook, NftVerdict, PortWish,
    Vxlan,
};
use words::MacAddress;

use super::calls::{end, no, wanted, whole, wish};
use super::look::{Table, key, own, parent};
use super::*;
use crate::gate::links::{NewNamespace, WantedEnd, WantedKind};
use crate::gate::nftables::{WantedCondition, WantedNftRule, WantedProperty};
use crate::gate::state::ROW;

/// A host where everything that the grant of [`whole`] limits to three is there three times.
fn full() -> Table {
    Table { holds: 3, ..Table::default() }
}

#[test]
fn everything_on_a_link_has_its_limit() {
    let (gate, mac) = (whole(), MacAddress([2, 0, 0, 0, 0, 1]));
    let neighbours = |count: usize| {
        let address = "10.5.0.7".parse().unwrap();
        vec![(own(1, "br0"), Neighbour { link: key(1), address, mac }); count]
    };
    let forwardings = |count: usize| vec![(own(1, "br0"), Forwarding { link: key(1), mac, remote: None }); count];
    assert!(gate.add_neighbours(&mut Table::default(), neighbours(3)).is_ok());
    assert!(gate.add_forwardings(&mut Table::default(), forwardings(3)).is_ok());
    for (view, count) in [(&mut Table::default(), 4), (&mut full(), 1)] {
        no(gate.add_neighbours(view, neighbours(count)), "limits: neighbours");
        no(gate.add_forwardings(view, forwardings(count)), "limits: neighbours");
    }
    assert!(gate.add_neighbours(&mut full(), Vec::new()).is_ok(), "none are not too many");
    // Those of both ends of a pair count together.
    let with = |count: usize| {
        let mut end: WantedEnd = end("a");
        end.rest.addresses = vec![net("10.5.0.1/24"); count];
        end
    };
    let pair = |one, other| wanted(with(one), WantedKind::Veth(Box::new(with(other))));
    assert!(gate.add_links(&mut Table::default(), pair(1, 2)).is_ok());
    no(gate.add_links(&mut Table::default(), pair(2, 2)), "limits: addresses");
    no(gate.add_links(&mut full(), pair(0, 1)), "limits: addresses");
}

#[test]
fn namespaces_and_links_that_forward_have_their_limit() {
    let gate = whole();
    let namespace = || NewNamespace { name: "n".into(), file: "n".into() };
    assert!(gate.add_namespace(&mut Table::default(), namespace()).is_ok());
    no(gate.add_namespace(&mut full(), namespace()), "limits: namespaces");
    let mut view = Table { holds: 10, ..Table::default() };
    no(gate.allow_forwarding(&mut view, &own(1, "br0"), true, true), "limits: rules");
}

#[test]
fn a_port_counts_on_each_of_its_addresses_and_a_share_is_left() {
    let gate = whole();
    let on = |count| PortWish { addresses: vec!["192.0.2.1".parse().unwrap(); count], ..wish() };
    assert!(gate.take_port(&mut Table::default(), on(3)).is_ok());
    no(gate.take_port(&mut Table::default(), on(4)), "limits: ports");
    no(gate.take_port(&mut full(), on(1)), "limits: ports");
    let range = |last| PortWish { first: 80, last, all: true, ..on(1) };
    assert!(gate.take_port(&mut Table::default(), range(82)).is_ok());
    no(gate.take_port(&mut Table::default(), range(83)), "limits: ports");
    no(gate.take_port(&mut Table::default(), PortWish { all: true, first: 1, last: 65_535, ..on(1) }), "limits: ports");
    let left = |left| Table { left, ..Table::default() };
    assert!(gate.take_port(&mut left(2), on(1)).is_ok(), "half of what there is");
    no(
        gate.take_port(&mut left(3), on(2)),
        "ports: it would have 2 and leave 1 of the host ports that the daemon can hold",
    );
    assert_eq!(gate.take_port(&mut left(0), on(1)).unwrap_err().kind, Kind::Unavailable);
    // A vxlan takes one, too.
    let vxlan = Vxlan { vni: 1, port: 4789, parent: None, local: None, remote: None, learning: false, proxy: false };
    let grant = "permissions = ['links', 'host-ports']\nnamespaces = ['host']\nparents = ['*']\nlimits = { ports = 3 }";
    let gate = super::gate(grant);
    let add = |view: &mut Table| gate.add_links(view, wanted(end("a"), WantedKind::Vxlan(None, vxlan.clone())));
    assert!(add(&mut Table::default()).is_ok());
    no(add(&mut full()), "limits: ports");
}

/// No number, but what else reaches back to a parent.
#[test]
fn a_link_on_a_parent_is_a_bridges_port_by_a_word_of_its_own() {
    let grant =
        |more: &str| super::gate(&format!("permissions = ['links'{more}]\nnamespaces = ['host']\nparents = ['eth0']"));
    let (without, with) = (grant(""), grant(", 'changed-parents'"));
    let mut view = Table { on_parents: vec![2], ..Table::default() };
    let on = || parent(9, "eth0");
    let kinds = [
        WantedKind::Macvlan(on(), MacvlanMode::Bridge),
        WantedKind::Ipvlan(on(), IpvlanMode::L2, IpvlanFlag::Bridge),
        WantedKind::Vlan(on(), 5),
        WantedKind::Vlan(own(2, "ve0"), 5),
    ];
    let port = || WantedEnd { master: Some(own(1, "br0")), ..end("a") };
    for kind in kinds {
        assert!(without.add_links(&mut view, wanted(end("a"), kind.clone())).is_ok());
        no(without.add_links(&mut view, wanted(port(), kind.clone())), "lacks permissions: changed-parents");
        assert!(with.add_links(&mut view, wanted(port(), kind)).is_ok());
    }
    let set = |gate: &Gate, bridge| gate.set_link(&view, &own(2, "ve0"), bridge, LinkChanges::default());
    no(set(&without, Some(Some(own(1, "br0")))), "links.link.set: as a port of a bridge it makes its parent");
    assert!(set(&with, Some(Some(own(1, "br0")))).is_ok());
    assert!(set(&without, Some(None)).is_ok() && set(&without, None).is_ok());
    view.on_parents.clear();
    assert!(without.set_link(&view, &own(2, "ve0"), Some(Some(own(1, "br0"))), LinkChanges::default()).is_ok());
}

#[test]
fn a_source_is_translated_to_granted_addresses() {
    let mut view = Table::default();
    let mut add = |to: &str| {
        let chain = NftChain { nat: true, hook: NftHook::Postrouting, priority: 0 };
        let property = WantedProperty::InputLink(own(1, "br0"));
        let conditions = vec![WantedCondition { property, negated: false }];
        let verdict = NftVerdict::SourceNat(to.parse().unwrap(), None);
        whole()
            .add_nft_rules(
                &mut view,
                None,
                "t",
                vec![WantedNftRule { chain, conditions, statements: Vec::new(), verdict }],
            )
            .map(drop)
    };
    assert!(add("10.5.0.9").is_ok());
    no(add("10.6.0.9"), "10.6.0.9 lies in none of the network's pools");
}

#[test]
fn a_source_is_translated_to_the_hosts_addresses_only_where_it_leaves() {
    let mut view = Table {
        addresses: ["192.0.2.1", "10.7.0.1", "127.0.0.1", "::1"].map(|a| a.parse().unwrap()).into(),
        ..Table::default()
    };
    let grant = "hooks = { postrouting = [0], input = [0] }\npermissions = ['packet-filter']\nnamespaces = ['host']";
    let gate = super::gate(grant);
    let mut add = |hook, to: &str| {
        let chain = NftChain { nat: true, hook, priority: 0 };
        let property = WantedProperty::InputLink(own(1, "br0"));
        let conditions = vec![WantedCondition { property, negated: false }];
        let verdict = NftVerdict::SourceNat(to.parse().unwrap(), None);
        gate.add_nft_rules(
            &mut view,
            None,
            "t",
            vec![WantedNftRule { chain, conditions, statements: Vec::new(), verdict }],
        )
        .map(drop)
    };
    assert!(add(NftHook::Postrouting, "192.0.2.1").is_ok());
    let refused = "lies in none of the network's pools";
    no(add(NftHook::Postrouting, "192.0.2.2"), "192.0.2.2 lies in none of the network's pools");
    no(add(NftHook::Postrouting, "192.0.2.2"), "nor does the host send from it");
    no(add(NftHook::Input, "192.0.2.1"), refused);
    no(add(NftHook::Postrouting, "127.0.0.1"), refused);
    no(add(NftHook::Postrouting, "10.7.0.1"), refused);
    no(add(NftHook::Postrouting, "::1"), refused);
}

#[test]
fn bytes_are_counted_with_what_names_them_and_a_share_is_left() {
    let gate = whole();
    let state = |view: &mut Table, bytes| gate.set_state(view, "k".into(), vec![0; bytes]);
    // The grant of `whole` has room for one key with 99 bytes.
    assert!(state(&mut Table::default(), 99).is_ok());
    no(state(&mut Table::default(), 100), "limits: store-bytes");
    no(state(&mut full(), 99), "limits: store-bytes");
    let put = |view: &mut Table, bytes| gate.put_entry(view, "peers".into(), "k".into(), vec![0; bytes]);
    assert!(put(&mut Table::default(), 94).is_ok());
    no(put(&mut Table::default(), 95), "limits: table-bytes");
    no(gate.add_entry(&mut Table::default(), "peers".into(), "k".into(), vec![0; 95]), "limits: table-bytes");
    let left = |left| Table { left, ..Table::default() };
    assert!(put(&mut left(20), 4).is_ok());
    no(put(&mut left(19), 4), "table-bytes: it would have 10 and leave 9 of the bytes on the state disk");
    no(state(&mut left(2 * (ROW as u64 + 2) - 1), 1), "store-bytes: it would have 258 and leave 257");
}
