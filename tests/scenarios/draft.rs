//! The draft of the interface's next track: a driver that is built with it, alone, and in one daemon with drivers of every release.

use ask::DRAFT;
use operation::driver::DriverDetails;
use pontoon_tests::{Daemon, LANGUAGES, Namespace, driver};

use crate::conformance::passes;
use crate::released::{unpack, versions};

/// Its grant with one line less.
fn grant_without(daemon: &Daemon, what: &str) -> String {
    let grant = std::fs::read_to_string(driver("test/draft").with_extension("grant.toml")).unwrap();
    assert_eq!(grant.matches(what).count(), 1, "{what}");
    let path = daemon.file("less.toml");
    std::fs::write(&path, grant.replace(what, "")).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_driver_of_the_draft_passes_the_suite() {
    let run = passes(&driver("test/draft"));
    let skipped: Vec<_> = run.ended("skipped").filter(|line| !line["reason"].to_string().contains("export")).collect();
    assert!(skipped.is_empty() && run.ended("passed").count() > 20, "{:#?}", run.lines);
}

/// The option that has the driver settle the pools, and the one that has it route something to its bridge.
const SETTLES: &str = "network create n -d draft --no-pools -o draft.pool=own";
const ROUTES: &str = "network create n -d draft --subnet 10.86.0.0/24 -o draft.route=10.88.0.0/24";

#[test]
fn what_changed_does_what_the_draft_says() {
    let mut daemon = Daemon::start();
    let component = driver("test/draft");
    let loaded = daemon.cli(&format!("driver load {}", component.display()));
    assert!(loaded.code == 0 && loaded.err.contains("is a draft"), "{loaded:?}");
    let details: DriverDetails = serde_json::from_value(daemon.json("driver inspect draft")).unwrap();
    assert_eq!(details.exports, [format!("pontoon:driver/driver@{DRAFT}")]);
    for import in [format!("routes@{DRAFT}#list"), "links@0.1.1#add".to_owned()] {
        assert!(details.imports.contains(&format!("pontoon:driver/{import}")), "{import}: {:?}", details.imports);
    }

    // What `create-network` answers is the network's, after a restart and a reboot as well.
    daemon.ok(&format!("{SETTLES} -o draft.route=10.88.0.0/24"));
    for again in ["", "restart", "reboot"] {
        match again {
            "restart" => daemon.restart(),
            "reboot" => {
                daemon.reboot();
                daemon.run();
            }
            _ => {}
        }
        let network = daemon.json("network inspect n");
        assert_eq!(network["pools"][0]["subnet"], "10.87.0.0/24", "{again}: {network}");
        let routed = daemon.host.run("ip route show 10.88.0.0/24");
        assert!(routed.contains("dev dr-") && routed.contains("metric 7"), "{again}: {routed}");
        let [one, other] = ["one", "other"].map(Namespace::new);
        let [_, second] = [&one, &other].map(|namespace| {
            let attached = daemon.json(&format!("endpoint attach n {}", namespace.text()));
            let address: ipnet::Ipv4Net = attached["address"].as_str().unwrap().parse().unwrap();
            address.addr().to_string()
        });
        assert!(one.pings(&second) && other.pings("10.87.0.1"), "{again}: {second}");
        assert!(one.run("ip route").contains("169.254.7.0/24"), "{again}");
        ["one", "other"].iter().for_each(|name| drop(daemon.ok(&format!("endpoint detach n {name}"))));
    }
    daemon.ok("network rm n");
}

/// What is said in the draft's words passes the same gate, and a call that it refuses leaves nothing behind.
#[test]
fn the_gate_decides_whichever_words_are_said() {
    let daemon = Daemon::start();
    let component = driver("test/draft").display().to_string();
    daemon.load("test/draft");
    for (less, create, says) in [
        ("pools = [\"10.87.0.0/24\"]", SETTLES, "10.87.0.0/24"),
        (", \"10.88.0.0/24\"", ROUTES, "10.88.0.0/24"),
        ("\"routing\", ", ROUTES, "routing"),
    ] {
        daemon.ok(&format!("driver upgrade draft {component} --grant {}", grant_without(&daemon, less)));
        let before = daemon.host.dump();
        let refused = daemon.refused(6, create);
        assert!(refused.contains("create-network") && refused.contains(says), "{less}: {refused}");
        assert_eq!(daemon.host.dump(), before, "{less}");
        assert_eq!(daemon.json("network ls").as_array().unwrap().len(), 0, "{less}");
    }
    // A network that has pools is given none.
    let grant = driver("test/draft").with_extension("grant.toml");
    daemon.ok(&format!("driver upgrade draft {component} --grant {}", grant.display()));
    let refused = daemon.refused(6, "network create n -d draft --subnet 10.86.0.0/24 -o draft.pool=own");
    assert!(refused.contains("has pools already"), "{refused}");
}

/// One daemon has drivers of every release in five languages, one of now and one of the draft. Each serves its network, whose endpoints reach each other;
/// one container has an endpoint of each, reaches all of them, and they reach each other through it.
#[test]
fn drivers_of_every_release_and_of_the_draft_live_side_by_side() {
    let (daemon, folder) = (Daemon::start(), tempfile::tempdir().unwrap());
    let mut components = vec![
        ("draft".to_owned(), driver("test/draft"), driver("test/draft")),
        ("now".to_owned(), driver("bridge"), driver("bridge")),
    ];
    for version in versions() {
        for language in ["rust"].iter().chain(LANGUAGES) {
            let name = format!("{language}-{version}");
            let component = folder.path().join(format!("{name}.wasm"));
            unpack(&version, language, &component);
            components.push((name, component, driver("bridge")));
        }
    }
    let load = |(name, component, granted): &(String, std::path::PathBuf, std::path::PathBuf)| {
        let grant = granted.with_extension("grant.toml");
        daemon.ok(&format!("driver load {} --name {name} --grant {}", component.display(), grant.display()));
    };
    std::thread::scope(|scope| components.iter().for_each(|driver| drop(scope.spawn(|| load(driver)))));
    let hub = Namespace::new("hub");
    hub.run("sysctl -q -w net.ipv4.ip_forward=1");
    let containers: Vec<_> = components.iter().map(|_| Namespace::new("container")).collect();
    for (number, ((name, ..), container)) in components.iter().zip(&containers).enumerate() {
        daemon.ok(&format!("network create {name} -d {name} --subnet 10.{}.0.0/24", 60 + number));
        for namespace in [&hub, container] {
            daemon.ok(&format!("endpoint attach {name} {}", namespace.text()));
        }
        // The hub has the first address after the gateway's.
        container.run(&format!("ip route replace 10.0.0.0/8 via 10.{}.0.2", 60 + number));
    }
    for (number, container) in containers.iter().enumerate() {
        let name = &components[number].0;
        assert!(container.pings(&format!("10.{}.0.2", 60 + number)), "{name}: its neighbour");
        assert!(hub.pings(&format!("10.{}.0.3", 60 + number)), "{name}: from its neighbour");
        let next = (number + 1) % containers.len();
        assert!(container.pings(&format!("10.{}.0.3", 60 + next)), "{name} to {}", components[next].0);
    }
}
