//! Kernel and store, each seen from outside of Pontoon, have the same.

use std::collections::BTreeSet;
use std::net::{TcpListener, UdpSocket};

use pontoon_tests::{Daemon, Namespace, until};
use serde_json::Value;

/// `elsewhere`: links that dockerd has moved into its sandboxes.
///
/// The kernel and the store have the same links, nftables rules, routing rules, namespaces and ports of this Pontoon's.
pub fn agree(daemon: &Daemon, elsewhere: &[u64], when: &str) {
    // Condemned links are deleted a moment after a start.
    until("the reaper", || !daemon.host.run("ip -o link").contains(": pc"));
    let objects = daemon.objects();
    let (kernel, mut store) = (in_kernel(daemon), in_store(&objects));
    store.retain(|object| !elsewhere.iter().any(|index| *object == format!("link {index}")));
    let only = |these: &BTreeSet<String>, those: &BTreeSet<String>| {
        these.difference(those).cloned().collect::<Vec<_>>().join(", ")
    };
    assert_eq!(
        kernel,
        store,
        "{when}: only in the kernel: {}; only in the store: {}",
        only(&kernel, &store),
        only(&store, &kernel)
    );
    ports(&daemon.host, &objects, when);
}

fn in_store(objects: &[Value]) -> BTreeSet<String> {
    let of = |object: &Value| {
        let (kind, thing) = object["thing"].as_object().unwrap().iter().next().unwrap();
        let host = thing["namespace"] == "Host";
        Some(match kind.as_str() {
            "Link" if host => format!("link {}", thing["index"]),
            "NftRule" if host => format!("rule {} of {}", thing["handle"]["handle"], thing["table"].as_str().unwrap()),
            "Rule" => format!("routing rule {} of IPv{}", thing["priority"], if thing["ipv6"] == true { 6 } else { 4 }),
            "Namespace" => format!("namespace {}", thing["path"]["path"].as_str().unwrap()),
            _ => return None,
        })
    };
    objects.iter().filter_map(of).collect()
}

fn in_kernel(daemon: &Daemon) -> BTreeSet<String> {
    let list = |command: &str| -> Vec<Value> {
        let text = daemon.host.run(command);
        if text.trim().is_empty() { Vec::new() } else { serde_json::from_str(&text).unwrap() }
    };
    let links = list("ip -j link").into_iter().filter(|link| link["group"] != "default");
    let links = links.map(|link| format!("link {}", link["ifindex"]));
    let ruleset: Value = serde_json::from_str(&daemon.host.run("nft -j -a list ruleset")).unwrap();
    let rules = ruleset["nftables"].as_array().unwrap().iter().filter_map(|line| {
        let (handle, table) = (line["rule"]["handle"].as_u64()?, line["rule"]["table"].as_str()?);
        // The host's own table is no object of a call, nor is what leads to the rules of a port.
        let leads = line["rule"]["comment"] == "rules for one port";
        (table.starts_with("pontoon-") && !table.ends_with("-host") && !leads)
            .then(|| format!("rule {handle} of {table}"))
    });
    let routing = [("ip -j -4 rule", 4), ("ip -j -6 rule", 6)].into_iter().flat_map(|(command, family)| {
        let own = list(command)
            .into_iter()
            .filter(|rule| !["32766", "32767"].contains(&rule["priority"].to_string().as_str()))
            .filter(|rule| rule["table"] != "local");
        own.map(move |rule| format!("routing rule {} of IPv{family}", rule["priority"])).collect::<Vec<_>>()
    });
    let made = std::fs::read_dir(daemon.file("run/netns")).into_iter().flatten().flatten();
    let namespaces = made.map(|entry| format!("namespace {}", entry.path().display()));
    links.chain(rules).chain(routing).chain(namespaces).collect()
}

/// The ports that the load publishes: those of the store are taken, the others are free.
fn ports(host: &Namespace, objects: &[Value], when: &str) {
    let taken: BTreeSet<u64> = objects.iter().filter_map(|o| o["thing"]["Port"]["port"].as_u64()).collect();
    let bound = move || {
        let is_free =
            |port: u16| TcpListener::bind(("0.0.0.0", port)).is_ok() && UdpSocket::bind(("0.0.0.0", port)).is_ok();
        (9000..9003).chain([9101, 9102]).filter(|port| !is_free(*port)).map(u64::from).collect::<BTreeSet<_>>()
    };
    let load: BTreeSet<u64> = taken.iter().copied().filter(|port| (9000..9200).contains(port)).collect();
    assert_eq!(host.enter(bound).join().unwrap(), load, "{when}: host ports");
}
