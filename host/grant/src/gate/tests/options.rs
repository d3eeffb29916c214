//! Properties of links: what each check refuses, each alone.

use kernel::{Change, LinkKind, LinkOption, LinkOptions, MacvlanMode};

use super::calls::{end, no};
use super::look::{Table, key, own, parent};
use super::*;
use crate::gate::links::{Wanted, WantedEnd, WantedKind};

fn options(option: LinkOption, value: u32) -> LinkOptions {
    LinkOptions { set: [(option, value)].into(), vlans: None }
}

fn granted() -> Gate {
    gate("permissions = ['links']\nnamespaces = ['host']")
}

#[test]
fn a_bridge_and_any_link_are_changed_by_whoever_made_them() {
    let (gate, mut view) = (granted(), Table::default());
    let ageing = || options(LinkOption::Ageing, 100);
    let set = gate.set_bridge(&view, &own(1, "old"), ageing()).unwrap();
    assert_eq!(*set, [Change::SetOptions { link: key(1), options: ageing() }]);
    let queue = || options(LinkOption::QueueLength, 100);
    assert!(gate.set_properties(&view, &own(2, "ve0"), queue()).is_ok());
    let checksums = || options(LinkOption::TransmitChecksums, 0);
    assert!(gate.set_offloads(&view, &own(2, "ve0"), checksums()).is_ok());
    for link in [parent(9, "eth0"), own(9, "eth0")] {
        no(gate.set_offloads(&view, &link, checksums()), "the driver's");
        no(gate.set_bridge(&view, &link, ageing()), "the driver's");
        no(gate.set_port(&view, &link, LinkOptions::default()), "the driver's");
        no(gate.set_properties(&view, &link, queue()), "the driver's");
        no(gate.read_options(HostCall::LinksGetPort, &view, &link), "the driver's");
    }
    assert_eq!(gate.read_options(HostCall::LinksGetBridge, &view, &own(1, "br0")).unwrap().take().0, key(1));
    let bare = super::gate("permissions = ['routing']");
    no(bare.set_bridge(&view, &own(1, "br0"), ageing()), "links.set-bridge: the driver's grant lacks links");
    no(bare.set_port(&view, &own(2, "ve0"), ageing()), "links.set-port: the driver's grant lacks links");
    no(bare.set_properties(&view, &own(1, "br0"), queue()), "links.set-properties: the driver's grant lacks links");
    no(bare.set_offloads(&view, &own(1, "br0"), checksums()), "links.set-offloads: the driver's grant lacks links");
    no(bare.read_options(HostCall::LinksGetPort, &view, &own(1, "br0")), "links.get-port: the driver's grant lacks");
    view.removed = vec![1];
    no(gate.set_bridge(&view, &own(1, "br0"), ageing()), "br0 is gone: this call removed it");
    no(gate.read_options(HostCall::LinksGetBridge, &view, &own(1, "br0")), "br0 is gone: this call removed it");
}

#[test]
fn a_port_is_one_of_a_bridge_of_the_drivers_own() {
    let (gate, mut view) = (granted(), Table::default());
    let flood = || options(LinkOption::UnicastFlood, 0);
    // The kernel layer says that it is no port.
    assert!(gate.set_port(&view, &own(2, "ve0"), flood()).is_ok());
    view.masters = [(2, 1)].into();
    assert!(gate.set_port(&view, &own(2, "ve0"), flood()).is_ok());
    view.masters = [(2, 9)].into();
    no(gate.set_port(&view, &own(2, "ve0"), flood()), "ve0 is a port of a bridge that is not the driver's");
}

#[test]
fn what_a_parent_would_listen_to_is_a_permission_of_its_own() {
    let view = Table { on_parents: vec![2], ..Table::default() };
    let listening = [LinkOption::Promiscuous, LinkOption::AllMulticast];
    for option in listening {
        no(
            granted().set_properties(&view, &own(2, "ve0"), options(option, 1)),
            "take in the packets of others; the driver's grant lacks permissions: changed-parents",
        );
        assert!(granted().set_properties(&view, &own(2, "ve0"), options(option, 0)).is_ok());
        assert!(granted().set_properties(&view, &own(1, "br0"), options(option, 1)).is_ok());
        let more = gate("permissions = ['links', 'changed-parents']");
        assert!(more.set_properties(&view, &own(2, "ve0"), options(option, 1)).is_ok());
    }
    assert!(granted().set_properties(&view, &own(2, "ve0"), options(LinkOption::QueueLength, 1)).is_ok());
}

/// In all as a macvlan.
#[test]
fn a_macvtap_is_a_link_on_a_parent() {
    let mut view = Table::default();
    let tap = |end: WantedEnd, parent: Link, mode| Wanted { end, kind: WantedKind::Macvtap(parent, mode) };
    let words = "namespaces = ['host']\nparents = ['eth0']\nlimits = { links = 3 }";
    let gate = super::gate(&format!("permissions = ['links']\n{words}"));
    let made = gate.add_macvtap(&mut view, tap(end("a"), parent(9, "eth0"), MacvlanMode::Bridge)).unwrap().take();
    assert_eq!(made[0].kind, LinkKind::Macvtap { parent: 9, mode: MacvlanMode::Bridge });
    let passthru = || tap(end("a"), parent(9, "eth0"), MacvlanMode::Passthru);
    no(gate.add_macvtap(&mut view, passthru()), "lacks permissions: changed-parents");
    let port = WantedEnd { master: Some(own(1, "br0")), ..end("a") };
    no(
        gate.add_macvtap(&mut view, tap(port, own(2, "ve0"), MacvlanMode::Bridge)),
        "lacks permissions: changed-parents",
    );
    let more = super::gate(&format!("permissions = ['links', 'changed-parents']\n{words}"));
    assert!(more.add_macvtap(&mut view, passthru()).is_ok());
    no(gate.add_macvtap(&mut view, tap(end("a"), parent(9, "eth7"), MacvlanMode::Bridge)), "parents: eth7");
    no(gate.add_macvtap(&mut view, tap(end("docker0"), own(1, "br0"), MacvlanMode::Bridge)), "docker0 is a name");
    let bare = super::gate(&format!("permissions = ['routing']\n{words}"));
    no(bare.add_macvtap(&mut view, tap(end("a"), own(1, "br0"), MacvlanMode::Bridge)), "lacks links");
    view.holds = 3;
    no(
        gate.add_macvtap(&mut view, tap(end("a"), own(1, "br0"), MacvlanMode::Bridge)),
        "links.add-macvtap: the driver's grant allows 3 (limits: links)",
    );
}
