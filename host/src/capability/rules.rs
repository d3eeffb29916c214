//! `rules`: policy rules.

use wasmtime::component::Resource;

use super::handle::{self, Link, Namespace};
use super::namespaces::or_host;
use super::{Answer, Refusal, check_length, convert};
use crate::engine::CallState;
use crate::engine::bindings::imports::rules::{Host, Rule, RuleInfo};
use grant::{HostCall, Limit, Object, Tie};
use kernel::{self, Change};
use store::Thing;
use words::LinkName;

impl Host for CallState {
    fn add(&mut self, namespace: Option<Resource<Namespace>>, rules: Vec<Rule>) -> Answer<()> {
        self.ask(HostCall::RulesAdd, arguments!(namespace, rules), |call, permit| {
            handle::check_owned(call, rules.iter().filter_map(|r| r.input_link.as_ref()))?;
            let rules = check(call, HostCall::RulesAdd, namespace.as_ref(), &rules)?;
            super::check_holding(call, HostCall::RulesAdd, Limit::Rules, rules.len() as u64)?;
            for rule in &rules {
                call.gate.permit(HostCall::RulesAdd, Object::Rule(&ties(rule)))?;
            }
            let changes: Vec<_> = rules.iter().cloned().map(Change::AddRule).collect();
            let transaction = call.transaction()?;
            transaction.change(permit, &changes)?;
            for rule in rules {
                transaction.made(Thing::Rule(rule));
            }
            Ok(())
        })
    }

    fn remove(&mut self, namespace: Option<Resource<Namespace>>, rules: Vec<Rule>) -> Answer<()> {
        self.ask(HostCall::RulesRemove, arguments!(namespace, rules), |call, _| {
            for rule in check(call, HostCall::RulesRemove, namespace.as_ref(), &rules)? {
                let Some(object) = call.transaction()?.rule_object(&rule)? else { continue };
                let permit = call.gate.permit(HostCall::RulesRemove, Object::Own)?;
                call.transaction()?.remove(permit, &object);
            }
            Ok(())
        })
    }

    fn list(&mut self, namespace: Option<Resource<Namespace>>) -> Answer<Vec<RuleInfo>> {
        self.ask(HostCall::RulesList, arguments!(namespace), |call, _| {
            let namespace = or_host(call, HostCall::RulesList, namespace.as_ref())?;
            let objects = call.transaction()?.objects()?;
            let rules = objects.into_iter().filter_map(|o| match o.thing {
                Thing::Rule(rule) if rule.namespace == namespace => Some(info(rule)),
                _ => None,
            });
            Ok(rules.collect())
        })
    }
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

fn ties(rule: &kernel::Rule) -> Vec<Tie> {
    let ranges = rule.source.iter().chain(&rule.destination).map(|net| Tie::Range(*net));
    ranges.chain(rule.input.iter().map(|_| Tie::Link)).collect()
}

fn check(
    call: &CallState,
    of: HostCall,
    namespace: Option<&Resource<Namespace>>,
    rules: &[Rule],
) -> Answer<Vec<kernel::Rule>> {
    check_length(rules)?;
    let namespace = or_host(call, of, namespace)?;
    rules.iter().map(|rule| one(call, &namespace, rule)).collect()
}

/// The name of one of the driver's links, which must be where the rule is: there the name would be another link's.
fn link_in(call: &CallState, namespace: &kernel::Namespace, link: &Resource<Link>) -> Answer<LinkName> {
    let link = handle::own_link(call, link)?;
    if link.key.namespace != *namespace {
        return Err(Refusal::invalid(format!("{} is in another namespace than the rule", link.name)));
    }
    Ok(link.name)
}

fn one(call: &CallState, namespace: &kernel::Namespace, rule: &Rule) -> Answer<kernel::Rule> {
    if !(1..=32_765).contains(&rule.priority) {
        return Err(Refusal::invalid(format!("{} is no rule's priority: 1 to 32765", rule.priority)));
    }
    let source = rule.source.map(convert::network).transpose()?.map(|n| n.trunc());
    let destination = rule.destination.map(convert::network).transpose()?.map(|n| n.trunc());
    let input = rule.input_link.as_ref().map(|l| link_in(call, namespace, l)).transpose()?;
    if source.is_none() && destination.is_none() && input.is_none() {
        return Err(Refusal::invalid(
            "a rule needs a source, a destination or an input link, or it would catch foreign packets",
        ));
    }
    let families: Vec<bool> = [source, destination].into_iter().flatten().map(|n| n.addr().is_ipv6()).collect();
    if families.len() == 2 && families[0] != families[1] {
        return Err(Refusal::invalid("a rule's source and destination are of different families"));
    }
    let ipv6 = families.first().copied().unwrap_or(false);
    let (priority, mark, table) = (rule.priority, rule.mark, rule.table);
    Ok(kernel::Rule { namespace: namespace.clone(), ipv6, priority, source, destination, input, mark, table })
}
