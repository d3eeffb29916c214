//! Policy rules.

use crate::Result;
use crate::component::Namespace;
use crate::component::convert::all;
use crate::component::wit::rules as wit;
use crate::rules::{Family, Rule, RuleInfo, WholeRule};

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

impl From<Family> for wit::Family {
    fn from(family: Family) -> Self {
        match family {
            Family::Ipv4 => Self::Ipv4,
            Family::Ipv6 => Self::Ipv6,
        }
    }
}

impl From<wit::WholeRule> for WholeRule {
    fn from(rule: wit::WholeRule) -> Self {
        Self {
            family: match rule.family {
                wit::Family::Ipv4 => Family::Ipv4,
                wit::Family::Ipv6 => Family::Ipv6,
            },
            priority: rule.priority,
            source: rule.source.map(Into::into),
            destination: rule.destination.map(Into::into),
            input_link: rule.input_link,
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

pub(crate) fn add_of_family(family: Family, namespace: Option<&Namespace>, rules: &[Rule]) -> Result<()> {
    Ok(wit::add_of_family(family.into(), namespace, &all::<_, wit::Rule>(rules))?)
}

pub(crate) fn remove_of_family(family: Family, namespace: Option<&Namespace>, rules: &[Rule]) -> Result<()> {
    Ok(wit::remove_of_family(family.into(), namespace, &all::<_, wit::Rule>(rules))?)
}

pub(crate) fn list_whole(namespace: Option<&Namespace>) -> Result<Vec<WholeRule>> {
    Ok(all(wit::list_whole(namespace)?))
}
