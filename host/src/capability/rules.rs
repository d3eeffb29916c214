//! `rules`: policy rules.

use super::handle::{self, Namespace, NamespaceHandle};
use super::{Answer, CallState, check_length, convert};
use crate::firewall::is_hosts;
use ask::HostCall;
use ask::rules::{Host, Rule, RuleInfo};
use grant::gate::rules::WantedRule;
use store::Thing;

impl Host for CallState {
    fn add(&mut self, namespace: Option<NamespaceHandle>, rules: Vec<Rule>) -> Answer<()> {
        let (place, rules) = resolved(self, namespace, &rules)?;
        let (gate, transaction) = self.parts()?;
        let granted = gate.add_rules(transaction, place.as_ref(), rules)?;
        Ok(transaction.add_rules(granted)?)
    }

    fn remove(&mut self, namespace: Option<NamespaceHandle>, rules: Vec<Rule>) -> Answer<()> {
        let (place, rules) = resolved(self, namespace, &rules)?;
        let (gate, transaction) = self.parts()?;
        Ok(transaction.remove_rules(gate.remove_rules(transaction, place.as_ref(), rules)?)?)
    }

    fn list(&mut self, namespace: Option<NamespaceHandle>) -> Answer<Vec<RuleInfo>> {
        let place = handle::namespace(self, namespace)?;
        let (gate, transaction) = self.parts()?;
        let namespace = gate.namespace(HostCall::RulesList, place.as_ref())?;
        let rules = transaction.objects()?.into_iter().filter_map(|o| match o.thing {
            Thing::Rule(rule) if rule.namespace == *namespace && !is_hosts(&rule) => Some(info(rule)),
            _ => None,
        });
        Ok(rules.collect())
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
    namespace: Option<NamespaceHandle>,
    rules: &[Rule],
) -> Answer<(Option<Namespace>, Vec<WantedRule>)> {
    check_length(rules)?;
    let one = |rule: &Rule| {
        Ok(WantedRule {
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
