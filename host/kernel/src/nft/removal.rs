//! Removing rules: those that are there, the chains that they leave empty, with what leads to them, and the table if it is left empty, in one
//! transaction. A rule that somebody else has added meanwhile is not lost with its chain: the kernel keeps a chain and a table that are in use.

use std::collections::HashSet;

use rustix::io::Errno;

use crate::nft::table::{Held, Table};
use crate::nft::{RULES_PER_CHANGE, TRIES, Tables, first_refusal, map, message, transaction};
use crate::transport::session::Session;
use crate::transport::socket::Request;
use crate::{Applied, Error, Namespace, NftChain, NftHandle, NftOwnChain, Outcome};

/// Removes rules. Ok for what is gone.
pub(in super::super) fn remove(
    session: &mut Session,
    tables: &Tables,
    at: &Namespace,
    table: &str,
    rules: &[NftHandle],
) -> Result<Applied, Error> {
    let mut seen = HashSet::new();
    let rules: Vec<&NftHandle> = rules.iter().filter(|rule| seen.insert(*rule)).collect();
    let mut known = tables.hold(at);
    for some in rules.chunks(RULES_PER_CHANGE) {
        remove_some(session, &mut known, at, table, some)?;
    }
    Ok(Applied { outcome: Outcome::Done, undo: Vec::new() })
}

fn remove_some(
    session: &mut Session,
    known: &mut Held<'_>,
    at: &Namespace,
    name: &str,
    rules: &[&NftHandle],
) -> Result<(), Error> {
    let (mut tidies, mut lists) = (true, false);
    for _ in 0..TRIES {
        let mut table = known.take(session, at, name)?;
        if !table.is_fresh && !rules.iter().all(|rule| table.has(rule)) {
            table = Table::read(session, at, name)?;
        }
        if lists {
            table.read_own_chains(session, at, name)?;
        }
        let batch = without(&mut table, name, rules, tidies);
        if batch.is_empty() {
            known.keep(name, table);
            return Ok(());
        }
        let answers = transaction(session, at, batch, None)?;
        match first_refusal(&answers) {
            None => {
                // What is empty and stays is read again.
                if tidies {
                    known.keep(name, table);
                }
                return Ok(());
            }
            // It is not as it was known to be.
            Some((_, refusal)) if refusal.is(&[Errno::NOENT]) => {}
            // An own chain without rules may be there. Or somebody else has something in what would be empty.
            Some((_, refusal)) if refusal.is(&[Errno::BUSY]) => {
                tidies &= !lists;
                lists = true;
            }
            Some((_, refusal)) => return Err(Error::kernel("the rules", refusal)),
        }
    }
    Err(Error::refused("the rules changed each time while they were looked at"))
}

/// Takes rules out of a table, with what they leave empty. `tidies`: base chains, maps and the table, too.
fn without(table: &mut Table, name: &str, rules: &[&NftHandle], tidies: bool) -> Vec<Request> {
    let mut batch = Vec::new();
    let mut bases: Vec<NftChain> = Vec::new();
    for rule in rules.iter().filter(|rule| table.has(rule)) {
        batch.push(message::delete_rule(name, rule));
        bases.extend(rule.own.is_none().then_some(rule.chain));
    }
    for rule in rules {
        // An own chain stays when it is empty.
        if let Some(own) = NftOwnChain::of(rule) {
            table.owns.get_mut(&own).map(|rules| rules.remove(&rule.handle));
            continue;
        }
        let Some(base) = table.bases.get_mut(&rule.chain) else { continue };
        let Some(port) = rule.port else {
            base.rules.remove(&rule.handle);
            continue;
        };
        let Some(of_port) = base.ports.get_mut(&port) else { continue };
        if of_port.rules.remove(&rule.handle) && of_port.rules.is_empty() {
            if of_port.is_led_to {
                batch.push(map::delete_element(name, rule.chain, port));
            }
            batch.push(message::delete_chain(name, rule.chain, Some(port)));
            base.ports.remove(&port);
        }
    }
    bases.sort_unstable();
    bases.dedup();
    for chain in bases.into_iter().filter(|_| tidies) {
        let Some(base) = table.bases.get_mut(&chain).filter(|base| base.ports.is_empty()) else { continue };
        if let Some(handle) = base.leads.take() {
            batch.push(message::delete_rule(name, &NftHandle { chain, port: None, own: None, handle }));
        }
        if std::mem::take(&mut base.has_map) {
            batch.push(map::delete(name, chain));
        }
        if base.rules.is_empty() {
            batch.push(message::delete_chain(name, chain, None));
            table.bases.remove(&chain);
        }
    }
    if table.is_empty() && !batch.is_empty() && tidies {
        batch.push(message::delete_empty_table(name));
    }
    batch
}
