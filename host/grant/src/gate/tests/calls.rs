//! Each host call that has an effect: what its checks refuse, each alone.

use kernel::{
    Forwarding, HostPort, LinkChanges, LinkEnd, LinkSpec, MacvlanMode, Neighbour, NewName, NftChain, NftHook,
    NftProperty, NftVerdict, PortWish, Route, Vxlan,
};
use words::limit::{WRITTEN_BYTES, WRITTEN_KEYS};
use words::{LinkName, MacAddress};

use super::look::{Table, container, key, own, parent, place};
use super::*;
use crate::gate::links::{NewNamespace, Wanted, WantedEnd, WantedKind};
use crate::gate::nftables::{WantedCondition, WantedNftRule, WantedProperty};
use crate::gate::rules::WantedRule;
use crate::gate::settings::LinkSetting;
use crate::gate::state::VALUE;

/// A grant with all that the calls here need, and small limits.
pub(super) fn whole() -> Gate {
    gate(&(permissions() + WORDS))
}

const WORDS: &str = "namespaces = ['host']\naddresses = ['network']\nroutes = ['network']\nparents = ['eth0']\ntables = ['peers']\n\
    sysctls = ['link.ipv6-accept-ra', 'host.ipv4-forwarding']\nhooks = { prerouting = [0], forward = [0], postrouting = [0], output = [0] }\n\
    limits = { links = 10, rules = 10, addresses = 3, routes = 3, neighbours = 3, namespaces = 3, ports = 3, \
    table-entries = 3, table-bytes = 100, store-bytes = 356 }";

/// The refusal, as a driver reads it.
pub(super) fn no<T: std::fmt::Debug>(answer: Result<T>, says: &str) {
    let refusal = answer.unwrap_err();
    assert!(refusal.message.contains(says), "{refusal} is not about {says:?}");
}

pub(super) fn end(name: &str) -> WantedEnd {
    LinkEnd {
        namespace: kernel::Namespace::Host,
        name: NewName::Exact(LinkName::new(name).unwrap()),
        mac: None,
        mtu: None,
        master: None,
        addresses: Vec::new(),
        up: true,
    }
    .into()
}

pub(super) fn wanted(end: WantedEnd, kind: WantedKind) -> Vec<Wanted> {
    vec![Wanted { end, kind }]
}

fn add(view: &mut Table, wanted: Vec<Wanted>) -> Result<Vec<LinkSpec>> {
    whole().add_links(view, wanted).map(Granted::take)
}

#[test]
fn nothing_is_granted_without_the_permission_for_the_host_call() {
    let (gate, mut view) = (gate(WORDS), Table::default());
    let (link, view) = (own(1, "br0"), &mut view);
    no(gate.add_namespace(view, NewNamespace { name: "n".into(), file: "n".into() }), "lacks namespaces");
    no(gate.remove_namespace(&place()), "lacks namespaces");
    no(gate.add_links(view, Vec::new()), "lacks links");
    no(gate.remove_link(&link), "lacks links");
    no(gate.set_link(view, &link, None, LinkChanges::default()), "lacks links");
    no(gate.remove_addresses(Vec::new()), "lacks links");
    no(gate.add_addresses(view, Vec::new()), "lacks links");
    no(gate.add_forwardings(view, Vec::new()), "lacks links");
    no(gate.remove_neighbours(Vec::new()), "lacks links");
    no(gate.remove_routes(Vec::new()), "lacks routing");
    no(gate.remove_rules(HostCall::RulesRemove, view, None, Vec::new()), "lacks routing");
    no(gate.remove_nft_rules(Vec::new()), "lacks packet-filter");
    no(gate.allow_forwarding(view, &link, true, true), "lacks forwarding");
    no(gate.disallow_forwarding(&link), "lacks forwarding");
    let ports = HostPort { protocol: 6, port: 80, more: 9, address: "::".parse().unwrap() };
    no(gate.take_port(view, wish()), "ports.take: the driver's grant lacks host-ports");
    no(gate.take_port(view, PortWish { all: true, ..wish() }), "ports.take-range: the driver's grant lacks host-ports");
    no(gate.release_ports(Vec::new()), "ports.release: the driver's grant lacks host-ports");
    no(gate.release_ports(vec![ports]), "ports.release-range: the driver's grant lacks host-ports");
    no(gate.remove_state(view, "k".into()), "lacks store");
    no(gate.remove_entry(view, "peers".into(), "k".into()), "lacks tables");
}

pub(super) fn wish() -> PortWish {
    PortWish { protocol: 6, addresses: Vec::new(), first: 80, last: 80, all: false, own: Vec::new() }
}

#[test]
fn a_link_is_changed_by_whoever_made_it_as_long_as_it_is_there() {
    let (gate, mut view) = (whole(), Table::default());
    let set = |view: &Table, link: &Link| gate.set_link(view, link, None, LinkChanges::default());
    assert!(set(&view, &own(1, "br0")).is_ok());
    no(set(&view, &parent(9, "eth0")), "eth0 is not the driver's own");
    // A handle that says so does not make it so.
    no(set(&view, &own(9, "eth0")), "eth0 is gone, or is not the driver's any more");
    no(set(&view, &own(3, "gone")), "gone is gone, or is not");
    no(gate.remove_link(&parent(9, "eth0")), "eth0 is not the driver's own");
    assert_eq!(gate.remove_link(&own(1, "br0")).unwrap().take().0, key(1));
    view.removed = vec![1];
    no(set(&view, &own(1, "br0")), "br0 is gone: this call removed it");
}

