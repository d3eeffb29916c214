//! Garbage collection beside a dockerd that says what it knows: what it has forgotten goes, and what it may still need stays.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pontoon_tests::{Daemon, Namespace, OLD_ENOUGH};
use serde_json::{Value, json};

use crate::plugin_socket::ask;

/// dockerd's API, as far as it is asked: the networks that it says it knows.
struct Api(Arc<Mutex<Value>>);

impl Api {
    /// Serves until the test's process ends.
    fn start(socket: &Path) -> Self {
        let knows = Arc::new(Mutex::new(json!([])));
        let (listener, networks) = (UnixListener::bind(socket).unwrap(), knows.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = [0; 4096];
                let length = stream.read(&mut head).unwrap();
                let head = String::from_utf8_lossy(&head[..length]).into_owned();
                let path = head.split(' ').nth(1).unwrap();
                let networks = networks.lock().unwrap().clone();
                let found = match path.strip_prefix("/networks/") {
                    None => Some(networks),
                    Some(id) => networks.as_array().unwrap().iter().find(|n| n["Id"] == id).cloned(),
                };
                let (status, body) = found.map_or((404, "{}".to_owned()), |found| (200, found.to_string()));
                let _ = write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            }
        });
        Self(knows)
    }

    fn knows(&self, networks: Value) {
        *self.0.lock().unwrap() = networks;
    }
}

/// A daemon with the drivers `bridge-a`, `bridge-b` and `probe`, and this API beside it.
fn daemon() -> (Daemon, Api) {
    let mut daemon = Daemon::stopped();
    let api = Api::start(&daemon.file("docker"));
    daemon.run();
    for (name, file) in [("bridge-a", "bridge"), ("bridge-b", "bridge"), ("probe", "test/probe")] {
        daemon.ok(&format!("driver load {} --name {name}", pontoon_tests::driver(file).display()));
    }
    (daemon, api)
}

fn ok(daemon: &Daemon, driver: &str, method: &str, body: Value) -> String {
    let (status, answer) = ask(daemon, driver, method, &body.to_string());
    assert_eq!(status, 200, "{method}: {answer}");
    answer
}

fn create(daemon: &Daemon, driver: &str, network: &str, number: u8) {
    let pool = json!({"Pool": format!("10.{number}.0.0/24"), "Gateway": format!("10.{number}.0.1/24")});
    ok(daemon, driver, "NetworkDriver.CreateNetwork", json!({"NetworkID": network, "IPv4Data": [pool]}));
}

