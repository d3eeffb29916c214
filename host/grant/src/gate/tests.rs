//! Every object against words that allow it and words that don't; then each host call against a host in a table.

mod calls;
mod chains;
mod devices;
mod frames;
mod limits;
mod look;
mod maps;
mod options;
mod paths;
mod sets;
mod shaping;
mod wireguard;

use super::*;
use crate::{Needed, Permission};

fn about() -> About {
    About { driver: Name::new("d").unwrap(), function: "join".into(), network: None, endpoint: None }
}

fn gate_of(policy: Policy, pools: Option<&str>) -> Gate {
    Gate::new(about(), Arc::new(policy), pools.map(|pool| vec![pool.parse().unwrap()]))
}

fn gate(text: &str) -> Gate {
    let grant = crate::file::read("g", text.as_bytes()).unwrap();
    gate_of(Policy::new(grant, None), Some("10.5.0.0/24"))
}

fn permissions() -> String {
    let calls = HostCall::ALL.into_iter().filter_map(Permission::of);
    let words: std::collections::BTreeSet<_> = calls.map(|permission| format!("'{permission}'")).collect();
    format!("permissions = [{}]\n", words.into_iter().collect::<Vec<_>>().join(","))
}

#[test]
fn an_empty_grant_allows_only_what_every_driver_has() {
    let gate = gate("");
    for call in HostCall::ALL {
        assert_eq!(gate.permit(call, Object::Own).is_ok(), Permission::of(call).is_none(), "{}", call.name());
    }
    let audit = gate.policy.audit.tell();
    assert_eq!(audit.calls.len(), HostCall::ALL.len(), "every decision is in the audit");
    assert!(audit.calls.iter().all(|call| call.allowed + call.refused == 1));
    let refused = HostCall::ALL.into_iter().filter(|call| Permission::of(*call).is_some()).count();
    assert_eq!(audit.refused.len(), refused);
    assert!(audit.refused[0].why.contains("the driver's grant lacks"), "{:?}", audit.refused[0]);
}

#[test]
fn a_call_for_no_network_gets_nothing_of_a_grant() {
    let grant = crate::file::read("g", permissions().as_bytes()).unwrap();
    let gate = gate_of(Policy::new(grant, None), None);
    for call in HostCall::ALL {
        assert_eq!(gate.permit(call, Object::Own).is_ok(), Permission::of(call).is_none(), "{}", call.name());
    }
}

#[test]
fn a_call_for_address_management_gets_the_store_alone() {
    let words = permissions() + "pools = ['10.8.0.0/16']";
    let gate = gate(&words).for_addresses();
    for call in HostCall::ALL {
        let may = matches!(Permission::of(call), None | Some(Permission::Store));
        assert_eq!(gate.permit(call, Object::Own).is_ok(), may, "{}", call.name());
    }
    assert_eq!(gate.give_pool(net("10.8.3.0/24")).unwrap().take(), net("10.8.3.0/24"));
    for other in ["10.9.0.0/24", "10.8.0.0/15", "0.0.0.0/0", "fd00::/64"] {
        let said = gate.give_pool(net(other)).unwrap_err();
        assert_eq!(said.kind, Kind::Forbidden);
        assert_eq!(
            said.message,
            format!("{other} is not the driver's to choose; the driver's grant lacks pools: {other}")
        );
    }
    assert_eq!(
        gate.policy.audit.tell().refused.iter().filter(|refused| refused.why.contains("lacks pools")).count(),
        4
    );
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

/// Every object, the words that allow it, and words beside it that don't.
fn objects() -> Vec<(Object<'static>, &'static str, &'static str)> {
    const INSIDE: &[Tie] = &[Tie::Range(IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(10, 5, 0, 3), 32)))];
    let sysctl = |text: &str| Object::Sysctl(Sysctl::try_from(text.to_owned()).unwrap());
    vec![
        (Object::Namespace(NamespaceKind::Host), "namespaces = ['host']", "namespaces = ['container']"),
        (Object::Namespace(NamespaceKind::Container), "namespaces = ['container']", "namespaces = ['host']"),
        (Object::Address(net("10.5.0.7/24")), "addresses = ['network']", "addresses = ['10.6.0.0/16']"),
        (Object::Address(net("10.6.0.7/16")), "addresses = ['10.6.0.0/16']", "addresses = ['network', '10.6.0.0/17']"),
        (Object::Address(net("10.5.0.1/8")), "addresses = ['10.0.0.0/8']", "addresses = ['network']"),
        (Object::Address(net("fd00:78::1/16")), "addresses = ['fd00::/16']", "addresses = ['fd00:78::/32']"),
        (Object::Target("10.5.0.7".parse().unwrap()), "addresses = ['network']", "routes = ['network']"),
        (Object::Target("192.0.2.1".parse().unwrap()), "addresses = ['192.0.2.1/32']", "addresses = ['network']"),
        (Object::Endpoint(net("10.6.0.7/8")), "addresses = ['10.0.0.0/8']", "addresses = ['network', '10.6.0.7/32']"),
        (Object::Endpoint(net("10.5.0.7/23")), "addresses = ['10.5.0.0/23']", "addresses = ['network']"),
        (Object::Pool(net("10.64.0.0/12")), "pools = ['10.64.0.0/12']", "pools = ['10.64.0.0/13']"),
        (Object::Destination(net("10.5.0.0/25")), "routes = ['network']", "routes = ['default']"),
        (Object::Destination(net("10.0.0.0/8")), "routes = ['10.0.0.0/8']", "routes = ['network', 'default']"),
        (Object::Destination(net("0.0.0.0/0")), "routes = ['default']", "routes = ['network', '0.0.0.0/1']"),
        (Object::Destination(net("::/0")), "routes = ['default']", "routes = ['::/1']"),
        (Object::NextHop("192.0.2.7".parse().unwrap()), "routes = ['192.0.2.0/24']", "routes = ['network', 'default']"),
        (Object::StaticRoute(net("10.6.0.0/24")), "routes = ['10.6.0.0/24']", "routes = ['network']"),
        (Object::StaticRoute(net("::/0")), "routes = ['default']", "routes = ['network']"),
        (Object::Rule(INSIDE), "addresses = ['network']", "addresses = ['10.6.0.0/16']"),
        (Object::Chain(Hook::Forward, 0), "hooks = { forward = [0] }", "hooks = { forward = [1], input = [0] }"),
        (Object::MarkBits(MarkBits(0xf00)), "mark-bits = '0x00000f00'", "mark-bits = '0x000007ff'"),
        (Object::Parent(Some("eth0")), "parents = ['eth0']", "parents = ['eth']"),
        (Object::Parent(None), "parents = ['*']", "parents = ['eth0']"),
        (sysctl("host.ipv4-forwarding"), "sysctls = ['host.ipv4-forwarding']", "sysctls = ['link.ipv4-forwarding']"),
        (sysctl("link.ipv4-rp-filter"), "sysctls = ['link.ipv4-rp-filter']", "sysctls = ['link.ipv4-arp-ignore']"),
        (Object::Table("peers"), "tables = ['peers']", "tables = ['peer']"),
        (Object::Amount(Limit::Links, 5), "limits = { links = 5 }", "limits = { links = 4 }"),
    ]
}