#[test]
fn a_link_has_no_name_that_another_may_have() {
    let (gate, mut view) = (whole(), Table::default());
    let named = |view: &Table, link, name: NewName| {
        gate.set_link(view, &link, None, LinkChanges { name: Some(name), ..LinkChanges::default() })
    };
    let exact = |name: &str| NewName::Exact(LinkName::new(name).unwrap());
    let prefix = |name: &str| NewName::Prefix(LinkName::new(name).unwrap());
    for free in [exact("br-1234567890ab"), exact("docker1"), exact("hb0"), prefix("veth"), exact("cn")] {
        assert!(named(&view, own(1, "br0"), free.clone()).is_ok(), "{free}");
    }
    let others = [exact("docker0"), exact("docker_gwbridge"), prefix("docker"), exact("cni-podman0"), exact("eth7")];
    for others in others {
        no(named(&view, own(1, "br0"), others.clone()), "may have: choose another");
        assert!(named(&view, own(21, "in0"), others).is_ok(), "in a namespace of its own there are no others");
    }
    no(named(&view, own(21, "in0"), exact("pontoon00000007")), "are the host's own");
    no(named(&view, own(1, "br0"), prefix("pontoon")), "are the host's own");
    view.others_names = vec!["other"];
    no(named(&view, own(1, "br0"), exact("other")), "other is the name of another driver's link");
    assert!(named(&view, own(21, "in0"), exact("other")).is_ok());
    let at = |place| WantedEnd { place, ..end("docker0") };
    assert!(add(&mut view, wanted(at(Some(place())), WantedKind::Bridge)).is_ok());
    no(add(&mut view, wanted(at(None), WantedKind::Bridge)), "docker0 is a name that a container engine");
    no(add(&mut view, wanted(end("a"), WantedKind::Veth(Box::new(at(None))))), "docker0 is a name");
}

#[test]
fn a_vlan_on_a_parent_has_its_usual_name_and_nothing_else_has() {
    let (_, mut view) = (whole(), Table::default());
    let vlan = |parent, id| WantedKind::Vlan(parent, id);
    let prefixed = |prefix: &str| {
        let name = NewName::Prefix(LinkName::new(prefix).unwrap());
        WantedEnd { rest: LinkEnd { name, ..end("a").rest }, ..end("a") }
    };
    assert!(add(&mut view, wanted(end("eth0.10"), vlan(parent(9, "eth0"), 10))).is_ok());
    no(add(&mut view, wanted(end("eth0.11"), vlan(parent(9, "eth0"), 10))), "eth0.11 is a name");
    no(add(&mut view, wanted(end("eth1.10"), vlan(parent(9, "eth0"), 10))), "eth1.10 is a name");
    no(add(&mut view, wanted(prefixed("eth0.1"), vlan(parent(9, "eth0"), 10))), "eth0.10 is a name");
    no(add(&mut view, wanted(end("eth0.10"), WantedKind::Dummy)), "eth0.10 is a name");
    no(add(&mut view, wanted(end("eth0.10"), vlan(own(1, "eth0"), 10))), "eth0.10 is a name");
    no(add(&mut view, wanted(end("eth7.10"), vlan(parent(9, "eth7"), 10))), "parents: eth7");
}

#[test]
fn a_link_keeps_its_name_while_something_goes_by_it() {
    let (gate, mut view) = (whole(), Table::default());
    view.by_name = [(1, "rule 100 for table 7")].into();
    let set = |link, changes| gate.set_link(&view, &link, None, changes);
    let name = Some(NewName::Exact(LinkName::new("a").unwrap()));
    let renamed = || LinkChanges { name: name.clone(), ..LinkChanges::default() };
    no(set(own(1, "old"), renamed()), "br0 keeps its name as long as the rule 100 for table 7 goes by it");
    assert!(set(own(1, "old"), LinkChanges { up: Some(true), ..LinkChanges::default() }).is_ok());
    assert!(set(own(2, "ve0"), renamed()).is_ok());
}

#[test]
fn a_port_is_put_on_a_bridge_of_the_drivers_own_in_its_namespace() {
    let (gate, view) = (whole(), Table::default());
    let to = |bridge: Link| gate.set_link(&view, &own(2, "ve0"), Some(Some(bridge)), LinkChanges::default());
    assert!(to(own(1, "br0")).is_ok());
    no(to(own(21, "in0")), "in0 is in another namespace than its port");
    no(to(parent(9, "eth0")), "eth0 is not the driver's own");
    no(to(own(9, "eth0")), "eth0 is gone, or is not the driver's");
    let mut view = Table::default();
    let on = |bridge| WantedEnd { master: Some(bridge), ..end("a") };
    let made = add(&mut view, wanted(on(own(1, "br0")), WantedKind::Dummy)).unwrap();
    assert_eq!(made[0].end.master, Some(1));
    no(add(&mut view, wanted(on(own(21, "in0")), WantedKind::Dummy)), "another namespace than its port");
}

#[test]
fn a_link_is_made_where_and_with_what_the_grant_names() {
    let mut view = Table::default();
    assert!(add(&mut view, wanted(end("a"), WantedKind::Bridge)).is_ok());
    let inside = WantedEnd { place: Some(place()), ..end("a") };
    assert_eq!(add(&mut view, wanted(inside, WantedKind::Dummy)).unwrap()[0].end.namespace, place().namespace);
    let at = WantedEnd { place: Some(container()), ..end("a") };
    no(add(&mut view, wanted(at.clone(), WantedKind::Dummy)), "it is in the container's namespace");
    no(add(&mut view, wanted(end("a"), WantedKind::Veth(Box::new(at)))), "it is in the container's namespace");
    let with = |addresses: &[&str]| {
        let mut end = end("a");
        end.rest.addresses = addresses.iter().map(|text| net(text)).collect();
        wanted(end, WantedKind::Dummy)
    };
    assert!(add(&mut view, with(&["10.5.0.1/24"])).is_ok());
    no(add(&mut view, with(&["10.6.0.1/24"])), "10.6.0.1/24 lies in none of the network's pools");
    no(add(&mut view, with(&["10.5.0.1/24", "10.5.0.2/24", "10.5.0.3/24", "10.5.0.4/24"])), "limits: addresses");
    view.holds = 9;
    assert!(add(&mut view, wanted(end("a"), WantedKind::Bridge)).is_ok());
    no(add(&mut view, wanted(end("a"), WantedKind::Veth(Box::new(end("b"))))), "limits: links");
}

