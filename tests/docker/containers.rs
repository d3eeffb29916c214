//! What users do with containers and networks.

use pontoon_tests::{Machine, ask_udp, fetch, listen_tcp, listen_udp, outside};

use crate::with_every_dockerd;

with_every_dockerd!(
    packets_go_everywhere,
    ports_are_published,
    thousands_of_ports_are_published,
    addresses_and_options_are_heeded,
    several_networks_for_one_container,
    stopped_started_restarted_and_linked,
    eight_at_once,
    pontoon_manages_the_addresses,
    a_driver_chooses_the_pool,
    an_internal_network_has_no_way_out,
);

/// Both families.
const DUAL: &str = "--ipv6 --subnet 10.31.0.0/24 --subnet fd00:31::/64";

pub fn pings(machine: &Machine, container: &str, address: &str) -> bool {
    machine.try_docker(&format!("exec {container} ping -c 1 -W 2 {address}")).is_ok()
}

fn packets_go_everywhere(version: &str) {
    let machine = Machine::start(version);
    let outside = outside(&machine.host);
    let before = machine.host.dump();
    machine.docker(&format!("network create -d pontoon-bridge {DUAL} n"));
    for name in ["c1", "c2"] {
        machine.docker(&format!("run -d --name {name} --network n bb:1 sleep 1d"));
    }
    for key in ["IPAddress", "GlobalIPv6Address"] {
        let (first, second) = (machine.address("c1", "n", key), machine.address("c2", "n", key));
        assert!(pings(&machine, "c1", &second) && pings(&machine, "c2", &first), "{key}");
        assert!(machine.host.pings(&first), "from the host: {key}");
        assert!(!outside.pings(&first), "nobody outside routes into the network");
    }
    assert!(pings(&machine, "c1", "c2"), "by name");
    for target in ["10.31.0.1", "fd00:31::1", "192.0.2.2", "2001:db8::2"] {
        assert!(pings(&machine, "c1", target), "{target}");
    }
    machine.agree();
    machine.remove("c1 c2");
    machine.docker("network rm n");
    machine.is_clean(&before);
}

fn ports_are_published(version: &str) {
    let machine = Machine::start(version);
    let outside = outside(&machine.host);
    let before = machine.host.dump();
    machine.docker(&format!("network create -d pontoon-bridge {DUAL} n"));
    machine.docker(
        "run -d --name c1 --network n -p 8080:80 -p 5353:53/udp -p 127.0.0.1:8081:80 -p 192.0.2.1:8082:80 \
         -p 9000-9001:80 -p 9001:80 -p 9010-9011:80-81 -p 80 bb:1 sleep 1d",
    );
    let c1 = machine.container("c1");
    listen_tcp(&c1, 80, "hello");
    listen_tcp(&c1, 81, "next");
    listen_udp(&c1, 53, "answer");
    for target in ["192.0.2.1:8080", "[2001:db8::1]:8080", "192.0.2.1:8082", "192.0.2.1:9000", "192.0.2.1:9001"] {
        assert_eq!(fetch(&outside, target), "hello", "{target} from outside");
    }
    assert_eq!(fetch(&outside, "192.0.2.1:9011"), "next", "a range for a range");
    assert_eq!(fetch(&outside, "192.0.2.1:8081"), "", "the host's own only");
    for target in ["127.0.0.1:8080", "127.0.0.1:8081", "192.0.2.1:8080"] {
        assert_eq!(fetch(&machine.host, target), "hello", "{target} from the host");
    }
    assert_eq!(ask_udp(&outside, 4, "192.0.2.1:5353"), "answer");
    assert_eq!(ask_udp(&outside, 6, "[2001:db8::1]:5353"), "answer");
    machine.docker("run -d --name c2 --network n bb:1 sleep 1d");
    assert_eq!(fetch(&machine.container("c2"), "192.0.2.1:8080"), "hello", "from a neighbour");
    assert_eq!(fetch(&c1, "192.0.2.1:8080"), "hello", "from the container itself");
    let refusal = machine.try_docker("run -d --name c3 --network n -p 8080:80 bb:1 sleep 1d").unwrap_err();
    assert!(refusal.contains("8080"), "{refusal}");
    let bad = [("[::1]:8083:80", "use 127.0.0.1"), ("192.0.2.77:8083:80", "the host does not have this address")];
    for (binding, part) in bad {
        let refusal = machine.try_docker(&format!("run -d --name c5 --network n -p {binding} bb:1 true")).unwrap_err();
        assert!(refusal.contains(part), "{refusal}");
        machine.docker("rm -f c5");
    }
    listen_tcp(&machine.host, 8084, "the host's own");
    let refusal = machine.try_docker("run -d --name c5 --network n -p 8084:80 bb:1 true").unwrap_err();
    assert!(refusal.contains("8084/tcp is in use"), "{refusal}");
    machine.remove("c1 c2 c3 c5");
    machine.docker("run -d --name c4 --network n -p 8080:80 bb:1 sleep 1d");
    machine.docker("rm -f c4");
    machine.docker("network rm n");
    assert_eq!(fetch(&outside, "192.0.2.1:8080"), "");
    machine.is_clean(&before);
}

