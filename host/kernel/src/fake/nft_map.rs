//! Maps of an nftables table, which lead to its chains. What is in an anonymous set is part of what its rule tests.

use std::collections::BTreeMap;

use rustix::io::Errno;

use crate::fake::fields::Fields;
use crate::fake::machine::Reply;
use crate::fake::nft::{Map, Table, inet};
use crate::fake::nft_table::looks_into;
use crate::nft::expression::{NFTA_DATA_VALUE, NFTA_DATA_VERDICT, NFTA_LIST_ELEM, NFTA_VERDICT_CHAIN};
use crate::nft::map::{NFTA_SET_DATA_TYPE, NFTA_SET_ELEM_DATA};
use crate::nft::message as m;
use crate::nft::sets::NFTA_SET_ELEM_FLAGS;
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
        let is_set = fields.get(NFTA_SET_DATA_TYPE).is_none();
        self.maps.push(Map { name, is_set, elements: BTreeMap::new() });
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
            let there = map.elements.entry(key(&element)?).or_insert_with(|| chain.clone());
            if *there != chain {
                return Err(Errno::BUSY);
            }
        }
        Ok(Vec::new())
    }

    /// That intervals overlap in part is not looked at: nobody here asks for it.
    fn new_members(&mut self, fields: &Fields, only_new: bool) -> Reply {
        for element in elements(fields)? {
            let there = self.map_mut(fields)?.elements.insert(member(&element)?, String::new());
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
            let key = Writer::default().nest(m::NFTA_SET_ELEM_KEY, Writer::default().put(NFTA_DATA_VALUE, value));
            let key = if flags == 0 { key } else { key.put_big(NFTA_SET_ELEM_FLAGS, flags.into()) };
            list.nest(NFTA_LIST_ELEM, key)
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

fn key(element: &Fields) -> Result<Vec<u8>, Errno> {
    let key = element.nested(m::NFTA_SET_ELEM_KEY, 0)?.ok_or(Errno::INVAL)?;
    key.must(NFTA_DATA_VALUE).map(<[u8]>::to_vec)
}
