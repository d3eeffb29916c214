//! Permanent neighbour entries, and forwarding entries of bridge ports and vxlan links (RTM_*NEIGH, linux/neighbour.h).

use std::collections::HashSet;
use std::net::IpAddr;

use netlink_packet_route::AddressFamily;
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::RouteProtocol;
use rustix::io::Errno;

use crate::change::plan::Plan;
use crate::ip::address::{FAMILIES, family_of};
use crate::link::mark::Marks;
use crate::transport::attribute::{after, ip, number};
use crate::transport::session::Session;
use crate::transport::socket::{Answer, Message, Request, flag, malformed};
use crate::{Change, Error, Forwarding, LinkKey, MacAddress, Neighbour};

pub(crate) const RTM_NEWNEIGH: u16 = 28;
pub(crate) const RTM_DELNEIGH: u16 = 29;
pub(crate) const RTM_GETNEIGH: u16 = 30;
/// `struct ndmsg`.
pub(crate) const HEADER: usize = 12;
pub(crate) const NDA_DST: u16 = 1;
pub(crate) const NDA_LLADDR: u16 = 2;
pub(crate) const NDA_IFINDEX: u16 = 8;
pub(crate) const NUD_NOARP: u16 = 0x40;
pub(crate) const NUD_PERMANENT: u16 = 0x80;
pub(crate) const NTF_SELF: u8 = 0x02;
const GONE: &[Errno] = &[Errno::NOENT, Errno::NODEV];

/// An entry as the kernel has it.
struct Entry {
    index: u32,
    state: u16,
    flags: u8,
    address: Option<IpAddr>,
    mac: Option<MacAddress>,
}

/// The question for the entry that a neighbour would replace.
pub(crate) fn question(neighbour: &Neighbour) -> Request {
    let mut message = NeighbourMessage::default();
    message.header.family = family_of(neighbour.address);
    message.header.ifindex = neighbour.link.index;
    message.attributes.push(NeighbourAttribute::Destination(destination(neighbour.address)));
    Request::one(RTM_GETNEIGH, 0, &message)
}

/// Adds or replaces a neighbour.
pub(crate) fn add(neighbour: &Neighbour, known: Option<&Answer>, marks: Marks) -> Result<Plan, Error> {
    let mut message = entry(neighbour, marks);
    message.attributes.push(NeighbourAttribute::LinkLayerAddress(neighbour.mac.0.to_vec()));
    let request = Request::one(RTM_NEWNEIGH, flag::CREATE | flag::REPLACE, &message);
    let undo = match before(neighbour, known)? {
        Some(old) => Change::AddNeighbour(old),
        None => Change::RemoveNeighbour(neighbour.clone()),
    };
    Ok(Plan::make(request, undo))
}

/// Removes the neighbour of an address.
pub(crate) fn remove(neighbour: &Neighbour, known: Option<&Answer>) -> Result<Plan, Error> {
    // What comes before it in the same list may make one where there is none yet.
    let undo = before(neighbour, known)?.map(Change::AddNeighbour).into_iter().collect();
    Ok(Plan { requests: vec![deletion(neighbour)], undo, gone: GONE })
}

/// The message that removes what there is of an address.
pub(crate) fn deletion(neighbour: &Neighbour) -> Request {
    let mut message = NeighbourMessage::default();
    message.header.family = family_of(neighbour.address);
    message.header.ifindex = neighbour.link.index;
    message.attributes.push(NeighbourAttribute::Destination(destination(neighbour.address)));
    Request::one(RTM_DELNEIGH, 0, &message)
}

/// Whether an answer to [`question`] is an entry that nobody made: the kernel has learnt it.
pub(crate) fn is_learnt(known: &Answer) -> bool {
    matches!(first(Some(known)), Ok(Some(entry)) if entry.state & (NUD_PERMANENT | NUD_NOARP) == 0)
}

fn entry(neighbour: &Neighbour, marks: Marks) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = family_of(neighbour.address);
    message.header.ifindex = neighbour.link.index;
    message.header.state = NeighbourState::Permanent;
    message.attributes.push(NeighbourAttribute::Destination(destination(neighbour.address)));
    message.attributes.push(NeighbourAttribute::Protocol(RouteProtocol::from(marks.protocol())));
    message
}

/// The permanent entry that there is; one that was learnt is no loss.
fn before(neighbour: &Neighbour, known: Option<&Answer>) -> Result<Option<Neighbour>, Error> {
    let old = first(known)?.filter(|e| e.state & NUD_PERMANENT != 0).and_then(|e| e.mac);
    Ok(old.map(|mac| Neighbour { mac, ..neighbour.clone() }))
}

/// The permanent neighbours of a link.
pub(crate) fn list(session: &mut Session, key: &LinkKey) -> Result<Vec<Neighbour>, Error> {
    let mut found = Vec::new();
    for family in FAMILIES {
        let entries = entries(session, key, family)?;
        found.extend(
            entries
                .filter(|e| e.state & NUD_PERMANENT != 0)
                .filter_map(|e| Some(Neighbour { link: key.clone(), address: e.address?, mac: e.mac? })),
        );
    }
    Ok(found)
}

/// The question for the entry that a forwarding entry would replace.
pub(crate) fn forwarding_question(forwarding: &Forwarding) -> Request {
    let mut message = forwarding_message(forwarding);
    message.attributes.push(NeighbourAttribute::LinkLayerAddress(forwarding.mac.0.to_vec()));
    Request::one(RTM_GETNEIGH, 0, &message)
}

