//! Devices of the host's in containers: who gets which, and that the host has them again as they were.

use grant::{Grant, Permission};
use operation::endpoint::Attached;
use operation::engine::{
    CreateEndpoint, CreateNetwork, EndpointKey, EndpointOptions, Interface, Join, Labels, NetworkOptions, PoolData,
    Request,
};
use operation::origin::Origin;
use pontoon_tests::{Bench, Daemon, Namespace, attach, create, driver, same_at_last, until};
use serde_json::json;
use words::{Id, Kind, Name, Result};

use crate::scene::Scene;

const TAKE: &str = "take-eth0-into-the-container";

/// A driver that takes devices as its endpoints' options say, with a grant that names eth0 and these permissions beside its own.
fn scene(permissions: &[Permission]) -> Scene {
    let scene = Scene::of(Bench::new());
    allow(&scene, "hostile", permissions);
    let pool = json!({"pools": [{"subnet": "10.78.0.0/24"}]});
    scene.bench.wait(scene.bench.controller.create_network(create("h", "hostile", &pool))).unwrap();
    scene
}

fn allow(scene: &Scene, driver: &str, permissions: &[Permission]) {
    let driver = Name::new(driver).unwrap();
    let mut grant: Grant = scene.bench.wait(scene.bench.controller.driver(&driver)).unwrap().grant;
    grant.parents.insert("eth0".into());
    grant.permissions.retain(|word| ![Permission::Devices, Permission::Uplinks].contains(word));
    grant.permissions.extend(permissions);
    scene.bench.wait(scene.bench.controller.set_grant(&driver, grant)).unwrap();
}

fn join(scene: &Scene, container: &Namespace, attack: &str) -> Result<Attached> {
    let wanted = attach(container, &json!({"options": {"attack": attack}}));
    scene.bench.wait(scene.bench.controller.attach("h", wanted))
}

#[test]
fn a_container_gets_a_device_and_the_host_has_it_again() {
    let scene = scene(&[Permission::Devices]);
    let host = &scene.bench.host;
    for setting in ["mtu 1400", "promisc on", "txqueuelen 77"] {
        host.run(&format!("ip link set eth0 {setting}"));
    }
    host.run("ip address add 2001:db8::1/64 dev eth0 nodad");
    host.run("ip route add 198.51.100.0/24 via 192.0.2.7");
    host.run("ip route add 2001:db8:1::/48 via 2001:db8::7 table 9");
    let before = host.settled();
    let endpoint = join(&scene, &scene.other, TAKE).unwrap().endpoint;
    let address = endpoint.address.unwrap();
    assert!(!host.run("ip -o link").contains(" eth0@"), "the container has it");
    assert!(scene.other.run("ip -o -4 address show eth0").contains(&address.to_string()));
    assert!(scene.other.run("ip -o link show eth0").contains("mtu 1400"));
    // What comes by its cable is the container's.
    host.run("ip address add 10.78.0.200/24 dev far0");
    assert!(host.pings(&address.addr().to_string()));
    host.run("ip address del 10.78.0.200/24 dev far0");
    scene.other.run("ip link set eth0 mtu 1300");
    scene.bench.wait(scene.bench.controller.detach(Some("h"), "other")).unwrap();
    same_at_last(|| host.dump(), &before);

    // The host has another eth0 by the time that it comes back.
    join(&scene, &scene.other, TAKE).unwrap();
    host.run("ip link add eth0 type bridge");
    scene.bench.wait(scene.bench.controller.detach(Some("h"), "other")).unwrap();
    let shown = host.run("ip -o -4 address show to 192.0.2.1");
    let name = shown.split_whitespace().nth(1).unwrap();
    assert!(name.starts_with("dev"), "{shown}");
    host.run("ip link del eth0");
    host.run(&format!("ip link set {name} down"));
    host.run(&format!("ip link set {name} name eth0"));
    host.run("ip link set eth0 up");

    // Of a kind, it goes with its container, and nothing else is left of it.
    let gone = Namespace::new("gone");
    join(&scene, &gone, TAKE).unwrap();
    drop(gone);
    until("the pair is gone", || !host.run("ip -o link").contains("far0"));
    scene.bench.wait(scene.bench.controller.collect_garbage(None)).unwrap();
    assert!(!scene.bench.stored().contains("\"Device\""));
}

