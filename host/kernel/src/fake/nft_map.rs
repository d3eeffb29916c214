//! Sets and maps of an nftables table. What is in an anonymous set is part of what its rule tests.

use std::collections::BTreeMap;

use rustix::io::Errno;

use crate::fake::fields::Fields;
use crate::fake::machine::Reply;
use crate::fake::nft::{Map, Table, To, inet};
use crate::fake::nft_table::looks_into;
use crate::nft::expression::{NFTA_DATA_VALUE, NFTA_DATA_VERDICT, NFTA_LIST_ELEM, NFTA_VERDICT_CHAIN};
use crate::nft::map::{NFTA_SET_DATA_LEN, NFTA_SET_DATA_TYPE, NFTA_SET_ELEM_DATA, VERDICT};
use crate::nft::message as m;
use crate::nft::sets::{END, NFTA_SET_ELEM_FLAGS};
use crate::transport::attribute::{Writer, attributes, big_number};
use crate::transport::socket::Message;

/// Elements in one message.
const TOLD: usize = 500;

impl Table {
    /// A map of its name, as a set or its elements have it.
    pub fn map(&self, fields: &Fields) -> Result<&Map, Errno> {
        let name = fields.text(m::NFTA_SET_NAME).ok_or(Errno::INVAL)?;
        self.maps.iter().find(|map| map.name == name).ok_or(Errno::NOENT)
    }

    pub fn new_set(&mut self, fields: &Fields) -> Reply {
        let flags = fields.get(m::NFTA_SET_FLAGS).map(big_number).and_then(Result::ok).unwrap_or(0);
        if flags & m::NFT_SET_ANONYMOUS != 0 {
            return Ok(Vec::new());
        }
        let name = fields.text(m::NFTA_SET_NAME).ok_or(Errno::INVAL)?;
        if self.map(fields).is_ok() {
            return Err(Errno::EXIST);
        }
        self.last_handle += 1;
        let number = |kind| fields.get(kind).map(big_number).and_then(Result::ok);
        let is_set = number(NFTA_SET_DATA_TYPE) != Some(VERDICT);
        let bytes = [m::NFTA_SET_KEY_LEN, NFTA_SET_DATA_LEN].map(|kind| number(kind).unwrap_or(0) as usize);
        self.maps.push(Map { name, is_set, bytes: bytes.into(), elements: BTreeMap::new() });
        Ok(Vec::new())
    }

    pub fn delete_set(&mut self, fields: &Fields) -> Reply {
        let name = self.map(fields)?.name.clone();
        if self.chains.iter().any(|chain| chain.rules.iter().any(|rule| looks_into(&rule.expressions, &name))) {
            return Err(Errno::BUSY);
        }
        self.maps.retain(|map| map.name != name);
        Ok(Vec::new())
    }

    /// `only_new`: an error if one is there.
    pub fn new_elements(&mut self, fields: &Fields, only_new: bool) -> Reply {
        // Of an anonymous set, all say its number.
        if fields.get(m::NFTA_SET_ELEM_LIST_SET_ID).is_some() {
            return Ok(Vec::new());
        }
        if self.map(fields)?.is_set {
            return self.new_members(fields, only_new);
        }
        for element in elements(fields)? {
            let verdict = element.nested(NFTA_SET_ELEM_DATA, 0)?.ok_or(Errno::INVAL)?;
            let verdict = verdict.nested(NFTA_DATA_VERDICT, 0)?.ok_or(Errno::INVAL)?;
            let chain = verdict.text(NFTA_VERDICT_CHAIN).ok_or(Errno::INVAL)?;
            if !self.chains.iter().any(|there| there.name == chain && there.hook.is_none()) {
                return Err(Errno::NOENT);
            }
            let map = self.map_mut(fields)?;
            let there = map.elements.entry(key(&element)?).or_insert_with(|| To::Chain(chain.clone()));
            if !there.is(&chain) {
                return Err(Errno::BUSY);
            }
        }
        Ok(Vec::new())
    }

    /// That intervals overlap in part is not looked at: nobody here asks for it.
    fn new_members(&mut self, fields: &Fields, only_new: bool) -> Reply {
        for element in elements(fields)? {
            let map = self.map_mut(fields)?;
            let (key, to) = (member(&element)?, value(&element)?);
            map.check(&key, &to)?;
            let there = map.elements.insert(key, to);
            if there.is_some() && only_new {
                return Err(Errno::EXIST);
            }
        }
        Ok(Vec::new())
    }

