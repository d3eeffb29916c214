//! Subnets: none overlaps with another, whichever is the larger.

use ipnet::IpNet;

use super::*;

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn claim(store: &Store, network: &str, subnets: &[&str]) -> Result<()> {
    store.claim_pools(&id(network), &subnets.iter().map(|s| net(s)).collect::<Vec<_>>())
}

#[test]
fn overlapping_subnets_are_refused_both_ways() {
    let store = scratch();
    claim(&store, "n1", &["10.5.0.0/16", "fd00:1::/48"]).unwrap();
    for bad in [
        "10.5.0.0/16",
        "10.5.0.0/24",
        "10.5.255.0/24",
        "10.5.7.9/32",
        "10.0.0.0/8",
        "10.4.0.0/15",
        "0.0.0.0/0",
        "fd00:1:0:5::/64",
        "fd00::/16",
        "::/0",
    ] {
        let error = claim(&store, "n2", &[bad]).unwrap_err();
        assert!(
            matches!(&error, Error::Exists(line) if line.ends_with("of a network that is being made")),
            "{bad}: {error}"
        );
    }
    claim(&store, "n2", &["10.4.255.0/24", "10.6.0.0/24", "10.6.1.0/24", "fd00:2::/48", "::a05:0/112"]).unwrap();
    // Between and around what is there.
    for bad in ["10.6.0.0/23", "10.6.0.128/25", "10.6.1.255/32", "10.4.255.255/32"] {
        assert!(claim(&store, "n3", &[bad]).is_err(), "{bad}");
    }
    claim(&store, "n3", &["10.6.2.0/23", "10.4.254.0/24"]).unwrap();
}

#[test]
fn a_refusal_names_network_and_subnet() {
    let store = scratch();
    put(&store, [Write::PutNetwork(network("n1", "front"))]).unwrap();
    claim(&store, "n1", &["10.5.0.9/16"]).unwrap();
    let line = claim(&store, "n2", &["10.5.1.0/24"]).unwrap_err().to_string();
    assert_eq!(line, "10.5.1.0/24 overlaps with 10.5.0.0/16 of network \"front\"");
    let line = claim(&store, "n2", &["10.7.0.0/24", "10.7.0.128/25"]).unwrap_err();
    assert!(matches!(&line, Error::Invalid(line) if line == "10.7.0.128/25 and 10.7.0.0/24 overlap"), "{line}");
    claim(&store, "n3", &["10.7.0.0/24"]).unwrap();
    // An id that is in no list says nothing.
    let line = claim(&store, "n4", &["10.7.0.0/16"]).unwrap_err().to_string();
    assert!(line.ends_with("overlaps with 10.7.0.0/24 of a network that is being made"), "{line}");
}

#[test]
fn a_claim_replaces_what_the_network_had() {
    let store = scratch();
    claim(&store, "n1", &["10.5.0.0/24"]).unwrap();
    claim(&store, "n1", &["10.5.0.0/24", "10.6.0.0/24"]).unwrap();
    assert!(claim(&store, "n1", &["10.9.0.0/24", "10.9.0.0/24"]).is_err());
    assert!(claim(&store, "n2", &["10.6.0.0/24"]).is_err(), "a refused claim takes nothing back");
    claim(&store, "n1", &[]).unwrap();
    put(&store, [Write::ReplacePools { network: id("n2"), pools: vec![net("10.6.0.0/24")] }]).unwrap();
}

#[test]
fn a_free_subnet_is_the_first_that_overlaps_with_none() {
    let store = scratch();
    let candidates = || net("172.16.0.0/12").subnets_of(16);
    claim(&store, "n1", &["172.16.0.0/16", "172.17.9.0/24", "172.18.0.0/15"]).unwrap();
    assert_eq!(store.free_pool(candidates()).unwrap(), net("172.20.0.0/16"));
    claim(&store, "n2", &["172.16.0.0/12"]).unwrap_err();
    claim(&store, "n2", &["172.0.0.0/12"]).unwrap();
    assert_eq!(store.free_pool(candidates()).unwrap(), net("172.20.0.0/16"));
    assert!(matches!(store.free_pool(candidates().take(4)), Err(Error::Exhausted(_))));
    assert!(matches!(store.free_pool(std::iter::repeat(net("172.16.0.0/16"))), Err(Error::Exhausted(_))));
}

trait SubnetsOf {
    fn subnets_of(&self, prefix: u8) -> Box<dyn Iterator<Item = IpNet>>;
}

impl SubnetsOf for IpNet {
    fn subnets_of(&self, prefix: u8) -> Box<dyn Iterator<Item = IpNet>> {
        Box::new(self.subnets(prefix).unwrap())
    }
}

#[test]
fn an_overlap_is_found_among_many() {
    let store = scratch();
    let all: Vec<IpNet> = net("10.0.0.0/12").subnets_of(24).collect();
    store.claim_pools(&id("n1"), &all).unwrap();
    assert!(claim(&store, "n2", &["10.15.255.0/25"]).is_err() && claim(&store, "n2", &["10.0.0.0/9"]).is_err());
    claim(&store, "n2", &["10.16.0.0/12"]).unwrap();
    // What decides it is a search in the index, not a scan.
    let plan =
        "EXPLAIN QUERY PLAN SELECT network FROM pools WHERE family = 4 AND first <= x'0a' ORDER BY first DESC LIMIT 1";
    let steps = store.read(|c| query::all(c, plan, [], |row| Ok(row.get::<_, String>(3)?))).unwrap();
    assert!(steps.len() == 1 && steps[0].starts_with("SEARCH pools USING PRIMARY KEY"), "{steps:?}");
}
