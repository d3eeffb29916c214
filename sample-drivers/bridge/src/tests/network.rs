//! Networks.

use pontoon_sdk::ErrorKind::{AlreadyExists, Forbidden, InvalidArgument, NotImplemented};
use pontoon_sdk::sysctls::LinkSysctl;
use pontoon_sdk::{Driver, GatewayAllocationChecker, NetworkOptions, Registration, SkipGateway, TextMap, fake};

use super::{BRIDGE, Bridge, ID, Network, network, other_network, refused};

const OPTION: &str = "com.docker.network.bridge.";

#[test]
fn registers_as_bridge() {
    assert_eq!(Bridge::register(), Registration::new("bridge"));
}

#[test]
fn makes_a_bridge() {
    network().option("com.docker.network.driver.mtu", "1400").create().unwrap();
    let bridge = fake::link(BRIDGE).unwrap();
    assert_eq!((bridge.kind.as_str(), bridge.mtu, bridge.up), ("bridge", 1400, true));
    assert_eq!(fake::addresses(BRIDGE), ["10.5.0.1/24".parse().unwrap(), "fd05::1/64".parse().unwrap()]);
    assert_eq!(fake::sysctl(BRIDGE, LinkSysctl::Ipv6AcceptRa), Some(0));
    assert_eq!(fake::sysctl(BRIDGE, LinkSysctl::Ipv6AcceptDad), Some(0));
    assert_eq!(fake::sysctl(BRIDGE, LinkSysctl::Ipv4RouteLocalnet), Some(1));
    assert_eq!(fake::forwards(BRIDGE), (true, true));
}

#[test]
fn filters_and_masquerades() {
    network().create().unwrap();
    let rules = [
        "filter prerouting -300: iif br-0123456789ab ip daddr 127.0.0.0/8 drop",
        "filter forward 0: iif br-0123456789ab oif != br-0123456789ab ct state invalid drop",
        "filter forward 0: oif br-0123456789ab ct state established,related accept",
        "filter forward 0: oif br-0123456789ab ct status dnat accept",
        "filter forward 0: oif br-0123456789ab iif != br-0123456789ab drop",
        "nat postrouting 100: ip saddr 10.5.0.0/24 oif != br-0123456789ab masquerade",
        "nat postrouting 100: ip saddr 10.5.0.0/24 ct status dnat masquerade",
        "nat postrouting 100: ip6 saddr fd05::/64 oif != br-0123456789ab masquerade",
        "nat postrouting 100: ip6 saddr fd05::/64 ct status dnat masquerade",
        "nat postrouting 100: ip saddr 127.0.0.0/8 oif br-0123456789ab masquerade",
        "filter output 0: ip6 saddr ::1/128 ip6 daddr fd05::/64 ct status dnat drop",
    ];
    let mut seen = fake::rules();
    seen.sort_by_key(|rule| rules.iter().position(|expected| expected == rule));
    assert_eq!(seen, rules);
}

#[test]
fn an_internal_network_has_no_way_out() {
    network().internal().create().unwrap();
    let rules = [
        "filter forward 0: iif br-0123456789ab oif != br-0123456789ab drop",
        "filter forward 0: oif br-0123456789ab iif != br-0123456789ab drop",
    ];
    assert_eq!(fake::rules(), rules);
    assert_eq!(fake::forwards(BRIDGE), (false, false));
}

#[test]
fn does_not_masquerade_if_told_so() {
    network().option(&format!("{OPTION}enable_ip_masquerade"), "false").create().unwrap();
    assert!(!fake::rules().iter().any(|rule| rule.contains("oif != br-0123456789ab masquerade")));
}

#[test]
fn containers_do_not_talk_through_the_gateway_if_told_so() {
    network().option(&format!("{OPTION}enable_icc"), "0").create().unwrap();
    let last = fake::rules().into_iter().rfind(|rule| rule.starts_with("filter forward"));
    assert_eq!(last.unwrap(), "filter forward 0: iif br-0123456789ab oif br-0123456789ab drop");
}

#[test]
fn takes_the_name_that_it_is_given() {
    network().option(&format!("{OPTION}name"), "mine0").create().unwrap();
    assert_eq!(fake::link_names(), ["mine0"]);
}

#[test]
fn hashes_ids_that_are_not_dockers() {
    fake::reset();
    other_network("a", "10.1.0.0/24").create().unwrap();
    other_network("swarmsid5ixsr6r3evssl9tku", "10.2.0.0/24").create().unwrap();
    assert_eq!(fake::link_names(), ["br-af63dc4c8601", "br-10e5b07a3f0c"]);
}

#[test]
fn inhibits_the_bridges_address() {
    network().option(&format!("{OPTION}inhibit_ipv4"), "true").create().unwrap();
    assert_eq!(fake::addresses(BRIDGE), ["fd05::1/64".parse().unwrap()]);
    let generic = TextMap::from([(format!("{OPTION}inhibit_ipv4"), "true")]);
    let options = NetworkOptions { generic, ..NetworkOptions::default() };
    assert_eq!(Bridge::skip_gateway_allocation(&options), Ok(SkipGateway { ipv4: true, ipv6: false }));
}

