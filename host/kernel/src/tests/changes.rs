//! Every change there and back, failures in the middle of a list, and what belongs to others.

use crate::tests::*;

/// A bridge with an address, and a pair on it whose other end is in this namespace, too.
struct Stage {
    bridge: NewLink,
    port: NewLink,
    inner: NewLink,
}

fn stage(world: &World) -> Stage {
    let (bridge, _) = world.link(bridge("br0", &["10.9.0.1/24", "fd00:9::1/64"]));
    let first = LinkEnd { master: Some(bridge.key.index), ..end(&Namespace::Host, "port") };
    let (port, inner) = world.link(veth(first, end(&Namespace::Host, "inner")));
    Stage { bridge, port, inner: inner.unwrap() }
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn route(link: &NewLink, destination: &str, gateway: Option<&str>) -> Route {
    let gateway = gateway.map(|g| g.parse().unwrap());
    Route { link: link.key.clone(), destination: net(destination), gateway, source: None, table: None, metric: None }
}

fn rule(priority: u32) -> Rule {
    Rule {
        namespace: Namespace::Host,
        ipv6: false,
        priority,
        source: Some(net("10.9.0.0/24")),
        destination: None,
        input: Some(name("br0")),
        mark: Some((0x10, 0xff)),
        table: 1000,
    }
}

#[test]
fn links_there_and_back() {
    in_both(|world| {
        let stage = stage(world);
        there_and_back(world, Change::AddLink(bridge("br1", &["10.8.0.1/24"])));
        let pair = veth(end(&Namespace::Host, "a"), end(&Namespace::Host, "b"));
        there_and_back(world, Change::AddLink(pair));
        let set = |changes: LinkChanges| there_and_back(world, Change::SetLink(stage.port.key.clone(), changes));
        set(LinkChanges { name: Some(NewName::Exact(name("other"))), ..LinkChanges::default() });
        set(LinkChanges { name: Some(NewName::Prefix(name("o"))), ..LinkChanges::default() });
        set(LinkChanges { mac: Some(MacAddress([2, 1, 1, 1, 1, 1])), ..LinkChanges::default() });
        set(LinkChanges { mtu: Some(1280), ..LinkChanges::default() });
        set(LinkChanges { up: Some(false), ..LinkChanges::default() });
        set(LinkChanges { master: Some(0), ..LinkChanges::default() });
        set(LinkChanges { hairpin: Some(true), ..LinkChanges::default() });
        set(LinkChanges { isolated: Some(true), ..LinkChanges::default() });
        set(LinkChanges { learning: Some(false), ..LinkChanges::default() });
        set(LinkChanges { up: Some(false), mtu: Some(1300), hairpin: Some(true), ..LinkChanges::default() });
    });
}

/// By a name that the next link does not get, whatever becomes of the first.
#[test]
fn a_policy_rule_ends_with_its_link() {
    in_real(|world| {
        let own = |link: &NewLink| own_name(link.key.index).unwrap();
        let rule = |link: &NewLink| Change::AddRule(Rule { input: Some(own(link)), ..rule(100) });
        let named = |link: &NewLink| [Change::AddOwnName(link.key.clone()), rule(link)];
        let holds = || !sh("ip rule").contains("[detached]");
        let (first, _) = world.link(bridge("br1", &[]));
        world.all(&named(&first));
        assert!(holds(), "{}", sh("ip rule"));
        world.one(Change::RemoveLink(first.key.clone()));
        world.link(bridge("br1", &[]));
        assert!(!holds(), "the next link of the name has the rule");
        world.all(&[Change::RemoveRule(Rule { input: Some(own(&first)), ..self::rule(100) })]);
        let (renamed, _) = world.link(bridge("br2", &[]));
        world.all(&named(&renamed));
        sh("ip link set br2 down name br3; ip link add name br2 type bridge");
        assert!(!holds(), "the next link of the name has the rule");
    });
}

#[test]
fn a_name_for_policy_rules_is_one_links() {
    in_both(|world| {
        let (link, other) = (stage(world).bridge, world.link(bridge("br1", &[])).0);
        there_and_back(world, Change::AddOwnName(link.key.clone()));
        world.one(Change::AddOwnName(link.key.clone()));
        assert_eq!(world.one(Change::AddOwnName(link.key.clone())).undo, [], "it had the name");
        assert!(
            world.fails(&[Change::AddLink(bridge(own_name(link.key.index).unwrap().as_str(), &[]))]).errno.is_some()
        );
        // A link that comes from elsewhere may have the name already.
        let taken = NewName::Exact(own_name(other.key.index).unwrap());
        let named = LinkChanges { up: Some(false), name: Some(taken), ..LinkChanges::default() };
        world.one(Change::SetLink(link.key.clone(), named));
        let error = world.fails(&[Change::AddOwnName(other.key.clone())]);
        assert!(error.message.contains("which only link"), "{error}");
        world.one(Change::RemoveOwnName(link.key.clone()));
        world.one(Change::RemoveOwnName(link.key.clone()));
        let lo = LinkKey { namespace: Namespace::Host, index: 1 };
        assert!(world.fails(&[Change::AddOwnName(lo)]).message.contains("is not this Pontoon's"));
        assert!(world.fails(&[Change::AddOwnName(LinkKey { index: 77, ..link.key })]).message.contains("is gone"));
    });
}

#[test]
fn a_link_that_goes_down_comes_back_with_its_addresses_and_routes() {
    in_both(|world| {
        let stage = stage(world);
        world.all(&[
            Change::AddRoute(route(&stage.bridge, "10.50.0.0/16", Some("10.9.0.7"))),
            Change::AddRoute(route(&stage.bridge, "fd00:50::/64", Some("fd00:9::7"))),
        ]);
        let down = LinkChanges { up: Some(false), ..LinkChanges::default() };
        there_and_back(world, Change::SetLink(stage.bridge.key, down));
    });
}

#[test]
fn prefix_names_get_the_lowest_number() {
    in_both(|world| {
        let new = |prefix: &str| LinkEnd { name: NewName::Prefix(name(prefix)), ..end(&Namespace::Host, "x") };
        let (a, b) = world.link(veth(new("eth"), new("eth")));
        assert_eq!((a.name.as_str(), b.unwrap().name.as_str()), ("eth1", "eth0"));
        let (c, _) = world.link(LinkSpec { end: new("br-"), kind: LinkKind::Bridge });
        assert_eq!(c.name.as_str(), "br-0");
        assert!(world.kernel.link(&c.key).unwrap().unwrap().up);
    });
}

#[test]
fn addresses_routes_and_rules_there_and_back() {
    in_both(|world| {
        let stage = stage(world);
        let Stage { bridge, inner, .. } = &stage;
        let (v4, v6) = (net("10.7.0.1/24"), net("fd00:7::1/64"));
        for address in [v4, v6] {
            there_and_back(world, Change::AddAddress(inner.key.clone(), address));
            world.one(Change::AddAddress(inner.key.clone(), address));
            there_and_back(world, Change::RemoveAddress(inner.key.clone(), address));
            assert!(world.kernel.addresses(&inner.key).unwrap().contains(&address));
        }
        assert!(world.kernel.all_addresses(&Namespace::Host).unwrap().contains(&(inner.key.index, v4)));
        let routes = [
            route(bridge, "10.50.0.0/16", Some("10.9.0.7")),
            route(bridge, "10.51.0.0/16", None),
            route(bridge, "10.52.0.0/16", Some("fd00:9::7")),
            route(bridge, "fd00:50::/64", Some("fd00:9::7")),
            route(bridge, "fd00:51::/64", None),
            Route { table: Some(1000), metric: Some(7), ..route(bridge, "0.0.0.0/0", Some("10.9.0.7")) },
            Route { source: Some("10.9.0.1".parse().unwrap()), ..route(bridge, "10.53.0.0/16", None) },
            Route { table: Some(100), metric: Some(9), ..route(bridge, "::/0", Some("fd00:9::7")) },
        ];
        for route in &routes {
            there_and_back(world, Change::AddRoute(route.clone()));
            world.one(Change::AddRoute(route.clone()));
            there_and_back(world, Change::RemoveRoute(route.clone()));
        }
        let found = world.kernel.routes(&bridge.key).unwrap();
        assert!(routes.iter().all(|r| found.contains(r)), "{found:#?}");
        assert_eq!(found.len(), routes.len());
        let rules = [rule(100), Rule { ipv6: true, source: Some(net("fd00:9::/64")), mark: None, ..rule(101) }];
        for rule in &rules {
            there_and_back(world, Change::AddRule(rule.clone()));
            world.one(Change::AddRule(rule.clone()));
            there_and_back(world, Change::RemoveRule(rule.clone()));
        }
        assert_eq!(world.kernel.rules(&Namespace::Host).unwrap(), rules);
    });
}

#[test]
fn what_the_host_reaches_and_its_way_out() {
    in_both(|world| {
        let Stage { bridge, .. } = &stage(world);
        let ways = || (world.kernel.mtu_of_way_out().unwrap(), world.kernel.mtu_of_others().unwrap());
        assert_eq!(ways(), (None, None), "no way out, and what there is is this instance's");
        assert_eq!(world.other(INSTANCE + 1).mtu_of_others().unwrap(), Some(1500));
        let nets = ["10.50.0.0/16", "10.51.0.0/16", "fd00:50::/64"];
        let gateways = [Some("10.9.0.7"), None, Some("fd00:9::7")];
        for (net, gateway) in nets.into_iter().zip(gateways) {
            world.one(Change::AddRoute(route(bridge, net, gateway)));
        }
        assert_eq!(ways().0, None, "none of these is a way out");
        world.one(Change::AddRoute(route(bridge, "0.0.0.0/0", Some("10.9.0.7"))));
        assert_eq!(ways().0, Some(1500));
        let changes = LinkChanges { mtu: Some(1400), ..LinkChanges::default() };
        world.one(Change::SetLink(bridge.key.clone(), changes));
        assert_eq!(ways().0, Some(1400));
        let links = |subnet: &str| world.kernel.links_into(&net(subnet)).unwrap().into_iter().collect::<Vec<_>>();
        let by_bridge = [Some(bridge.key.index)];
        for wanted in nets.into_iter().chain(["10.9.0.0/24", "fd00:9::/64", "10.50.7.0/24", "10.48.0.0/12"]) {
            assert_eq!(links(wanted), by_bridge, "{wanted}");
        }
        assert_eq!(links("10.52.0.0/16"), [], "the default route does not count");
        // What comes and goes.
        for (net, gateway) in [("10.60.0.0/16", None), ("fd00:60::/64", Some("fd00:9::7"))] {
            world.one(Change::AddRoute(route(bridge, net, gateway)));
            assert_eq!(links(net), by_bridge);
            world.one(Change::RemoveRoute(route(bridge, net, gateway)));
            assert_eq!(links(net), []);
        }
        let add = |address| world.one(Change::AddAddress(bridge.key.clone(), net(address)));
        let remove = |address| world.one(Change::RemoveAddress(bridge.key.clone(), net(address)));
        add("10.61.0.1/24");
        assert_eq!(links("10.61.0.0/24"), by_bridge);
        remove("10.61.0.1/24");
        assert_eq!(links("10.61.0.0/24"), []);
        // More than the subscription holds.
        for _ in 0..1_000 {
            add("10.62.0.1/24");
            remove("10.62.0.1/24");
        }
        add("10.63.0.1/24");
        assert_eq!((links("10.62.0.0/24"), links("10.63.0.0/24")), (vec![], by_bridge.to_vec()));
    });
}

#[test]
fn the_other_addresses_of_a_subnet_come_back_with_the_first() {
    in_both(|world| {
        let inner = stage(world).inner;
        for address in ["10.7.0.1/24", "10.7.0.2/24", "10.7.0.3/24"] {
            world.one(Change::AddAddress(inner.key.clone(), net(address)));
        }
        there_and_back(world, Change::RemoveAddress(inner.key.clone(), net("10.7.0.1/24")));
    });
}

/// What an undo takes away beside what it is to, too.
#[test]
fn what_goes_with_an_address_or_a_change_of_its_link_comes_back() {
    in_both(|world| {
        let inner = stage(world).inner;
        let key = || inner.key.clone();
        let add = |address: &str| Change::AddAddress(key(), net(address));
        world.all(&[
            Change::SetLink(key(), LinkChanges { up: Some(true), ..LinkChanges::default() }),
            add("fd00:7::1/64"),
        ]);
        let mac = MacAddress([2, 0, 0, 0, 9, 1]);
        let known = |address: &str| {
            let address = address.parse().unwrap();
            let neighbour = Neighbour { link: key(), address, mac };
            [Change::AddNeighbour(neighbour), Change::AddProxy(Proxy { link: key(), address })]
        };
        world.all(&known("fd00:7::9"));
        let answered = Proxy { link: key(), address: "169.254.1.1".parse().unwrap() };
        world.one(Change::AddProxy(answered));
        there_and_back(world, add("10.7.0.1/24"));
        world.one(add("10.7.0.1/24"));
        world.all(&known("10.7.0.9"));
        world.one(Change::AddRoute(route(&inner, "10.50.0.0/16", Some("10.7.0.9"))));
        there_and_back(world, add("10.8.0.1/24"));
        there_and_back(world, Change::RemoveAddress(key(), net("10.7.0.1/24")));
        let set = |changes: LinkChanges| there_and_back(world, Change::SetLink(key(), changes));
        set(LinkChanges { up: Some(false), ..LinkChanges::default() });
        set(LinkChanges { mac: Some(MacAddress([2, 1, 1, 1, 1, 1])), ..LinkChanges::default() });
        set(LinkChanges { mtu: Some(1200), ..LinkChanges::default() });
    });
}

#[test]
fn neighbours_and_forwardings_there_and_back() {
    in_both(|world| {
        let Stage { bridge, port, .. } = stage(world);
        let mac = |last| MacAddress([2, 0, 0, 0, 9, last]);
        for address in ["10.9.0.9", "fd00:9::9"] {
            let neighbour =
                |last| Neighbour { link: bridge.key.clone(), address: address.parse().unwrap(), mac: mac(last) };
            there_and_back(world, Change::AddNeighbour(neighbour(1)));
            world.one(Change::AddNeighbour(neighbour(1)));
            there_and_back(world, Change::AddNeighbour(neighbour(2)));
            there_and_back(world, Change::RemoveNeighbour(neighbour(1)));
            assert!(world.kernel.neighbours(&bridge.key).unwrap().contains(&neighbour(1)));
        }
        let entry = Forwarding { link: port.key.clone(), mac: mac(3), remote: None };
        there_and_back(world, Change::AddForwarding(entry.clone()));
        world.one(Change::AddForwarding(entry.clone()));
        there_and_back(world, Change::RemoveForwarding(entry.clone()));
        assert_eq!(world.kernel.forwardings(&port.key).unwrap(), [entry]);
    });
}

/// By two links, on a condition, and to nowhere.
#[test]
fn paths_there_and_back() {
    in_both(|world| {
        let Stage { bridge, inner, .. } = stage(world);
        world.one(Change::AddAddress(inner.key.clone(), net("10.7.0.1/24")));
        world.one(Change::AddAddress(inner.key.clone(), net("fd00:7::1/64")));
        let hop = |link: &NewLink, gateway: &str, weight| Hop {
            link: link.key.index,
            gateway: Some(gateway.parse().unwrap()),
            on_link: false,
            weight,
        };
        let path = |destination: &str, way| RoutePath {
            namespace: Namespace::Host,
            destination: net(destination),
            way,
            source: None,
            table: None,
            metric: None,
            mtu: None,
        };
        let both = |four: [&str; 2]| Way::Hops(vec![hop(&bridge, four[0], 1), hop(&inner, four[1], 3)]);
        let far = |gateway: &str| Way::Hops(vec![Hop { on_link: true, ..hop(&bridge, gateway, 1) }]);
        let paths = [
            path("10.50.0.0/16", both(["10.9.0.7", "10.7.0.7"])),
            path("fd00:50::/64", both(["fd00:9::7", "fd00:7::7"])),
            path("10.51.0.0/16", far("169.254.1.1")),
            path("fd00:51::/64", far("fd00:99::1")),
            path("10.52.0.0/16", Way::Blackhole),
            path("fd00:52::/64", Way::Unreachable),
            path("10.53.0.0/16", Way::Prohibit),
            RoutePath { table: Some(1000), metric: Some(7), ..path("fd00:53::/64", Way::Blackhole) },
            RoutePath { mtu: Some(1400), ..path("10.54.0.0/16", Way::Hops(vec![hop(&bridge, "10.9.0.7", 1)])) },
        ];
        for path in &paths {
            there_and_back(world, Change::AddPath(path.clone()));
            world.one(Change::AddPath(path.clone()));
            assert!(world.kernel.paths(&Namespace::Host).unwrap().contains(path), "{path:?}");
            assert!(world.fails(&[Change::AddPath(path.clone())]).errno.is_some(), "{path:?} is there");
            there_and_back(world, Change::RemovePath(path.clone()));
        }
        let again = world.kernel.routes_again(&bridge.key).unwrap();
        assert_eq!(again.len(), 5, "{again:?}");
        assert!(world.kernel.routers().unwrap().contains(&"10.7.0.7".parse().unwrap()));
        for path in &paths {
            world.one(Change::RemovePath(path.clone()));
            world.one(Change::RemovePath(path.clone()));
        }
        assert_eq!(world.kernel.paths(&Namespace::Host).unwrap(), []);
        let loud = path("10.55.0.0/16", Way::Hops(vec![hop(&bridge, "10.9.0.7", 257), hop(&inner, "10.7.0.7", 1)]));
        assert!(world.fails(&[Change::AddPath(loud)]).message.contains("1 to 256, not 257"));
    });
}

#[test]
fn addresses_that_the_host_answers_for_there_and_back() {
    in_both(|world| {
        let bridge = stage(world).bridge;
        for address in ["10.9.0.9", "169.254.1.1", "fd00:9::9"] {
            let proxy = Proxy { link: bridge.key.clone(), address: address.parse().unwrap() };
            there_and_back(world, Change::AddProxy(proxy.clone()));
            world.one(Change::AddProxy(proxy.clone()));
            assert_eq!(world.fails(&[Change::AddProxy(proxy.clone())]).errno, Some(17), "there is one");
            assert_eq!(world.kernel.proxies(&bridge.key).unwrap(), std::slice::from_ref(&proxy));
            there_and_back(world, Change::RemoveProxy(proxy.clone()));
            world.one(Change::RemoveProxy(proxy.clone()));
            world.one(Change::RemoveProxy(proxy));
        }
        for family in ["ipv4", "ipv6"] {
            let sysctl = Sysctl::Link { family, index: bridge.key.index, name: PROXY_DELAY };
            assert_eq!(world.kernel.sysctl(&Namespace::Host, &sysctl).unwrap(), 80);
            there_and_back(world, Change::SetSysctl { namespace: Namespace::Host, sysctl, value: 0 });
        }
    });
}

#[test]
fn forwardings_of_a_tunnel_there_and_back() {
    in_both(|world| {
        let (tunnel, _) = world.link(LinkSpec { end: end(&Namespace::Host, "vx0"), kind: super::links::vxlan(77) });
        let entry = |remote: &str| Forwarding {
            link: tunnel.key.clone(),
            mac: MacAddress([2, 0, 0, 0, 9, 1]),
            remote: Some(remote.parse().unwrap()),
        };
        there_and_back(world, Change::AddForwarding(entry("192.0.2.7")));
        world.one(Change::AddForwarding(entry("192.0.2.7")));
        there_and_back(world, Change::AddForwarding(entry("192.0.2.8")));
        there_and_back(world, Change::RemoveForwarding(entry("192.0.2.7")));
        assert_eq!(world.kernel.forwardings(&tunnel.key).unwrap(), [entry("192.0.2.7")]);
    });
}

#[test]
fn settings_there_and_back() {
    in_both(|world| {
        let Stage { bridge, .. } = stage(world);
        let set =
            |sysctl: &Sysctl, value| Change::SetSysctl { namespace: Namespace::Host, sysctl: sysctl.clone(), value };
        let forward = Sysctl::Namespace("ipv4/ip_forward");
        assert_eq!(world.kernel.sysctl(&Namespace::Host, &forward), Ok(0));
        there_and_back(world, set(&forward, 1));
        let proxy = Sysctl::Link { family: "ipv4", index: bridge.key.index, name: "proxy_arp" };
        there_and_back(world, set(&proxy, 1));
        let sandbox = Sandbox::new(world);
        let there = Change::SetSysctl { namespace: sandbox.namespace(), sysctl: forward.clone(), value: 1 };
        world.one(there);
        assert_eq!(world.kernel.sysctl(&sandbox.namespace(), &forward), Ok(1));
        assert_eq!(world.kernel.sysctl(&Namespace::Host, &forward), Ok(0));
        // By the name that the link has by now, and by no other's.
        let applied = world.one(set(&proxy, 1));
        let named = |name: &str| LinkChanges {
            up: Some(false),
            name: Some(NewName::Exact(self::name(name))),
            ..LinkChanges::default()
        };
        world.one(Change::SetLink(bridge.key.clone(), named("other")));
        let (next, _) = world.link(self::bridge("br0", &[]));
        assert_eq!(world.kernel.undo(&[applied]), []);
        let of_next = Sysctl::Link { family: "ipv4", index: next.key.index, name: "proxy_arp" };
        let value = |sysctl| world.kernel.sysctl(&Namespace::Host, sysctl);
        assert_eq!((value(&proxy), value(&of_next)), (Ok(0), Ok(0)));
        let lo = Sysctl::Link { family: "ipv4", index: 1, name: "proxy_arp" };
        assert_eq!(value(&lo), Ok(0));
        assert!(world.fails(&[set(&lo, 1)]).message.contains("is not this Pontoon's"));
        let none = Sysctl::Link { family: "ipv4", index: 77, name: "proxy_arp" };
        assert!(world.kernel.sysctl(&Namespace::Host, &none).unwrap_err().message.contains("no such link"));
    });
}

#[test]
fn a_failure_in_the_middle_leaves_everything_as_it_was() {
    in_both(|world| {
        let Stage { bridge, port, inner } = stage(world);
        let sandbox = Sandbox::new(world);
        let (before, before_there) = (world.dump(), sandbox.dump());
        let (key, address) = (inner.key.clone(), net("10.7.0.1/24"));
        let down = LinkChanges { up: Some(false), mtu: Some(1400), ..LinkChanges::default() };
        let peer = LinkEnd { addresses: vec![address], ..end(&sandbox.namespace(), "eth0") };
        let good = vec![
            Change::AddAddress(key.clone(), address),
            Change::AddRoute(route(&bridge, "10.50.0.0/16", Some("10.9.0.7"))),
            Change::AddRule(rule(100)),
            Change::SetLink(port.key.clone(), down),
            Change::AddLink(veth(end(&Namespace::Host, "ve1"), peer)),
            Change::SetSysctl { namespace: Namespace::Host, sysctl: Sysctl::Namespace("ipv4/ip_forward"), value: 1 },
            Change::RemoveAddress(bridge.key.clone(), net("fd00:9::1/64")),
            Change::AddForwarding(Forwarding { link: port.key.clone(), mac: MacAddress([2; 6]), remote: None }),
        ];
        let bad = [
            Change::AddAddress(bridge.key.clone(), net("10.9.0.1/24")),
            Change::AddLink(self::bridge("br0", &[])),
            Change::AddRoute(route(&bridge, "10.60.0.0/16", Some("192.0.2.1"))),
            Change::SetLink(LinkKey { index: 1, namespace: Namespace::Host }, LinkChanges::default()),
            Change::AddNeighbour(Neighbour {
                link: LinkKey { index: 4711, namespace: Namespace::Host },
                address: "10.9.0.9".parse().unwrap(),
                mac: MacAddress([2; 6]),
            }),
        ];
        for bad in &bad {
            for position in [0, good.len()] {
                let mut list = good.clone();
                list.insert(position, bad.clone());
                let error = world.fails(&list);
                assert!(error.message.starts_with(&bad.to_string()), "{error}");
                world.same(&before, &format!("{bad} at {position}"));
                assert_eq!(before_there, sandbox.dump());
            }
        }
    });
}

#[test]
fn each_change_is_attempted_by_itself() {
    in_both(|world| {
        let Stage { bridge, inner, .. } = stage(world);
        let foreign = LinkKey { index: 1, namespace: Namespace::Host };
        let errors = world.kernel.attempt(&[
            Change::RemoveLink(foreign),
            Change::RemoveLink(inner.key.clone()),
            Change::RemoveAddress(bridge.key.clone(), net("10.99.0.1/24")),
            Change::RemoveLink(inner.key),
            Change::RemoveRoute(route(&bridge, "10.98.0.0/16", None)),
            Change::RemoveRule(rule(77)),
            Change::RemoveLink(bridge.key),
        ]);
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].message.contains("is not this Pontoon's"), "{errors:?}");
        assert_eq!(world.kernel.links(&Namespace::Host).unwrap().len(), 1);
    });
}

