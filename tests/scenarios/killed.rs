//! A kill at every moment of every operation, on a kernel in memory: before each of its messages to the kernel and after each of its commits.
//!
//! After the next start the operation has happened or it has not, in the kernel, in the store and in what a driver remembers alike.

use std::collections::BTreeMap;

use operation::endpoint::PortBinding;
use operation::engine::{
    CreateEndpoint, CreateNetwork, EndpointKey, EndpointOptions, ExternalConnectivity, Interface, Join, NetworkOptions,
    PoolData, Request,
};
use operation::origin::Origin;
use pontoon_tests::{FakeBench, Left, attach_path, create};
use serde_json::{Value, json};
use words::{Id, LinkName, Name};

use crate::property::seen::{Seen, differ, rest};

/// What is compared.
type See = fn(&FakeBench) -> Seen;

/// Does one operation, and answers what a kill would have left in it, and what it left itself.
fn watched<T>(bench: &FakeBench, see: See, work: impl FnOnce(&FakeBench) -> T) -> (Vec<Left>, Seen) {
    let (seen, left) = bench.watch(|| {
        work(bench);
        see(bench)
    });
    (left, seen)
}

/// One operation in the life of a network.
type Operation = (&'static str, Box<dyn Fn(&FakeBench)>);

/// Kills at each moment of each operation, one operation after the other.
fn at_each_moment(bench: &mut FakeBench, life: &[Operation]) {
    at_each_moment_as(bench, life, rest);
}

fn at_each_moment_as(bench: &mut FakeBench, life: &[Operation], see: See) {
    let mut moments = 0;
    for (name, operation) in life {
        let before = see(bench);
        let (lefts, after) = watched(bench, see, operation);
        let mut different: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (number, left) in lefts.iter().enumerate() {
            bench.restart_on(left);
            let now = see(bench);
            let [to_before, to_after] = [&before, &after].map(|wanted| differ(wanted, &now));
            let less = if to_before.len() < to_after.len() { to_before } else { to_after };
            if !less.is_empty() {
                different.entry(less).or_default().push(number);
            }
        }
        moments += lefts.len();
        let of = lefts.len();
        let told = different.iter().map(|(what, moments)| format!("{name}, moments {moments:?} of {of}:{what}\n"));
        assert!(different.is_empty(), "neither before nor after:\n{}", told.collect::<String>());
        bench.restart_on(lefts.last().unwrap());
        assert_eq!(see(bench), after);
    }
    eprintln!("{moments} moments of {} operations", life.len());
}

fn make(network: &'static str, more: Value) -> Operation {
    (
        "network create",
        Box::new(move |bench| {
            let driver = more["driver"].as_str().unwrap_or("bridge");
            bench.wait(bench.controller().create_network(create(network, driver, &more))).unwrap();
        }),
    )
}

fn remove(network: &'static str) -> Operation {
    ("network rm", Box::new(move |bench| drop(bench.wait(bench.controller().remove_network(network)).unwrap())))
}

fn attach(network: &'static str, sandbox: &'static str, more: Value) -> Operation {
    (
        "endpoint attach",
        Box::new(move |bench| {
            let attach = attach_path(&format!("/fake/{sandbox}"), &more);
            bench.wait(bench.controller().attach(network, attach)).unwrap();
        }),
    )
}

fn detach(sandbox: &'static str) -> Operation {
    ("endpoint detach", Box::new(move |bench| drop(bench.wait(bench.controller().detach(None, sandbox)).unwrap())))
}

/// A request of a container engine's.
fn engine(name: &'static str, request: Request) -> Operation {
    (
        name,
        Box::new(move |bench| {
            let driver = Name::new("bridge").unwrap();
            bench.wait(bench.controller().request(&Origin::Docker { api: None }, &driver, request.clone())).unwrap();
        }),
    )
}

#[test]
fn native() {
    let mut bench = FakeBench::new();
    bench.load("bridge", "bridge");
    ["a", "b"].iter().for_each(|name| drop(bench.sandbox(name)));
    let ports = json!({"ports": [{"protocol": "tcp", "container_port": 80, "host_port": 8080, "host_port_end": 8080}]});
    let life = [
        make("n", json!({"ipv6": true})),
        attach("n", "a", ports),
        attach("n", "b", json!({})),
        detach("a"),
        make("m", json!({"internal": true})),
        detach("b"),
        remove("n"),
        remove("m"),
    ];
    at_each_moment(&mut bench, &life);
}

/// Of a device of the host's: it is in the container, or on the host as it was.
#[test]
fn a_device() {
    let mut bench = FakeBench::new();
    bench.fake.plug_in(&LinkName::new("eth0").unwrap()).unwrap();
    bench.load("hostile", "test/hostile");
    let hostile = Name::new("hostile").unwrap();
    let mut grant = bench.wait(bench.controller().driver(&hostile)).unwrap().grant;
    grant.parents.insert("eth0".into());
    grant.permissions.insert(grant::Permission::Devices);
    bench.wait(bench.controller().set_grant(&hostile, grant)).unwrap();
    drop(bench.sandbox("a"));
    let takes = json!({"options": {"attack": "take-eth0-into-the-container"}});
    let life = [make("n", json!({"driver": "hostile"})), attach("n", "a", takes), detach("a"), remove("n")];
    at_each_moment(&mut bench, &life);
    assert!(bench.fake.state().contains("link eth0 card"));
}

/// What a driver gave and nobody has is given back by a call of its own, so that what it remembers is the same again, in a newer version.
fn without_versions(bench: &FakeBench) -> Seen {
    let (kernel, store) = rest(bench);
    let line = |line: &str| match line.split(" | ").collect::<Vec<_>>()[..] {
        [state, driver, key, network, _, value] if state.starts_with("state: ") => {
            format!("state: {driver} {key} {network} {value}\n")
        }
        _ => format!("{line}\n"),
    };
    (kernel, store.lines().map(line).collect())
}

#[test]
fn addresses_of_a_driver() {
    let mut bench = FakeBench::new();
    bench.load("bridge", "bridge");
    bench.load("pools", "test/pools");
    ["a", "b"].iter().for_each(|name| drop(bench.sandbox(name)));
    let life = [
        make("n", json!({"ipv6": true, "ipam": "pools"})),
        attach("n", "a", json!({})),
        attach("n", "b", json!({})),
        detach("a"),
        make("m", json!({"ipam": "pools", "pools": [{"subnet": "10.80.7.0/24", "aux_addresses": {"x": "10.80.7.9"}}]})),
        detach("b"),
        remove("n"),
        remove("m"),
    ];
    at_each_moment_as(&mut bench, &life, without_versions);
}

#[test]
fn everything_that_a_driver_can_change() {
    let mut bench = FakeBench::new();
    bench.load("probe", "test/probe");
    bench.sandbox("a");
    let all = "store tables links addresses routes rules neighbours nftables sysctls ports namespaces forwarding";
    let life = [
        make("n", json!({"ipv6": true, "driver": "probe", "options": {"probe.do": all}})),
        attach("n", "a", json!({"options": {"probe.do": "interface-info join-info"}})),
        detach("a"),
        remove("n"),
    ];
    at_each_moment(&mut bench, &life);
}

#[test]
fn docker() {
    let mut bench = FakeBench::new();
    bench.load("bridge", "bridge");
    let id = |text: &str| Id::new(text).unwrap();
    let key = || EndpointKey { network: id("n1"), endpoint: id("e1") };
    let options = NetworkOptions { ipv4: true, ipv6: false, internal: false, generic: [].into(), other: [].into() };
    let pool = PoolData {
        address_space: "LocalDefault".into(),
        pool: Some("10.31.0.0/24".parse().unwrap()),
        gateway: Some("10.31.0.1/24".parse().unwrap()),
        aux_addresses: [].into(),
    };
    let ports: Vec<PortBinding> =
        serde_json::from_value(json!([{"protocol": "tcp", "container_port": 80, "host_port": 8080}])).unwrap();
    let endpoint = |port_bindings: &[PortBinding]| EndpointOptions {
        mac: None,
        exposed_ports: [].into(),
        port_bindings: port_bindings.to_vec(),
        generic: [].into(),
        other: [].into(),
    };
    let interface = Interface { mac: None, address: Some("10.31.0.2/24".parse().unwrap()), address_ipv6: None };
    let create = CreateEndpoint { key: key(), interface, options: endpoint(&[]) };
    let join = Join { key: key(), sandbox: "/var/run/docker/netns/1".into(), options: endpoint(&[]) };
    let program = ExternalConnectivity { key: key(), options: endpoint(&ports) };
    let network = CreateNetwork { network: id("n1"), options, ipv4: vec![pool], ipv6: vec![] };
    let life = [
        engine("CreateNetwork", Request::CreateNetwork(network)),
        engine("CreateEndpoint", Request::CreateEndpoint(create.clone())),
        engine("Join", Request::Join(join.clone())),
        engine("ProgramExternalConnectivity", Request::ProgramExternalConnectivity(program.clone())),
        engine("RevokeExternalConnectivity", Request::RevokeExternalConnectivity(key())),
        engine("Leave", Request::Leave(key())),
        engine("DeleteEndpoint", Request::DeleteEndpoint(key())),
        engine("CreateEndpoint again", Request::CreateEndpoint(create)),
        engine("Join again", Request::Join(join)),
        engine("ProgramExternalConnectivity again", Request::ProgramExternalConnectivity(program)),
        // All at once: dockerd's last word of an endpoint that never left.
        engine("DeleteEndpoint without Leave", Request::DeleteEndpoint(key())),
        engine("DeleteNetwork", Request::DeleteNetwork(id("n1"))),
    ];
    at_each_moment(&mut bench, &life);
}
