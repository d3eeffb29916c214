//! Removing rules: those that are there, the chains that they leave empty, and the table if it is left empty, in one transaction.
//!
//! What is left empty is known, or asked for: the kernel counts what is in a chain and a table (NFTA_CHAIN_USE, NFTA_TABLE_USE), so the cost
//! doesn't grow with the rules of others. A rule that comes in between is not lost with its chain: the kernel keeps a chain or a table that is in
//! use, and a transaction after a question is tied to the generation that the answer is of.

use std::collections::HashSet;

use rustix::io::Errno;

use crate::nft::counted::Held;
use crate::nft::{Counted, RULES_PER_CHANGE, find, first_refusal, is_overtaken, message, transaction};
use crate::transport::attribute::big_number;
use crate::transport::session::Session;
use crate::transport::socket::{Answer, Protocol, Request};
use crate::{Applied, Error, Namespace, NftChain, NftHandle, Outcome};

/// Another's change of the namespace's rules in the middle is rare; twenty in a row are not to be expected.
const TRIES: usize = 20;

/// Removes rules. Ok for what is gone.
pub(in super::super) fn remove(
    session: &mut Session,
    counted: &Counted,
    at: &Namespace,
    table: &str,
    rules: &[NftHandle],
) -> Result<Applied, Error> {
    let mut seen = HashSet::new();
    let rules: Vec<NftHandle> = rules.iter().filter(|rule| seen.insert(*rule)).cloned().collect();
    let mut counted = counted.hold(at);
    for some in rules.chunks(RULES_PER_CHANGE) {
        remove_some(session, &mut counted, at, table, some.to_vec())?;
    }
    Ok(Applied { outcome: Outcome::Done, undo: Vec::new() })
}

fn remove_some(
    session: &mut Session,
    counted: &mut Held<'_>,
    at: &Namespace,
    table: &str,
    mut left: Vec<NftHandle>,
) -> Result<(), Error> {
    if remove_counted(session, counted, at, table, &left)? {
        return Ok(());
    }
    for _ in 0..TRIES {
        if left.is_empty() || attempt(session, counted, at, table, &mut left)? {
            return Ok(());
        }
    }
    Err(Error::refused("the rules changed each time while they were looked at"))
}

/// Removes rules with what they leave empty as far as is known; false: not enough is known, or it was wrong.
fn remove_counted(
    session: &mut Session,
    counted: &mut Held<'_>,
    at: &Namespace,
    table: &str,
    rules: &[NftHandle],
) -> Result<bool, Error> {
    let Some(going) = counted.going(table, rules) else {
        counted.forget(table);
        return Ok(false);
    };
    let mut batch: Vec<Request> =
        rules.iter().map(|rule| message::delete_rule(table, rule.chain, rule.handle)).collect();
    batch.extend(going.chains.iter().map(|chain| message::delete_chain(table, *chain)));
    batch.extend(going.table.then(|| message::delete_empty_table(table)));
    let answers = transaction(session, at, batch, None);
    let is_done = answers.as_ref().is_ok_and(|answers| first_refusal(answers).is_none());
    match is_done {
        true => counted.removed(table, rules),
        // What became of it may be unknown.
        false => counted.forget(table),
    }
    answers.map(|_| is_done)
}

/// Tries once; false: something was gone or changed, and `left` has what is still there.
fn attempt(
    session: &mut Session,
    counted: &mut Held<'_>,
    at: &Namespace,
    table: &str,
    left: &mut Vec<NftHandle>,
) -> Result<bool, Error> {
    let chains = chains(left);
    let mut questions = vec![message::get_generation(), message::get_table(table)];
    questions.extend(chains.iter().map(|chain| message::get_chain(table, *chain)));
    let answers = session.exchange_with(at, Protocol::Netfilter, &questions)?;
    let [generation, in_table, in_chains @ ..] = answers.as_slice() else { return Ok(false) };
    let Some(generation) = count(generation, message::NFTA_GEN_ID)? else { return Ok(false) };
    let Some(in_table) = count(in_table, message::NFTA_TABLE_USE)? else {
        left.clear();
        return Ok(false);
    };
    let mut batch: Vec<Request> = Vec::new();
    let (mut emptied, mut rules) = (Vec::new(), Vec::new());
    for (chain, answer) in chains.iter().zip(in_chains) {
        let Some(in_chain) = count(answer, message::NFTA_CHAIN_USE)? else {
            left.retain(|rule| rule.chain != *chain);
            rules.push((*chain, 0));
            continue;
        };
        let ours: Vec<&NftHandle> = left.iter().filter(|rule| rule.chain == *chain).collect();
        batch.extend(ours.iter().map(|rule| message::delete_rule(table, rule.chain, rule.handle)));
        let others = (in_chain as usize).saturating_sub(ours.len());
        if others == 0 {
            emptied.push(*chain);
        }
        rules.push((*chain, u32::try_from(others).unwrap_or(u32::MAX)));
    }
    batch.extend(emptied.iter().map(|chain| message::delete_chain(table, *chain)));
    if in_table as usize == emptied.len() {
        batch.push(message::delete_empty_table(table));
    }
    if batch.is_empty() {
        return Ok(false);
    }
    let answers = transaction(session, at, batch, Some(generation))?;
    match first_refusal(&answers) {
        None => {
            let chains = in_table.saturating_sub(u32::try_from(emptied.len()).unwrap_or(u32::MAX));
            if chains > 0 {
                counted.saw(table, chains, rules.into_iter());
            }
            Ok(true)
        }
        Some((_, refusal)) if is_overtaken(refusal) => Ok(false),
        Some((_, refusal)) if refusal.is(&[Errno::NOENT]) => keep_existing(session, at, table, left).map(|()| false),
        Some((_, refusal)) => Err(Error::kernel("the rules", refusal)),
    }
}

/// Looks at each rule, and leaves those that are there.
fn keep_existing(session: &mut Session, at: &Namespace, table: &str, left: &mut Vec<NftHandle>) -> Result<(), Error> {
    let questions: Vec<Request> = left.iter().map(|r| message::get_rule(table, r.chain, r.handle)).collect();
    let answers = session.exchange_with(at, Protocol::Netfilter, &questions)?;
    let mut there = answers.iter().map(Result::is_ok);
    left.retain(|_| there.next().unwrap_or(false));
    Ok(())
}

fn chains(rules: &[NftHandle]) -> Vec<NftChain> {
    let mut chains: Vec<NftChain> = rules.iter().map(|rule| rule.chain).collect();
    chains.sort_unstable();
    chains.dedup();
    chains
}

/// A number in an answer about one object; none: there is no such object.
fn count(answer: &Answer, attribute: u16) -> Result<Option<u32>, Error> {
    match answer {
        Ok(messages) => messages.first().map(|m| find(m, attribute).and_then(big_number)).transpose(),
        Err(refusal) if refusal.is(&[Errno::NOENT]) => Ok(None),
        Err(refusal) => Err(Error::kernel("looking at the table", refusal)),
    }
}