#[test]
fn what_a_driver_can_not_take() {
    let scene = scene(&[]);
    let host = &scene.bench.host;
    let refuses = |attack: &str, says: &str| {
        let before = host.dump();
        let error = join(&scene, &scene.other, attack).unwrap_err();
        assert!(error.message.contains(says), "{attack}: {error}");
        same_at_last(|| host.dump(), &before);
        assert!(!scene.bench.stored().contains("\"Device\""));
    };
    refuses(TAKE, "links.take-device: the driver's grant lacks devices (permissions)");
    allow(&scene, "hostile", &[Permission::Devices]);
    refuses("take-the-victim-into-the-container", "the driver has no link victim there");
    refuses("take-eth0-twice", "eth0 is taken for a container already");
    refuses("build-on-what-was-taken", "eth0 was taken for a container");
    refuses("trap-after-a-device", "join trapped");
    refuses("fail-after-a-device", "enough");
    let nobody = json!({"pools": [{"subnet": "10.79.0.0/24"}], "options": {"attack": "take-a-device-for-nobody"}});
    let error = scene.bench.wait(scene.bench.controller.create_network(create("n", "hostile", &nobody))).unwrap_err();
    assert!(error.message.contains("only an endpoint's call can take it"), "{error}");
    // The way out is a word of its own, and in use by others it stays where it is.
    host.run("ip route add default via 192.0.2.7");
    refuses(TAKE, "leave by it; the driver's grant lacks permissions: uplinks");
    allow(&scene, "hostile", &[Permission::Devices, Permission::Uplinks]);
    let before = host.dump();
    join(&scene, &scene.other, TAKE).unwrap();
    assert!(!host.run("ip route").contains("default"));
    scene.bench.wait(scene.bench.controller.detach(Some("h"), "other")).unwrap();
    same_at_last(|| host.dump(), &before);
    host.run("ip link add br9 type bridge");
    host.run("ip link set eth0 master br9");
    refuses(TAKE, "eth0 can't be taken: br9 goes by it");
    host.run("ip link del br9");
    host.run("ip link add above link eth0 type macvlan");
    refuses(TAKE, "eth0 can't be taken: above goes by it");
}

/// Of two drivers that want it at the same moment, one has it.
#[test]
fn one_container_at_a_time_has_a_device() {
    let scene = scene(&[Permission::Devices]);
    let before = scene.bench.host.settled();
    scene.bench.load("another", "test/hostile", &[]);
    allow(&scene, "another", &[Permission::Devices]);
    let pool = json!({"pools": [{"subnet": "10.79.0.0/24"}]});
    scene.bench.wait(scene.bench.controller.create_network(create("a", "another", &pool))).unwrap();
    let third = Namespace::new("third");
    for _ in 0..5 {
        let both = [("h", &scene.other), ("a", &third)].map(|(network, container)| {
            let wanted = attach(container, &json!({"options": {"attack": TAKE}}));
            let controller = scene.bench.controller.clone();
            scene.bench.spawn(async move { controller.attach(network, wanted).await.map(drop) })
        });
        let both = both.map(|one| scene.bench.wait(one).unwrap());
        let refused: Vec<_> = both.iter().filter_map(|one| one.as_ref().err()).collect();
        assert!(refused.len() == 1, "{both:?}");
        assert!([Kind::AlreadyExists, Kind::NotFound].contains(&refused[0].kind), "{}", refused[0]);
        let (network, name) = if both[0].is_ok() { ("h", "other") } else { ("a", "third") };
        scene.bench.wait(scene.bench.controller.detach(Some(network), name)).unwrap();
        same_at_last(|| scene.bench.host.dump(), &before);
    }
}

