//! Policy rules.

use ipnet::IpNet;

use crate::fake::kernel::{all_or_nothing, check_place};
use crate::fake::state::{self, HOST, PolicyRule, State};
use crate::fake::sys::Namespace;
use crate::rules::{Rule, RuleInfo};
use crate::{Error, Result};

fn recorded(state: &State, namespace: Option<&Namespace>, rule: &Rule) -> PolicyRule {
    let &Rule { priority, source, destination, mark, table, .. } = rule;
    PolicyRule {
        owner: state.owner.clone(),
        namespace: namespace.map_or(HOST, |namespace| namespace.0),
        info: RuleInfo { priority, source, destination, mark, table },
        input_link: rule.input_link.map(|link| link.0.0),
    }
}

pub(crate) fn add(namespace: Option<&Namespace>, rules: &[Rule]) -> Result<()> {
    all_or_nothing(rules, || {
        for rule in rules {
            check(rule, namespace.map_or(HOST, |namespace| namespace.0))?;
            state::with(|state| state.policy_rules.push(recorded(state, namespace, rule)));
        }
        Ok(())
    })
}

fn check(rule: &Rule, namespace: u32) -> Result<()> {
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
    input_link.map_or(Ok(()), |link| check_place(&link.0, namespace))?;
    let in_pools = |network: IpNet| state::with(|state| state.is_in_pools(network));
    if input_link.is_none() && !source.into_iter().chain(destination).any(in_pools) {
        return Err(Error::forbidden("a rule that is not tied to the network: neither its links nor its pools"));
    }
    super::routes::check_table(table)
}

pub(crate) fn remove(namespace: Option<&Namespace>, rules: &[Rule]) -> Result<()> {
    state::with(|state| {
        let gone: Vec<_> = rules.iter().map(|rule| recorded(state, namespace, rule)).collect();
        state.policy_rules.retain(|rule| !gone.contains(rule));
    });
    Ok(())
}

pub(crate) fn list(namespace: Option<&Namespace>) -> Result<Vec<RuleInfo>> {
    let namespace = namespace.map_or(HOST, |namespace| namespace.0);
    let here = |rule: &&PolicyRule| rule.namespace == namespace;
    Ok(state::with(|state| state.policy_rules.iter().filter(here).map(|rule| rule.info).collect()))
}
