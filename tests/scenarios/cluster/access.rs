//! How a host reaches etcd, and what it says where it does not.

use pontoon_tests::{Daemon, Etcd, until};
use serde_json::json;

use super::{create, etcd_finding as fault};

#[test]
fn users_and_passwords() {
    let etcd = Etcd::start(1);
    let ask = |path: &str, body: serde_json::Value| drop(etcd.ask(0, path, &body));
    let (from, to) = ("L3Rlc3Qv", "L3Rlc3Qw");
    for name in ["root", "pontoon"] {
        ask("auth/user/add", json!({"name": name, "password": "secret"}));
        ask("auth/role/add", json!({"name": name}));
    }
    ask("auth/role/grant", json!({"name": "pontoon", "perm": {"permType": "READWRITE", "key": from, "range_end": to}}));
    for name in ["root", "pontoon"] {
        ask("auth/user/grant", json!({"user": name, "role": name}));
    }
    ask("auth/enable", json!({}));
    let mut table = Vec::new();
    for (number, password) in (1..).zip(["secret", "wrong"]) {
        let file = etcd.folder.path().join(password);
        std::fs::write(&file, format!("{password}\n")).unwrap();
        let more = format!("user = 'pontoon'\npassword-file = '{}'\n", file.display());
        let mut node = etcd.node(&format!("n{number}"), number, &more);
        node.run();
        node.load("test/probe");
        table.push(node);
    }
    let [known, wrong] = <[Daemon; 2]>::try_from(table).ok().unwrap();
    create(&known, "n");
    until("all is well", || fault(&known).contains("\"ok\""));
    let refused = wrong.refused(9, "network create --scope global -d probe m");
    assert!(refused.contains("etcd does not know this user") && refused.contains("password-file"), "{refused}");
    assert!(
        fault(&wrong).contains("problem") && fault(&wrong).contains("does not know this user"),
        "{}",
        fault(&wrong)
    );
    wrong.ok("network create -d probe here");
    let mut nobody = etcd.node("n3", 3, "");
    nobody.run();
    until("a fault", || fault(&nobody).contains("does not know this user"));
    let mut outside = etcd.node("n4", 4, "");
    let text = std::fs::read_to_string(known.file("config.toml")).unwrap();
    let text = text.replace("'/test'", "'/other'").replace("node = 'n1'", "node = 'n4'");
    std::fs::write(outside.file("config.toml"), text).unwrap();
    outside.run();
    until("a fault", || fault(&outside).contains("does not let this user"));
}

#[test]
fn certificates_of_both_sides() {
    let etcd = Etcd::with_tls();
    let at = |name: &str| etcd.folder.path().join(name).display().to_string();
    let more = format!("ca = '{}'\n", at("authority.pem"));
    let own = format!("{more}certificate = '{}'\nkey = '{}'\n", at("client.pem"), at("client-key.pem"));
    let mut known = etcd.node("a", 1, &own);
    known.run();
    known.load("test/probe");
    create(&known, "n");
    until("all is well", || fault(&known).contains("\"ok\""));
    let mut unknown = etcd.node("b", 2, &more);
    unknown.run();
    until("a fault", || fault(&unknown).contains("etcd can't be reached"));
    let mut lost = etcd.node("c", 3, &own.replace("authority.pem", "nowhere.pem"));
    let ended = lost.serve().output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success() && said.contains("nowhere.pem"), "{said}");
    assert!(lost.has_ended().is_none());
}

#[test]
fn what_is_said_without_an_etcd() {
    let alone = Daemon::start();
    alone.load("test/probe");
    let refused = alone.refused(9, "network create --scope global -d probe n");
    assert!(refused.contains("this host is no node of a cluster: [cluster] in its configuration"), "{refused}");
    assert!(alone.refused(9, "node ls").contains("no node of a cluster"));
    assert_eq!(fault(&alone), "null null null");

    let mut etcd = Etcd::start(1);
    etcd.kill(0);
    let mut early = etcd.node("a", 1, "");
    early.run();
    early.load("test/probe");
    let refused = early.refused(9, "network create --scope global -d probe n");
    assert!(refused.contains("etcd can't be reached (http://192.0.2.100:2379"), "{refused}");
    early.ok("network create -d probe here");
    etcd.run(0);
    etcd.await_leader();
    until("it has joined", || early.cli("network create --scope global -d probe n").code == 0);

    // Two hosts of one name.
    let mut twin = etcd.node("a", 2, "");
    twin.run();
    twin.load("test/probe");
    let refused = twin.refused(9, "network create --scope global -d probe m");
    assert!(refused.contains("the node a is another host already, 192.0.2.1: give one"), "{refused}");
    assert!(fault(&twin).contains("another host already"));

    // It connects to etcd's ports and to no other, by the kernel's word.
    let status = std::fs::read_to_string(format!("/proc/{}/status", early.pid())).unwrap();
    assert!(status.contains("Seccomp:\t2"), "{status}");
}