/// A container engine moves the device itself, and back when the endpoint leaves.
#[test]
fn an_engine_moves_a_device() {
    let scene = Scene::of(Bench::new());
    allow(&scene, "hostile", &[Permission::Devices]);
    let host = &scene.bench.host;
    let before = host.settled();
    let hostile = Name::new("hostile").unwrap();
    let ask = |request| {
        scene.bench.wait(scene.bench.controller.request(&Origin::Docker { api: None }, &hostile, request)).unwrap()
    };
    let (network, endpoint) = (Id::new("n1").unwrap(), Id::new("e1").unwrap());
    let options =
        NetworkOptions { ipv4: true, ipv6: false, internal: false, generic: Labels::new(), other: Labels::new() };
    let pool = Some("10.31.0.0/24".parse().unwrap());
    let pool = PoolData { address_space: "local".into(), pool, gateway: None, aux_addresses: [].into() };
    ask(Request::CreateNetwork(CreateNetwork { network: network.clone(), options, ipv4: vec![pool], ipv6: vec![] }));
    let key = || EndpointKey { network: network.clone(), endpoint: endpoint.clone() };
    let generic = [("attack".to_owned(), TAKE.to_owned())].into();
    let options = EndpointOptions { generic, ..EndpointOptions::default() };
    let interface = Interface { address: Some("10.31.0.2/24".parse().unwrap()), ..Interface::default() };
    ask(Request::CreateEndpoint(CreateEndpoint { key: key(), interface, options }));
    let join = Join { key: key(), sandbox: "/var/run/docker/netns/1".into(), options: EndpointOptions::default() };
    let answer = format!("{:?}", ask(Request::Join(join)));
    assert!(answer.contains("eth0"), "{answer}");
    host.run(&format!("ip link set eth0 netns {}", scene.other.text()));
    scene.other.run("ip link set eth0 name net7 mtu 1300 up");
    ask(Request::Leave(key()));
    scene.other.run("ip link set net7 down name eth0");
    let back = host.path().display().to_string();
    scene.other.run(&format!("ip link set eth0 netns {back}"));
    ask(Request::DeleteEndpoint(key()));
    ask(Request::DeleteNetwork(network.clone()));
    same_at_last(|| host.dump(), &before);
}

/// A daemon that is killed finds the device where it left it.
#[test]
fn a_device_outlives_the_daemon() {
    let mut daemon = Daemon::start();
    daemon.host.run("ip link add eth0 type veth peer name far0");
    daemon.host.run("ip link set far0 addrgenmode none up");
    daemon.host.run("ip link set eth0 up");
    daemon.host.run("ip address add 192.0.2.1/24 dev eth0");
    let hostile = driver("test/hostile");
    let grant = std::fs::read_to_string(hostile.with_extension("grant.toml")).unwrap();
    let grant = grant.replace("\"links\",", "\"links\", \"devices\",");
    std::fs::write(daemon.file("grant.toml"), format!("parents = [\"eth0\"]\n{grant}")).unwrap();
    let load = format!("driver load {} --grant {}", hostile.display(), daemon.file("grant.toml").display());
    daemon.ok(&load);
    daemon.ok("network create -d hostile --subnet 10.78.0.0/24 n");
    let (before, container) = (daemon.host.settled(), Namespace::new("c"));
    daemon.ok(&format!("endpoint attach n {} -o attack={TAKE}", container.text()));
    daemon.kill();
    daemon.run();
    assert!(container.run("ip -o link").contains(" eth0@"));
    daemon.ok("endpoint detach n c");
    same_at_last(|| daemon.host.dump(), &before);
    daemon.ok(&format!("endpoint attach n {} -o attack={TAKE}", container.text()));
    let inspected = daemon.ok("network inspect --verbose n");
    assert!(inspected.contains("device eth0 in a container"), "{inspected}");
    daemon.ok("endpoint detach n c");
    same_at_last(|| daemon.host.dump(), &before);
    daemon.ok("network rm n");
}
