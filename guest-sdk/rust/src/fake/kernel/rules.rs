//! Policy rules.

use ipnet::IpNet;

use crate::fake::kernel::{all_or_nothing, check_place};
use crate::fake::state::{self, HOST, PolicyRule, State};
use crate::fake::sys::Namespace;
use crate::rules::{Family, Rule, RuleInfo, WholeRule};
use crate::{Error, Result};

/// The family that its source or destination says, else IPv4.
fn family_of(rule: &Rule) -> Family {
    match rule.source.or(rule.destination) {
        Some(IpNet::V6(_)) => Family::Ipv6,
        _ => Family::Ipv4,
    }
}

fn recorded(state: &State, family: Family, namespace: Option<&Namespace>, rule: &Rule) -> PolicyRule {
    let &Rule { priority, source, destination, mark, table, .. } = rule;
    PolicyRule {
        owner: state.owner.clone(),
        namespace: namespace.map_or(HOST, |namespace| namespace.0),
        family,
        info: RuleInfo { priority, source, destination, mark, table },
        input_link: rule.input_link.map(|link| link.0.0),
    }
}

pub(crate) fn add(namespace: Option<&Namespace>, rules: &[Rule]) -> Result<()> {
    add_each(namespace, rules, family_of)
}

pub(crate) fn add_of_family(family: Family, namespace: Option<&Namespace>, rules: &[Rule]) -> Result<()> {
    check_family(family, rules)?;
    add_each(namespace, rules, |_| family)
}

fn add_each(namespace: Option<&Namespace>, rules: &[Rule], family: impl Fn(&Rule) -> Family) -> Result<()> {
    all_or_nothing(rules, || {
        for rule in rules {
            check(rule, namespace.map_or(HOST, |namespace| namespace.0))?;
            state::with(|state| state.policy_rules.push(recorded(state, family(rule), namespace, rule)));
        }
        Ok(())
    })
}

fn check_family(family: Family, rules: &[Rule]) -> Result<()> {
    let other = |net: &IpNet| net.addr().is_ipv6() != (family == Family::Ipv6);
    match rules.iter().flat_map(|rule| rule.source.into_iter().chain(rule.destination)).find(other) {
        Some(net) => Err(Error::invalid_argument(format!("{net} is of another family than the rule: {family:?}"))),
        None => Ok(()),
    }
}

fn check(rule: &Rule, namespace: u32) -> Result<()> {
    check_values(rule)?;
    let &Rule { source, destination, input_link, table, .. } = rule;
    input_link.map_or(Ok(()), |link| check_place(&link.0, namespace))?;
    let in_pools = |network: IpNet| state::with(|state| state.is_in_pools(network));
    if input_link.is_none() && !source.into_iter().chain(destination).any(in_pools) {
        return Err(Error::forbidden("a rule that is not tied to the network: neither its links nor its pools"));
    }
    super::routes::check_table(table)
}

/// What no rule can be, there or not.
fn check_values(rule: &Rule) -> Result<()> {
    let &Rule { priority, source, destination, input_link, table, .. } = rule;
    if !(1..=32_765).contains(&priority) {
        return Err(Error::invalid_argument(format!("{priority} is no rule's priority: 1 to 32765")));
    }
    if table == 0 {
        return Err(Error::invalid_argument("0 is no routing table"));
    }
    if source.is_none() && destination.is_none() && input_link.is_none() {
        return Err(Error::invalid_argument("a rule without source, destination or input link"));
    }
    if let (Some(source), Some(destination)) = (source, destination)
        && source.addr().is_ipv4() != destination.addr().is_ipv4()
    {
        return Err(Error::invalid_argument("a rule's source and destination are of different families"));
    }
    Ok(())
}

pub(crate) fn remove(namespace: Option<&Namespace>, rules: &[Rule]) -> Result<()> {
    remove_each(namespace, rules, family_of)
}

pub(crate) fn remove_of_family(family: Family, namespace: Option<&Namespace>, rules: &[Rule]) -> Result<()> {
    check_family(family, rules)?;
    remove_each(namespace, rules, |_| family)
}

fn remove_each(namespace: Option<&Namespace>, rules: &[Rule], family: impl Fn(&Rule) -> Family) -> Result<()> {
    rules.iter().try_for_each(check_values)?;
    state::with(|state| {
        let gone: Vec<_> = rules.iter().map(|rule| recorded(state, family(rule), namespace, rule)).collect();
        state.policy_rules.retain(|rule| !gone.contains(rule));
    });
    Ok(())
}

pub(crate) fn list(namespace: Option<&Namespace>) -> Result<Vec<RuleInfo>> {
    Ok(state::with(|state| here(state, namespace).map(|rule| rule.info).collect()))
}

pub(crate) fn list_whole(namespace: Option<&Namespace>) -> Result<Vec<WholeRule>> {
    let whole = |state: &State, rule: &PolicyRule| {
        let RuleInfo { priority, source, destination, mark, table } = rule.info;
        let input_link = rule.input_link.and_then(|link| Some(state.links.get(&link)?.info.name.clone()));
        WholeRule { family: rule.family, priority, source, destination, input_link, mark, table }
    };
    Ok(state::with(|state| here(state, namespace).map(|rule| whole(state, rule)).collect()))
}

fn here<'a>(state: &'a State, namespace: Option<&Namespace>) -> impl Iterator<Item = &'a PolicyRule> + use<'a> {
    let namespace = namespace.map_or(HOST, |namespace| namespace.0);
    state.policy_rules.iter().filter(move |rule| rule.namespace == namespace)
}