#[test]
fn an_object_is_allowed_where_the_grant_names_it() {
    let call = HostCall::NftablesAdd;
    for (object, named, beside) in objects() {
        assert!(gate(&(permissions() + named)).permit(call, object).is_ok(), "{object:?} with {named}");
        let refusal = gate(&(permissions() + beside)).permit(call, object).unwrap_err();
        assert!(refusal.message.starts_with("nftables.add: "), "{refusal}");
        assert!(gate(named).permit(call, object).unwrap_err().message.contains("lacks packet-filter"));
    }
}

#[test]
fn recording_finds_the_smallest_grant() {
    for (object, named, _) in objects() {
        if matches!(object, Object::Amount(..) | Object::Share(..)) {
            continue;
        }
        let needed = Needed::default();
        let gate = gate_of(Policy::new(Grant::default(), Some(needed.clone())), Some("10.5.0.0/24"));
        gate.permit(HostCall::StoreSet, object).unwrap();
        let needed = needed.lock().unwrap().clone();
        let expected = format!("permissions = ['store']\n{named}");
        let expected = crate::file::read("g", expected.as_bytes()).unwrap();
        let is_wider = matches!(object, Object::Address(_) | Object::NextHop(_));
        let is_as_small = needed.lacks(&expected).is_empty() || is_wider;
        assert!(is_as_small && expected.lacks(&needed).is_empty(), "{object:?}: {needed:?}");
    }
}

#[test]
fn what_the_call_has_anyway_needs_no_word() {
    let gate = gate("");
    let call = HostCall::CapabilitiesJoinInfoAddStaticRoute;
    assert!(gate.permit(call, Object::Endpoint(net("10.5.0.7/24"))).is_ok());
    assert!(gate.permit(call, Object::StaticRoute(net("10.5.0.0/25"))).is_ok());
    assert!(gate.permit(call, Object::StaticRoute(net("169.254.1.1/32"))).is_ok());
    assert!(gate.permit(call, Object::Namespace(NamespaceKind::Own)).is_ok());
    assert!(gate.permit(call, Object::Rule(&[Tie::Link])).is_ok());
    assert!(gate.permit(call, Object::Rule(&[])).is_err());
}

#[test]
fn a_refusal_says_what_to_write() {
    let gate = gate("permissions = ['links']");
    let said = gate.permit(HostCall::LinksAdd, Object::Address(net("10.5.0.1/24"))).unwrap_err();
    assert_eq!(said.kind, Kind::Forbidden);
    assert_eq!(
        said.message,
        "links.add: 10.5.0.1/24 is an address of the network; the driver's grant lacks addresses: network"
    );
    assert_eq!(Permission::of(HostCall::PortsTake), Some(Permission::HostPorts));
    let said = gate.permit(HostCall::PortsTake, Object::Own).unwrap_err();
    assert_eq!(said.message, "ports.take: the driver's grant lacks host-ports (permissions)");
    let said = gate.permit(HostCall::LinksAdd, Object::Amount(Limit::Links, 5_000)).unwrap_err();
    assert_eq!(said.kind, Kind::Unavailable);
}