#[test]
fn names_options_that_it_can_not_read() {
    let refused = |key: &str, value: &str| refused(network().option(key, value).create());
    let (icc, mtu) = (format!("{OPTION}enable_icc"), "com.docker.network.driver.mtu");
    let message = "com.docker.network.bridge.enable_icc=\"maybe\": neither true nor false";
    assert_eq!(refused(&icc, "maybe"), (InvalidArgument, message.to_owned()));
    let message = "com.docker.network.driver.mtu=\"67\": an MTU is 68 to 65535 bytes";
    assert_eq!(refused(mtu, "67"), (InvalidArgument, message.to_owned()));
    let message = "com.docker.network.driver.mtu=\"big\": invalid digit found in string";
    assert_eq!(refused(mtu, "big"), (InvalidArgument, message.to_owned()));
    for (key, value) in [
        (format!("{OPTION}host_binding_ipv4"), "::1"),
        (format!("{OPTION}host_binding_ipv4"), "192.0.2"),
        (format!("{OPTION}name"), "0123456789abcdef"),
        ("com.docker.network.host_ipv4".into(), "2001:db8::1"),
        ("com.docker.network.host_ipv6".into(), "192.0.2.1"),
        ("com.docker.network.container_iface_prefix".into(), "0123456789abcde"),
        ("com.docker.network.enable_ipv6".into(), "false"),
        ("com.docker.network.internal".into(), "true"),
        // Mistyped, and another driver's.
        (format!("{OPTION}enable_iccc"), "true"),
        ("com.docker.network.driver.overlay.vxlanid_list".into(), "7"),
    ] {
        let (kind, message) = refused(&key, value);
        assert_eq!(kind, InvalidArgument);
        assert!(message.contains(&format!("{key}=\"{value}\"")), "{message}");
    }
    for (key, value) in [("trusted_host_interfaces", "eth0"), ("default_bridge", "true")] {
        let (kind, message) = refused(&format!("{OPTION}{key}"), value);
        assert!(kind == NotImplemented && message.contains(&format!("{key}=\"{value}\"")), "{message}");
    }
    let message = "com.docker.network.bridge.gateway_mode_ipv6=\"routed\": only \"nat\" is implemented";
    assert_eq!(refused(&format!("{OPTION}gateway_mode_ipv6"), "routed"), (NotImplemented, message.to_owned()));
    assert!(fake::link_names().is_empty());
}

#[test]
fn gives_what_leaves_the_source_that_it_is_given() {
    let (ipv4, ipv6) = ("com.docker.network.host_ipv4", "com.docker.network.host_ipv6");
    network().option(ipv4, "192.0.2.9").option(ipv6, "2001:db8::9").create().unwrap();
    let has = |rule: &str| fake::rules().iter().any(|is| is == rule);
    assert!(has("nat postrouting 100: ip saddr 10.5.0.0/24 oif != br-0123456789ab snat to 192.0.2.9"));
    assert!(has("nat postrouting 100: ip6 saddr fd05::/64 oif != br-0123456789ab snat to 2001:db8::9"));
    let useless = [
        network().internal().option(ipv4, "192.0.2.9"),
        network().option(&format!("{OPTION}enable_ip_masquerade"), "0").option(ipv4, "192.0.2.9"),
        Network::new("x").pool("fd06::/64").option(ipv4, "192.0.2.9"),
    ];
    for network in useless {
        let (kind, message) = refused(network.create());
        assert!(kind == InvalidArgument && message.contains("host_ipv4=\"192.0.2.9\""), "{message}");
    }
}

#[test]
fn leaves_the_options_of_others_alone() {
    network()
        .option("com.example.color", "green")
        .option("com.docker.compose.network", "n")
        .option("com.docker.network.advertise_addr_ms", "100")
        .option("com.docker.network.enable_ipv6", "true")
        .option(&format!("{OPTION}gateway_mode_ipv4"), "nat")
        .create()
        .unwrap();
}

#[test]
fn a_network_is_made_once() {
    let network = network();
    network.create().unwrap();
    assert_eq!(refused(network.create()).0, AlreadyExists);
    network.delete().unwrap();
    network.create().unwrap();
}

#[test]
fn two_networks_do_not_have_one_bridge() {
    let name = format!("{OPTION}name");
    network().option(&name, "mine0").create().unwrap();
    let other = other_network("other", "10.6.0.0/24").option(&name, "mine0");
    assert_eq!(refused(other.create()), (Forbidden, format!("bridge mine0 belongs to network {ID}")));
}

#[test]
fn does_not_take_a_device_of_somebody_elses() {
    let network = network();
    fake::add_foreign_link(BRIDGE);
    assert_eq!(refused(network.create()).0, AlreadyExists);
    assert!(fake::rules().is_empty() && fake::stored().is_empty());
}

#[test]
fn has_one_subnet_of_a_family() {
    assert_eq!(refused(network().pool("10.6.0.0/24").create()).0, Forbidden);
}

#[test]
fn cleans_up_behind_itself() {
    let network = network();
    network.create().unwrap();
    network.delete().unwrap();
    assert_eq!(fake::swept(), [""; 0]);
    assert!(fake::link_names().is_empty() && fake::rules().is_empty() && fake::stored().is_empty());
    network.delete().unwrap();
    Network::new("never made").delete().unwrap();
}

#[test]
fn only_who_is_allowed_begins_connections_from_outside() {
    let network = network().option("pontoon.policy.allow-from", "192.0.2.0/25, 192.0.2.128/25,fd00::7");
    network.create().unwrap();
    for family in ["ipv4", "ipv6"] {
        let rule = format!(
            "filter forward 0: oif br-0123456789ab iif != br-0123456789ab ct state new saddr != @allow-from-{family} drop"
        );
        assert!(fake::rules().contains(&rule), "{:?}", fake::rules());
    }
    network.delete().unwrap();
    assert!(fake::swept().is_empty() && fake::rules().is_empty(), "{:?}", fake::swept());
    let (kind, said) = refused(super::network().option("pontoon.policy.allow-from", "a").create());
    assert!(kind == InvalidArgument && said.contains("pontoon.policy.allow-from=\"a\""), "{said}");
}
