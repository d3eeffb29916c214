//! Many at the same time, and the same names again at once.

use pontoon_tests::{Daemon, Namespace, at_once, same_at_last};

use crate::restart::used_once;

/// Runs command lines at the same time, and gives back how many succeeded.
fn race(daemon: &Daemon, lines: impl IntoIterator<Item = String>) -> usize {
    let racing = daemon.ask_in_background(lines);
    racing.into_iter().filter_map(|mut child| child.wait().ok()).filter(std::process::ExitStatus::success).count()
}

#[test]
fn of_networks_that_race_for_a_bridge_name_one_wins() {
    let daemon = Daemon::start();
    daemon.load("bridge");
    for round in 0..5 {
        let create = |i: i32| format!("network create n{round}{i} -o com.docker.network.bridge.name=same");
        assert_eq!(race(&daemon, (0..6).map(create)), 1, "round {round}");
        let networks = daemon.json("network ls");
        assert_eq!(networks.as_array().unwrap().len(), 1, "{networks}");
        assert_eq!(daemon.host.run("ip -o link show type bridge").lines().count(), 1);
        daemon.ok(&format!("network rm {}", networks[0]["name"].as_str().unwrap()));
    }
}

#[test]
fn of_networks_that_race_for_a_subnet_or_a_name_one_wins() {
    let daemon = Daemon::start();
    daemon.load("bridge");
    let bare = daemon.host.dump();
    let subnet = |i: i32| {
        format!(
            "network create s{i} --subnet 10.5.{}.0/{}",
            if i % 2 == 0 { 0 } else { 3 },
            if i % 2 == 0 { 22 } else { 24 }
        )
    };
    assert_eq!(race(&daemon, (0..6).map(subnet)), 1);
    assert_eq!(race(&daemon, (0..6).map(|_| "network create name".to_owned())), 1);
    for network in daemon.json("network ls").as_array().unwrap() {
        daemon.ok(&format!("network rm {}", network["name"].as_str().unwrap()));
    }
    same_at_last(|| forwarding_off(&daemon.host.dump()), &forwarding_off(&bare));
}

#[test]
fn of_endpoints_that_race_for_an_address_or_a_port_one_wins() {
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon.ok("network create n --subnet 10.5.0.0/24");
    daemon.ok("network create m");
    let namespaces: Vec<_> = (0..6).map(|i| Namespace::new(&format!("a{i}"))).collect();
    let with_address = namespaces.iter().map(|n| format!("endpoint attach n {} --ip 10.5.0.9", n.text()));
    assert_eq!(race(&daemon, with_address), 1);
    let (of_n, of_m) = namespaces.split_at(3);
    for endpoint in daemon.json("endpoint ls").as_array().unwrap() {
        daemon.ok(&format!("endpoint detach {}", endpoint["id"].as_str().unwrap()));
    }
    let on_n = of_n.iter().map(|n| format!("endpoint attach n {} -p 8080:80", n.text()));
    let on_m = of_m.iter().map(|n| format!("endpoint attach m {} -p 8080:80", n.text()));
    assert_eq!(race(&daemon, on_n.chain(on_m)), 1, "one network's endpoints have no port of another's");
}

#[test]
fn eight_at_once() {
    let daemon = Daemon::start();
    daemon.load("bridge");
    daemon.ok("network create --ipv6 n");
    let bare = used_once(&daemon);
    let namespaces: Vec<_> = (0..8).map(|i| Namespace::new(&format!("a{i}"))).collect();
    assert_eq!(race(&daemon, namespaces.iter().map(|n| format!("endpoint attach n {}", n.text()))), 8);
    for endpoint in daemon.json("endpoint ls n").as_array().unwrap() {
        assert!(daemon.host.pings(endpoint["address"].as_str().unwrap().split('/').next().unwrap()), "{endpoint}");
    }
    assert_eq!(race(&daemon, namespaces.iter().map(|n| format!("endpoint detach n {}", n.text()))), 8);
    same_at_last(|| daemon.host.dump(), &bare);
}

/// The bridge driver reads all of its networks when it makes one, so that each commit overtakes all others who make one.
#[test]
fn of_clients_that_make_and_remove_networks_without_a_pause_none_is_refused() {
    const CLIENTS: usize = 8;
    const NETWORKS: usize = 20;
    let daemon = Daemon::start();
    daemon.load("bridge");
    let create = |number: usize| {
        daemon.ask("POST /networks", &format!(r#"{{"name":"n{number}","driver":"bridge"}}"#));
    };
    at_once(CLIENTS, 0..CLIENTS * NETWORKS, create);
    assert_eq!(daemon.json("network ls").as_array().unwrap().len(), CLIENTS * NETWORKS);
    at_once(CLIENTS, 0..CLIENTS * NETWORKS, |number| {
        daemon.ask(&format!("DELETE /networks/n{number}"), "");
        create(number);
        daemon.ask(&format!("DELETE /networks/n{number}"), "");
    });
    same_at_last(|| daemon.host.run("ip -o link show type bridge"), &String::new());
}

#[test]
fn the_same_names_again_at_once() {
    let daemon = Daemon::start();
    daemon.load("bridge");
    let (a, b) = (Namespace::new("a"), Namespace::new("b"));
    let mut waiting = 0;
    for _ in 0..10 {
        daemon.ok("network create n --subnet 10.5.0.0/24 -o com.docker.network.bridge.name=same");
        daemon.ok(&format!("endpoint attach n {}", b.text()));
        for _ in 0..3 {
            daemon.ok(&format!(
                "endpoint attach n {} --ip 10.5.0.9 --interface net0 --mac-address 02:00:00:00:00:09 -p 8080:80",
                a.text()
            ));
            assert!(b.pings("10.5.0.9"));
            daemon.ok(&format!("endpoint detach n {}", a.text()));
            waiting += usize::from(daemon.host.run("ip -o link").contains(": pc"));
        }
        daemon.ok(&format!("endpoint detach n {}", b.text()));
        daemon.ok("network rm n");
        waiting += usize::from(daemon.host.run("ip -o link").contains(": pc"));
    }
    // On a busy machine the reaper is done before anybody looks.
    println!("{waiting} times the reaper still had an old link");
}

fn forwarding_off(dump: &str) -> String {
    dump.replace("forward = 1", "forward = 0").replace("forwarding = 1", "forwarding = 0")
}
