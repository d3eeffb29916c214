//! Chains of a network's own, behind base chains.

use super::{all_or_nothing, packets};
use crate::chains::ChainRule;
use crate::fake::state::{self, HOST, MadeChain};
use crate::fake::sys::Namespace;
use crate::nftables::{Chain, ChainType, Hook, RuleId};
use crate::packets::{Action, PacketRule};
use crate::{Error, Result};

pub(crate) fn add(namespace: Option<&Namespace>, name: &str, base: Chain) -> Result<()> {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !(1..=32).contains(&name.len()) || !name.bytes().all(word) {
        return Err(Error::invalid_argument("a chain's name is 1 to 32 letters, digits, '-' or '_'"));
    }
    if base.chain_type == ChainType::Nat && base.hook == Hook::Forward {
        return Err(Error::invalid_argument("a nat chain can't be at the forward hook"));
    }
    state::with(|state| {
        let key = (state.owner.network.clone(), name.to_owned());
        if state.chains.contains_key(&key) {
            return Err(Error::already_exists(format!("the network has a chain {name}")));
        }
        let (namespace, number) = (namespace.map_or(HOST, |namespace| namespace.0), state.next());
        let made = MadeChain { owner: state.owner.clone(), namespace, base, number };
        state.chains.insert(key, made);
        Ok(())
    })
}

pub(crate) fn remove(name: &str) -> Result<()> {
    state::with(|state| {
        let network = state.owner.network.clone();
        let uses =
            |rule: &state::PacketRule| rule.owner.network == network && rule.chains.iter().any(|chain| chain == name);
        if state.packet_rules.values().any(uses) {
            return Err(Error::forbidden(format!("a rule stands in the chain {name}, or leads there")));
        }
        state.chains.remove(&(network, name.to_owned()));
        Ok(())
    })
}

pub(crate) fn list() -> Result<Vec<String>> {
    Ok(state::with(|state| {
        let own = state.chains.keys().filter(|(network, _)| *network == state.owner.network);
        own.map(|(_, name)| name.clone()).collect()
    }))
}

pub(crate) fn add_rules(chain: &str, rules: &[ChainRule]) -> Result<Vec<RuleId>> {
    let own = find(chain)?;
    all_or_nothing(rules, || {
        let one = |rule: &ChainRule| {
            let ChainRule { conditions, statements, action } = rule.clone();
            let rule = PacketRule { chain: own.base, conditions, statements, action };
            packets::add_one(own.namespace, &rule, Some(chain))
        };
        rules.iter().map(one).collect()
    })
}

/// A chain of the network's or of the same endpoint's.
fn find(name: &str) -> Result<MadeChain> {
    state::with(|state| {
        let key = (state.owner.network.clone(), name.to_owned());
        let Some(made) = state.chains.get(&key) else {
            return Err(Error::not_found(format!("the network has no chain {name:?}")));
        };
        match made.owner.endpoint.is_none() || made.owner == state.owner {
            true => Ok(made.clone()),
            false => Err(Error::forbidden(format!("the chain {name} is another endpoint's"))),
        }
    })
}

/// The chain that a rule leads to, if it may. How many are behind each other is not looked at.
pub(super) fn led_to(rule: &PacketRule, at: u32, own: Option<&str>) -> Result<Option<String>> {
    let name = match rule.action {
        Action::Jump(to) | Action::Goto(to) => to,
        Action::Return if own.is_none() => return Err(Error::invalid_argument("a base chain returns nowhere")),
        _ => return Ok(None),
    };
    let to = find(name)?;
    if to.namespace != at || to.base != rule.chain {
        return Err(Error::invalid_argument(format!("the chain {name} is behind another base chain than the rule")));
    }
    if let Some(own) = own
        && find(own)?.number <= to.number
    {
        return Err(Error::invalid_argument(format!("the chain {name} was not made before {own}")));
    }
    Ok(Some(name.to_owned()))
}
