//! Policy rules.

use crate::Result;
use crate::component::Namespace;
use crate::component::convert::all;
use crate::component::wit::rules as wit;
use crate::rules::{Rule, RuleInfo};

impl<'a> From<&Rule<'a>> for wit::Rule<'a> {
    fn from(rule: &Rule<'a>) -> Self {
        Self {
            priority: rule.priority,
            source: rule.source.map(Into::into),
            destination: rule.destination.map(Into::into),
            input_link: rule.input_link.map(|link| &link.0),
            mark: rule.mark,
            table: rule.table,
        }
    }
}

impl From<wit::RuleInfo> for RuleInfo {
    fn from(rule: wit::RuleInfo) -> Self {
        Self {
            priority: rule.priority,
            source: rule.source.map(Into::into),
            destination: rule.destination.map(Into::into),
            mark: rule.mark,
            table: rule.table,
        }
    }
}

pub(crate) fn add(namespace: Option<&Namespace>, rules: &[Rule]) -> Result<()> {
    Ok(wit::add(namespace, &all::<_, wit::Rule>(rules))?)
}

pub(crate) fn remove(namespace: Option<&Namespace>, rules: &[Rule]) -> Result<()> {
    Ok(wit::remove(namespace, &all::<_, wit::Rule>(rules))?)
}

pub(crate) fn list(namespace: Option<&Namespace>) -> Result<Vec<RuleInfo>> {
    Ok(all(wit::list(namespace)?))
}
