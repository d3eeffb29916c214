//! Endpoints.

use pontoon_sdk::ErrorKind::{AlreadyExists, InvalidArgument, NotFound};
use pontoon_sdk::shaping::Rate;
use pontoon_sdk::{MacAddress, Protocol, TransportPort, fake};

use super::{BRIDGE, Network, network, refused};

/// The link on the bridge of the endpoint `e`.
const HOST_LINK: &str = "vethaf63d84c86";

fn network_that_is_there() -> Network {
    let network = network().option("com.docker.network.driver.mtu", "1400");
    network.create().unwrap();
    network
}

#[test]
fn makes_a_pair() {
    let endpoint = network_that_is_there().endpoint("e").address("10.5.0.2/24");
    let (mac_address, _) = endpoint.create().unwrap();
    let host = fake::link(HOST_LINK).unwrap();
    assert_eq!((host.kind.as_str(), host.mtu, host.up, host.master.as_deref()), ("veth", 1400, true, Some(BRIDGE)));
    let container = fake::link("vethaf63d84c86c").unwrap();
    assert_eq!(
        (container.mtu, container.up, container.master, container.mac_address),
        (1400, false, None, mac_address)
    );
    assert_eq!(fake::port(HOST_LINK), Some((true, false, true)));
}

#[test]
fn chooses_a_local_unicast_mac_address() {
    let network = network_that_is_there();
    let addresses = ["a", "b"].map(|id| network.endpoint(id).create().unwrap().0.unwrap());
    assert!(addresses.iter().all(|mac_address| mac_address.0[0] & 3 == 2));
    assert_ne!(addresses[0], addresses[1]);
}

#[test]
fn the_mac_address_follows_from_the_ipv4_address() {
    let network = network_that_is_there();
    let chosen = || {
        let endpoint = network.endpoint("e").address("10.5.0.2/24");
        let (mac_address, _) = endpoint.create().unwrap();
        endpoint.delete().unwrap();
        mac_address
    };
    assert_eq!(chosen(), Some(MacAddress([2, 0x42, 10, 5, 0, 2])));
    assert_eq!(chosen(), chosen(), "the same again, or its neighbours would not find it");
}

#[test]
fn keeps_the_mac_address_that_it_is_given() {
    let given = MacAddress([2, 0x42, 0, 0, 0, 9]);
    let endpoint = network_that_is_there().endpoint("e").mac_address(given);
    assert_eq!(endpoint.create().unwrap().0, Some(given));
    assert_eq!(fake::link("vethaf63d84c86c").unwrap().mac_address, Some(given));
}

#[test]
fn isolates_the_port_if_containers_are_not_to_talk() {
    let network = network().option("com.docker.network.bridge.enable_icc", "false");
    network.create().unwrap();
    network.endpoint("e").create().unwrap();
    assert_eq!(fake::port(HOST_LINK), Some((true, true, true)));
}

#[test]
fn gives_the_container_its_link_and_gateways() {
    let endpoint = network_that_is_there().endpoint("e").address("10.5.0.2/24");
    endpoint.create().unwrap();
    let joined = endpoint.join().unwrap();
    assert_eq!(joined.link.unwrap().name, "vethaf63d84c86c");
    assert_eq!((joined.prefix.as_str(), joined.name), ("eth", None));
    assert_eq!(joined.gateway, Some("10.5.0.1".parse().unwrap()));
    assert_eq!(joined.gateway_ipv6, Some("fd05::1".parse().unwrap()));
}

#[test]
fn names_the_containers_link_as_it_is_told() {
    let network = network().option("com.docker.network.container_iface_prefix", "net");
    network.create().unwrap();
    let endpoint = network.endpoint("e").option("com.docker.network.endpoint.ifname", "lan");
    endpoint.create().unwrap();
    let joined = endpoint.join().unwrap();
    assert_eq!((joined.prefix.as_str(), joined.name.as_deref()), ("net", Some("lan")));
}

#[test]
fn makes_the_containers_link_where_it_belongs() {
    let network = network_that_is_there();
    let endpoints = ["e", "f"].map(|id| network.endpoint(id).sandbox("container"));
    let mac_address = endpoints[0].create().unwrap().0;
    endpoints[1].create().unwrap();
    let links = fake::links_in_sandbox("container");
    assert_eq!((links[0].name.as_str(), links[0].mtu, links[0].mac_address), ("eth0", 1400, mac_address));
    assert_eq!(links[1].name, "eth1");
    assert_eq!(endpoints[1].join().unwrap().link.unwrap().name, "eth1");
    endpoints[0].delete().unwrap();
    assert_eq!(fake::links_in_sandbox("container").len(), 1);
}

#[test]
fn makes_the_containers_link_under_the_name_that_it_is_told() {
    let endpoint = network_that_is_there().endpoint("e").sandbox("container");
    let endpoint = endpoint.option("com.docker.network.endpoint.ifname", "lan");
    endpoint.create().unwrap();
    assert_eq!(endpoint.join().unwrap().link.unwrap().name, "lan");
}

#[test]
fn names_options_that_it_does_not_know() {
    let network = network_that_is_there();
    let sysctls = ("com.docker.network.endpoint.sysctls", "net.ipv4.conf.IFNAME.log_martians=1");
    let unknown = ("com.docker.network.endpoint.ifnam", "lan");
    for (key, value) in [sysctls, unknown, ("com.docker.network.driver.mtu", "1400")] {
        let endpoint = network.endpoint("e").sandbox("container").option(key, value);
        let (_, message) = refused(endpoint.create());
        assert!(message.contains(&format!("{key}=\"{value}\"")), "{message}");
    }
    // dockerd sets them itself, and says more to its own drivers.
    let private = "com.docker.network.driver.private.no_proxy_6to4";
    network.endpoint("e").option(sysctls.0, sysctls.1).option(private, "true").create().unwrap();
}

