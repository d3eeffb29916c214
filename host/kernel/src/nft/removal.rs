//! Removing rules: those that are there, the chains that they leave empty, with what leads to them, and the table if it is left empty, in one
//! transaction.
//!
//! The kernel counts what is in a chain and a table (NFTA_CHAIN_USE, NFTA_TABLE_USE), so the cost doesn't grow with the rules of others.
//! The transaction is tied to the generation that the counts were read in: a rule that comes in between is not lost with its chain.

use std::collections::{BTreeMap, HashSet};

use rustix::io::Errno;

use crate::nft::{
    RULES_PER_CHANGE, TRIES, count, first_refusal, is_overtaken, map, message, ports::unused, transaction,
};
use crate::transport::session::Session;
use crate::transport::socket::{Protocol, Request};
use crate::{Applied, Error, Namespace, NftChain, NftHandle, NftPort, Outcome};

/// A base chain, or the chain of a port behind it.
type Place = (NftChain, Option<NftPort>);

/// Removes rules. Ok for what is gone.
pub(in super::super) fn remove(
    session: &mut Session,
    at: &Namespace,
    table: &str,
    rules: &[NftHandle],
) -> Result<Applied, Error> {
    let mut seen = HashSet::new();
    let rules: Vec<NftHandle> = rules.iter().filter(|rule| seen.insert(*rule)).cloned().collect();
    for some in rules.chunks(RULES_PER_CHANGE) {
        remove_some(session, at, table, some.to_vec())?;
    }
    Ok(Applied { outcome: Outcome::Done, undo: Vec::new() })
}

fn remove_some(session: &mut Session, at: &Namespace, table: &str, mut left: Vec<NftHandle>) -> Result<(), Error> {
    for _ in 0..TRIES {
        if left.is_empty() || attempt(session, at, table, &mut left)? {
            return Ok(());
        }
    }
    Err(Error::refused("the rules changed each time while they were looked at"))
}

/// Tries once; false: something was gone or changed, and `left` has what is still there.
fn attempt(session: &mut Session, at: &Namespace, table: &str, left: &mut Vec<NftHandle>) -> Result<bool, Error> {
    let places = by_place(left);
    let mut questions = vec![message::get_generation(), message::get_table(table)];
    questions.extend(places.keys().map(|(chain, port)| message::get_chain(table, *chain, *port)));
    let answers = session.exchange_with(at, Protocol::Netfilter, &questions)?;
    let [generation, in_table, in_chains @ ..] = answers.as_slice() else { return Ok(false) };
    let Some(generation) = count(generation, message::NFTA_GEN_ID)? else { return Ok(false) };
    let Some(in_table) = count(in_table, message::NFTA_TABLE_USE)? else {
        left.clear();
        return Ok(false);
    };
    let mut plan = Plan::default();
    for ((place, rules), answer) in places.iter().zip(in_chains) {
        plan.take(table, *place, rules, count(answer, message::NFTA_CHAIN_USE)?);
    }
    let without = |chain: NftChain| {
        let ports = plan.led_to.iter().filter(|(base, _)| *base == chain).count();
        (ports, places.get(&(chain, None)).map_or(0, Vec::len))
    };
    let rest = (in_table as usize).saturating_sub(plan.emptied.len());
    let maps = unused(session, at, table, rest, without)?;
    let Plan { mut batch, emptied, led_to, gone } = plan;
    batch.extend(led_to.iter().map(|(chain, port)| map::delete_element(table, *chain, *port)));
    batch.extend(emptied.iter().map(|(chain, port)| message::delete_chain(table, *chain, *port)));
    for chain in &maps {
        batch.extend([message::delete_chain(table, *chain, None), map::delete(table, *chain)]);
    }
    if rest == 2 * maps.len() {
        batch.push(message::delete_table(table));
    }
    left.retain(|rule| !gone.contains(&(rule.chain, rule.port)));
    if batch.is_empty() {
        return Ok(false);
    }
    let answers = transaction(session, at, batch, Some(generation))?;
    match first_refusal(&answers) {
        None => Ok(true),
        Some((_, refusal)) if is_overtaken(refusal) => Ok(false),
        Some((_, refusal)) if refusal.is(&[Errno::NOENT]) => keep_existing(session, at, table, left).map(|()| false),
        Some((_, refusal)) => Err(Error::kernel("the rules", refusal)),
    }
}

/// What becomes of the chains that rules are removed from.
#[derive(Default)]
struct Plan {
    batch: Vec<Request>,
    /// Nothing is left in them.
    emptied: Vec<Place>,
    /// Those among them that a map leads to.
    led_to: Vec<(NftChain, NftPort)>,
    gone: HashSet<Place>,
}

impl Plan {
    /// `in_chain`: how many rules it has, and one more where a map leads to it. None: it isn't there.
    fn take(&mut self, table: &str, place: Place, rules: &[&NftHandle], in_chain: Option<u32>) {
        let Some(in_chain) = in_chain else {
            self.gone.insert(place);
            return;
        };
        self.batch.extend(rules.iter().map(|rule| message::delete_rule(table, rule)));
        match (place, (in_chain as usize).checked_sub(rules.len())) {
            (_, Some(0)) => self.emptied.push(place),
            ((chain, Some(port)), Some(1)) => {
                self.led_to.push((chain, port));
                self.emptied.push(place);
            }
            _ => {}
        }
    }
}

/// Looks at each rule, and leaves those that are there.
fn keep_existing(session: &mut Session, at: &Namespace, table: &str, left: &mut Vec<NftHandle>) -> Result<(), Error> {
    let questions: Vec<Request> = left.iter().map(|rule| message::get_rule(table, rule)).collect();
    let answers = session.exchange_with(at, Protocol::Netfilter, &questions)?;
    let mut there = answers.iter().map(Result::is_ok);
    left.retain(|_| there.next().unwrap_or(false));
    Ok(())
}

fn by_place(rules: &[NftHandle]) -> BTreeMap<Place, Vec<&NftHandle>> {
    let mut places: BTreeMap<Place, Vec<&NftHandle>> = BTreeMap::new();
    for rule in rules {
        places.entry((rule.chain, rule.port)).or_default().push(rule);
    }
    places
}