/// An endpoint, and the name of the link that its container gets.
fn endpoint(daemon: &Daemon, driver: &str, network: &str, id: &str, address: &str) -> String {
    let interface = json!({"Address": address});
    ok(
        daemon,
        driver,
        "NetworkDriver.CreateEndpoint",
        json!({"NetworkID": network, "EndpointID": id, "Interface": interface}),
    );
    let join = json!({"NetworkID": network, "EndpointID": id, "SandboxKey": format!("/run/docker/netns/{id}")});
    let joined = ok(daemon, driver, "NetworkDriver.Join", join);
    joined.split("\"SrcName\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect()
}

#[test]
fn what_is_in_use_stays_whatever_dockerd_says() {
    let (daemon, _api) = daemon();
    let (used, dead) = (Namespace::new("used"), Namespace::new("dead"));
    create(&daemon, "bridge-a", "n1", 31);
    for (id, address, container) in [("e1", "10.31.0.2/24", &used), ("e2", "10.31.0.3/24", &dead)] {
        let link = endpoint(&daemon, "bridge-a", "n1", id, address);
        daemon.host.run(&format!("ip link set {link} netns {}", container.text()));
    }
    endpoint(&daemon, "bridge-a", "n1", "e3", "10.31.0.4/24");
    // Under other names they are the same links.
    let ports = daemon.host.run("ip -o link show type veth");
    for (number, line) in ports.lines().filter(|line| line.contains("master")).enumerate() {
        let name = line.split(": ").nth(1).unwrap().split('@').next().unwrap();
        daemon.host.run(&format!("ip link set {name} down name renamed{number} up"));
    }
    create(&daemon, "bridge-b", "n2", 32);
    std::thread::sleep(OLD_ENOUGH + Duration::from_secs(1));
    create(&daemon, "bridge-b", "n3", 33);
    let ports = || daemon.host.run("ip -o link show type veth").lines().filter(|line| line.contains("master")).count();
    assert_eq!(ports(), 3);
    drop(dead);
    pontoon_tests::until("the kernel", || ports() == 2);
    let collected = daemon.json("gc");
    assert_eq!(
        ids(&daemon.json("endpoint ls n1")),
        ["e1"],
        "in a container; the others are dead or on the host: {collected}"
    );
    assert_eq!(ids(&daemon.json("network ls")), ["n1", "n3"], "n1 is used, n3 may be on its way: {collected}");
}

#[test]
fn what_dockerd_knows_stays() {
    let (daemon, api) = daemon();
    create(&daemon, "bridge-a", "n1", 31);
    create(&daemon, "probe", "n2", 32);
    for (network, driver, address) in [("n1", "bridge-a", "10.31.0.2/24"), ("n2", "probe", "10.32.0.2/24")] {
        endpoint(&daemon, driver, network, "e1", address);
        endpoint(&daemon, driver, network, "e2", &address.replace(".2/", ".3/"));
    }
    let pool = ok(&daemon, "bridge-a", "IpamDriver.RequestPool", json!({"Pool": "10.40.0.0/24"}));
    let pool = pool.split("\"PoolID\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    ok(&daemon, "bridge-a", "IpamDriver.RequestPool", json!({"Pool": "10.41.0.0/24"}));
    for address in ["10.40.0.5", "10.40.0.6"] {
        ok(&daemon, "bridge-a", "IpamDriver.RequestAddress", json!({"PoolID": pool, "Address": address}));
    }
    let known = |id: &str, driver: &str| json!({"Id": id, "Driver": driver, "IPAM": {"Driver": "default"}, "Containers": {"c": {"EndpointID": "e1"}}});
    let with_pool = json!({"Id": "n9", "Driver": "other", "IPAM": {"Driver": "bridge-a", "Config": [{"Subnet": "10.40.0.0/24"}]},
        "Containers": {"c": {"EndpointID": "x", "IPv4Address": "10.40.0.5/24"}}});
    api.knows(json!([known("n1", "bridge-a"), known("n2", "probe"), with_pool]));
    std::thread::sleep(OLD_ENOUGH + Duration::from_secs(1));
    let collected = daemon.json("gc");
    assert_eq!(ids(&daemon.json("network ls")), ["n1", "n2"], "{collected}");
    for network in ["n1", "n2"] {
        assert_eq!(ids(&daemon.json(&format!("endpoint ls {network}"))), ["e1"], "{collected}");
    }
    let forgotten = collected["forgotten"].to_string();
    assert!(forgotten.contains("pool 10.41.0.0/24") && forgotten.contains("address 10.40.0.6"), "{collected}");
    assert!(!forgotten.contains("10.40.0.5") && !forgotten.contains("\"pool 10.40"), "{collected}");
    let (status, answer) = ask(
        &daemon,
        "bridge-a",
        "IpamDriver.RequestAddress",
        &json!({"PoolID": pool, "Address": "10.40.0.5"}).to_string(),
    );
    assert!(status == 500 && answer.contains("taken"), "{answer}");
}

/// Another dockerd knows nothing of what was made for this one, and neither does any of an operator's.
#[test]
fn an_engine_judges_only_its_own() {
    let (mut daemon, _api) = daemon();
    let other = daemon.file("other");
    let _knows_nothing = Api::start(&other);
    create(&daemon, "bridge-a", "n1", 31);
    create(&daemon, "bridge-a", "n2", 32);
    endpoint(&daemon, "bridge-a", "n2", "e1", "10.32.0.2/24");
    ok(&daemon, "bridge-a", "IpamDriver.RequestPool", json!({"Pool": "10.40.0.0/24"}));
    daemon.ok("network create --driver bridge-a own");
    let networks = daemon.json("network ls");
    let docker = json!({"engine": "docker", "api": daemon.file("docker")});
    let origins: Vec<_> = networks.as_array().unwrap().iter().map(|network| &network["origin"]).collect();
    assert_eq!(origins, [&docker, &docker, &json!({"engine": "native"})]);
    assert_eq!(daemon.json("endpoint ls n2")[0]["origin"], docker);
    std::thread::sleep(OLD_ENOUGH + Duration::from_secs(1));

    daemon.stop();
    let (serve, own) = (daemon.serve(), daemon.file("docker"));
    let mut beside_other = Command::new(serve.get_program());
    beside_other.args(serve.get_args().map(|arg| if Path::new(arg) == own { other.as_os_str() } else { arg }));
    daemon.run_as(beside_other);
    let collected = daemon.json("gc");
    assert_eq!((&collected["forgotten"], &collected["endpoints"]), (&json!([]), &json!([])), "{collected}");
    assert_eq!(daemon.json("network ls").as_array().unwrap().len(), 3);
    // To its own dockerd, a network is there beside any other.
    assert!(
        ask(&daemon, "bridge-a", "NetworkDriver.EndpointOperInfo", r#"{"NetworkID":"n2","EndpointID":"e1"}"#).0 == 200
    );

    daemon.restart();
    let collected = daemon.json("gc");
    let left = daemon.json("network ls");
    assert!(left.as_array().unwrap().len() == 1 && left[0]["name"] == "own", "{left} {collected}");
    assert!(collected["forgotten"].to_string().contains("pool 10.40.0.0/24"), "{collected}");
}

#[test]
fn without_dockerd_only_the_kernel_is_a_witness() {
    let daemon = Daemon::start();
    daemon.ok(&format!("driver load {} --name bridge-a", pontoon_tests::driver("bridge").display()));
    create(&daemon, "bridge-a", "n1", 31);
    let dead = Namespace::new("dead");
    let link = endpoint(&daemon, "bridge-a", "n1", "e1", "10.31.0.2/24");
    daemon.host.run(&format!("ip link set {link} netns {}", dead.text()));
    endpoint(&daemon, "bridge-a", "n1", "e2", "10.31.0.3/24");
    drop(dead);
    pontoon_tests::until("the kernel", || daemon.host.run("ip -o link show type veth").lines().count() == 2);
    let ran = daemon.cli("gc");
    assert!(ran.code == 0 && ran.err.contains("what dockerd has forgotten is not known"), "{ran:?}");
    assert_eq!(ids(&daemon.json("endpoint ls n1")), ["e2"]);
    assert_eq!(ids(&daemon.json("network ls")), ["n1"]);
}

/// The same for Docker's own requests, with addresses from here: no dockerd that can be asked, only the kernel.
#[test]
fn what_dead_containers_hold_is_free_when_it_is_wanted() {
    let daemon = Daemon::start();
    daemon.ok(&format!("driver load {} --name bridge-a", pontoon_tests::driver("bridge").display()));
    let pool = ok(&daemon, "bridge-a", "IpamDriver.RequestPool", json!({"Pool": "10.40.0.0/29"}));
    let pool = pool.split("\"PoolID\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let taken = |wanted: Value| {
        let mut body = wanted;
        body["PoolID"] = json!(pool);
        let answer = ok(&daemon, "bridge-a", "IpamDriver.RequestAddress", body);
        answer.split("\"Address\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    let gateway = taken(json!({"Options": {"RequestAddressType": "com.docker.network.gateway"}}));
    let data = json!({"AddressSpace": "PontoonLocal", "Pool": "10.40.0.0/29", "Gateway": gateway});
    ok(&daemon, "bridge-a", "NetworkDriver.CreateNetwork", json!({"NetworkID": "n1", "IPv4Data": [data]}));
    let die = |id: &str, address: &str| {
        let container = Namespace::new("dead");
        let link = endpoint(&daemon, "bridge-a", "n1", id, address);
        daemon.host.run(&format!("ip link set {link} netns {}", container.text()));
        drop(container);
        pontoon_tests::until("the kernel", || !daemon.host.run("ip -o link show type veth").contains("master"));
    };
    for number in 0..12 {
        die(&format!("e{number}"), &taken(json!({})));
    }
    for number in 12..14 {
        die(&format!("e{number}"), &taken(json!({"Address": "10.40.0.5"})));
    }
}
