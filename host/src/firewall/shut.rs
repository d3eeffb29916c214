//! What keeps a network shut without packet rules: policy rules, which no flush of a firewall touches. Whatever comes in by its bridge and is
//! not for the host itself is refused, and so is what others send to its pools.
//!
//! An internal network always has them. Another one is closed by them when its packet rules are gone and can't be put back, until they can.
//! A note in the store has the next start remove them.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::Keeper;
use kernel::{Change, LinkKey, LinkKind, Namespace, RT_TABLE_MAIN, RT_TABLE_NONE, Rule, own_name};
use store::{Batch, Durability, Object, Thing, Write};
use words::{Id, LinkName};

/// No driver's rule has it. It comes after the table of local addresses, and before all others.
const PRIORITY: u32 = 0;

/// The closed networks, by the table that can't be made.
pub(super) type Shut = BTreeMap<String, Closed>;

/// What closes a network.
pub(super) struct Closed {
    network: Id,
    /// Why its table can't be made.
    why: String,
    /// The note in the store that has the rules removed.
    note: i64,
    rules: Vec<Rule>,
}

/// Whether a rule is the host's own: no driver made it, sees it or removes it.
pub fn is_hosts(rule: &Rule) -> bool {
    rule.priority == PRIORITY
}

/// The rules for a bridge of a network with these pools. What the host itself sends goes on; the kernel asks for that, too, when it checks
/// where packets come from.
pub fn refusals(pools: &[IpNet], bridge: &LinkKey) -> words::Result<Vec<Rule>> {
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
    let (bridge, host) = (own_name(bridge.index)?, LinkName::new("lo")?);
    let refused = |ipv6| Rule { input: Some(bridge.clone()), ..rule(ipv6, RT_TABLE_NONE) };
    let into = |pool: &IpNet| {
        let (destination, ipv6) = (Some(pool.trunc()), pool.addr().is_ipv6());
        let own = Rule { destination, input: Some(host.clone()), ..rule(ipv6, RT_TABLE_MAIN) };
        [own, Rule { destination, ..rule(ipv6, RT_TABLE_NONE) }]
    };
    Ok([false, true].map(refused).into_iter().chain(pools.iter().flat_map(into)).collect())
}

impl Keeper {
    pub(super) fn has_shut(&self) -> bool {
        !self.shut().is_empty()
    }

    /// See [`Firewall::closed`](super::Firewall::closed).
    pub(super) fn closed_networks(&self) -> BTreeMap<Id, String> {
        self.shut().values().map(|closed| (closed.network.clone(), closed.why.clone())).collect()
    }

    /// Closes a network whose table can't be made.
    pub(super) fn shut_off(&self, table: &str, network: &Id, why: &words::Error) {
        if self.shut().contains_key(table) {
            return;
        }
        match self.refused(network) {
            Ok((note, rules)) => {
                tracing::error!(%network, "closed: nothing comes into the network or leaves it until its packet rules are back");
                let (network, why) = (network.clone(), why.to_string());
                self.shut().insert(table.to_owned(), Closed { network, why, note, rules });
            }
            Err(error) => tracing::error!(%network, "the network can't be closed, and is open: {error}"),
        }
    }

    /// Opens the networks again whose table is there, or not wanted any more.
    pub(super) fn open_but(&self, failed: &[String]) {
        self.shut().retain(|table, Closed { note, rules, .. }| {
            if failed.contains(table) {
                return true;
            }
            tracing::warn!(table, "open again: the packet rules are back");
            for error in self.kernel.attempt(&removals(rules)) {
                tracing::error!("a policy rule that closed a network can't be removed: {error}");
            }
            if let Err(error) = self.store.forget_notes(&[*note]) {
                tracing::error!("{error}");
            }
            false
        });
    }

    /// Makes the rules that are not there yet, and answers these.
    fn refused(&self, network: &Id) -> words::Result<(i64, Vec<Rule>)> {
        let pools = self.store.network(network)?.map_or_else(Vec::new, |network| network.pools);
        let pools: Vec<IpNet> = pools.iter().map(|pool| pool.subnet).collect();
        let there = self.kernel.rules(&Namespace::Host)?;
        let (mut changes, mut rules) = (Vec::new(), Vec::new());
        for bridge in self.store.objects(network, None)?.iter().filter_map(bridge) {
            rules.extend(refusals(&pools, &bridge)?.into_iter().filter(|rule| !there.contains(rule)));
            changes.push(Change::AddOwnName(bridge));
        }
        let note = self.store.new_object_id();
        let writes = vec![Write::Note(note, removals(&rules))];
        self.store.commit(Batch { writes, durability: Durability::Process, ..Batch::default() })?;
        changes.extend(rules.iter().cloned().map(Change::AddRule));
        self.kernel.apply(&changes)?;
        Ok((note, rules))
    }
}

fn removals(rules: &[Rule]) -> Vec<Change> {
    rules.iter().cloned().map(Change::RemoveRule).collect()
}

/// The bridge of the host's that an object is.
pub fn bridge(object: &Object) -> Option<LinkKey> {
    match &object.thing {
        Thing::Link { namespace: Namespace::Host, index, again: Some(again), .. } => {
            let is_bridge = again.spec.as_ref().is_some_and(|spec| matches!(spec.kind, LinkKind::Bridge));
            is_bridge.then_some(LinkKey { namespace: Namespace::Host, index: *index })
        }
        _ => None,
    }
}