#[test]
fn a_link_is_built_on_a_parent_that_the_grant_names_and_that_still_has_the_name() {
    let mut view = Table::default();
    let mut on = |link| add(&mut view, wanted(end("a"), WantedKind::Macvlan(link, MacvlanMode::Bridge)));
    assert!(on(parent(9, "eth0")).is_ok());
    assert!(on(own(1, "br0")).is_ok());
    no(on(own(9, "eth0")), "eth0 is gone, or is not the driver's");
    no(on(own(21, "in0")), "the parent in0 is not in the host's namespace");
    no(on(parent(9, "eth1")), "eth1 is not the driver's; the driver's grant lacks parents: eth1");
    view.foreign = [(9, "eth7")].into();
    let on = |view: &mut Table, kind| add(view, wanted(end("a"), kind));
    no(on(&mut view, WantedKind::Vlan(parent(9, "eth0"), 5)), "eth0 is gone, or has another name by now");
    let vxlan = Vxlan { vni: 1, port: 4789, parent: None, local: None, remote: None, learning: false, proxy: false };
    no(on(&mut view, WantedKind::Vxlan(None, vxlan.clone())), "lacks parents: *");
    let without = gate(&format!("permissions = ['links']\n{WORDS}"));
    let kinds = [
        (
            WantedKind::Vxlan(Some(parent(9, "eth7")), vxlan.clone()),
            "UDP port on all of the host's addresses; the driver's grant lacks permissions: host-ports",
        ),
        (
            WantedKind::Macvlan(parent(9, "eth7"), MacvlanMode::Passthru),
            "the driver's grant lacks permissions: changed-parents",
        ),
    ];
    for (kind, says) in kinds {
        no(without.add_links(&mut view, wanted(end("a"), kind)), says);
    }
    no(on(&mut view, WantedKind::Vxlan(Some(parent(9, "eth0")), vxlan)), "eth0 is gone, or has another name");
    view.removed = vec![9];
    no(on(&mut view, WantedKind::Vlan(parent(9, "eth0"), 5)), "eth0 is gone: this call removed it");
}

#[test]
fn a_foreign_link_is_found_as_a_parent_only() {
    let gate = whole();
    let host = gate.namespace(HostCall::LinksGet, None).unwrap();
    let find = |name: &str, mark, is_own| {
        gate.find_link(&host, LinkName::new(name).unwrap(), Some((9, mark)), is_own).map(|link| link.is_own)
    };
    use kernel::Mark;
    assert!(!find("eth0", Mark::Foreign, false).unwrap());
    assert!(find("br0", Mark::Owned, true).unwrap());
    no(find("eth1", Mark::Foreign, false), "no link eth1 there");
    no(find("eth0", Mark::Owned, false), "no link eth0 there");
    no(gate.find_link(&host, LinkName::new("eth0").unwrap(), None, false), "no link eth0 there");
    let inside = gate.namespace(HostCall::LinksGet, Some(&place())).unwrap();
    let found = gate.find_link(&inside, LinkName::new("eth0").unwrap(), Some((9, Mark::Foreign)), false);
    no(found, "no link eth0 there");
    no(gate.namespace(HostCall::LinksGet, Some(&container())), "lacks namespaces: container");
    no(gate.remove_namespace(&container()), "only a namespace that the driver made");
    assert_eq!(gate.remove_namespace(&place()).unwrap().take().0, "n");
}

#[test]
fn addresses_and_routes_are_on_the_drivers_links_in_its_ranges_and_few() {
    let (gate, mut view) = (whole(), Table::default());
    let address = |view: &mut Table, link, text: &str| gate.add_addresses(view, vec![(link, net(text))]);
    let route = |view: &mut Table, link: Link, text: &str| {
        let (gateway, source, table, metric) = (None, None, None, None);
        let route = Route { link: link.key.clone(), destination: net(text), gateway, source, table, metric };
        (gate.add_routes(view, vec![(link.clone(), route.clone())]), gate.remove_routes(vec![(link, route)]))
    };
    assert!(address(&mut view, own(1, "br0"), "10.5.0.1/24").is_ok());
    assert!(route(&mut view, own(1, "br0"), "10.5.0.0/25").0.is_ok());
    for table in [0, 253, 255] {
        let (gateway, source, metric) = (None, None, None);
        let route =
            Route { link: key(1), destination: net("10.5.0.0/25"), gateway, source, table: Some(table), metric };
        no(gate.add_routes(&mut view, vec![(own(1, "br0"), route)]), "is the kernel's own");
    }
    for (link, says) in
        [(parent(9, "eth0"), "not the driver's own"), (own(9, "eth0"), "is gone, or is not the driver's")]
    {
        no(address(&mut view, link.clone(), "10.5.0.1/24"), says);
        no(route(&mut view, link, "10.5.0.0/25").0, says);
    }
    no(route(&mut view, parent(9, "eth0"), "10.5.0.0/25").1, "not the driver's own");
    no(gate.remove_addresses(vec![(parent(9, "eth0"), net("10.5.0.1/24"))]), "not the driver's own");
    no(address(&mut view, own(1, "br0"), "10.6.0.1/24"), "none of the network's pools");
    no(route(&mut view, own(1, "br0"), "10.6.0.0/24").0, "none of the network's pools");
    view.holds = 3;
    no(address(&mut view, own(1, "br0"), "10.5.0.1/24"), "limits: addresses");
    no(route(&mut view, own(1, "br0"), "10.5.0.0/25").0, "limits: routes");
    // Each handle is looked at, not each link.
    let both = [own(1, "br0"), parent(1, "br0")].map(|link| (link, net("10.5.0.1/24"))).into();
    no(gate.add_addresses(&mut Table::default(), both), "not the driver's own");
    // Many on one link count together.
    view.holds = 0;
    let four = (1..5).map(|n| (own(1, "br0"), net(&format!("10.5.0.{n}/24")))).collect();
    no(gate.add_addresses(&mut view, four), "limits: addresses");
}

