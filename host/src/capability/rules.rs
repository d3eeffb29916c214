//! `rules`: policy rules.

use wasmtime::component::Resource;

use super::handle::{self, Namespace};
use super::{Answer, check_length, convert};
use crate::engine::CallState;
use crate::engine::bindings::imports::rules::{Host, Rule, RuleInfo};
use grant::HostCall;
use grant::gate::rules::WantedRule;
use store::Thing;

impl Host for CallState {
    fn add(&mut self, namespace: Option<Resource<Namespace>>, rules: Vec<Rule>) -> Answer<()> {
        self.ask(HostCall::RulesAdd, arguments!(namespace, rules), |call| {
            let (place, rules) = resolved(call, namespace.as_ref(), &rules)?;
            let (gate, transaction) = call.parts()?;
            let granted = gate.add_rules(transaction, place.as_ref(), rules)?;
            Ok(transaction.add_rules(granted)?)
        })
    }

    fn remove(&mut self, namespace: Option<Resource<Namespace>>, rules: Vec<Rule>) -> Answer<()> {
        self.ask(HostCall::RulesRemove, arguments!(namespace, rules), |call| {
            let (place, rules) = resolved(call, namespace.as_ref(), &rules)?;
            let (gate, transaction) = call.parts()?;
            Ok(transaction.remove_rules(gate.remove_rules(transaction, place.as_ref(), rules)?)?)
        })
    }

    fn list(&mut self, namespace: Option<Resource<Namespace>>) -> Answer<Vec<RuleInfo>> {
        self.ask(HostCall::RulesList, arguments!(namespace), |call| {
            let place = handle::namespace(call, namespace.as_ref())?;
            let (gate, transaction) = call.parts()?;
            let namespace = gate.namespace(HostCall::RulesList, place.as_ref())?;
            let rules = transaction.objects()?.into_iter().filter_map(|o| match o.thing {
                Thing::Rule(rule) if rule.namespace == *namespace => Some(info(rule)),
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

fn resolved(
    call: &CallState,
    namespace: Option<&Resource<Namespace>>,
    rules: &[Rule],
) -> Answer<(Option<Namespace>, Vec<WantedRule>)> {
    check_length(rules)?;
    let one = |rule: &Rule| {
        Ok(WantedRule {
            priority: rule.priority,
            source: rule.source.map(convert::network).transpose()?,
            destination: rule.destination.map(convert::network).transpose()?,
            input: rule.input_link.as_ref().map(|link| call.table.get(link).cloned()).transpose()?,
            mark: rule.mark,
            table: rule.table,
        })
    };
    Ok((handle::namespace(call, namespace)?, rules.iter().map(one).collect::<Answer<_>>()?))
}
