//! Chains of a network's own.

use crate::Result;
use crate::chains::ChainRule;
use crate::component::Namespace;
use crate::component::convert::all;
use crate::component::wit::nftables as wit;
use crate::nftables::{Chain, RuleId};

impl<'a> From<&ChainRule<'a>> for wit::ChainRule<'a> {
    fn from(rule: &ChainRule<'a>) -> Self {
        Self { conditions: all(&rule.conditions), statements: all(&rule.statements), action: rule.action.into() }
    }
}

pub(crate) fn add(namespace: Option<&Namespace>, name: &str, base: Chain) -> Result<()> {
    Ok(wit::add_chain(namespace, name, base.into())?)
}

pub(crate) fn remove(name: &str) -> Result<()> {
    Ok(wit::remove_chain(name)?)
}

pub(crate) fn list() -> Result<Vec<String>> {
    Ok(wit::list_chains()?)
}

pub(crate) fn add_rules(chain: &str, rules: &[ChainRule]) -> Result<Vec<RuleId>> {
    Ok(wit::add_chain_rules(chain, &all::<_, wit::ChainRule>(rules))?.into_iter().map(RuleId).collect())
}