fn thousands_of_ports_are_published(version: &str) {
    let machine = Machine::start(version);
    let outside = outside(&machine.host);
    let before = machine.host.dump();
    machine.docker(&format!("network create -d pontoon-bridge {DUAL} n"));
    let begin = std::time::Instant::now();
    machine.docker("run -d --name c1 --network n -p 10000-12000:10000-12000/udp -p 80 bb:1 sleep 1d");
    println!("{version}: 2001 ports in {:?}", begin.elapsed());
    let c1 = machine.container("c1");
    for port in [10_000, 11_000, 12_000] {
        listen_udp(&c1, port, "answer");
        assert_eq!(ask_udp(&outside, 4, &format!("192.0.2.1:{port}")), "answer", "{port}");
        assert_eq!(ask_udp(&outside, 6, &format!("[2001:db8::1]:{port}")), "answer", "{port}");
    }
    let ports = machine.pontoon_json("endpoint ls")[0]["ports"].clone();
    let chosen = ports.as_array().unwrap().iter().find(|port| port["protocol"] == "tcp").unwrap()["host_port"].clone();
    assert!(ports.as_array().unwrap().len() == 2 && chosen.as_u64() >= Some(32_768), "{ports}");
    listen_tcp(&c1, 80, "hello");
    assert_eq!(fetch(&outside, &format!("192.0.2.1:{chosen}")), "hello");
    let begin = std::time::Instant::now();
    machine.remove("c1");
    println!("{version}: and away in {:?}", begin.elapsed());
    machine.docker("network rm n");
    machine.is_clean(&before);
}

fn addresses_and_options_are_heeded(version: &str) {
    let machine = Machine::start(version);
    let before = machine.host.dump();
    machine.docker(&format!(
        "network create -d pontoon-bridge {DUAL} --gateway 10.31.0.7 --ip-range 10.31.0.128/25 --aux-address x=10.31.0.129 \
         -o com.docker.network.bridge.name=mybridge -o com.docker.network.driver.mtu=1400 \
         -o com.docker.network.bridge.enable_icc=false --label a=b n"
    ));
    machine.docker(
        "run -d --name c1 --network n --ip 10.31.0.9 --ip6 fd00:31::9 --mac-address 02:42:0a:1f:00:09 bb:1 sleep 1d",
    );
    machine.docker("run -d --name c2 --network n bb:1 sleep 1d");
    let details = machine.inspect("inspect c1")["NetworkSettings"]["Networks"]["n"].clone();
    assert_eq!(details["MacAddress"], "02:42:0a:1f:00:09");
    assert_eq!((&details["IPAddress"], &details["GlobalIPv6Address"]), (&"10.31.0.9".into(), &"fd00:31::9".into()));
    let link = machine.docker("exec c1 ip link show eth0");
    assert!(link.contains("mtu 1400") && link.contains("02:42:0a:1f:00:09"), "{link}");
    assert!(machine.docker("exec c2 ip -4 address show eth0").contains("10.31.0.128/24"), "the range's first address");
    assert!(machine.docker("exec c1 ip route").contains("default via 10.31.0.7"));
    assert!(machine.host.run("ip -o address show mybridge").contains("10.31.0.7/24"));
    assert!(pings(&machine, "c1", "10.31.0.7") && !pings(&machine, "c2", "10.31.0.9"), "isolated from each other");
    let taken = machine.try_docker("run --rm --network n --ip 10.31.0.9 bb:1 true").unwrap_err();
    assert!(taken.contains("Address already in use"), "{taken}");
    for (options, part) in [
        ("-o com.docker.network.driver.mtu=lots", "mtu"),
        ("-o com.docker.network.bridge.name=mybridge", "mybridge"),
        ("-o com.docker.network.bridge.gateway_mode_ipv4=routed", "only \"nat\""),
    ] {
        let refusal = machine.try_docker(&format!("network create -d pontoon-bridge {options} m")).unwrap_err();
        assert!(refusal.contains(part), "{refusal}");
    }
    machine.agree();
    machine.remove("c1 c2");
    machine.docker("network rm n");
    machine.is_clean(&before);
}

