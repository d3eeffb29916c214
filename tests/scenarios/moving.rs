//! A driver goes to another host as one file: component, grant, configuration, history and state.

use std::fs;

use pontoon_tests::{Daemon, driver};

use crate::upgrades::{Served, ends, served_by};

/// What a driver keeps, without the numbers of the commits.
fn state(daemon: &Daemon) -> Vec<String> {
    let stored = daemon.stored();
    let rows =
        stored.lines().filter(|line| line.starts_with("state: ")).map(|line| line.split(" | ").collect::<Vec<_>>());
    let mut rows: Vec<_> = rows.map(|columns| [columns[2], columns[3], columns[5]].join(" | ")).collect();
    rows.sort();
    rows
}

/// A driver with a history and some state, and its file.
fn exported() -> (Served, String) {
    let served = served_by("test/migrating");
    served.daemon.ok(&format!("driver upgrade d {} --set schema=2 --set a=b", driver("test/migrating").display()));
    let file = served.daemon.file("d.pontoon").display().to_string();
    served.daemon.ok(&format!("driver export d {file}"));
    (served, file)
}

#[test]
fn a_driver_moves_house() {
    let (served, file) = exported();
    let mut other = Daemon::start();
    other.ok(&format!("driver import {file}"));
    assert_eq!(state(&other), state(&served.daemon));
    let (here, there) = (served.daemon.json("driver inspect d"), other.json("driver inspect d"));
    for same in ["digest", "grant", "configuration", "parts", "network_type"] {
        assert_eq!(here[same], there[same], "{same}");
    }
    assert_eq!(ends(&other, "d"), ["replaced by version 2", "serves"]);
    let history = other.json("driver history d");
    assert_eq!(
        (&history[0]["from"], &history[0]["by"], &history[0]["number"]),
        (&file.clone().into(), &0.into(), &2.into())
    );
    assert!(other.file("plugins/d.sock").exists());
    // The component before it stayed where it was.
    assert!(other.refused(7, "driver rollback d").contains("no version to go back to"));
    other.restart();
    assert_eq!(other.json("driver ls")[0]["state"], "ready");
    other.ok("network create m -d d");
    // What is exported there is the same again.
    let again = other.file("again").display().to_string();
    other.ok("network rm m");
    other.ok(&format!("driver export d {again}"));
    let third = Daemon::start();
    third.ok(&format!("driver import {again} --name e"));
    assert_eq!(state(&third), state(&other));
    assert_eq!(third.json("driver ls")[0]["name"], "e");
}

/// Its own history and state stay: only the component, the grant and the configuration come.
#[test]
fn one_that_is_there_is_upgraded() {
    let (_served, file) = exported();
    let there = served_by("test/migrating");
    let before = state(&there.daemon).len();
    there.daemon.ok(&format!("driver import {file}"));
    assert_eq!(there.daemon.json("driver inspect d")["configuration"]["a"], "b");
    assert_eq!((ends(&there.daemon, "d").len(), state(&there.daemon).len()), (2, before));
    there.serves();
}

#[test]
fn a_file_that_is_not_whole_changes_nothing() {
    let (served, file) = exported();
    let whole = fs::read(&file).unwrap();
    let there = served_by("null");
    let place = |bytes: &[u8]| there.component("bad", bytes);
    let flipped = |place: usize| {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        bytes
    };
    let text = |from: &str, to: &str| {
        let at = whole.windows(from.len()).position(|bytes| bytes == from.as_bytes()).unwrap();
        [&whole[..at], to.as_bytes(), &whole[at + from.len()..]].concat()
    };
    let files: [(Vec<u8>, &str); 7] = [
        (whole[..whole.len() / 2].to_vec(), "cut off in its component"),
        (flipped(whole.len() - 1), "its component is damaged"),
        ([whole.as_slice(), b"more"].concat(), "4 bytes follow the component"),
        (text("export 1", "export 2"), "another version of Pontoon"),
        (text("\"name\":\"d\"", "\"name\":\"../d\""), "second line"),
        (fs::read(driver("null")).unwrap(), "no driver that `pontoon driver export` wrote"),
        (Vec::new(), "no driver that `pontoon driver export` wrote"),
    ];
    for (bytes, says) in files {
        there.refuses(7, &format!("driver import {} --name new", place(&bytes)), says);
    }
    // The networks of its state are here another driver's.
    served.refuses(
        5,
        &format!("driver import {file} --name e"),
        "has state of the network n, which is here the driver d's",
    );
    served.refuses(4, &format!("driver export gone {}", served.daemon.file("x").display()), "there is no driver gone");
    there.serves();
}
