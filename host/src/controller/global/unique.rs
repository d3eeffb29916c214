//! Options that no two networks of a driver have with one value in the cluster: numbers on the wire, above all.
//!
//! The driver's `network-allocate` names them. What it chose is checked where names and pools are: the network comes into the cluster only if none
//! came since the others were read.

use std::collections::BTreeSet;

use crate::cluster::SharedNetwork;
use operation::engine::Labels;
use store::Network;
use words::Error;

/// In an allocation's answer: the names of such options, with spaces between them.
const UNIQUE: &str = "pontoon.unique";

/// In an allocation's options, when it is made again: what others have, `NAME=VALUE` with spaces between them.
const TAKEN: &str = "pontoon.taken";

/// Names that count; a driver has one or two.
const NAMES: usize = 16;

/// An option of a network that another one has, too.
pub(super) struct Clash<'a> {
    name: &'a str,
    value: &'a str,
    there: &'a SharedNetwork,
}

impl Clash<'_> {
    /// Takes note of it, for the next allocation. An error where the user chose the value.
    pub(super) fn note(&self, asked: &Labels, taken: &mut BTreeSet<String>) -> Result<(), Error> {
        let Self { name, value, there } = self;
        if asked.contains_key(*name) {
            let why = format!("{name}=\"{value}\" is the network {}'s, which the node {} made", there.name, there.node);
            return Err(Error::exists(format!("{why}: name another one, or none")));
        }
        taken.insert(format!("{name}={value}"));
        Ok(())
    }
}

/// The first option of a network that another network of its driver has with the same value.
pub(super) fn clash<'a>(network: &'a Network, others: &'a [SharedNetwork]) -> Option<Clash<'a>> {
    let names = network.options.get(UNIQUE)?.split_whitespace().take(NAMES);
    let mut own = names.filter_map(|name| Some((name, network.options.get(name)?)));
    let of_driver = || others.iter().filter(|other| other.driver == network.driver && other.id != network.id);
    own.find_map(|(name, value)| {
        let there = of_driver().find(|other| other.options.get(name) == Some(value))?;
        Some(Clash { name, value, there })
    })
}

/// The options of an allocation that is made again.
pub(super) fn with_taken(options: &Labels, taken: &BTreeSet<String>) -> Labels {
    let mut options = options.clone();
    options.remove(TAKEN);
    if !taken.is_empty() {
        let all: Vec<_> = taken.iter().map(String::as_str).collect();
        options.insert(TAKEN.to_owned(), all.join(" "));
    }
    options
}

/// What an allocation answered, without what it was told.
pub(super) fn without_taken(mut options: Labels) -> Labels {
    options.remove(TAKEN);
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use operation::engine::NetworkOptions;
    use operation::origin::Origin;
    use words::{Id, Name};

    fn network(id: &str, driver: &str, options: &[(&str, &str)]) -> Network {
        let generic = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let options = NetworkOptions { ipv4: true, ipv6: false, internal: false, generic, other: Labels::new() };
        let named = |text: &str| Name::new(text).unwrap();
        Network::new(Id::new(id).unwrap(), named(id), named(driver), Origin::Native, options)
    }

    fn shared(network: &Network) -> SharedNetwork {
        SharedNetwork::of(network, &Name::new("a").unwrap())
    }

    #[test]
    fn what_a_driver_names_is_no_other_networks() {
        let vni = |id, value| network(id, "overlay", &[("vni", value), (UNIQUE, "colour vni")]);
        let others = [shared(&vni("one", "7")), shared(&network("two", "routed", &[("vni", "8")]))];
        let found = |network: &Network| clash(network, &others).map(|clash| format!("{}={}", clash.name, clash.value));
        assert_eq!(found(&vni("new", "7")), Some("vni=7".to_owned()));
        assert_eq!(found(&vni("new", "8")), None, "another driver's");
        assert_eq!(found(&vni("one", "7")), None, "itself");
        assert_eq!(found(&network("new", "overlay", &[("vni", "7")])), None, "it is not named");
    }

    #[test]
    fn a_user_is_told_and_a_driver_chooses_again() {
        let (new, others) =
            (network("new", "overlay", &[("vni", "7"), (UNIQUE, "vni")]), [network("one", "overlay", &[("vni", "7")])]);
        let others = others.each_ref().map(shared);
        let (clash, mut taken) = (clash(&new, &others).unwrap(), BTreeSet::new());
        let asked = Labels::from([("vni".to_owned(), "07".to_owned())]);
        let told = clash.note(&asked, &mut taken).unwrap_err().message;
        assert!(told.contains("vni=\"7\" is the network one's, which the node a made"), "{told}");
        assert!(taken.is_empty());
        clash.note(&Labels::new(), &mut taken).unwrap();
        taken.insert("vni=9".to_owned());
        let again = with_taken(&Labels::new(), &taken);
        assert_eq!(again.get(TAKEN).map(String::as_str), Some("vni=7 vni=9"));
        assert_eq!(without_taken(again), Labels::new());
    }
}