#[test]
fn neighbours_are_on_the_drivers_links_and_lead_to_its_ranges() {
    let gate = whole();
    let mac = MacAddress([2, 0, 0, 0, 0, 1]);
    let neighbour = |link: Link, to: &str| {
        let entry = Neighbour { link: link.key.clone(), address: to.parse().unwrap(), mac };
        let added = gate.add_neighbours(&mut Table::default(), vec![(link.clone(), entry.clone())]);
        (added, gate.remove_neighbours(vec![(link, entry)]))
    };
    let forwarding = |link: Link| {
        let entry = Forwarding { link: link.key.clone(), mac, remote: None };
        let entries = vec![(link, entry)];
        (gate.add_forwardings(&mut Table::default(), entries.clone()), gate.remove_forwardings(entries))
    };
    assert!(neighbour(own(1, "br0"), "10.5.0.7").0.is_ok() && forwarding(own(1, "br0")).0.is_ok());
    no(neighbour(own(1, "br0"), "10.6.0.7").0, "none of the network's pools");
    for link in [parent(9, "eth0"), own(9, "eth0")] {
        no(neighbour(link.clone(), "10.5.0.7").0, "the driver's");
        no(forwarding(link).0, "the driver's");
    }
    no(neighbour(parent(9, "eth0"), "10.5.0.7").1, "not the driver's own");
    no(forwarding(parent(9, "eth0")).1, "not the driver's own");
}

#[test]
fn a_policy_rule_is_tied_to_the_network() {
    let (gate, mut view) = (whole(), Table::default());
    let rule = |source: Option<&str>, input: Option<Link>| {
        let (destination, mark) = (None, None);
        vec![WantedRule { ipv6: None, priority: 100, source: source.map(net), destination, input, mark, table: 7 }]
    };
    let add = |view: &mut Table, rules| {
        gate.add_rules(HostCall::RulesAdd, view, None, rules).map(|rules| rules.take().remove(0))
    };
    assert!(add(&mut view, rule(Some("10.5.0.0/24"), None)).is_ok());
    let local = vec![WantedRule { table: 255, ..rule(Some("10.5.0.0/24"), None).remove(0) }];
    no(add(&mut view, local), "the routing table 255 is the kernel's own");
    let none = vec![WantedRule { table: 0, ..rule(Some("10.5.0.0/24"), None).remove(0) }];
    no(add(&mut view, none), "0 is no routing table");
    // By the name that no other link gets.
    assert_eq!(add(&mut view, rule(None, Some(own(1, "old")))).unwrap().input.unwrap().as_str(), "pontoon00000001");
    no(add(&mut view, rule(Some("10.6.0.0/24"), None)), "nothing ties the rule to the network");
    no(add(&mut view, rule(None, None)), "it would catch foreign packets");
    no(add(&mut view, rule(None, Some(parent(9, "eth0")))), "eth0 is not the driver's own");
    no(add(&mut view, rule(None, Some(own(9, "eth0")))), "eth0 is gone, or is not the driver's");
    no(add(&mut view, rule(None, Some(own(21, "in0")))), "in0 is in another namespace than the rule");
    no(
        gate.add_rules(HostCall::RulesAdd, &mut view, Some(&container()), rule(Some("10.5.0.0/24"), None)),
        "the container's namespace",
    );
    no(
        gate.remove_rules(HostCall::RulesRemove, &view, Some(&container()), rule(Some("10.5.0.0/24"), None)),
        "the container's namespace",
    );
    no(
        gate.remove_rules(HostCall::RulesRemove, &view, None, rule(None, Some(parent(9, "eth0")))),
        "eth0 is not the driver's own",
    );
    let gone = |rules| gate.remove_rules(HostCall::RulesRemove, &view, None, rules).unwrap().take().0;
    let inputs = |link| gone(rule(None, Some(link))).into_iter().map(|rule| rule.input.unwrap().to_string());
    assert!(inputs(own(1, "old")).eq(["pontoon00000001", "br0"]), "one that was made before, too");
    assert!(inputs(own(3, "gone")).eq(["pontoon00000003", "gone"]));
    assert_eq!(gone(rule(Some("10.5.0.0/24"), None)).len(), 1);
    let mut low = rule(Some("10.5.0.0/24"), None);
    low[0].priority = 0;
    no(add(&mut view, low), "0 is no rule's priority");
    let mut mixed = rule(Some("10.5.0.0/24"), None);
    mixed[0].destination = Some(net("fd00::/64"));
    no(add(&mut view, mixed), "different families");
    view.holds = 10;
    no(add(&mut view, rule(Some("10.5.0.0/24"), None)), "limits: rules");
}

#[test]
fn a_policy_rule_is_for_the_family_that_is_said() {
    let (gate, mut view) = (whole(), Table::default());
    let mut add = |ipv6: Option<bool>, source: Option<&str>, input: Option<Link>| {
        let source = source.map(net);
        let rule = WantedRule { ipv6, priority: 100, source, destination: None, input, mark: None, table: 7 };
        gate.add_rules(HostCall::RulesAddOfFamily, &mut view, None, vec![rule]).map(|rules| rules.take()[0].ipv6)
    };
    let link = || Some(own(1, "br0"));
    assert!(!add(None, None, link()).unwrap(), "as it was before it could be said");
    assert!(add(Some(true), None, link()).unwrap());
    assert!(!add(Some(false), Some("10.5.0.0/24"), link()).unwrap());
    no(add(Some(true), Some("10.5.0.0/24"), None), "10.5.0.0/24 is of another family than the rule, which is for IPv6");
    no(add(Some(true), None, None), "it would catch foreign packets");
}

