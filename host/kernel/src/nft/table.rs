//! What is in the host's tables, as far as this process knows it: it reads a table once, and notes its own changes. So nothing is asked before
//! rules are added or removed, and what they leave empty goes with them.
//!
//! Where it is wrong because somebody else changes a table, the kernel refuses the transaction: a map is there already (NLM_F_EXCL), a rule or a
//! map is gone, a chain or a table is in use (NLM_F_NONREC). Then the table is read again. Whoever flushes a chain that leads to ports is not
//! noticed here; who holds the rules makes the table anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::nft::ports::Ports;
use crate::nft::{chain, find, list, map, message, own, sets};
use crate::transport::attribute::{after, attributes, big_long, text};
use crate::transport::session::Session;
use crate::transport::socket::Message;
use crate::{Error, Namespace, NftChain, NftHandle, NftOwnChain, NftPort, NftRule, NftTable};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Tables(Mutex<BTreeMap<String, Table>>);

/// The tables of a namespace, held while they change: the kernel makes one transaction after the other, too.
pub(super) struct Held<'a> {
    known: MutexGuard<'a, BTreeMap<String, Table>>,
    /// Of a sandbox nothing is kept: it goes without a word, and its tables with it.
    keeps: bool,
}

/// All that is in a table.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub bases: BTreeMap<NftChain, Base>,
    /// Own chains, as far as they were made here or have rules, with the handles of these.
    pub owns: BTreeMap<NftOwnChain, BTreeSet<u64>>,
    /// The names of sets that rules look into.
    pub sets: BTreeSet<String>,
    /// It was read just now: a refusal is no mistake of what is known.
    pub is_fresh: bool,
}

/// A base chain, with what lies behind it.
#[derive(Debug, Default)]
pub(super) struct Base {
    pub has_map: bool,
    /// The handle of the rule that looks into the map.
    pub leads: Option<u64>,
    /// All other rules in it, by their handles, which are in their order.
    pub rules: BTreeMap<u64, Option<Ports>>,
    pub ports: BTreeMap<NftPort, Port>,
}

/// The chain of a port.
#[derive(Debug, Default)]
pub(super) struct Port {
    pub rules: BTreeSet<u64>,
    /// The map leads to it.
    pub is_led_to: bool,
}

impl Tables {
    /// Until the answer is dropped nobody else changes a table.
    pub(super) fn hold(&self, at: &Namespace) -> Held<'_> {
        Held { known: self.0.lock().unwrap_or_else(PoisonError::into_inner), keeps: *at == Namespace::Host }
    }
}

impl Held<'_> {
    /// A table, to be changed. Whoever does not [`Self::keep`] it has it read again.
    pub fn take(&mut self, session: &mut Session, at: &Namespace, name: &str) -> Result<Table, Error> {
        match self.keeps.then(|| self.known.remove(name)).flatten() {
            Some(table) => Ok(Table { is_fresh: false, ..table }),
            None => Table::read(session, at, name),
        }
    }

    /// What a table is from now on.
    pub fn keep(&mut self, name: &str, table: Table) {
        if self.keeps && !table.is_empty() {
            self.known.insert(name.to_owned(), table);
        }
    }

    /// There is a new set.
    pub fn note_set(&mut self, table: &str, set: &str) {
        if let Some(table) = self.known.get_mut(table).filter(|_| self.keeps) {
            table.sets.insert(set.to_owned());
        }
    }

    /// Nothing is known of a table any more.
    pub fn forget(&mut self, name: &str) {
        if self.keeps {
            self.known.remove(name);
        }
    }
}

