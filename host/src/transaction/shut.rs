//! What keeps the bridge of an internal network shut: policy rules, which no flush of a firewall touches.
//!
//! Whatever comes in by the bridge and is not for the host itself is refused, and so is what others send to the network's pools. What the
//! driver's packet rules say holds beside that.

use ipnet::IpNet;

use super::Transaction;
use crate::firewall::{bridge, is_hosts, refusals};
use kernel::{Change, LinkKind, LinkSpec, Namespace, NewLink, Rule};
use store::{Object, Thing};
use words::Error;

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
        let mut rules = refusals(pools, &link.key)?;
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
        if self.there()?.any(|object| bridge(object).is_some()) {
            return Ok(());
        }
        self.take_all(|object| matches!(&object.thing, Thing::Rule(rule) if is_hosts(rule)))
    }
}