fn filter(conditions: Vec<WantedCondition>, verdict: NftVerdict) -> WantedNftRule {
    let nat = matches!(verdict, NftVerdict::SourceNat(..) | NftVerdict::DestinationNat(..) | NftVerdict::Masquerade);
    let hook = match verdict {
        NftVerdict::DestinationNat(..) => NftHook::Prerouting,
        NftVerdict::SourceNat(..) | NftVerdict::Masquerade => NftHook::Postrouting,
        _ => NftHook::Forward,
    };
    WantedNftRule { chain: NftChain { nat, hook, priority: 0 }, conditions, statements: Vec::new(), verdict }
}

fn is(property: NftProperty) -> WantedCondition {
    WantedCondition { property: WantedProperty::Other(property), negated: false }
}

fn by(link: Link) -> WantedCondition {
    WantedCondition { property: WantedProperty::InputLink(link), negated: false }
}

fn not(condition: WantedCondition) -> WantedCondition {
    WantedCondition { negated: true, ..condition }
}

#[test]
fn a_packet_rule_is_tied_to_the_network() {
    let (gate, mut view) = (whole(), Table::default());
    let add = |view: &mut Table, conditions: Vec<WantedCondition>| {
        gate.add_nft_rules(view, None, "t", vec![filter(conditions, NftVerdict::Drop)]).map(Granted::take)
    };
    let inside = || is(NftProperty::Source(net("10.5.0.0/25")));
    let made = add(&mut view, vec![by(own(1, "old"))]).unwrap();
    assert_eq!(made.rules[0].0.conditions[0].property, NftProperty::InputLink(1));
    assert_eq!((made.table.as_str(), made.rules[0].0.comment.as_str()), ("t", "d "));
    assert!(add(&mut view, vec![inside()]).is_ok());
    assert!(add(&mut view, vec![by(parent(9, "eth0")), inside()]).is_ok());
    let untied = "nothing ties the rule to the network";
    no(add(&mut view, vec![]), untied);
    no(add(&mut view, vec![by(parent(9, "eth0"))]), untied);
    no(add(&mut view, vec![not(by(own(1, "br0")))]), untied);
    no(add(&mut view, vec![not(inside())]), untied);
    no(add(&mut view, vec![is(NftProperty::Destination(net("10.6.0.0/24")))]), untied);
    no(add(&mut view, vec![is(NftProperty::DestinationLocal)]), untied);
    no(add(&mut view, vec![by(own(9, "eth0"))]), "eth0 is gone, or is not the driver's");
    no(add(&mut view, vec![by(own(21, "in0"))]), "in0 is in another namespace than the rule");
    view.removed = vec![9];
    no(add(&mut view, vec![by(parent(9, "eth0")), inside()]), "eth0 is gone: this call removed it");
    no(gate.add_nft_rules(&mut view, Some(&container()), "t", Vec::new()), "the container's namespace");
    view.holds = 10;
    no(gate.add_nft_rules(&mut view, None, "t", vec![filter(vec![inside()], NftVerdict::Drop)]), "limits: rules");
}

#[test]
fn a_packet_rule_is_in_a_chain_that_the_grant_names_and_that_can_do_it() {
    let (gate, mut view) = (whole(), Table::default());
    let mut add = |nat, hook, priority, verdict| {
        let conditions = vec![by(own(1, "br0"))];
        let rule =
            WantedNftRule { chain: NftChain { nat, hook, priority }, conditions, statements: Vec::new(), verdict };
        gate.add_nft_rules(&mut view, None, "t", vec![rule])
    };
    let to = || "10.5.0.9".parse().unwrap();
    assert!(add(false, NftHook::Forward, 0, NftVerdict::Accept).is_ok());
    assert!(add(true, NftHook::Postrouting, 0, NftVerdict::Masquerade).is_ok());
    assert!(add(true, NftHook::Prerouting, 0, NftVerdict::DestinationNat(to(), None)).is_ok());
    assert!(add(true, NftHook::Postrouting, 0, NftVerdict::SourceNat(to(), None)).is_ok());
    let foreign = NftVerdict::SourceNat("192.0.2.1".parse().unwrap(), None);
    no(add(true, NftHook::Postrouting, 0, foreign), "192.0.2.1 lies in none of the network's pools");
    no(add(false, NftHook::Forward, 1, NftVerdict::Accept), "lacks hooks: forward 1");
    no(add(false, NftHook::Input, 0, NftVerdict::Accept), "lacks hooks: input 0");
    no(add(true, NftHook::Prerouting, 0, NftVerdict::Drop), "can't happen in a chain of nat");
    no(add(false, NftHook::Postrouting, 0, NftVerdict::Masquerade), "can't happen in a chain of filter");
    no(add(true, NftHook::Prerouting, 0, NftVerdict::Masquerade), "can't happen in a chain of nat at Prerouting");
    no(add(true, NftHook::Prerouting, 0, NftVerdict::SourceNat(to(), None)), "can't happen");
    no(add(true, NftHook::Postrouting, 0, NftVerdict::DestinationNat(to(), None)), "can't happen");
    no(add(true, NftHook::Forward, 0, NftVerdict::Accept), "a nat chain can't be at the forward hook");
}