impl Table {
    /// As it is in the kernel.
    pub fn read(session: &mut Session, at: &Namespace, name: &str) -> Result<Self, Error> {
        let mut table = Self { is_fresh: true, ..Self::default() };
        for message in list(session, at, "nftables rules", message::list_rules(name))? {
            table.read_rule(&message)?;
        }
        for message in list(session, at, "nftables maps", map::list(name))? {
            let name_of_set = text(find(&message, message::NFTA_SET_NAME)?);
            let Some(base) = chain::of_map(&name_of_set) else {
                table.sets.extend(Some(name_of_set).filter(|name| sets::is_set(name)));
                continue;
            };
            let known = table.bases.entry(base).or_default();
            known.has_map = true;
            for piece in list(
                session,
                at,
                "nftables maps",
                message::list_elements(message::of(name), name, &chain::map_name(base)),
            )? {
                let all = after(&piece.body, message::HEADER)?.find(message::NFTA_SET_ELEM_LIST_ELEMENTS)?;
                for element in attributes(all.unwrap_or_default()) {
                    known.ports.entry(map::port(element?.1)?).or_default().is_led_to = true;
                }
            }
        }
        Ok(table)
    }

    /// Adds own chains without rules, which are not read with the others: the kernel tells those of all tables.
    pub fn read_own_chains(&mut self, session: &mut Session, at: &Namespace, name: &str) -> Result<(), Error> {
        for (_, chain) in own::all(session, at)?.into_iter().filter(|(table, _)| table == name) {
            self.owns.entry(chain).or_default();
        }
        Ok(())
    }

    fn read_rule(&mut self, message: &Message) -> Result<(), Error> {
        let name = text(find(message, message::NFTA_RULE_CHAIN)?);
        let Some(NftHandle { chain, port, own, .. }) = chain::place_of_rule(&name) else { return Ok(()) };
        let handle = big_long(find(message, message::NFTA_RULE_HANDLE)?)?;
        if let Some(name) = own {
            self.owns.entry(NftOwnChain { base: chain, name }).or_default().insert(handle);
            return Ok(());
        }
        let userdata = after(&message.body, message::HEADER)?.find(message::NFTA_RULE_USERDATA)?.unwrap_or_default();
        let base = self.bases.entry(chain).or_default();
        match port {
            Some(port) => drop(base.ports.entry(port).or_default().rules.insert(handle)),
            None if map::leads(userdata) => base.leads = Some(handle),
            None => drop(base.rules.insert(handle, message::ports(userdata))),
        }
        Ok(())
    }

    /// Of a table that is to be made, what its rules look into and lead to.
    pub fn to_be(table: &NftTable) -> Self {
        let owns = table.chains.iter().map(|chain| (chain.clone(), BTreeSet::new())).collect();
        Self { sets: table.sets.iter().map(|set| set.name.clone()).collect(), owns, ..Self::default() }
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.bases.is_empty() && self.sets.is_empty() && self.owns.is_empty()
    }

    /// Whether a rule is in it.
    pub fn has(&self, rule: &NftHandle) -> bool {
        if let Some(own) = NftOwnChain::of(rule) {
            return self.owns.get(&own).is_some_and(|rules| rules.contains(&rule.handle));
        }
        let Some(base) = self.bases.get(&rule.chain) else { return false };
        match rule.port {
            Some(port) => base.ports.get(&port).is_some_and(|port| port.rules.contains(&rule.handle)),
            None => base.rules.contains_key(&rule.handle),
        }
    }

    /// Notes a rule that is in it now.
    pub fn note(&mut self, rule: &NftRule, handle: &NftHandle) {
        if let Some(own) = NftOwnChain::of(handle) {
            self.owns.entry(own).or_default().insert(handle.handle);
            return;
        }
        let base = self.bases.entry(handle.chain).or_default();
        match handle.port {
            Some(port) => {
                let port = base.ports.entry(port).or_default();
                port.is_led_to = true;
                port.rules.insert(handle.handle);
            }
            None => drop(base.rules.insert(handle.handle, Ports::of(rule))),
        }
    }
}

impl Base {
    /// The rules behind the one that looks into the map.
    pub fn behind(&self) -> impl Iterator<Item = Option<Ports>> {
        let leads = self.leads.unwrap_or(u64::MAX);
        self.rules.range(leads..).map(|(_, ports)| *ports)
    }
}
