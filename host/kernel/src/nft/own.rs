//! Own chains: what rules of a base chain lead to, and what stays when its last rule goes.

use rustix::io::Errno;

use crate::change::apply::Note;
use crate::nft::{TRIES, Tables, chain, find, first_refusal, list, message as m, transaction};
use crate::transport::attribute::text;
use crate::transport::session::Session;
use crate::{Applied, Change, Error, Namespace, NftOwnChain, Outcome};

/// Makes an empty chain, and its table if that isn't there.
pub(in super::super) fn add(
    session: &mut Session,
    tables: &Tables,
    at: &Namespace,
    table: &str,
    chain: &NftOwnChain,
    note: Note,
) -> Result<Applied, Error> {
    let mut known = tables.hold(at);
    let mut rest = known.take(session, at, table)?;
    let undo = vec![Change::RemoveNftChain { namespace: at.clone(), table: table.to_owned(), chain: chain.clone() }];
    note(&undo)?;
    let batch = vec![m::new_table(table), m::new_own_chain(table, chain)];
    match first_refusal(&transaction(session, at, batch, None)?) {
        Some((_, refusal)) => Err(Error::kernel(format_args!("the chain {}", chain.name), refusal)),
        None => {
            rest.owns.entry(chain.clone()).or_default();
            known.keep(table, rest);
            Ok(Applied { outcome: Outcome::Done, undo })
        }
    }
}

/// Removes a chain, and its table if nothing else is in it. Ok if it is gone.
pub(in super::super) fn remove(
    session: &mut Session,
    tables: &Tables,
    at: &Namespace,
    table: &str,
    chain: &NftOwnChain,
) -> Result<Applied, Error> {
    let mut known = tables.hold(at);
    let mut tidies = true;
    for _ in 0..TRIES {
        let mut rest = known.take(session, at, table)?;
        rest.owns.remove(chain);
        let mut batch = vec![m::delete_own_chain(table, chain)];
        if rest.is_empty() && tidies {
            batch.push(m::delete_empty_table(table));
        }
        match first_refusal(&transaction(session, at, batch, None)?) {
            None => {
                known.keep(table, rest);
                let (namespace, table, chain) = (at.clone(), table.to_owned(), chain.clone());
                let undo = vec![Change::AddNftChain { namespace, table, chain }];
                return Ok(Applied { outcome: Outcome::Done, undo });
            }
            Some((0, refusal)) if refusal.is(&[Errno::NOENT]) => {
                known.keep(table, rest);
                return Ok(Applied { outcome: Outcome::Done, undo: Vec::new() });
            }
            // Something is in the table that was not known.
            Some((1, _)) => tidies &= !rest.is_fresh,
            Some((_, refusal)) => return Err(Error::kernel(format_args!("the chain {}", chain.name), refusal)),
        }
    }
    Err(Error::refused("the table changed each time while it was looked at"))
}

/// All own chains of tables of family inet, each with its table.
pub(in super::super) fn all(session: &mut Session, at: &Namespace) -> Result<Vec<(String, NftOwnChain)>, Error> {
    let mut found = Vec::new();
    for message in list(session, at, "nftables chains", m::list_inet_chains())? {
        if let Some(own) = chain::own(&text(find(&message, m::NFTA_CHAIN_NAME)?)) {
            found.push((text(find(&message, m::NFTA_CHAIN_TABLE)?), own));
        }
    }
    Ok(found)
}
