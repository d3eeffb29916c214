//! Hosts that die or are cut off, etcd without a majority, a daemon that is killed.

use std::time::{Duration, Instant};

use pontoon_tests::{Etcd, Namespace, until};

use super::{attach, attaching, create, endpoint, entries, etcd_finding, events, state};

/// The keys of a node in etcd, by kind.
fn keys_of(etcd: &Etcd, node: &str, kind: &str) -> usize {
    let owner = format!("{node}\n");
    etcd.keys().iter().filter(|(key, value)| key.contains(kind) && value.starts_with(&owner)).count()
}

#[test]
fn a_host_that_dies_loses_its_entries_and_keeps_its_addresses() {
    let etcd = Etcd::start(1);
    let [mut a, b] = etcd.nodes();
    let id = create(&a, "n");
    let (c1, c2) = (Namespace::new("c1"), Namespace::new("c2"));
    attach(&a, "n", &c1, "c1");
    attach(&b, "n", &c2, "c2");
    let key = format!("left-{id}/{}", endpoint(&a, "n", "c1")["id"].as_str().unwrap());
    until("b to be told", || events(&b, "n").contains(&format!("{key} created >left")));
    // Dead for less than its lease: nobody hears of it.
    a.kill();
    a.run();
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(events(&b, "n"), [format!("{key} created >left")]);
    a.kill();
    until("its lease to end", || events(&b, "n").contains(&format!("{key} deleted left>")));
    let nodes = b.ok("node ls");
    assert!(nodes.contains("(gone)"), "{nodes}");
    let address = keys_of(&etcd, "a", "/address/");
    assert_eq!((keys_of(&etcd, "a", "/table/"), address), (0, 1), "its container may still run");
    let refused = b.refused(6, "node rm b");
    assert!(refused.contains("the node b is there"), "{refused}");
    a.run();
    until("its entry to come again", || events(&b, "n").last() == Some(&format!("{key} created >left")));
    // It never comes back.
    a.kill();
    until("its lease to end", || keys_of(&etcd, "a", "/table/") == 0 && etcd.named("node/a").is_empty());
    b.ok("node rm a");
    assert_eq!(keys_of(&etcd, "a", ""), 0);
    let refused = b.refused(4, "node rm a");
    assert!(refused.contains("has no node a"), "{refused}");
}

#[test]
fn a_host_that_is_cut_off_serves_and_catches_up() {
    let etcd = Etcd::start(1);
    let [a, b] = etcd.nodes();
    let id = create(&a, "n");
    let (c1, c2, c3) = (Namespace::new("c1"), Namespace::new("c2"), Namespace::new("c3"));
    attach(&a, "n", &c1, "c1");
    attach(&a, "n", &c3, "c3");
    attach(&b, "n", &c2, "c2");
    until("both know all", || entries(&a, "n").len() == 3 && entries(&b, "n").len() == 3);
    let key = format!("left-{id}/{}", endpoint(&a, "n", "c1")["id"].as_str().unwrap());
    etcd.cut(1, true);
    until("its lease to end", || keys_of(&etcd, "a", "/table/") == 0);
    until("b to be told", || entries(&b, "n").len() == 1);
    // It says so, and what removes something is done all the same.
    let refused = a.refused(9, &attaching("n", &Namespace::new("c4"), "c4"));
    assert!(refused.contains("etcd can't be reached") || refused.contains("no majority"), "{refused}");
    assert!(etcd_finding(&a).starts_with("\"problem\""), "{}", etcd_finding(&a));
    a.ok("endpoint detach n c3");
    assert_eq!(entries(&a, "n").len(), 2, "what it knew of b it knows still");
    // Meanwhile: changes that it does not hear, and that etcd forgets.
    let late = format!("net/{id}/table/probe-table/late");
    etcd.put(&late, b"x\n1");
    etcd.put(&late, b"x\n2");
    b.ok("endpoint detach n c2");
    etcd.compact();
    etcd.cut(1, false);
    until("it is as in the cluster", || {
        let here = entries(&a, "n");
        here.len() == 2
            && here.iter().any(|entry| entry[..2] == ["late", "2"])
            && here.iter().any(|entry| entry[0] == key)
    });
    until("b to be told again", || entries(&b, "n").iter().any(|entry| entry[0] == key));
    until("what it removed is removed", || {
        (keys_of(&etcd, "a", "/table/"), keys_of(&etcd, "a", "/endpoint/"), keys_of(&etcd, "a", "/address/"))
            == (1, 1, 1)
    });
    assert!(events(&a, "n").iter().any(|event| event == "late created >2"), "{:?}", events(&a, "n"));
    until("all is well", || etcd_finding(&a).starts_with("\"ok\""));
}

#[test]
fn etcd_without_a_leader_or_a_majority() {
    let mut etcd = Etcd::start(3);
    let [a, b] = etcd.nodes();
    create(&a, "n");
    let spaces: Vec<_> = (0..4).map(|n| Namespace::new(&format!("c{n}"))).collect();
    attach(&a, "n", &spaces[0], "c0");
    let leader = etcd.leader();
    etcd.kill(leader);
    let begin = Instant::now();
    until("another leader", || b.cli(&attaching("n", &spaces[1], "c1")).code == 0);
    println!("after the leader was killed the next endpoint took {:.1} s", begin.elapsed().as_secs_f64());
    until("a to hear of it", || entries(&a, "n").len() == 2);
    let second = etcd.running()[0];
    etcd.kill(second);
    let refused = a.refused(9, &attaching("n", &spaces[2], "c2"));
    let says = ["has no majority of its members", "can't be reached"];
    assert!(says.iter().any(|part| refused.contains(part)), "{refused}");
    assert!(a.json("endpoint ls n").as_array().unwrap().len() == 1, "nothing of it stays");
    a.ok("endpoint detach n c0");
    etcd.run(leader);
    etcd.run(second);
    etcd.await_leader();
    until("what was removed meanwhile is removed", || keys_of(&etcd, "a", "/endpoint/") == 0);
    until("endpoints are made again", || a.cli(&attaching("n", &spaces[3], "c3")).code == 0);
    until("b hears of it", || entries(&b, "n").iter().any(|entry| entry[2] == "node:a"));
    assert_eq!(keys_of(&etcd, "a", "/table/"), 1);
}

