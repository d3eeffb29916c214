//! The packets that a rule is for, as far as they have ports.
//!
//! Rules for one port of one protocol stand in a chain of the port's own, and a map leads there. So a packet meets the rules of its own port and no
//! others, however many ports there are.
//!
//! The order of rules counts: the first verdict holds. A packet has one protocol and one destination port, so rules of different ports never
//! meet, and those of one port stay in their order in its chain. The base chain has one rule that looks into the map, where the first rule for
//! a port was added. A later one belongs behind all rules of the base chain; it may go through the map only if no rule behind that one can
//! meet its packets: each is for other ports. Where one isn't, the new rule stands at the base chain's end, like all others.
//!
//! A port's chain goes with its last rule, and the map with its last port. A rule that leads away for good stands in the base chain: from a port's
//! chain it would come back to the rules behind the map.

use crate::{NftCondition, NftPort, NftProperty, NftRule, NftVerdict};

/// The packets that a rule is for: of a protocol, to a range of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ports {
    pub protocol: u8,
    pub first: u16,
    pub last: u16,
}

impl Ports {
    /// None: the rule is not for certain ports.
    pub fn of(rule: &NftRule) -> Option<Self> {
        let plain = |condition: &&NftCondition| !condition.negated;
        let (mut protocol, mut range) = (None, None);
        for condition in rule.conditions.iter().filter(plain) {
            match condition.property {
                NftProperty::Protocol(number) => protocol = Some(number),
                NftProperty::DestinationPort(first, last) => range = Some((first, last)),
                _ => {}
            }
        }
        let (first, last) = range?;
        Some(Self { protocol: protocol?, first, last })
    }

    /// The port in whose chain a rule may stand.
    pub fn of_chain(rule: &NftRule) -> Option<NftPort> {
        let stays = !matches!(rule.verdict, NftVerdict::Goto(_) | NftVerdict::Return);
        Self::of(rule).and_then(Self::one).filter(|_| stays)
    }

    /// The port, if it is one.
    fn one(self) -> Option<NftPort> {
        (self.first == self.last).then_some(NftPort { protocol: self.protocol, port: self.first })
    }

    /// Whether a packet to that port may be among them.
    pub fn has(self, port: NftPort) -> bool {
        self.protocol == port.protocol && (self.first..=self.last).contains(&port.port)
    }
}