    pub fn delete_elements(&mut self, fields: &Fields) -> Reply {
        for element in elements(fields)? {
            let map = self.map_mut(fields)?;
            let key = if map.is_set { member(&element)? } else { key(&element)? };
            if map.is_set && key.len() != map.bytes.0 + 1 {
                return Err(Errno::INVAL);
            }
            map.elements.remove(&key).ok_or(Errno::NOENT)?;
        }
        Ok(Vec::new())
    }

    fn map_mut(&mut self, fields: &Fields) -> Result<&mut Map, Errno> {
        let name = self.map(fields)?.name.clone();
        self.maps.iter_mut().find(|map| map.name == name).ok_or(Errno::NOENT)
    }

    pub fn tell_maps(&self) -> Vec<Message> {
        let tell = |map: &Map| {
            let written = inet().put_text(m::NFTA_SET_TABLE, &self.name).put_text(m::NFTA_SET_NAME, &map.name);
            Message { body: written.finish() }
        };
        self.maps.iter().map(tell).collect()
    }
}

impl Map {
    /// Keys and values have their lengths; only the end of an interval leads nowhere in a map.
    fn check(&self, key: &[u8], to: &To) -> Result<(), Errno> {
        let is_end = key.last().is_some_and(|flags| u32::from(*flags) & END != 0);
        let fits = match to {
            To::Value(value) => !is_end && value.len() == self.bytes.1,
            _ => is_end || self.bytes.1 == 0,
        };
        if fits && key.len() == self.bytes.0 + 1 { Ok(()) } else { Err(Errno::INVAL) }
    }

    /// In several messages: one attribute has at most 65,535 bytes.
    pub fn tell_elements(&self) -> Vec<Message> {
        let keys: Vec<&Vec<u8>> = self.elements.keys().collect();
        keys.chunks(TOLD).map(|some| self.tell_some(some)).collect()
    }

    fn tell_some(&self, keys: &[&Vec<u8>]) -> Message {
        let tell = |list: Writer, key: &Vec<u8>| {
            let (value, flags) = match key.split_last() {
                Some((flags, value)) if self.is_set => (value, *flags),
                _ => (key.as_slice(), 0),
            };
            let told = Writer::default().nest(m::NFTA_SET_ELEM_KEY, Writer::default().put(NFTA_DATA_VALUE, value));
            let element = if flags == 0 { told } else { told.put_big(NFTA_SET_ELEM_FLAGS, flags.into()) };
            let element = match self.elements.get(key) {
                Some(To::Value(to)) => element.nest(NFTA_SET_ELEM_DATA, Writer::default().put(NFTA_DATA_VALUE, to)),
                _ => element,
            };
            list.nest(NFTA_LIST_ELEM, element)
        };
        let elements = keys.iter().fold(Writer::default(), |list, key| tell(list, key));
        let written = inet().put_text(m::NFTA_SET_NAME, &self.name);
        Message { body: written.nest(m::NFTA_SET_ELEM_LIST_ELEMENTS, elements).finish() }
    }
}

fn elements<'a>(fields: &Fields<'a>) -> Result<Vec<Fields<'a>>, Errno> {
    let list = fields.get(m::NFTA_SET_ELEM_LIST_ELEMENTS).ok_or(Errno::INVAL)?;
    attributes(list)
        .map(|element| element.map_err(|_| Errno::INVAL).and_then(|(_, element)| Fields::after(element, 0)))
        .collect()
}

/// An element of a set: its key, and behind it its flags.
fn member(element: &Fields) -> Result<Vec<u8>, Errno> {
    let flags = element.get(NFTA_SET_ELEM_FLAGS).map(big_number).and_then(Result::ok).unwrap_or(0);
    Ok([key(element)?, vec![flags as u8]].concat())
}

/// What an element of a set or a map to values leads to.
fn value(element: &Fields) -> Result<To, Errno> {
    let Some(data) = element.nested(NFTA_SET_ELEM_DATA, 0)? else { return Ok(To::Nowhere) };
    data.must(NFTA_DATA_VALUE).map(|value| To::Value(value.to_vec()))
}

fn key(element: &Fields) -> Result<Vec<u8>, Errno> {
    let key = element.nested(m::NFTA_SET_ELEM_KEY, 0)?.ok_or(Errno::INVAL)?;
    key.must(NFTA_DATA_VALUE).map(<[u8]>::to_vec)
}
