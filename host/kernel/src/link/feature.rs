//! Features of links, by the generic netlink family `ethtool` (linux/ethtool_netlink.h, Linux 5.6): what a device does for the kernel, and what the
//! kernel does with many packets at once.
//!
//! What somebody wants and what is on are two things: without checksums there is no segmentation, whatever is wanted, and with them it is
//! back. Here it is what is wanted, so that what was comes back.

use std::collections::{BTreeMap, BTreeSet};

use rustix::io::Errno;

use crate::link::wireguard::{CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME, GENL_ID_CTRL, HEADER};
use crate::options::Place;
use crate::transport::attribute::{Writer, after, attributes, text};
use crate::transport::session::Session;
use crate::transport::socket::{Message, Protocol, Request, malformed};
use crate::{Error, LinkKey, LinkOption, Namespace};

pub(crate) const FAMILY: &str = "ethtool";
const CTRL_CMD_GETFAMILY: u8 = 3;
const VERSION: u8 = 1;
pub(crate) const ETHTOOL_MSG_FEATURES_GET: u8 = 11;
pub(crate) const ETHTOOL_MSG_FEATURES_SET: u8 = 12;
pub(crate) const ETHTOOL_A_FEATURES_HEADER: u16 = 1;
pub(crate) const ETHTOOL_A_FEATURES_HW: u16 = 2;
pub(crate) const ETHTOOL_A_FEATURES_WANTED: u16 = 3;
pub(crate) const ETHTOOL_A_HEADER_DEV_INDEX: u16 = 1;
const ETHTOOL_A_HEADER_FLAGS: u16 = 3;
/// Of a change the kernel would tell what came of it.
const ETHTOOL_FLAG_OMIT_REPLY: u32 = 2;
pub(crate) const ETHTOOL_A_BITSET_BITS: u16 = 3;
pub(crate) const ETHTOOL_A_BITSET_BITS_BIT: u16 = 1;
pub(crate) const ETHTOOL_A_BITSET_BIT_NAME: u16 = 2;
pub(crate) const ETHTOOL_A_BITSET_BIT_VALUE: u16 = 3;

/// The features that can be changed of a link, and whether each is wanted. None on a kernel that does not say so, or of a link that is gone.
pub(crate) fn read(session: &mut Session, key: &LinkKey) -> Result<BTreeMap<LinkOption, u32>, Error> {
    let at = &key.namespace;
    let Some(family) = family(session, at)? else { return Ok(BTreeMap::new()) };
    let question = Request::of(family, 0, message(ETHTOOL_MSG_FEATURES_GET, key.index, None).finish());
    match session.ask(at, Protocol::Generic, question)? {
        Ok(messages) => told(messages.first().ok_or_else(malformed)?),
        Err(refusal) if refusal.is(&[Errno::OPNOTSUPP, Errno::NODEV]) => Ok(BTreeMap::new()),
        Err(refusal) => Err(Error::kernel(format_args!("asking for the features of {key}"), &refusal)),
    }
}

fn told(message: &Message) -> Result<BTreeMap<LinkOption, u32>, Error> {
    let (mut can_change, mut wanted) = (BTreeSet::new(), BTreeSet::new());
    for attribute in after(&message.body, HEADER)? {
        match attribute? {
            (ETHTOOL_A_FEATURES_HW, set) => can_change = names(set, true)?,
            (ETHTOOL_A_FEATURES_WANTED, set) => wanted = names(set, false)?,
            _ => {}
        }
    }
    let option = |option: LinkOption| match option.place() {
        Place::Feature(name) if can_change.contains(name) => Some((option, u32::from(wanted.contains(name)))),
        _ => None,
    };
    Ok(LinkOption::ALL.into_iter().filter_map(option).collect())
}

/// The names of a set. Where it has all there could be, those that are in it have a value.
fn names(set: &[u8], of_all: bool) -> Result<BTreeSet<String>, Error> {
    let mut found = BTreeSet::new();
    for bit in attributes(attributes(set).find(ETHTOOL_A_BITSET_BITS)?.unwrap_or_default()) {
        let (_, bit) = bit?;
        let is_in = !of_all || attributes(bit).find(ETHTOOL_A_BITSET_BIT_VALUE)?.is_some();
        let name = attributes(bit).find(ETHTOOL_A_BITSET_BIT_NAME)?.ok_or_else(malformed)?;
        found.extend(is_in.then(|| text(name)));
    }
    Ok(found)
}

