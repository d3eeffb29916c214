//! Files of the state folder that somebody changed while the daemon was stopped: it starts, and its networks stay.

use std::path::PathBuf;

use pontoon_tests::{Daemon, Namespace, Pinging, driver};

use super::{files, refused, with_a_network};
use crate::packets::address;

/// The one file of a folder.
fn only(daemon: &Daemon, folder: &str) -> PathBuf {
    let mut names = files(&daemon.file(folder)).into_keys();
    let name = names.next().unwrap();
    assert_eq!(names.next(), None);
    daemon.file(folder).join(name)
}

/// Flips a bit in the middle of a file.
fn flip(path: &PathBuf) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn compiled_code_that_was_changed_is_compiled_again() {
    let mut daemon = with_a_network();
    let path = only(&daemon, "state/compiled");
    let whole = std::fs::read(&path).unwrap();
    let damages: &[(&str, &dyn Fn())] = &[
        ("flipped", &|| flip(&path)),
        ("cut", &|| std::fs::write(&path, &whole[..whole.len() / 2]).unwrap()),
        ("emptied", &|| std::fs::write(&path, "").unwrap()),
        ("gone", &|| std::fs::remove_file(&path).unwrap()),
    ];
    for (what, damage) in damages {
        daemon.stop();
        damage();
        daemon.run();
        let a = Namespace::new("a");
        daemon.ok(&format!("endpoint attach n {}", a.text()));
        assert_eq!(std::fs::read(&path).unwrap(), whole, "{what}: the same code again");
        daemon.ok("endpoint detach n a");
    }
}

#[test]
fn a_component_that_was_changed_is_not_run_and_its_networks_stay() {
    let mut daemon = with_a_network();
    let (a, b) = (Namespace::new("a"), Namespace::new("b"));
    daemon.ok(&format!("endpoint attach n {}", a.text()));
    let pinging = Pinging::start(&a, "10.201.0.1");
    let gateway = daemon.json("network inspect n")["pools"][0]["gateway"].as_str().unwrap().to_owned();
    assert_eq!(gateway, "10.201.0.1");
    let host = daemon.host.settled();
    let path = only(&daemon, "state/components");
    daemon.stop();
    flip(&path);
    daemon.run();
    assert_eq!(daemon.host.dump(), host);
    let drivers = daemon.json("driver ls");
    let state = drivers[0]["state"].as_str().unwrap();
    assert!(state.contains("the component was changed") && !state.contains('\n'), "{state}");
    assert_eq!(daemon.ok("driver ls").lines().count(), 2);
    assert_eq!(daemon.json("network ls")[0]["name"], "n");
    let (sent, came) = pinging.stop();
    assert!(came >= sent - 1, "{came} of {sent} pings came back");
    let attach = format!("endpoint attach n {}", b.text());
    refused(&daemon, 1, &attach, &["the driver bridge could not be loaded", "was changed"]);
    refused(&daemon, 1, "driver inspect bridge", &["could not be loaded"]);
    refused(&daemon, 6, "driver rm bridge", &["serves the network"]);
    let other = format!("driver load {} --name bridge", driver("null").display());
    refused(&daemon, 5, &other, &["another component"]);
    // Its own component mends it, without a restart.
    daemon.load("bridge");
    daemon.ok(&attach);
    assert!(a.pings(&address(&daemon, "n", "b", "address")));
    daemon.restart();
    assert_eq!(daemon.json("driver ls")[0]["state"], "ready");
}

#[test]
fn a_network_whose_driver_is_lost_can_be_removed() {
    let mut daemon = Daemon::start();
    let before = daemon.host.dump();
    daemon.load("bridge");
    daemon.ok("network create n");
    let a = Namespace::new("a");
    daemon.ok(&format!("endpoint attach n {} -p 8080:80", a.text()));
    daemon.stop();
    std::fs::remove_file(only(&daemon, "state/components")).unwrap();
    daemon.run();
    daemon.ok("endpoint detach n a");
    daemon.ok("network rm n");
    daemon.ok("driver rm bridge");
    let forwarding =
        |dump: String| dump.replace("forward = 1", "forward = 0").replace("forwarding = 1", "forwarding = 0");
    assert_eq!(forwarding(daemon.host.dump()), forwarding(before));
    assert_eq!(files(&daemon.file("state/compiled")).len(), 0);
    daemon.load("bridge");
}

#[test]
fn a_component_keeps_its_configuration_when_it_is_mended() {
    let mut daemon = Daemon::start();
    daemon.ok(&format!("driver load {} --set network-type=mine", driver("test/probe").display()));
    daemon.stop();
    flip(&only(&daemon, "state/components"));
    daemon.run();
    daemon.ok(&format!("driver load {}", driver("test/probe").display()));
    let details = daemon.json("driver inspect probe");
    assert_eq!((&details["network_type"], &details["configuration"]["network-type"]), (&"mine".into(), &"mine".into()));
}

#[test]
fn the_drivers_folder_with_a_bad_file() {
    let mut daemon = Daemon::stopped();
    std::fs::create_dir(daemon.file("drivers")).unwrap();
    let place = |name: &str| daemon.file("drivers").join(name);
    std::fs::write(place("a-bad.wasm"), "no component").unwrap();
    std::fs::write(place("-.wasm"), "no name").unwrap();
    std::fs::create_dir(place("folder.wasm")).unwrap();
    for extension in ["wasm", "grant.toml"] {
        std::fs::copy(driver("bridge").with_extension(extension), place("bridge").with_extension(extension)).unwrap();
    }
    daemon.run();
    daemon.ok("network create n");
    assert_eq!(daemon.json("driver ls").as_array().unwrap().len(), 1);
    // A damaged copy in the state folder is mended from there.
    daemon.stop();
    flip(&only(&daemon, "state/components"));
    daemon.run();
    assert_eq!(daemon.json("driver ls")[0]["state"], "ready");
    // Another component under the same name is no upgrade.
    daemon.stop();
    std::fs::copy(driver("null"), daemon.file("drivers").join("bridge.wasm")).unwrap();
    daemon.run();
    assert_eq!(daemon.json("driver inspect bridge")["network_type"], "bridge");
}

#[test]
fn what_a_killed_load_left_is_swept() {
    let mut daemon = with_a_network();
    daemon.stop();
    for folder in ["state/compiled", "state/components"] {
        std::fs::write(daemon.file(folder).join("0123.part7"), "half").unwrap();
    }
    daemon.run();
    only(&daemon, "state/compiled");
    only(&daemon, "state/components");
}