#[test]
fn packets_are_sent_elsewhere_only_if_they_are_the_networks_or_to_a_port_that_is_held() {
    let (gate, mut view) = (whole(), Table::default());
    let add = |view: &mut Table, conditions: Vec<WantedCondition>, to: &str| {
        let rule = filter(conditions, NftVerdict::DestinationNat(to.parse().unwrap(), Some(80)));
        gate.add_nft_rules(view, None, "t", vec![rule])
    };
    let tcp = || is(NftProperty::Protocol(6));
    let port = |last| is(NftProperty::DestinationPort(8080, last));
    let local = || is(NftProperty::DestinationLocal);
    let published = || vec![tcp(), port(8080), local()];
    assert!(add(&mut view, vec![by(own(1, "br0"))], "10.5.0.9").is_ok());
    assert!(add(&mut view, vec![is(NftProperty::Destination(net("10.5.0.1/32")))], "10.5.0.9").is_ok());
    no(add(&mut view, vec![by(own(1, "br0"))], "10.6.0.9"), "10.6.0.9 lies in none of the network's pools");
    no(add(&mut view, published(), "10.5.0.9"), "host port 8080/tcp of 0.0.0.0 is not taken by this endpoint");
    let held = |address: &str| HostPort { protocol: 6, port: 8080, more: 0, address: address.parse().unwrap() };
    view.ports = vec![held("0.0.0.0")];
    let made = add(&mut view, published(), "10.5.0.9").unwrap().take();
    assert_eq!(made.rules[0].1, Some(held("0.0.0.0")), "as long as the port is held");
    assert_eq!(add(&mut view, vec![by(own(1, "br0"))], "10.5.0.9").unwrap().rules[0].1, None);
    let to = |text: &str| is(NftProperty::Destination(net(text)));
    assert!(add(&mut view, vec![tcp(), port(8080), to("192.0.2.1/32")], "10.5.0.9").is_ok());
    let only = "only by a port";
    no(add(&mut view, vec![port(8080), local()], "10.5.0.9"), only);
    no(add(&mut view, vec![tcp(), local()], "10.5.0.9"), only);
    no(
        add(&mut view, vec![tcp(), port(8081), local()], "10.5.0.9"),
        "8080-8081/tcp of 0.0.0.0 is not taken as a whole",
    );
    no(add(&mut view, vec![tcp(), port(8080)], "10.5.0.9"), only);
    no(add(&mut view, vec![tcp(), port(8080), to("192.0.2.0/24")], "10.5.0.9"), only);
    no(add(&mut view, vec![tcp(), port(8080), not(local())], "10.5.0.9"), only);
    no(add(&mut view, vec![by(parent(9, "eth0"))], "10.5.0.9"), only);
    no(add(&mut view, vec![not(by(own(1, "br0")))], "10.5.0.9"), only);
    view.ports = vec![held("192.0.2.1")];
    assert!(add(&mut view, vec![tcp(), port(8080), to("192.0.2.1/32")], "10.5.0.9").is_ok());
    no(
        add(&mut view, vec![tcp(), port(8080), to("192.0.2.2/32")], "10.5.0.9"),
        "host port 8080/tcp of 192.0.2.2 is not taken",
    );
}

#[test]
fn what_is_invalid_is_dropped_only_at_a_port_that_is_held() {
    let (gate, mut view) = (whole(), Table::default());
    let add = |view: &mut Table, hook, conditions: Vec<WantedCondition>, verdict| {
        let chain = NftChain { nat: false, hook, priority: 0 };
        gate.add_nft_rules(view, None, "t", vec![WantedNftRule { chain, conditions, statements: Vec::new(), verdict }])
            .map(Granted::take)
    };
    let family = || is(NftProperty::Source(net("0.0.0.0/0")));
    let local = || is(NftProperty::DestinationLocal);
    let tcp = || is(NftProperty::Protocol(6));
    let port = |last| is(NftProperty::DestinationPort(8080, last));
    let state = |bits| is(NftProperty::Connection(bits));
    let whole = || vec![family(), local(), tcp(), port(8080), state(1)];
    let (prerouting, untied) = (NftHook::Prerouting, "nothing ties the rule to the network");
    let held = |address: &str| HostPort { protocol: 6, port: 8080, more: 0, address: address.parse().unwrap() };
    for nothing in
        [vec![], vec![held("::")], vec![held("192.0.2.1")], vec![HostPort { protocol: 17, ..held("0.0.0.0") }]]
    {
        view.ports = nothing;
        no(add(&mut view, prerouting, whole(), NftVerdict::Drop), untied);
    }
    view.ports = vec![held("0.0.0.0")];
    let made = add(&mut view, prerouting, whole(), NftVerdict::Drop).unwrap();
    assert_eq!(made.rules[0].1, Some(held("0.0.0.0")), "as long as the port is held");
    let to = is(NftProperty::Destination(net("192.0.2.1/32")));
    let made = add(&mut view, prerouting, vec![to, tcp(), port(8080), state(1)], NftVerdict::Drop).unwrap();
    assert_eq!(made.rules[0].1, Some(held("192.0.2.1")));
    no(add(&mut view, prerouting, whole(), NftVerdict::Accept), untied);
    no(add(&mut view, NftHook::Forward, whole(), NftVerdict::Drop), untied);
    for left in 0..5 {
        let mut conditions = whole();
        conditions.remove(left);
        no(add(&mut view, prerouting, conditions, NftVerdict::Drop), untied);
        let mut conditions = whole();
        conditions[left].negated = true;
        no(add(&mut view, prerouting, conditions, NftVerdict::Drop), untied);
    }
    for states in [2, 3, 8, 15] {
        let conditions = vec![family(), local(), tcp(), port(8080), state(states)];
        no(add(&mut view, prerouting, conditions, NftVerdict::Drop), untied);
    }
    let more = vec![family(), local(), tcp(), port(8081), state(1)];
    no(add(&mut view, prerouting, more, NftVerdict::Drop), untied);
}

