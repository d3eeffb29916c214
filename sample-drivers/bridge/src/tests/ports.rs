//! Published ports.

use std::net::IpAddr;

use pontoon_sdk::ErrorKind::{AlreadyExists, InvalidArgument, Unavailable};
use pontoon_sdk::{PortBinding, Protocol, fake};

use super::{Bridge, Network, network, refused};

type Endpoint = fake::Endpoint<Bridge>;

fn network_that_is_there() -> Network {
    let network = network();
    network.create().unwrap();
    network
}

/// An endpoint with addresses of both families.
fn endpoint(network: &Network, number: u8) -> Endpoint {
    let id = format!("e{number}");
    network.endpoint(id).address(&format!("10.5.0.{number}/24")).address(&format!("fd05::{number}/64"))
}

fn binding(host_address: Option<&str>, first: u16, last: u16) -> PortBinding {
    PortBinding {
        protocol: Protocol::TCP,
        container_address: None,
        container_port: 80,
        host_address: host_address.map(|address| address.parse::<IpAddr>().unwrap()),
        host_port: first,
        host_port_end: last,
    }
}

fn with(mut endpoint: Endpoint, binding: PortBinding) -> Endpoint {
    endpoint.options.port_bindings.push(binding);
    endpoint.create().unwrap();
    endpoint
}

/// The rules that translate destinations.
fn translations() -> Vec<String> {
    fake::rules().into_iter().filter(|rule| rule.contains("dnat to")).collect()
}

#[test]
fn what_is_invalid_does_not_come_to_the_host() {
    let network = network_that_is_there();
    with(endpoint(&network, 2), binding(None, 8080, 0)).program(true, true).unwrap();
    with(endpoint(&network, 3), binding(Some("192.0.2.1"), 8081, 0)).program(true, true).unwrap();
    let datagrams = PortBinding { protocol: Protocol::UDP, ..binding(None, 53, 0) };
    with(endpoint(&network, 4), datagrams).program(true, true).unwrap();
    let dropped: Vec<_> = fake::rules().into_iter().filter(|rule| rule.starts_with("filter prerouting -100")).collect();
    let rules = [
        "filter prerouting -100: ip saddr 0.0.0.0/0 fib daddr type local l4proto tcp dport 8080 ct state invalid drop",
        "filter prerouting -100: ip6 saddr ::/0 fib daddr type local l4proto tcp dport 8080 ct state invalid drop",
        "filter prerouting -100: ip daddr 192.0.2.1/32 l4proto tcp dport 8081 ct state invalid drop",
    ];
    assert_eq!(dropped, rules);
}

#[test]
fn publishes_on_both_families() {
    let endpoint = with(endpoint(&network_that_is_there(), 2), binding(None, 8080, 0));
    endpoint.program(true, true).unwrap();
    let rules = [
        "nat prerouting -100: fib daddr type local l4proto tcp dport 8080 dnat to 10.5.0.2:80",
        "nat prerouting -100: fib daddr type local l4proto tcp dport 8080 dnat to [fd05::2]:80",
        "nat output -100: fib daddr type local l4proto tcp dport 8080 dnat to 10.5.0.2:80",
        "nat output -100: fib daddr type local l4proto tcp dport 8080 ip6 daddr != ::1/128 dnat to [fd05::2]:80",
    ];
    assert_eq!(translations(), rules);
    assert_eq!(fake::host_ports(), ["8080/tcp of 0.0.0.0", "8080/tcp of ::"]);
}

#[test]
fn publishes_for_the_families_whose_gateway_it_is() {
    let endpoint = with(endpoint(&network_that_is_there(), 2), binding(None, 8080, 0));
    endpoint.program(true, false).unwrap();
    assert_eq!(fake::host_ports(), ["8080/tcp of 0.0.0.0"]);
    endpoint.program(false, true).unwrap();
    assert_eq!(fake::host_ports(), ["8080/tcp of ::"]);
    endpoint.program(false, false).unwrap();
    assert!(fake::host_ports().is_empty() && translations().is_empty());
}

#[test]
fn publishes_on_one_address() {
    let endpoint = with(endpoint(&network_that_is_there(), 2), binding(Some("127.0.0.1"), 8080, 0));
    endpoint.program(true, true).unwrap();
    // What comes in for that address is no honest packet.
    let rules = ["nat output -100: ip daddr 127.0.0.1/32 l4proto tcp dport 8080 dnat to 10.5.0.2:80"];
    assert_eq!(translations(), rules);
}

/// Their senders are told by `rules::from_ipv6_loopback`.
#[test]
fn datagrams_to_the_loopback_address_of_ipv6_are_translated() {
    let udp = PortBinding { protocol: Protocol::UDP, ..binding(Some("::"), 53, 0) };
    with(endpoint(&network_that_is_there(), 2), udp).program(true, true).unwrap();
    assert_eq!(
        translations().last().unwrap(),
        "nat output -100: fib daddr type local l4proto udp dport 53 dnat to [fd05::2]:80"
    );
}

