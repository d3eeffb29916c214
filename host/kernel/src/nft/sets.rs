//! Named sets and maps: what rules look into, and what changes without them. An element is an interval: its first value, and with a mark the one behind its
//! last, as nft has it (NFT_SET_INTERVAL). So single values and ranges are in sets of one kind.

use std::collections::BTreeSet;

use rustix::io::Errno;

use crate::change::apply::Note;
use crate::nft::expression::{NFTA_DATA_VALUE, NFTA_LIST_ELEM};
use crate::nft::map::NFTA_SET_ELEM_DATA;
use crate::nft::values::Form;
use crate::nft::{TRIES, Tables, find, first_refusal, list, message as m, transaction};
use crate::transport::attribute::{Writer, after, attributes, big_number, text};
use crate::transport::session::Session;
use crate::transport::socket::{Request, flag, malformed};
use crate::{Applied, Change, Error, Namespace, NftElement, NftSet, NftSetKind, Outcome};

pub(in super::super) const NFTA_SET_ELEM_FLAGS: u16 = 3;
/// NFT_SET_ELEM_INTERVAL_END.
pub(in super::super) const END: u32 = 1;
/// A list of elements is one attribute, of 65,535 bytes at most; an element has up to 80, with its end, or with what it leads to.
const ELEMENTS_PER_MESSAGE: usize = 500;

/// A value in a set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bound {
    /// Its bytes.
    pub key: Vec<u8>,
    /// What it leads to, in a map.
    pub value: Vec<u8>,
    /// It is the end of an interval.
    pub is_end: bool,
}

/// What names a set.
#[derive(Clone, Copy)]
pub(in super::super) struct Place<'a> {
    pub at: &'a Namespace,
    pub table: &'a str,
    pub set: &'a str,
}

/// Makes an empty set, and its table if that isn't there.
pub(in super::super) fn add(
    session: &mut Session,
    tables: &Tables,
    place: Place,
    kind: NftSetKind,
    note: Note,
) -> Result<Applied, Error> {
    let mut known = tables.hold(place.at);
    let undo = vec![Change::RemoveNftSet {
        namespace: place.at.clone(),
        table: place.table.into(),
        set: place.set.into(),
        kind,
    }];
    note(&undo)?;
    let batch = vec![m::new_table(place.table), new(place.table, place.set, kind, 0)];
    match first_refusal(&transaction(session, place.at, batch, None)?) {
        Some((_, refusal)) => Err(Error::kernel(format_args!("the set {}", place.set), refusal)),
        None => {
            known.note_set(place.table, place.set);
            Ok(Applied { outcome: Outcome::Done, undo })
        }
    }
}

/// Removes a set, and its table if nothing else is in it. Ok if it is gone.
pub(in super::super) fn remove(
    session: &mut Session,
    tables: &Tables,
    place: Place,
    kind: NftSetKind,
) -> Result<Applied, Error> {
    let mut known = tables.hold(place.at);
    let mut tidies = true;
    for _ in 0..TRIES {
        let mut table = known.take(session, place.at, place.table)?;
        table.sets.remove(place.set);
        let mut batch = vec![delete(place.table, place.set)];
        if table.is_empty() && tidies {
            batch.push(m::delete_empty_table(place.table));
        }
        match first_refusal(&transaction(session, place.at, batch, None)?) {
            None => {
                known.keep(place.table, table);
                let (namespace, table, set) = (place.at.clone(), place.table.to_owned(), place.set.to_owned());
                let undo = vec![Change::AddNftSet { namespace, table, set, kind }];
                return Ok(Applied { outcome: Outcome::Done, undo });
            }
            Some((0, refusal)) if refusal.is(&[Errno::NOENT]) => {
                known.keep(place.table, table);
                return Ok(Applied { outcome: Outcome::Done, undo: Vec::new() });
            }
            // Something is in the table that was not known.
            Some((1, _)) => tidies &= !table.is_fresh,
            Some((_, refusal)) => return Err(Error::kernel(format_args!("the set {}", place.set), refusal)),
        }
    }
    Err(Error::refused("the table changed each time while it was looked at"))
}

/// Adds elements; an error if one is there.
pub(in super::super) fn add_elements(
    session: &mut Session,
    tables: &Tables,
    place: Place,
    elements: &[NftElement],
    note: Note,
) -> Result<Applied, Error> {
    if elements.is_empty() {
        return Ok(Applied { outcome: Outcome::Done, undo: Vec::new() });
    }
    let _turn = tables.hold(place.at);
    let undo = vec![Change::RemoveNftElements {
        namespace: place.at.clone(),
        table: place.table.into(),
        set: place.set.into(),
        elements: elements.to_vec(),
    }];
    note(&undo)?;
    let batch = new_elements(place.table, place.set, elements);
    match first_refusal(&transaction(session, place.at, batch, None)?) {
        Some((_, refusal)) => Err(Error::kernel(format_args!("elements of the set {}", place.set), refusal)),
        None => Ok(Applied { outcome: Outcome::Done, undo }),
    }
}