#[test]
fn a_range_is_sent_elsewhere_only_if_all_of_it_is_held() {
    let (gate, mut view) = (whole(), Table::default());
    let range = |port, more| HostPort { protocol: 17, port, more, address: "0.0.0.0".parse().unwrap() };
    view.ports = vec![range(10_000, 99), range(10_100, 0), range(10_102, 10)];
    let add = |view: &mut Table, first, last| {
        let conditions =
            [NftProperty::Protocol(17), NftProperty::DestinationPort(first, last), NftProperty::DestinationLocal];
        let verdict = NftVerdict::DestinationNat("10.5.0.9".parse().unwrap(), None);
        gate.add_nft_rules(view, None, "t", vec![filter(conditions.map(is).into(), verdict)])
    };
    for (first, last) in [(10_000, 10_099), (10_050, 10_050), (10_000, 10_100), (10_105, 10_112)] {
        assert_eq!(add(&mut view, first, last).unwrap().rules[0].1, Some(range(first, last - first)));
    }
    for (first, last) in [(9_999, 10_099), (10_000, 10_101), (10_100, 10_102), (10_105, 10_113), (1, 65_535)] {
        no(add(&mut view, first, last), "is not taken as a whole by this endpoint");
    }
    view.translated = vec![range(10_000, 100)];
    assert!(gate.check_left(&view).is_ok());
    view.ports.remove(1);
    no(gate.check_left(&view), "host port 10000-10100/udp is released, but a packet rule still sends");
}

#[test]
fn what_comes_in_for_a_loopback_address_is_sent_nowhere() {
    let (gate, mut view) = (whole(), Table::default());
    for (address, to, own) in [("127.0.0.1", "10.5.0.9", 1), ("127.8.0.1", "10.5.0.9", 1), ("192.0.2.1", "10.5.0.9", 0)]
    {
        view.ports = vec![HostPort { protocol: 6, port: 8080, more: 0, address: address.parse().unwrap() }];
        for (hook, added) in [(NftHook::Prerouting, own), (NftHook::Output, 0)] {
            let destination = NftProperty::Destination(net(&format!("{address}/32")));
            let conditions = [NftProperty::Protocol(6), NftProperty::DestinationPort(8080, 8080), destination].map(is);
            let rule = filter(conditions.into(), NftVerdict::DestinationNat(to.parse().unwrap(), Some(80)));
            let rule = WantedNftRule { chain: NftChain { hook, ..rule.chain }, ..rule };
            let made = gate.add_nft_rules(&mut view, None, "t", vec![rule]).unwrap().take();
            let conditions = &made.rules[0].0.conditions;
            assert_eq!(conditions.len(), 3 + added, "{address} at {hook:?}");
            let only_own = conditions.iter().any(|c| !c.negated && c.property == NftProperty::InputLink(1));
            assert_eq!(only_own, added == 1);
        }
    }
}

#[test]
fn a_port_is_released_with_the_rules_for_it() {
    let (gate, mut view) = (whole(), Table::default());
    let port = |address: &str| HostPort { protocol: 6, port: 8080, more: 0, address: address.parse().unwrap() };
    assert!(gate.check_left(&view).is_ok());
    view.translated = vec![port("192.0.2.1")];
    no(gate.check_left(&view), "host port 8080/tcp of 192.0.2.1 is released, but a packet rule still sends");
    view.ports = vec![port("192.0.2.2"), port("::")];
    no(gate.check_left(&view), "is released");
    for held in ["192.0.2.1", "0.0.0.0"] {
        view.ports = vec![port(held)];
        assert!(gate.check_left(&view).is_ok());
    }
    view.translated.push(port("fd00::1"));
    no(gate.check_left(&view), "host port 8080/tcp of fd00::1 is released");
    view.ports.push(port("::"));
    assert!(gate.check_left(&view).is_ok());
}

#[test]
fn settings_are_of_the_drivers_links() {
    let (gate, view) = (whole(), Table::default());
    let setting = |name: &str| {
        let word = Sysctl::try_from(format!("link.{name}")).unwrap();
        LinkSetting { word, family: "ipv6", file: "accept_ra" }
    };
    let (named, other) = (setting("ipv6-accept-ra"), setting("ipv6-forwarding"));
    assert!(gate.get_link_setting(HostCall::SysctlsGetLink, &view, &own(1, "br0"), named).is_ok());
    let set = gate.set_link_setting(HostCall::SysctlsSetLink, &view, &own(1, "old"), named, 1).unwrap();
    let sysctl = kernel::Sysctl::Link { family: "ipv6", index: 1, name: "accept_ra" };
    assert_eq!(*set, [kernel::Change::SetSysctl { namespace: kernel::Namespace::Host, sysctl, value: 1 }]);
    no(
        gate.get_link_setting(HostCall::SysctlsGetLink, &view, &own(1, "br0"), other),
        "lacks sysctls: link.ipv6-forwarding",
    );
    no(
        gate.set_link_setting(HostCall::SysctlsSetLink, &view, &own(1, "br0"), other, 1),
        "lacks sysctls: link.ipv6-forwarding",
    );
    for link in [parent(9, "eth0"), own(9, "eth0")] {
        no(gate.get_link_setting(HostCall::SysctlsGetLink, &view, &link, named), "the driver's");
        no(gate.set_link_setting(HostCall::SysctlsSetLink, &view, &link, named, 1), "the driver's");
    }
    let host = Place { namespace: kernel::Namespace::Host, kind: NamespaceKind::Host, made: None };
    assert!(gate.get_namespace_setting(&host, 0, "ipv4/ip_forward").is_ok());
    assert!(gate.set_namespace_setting(&host, 0, "ipv4/ip_forward", 1).is_ok());
    no(gate.get_namespace_setting(&host, 1, "ipv6/conf/all/forwarding"), "lacks sysctls: host.ipv6-forwarding");
    no(gate.set_namespace_setting(&host, 1, "ipv6/conf/all/forwarding", 1), "lacks sysctls: host.ipv6-forwarding");
    no(gate.set_namespace_setting(&container(), 0, "ipv4/ip_forward", 1), "lacks sysctls: container.ipv4-forwarding");
}

