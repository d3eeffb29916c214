//! What there is on a fake machine: as text, to compare exactly, and counted, to compare kernel and store.

use std::collections::BTreeMap;

use pontoon_tests::FakeBench;
use serde_json::Value;

/// Kernel and store, as text.
pub type Seen = (String, String);

/// What is there once the reaper has done its work.
pub fn rest(bench: &FakeBench) -> Seen {
    bench.reaped();
    (bench.fake.state(), bench.stored())
}

/// What is different, each line cut.
pub fn differ(one: &Seen, other: &Seen) -> String {
    let [one, other] = [one, other].map(|(kernel, store)| format!("{kernel}{store}"));
    let only = |these: &str, those: &str, sign: char| {
        let lines = these.lines().filter(|line| !those.lines().any(|l| l == *line));
        lines.map(|line| format!("\n  {sign} {}", line.get(..300).unwrap_or(line))).collect::<String>()
    };
    only(&one, &other, '-') + &only(&other, &one, '+')
}

/// Kernel and store have as many objects of each kind, in each namespace.
pub fn agree(bench: &FakeBench, seen: &Seen) {
    assert_eq!(in_kernel(&seen.0), in_store(&bench.objects()), "kernel and store in {}", seen.0);
}

type Counts = BTreeMap<(String, &'static str), usize>;

fn in_store(objects: &[Value]) -> Counts {
    let mut counts = Counts::new();
    for object in objects {
        let (kind, thing) = object["thing"].as_object().unwrap().iter().next().unwrap();
        let at = thing["namespace"]["At"]["path"].as_str().unwrap_or("the host").to_owned();
        let (at, kind) = match kind.as_str() {
            "Link" => (at, "links"),
            "NftRule" => (at, "nftables rules"),
            "Rule" => (at, "routing rules"),
            "Port" => ("the host".to_owned(), "ports"),
            "Namespace" => (thing["path"]["path"].as_str().unwrap().to_owned(), "namespaces"),
            _ => continue,
        };
        *counts.entry((at, kind)).or_default() += 1;
    }
    counts
}

fn in_kernel(state: &str) -> Counts {
    let (mut counts, mut at) = (Counts::new(), String::new());
    for line in state.lines() {
        if let Some(path) = line.strip_prefix("# ") {
            at = path.to_owned();
        }
        let kind = match line.split(' ').collect::<Vec<_>>()[..] {
            ["#", path] if path.contains("/run/netns/") => "namespaces",
            ["link", ..] if line.contains(" group ") && !line.contains(" group 0 ") => "links",
            // The host's own table is no object of a call, nor are chains, and what leads to the rules of a port.
            ["nft", _, "map" | "chain", ..] => continue,
            ["nft", _, _, "rules", "for", "one", "port", ..] => continue,
            ["nft", table, _, ..] if !table.ends_with("-host") => "nftables rules",
            ["rule", ..] => "routing rules",
            ["port", ..] => {
                at = "the host".to_owned();
                "ports"
            }
            _ => continue,
        };
        *counts.entry((at.clone(), kind)).or_default() += 1;
    }
    counts
}