fn several_networks_for_one_container(version: &str) {
    let machine = Machine::start(version);
    let outside = outside(&machine.host);
    let before = machine.host.dump();
    for (name, number) in [("one", 31), ("two", 32), ("three", 33)] {
        machine.docker(&format!("network create -d pontoon-bridge --subnet 10.{number}.0.0/24 {name}"));
    }
    machine.docker("run -d --name c1 --network one -p 8080:80 bb:1 sleep 1d");
    machine.docker("run -d --name c2 --network two bb:1 sleep 1d");
    assert!(!pings(&machine, "c1", &machine.address("c2", "two", "IPAddress")), "networks are kept apart");
    machine.docker("network connect --alias other --ip 10.32.0.99 two c1");
    machine.docker("network connect three c1");
    assert!(pings(&machine, "c2", "10.32.0.99") && pings(&machine, "c2", "other"));
    assert_eq!(machine.docker("exec c1 ip route").lines().filter(|l| l.starts_with("default")).count(), 1);
    listen_tcp(&machine.container("c1"), 80, "hello");
    assert_eq!(fetch(&outside, "192.0.2.1:8080"), "hello");
    machine.agree();
    machine.docker("network disconnect one c1");
    assert_eq!(machine.docker("exec c1 ip route").lines().filter(|l| l.starts_with("default")).count(), 1);
    assert!(pings(&machine, "c1", "192.0.2.2"), "by another network now");
    assert_eq!(fetch(&outside, "192.0.2.1:8080"), "hello", "dockerd has the new gateway endpoint publish its ports");
    machine.docker("network connect one c1");
    machine.docker("network disconnect -f two c1");
    machine.agree();
    machine.remove("c1 c2");
    machine.docker("network rm one two");
    assert!(machine.docker("network prune -f").contains("three"));
    machine.is_clean(&before);
}

fn stopped_started_restarted_and_linked(version: &str) {
    let machine = Machine::start(version);
    let before = machine.host.dump();
    machine.docker(&format!("network create -d pontoon-bridge {DUAL} n"));
    machine.docker("run -d --name c1 --network n -p 8080:80 bb:1 sleep 1d");
    machine.docker("run -d --name c2 --network n --link c1:first bb:1 sleep 1d");
    assert!(pings(&machine, "c2", "first"), "by its link's name");
    for line in ["stop -t 0 c1", "start c1", "restart -t 0 c1", "kill c1", "start c1", "pause c1", "unpause c1"] {
        machine.docker(line);
        machine.agree();
    }
    assert!(pings(&machine, "c2", "c1"));
    machine.docker("run --rm --network n bb:1 true");
    machine.docker("run --rm --network container:c1 bb:1 true");
    let used = machine.try_docker("network rm n").unwrap_err();
    assert!(used.contains("active endpoints"), "{used}");
    machine.remove("c1 c2");
    machine.docker("network rm n");
    machine.is_clean(&before);
}

fn eight_at_once(version: &str) {
    let mut machine = Machine::start(version);
    let before = machine.host.dump();
    machine.docker(&format!("network create -d pontoon-bridge {DUAL} n"));
    let all = |line: &dyn Fn(usize) -> String| {
        let mut racing: Vec<_> = (0..8).map(|i| machine.docker_command(&line(i)).spawn().unwrap()).collect();
        assert!(racing.iter_mut().all(|child| child.wait().unwrap().success()));
    };
    all(&|i| format!("run -d --name c{i} --network n -p {}:80 bb:1 sleep 1d", 8080 + i));
    machine.agree();
    for i in 0..8 {
        assert!(machine.host.pings(&machine.address(&format!("c{i}"), "n", "IPAddress")), "c{i}");
    }
    all(&|i| format!("rm -f c{i}"));
    remove_after_a_race(&mut machine, "n");
    machine.is_clean(&before);
}