/// Removes elements. Ok for those that are gone, and where the set is.
pub(in super::super) fn remove_elements(
    session: &mut Session,
    tables: &Tables,
    place: Place,
    elements: &[NftElement],
) -> Result<Applied, Error> {
    let _turn = tables.hold(place.at);
    let mut elements: Vec<NftElement> = elements.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    for _ in 0..TRIES {
        if elements.is_empty() {
            return Ok(Applied { outcome: Outcome::Done, undo: Vec::new() });
        }
        let batch = messages(m::NFT_MSG_DELSETELEM, 0, place.table, place.set, &elements);
        match first_refusal(&transaction(session, place.at, batch, None)?) {
            None => {
                let (namespace, table, set) = (place.at.clone(), place.table.to_owned(), place.set.to_owned());
                let undo = vec![Change::AddNftElements { namespace, table, set, elements }];
                return Ok(Applied { outcome: Outcome::Done, undo });
            }
            Some((_, refusal)) if refusal.is(&[Errno::NOENT]) => {
                let there = bounds(session, place)?.into_iter().filter(|bound| !bound.is_end);
                let there: BTreeSet<Vec<u8>> = there.map(|bound| bound.key).collect();
                elements.retain(|element| there.contains(&element.bounds().0));
            }
            Some((_, refusal)) => {
                return Err(Error::kernel(format_args!("elements of the set {}", place.set), refusal));
            }
        }
    }
    Err(Error::refused("the set changed each time while it was looked at"))
}

/// What makes a set with all that is in it.
pub(super) fn whole(table: &str, set: &NftSet, id: u32) -> Vec<Request> {
    let mut all = vec![new(table, &set.name, set.kind, id)];
    all.extend(new_elements(table, &set.name, &set.elements));
    all
}

/// The names of a table's sets.
pub(in super::super) fn names(session: &mut Session, at: &Namespace, table: &str) -> Result<Vec<String>, Error> {
    let question = m::all(m::NFT_MSG_GETSET, m::of(table).put_text(m::NFTA_SET_TABLE, table));
    let all = list(session, at, "nftables sets", question)?;
    let names = all.iter().map(|message| find(message, m::NFTA_SET_NAME).map(text));
    Ok(names.collect::<Result<Vec<_>, _>>()?.into_iter().filter(|name| is_set(name)).collect())
}

/// Whether a name is one of a set: not of a map to chains, and not of what belongs to a rule.
pub(super) fn is_set(name: &str) -> bool {
    !name.contains('/') && !name.starts_with('_')
}

/// All bounds in a set, in their order; none where there is no such set.
pub(in super::super) fn bounds(session: &mut Session, place: Place) -> Result<Vec<Bound>, Error> {
    let mut found = BTreeSet::new();
    let question = m::list_elements(m::of(place.table), place.table, place.set);
    for piece in list(session, place.at, "nftables sets", question)? {
        let all = after(&piece.body, m::HEADER)?.find(m::NFTA_SET_ELEM_LIST_ELEMENTS)?;
        for element in attributes(all.unwrap_or_default()) {
            found.insert(bound(element?.1)?);
        }
    }
    Ok(found.into_iter().collect())
}

fn bound(element: &[u8]) -> Result<Bound, Error> {
    let key = attributes(element).find(m::NFTA_SET_ELEM_KEY)?.ok_or_else(malformed)?;
    let key = attributes(key).find(NFTA_DATA_VALUE)?.ok_or_else(malformed)?.to_vec();
    let data = attributes(element).find(NFTA_SET_ELEM_DATA)?.unwrap_or_default();
    let value = attributes(data).find(NFTA_DATA_VALUE)?.unwrap_or_default().to_vec();
    let flags = attributes(element).find(NFTA_SET_ELEM_FLAGS)?.map_or(Ok(0), big_number)?;
    Ok(Bound { key, value, is_end: flags & END != 0 })
}

/// Makes a set; an error if it is there. `id`: its number in the transaction.
fn new(table: &str, set: &str, kind: NftSetKind, id: u32) -> Request {
    m::one(m::NFT_MSG_NEWSET, flag::CREATE | flag::EXCL, Form::of(kind).put(body(table, set), id))
}

fn delete(table: &str, set: &str) -> Request {
    m::one(m::NFT_MSG_DELSET, 0, body(table, set))
}

fn new_elements(table: &str, set: &str, elements: &[NftElement]) -> Vec<Request> {
    messages(m::NFT_MSG_NEWSETELEM, flag::CREATE | flag::EXCL, table, set, elements)
}

fn messages(kind: u16, flags: u16, table: &str, set: &str, elements: &[NftElement]) -> Vec<Request> {
    let message = |some: &[NftElement]| {
        let written = some.iter().fold(Writer::default(), |list, element| {
            let (first, end) = element.bounds();
            // What goes, goes by its key.
            let value = if kind == m::NFT_MSG_NEWSETELEM { element.value() } else { Vec::new() };
            let list = list.nest(NFTA_LIST_ELEM, leading(key(&first), &value));
            match end {
                Some(end) => list.nest(NFTA_LIST_ELEM, key(&end).put_big(NFTA_SET_ELEM_FLAGS, END)),
                None => list,
            }
        });
        m::one(kind, flags, body(table, set).nest(m::NFTA_SET_ELEM_LIST_ELEMENTS, written))
    };
    elements.chunks(ELEMENTS_PER_MESSAGE).map(message).collect()
}

fn key(value: &[u8]) -> Writer {
    Writer::default().nest(m::NFTA_SET_ELEM_KEY, Writer::default().put(NFTA_DATA_VALUE, value))
}

fn leading(key: Writer, value: &[u8]) -> Writer {
    match value {
        [] => key,
        value => key.nest(NFTA_SET_ELEM_DATA, Writer::default().put(NFTA_DATA_VALUE, value)),
    }
}

fn body(table: &str, set: &str) -> Writer {
    m::of(table).put_text(m::NFTA_SET_TABLE, table).put_text(m::NFTA_SET_NAME, set)
}