#[test]
fn publishes_where_the_network_says() {
    let network = network().option("com.docker.network.bridge.host_binding_ipv4", "192.0.2.1");
    network.create().unwrap();
    with(endpoint(&network, 2), binding(None, 8080, 0)).program(true, true).unwrap();
    assert_eq!(fake::host_ports(), ["8080/tcp of 192.0.2.1"]);
}

#[test]
fn a_port_is_published_once() {
    let network = network_that_is_there();
    with(endpoint(&network, 2), binding(None, 8080, 0)).program(true, true).unwrap();
    let other = with(endpoint(&network, 3), binding(None, 8080, 0));
    let message = "host port 8080/tcp is in use by an endpoint already";
    assert_eq!(refused(other.program(true, true)), (AlreadyExists, message.to_owned()));
    let one_address = with(endpoint(&network, 4), binding(Some("192.0.2.1"), 8080, 0));
    assert_eq!(refused(one_address.program(true, true)), (AlreadyExists, message.to_owned()));
    assert_eq!(translations().len(), 4);
}

#[test]
fn a_port_of_another_program_is_not_published() {
    let network = network_that_is_there();
    fake::bind_foreign_port(Protocol::TCP, "::1".parse().unwrap(), 8080);
    let endpoint = with(endpoint(&network, 2), binding(None, 8080, 0));
    let message = "host port 8080/tcp is in use by another program";
    assert_eq!(refused(endpoint.program(true, true)), (AlreadyExists, message.to_owned()));
    assert!(fake::host_ports().is_empty() && translations().is_empty());
    endpoint.program(true, false).unwrap();
}

#[test]
fn an_address_without_a_gateway_of_its_family_is_refused() {
    let endpoint = with(endpoint(&network_that_is_there(), 2), binding(Some("2001:db8::1"), 8080, 0));
    let message = "port 80/tcp can't be published on 2001:db8::1: the container has no gateway of that family";
    assert_eq!(refused(endpoint.program(true, false)), (InvalidArgument, message.to_owned()));
    endpoint.program(true, true).unwrap();
    assert_eq!(fake::host_ports(), ["8080/tcp of 2001:db8::1"]);
}

#[test]
fn the_loopback_address_of_ipv6_is_refused() {
    let endpoint = with(endpoint(&network_that_is_there(), 2), binding(Some("::1"), 8080, 0));
    let (kind, message) = refused(endpoint.program(true, true));
    assert!(kind == InvalidArgument && message.contains("use 127.0.0.1"), "{message}");
    assert!(fake::host_ports().is_empty());
}

#[test]
fn ports_of_different_addresses_protocols_and_families_do_not_clash() {
    let network = network_that_is_there();
    let bindings = [
        binding(Some("192.0.2.1"), 53, 0),
        binding(Some("192.0.2.2"), 53, 0),
        binding(Some("::"), 53, 0),
        PortBinding { protocol: Protocol::UDP, ..binding(Some("0.0.0.0"), 53, 0) },
        PortBinding { protocol: Protocol::SCTP, ..binding(Some("0.0.0.0"), 53, 0) },
    ];
    for (number, binding) in (2..).zip(bindings) {
        with(endpoint(&network, number), binding).program(true, true).unwrap();
    }
    assert_eq!(fake::host_ports().len(), 5);
}

#[test]
fn takes_the_first_free_port_of_a_range() {
    let network = network_that_is_there();
    for number in 2..4 {
        with(endpoint(&network, number), binding(None, 9000, 9001)).program(true, false).unwrap();
    }
    assert_eq!(fake::host_ports(), ["9000/tcp of 0.0.0.0", "9001/tcp of 0.0.0.0"]);
    let message = "host ports 9000-9001/tcp are all in use";
    let third = with(endpoint(&network, 4), binding(None, 9000, 9001));
    assert_eq!(refused(third.program(true, false)), (Unavailable, message.to_owned()));
}

fn several(ports: impl Iterator<Item = u16>, container: impl Fn(u16) -> u16) -> Vec<PortBinding> {
    let one = |port| PortBinding { container_port: container(port), ..binding(None, port, 0) };
    ports.map(one).collect()
}

#[test]
fn bindings_that_follow_each_other_are_a_range() {
    let mut endpoint = endpoint(&network_that_is_there(), 2);
    endpoint.options.port_bindings = several((10_000..12_001).rev(), |port| port);
    endpoint.options.port_bindings.insert(1, binding(None, 8080, 0));
    endpoint.create().unwrap();
    endpoint.program(true, true).unwrap();
    let taken = ["8080/tcp of 0.0.0.0", "8080/tcp of ::", "10000-12000/tcp of 0.0.0.0", "10000-12000/tcp of ::"];
    assert_eq!(fake::host_ports(), taken);
    assert_eq!(translations().len(), 8);
    assert!(translations()[0].ends_with("l4proto tcp dport 10000-12000 dnat to 10.5.0.2"), "{:?}", translations());
    assert!(fake::stored().values().all(|value| value.len() < 1_000));
    endpoint.program(true, false).unwrap();
    assert_eq!(fake::host_ports(), ["8080/tcp of 0.0.0.0", "10000-12000/tcp of 0.0.0.0"]);
    endpoint.revoke().unwrap();
    assert!(fake::host_ports().is_empty() && translations().is_empty());
}