/// Removes a network whose containers went at the same time: see [`Machine::remove`]. dockerd counts what it lists when it starts again.
fn remove_after_a_race(machine: &mut Machine, network: &str) {
    let Err(refusal) = machine.try_docker(&format!("network rm {network}")) else { return };
    assert!(refusal.contains("active endpoints"), "{refusal}");
    assert_eq!(machine.docker(&format!("network inspect -f {{{{.Containers}}}} {network}")), "map[]", "{refusal}");
    machine.agree();
    machine.end_dockerd("TERM");
    machine.run_dockerd(&[]);
    machine.docker(&format!("network rm {network}"));
}

fn pontoon_manages_the_addresses(version: &str) {
    let machine = Machine::start(version);
    let before = machine.host.dump();
    let create = "network create -d pontoon-bridge --ipam-driver pontoon-bridge";
    machine.docker(&format!("{create} a"));
    machine.docker(&format!("{create} b"));
    machine.docker(&format!("{create} --subnet 10.36.0.0/24 --ip-range 10.36.0.128/25 --gateway 10.36.0.3 c"));
    let refusal = machine.try_docker(&format!("{create} --subnet 10.36.0.128/25 d")).unwrap_err();
    assert!(refusal.contains("overlaps"), "{refusal}");
    machine.docker(&format!("{create} --ipv6 --subnet 10.37.0.0/24 --subnet fd00:37::/64 e"));
    for (name, network) in [("c1", "a"), ("c2", "a"), ("c3", "c"), ("c4", "e")] {
        machine.docker(&format!("run -d --name {name} --network {network} bb:1 sleep 1d"));
    }
    assert!(pings(&machine, "c1", &machine.address("c2", "a", "IPAddress")));
    assert_eq!(machine.address("c3", "c", "IPAddress"), "10.36.0.128");
    assert!(pings(&machine, "c3", "10.36.0.3") && pings(&machine, "c4", "fd00:37::1"));
    let taken = machine.try_docker("run --rm --network c --ip 10.36.0.128 bb:1 true").unwrap_err();
    assert!(taken.contains("10.36.0.128") && taken.contains("taken"), "{taken}");
    machine.docker("run --rm --network c --ip 10.36.0.20 bb:1 true");
    machine.pontoon("network create -d pontoon-bridge own");
    machine.pontoon("network rm own");
    machine.remove("c1 c2 c3 c4");
    machine.docker("network rm a b c e");
    machine.docker(&format!("{create} --subnet 10.36.0.0/16 f"));
    machine.docker("network rm f");
    machine.is_clean(&before);
}

/// Of a network without address management, whose driver chooses a pool, dockerd has no addresses to give.
fn a_driver_chooses_the_pool(version: &str) {
    let machine = Machine::start(version);
    machine.pontoon(&format!("driver load {} --name probe", pontoon_tests::driver("test/probe").display()));
    machine.docker("network create -d probe --ipam-driver null -o probe.do=network-info n");
    for (name, address) in [("c1", "192.0.2.2"), ("c2", "192.0.2.3")] {
        machine.docker(&format!("run -d --name {name} --network n bb:1 sleep 1d"));
        assert_eq!(machine.address(name, "n", "IPAddress"), address);
        assert!(machine.docker(&format!("exec {name} ip address")).contains(&format!("{address}/24")));
    }
    machine.docker("restart -t 0 c1");
    let again = machine.address("c1", "n", "IPAddress");
    assert!(again.starts_with("192.0.2.") && again != "192.0.2.3", "{again}");
    machine.remove("c1 c2");
    machine.docker("network rm n");
    // Not as it was: the network has no gateway, so dockerd has made its own bridge for one.
    machine.agree();
    assert_eq!(machine.pontoon_json("network ls"), serde_json::json!([]));
}

fn an_internal_network_has_no_way_out(version: &str) {
    let machine = Machine::start(version);
    let outside = outside(&machine.host);
    let before = machine.host.dump();
    machine.docker("network create -d pontoon-bridge --internal --subnet 10.31.0.0/24 n");
    for name in ["c1", "c2"] {
        machine.docker(&format!("run -d --name {name} --network n --cap-add NET_ADMIN -p 8080:80 bb:1 sleep 1d"));
    }
    assert!(pings(&machine, "c1", &machine.address("c2", "n", "IPAddress")));
    machine.docker("exec c1 ip route add default via 10.31.0.1");
    assert!(!pings(&machine, "c1", "192.0.2.2"), "not even for one who sets a route");
    machine.remove("c1 c2");
    machine.docker("network rm n");
    machine.is_clean(&before);
    drop(outside);
}
