//! Own chains: host calls for them and for ways there, and what the judge says of a chain.
//!
//! What stands in an own chain needs no tie of its own: packets come there by rules that have one, and those are judged as any other.

use ask::Ask;
use ask::nftables::{
    Action, Chain, ChainRule, ChainType, Condition, Hook, PacketCondition, PacketProperty, PacketRule, Target, Verdict,
};
use grant::Permission;

use super::chance::Asking;
use super::judge::Judge;
use super::packet_rule::{self, hook_of};
use super::seen::Space;

/// The last is behind another base chain than the rest, mostly.
const NAMES: [&str; 4] = ["c", "d", "e", "f"];
const FORWARD: Chain = Chain { chain_type: ChainType::Filter, hook: Hook::Forward, priority: 0 };
const PREROUTING: Chain = Chain { chain_type: ChainType::Nat, hook: Hook::Prerouting, priority: -100 };
const BASES: [Chain; 4] =
    [FORWARD, PREROUTING, Chain { priority: 10, ..FORWARD }, Chain { hook: Hook::Input, ..FORWARD }];

/// An own chain that a machine has.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnChain {
    pub table: String,
    pub name: String,
}

impl OwnChain {
    /// None: a chain of another kind.
    pub fn of(table: &str, name: &str) -> Option<Self> {
        packet_rule::is_own(name).then(|| Self { table: table.to_owned(), name: name.to_owned() })
    }
}

impl Asking<'_> {
    /// A chain, rules in it, or a way there.
    pub(super) fn chain_call(&mut self) -> Ask {
        let name = self.one(&NAMES).to_owned();
        match self.random.u8(..12) {
            0..=3 => Ask::NftablesAddChain { namespace: self.place(), base: self.base(&name), name },
            4..=7 => Ask::NftablesAddChainRules { rules: vec![self.rule_behind(&name)], chain: name },
            8..=10 => {
                let rule = PacketRule {
                    chain: self.base(&name),
                    conditions: self.some(2, Self::plain),
                    statements: Vec::new(),
                    action: self.way(name),
                };
                Ask::NftablesAddPacketRules { namespace: self.place(), rules: vec![rule] }
            }
            _ => Ask::NftablesRemoveChain { name },
        }
    }

    fn base(&mut self, name: &str) -> Chain {
        match self.percent(90) {
            true => {
                if name == "f" {
                    PREROUTING
                } else {
                    FORWARD
                }
            }
            false => self.one(&BASES),
        }
    }

    fn way(&mut self, name: String) -> Action {
        if self.percent(50) { Action::Jump(name) } else { Action::Goto(name) }
    }

    fn plain(&mut self) -> PacketCondition {
        let Condition { property, negated } = self.condition();
        PacketCondition { property: PacketProperty::Plain(property), negated }
    }

    fn rule_behind(&mut self, name: &str) -> ChainRule {
        let translates = (name == "f") == self.percent(90);
        let mut conditions = self.some(2, Self::plain);
        let action = match self.random.u8(..4) {
            0 => {
                let name = self.one(&NAMES).to_owned();
                self.way(name)
            }
            1 => Action::Return,
            _ if translates => {
                if self.percent(50) {
                    let published = self.published().into_iter();
                    let plain = |Condition { property, negated }| PacketCondition {
                        property: PacketProperty::Plain(property),
                        negated,
                    };
                    conditions = published.map(plain).collect();
                }
                Action::Plain(Verdict::DestinationNat(Target { address: self.address(), port: None }))
            }
            _ => Action::Plain(self.one(&[Verdict::Accept, Verdict::Drop])),
        };
        ChainRule { conditions, statements: Vec::new(), action }
    }
}

impl Judge<'_> {
    /// A chain is where rules of its base chain may be.
    pub(super) fn chain(&mut self, number: usize, space: &str, chain: &OwnChain) {
        let (driver, name) = (&self.drivers[number], &chain.name);
        let may = driver.may(Permission::PacketFilter);
        let hooked = hook_of(name).is_some_and(|(hook, priority)| driver.hooks(&hook, priority));
        self.must(number, may, || format!("the chain {name} is there without the permission for packet filters"));
        self.must(number, hooked, || format!("the chain {name} is at a hook or priority that its grant does not name"));
        self.place(number, space, &format!("the chain {name}"));
    }

    /// A rule leads to a chain of the same table and behind the same base chain.
    pub(super) fn way(&mut self, number: usize, space: &Space, rule: &packet_rule::PacketRule) {
        let Some(to) = &rule.leads else { return };
        let there = space.chains.iter().any(|chain| (&chain.table, &chain.name) == (&rule.table, to));
        let same = packet_rule::base(to) == packet_rule::base(&rule.chain);
        self.must(number, there && same, || {
            format!("it leads to {to}, which is behind another base chain: {}", rule.text)
        });
    }
}
