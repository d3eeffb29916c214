//! Hosts that share networks of global scope through a real etcd: each host a namespace with a daemon of its own.
//!
//! - `networks`: names, pools and addresses are unique over hosts
//! - `entries`: a driver's entries become events on the other hosts
//! - `failures`: hosts that die or are cut off, etcd without a majority, a daemon that is killed at any instant
//! - `nodes`: what each node has, and nodes that take no new endpoints
//! - `told`: what an operator is told: nodes by network, how far each is behind, numbers
//! - `overlay`: a driver that others hear where its containers are, and traffic between hosts
//! - `networkdb`: what libnetwork's own tables do and a replacement has to do, too
//! - `linear`, `history`: what nodes write and read has an order, whatever fails
//! - `costs`: what many hosts cost beside one; `simulation`: a hundred nodes in one process
//! - `access`: passwords, certificates, and what the daemon says that reaches no etcd

mod access;
mod costs;
mod entries;
mod failures;
mod history;
mod linear;
mod networkdb;
mod networks;
mod nodes;
mod overlay;
mod simulation;
mod told;

use pontoon_tests::{Daemon, Namespace};
use serde_json::Value;

/// What keeps the probe from making links, and has it watch its table.
const OPTIONS: &str = "-o probe.links=no -o probe.do=network-info";

/// Makes a network of the probe's, for all hosts. Answers its id.
fn create(node: &Daemon, name: &str) -> String {
    node.ok(&format!("network create --scope global -d probe {OPTIONS} {name}")).trim().to_owned()
}

/// Attaches a namespace; the probe puts an entry, `left-NETWORK/ENDPOINT`.
fn attach(node: &Daemon, network: &str, namespace: &Namespace, name: &str) {
    node.ok(&attaching(network, namespace, name));
}

fn attaching(network: &str, namespace: &Namespace, name: &str) -> String {
    format!("endpoint attach {network} {} --name {name} -o probe.do=tables", namespace.text())
}

/// An endpoint, as its node tells it.
fn endpoint(node: &Daemon, network: &str, name: &str) -> Value {
    let endpoints = node.json(&format!("endpoint ls {network}"));
    endpoints.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap().clone()
}

/// What the probe heard on a network: `key what value`, without the table.
fn events(node: &Daemon, network: &str) -> Vec<String> {
    let details = node.json(&format!("network inspect {network}"));
    let told = details["attached"][0]["info"]["probe.events"].as_str().unwrap_or("[]").to_owned();
    let told: Vec<Value> = serde_json::from_str(&told).unwrap();
    let text = |value: &Value| -> String {
        let bytes = value.as_array().into_iter().flatten().map(|b| u8::try_from(b.as_u64().unwrap()).unwrap());
        String::from_utf8(bytes.collect()).unwrap()
    };
    let one = |event: &Value| {
        let (key, what) = (event[1].as_str().unwrap(), event[2].as_str().unwrap());
        format!("{key} {what} {}>{}", text(&event[3]), text(&event[4]))
    };
    told.iter().map(one).collect()
}

/// The entries that a node knows of a network: key, value and owner.
fn entries(node: &Daemon, network: &str) -> Vec<[String; 3]> {
    let all = node.json(&format!("table ls {network}"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    all.as_array().unwrap().iter().map(|e| [text(&e["key"]), text(&e["value"]), text(&e["owner"])]).collect()
}

/// Whether a network is listed, and how it is.
fn state(node: &Daemon, network: &str) -> Option<String> {
    let all = node.json("network ls");
    let one = all.as_array().unwrap().iter().find(|one| one["name"] == network)?;
    Some(one["state"].as_str().unwrap().to_owned())
}

/// How it stands with etcd, as the doctor says it: status, what was found, what helps.
fn etcd_finding(node: &Daemon) -> String {
    finding(node, "etcd")
}

/// What the doctor says of one check: status, what was found, what helps.
fn finding(node: &Daemon, check: &str) -> String {
    // It exits with another code where it found a problem.
    let findings: Value = serde_json::from_str(&node.cli("--output json doctor").out).unwrap();
    let finding = findings.as_array().unwrap().iter().find(|f| f["check"] == check).cloned().unwrap_or_default();
    format!("{} {} {}", finding["status"], finding["found"], finding["advice"])
}

/// How often something is done: `PONTOON_CLUSTER`, for the long form.
fn rounds(short: usize) -> usize {
    std::env::var("PONTOON_CLUSTER").map_or(short, |rounds| rounds.parse().unwrap())
}