/// A rule keeps the port, or sends all to one.
#[test]
fn a_range_of_other_ports_in_the_container_has_a_rule_for_each() {
    let mut endpoint = endpoint(&network_that_is_there(), 2);
    endpoint.options.port_bindings = several(3000..3003, |port| port - 1_000);
    endpoint.create().unwrap();
    endpoint.program(true, false).unwrap();
    assert_eq!(fake::host_ports(), ["3000-3002/tcp of 0.0.0.0"]);
    let translations = translations();
    assert!(
        translations.len() == 6 && translations[2].ends_with("dport 3002 dnat to 10.5.0.2:2002"),
        "{translations:?}"
    );
}

#[test]
fn what_forms_no_range_stays_single() {
    let mut endpoint = endpoint(&network_that_is_there(), 2);
    endpoint.options.port_bindings = several(3000..3003, |_| 80);
    endpoint.options.port_bindings.push(PortBinding { protocol: Protocol::UDP, ..binding(None, 3003, 0) });
    endpoint.options.port_bindings.push(binding(Some("192.0.2.1"), 3004, 3004));
    endpoint.create().unwrap();
    endpoint.program(true, false).unwrap();
    assert_eq!(fake::host_ports().len(), 5);
    assert!(fake::host_ports().iter().all(|port| !port.contains('-')));
}

#[test]
fn a_range_that_is_half_somebody_elses_is_not_taken() {
    let network = network_that_is_there();
    fake::bind_foreign_port(Protocol::TCP, "::1".parse().unwrap(), 3001);
    let mut endpoint = endpoint(&network, 2);
    endpoint.options.port_bindings = several(3000..3003, |port| port);
    endpoint.create().unwrap();
    let message = "host port 3001/tcp is in use by another program";
    assert_eq!(refused(endpoint.program(true, true)), (AlreadyExists, message.to_owned()));
    assert!(fake::host_ports().is_empty());
}

#[test]
fn chooses_a_port_and_keeps_it() {
    let endpoint = with(endpoint(&network_that_is_there(), 2), binding(None, 0, 0));
    endpoint.program(true, false).unwrap();
    let chosen = fake::host_ports();
    let port: u16 = chosen[0].split('/').next().unwrap().parse().unwrap();
    assert!((32_768..=60_999).contains(&port));
    endpoint.program(true, true).unwrap();
    assert_eq!(fake::host_ports(), [chosen[0].clone(), format!("{port}/tcp of ::")]);
}

#[test]
fn refuses_what_can_not_be_published() {
    let network = network_that_is_there();
    let icmp = with(endpoint(&network, 2), PortBinding { protocol: Protocol::ICMP, ..binding(None, 80, 0) });
    assert_eq!(refused(icmp.program(true, true)).0, InvalidArgument);
    let backwards = with(endpoint(&network, 3), binding(None, 9001, 9000));
    let message = "host ports 9001-9000: the last is below the first";
    assert_eq!(refused(backwards.program(true, true)), (InvalidArgument, message.to_owned()));
}

#[test]
fn a_call_that_fails_changes_nothing() {
    let network = network_that_is_there();
    with(endpoint(&network, 2), binding(None, 8080, 0)).program(true, false).unwrap();
    let mut other = with(endpoint(&network, 3), binding(None, 8081, 0));
    other.program(true, false).unwrap();
    let see = || (fake::rules(), fake::stored(), fake::host_ports());
    let before = see();
    other.options.port_bindings.push(binding(None, 8080, 0));
    assert_eq!(refused(other.program(true, false)).0, AlreadyExists);
    assert_eq!(see(), before);
}

#[test]
fn ports_go_with_the_connection_the_sandbox_and_the_endpoint() {
    let network = network_that_is_there();
    let endpoint = with(endpoint(&network, 2), binding(None, 8080, 0));
    for undo in [Endpoint::revoke, Endpoint::leave, Endpoint::delete] {
        endpoint.program(true, true).unwrap();
        undo(&endpoint).unwrap();
        undo(&endpoint).unwrap();
        assert!(fake::host_ports().is_empty() && translations().is_empty());
    }
    assert_eq!(fake::swept(), [""; 0]);
}

#[test]
fn an_internal_network_publishes_nothing() {
    let network = network().internal();
    network.create().unwrap();
    with(endpoint(&network, 2), binding(None, 8080, 0)).program(true, true).unwrap();
    assert!(fake::host_ports().is_empty());
}
