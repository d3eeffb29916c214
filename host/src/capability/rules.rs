//! `rules`: policy rules.

use std::collections::HashMap;

use super::handle::{self, Namespace, NamespaceHandle};
use super::{Answer, CallState, check_length, convert};
use crate::firewall::is_hosts;
use crate::transaction::Look;
use ask::HostCall;
use ask::rules::{Family, Host, Rule, RuleInfo, WholeRule};
use grant::gate::rules::WantedRule;
use kernel::{LinkKey, index_of_own_name};
use store::Thing;
use words::LinkName;

impl Host for CallState {
    fn add(&mut self, namespace: Option<NamespaceHandle>, rules: Vec<Rule>) -> Answer<()> {
        add(self, HostCall::RulesAdd, None, namespace, &rules)
    }

    fn remove(&mut self, namespace: Option<NamespaceHandle>, rules: Vec<Rule>) -> Answer<()> {
        remove(self, HostCall::RulesRemove, None, namespace, &rules)
    }

    fn list(&mut self, namespace: Option<NamespaceHandle>) -> Answer<Vec<RuleInfo>> {
        Ok(recorded(self, HostCall::RulesList, namespace)?.into_iter().map(info).collect())
    }

    fn add_of_family(&mut self, family: Family, namespace: Option<NamespaceHandle>, rules: Vec<Rule>) -> Answer<()> {
        add(self, HostCall::RulesAddOfFamily, Some(family), namespace, &rules)
    }

    fn remove_of_family(&mut self, family: Family, namespace: Option<NamespaceHandle>, rules: Vec<Rule>) -> Answer<()> {
        remove(self, HostCall::RulesRemoveOfFamily, Some(family), namespace, &rules)
    }

    fn list_whole(&mut self, namespace: Option<NamespaceHandle>) -> Answer<Vec<WholeRule>> {
        let rules = recorded(self, HostCall::RulesListWhole, namespace)?;
        let (look, mut names) = (self.transaction()?.look(), HashMap::new());
        rules.into_iter().map(|rule| whole(look, &mut names, rule)).collect()
    }
}

fn add(
    call: &mut CallState,
    of: HostCall,
    family: Option<Family>,
    namespace: Option<NamespaceHandle>,
    rules: &[Rule],
) -> Answer<()> {
    let (place, rules) = resolved(call, family, namespace, rules)?;
    let (gate, transaction) = call.parts()?;
    let granted = gate.add_rules(of, transaction, place.as_ref(), rules)?;
    Ok(transaction.add_rules(granted)?)
}

fn remove(
    call: &mut CallState,
    of: HostCall,
    family: Option<Family>,
    namespace: Option<NamespaceHandle>,
    rules: &[Rule],
) -> Answer<()> {
    let (place, rules) = resolved(call, family, namespace, rules)?;
    let (gate, transaction) = call.parts()?;
    Ok(transaction.remove_rules(gate.remove_rules(of, transaction, place.as_ref(), rules)?)?)
}

/// The network's rules in a namespace.
fn recorded(call: &mut CallState, of: HostCall, namespace: Option<NamespaceHandle>) -> Answer<Vec<kernel::Rule>> {
    let place = handle::namespace(call, namespace)?;
    let (gate, transaction) = call.parts()?;
    let namespace = gate.namespace(of, place.as_ref())?;
    let rules = transaction.objects()?.into_iter().filter_map(|o| match o.thing {
        Thing::Rule(rule) if rule.namespace == *namespace && !is_hosts(&rule) => Some(rule),
        _ => None,
    });
    Ok(rules.collect())
}

fn info(rule: kernel::Rule) -> RuleInfo {
    RuleInfo {
        priority: rule.priority,
        source: rule.source.map(convert::network_to_wit),
        destination: rule.destination.map(convert::network_to_wit),
        mark: rule.mark,
        table: rule.table,
    }
}

/// `names`: of the links that were looked up for the rules before.
fn whole(look: Look<'_>, names: &mut HashMap<u32, String>, rule: kernel::Rule) -> Answer<WholeRule> {
    let input_link = match &rule.input {
        None => None,
        Some(name) => Some(current_name(look, names, &rule.namespace, name)?),
    };
    let RuleInfo { priority, source, destination, mark, table } = info(rule.clone());
    let family = if rule.ipv6 { Family::Ipv6 } else { Family::Ipv4 };
    Ok(WholeRule { family, priority, source, destination, input_link, mark, table })
}

/// The name that a link has now. A rule that earlier versions made goes by that; the rule of a link that is gone, by what it was made with.
fn current_name(
    look: Look<'_>,
    names: &mut HashMap<u32, String>,
    namespace: &kernel::Namespace,
    recorded: &LinkName,
) -> Answer<String> {
    let Some(index) = index_of_own_name(recorded) else { return Ok(recorded.to_string()) };
    if let Some(name) = names.get(&index) {
        return Ok(name.clone());
    }
    let link = look.link(&LinkKey { namespace: namespace.clone(), index })?;
    let name = link.map_or_else(|| recorded.to_string(), |link| link.name);
    names.insert(index, name.clone());
    Ok(name)
}

fn resolved(
    call: &CallState,
    family: Option<Family>,
    namespace: Option<NamespaceHandle>,
    rules: &[Rule],
) -> Answer<(Option<Namespace>, Vec<WantedRule>)> {
    check_length(rules)?;
    let one = |rule: &Rule| {
        Ok(WantedRule {
            ipv6: family.map(|family| matches!(family, Family::Ipv6)),
            priority: rule.priority,
            source: rule.source.map(convert::network).transpose()?,
            destination: rule.destination.map(convert::network).transpose()?,
            input: rule.input_link.map(|link| call.handles.link(link).cloned()).transpose()?,
            mark: rule.mark,
            table: rule.table,
        })
    };
    Ok((handle::namespace(call, namespace)?, rules.iter().map(one).collect::<Answer<_>>()?))
}