/// Adds or replaces a forwarding entry.
pub(crate) fn add_forwarding(entry: &Forwarding, known: Option<&Answer>, marks: Marks) -> Result<Plan, Error> {
    let mut message = forwarding_message(entry);
    // To a bridge a permanent entry is an address of its own (`fdb_add_entry`), and a static one (NUD_NOARP) is a port's.
    let state = if entry.remote.is_some() { NUD_NOARP | NUD_PERMANENT } else { NUD_NOARP };
    message.header.state = NeighbourState::Other(state);
    message.attributes.push(NeighbourAttribute::LinkLayerAddress(entry.mac.0.to_vec()));
    message.attributes.push(NeighbourAttribute::Protocol(RouteProtocol::from(marks.protocol())));
    message.attributes.extend(entry.remote.map(|r| NeighbourAttribute::Destination(destination(r))));
    let undo = match forwarding_before(entry, known)? {
        Some(old) => Change::AddForwarding(old),
        None => Change::RemoveForwarding(entry.clone()),
    };
    Ok(Plan::make(Request::one(RTM_NEWNEIGH, flag::CREATE | flag::REPLACE, &message), undo))
}

/// Removes the forwarding entry of a MAC.
pub(crate) fn remove_forwarding(entry: &Forwarding, known: Option<&Answer>) -> Result<Plan, Error> {
    let old = forwarding_before(entry, known)?.filter(|old| old.link == entry.link);
    let Some(old) = old else { return Ok(Plan::nothing()) };
    let mut message = forwarding_message(&old);
    message.attributes.push(NeighbourAttribute::LinkLayerAddress(entry.mac.0.to_vec()));
    message.attributes.extend(old.remote.map(|r| NeighbourAttribute::Destination(destination(r))));
    Ok(Plan::remove(Request::one(RTM_DELNEIGH, 0, &message), GONE, Change::AddForwarding(old)))
}

fn forwarding_message(entry: &Forwarding) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Bridge;
    message.header.ifindex = entry.link.index;
    message.header.flags = if entry.remote.is_some() { NeighbourFlags::Own } else { NeighbourFlags::Controller };
    message
}

/// The entry that there is. A bridge has one for each MAC, which may be at another port.
fn forwarding_before(entry: &Forwarding, known: Option<&Answer>) -> Result<Option<Forwarding>, Error> {
    let Some(old) = first(known)? else { return Ok(None) };
    let link = LinkKey { index: old.index, ..entry.link.clone() };
    Ok(forwarding(&old, &link).filter(|found| found.remote.is_some() == entry.remote.is_some()))
}

/// The permanent forwarding entries of a link, without those of its own MAC.
pub(crate) fn list_forwardings(session: &mut Session, key: &LinkKey) -> Result<Vec<Forwarding>, Error> {
    let entries = entries(session, key, AddressFamily::Bridge)?;
    // Where its bridge has VLANs, there is one for each of the port's beside the one without.
    let mut seen = HashSet::new();
    Ok(entries.filter_map(|e| forwarding(&e, key)).filter(|found| seen.insert((found.mac, found.remote))).collect())
}

/// What was added: at a tunnel with a remote, at a bridge's port static. A bridge shows the port's own MAC as permanent, and every link the
/// multicast MACs that it listens to, as permanent and its own (NTF_SELF).
fn forwarding(entry: &Entry, key: &LinkKey) -> Option<Forwarding> {
    let own = entry.flags & NTF_SELF != 0;
    let added = match entry.address {
        Some(_) => own && entry.state & NUD_PERMANENT != 0,
        None => !own && entry.state & NUD_NOARP != 0,
    };
    Some(Forwarding { link: key.clone(), mac: entry.mac.filter(|_| added)?, remote: entry.address })
}

fn entries(
    session: &mut Session,
    key: &LinkKey,
    family: AddressFamily,
) -> Result<impl Iterator<Item = Entry> + use<>, Error> {
    let mut question = NeighbourMessage::default();
    question.header.family = family;
    match family {
        // rtnl_fdb_dump reads the port's index from the header, neigh_dump_info from an attribute.
        AddressFamily::Bridge => question.header.ifindex = key.index,
        _ => question.attributes.push(NeighbourAttribute::IfIndex(key.index)),
    }
    let messages = session.list(&key.namespace, "neighbours", Request::dump(RTM_GETNEIGH, &question))?;
    let entries: Result<Vec<Entry>, Error> = messages.iter().map(read).collect();
    let index = key.index;
    Ok(entries?.into_iter().filter(move |e| e.index == index))
}

fn first(known: Option<&Answer>) -> Result<Option<Entry>, Error> {
    match known {
        Some(Ok(messages)) => messages.first().map(read).transpose(),
        // Not there, or (EOPNOTSUPP, EINVAL) a kernel or a kind of link that has no such question.
        _ => Ok(None),
    }
}

fn read(message: &Message) -> Result<Entry, Error> {
    let body = message.body.as_slice();
    let head = body.first_chunk::<HEADER>().ok_or_else(malformed)?;
    let (mut address, mut mac) = (None, None);
    for attribute in after(body, HEADER)? {
        let (kind, value) = attribute?;
        match kind {
            NDA_DST => address = Some(ip(value)?),
            NDA_LLADDR => mac = value.try_into().ok().map(MacAddress),
            _ => {}
        }
    }
    let state = u16::from_ne_bytes([head[8], head[9]]);
    Ok(Entry { index: number(&head[4..8])?, state, flags: head[10], address, mac })
}

fn destination(address: IpAddr) -> NeighbourAddress {
    match address {
        IpAddr::V4(v4) => NeighbourAddress::Inet(v4),
        IpAddr::V6(v6) => NeighbourAddress::Inet6(v6),
    }
}