/// Whichever it is, another one is asked.
#[test]
fn a_member_that_hangs() {
    let etcd = Etcd::start(3);
    let [a] = etcd.nodes();
    create(&a, "n");
    for member in 0..3 {
        etcd.hang(member, true);
        let space = Namespace::new(&format!("c{member}"));
        until("an endpoint is made", || a.cli(&attaching("n", &space, &format!("c{member}"))).code == 0);
        etcd.hang(member, false);
        etcd.await_leader();
    }
    until("all are in etcd", || keys_of(&etcd, "a", "/endpoint/") == 3);
}

/// What a crash between etcd's transaction and the commit here leaves: it is taken back, at once where the daemon runs.
#[test]
fn what_is_there_and_not_here_is_taken_back() {
    let etcd = Etcd::start(1);
    let [mut a, b] = etcd.nodes();
    let id = create(&a, "n");
    let (c1, c2) = (Namespace::new("c1"), Namespace::new("c2"));
    attach(&a, "n", &c1, "c1");
    attach(&b, "n", &c2, "c2");
    let all = |etcd: &Etcd| etcd.keys().into_iter().filter(|(key, _)| key.contains("net")).collect::<Vec<_>>();
    until("both know all", || entries(&b, "n").len() == 2);
    let before = all(&etcd);
    let own = before.iter().find(|(key, value)| key.contains("/table/") && value.starts_with("a\n")).unwrap().0.clone();
    for killed in [false, true] {
        if killed {
            a.kill();
        }
        for (key, value) in [
            ("table/probe-table/stray", "a\nx"),
            ("endpoint/e", "a\n{\"name\":\"e\"}"),
            ("address/10.217.255.99", "a\ne"),
        ] {
            etcd.put(&format!("net/{id}/{key}"), value.as_bytes());
        }
        etcd.remove(&own);
        if killed {
            a.run();
        }
        until("all is as it was", || all(&etcd) == before);
    }
    until("and b knows it", || entries(&b, "n").len() == 2);
}

#[test]
fn a_daemon_that_is_killed_at_any_instant() {
    let etcd = Etcd::start(1);
    let [mut a, b] = etcd.nodes();
    create(&a, "n");
    let spaces: Vec<_> = (0..6).map(|n| Namespace::new(&format!("c{n}"))).collect();
    attach(&b, "n", &Namespace::new("other"), "other");
    for round in 0..super::rounds(8) {
        let lines = spaces.iter().enumerate().map(|(n, space)| match (round + n) % 2 {
            0 => attaching("n", space, &format!("c{n}")),
            _ => format!("endpoint detach n c{n}"),
        });
        let running = a.ask_in_background(lines);
        std::thread::sleep(Duration::from_millis(7 * (round as u64 * 5 % 17)));
        a.kill();
        running.into_iter().for_each(|mut child| drop(child.wait()));
        a.run();
    }
    let count = || a.json("endpoint ls n").as_array().unwrap().len();
    until("etcd has what a has", || {
        let has = count();
        let there = ["/table/", "/endpoint/", "/address/"].map(|kind| keys_of(&etcd, "a", kind));
        there == [has; 3] && entries(&b, "n").iter().filter(|entry| entry[2] == "node:a").count() == has
    });
}

#[test]
fn etcd_that_was_restored_from_an_older_copy() {
    let mut etcd = Etcd::start(1);
    let [a, b] = etcd.nodes();
    create(&a, "old");
    // As a backup is made of a member that stands still.
    etcd.kill(0);
    let (data, copy) = (etcd.folder.path().join("m0"), etcd.folder.path().join("copy"));
    let copied = |from: &std::path::Path, to: &std::path::Path| {
        let done = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
        assert!(done.success());
    };
    copied(&data, &copy);
    etcd.run(0);
    etcd.await_leader();
    let (c1, c2) = (Namespace::new("c1"), Namespace::new("c2"));
    until("etcd is back", || a.cli("network create --scope global -d probe -o probe.links=no new").code == 0);
    attach(&a, "new", &c1, "c1");
    attach(&b, "new", &c2, "c2");
    until("both know all", || entries(&a, "new").len() == 2 && entries(&b, "new").len() == 2);
    etcd.kill(0);
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&copy, &data).unwrap();
    etcd.run(0);
    etcd.await_leader();
    until("what was acknowledged is there", || {
        let all = etcd.named("network/");
        all.len() == 2 && keys_of(&etcd, "a", "/address/") == 1 && keys_of(&etcd, "b", "/address/") == 1
    });
    until("and entries", || keys_of(&etcd, "a", "/table/") == 1 && keys_of(&etcd, "b", "/table/") == 1);
    assert_eq!(state(&a, "new").as_deref(), Some("up"));
    until("both know all", || entries(&a, "new").len() == 2 && entries(&b, "new").len() == 2);
}
