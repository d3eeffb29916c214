//! Policy rules.

use crate::fake::kernel::all_or_nothing;
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
    all_or_nothing(|| {
        for rule in rules {
            if rule.source.is_none() && rule.destination.is_none() && rule.input_link.is_none() {
                return Err(Error::invalid_argument("a rule without source, destination or input link"));
            }
            rule.source.into_iter().chain(rule.destination).try_for_each(super::addresses::check)?;
            state::with(|state| state.policy_rules.push(recorded(state, namespace, rule)));
        }
        Ok(())
    })
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