#[test]
fn an_internal_network_has_no_gateway() {
    let network = network().internal();
    network.create().unwrap();
    let endpoint = network.endpoint("e");
    endpoint.create().unwrap();
    let joined = endpoint.join().unwrap();
    assert_eq!((joined.gateway, joined.gateway_ipv6), (None, None));
}

#[test]
fn a_reserved_address_replaces_the_gateway() {
    let mut network = network();
    network.ipv4[0].aux_addresses.push(("DefaultGatewayIPv4".into(), "10.5.0.254/24".parse().unwrap()));
    network.ipv6[0].aux_addresses.push(("DefaultGatewayIPv6".into(), "fd05::99/64".parse().unwrap()));
    network.create().unwrap();
    let endpoint = network.endpoint("e");
    endpoint.create().unwrap();
    let joined = endpoint.join().unwrap();
    assert_eq!(joined.gateway, Some("10.5.0.254".parse().unwrap()));
    assert_eq!(joined.gateway_ipv6, Some("fd05::99".parse().unwrap()));
    assert_eq!(fake::addresses(BRIDGE)[0], "10.5.0.1/24".parse().unwrap());
}

#[test]
fn an_endpoint_is_made_once_and_in_a_network() {
    let network = network_that_is_there();
    network.endpoint("e").create().unwrap();
    assert_eq!(refused(network.endpoint("e").create()).0, AlreadyExists);
    assert_eq!(refused(Network::new("none").endpoint("e").create()).0, NotFound);
    assert_eq!(refused(network.endpoint("f").join()).0, NotFound);
    assert_eq!(refused(network.endpoint("f").oper_info()).0, NotFound);
}

#[test]
fn cleans_up_behind_itself() {
    let network = network_that_is_there();
    let endpoint = network.endpoint("e");
    endpoint.create().unwrap();
    endpoint.join().unwrap();
    for _ in 0..2 {
        endpoint.leave().unwrap();
        endpoint.delete().unwrap();
    }
    assert_eq!(fake::link_names(), [BRIDGE]);
    network.delete().unwrap();
    assert_eq!(fake::swept(), [""; 0]);
}

#[test]
fn tells_what_it_knows() {
    let given = MacAddress([2, 0x42, 0, 0, 0, 9]);
    let mut endpoint = network_that_is_there().endpoint("e").address("10.5.0.2/24").mac_address(given).publish(
        Protocol::TCP,
        8080,
        80,
    );
    endpoint.options.exposed_ports.push(TransportPort { protocol: Protocol::TCP, port: 80 });
    endpoint.create().unwrap();
    endpoint.program(true, false).unwrap();
    let told = endpoint.oper_info().unwrap();
    assert_eq!(told.get("com.docker.network.endpoint.macaddress"), Some(r#""02:42:00:00:00:09""#));
    assert_eq!(told.get("com.docker.network.endpoint.exposedports"), Some(r#"[{"Proto":6,"Port":80}]"#));
    let ports = r#"[{"Proto":6,"IP":"10.5.0.2","Port":80,"HostIP":"0.0.0.0","HostPort":8080,"HostPortEnd":8080}]"#;
    assert_eq!(told.get("com.docker.network.portmap"), Some(ports));
}

#[test]
fn limits_what_a_container_sends_and_receives() {
    let network = network_that_is_there();
    let rate = |bytes_per_second, burst| Some(Rate { bytes_per_second, burst });
    let made = |options: &[(&str, &str)]| {
        let endpoint = network.endpoint("e");
        options.iter().fold(endpoint, |endpoint, (key, value)| endpoint.option(key, value))
    };
    let ifb = "ifbaf63d84c86";
    let both = made(&[("pontoon.bandwidth.ingress", "10mbit"), ("pontoon.bandwidth.egress", "2000000000")]);
    both.create().unwrap();
    assert_eq!(fake::rate(HOST_LINK), (rate(1_250_000, 65_600), Some(ifb.to_owned())));
    assert_eq!(fake::rate(ifb).0, rate(250_000_000, 2_500_000));
    both.delete().unwrap();
    assert_eq!((fake::link(ifb), fake::swept()), (None, vec![]));
    let burst = made(&[("pontoon.bandwidth.ingress", "1Gbit"), ("pontoon.bandwidth.ingress-burst", "1mb")]);
    burst.create().unwrap();
    assert_eq!((fake::rate(HOST_LINK), fake::link(ifb)), ((rate(125_000_000, 1 << 20), None), None));
    burst.delete().unwrap();
    made(&[]).create().unwrap();
    assert_eq!(fake::rate(HOST_LINK), (None, None));
    made(&[]).delete().unwrap();
    for (key, value) in [
        ("pontoon.bandwidth.ingress", "fast"),
        ("pontoon.bandwidth.ingress", "0"),
        ("pontoon.bandwidth.egress", "-1mbit"),
        ("pontoon.bandwidth.egress", "99999999999gbit"),
        ("pontoon.bandwidth.egress-burst", "64kb"),
    ] {
        let (kind, said) = refused(made(&[(key, value)]).create().map(drop));
        assert!(kind == InvalidArgument && said.contains(&format!("{key}=\"{value}\"")), "{said}");
    }
}