/// Sets those among what is to be set, in one message.
pub(crate) fn set(session: &mut Session, key: &LinkKey, change: &BTreeMap<LinkOption, u32>) -> Result<(), Error> {
    let features = change.iter().filter_map(|(option, value)| match option.place() {
        Place::Feature(name) => Some((name, *value != 0)),
        _ => None,
    });
    let bits = features.map(|(name, on)| {
        let bit = Writer::default().put_text(ETHTOOL_A_BITSET_BIT_NAME, name);
        if on { bit.put(ETHTOOL_A_BITSET_BIT_VALUE, &[]) } else { bit }
    });
    let bits: Vec<Writer> = bits.collect();
    if bits.is_empty() {
        return Ok(());
    }
    let Some(family) = family(session, &key.namespace)? else {
        return Err(Error::system("this kernel has no features of links", Errno::OPNOTSUPP));
    };
    let bits = bits.into_iter().fold(Writer::default(), |all, bit| all.nest(ETHTOOL_A_BITSET_BITS_BIT, bit));
    let wanted = Writer::default().nest(ETHTOOL_A_BITSET_BITS, bits);
    let body = message(ETHTOOL_MSG_FEATURES_SET, key.index, Some(ETHTOOL_FLAG_OMIT_REPLY))
        .nest(ETHTOOL_A_FEATURES_WANTED, wanted);
    match session.ask(&key.namespace, Protocol::Generic, Request::of(family, 0, body.finish()))? {
        Ok(_) => Ok(()),
        Err(refusal) => Err(Error::kernel(format_args!("the features of {key}"), &refusal)),
    }
}

/// The number of the family; none: a kernel without.
fn family(session: &mut Session, at: &Namespace) -> Result<Option<u16>, Error> {
    let body = Writer::after(&[CTRL_CMD_GETFAMILY, VERSION, 0, 0]).put_text(CTRL_ATTR_FAMILY_NAME, FAMILY);
    let messages = match session.ask(at, Protocol::Generic, Request::of(GENL_ID_CTRL, 0, body.finish()))? {
        Ok(messages) => messages,
        Err(refusal) if refusal.is(&[Errno::NOENT]) => return Ok(None),
        Err(refusal) => return Err(Error::kernel("asking for the family ethtool", &refusal)),
    };
    let body = messages.first().ok_or_else(malformed)?.body.as_slice();
    let id = after(body, HEADER)?.find(CTRL_ATTR_FAMILY_ID)?.ok_or_else(malformed)?;
    id.try_into().map(|id| Some(u16::from_ne_bytes(id))).map_err(|_| malformed())
}

fn message(command: u8, index: u32, flags: Option<u32>) -> Writer {
    let header = Writer::default()
        .put(ETHTOOL_A_HEADER_DEV_INDEX, &index.to_ne_bytes())
        .put_number(ETHTOOL_A_HEADER_FLAGS, flags);
    Writer::after(&[command, VERSION, 0, 0]).nest(ETHTOOL_A_FEATURES_HEADER, header)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_of(names: &[(&str, bool)]) -> Writer {
        let bits = names.iter().fold(Writer::default(), |all, (name, on)| {
            let bit = Writer::default().put_text(ETHTOOL_A_BITSET_BIT_NAME, name);
            all.nest(ETHTOOL_A_BITSET_BITS_BIT, if *on { bit.put(ETHTOOL_A_BITSET_BIT_VALUE, &[]) } else { bit })
        });
        Writer::default().nest(ETHTOOL_A_BITSET_BITS, bits)
    }

    fn body() -> Vec<u8> {
        let can_change = set_of(&[("rx-gro", true), ("tx-tcp-segmentation", true), ("tx-generic-segmentation", false)]);
        let wanted = set_of(&[("rx-gro", false), ("loopback", false)]);
        let head = Writer::after(&[ETHTOOL_MSG_FEATURES_GET, 1, 0, 0]);
        head.nest(ETHTOOL_A_FEATURES_HW, can_change).nest(ETHTOOL_A_FEATURES_WANTED, wanted).finish()
    }

    #[test]
    fn what_can_be_changed_is_read_and_whether_it_is_wanted() {
        let found = told(&Message { body: body() }).map(|found| found.into_iter().collect::<Vec<_>>());
        assert_eq!(found, Ok(vec![(LinkOption::TcpSegmentation, 0), (LinkOption::ReceiveGrouping, 1)]));
    }

    #[test]
    fn odd_answers_are_errors_but_never_panics() {
        let good = body();
        for position in 0..good.len() {
            let _ = told(&Message { body: good[..position].to_vec() });
            for value in [0, 1, 3, 127, 255] {
                let mut odd = good.clone();
                odd[position] = value;
                let _ = told(&Message { body: odd });
            }
        }
    }
}