#[test]
fn two_instances_leave_each_other_alone() {
    in_both(|world| {
        let other = world.other(INSTANCE + 1);
        let (link, _) = world.link(bridge("br0", &["10.9.0.1/24"]));
        let theirs = route(&link, "10.50.0.0/16", Some("10.9.0.7"));
        world.all(&[Change::AddRoute(theirs.clone()), Change::AddRule(rule(100))]);
        let before = world.dump();
        assert_eq!(other.link(&link.key).unwrap().unwrap().mark, Mark::Foreign);
        assert_eq!(other.routes(&link.key), Ok(Vec::new()));
        assert_eq!(other.rules(&Namespace::Host), Ok(Vec::new()));
        for change in [
            Change::RemoveLink(link.key.clone()),
            Change::SetLink(link.key.clone(), LinkChanges { mtu: Some(1280), ..LinkChanges::default() }),
        ] {
            let error = other.apply(&[change]).unwrap_err();
            assert!(error.message.contains("is not this Pontoon's"), "{error}");
            assert_eq!(error.errno, Some(1));
        }
        assert!(other.condemn(std::slice::from_ref(&link.key)).is_err());
        assert_eq!(other.attempt(&[Change::RemoveRoute(theirs), Change::RemoveRule(rule(100))]), []);
        assert_eq!(other.reap(&Namespace::Host), Ok(0));
        world.same(&before, "the other instance");
    });
}
