//! Who may begin connections into a network from outside: those in two sets, one for each family. The rules look into the sets, and stay as they are.

use ipnet::IpNet;
use pontoon_sdk::links::Link;
use pontoon_sdk::nftables::Property::{Connection, InputLink, OutputLink};
use pontoon_sdk::nftables::{Chain, ConnectionStates, RuleId, Verdict};
use pontoon_sdk::packets::{self, Element, Field, PacketRule, Property, SetKind};
use pontoon_sdk::{Result, ipnet};

/// The sets, by family.
const SETS: [(&str, SetKind); 2] = [("allow-from-ipv4", SetKind::Ipv4), ("allow-from-ipv6", SetKind::Ipv6)];

/// Makes sets and rules. What one of these rules drops, no other lets pass.
pub(crate) fn add(bridge: &Link, from: &[IpNet]) -> Result<Vec<RuleId>> {
    for (set, kind) in SETS {
        packets::add_set(None, set, kind)?;
        let of_family = from.iter().filter(|net| net.addr().is_ipv4() == (kind == SetKind::Ipv4));
        packets::add_elements(set, &of_family.map(|net| Element::Network(*net)).collect::<Vec<_>>())?;
    }
    packets::add(None, &SETS.map(|(set, _)| unless_from(set, bridge)))
}

/// A set holds for packets of its family alone, also where it is negated.
fn unless_from<'a>(set: &'a str, bridge: &'a Link) -> PacketRule<'a> {
    let new = ConnectionStates { new: true, ..ConnectionStates::default() };
    PacketRule::new(Chain::FORWARD, Verdict::Drop)
        .when(OutputLink(bridge))
        .unless(InputLink(bridge))
        .when(Connection(new))
        .unless(Property::Member { field: Field::Source, set })
}

/// Removes the sets, whose rules are removed already.
pub(crate) fn remove() -> Result<()> {
    SETS.into_iter().try_for_each(|(set, _)| packets::remove_set(set))
}
