//! Devices for containers: what each check refuses, each alone.

use kernel::Mark;

use super::calls::{end, no};
use super::look::{Table, key, own, parent};
use super::*;
use crate::gate::links::{Wanted, WantedKind};

const WORDS: &str = "parents = ['eth0']\nnamespaces = ['host']\nlimits = { links = 3 }";

fn granted(permissions: &str, endpoint: bool) -> Gate {
    let mut gate = gate(&format!("permissions = [{permissions}]\n{WORDS}"));
    gate.about.endpoint = endpoint.then(|| Id::new("e").unwrap());
    gate
}

#[test]
fn a_device_that_is_named_is_taken_for_an_endpoint() {
    let (gate, mut view) = (granted("'links', 'devices'", true), Table::default());
    assert_eq!(gate.take_device(&mut view, &parent(9, "eth0")).unwrap().take().0, key(9));
    no(gate.take_device(&mut view, &own(1, "br0")), "br0 is the driver's own");
    no(
        gate.take_device(&mut view, &parent(9, "eth1")),
        "eth1 is not the driver's; the driver's grant lacks parents: eth1",
    );
    no(gate.take_device(&mut view, &parent(7, "eth0")), "eth0 is gone, or has another name by now");
    no(granted("'links', 'devices'", false).take_device(&mut view, &parent(9, "eth0")), "only an endpoint's call");
    no(granted("'links'", true).take_device(&mut view, &parent(9, "eth0")), "the driver's grant lacks devices");
    view.holds = 3;
    no(gate.take_device(&mut view, &parent(9, "eth0")), "the driver's grant allows 3 (limits: links)");
}

#[test]
fn the_hosts_way_out_is_a_permission_of_its_own() {
    let mut view = Table { ways_out: vec![9], ..Table::default() };
    let taken = |permissions| {
        granted(permissions, true).take_device(&mut Table { ways_out: vec![9], ..Table::default() }, &parent(9, "eth0"))
    };
    no(taken("'links', 'devices'"), "leave by it; the driver's grant lacks permissions: uplinks");
    assert!(taken("'links', 'devices', 'uplinks'").is_ok());
    view.ways_out = vec![1];
    assert!(granted("'links', 'devices'", true).take_device(&mut view, &parent(9, "eth0")).is_ok());
}

#[test]
fn nothing_is_built_on_a_device_that_was_taken() {
    let (gate, mut view) = (granted("'links', 'devices'", true), Table::default());
    let on = || Wanted { end: end("a"), kind: WantedKind::Vlan(parent(9, "eth0"), 7) };
    assert!(gate.add_links(&mut view, vec![on()]).is_ok());
    view.taken = vec![9];
    no(gate.add_links(&mut view, vec![on()]), "eth0 was taken for a container");
    let host = gate.namespace(HostCall::LinksGet, None).unwrap();
    let name = || words::LinkName::new("eth0").unwrap();
    // Whoever took it gives it to a container by its name.
    assert!(!gate.find_link(&host, name(), Some((9, Mark::Taken)), false).unwrap().is_own);
}
