//! What is set of a link beside its name, MAC, MTU and master: a bridge's way with packets, a port's, their VLANs, and a few properties of any
//! link (linux/if_link.h, linux/if_bridge.h), with features as ethtool has them (`feature`).
//!
//! A bridge takes its own with RTM_NEWLINK alone, a port with RTM_SETLINK of AF_BRIDGE, VLANs come and go with RTM_NEWVLAN and RTM_DELVLAN. What
//! is told in one message is made one after the other: where the kernel refuses a part, what was done before it is taken back here.

use std::collections::BTreeMap;

use rustix::io::Errno;

use crate::change::apply::Note;
use crate::link::feature;
use crate::link::mark::Marks;
use crate::link::message::RTM_NEWLINK;
use crate::link::read::{HEADER, IFLA_INFO_KIND, IFLA_INFO_SLAVE_DATA, IFLA_LINKINFO, Seen, by_index, get, seen};
use crate::link::set::{RTM_SETLINK, own};
use crate::options::Place;
use crate::transport::attribute::{Writer, after, attributes, number, text};
use crate::transport::session::Session;
use crate::transport::socket::{Message, Protocol, Request, malformed};
use crate::{Applied, BridgeVlan, Change, Error, LinkChanges, LinkKey, LinkOption, LinkOptions, Outcome};

pub(crate) const RTM_NEWVLAN: u16 = 112;
pub(crate) const RTM_DELVLAN: u16 = 113;
pub(crate) const RTM_GETVLAN: u16 = 114;
pub(crate) const AF_BRIDGE: u8 = 7;
/// `struct br_vlan_msg`.
pub(crate) const VLAN_HEADER: usize = 8;
pub(crate) const BRIDGE_VLANDB_ENTRY: u16 = 1;
pub(crate) const BRIDGE_VLANDB_ENTRY_INFO: u16 = 1;
pub(crate) const BRIDGE_VLANDB_ENTRY_RANGE: u16 = 2;
pub(crate) const BRIDGE_VLAN_INFO_PVID: u16 = 2;
pub(crate) const BRIDGE_VLAN_INFO_UNTAGGED: u16 = 4;
pub(crate) const IFLA_PROTINFO: u16 = 12;
pub(crate) const IFLA_TXQLEN: u16 = 13;
pub(crate) const IFLA_INFO_DATA: u16 = 2;
pub(crate) const IFLA_INFO_SLAVE_KIND: u16 = 4;
pub(crate) const BRIDGE: &str = "bridge";

/// What a link has.
pub(crate) struct Found {
    seen: Seen,
    options: LinkOptions,
    /// The kind of the link that it is a port of.
    port_of: Option<String>,
}

/// What is asked for beside what the kernel says of a link anyway.
#[derive(Clone, Copy)]
struct Asked {
    vlans: bool,
    features: bool,
}

const ALL: Asked = Asked { vlans: true, features: true };

/// All properties of a link; none of one that is gone.
pub(crate) fn options(session: &mut Session, key: &LinkKey, marks: Marks) -> Result<LinkOptions, Error> {
    Ok(read(session, key, ALL, marks)?.map(|found| found.options).unwrap_or_default())
}

fn read(session: &mut Session, key: &LinkKey, asked: Asked, marks: Marks) -> Result<Option<Found>, Error> {
    let answer = session.exchange(&key.namespace, &[by_index(key.index)])?.pop().ok_or_else(malformed)?;
    let Some(seen) = seen(&answer, marks)? else { return Ok(None) };
    let message = answer.ok().and_then(|messages| messages.into_iter().next()).ok_or_else(malformed)?;
    let (mut options, port_of) = read_message(&message)?;
    if asked.vlans && (seen.info.kind == BRIDGE || port_of.as_deref() == Some(BRIDGE)) {
        options.vlans = read_vlans(session, key)?;
    }
    if asked.features {
        options.set.extend(feature::read(session, key)?);
    }
    Ok(Some(Found { seen, options, port_of }))
}

