//! What keeps the bridge of an internal network shut: policy rules, which no flush of a firewall touches.
//!
//! Whatever comes in by the bridge and is not for the host itself is refused, and so is what others send to the network's pools. What the
//! driver's packet rules say holds beside that.

use ipnet::IpNet;

use super::Transaction;
use kernel::{Change, LinkKind, LinkSpec, Namespace, NewLink, RT_TABLE_MAIN, RT_TABLE_NONE, Rule, own_name};
use store::{Object, Thing};
use words::{Error, LinkName};

/// No driver's rule has it. It comes after the table of local addresses, and before all others.
const PRIORITY: u32 = 0;

/// Whether a rule is the host's own: no driver made it, sees it or removes it.
pub fn is_hosts(rule: &Rule) -> bool {
    rule.priority == PRIORITY
}

impl Transaction {
    /// The network is internal, and has these pools.
    pub fn shut(&mut self, pools: Vec<IpNet>) {
        self.shut = Some(pools);
    }

    /// Keeps a new bridge of an internal network shut.
    pub(super) fn shut_in(&mut self, spec: &LinkSpec, link: &NewLink) -> Result<(), Error> {
        let (Some(pools), LinkKind::Bridge, Namespace::Host) = (&self.shut, &spec.kind, &link.key.namespace) else {
            return Ok(());
        };
        let mut rules = rules(pools, &own_name(link.key.index)?)?;
        // Another bridge of the network has those for the pools.
        let is_there = |rule: &Rule, object: &Object| matches!(&object.thing, Thing::Rule(other) if other == rule);
        let there: Vec<&Object> = self.there()?.collect();
        rules.retain(|rule| !there.iter().any(|object| is_there(rule, object)));
        let mut changes = vec![Change::AddOwnName(link.key.clone())];
        changes.extend(rules.iter().cloned().map(Change::AddRule));
        self.apply(&changes)?;
        for rule in rules {
            self.made(Thing::Rule(rule));
        }
        Ok(())
    }

    /// What is refused for the sake of a bridge goes with the network's last one.
    pub(super) fn open_again(&mut self) -> Result<(), store::Error> {
        let is_bridge = |thing: &Thing| match thing {
            Thing::Link { namespace: Namespace::Host, again: Some(again), .. } => {
                again.spec.as_ref().is_some_and(|spec| matches!(spec.kind, LinkKind::Bridge))
            }
            _ => false,
        };
        if self.there()?.any(|object| is_bridge(&object.thing)) {
            return Ok(());
        }
        self.take_all(|object| matches!(&object.thing, Thing::Rule(rule) if is_hosts(rule)))
    }
}

/// The rules for one bridge. What the host itself sends goes on; the kernel asks for that, too, when it checks where packets come from.
fn rules(pools: &[IpNet], bridge: &LinkName) -> Result<Vec<Rule>, Error> {
    let rule = |ipv6, table| Rule {
        namespace: Namespace::Host,
        ipv6,
        priority: PRIORITY,
        source: None,
        destination: None,
        input: None,
        mark: None,
        table,
    };
    let refused = |ipv6| Rule { input: Some(bridge.clone()), ..rule(ipv6, RT_TABLE_NONE) };
    let host = LinkName::new("lo")?;
    let into = |pool: &IpNet| {
        let (destination, ipv6) = (Some(pool.trunc()), pool.addr().is_ipv6());
        let own = Rule { destination, input: Some(host.clone()), ..rule(ipv6, RT_TABLE_MAIN) };
        [own, Rule { destination, ..rule(ipv6, RT_TABLE_NONE) }]
    };
    Ok([false, true].map(refused).into_iter().chain(pools.iter().flat_map(into)).collect())
}
