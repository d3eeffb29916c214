//! `rules`: policy rules.

use std::collections::BTreeMap;

use ipnet::IpNet;
use kernel::{Namespace, RT_TABLE_NONE, Rule, own_name};
use words::{Error, LinkName, Result};

use super::view::all_owned;
use super::{Gate, Granted, Link, Object, Place, Tie, View};
use crate::{HostCall, Limit};

/// A rule that a driver wants, or wants to be rid of.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are the WIT's, documented there")]
pub struct WantedRule {
    /// The family that the call says.
    pub ipv6: Option<bool>,
    pub priority: u32,
    pub source: Option<IpNet>,
    pub destination: Option<IpNet>,
    pub input: Option<Link>,
    pub mark: Option<(u32, u32)>,
    pub table: u32,
}

/// Rules that go.
#[derive(Clone, Debug)]
pub struct GoneRules(pub Vec<Rule>);

impl Gate {
    /// `rules.add` and `rules.add-of-family`: `call` says which.
    pub fn add_rules(
        &self,
        call: HostCall,
        view: &mut impl View,
        place: Option<&Place>,
        rules: Vec<WantedRule>,
    ) -> Result<Granted<Vec<Rule>>> {
        all_owned(view, rules.iter().filter_map(|rule| rule.input.as_ref()))?;
        let rules = self.rules(call, place, rules, &|link| own_name(link.key.index))?;
        self.check_holding(view, call, Limit::Rules, rules.len())?;
        for rule in &rules {
            self.permit(call, Object::Rule(&ties(rule)))?;
            self.permit(call, Object::RoutingTable(rule.table))?;
        }
        self.grant(call, rules)
    }

    /// `rules.remove` and `rules.remove-of-family`: `call` says which. Those of earlier versions went by the name that the link had.
    pub fn remove_rules(
        &self,
        call: HostCall,
        view: &impl View,
        place: Option<&Place>,
        rules: Vec<WantedRule>,
    ) -> Result<Granted<GoneRules>> {
        let mut names = BTreeMap::new();
        for link in rules.iter().filter_map(|rule| rule.input.as_ref()) {
            // A handle's own name can be an older one; a link that is gone has no other.
            names.extend(view.own_link(&link.key)?.map(|name| (link.key.clone(), name)));
        }
        let earlier = |link: &Link| Ok(names.get(&link.key).unwrap_or(&link.name).clone());
        let mut gone = self.rules(call, place, rules.clone(), &|link| own_name(link.key.index))?;
        gone.extend(self.rules(call, place, rules, &earlier)?.into_iter().filter(|rule| rule.input.is_some()));
        self.grant(call, GoneRules(gone))
    }

    fn rules(
        &self,
        call: HostCall,
        place: Option<&Place>,
        rules: Vec<WantedRule>,
        name: &dyn Fn(&Link) -> Result<LinkName>,
    ) -> Result<Vec<Rule>> {
        let namespace = self.namespace(call, place)?.take();
        rules.into_iter().map(|rule| one(&namespace, rule, name)).collect()
    }
}

fn ties(rule: &Rule) -> Vec<Tie> {
    let ranges = rule.source.iter().chain(&rule.destination).map(|net| Tie::Range(*net));
    ranges.chain(rule.input.iter().map(|_| Tie::Link)).collect()
}

/// The name of one of the driver's links, which must be where the rule is: there the name would be another link's.
fn link_in(namespace: &Namespace, link: &Link, name: &dyn Fn(&Link) -> Result<LinkName>) -> Result<LinkName> {
    link.own()?;
    if link.key.namespace != *namespace {
        return Err(Error::invalid(format!("{} is in another namespace than the rule", link.name)));
    }
    name(link)
}

fn one(namespace: &Namespace, rule: WantedRule, name: &dyn Fn(&Link) -> Result<LinkName>) -> Result<Rule> {
    let WantedRule { ipv6, priority, source, destination, input, mark, table } = rule;
    if !(1..=32_765).contains(&priority) {
        return Err(Error::invalid(format!("{priority} is no rule's priority: 1 to 32765")));
    }
    if table == RT_TABLE_NONE {
        return Err(Error::invalid("0 is no routing table: 1 to 4294967295"));
    }
    let input = input.map(|link| link_in(namespace, &link, name)).transpose()?;
    let (source, destination) = (source.map(|net| net.trunc()), destination.map(|net| net.trunc()));
    if source.is_none() && destination.is_none() && input.is_none() {
        return Err(Error::invalid(
            "a rule needs a source, a destination or an input link, or it would catch foreign packets",
        ));
    }
    let families: Vec<bool> = [source, destination].into_iter().flatten().map(|net| net.addr().is_ipv6()).collect();
    if families.len() == 2 && families[0] != families[1] {
        return Err(Error::invalid("a rule's source and destination are of different families"));
    }
    let ipv6 = ipv6.or(families.first().copied()).unwrap_or(false);
    if let Some(other) = [source, destination].into_iter().flatten().find(|net| net.addr().is_ipv6() != ipv6) {
        let family = if ipv6 { "IPv6" } else { "IPv4" };
        return Err(Error::invalid(format!("{other} is of another family than the rule, which is for {family}")));
    }
    Ok(Rule { namespace: namespace.clone(), ipv6, priority, source, destination, input, mark, table })
}