pub(crate) fn read_message(message: &Message) -> Result<(LinkOptions, Option<String>), Error> {
    let body = message.body.as_slice();
    let flags = body.get(8..12).ok_or_else(malformed).and_then(number)?;
    let (mut bridge, mut port, mut queue, mut kind, mut port_of) = (None, None, None, None, None);
    for attribute in after(body, HEADER)? {
        match attribute? {
            (IFLA_TXQLEN, value) => queue = Some(number(value)?),
            (IFLA_LINKINFO, info) => {
                for attribute in attributes(info) {
                    match attribute? {
                        (IFLA_INFO_KIND, value) => kind = Some(text(value)),
                        (IFLA_INFO_DATA, value) => bridge = Some(value),
                        (IFLA_INFO_SLAVE_KIND, value) => port_of = Some(text(value)),
                        (IFLA_INFO_SLAVE_DATA, value) => port = Some(value),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    // Of other kinds the same numbers mean other things.
    let bridge = bridge.filter(|_| kind.as_deref() == Some(BRIDGE));
    let port = port.filter(|_| port_of.as_deref() == Some(BRIDGE));
    let mut set = BTreeMap::new();
    for option in LinkOption::ALL {
        let value = match option.place() {
            Place::Bridge(kind, _) => bridge.map(|data| attributes(data).find(kind)).transpose()?.flatten(),
            Place::Port(kind) => port.map(|data| attributes(data).find(kind)).transpose()?.flatten(),
            Place::Queue | Place::Feature(_) => None,
            Place::Flag(flag) => {
                set.insert(option, u32::from(flags & flag != 0));
                None
            }
        };
        match value {
            Some([byte]) => drop(set.insert(option, u32::from(*byte))),
            Some(value) => drop(set.insert(option, number(value)?)),
            None => {}
        }
    }
    set.extend(queue.map(|length| (LinkOption::QueueLength, length)));
    Ok((LinkOptions { set, vlans: None }, port_of))
}

/// None: this kernel has none.
fn read_vlans(session: &mut Session, key: &LinkKey) -> Result<Option<Vec<BridgeVlan>>, Error> {
    let question = Request::all(RTM_GETVLAN, vlan_header(key).finish());
    let messages = match session.ask(&key.namespace, Protocol::Route, question)? {
        Ok(messages) => messages,
        // A kernel without them, one of before 5.6, or a link that is neither bridge nor port by now.
        Err(refusal) if refusal.is(&[Errno::OPNOTSUPP, Errno::INVAL, Errno::NODEV]) => return Ok(None),
        Err(refusal) => return Err(Error::kernel("listing VLANs", &refusal)),
    };
    let mut found = Vec::new();
    for message in &messages {
        for attribute in after(&message.body, VLAN_HEADER)? {
            let (kind, entry) = attribute?;
            if kind != BRIDGE_VLANDB_ENTRY {
                continue;
            }
            let info = attributes(entry).find(BRIDGE_VLANDB_ENTRY_INFO)?.ok_or_else(malformed)?;
            let [a, b, c, d] = info.try_into().map_err(|_| malformed())?;
            let (flags, first) = (u16::from_ne_bytes([a, b]), u16::from_ne_bytes([c, d]));
            let last = attributes(entry).find(BRIDGE_VLANDB_ENTRY_RANGE)?;
            let last = last.map(|last| last.try_into().map(u16::from_ne_bytes).map_err(|_| malformed())).transpose()?;
            let (default, untagged) = (flags & BRIDGE_VLAN_INFO_PVID != 0, flags & BRIDGE_VLAN_INFO_UNTAGGED != 0);
            found.extend((first..=last.unwrap_or(first)).map(|id| BridgeVlan { id, default, untagged }));
        }
    }
    found.sort_unstable();
    found.dedup_by_key(|vlan| vlan.id);
    Ok(Some(found))
}

/// Sets what is given and not so already.
pub(crate) fn set(
    session: &mut Session,
    key: &LinkKey,
    wanted: &LinkOptions,
    marks: Marks,
    note: Note,
) -> Result<Applied, Error> {
    let asked = Asked { vlans: wanted.vlans.is_some(), features: wanted.set.keys().any(|option| option.is_feature()) };
    let found = read(session, key, asked, marks)?;
    let found = found.ok_or_else(|| Error::system(format_args!("{key}"), Errno::NODEV))?;
    own(key, &found.seen)?;
    check(session, key, &found, wanted, marks)?;
    let change = wanted.differing(&found.options);
    if change.is_empty() {
        return Ok(Applied { outcome: Outcome::Done, undo: Vec::new() });
    }
    let before = found.options.of(&change);
    let undo = vec![Change::SetOptions { link: key.clone(), options: before.clone() }];
    note(&undo)?;
    if let Err(error) = put(session, key, &found.options, &change) {
        let back =
            read(session, key, ALL, marks)?.map(|now| put(session, key, &now.options, &before.differing(&now.options)));
        if let Some(Err(left)) = back {
            tracing::error!(%key, %left, "properties of a link were not all set, and not all set back");
        }
        return Err(error);
    }
    Ok(Applied { outcome: Outcome::Done, undo })
}

/// Refuses what the link can't have.
fn check(session: &mut Session, key: &LinkKey, found: &Found, wanted: &LinkOptions, marks: Marks) -> Result<(), Error> {
    let Found { seen, options, port_of } = found;
    let name = &seen.info.name;
    let (is_bridge, is_port) = (seen.info.kind == BRIDGE, port_of.as_deref() == Some(BRIDGE));
    let invalid = |message: String| Err(Error { message, errno: Some(Errno::INVAL.raw_os_error()) });
    for option in wanted.set.keys() {
        match option.place() {
            Place::Bridge(..) if !is_bridge => return invalid(format!("{name} is no bridge")),
            Place::Port(_) if !is_port => return invalid(format!("{name} is no port of a bridge")),
            _ if options.set.contains_key(option) => {}
            Place::Feature(_) => {
                let message = format!("{} of {name} can't be changed", option.name());
                return Err(Error { message, errno: Some(Errno::OPNOTSUPP.raw_os_error()) });
            }
            _ => return Err(Error::system(format_args!("this kernel has no {}", option.name()), Errno::OPNOTSUPP)),
        }
    }
    if wanted.vlans.is_some() && !is_bridge && !is_port {
        return invalid(format!("{name} is no port of a bridge"));
    }
    if wanted.vlans.is_some() && options.vlans.is_none() {
        return Err(Error::system("this kernel has no VLANs of bridges", Errno::OPNOTSUPP));
    }
    if is_port && (wanted.vlans.is_some() || wanted.set.keys().any(|option| option.is_ports())) {
        let master = LinkKey { namespace: key.namespace.clone(), index: seen.info.master.unwrap_or_default() };
        if let Some(master_seen) = get(session, &key.namespace, by_index(master.index), marks)? {
            own(&master, &master_seen)?;
        }
    }
    Ok(())
}

fn put(session: &mut Session, key: &LinkKey, now: &LinkOptions, change: &LinkOptions) -> Result<(), Error> {
    let answers = session.exchange(&key.namespace, &requests(key, now, change))?;
    match answers.iter().find_map(|answer| answer.as_ref().err()) {
        Some(refusal) if refusal.is(&[Errno::OPNOTSUPP]) && change.set.get(&LinkOption::VlanFiltering) == Some(&1) => {
            Err(Error::kernel("this kernel has no VLAN filtering", refusal))
        }
        Some(refusal) => Err(Error::kernel("its properties", refusal)),
        None => feature::set(session, key, &change.set),
    }
}

/// Makes a link again what it was, whoever's it is.
pub(crate) fn set_back(session: &mut Session, key: &LinkKey, before: &LinkOptions, marks: Marks) -> Result<(), Error> {
    let Some(now) = read(session, key, Asked { vlans: false, features: false }, marks)? else { return Ok(()) };
    put(session, key, &now.options, &before.differing(&now.options))
}

/// VLANs that come are there before filtering begins, and those that go leave after it has ended.
fn requests(key: &LinkKey, now: &LinkOptions, change: &LinkOptions) -> Vec<Request> {
    let mut requests = Vec::new();
    let vlans = change.vlans.as_deref().unwrap_or_default();
    let there = now.vlans.as_deref().unwrap_or_default();
    let new: Vec<BridgeVlan> = vlans.iter().filter(|vlan| !there.contains(vlan)).copied().collect();
    let is_gone = |vlan: &&BridgeVlan| change.vlans.is_some() && !vlans.iter().any(|other| other.id == vlan.id);
    let gone: Vec<BridgeVlan> = there.iter().filter(is_gone).copied().collect();
    requests.extend((!new.is_empty()).then(|| of_vlans(key, RTM_NEWVLAN, &new)));
    let of = |wanted: fn(&Place) -> bool| {
        let found = change.set.iter().map(|(option, value)| (option.place(), *value));
        found.filter(|(place, _)| wanted(place)).collect::<Vec<_>>()
    };
    let put = |writer: Writer, kind: u16, width: usize, value: u32| match width {
        4 => writer.put(kind, &value.to_ne_bytes()),
        _ => writer.put(kind, &[u8::from(value != 0)]),
    };
    let bridge = of(|place| matches!(place, Place::Bridge(..)));
    if !bridge.is_empty() {
        let data = bridge.into_iter().fold(Writer::default(), |writer, (place, value)| match place {
            Place::Bridge(kind, width) => put(writer, kind, width, value),
            _ => writer,
        });
        let info = Writer::default().put_text(IFLA_INFO_KIND, BRIDGE).nest(IFLA_INFO_DATA, data);
        requests.push(Request::of(RTM_NEWLINK, 0, header(key, 0, [0, 0]).nest(IFLA_LINKINFO, info).finish()));
    }
    let port = of(|place| matches!(place, Place::Port(_)));
    if !port.is_empty() {
        let data = port.into_iter().fold(Writer::default(), |writer, (place, value)| match place {
            Place::Port(kind) => put(writer, kind, 1, value),
            _ => writer,
        });
        requests.push(Request::of(RTM_SETLINK, 0, header(key, AF_BRIDGE, [0, 0]).nest(IFLA_PROTINFO, data).finish()));
    }
    let flags =
        of(|place| matches!(place, Place::Flag(_))).into_iter().fold([0, 0], |[on, of], (place, value)| match place {
            Place::Flag(flag) => [if value != 0 { on | flag } else { on }, of | flag],
            _ => [on, of],
        });
    let queue = change.set.get(&LinkOption::QueueLength);
    if flags != [0, 0] || queue.is_some() {
        let link = header(key, 0, flags).put_number(IFLA_TXQLEN, queue.copied());
        requests.push(Request::of(RTM_SETLINK, 0, link.finish()));
    }
    requests.extend((!gone.is_empty()).then(|| of_vlans(key, RTM_DELVLAN, &gone)));
    requests
}

fn of_vlans(key: &LinkKey, verb: u16, vlans: &[BridgeVlan]) -> Request {
    let body = vlans.iter().fold(vlan_header(key), |body, vlan| {
        let default = if vlan.default { BRIDGE_VLAN_INFO_PVID } else { 0 };
        let flags = if vlan.untagged { default | BRIDGE_VLAN_INFO_UNTAGGED } else { default };
        let info = [flags.to_ne_bytes(), vlan.id.to_ne_bytes()].concat();
        body.nest(BRIDGE_VLANDB_ENTRY, Writer::default().put(BRIDGE_VLANDB_ENTRY_INFO, &info))
    });
    Request::of(verb, 0, body.finish())
}

/// struct br_vlan_msg
fn vlan_header(key: &LinkKey) -> Writer {
    Writer::after(&[[AF_BRIDGE, 0, 0, 0], key.index.to_ne_bytes()].concat())
}

/// struct ifinfomsg; of the flags which are on, and which are meant.
fn header(key: &LinkKey, family: u8, [flags, mask]: [u32; 2]) -> Writer {
    let numbers = [key.index, flags, mask].map(u32::to_ne_bytes);
    Writer::after(&[[family, 0, 0, 0].as_slice(), &numbers.concat()].concat())
}

/// What the kernel forgets of a port that leaves its bridge, as what brings it back.
pub(crate) fn of_port(session: &mut Session, key: &LinkKey, marks: Marks) -> Result<Vec<Change>, Error> {
    let asked = Asked { vlans: true, features: false };
    let found = read(session, key, asked, marks)?.filter(|found| found.port_of.as_deref() == Some(BRIDGE));
    let Some(Found { seen, mut options, .. }) = found else { return Ok(Vec::new()) };
    options.set.retain(|option, _| option.is_ports());
    let port = seen.port;
    let changes = LinkChanges {
        hairpin: port.hairpin,
        isolated: port.isolated,
        learning: port.learning,
        ..LinkChanges::default()
    };
    Ok(vec![Change::SetLink(key.clone(), changes), Change::SetOptions { link: key.clone(), options }])
}

/// The link that a change takes out of its bridge, if it is in one.
pub(crate) fn leaves_bridge(change: &Change) -> Option<&LinkKey> {
    match change {
        Change::SetLink(key, LinkChanges { master: Some(_), .. }) => Some(key),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body() -> Vec<u8> {
        let data = Writer::default().put(4, &300_u32.to_ne_bytes()).put(7, &[1]).put(23, &[0]);
        let port = Writer::default().put(9, &[1]).put(30, &[0]);
        let info = Writer::default().put_text(IFLA_INFO_KIND, BRIDGE).nest(IFLA_INFO_DATA, data);
        let info = info.put_text(IFLA_INFO_SLAVE_KIND, BRIDGE).nest(IFLA_INFO_SLAVE_DATA, port);
        let head = [[0; 4], 7u32.to_ne_bytes(), 0x100_u32.to_ne_bytes(), [0; 4]].concat();
        Writer::after(&head).put(IFLA_TXQLEN, &9_u32.to_ne_bytes()).nest(IFLA_LINKINFO, info).finish()
    }

    #[test]
    fn what_the_kernel_says_is_read() {
        let (options, port_of) = read_message(&Message { body: body() }).unwrap();
        let set: Vec<(LinkOption, u32)> = options.set.into_iter().collect();
        let expected = [
            (LinkOption::VlanFiltering, 1),
            (LinkOption::MulticastSnooping, 0),
            (LinkOption::Ageing, 300),
            (LinkOption::UnicastFlood, 1),
            (LinkOption::BroadcastFlood, 0),
            (LinkOption::QueueLength, 9),
            (LinkOption::Promiscuous, 1),
            (LinkOption::AllMulticast, 0),
        ];
        assert_eq!((set, port_of.as_deref()), (expected.to_vec(), Some(BRIDGE)));
    }

    #[test]
    fn odd_answers_are_errors_but_never_panics() {
        let good = body();
        for position in 0..good.len() {
            let _ = read_message(&Message { body: good[..position].to_vec() });
            for value in [0, 1, 3, 127, 255] {
                let mut odd = good.clone();
                odd[position] = value;
                let _ = read_message(&Message { body: odd });
            }
        }
    }
}