#[test]
fn forwarding_is_for_the_drivers_links_in_the_hosts_namespace() {
    let (gate, mut view) = (whole(), Table::default());
    let allowed = gate.allow_forwarding(&mut view, &own(1, "old"), true, true).unwrap();
    assert_eq!(
        (allowed.link.name.as_str(), allowed.switches.iter().map(|(_, changes)| changes.len()).sum::<usize>()),
        ("br0", 3)
    );
    view.forwarding = 1;
    assert!(gate.allow_forwarding(&mut view, &own(1, "br0"), true, true).unwrap().switches.is_empty());
    no(gate.allow_forwarding(&mut view, &own(21, "in0"), true, false), "in0 is not in the host's namespace");
    view.own.insert(3, "br+");
    no(gate.allow_forwarding(&mut view, &own(3, "br+"), true, false), "iptables would misread the name br+");
    view.own.insert(3, "-br");
    no(gate.allow_forwarding(&mut view, &own(3, "-br"), true, false), "iptables would misread the name -br");
    for link in [parent(9, "eth0"), own(9, "eth0")] {
        no(gate.allow_forwarding(&mut view, &link, true, false), "the driver's");
    }
    no(gate.disallow_forwarding(&parent(9, "eth0")), "not the driver's own");
    assert_eq!(gate.disallow_forwarding(&own(1, "old")).unwrap().take().0, key(1));
}

#[test]
fn what_is_remembered_is_little_and_each_owners_own() {
    let (gate, mut view) = (whole(), Table::default());
    let view = &mut view;
    let table = |name: &str| name.to_owned();
    assert!(gate.set_state(view, "k".into(), vec![0; 99]).is_ok());
    no(gate.set_state(view, "k".into(), vec![0; 100]), "limits: store-bytes");
    no(gate.set_state(view, "k".into(), vec![0; VALUE + 1]), "a value has at most 65536 bytes");
    assert!(gate.put_entry(view, table("peers"), "k".into(), vec![1]).is_ok());
    no(gate.put_entry(view, table("others"), "k".into(), vec![1]), "lacks tables: others");
    no(gate.add_entry(view, table("others"), "k".into(), vec![1]), "lacks tables: others");
    no(gate.get_entry(table("others"), "k".into()), "lacks tables: others");
    no(gate.list_entries(table("others")), "lacks tables: others");
    no(gate.remove_entry(view, table("others"), "k".into()), "lacks tables: others");
    no(gate.watch(view, table("others"), 1, true), "lacks tables: others");
    no(gate.list_entries(table("a/b")), "a table's name is");
    no(gate.watch(view, table("peers"), 1, false), "does not export table-watcher");
    view.entries = [("own", true), ("foreign", false)].into();
    assert!(gate.put_entry(view, table("peers"), "own".into(), vec![1]).is_ok());
    assert!(gate.remove_entry(view, table("peers"), "own".into()).is_ok());
    no(gate.put_entry(view, table("peers"), "foreign".into(), vec![1]), "is another owner's");
    no(gate.remove_entry(view, table("peers"), "foreign".into()), "is another owner's");
    no(gate.remove_entry(view, table("peers"), "none".into()), "has no entry");
    no(gate.add_entry(view, table("peers"), "own".into(), vec![1]), "already");
    no(gate.add_entry(view, table("peers"), "foreign".into(), vec![1]), "of another owner already");
    view.holds = 3;
    no(gate.put_entry(view, table("peers"), "k".into(), vec![1]), "limits: table-entries");
    no(gate.add_entry(view, table("peers"), "k".into(), vec![1]), "limits: table-entries");
    view.holds = 0;
    for written in [(WRITTEN_KEYS, 0), (0, WRITTEN_BYTES + 1)] {
        view.written = written;
        let most = "one call writes at most";
        no(gate.set_state(view, "k".into(), vec![0]), most);
        no(gate.remove_state(view, "k".into()), most);
        no(gate.put_entry(view, table("peers"), "k".into(), vec![0]), most);
        no(gate.add_entry(view, table("peers"), "k".into(), vec![0]), most);
        no(gate.remove_entry(view, table("peers"), "own".into()), most);
        no(gate.watch(view, table("peers"), 1, true), most);
    }
}

#[test]
fn what_a_driver_answers_for_its_endpoint_is_the_endpoints() {
    let (mut gate, mut view) = (whole(), Table::default());
    assert!(gate.endpoint_address(net("10.5.0.7/24")).is_ok());
    assert!(gate.endpoint_address(net("fd00::7/64")).is_ok(), "no pools of that family");
    no(gate.endpoint_address(net("10.6.0.7/24")), "none of the network's pools");
    assert!(gate.static_route(net("10.5.0.0/25")).is_ok());
    assert!(gate.static_route(net("fd00::/64")).is_ok());
    no(gate.static_route(net("10.6.0.0/24")), "none of the network's pools");
    no(gate.static_route(net("::/0")), "a default route is a permission of its own");
    assert_eq!(gate.source(&view, &own(2, "ve0")).unwrap().take().0, key(2));
    no(gate.source(&view, &own(1, "br0")), "br0 was not made for this endpoint");
    view.removed = vec![2];
    no(gate.source(&view, &own(2, "ve0")), "ve0 is gone: this call removed it");
    no(gate.choose_pools(&view, vec![net("10.8.0.0/24")]), "the network has pools already");
    let mut gate = gate_of(Policy::new(Grant::default(), None), None);
    gate.pools = Some(Vec::new());
    no(gate.choose_pools(&view, vec![net("10.8.0.0/24")]), "the driver's grant lacks pools: 10.8.0.0/24");
    let grant = crate::file::read("g", b"pools = ['10.0.0.0/8']").unwrap();
    let mut gate = gate_of(Policy::new(grant, None), None);
    gate.pools = Some(Vec::new());
    no(gate.choose_pools(&view, vec![net("10.7.1.0/24")]), "overlaps with 10.7.0.0/16");
    no(gate.choose_pools(&view, vec![net("0.0.0.0/0")]), "0.0.0.0/0 is not the driver's to choose");
    assert!(gate.choose_pools(&view, vec![net("10.8.0.0/24")]).is_ok());
    no(gate.choose_pools(&view, vec![net("10.9.0.0/24")]), "the network has pools already");
}
