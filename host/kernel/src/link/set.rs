//! Changing and removing links of this instance (RTM_SETLINK, RTM_DELLINK). The mark is looked at right before, or was
//! seen in the same operation.

use netlink_packet_core::DefaultNla;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage, LinkProtoInfoBridge};
use rustix::io::Errno;

use crate::change::plan::Plan;
use crate::link::mark::Marks;
use crate::link::read::{IFLA_BRPORT_ISOLATED, IFLA_BRPORT_LEARNING, IFLA_BRPORT_MODE, Seen, must, seen};
use crate::transport::socket::{Answer, Protocol, Request, Socket};
use crate::{Change, Error, LinkChanges, LinkKey, LinkName, Mark, NewName};

pub(crate) const RTM_DELLINK: u16 = 17;
pub(crate) const RTM_SETLINK: u16 = 19;

/// Kinds whose MAC nobody can change: to write the old one again is refused, too, and with it the rest of an undo.
const FIXED_MACS: [&str; 3] = ["ipvlan", "wireguard", "ifb"];

/// Changes what is given.
pub(crate) fn set(key: &LinkKey, changes: &LinkChanges, known: Option<&Answer>, marks: Marks) -> Result<Plan, Error> {
    let old = must(known, key, marks)?;
    own(key, &old)?;
    let undo = vec![Change::SetLink(key.clone(), previous(changes, &old)?)];
    Ok(Plan { requests: requests(key.index, changes), undo, gone: &[] })
}

/// Removes a link; of a pair, both ends.
pub(crate) fn remove(key: &LinkKey, known: Option<&Answer>, marks: Marks) -> Result<Plan, Error> {
    let requests = match known.map(|answer| seen(answer, marks)).transpose()?.flatten() {
        Some(old) => {
            made(key, &old)?;
            vec![delete(key.index)]
        }
        None => Vec::new(),
    };
    Ok(Plan { requests, undo: Vec::new(), gone: &[Errno::NODEV] })
}

/// The message that removes a link.
pub(crate) fn delete(index: u32) -> Request {
    Request::one(RTM_DELLINK, 0, &message(index))
}

/// Refuses a link that this instance didn't make.
pub(crate) fn own(key: &LinkKey, link: &Seen) -> Result<(), Error> {
    if link.info.mark != Mark::Foreign {
        return Ok(());
    }
    let message = format!("{} ({}) is not this Pontoon's", key, link.info.name);
    Err(Error { message, errno: Some(Errno::PERM.raw_os_error()) })
}

/// The same of a device that this instance has taken for a container: it is set there, and is neither removed nor moved as a link is.
pub(crate) fn made(key: &LinkKey, link: &Seen) -> Result<(), Error> {
    match link.info.mark {
        Mark::Taken => {
            Err(Error::system(format_args!("{} ({}) is a device of others", key, link.info.name), Errno::PERM))
        }
        _ => own(key, link),
    }
}

/// The messages that change a link: one for the link, and one more for it as a bridge's port, which the kernel takes only by itself. Of one
/// message the kernel does the name before the flags, and before Linux 6.2 it renames no link that is up: down is a message of its own then.
pub(crate) fn requests(index: u32, changes: &LinkChanges) -> Vec<Request> {
    if changes.name.is_some() && changes.up == Some(false) {
        let down = LinkChanges { up: Some(false), ..LinkChanges::default() };
        let rest = LinkChanges { up: None, ..changes.clone() };
        return [requests(index, &down), requests(index, &rest)].concat();
    }
    let mut link = message(index);
    let attributes = &mut link.attributes;
    attributes.extend(changes.mac.map(|mac| LinkAttribute::Address(mac.0.to_vec())));
    attributes.extend(changes.mtu.map(LinkAttribute::Mtu));
    attributes.extend(changes.name.as_ref().map(|name| LinkAttribute::IfName(pattern(name))));
    attributes.extend(changes.master.map(LinkAttribute::Controller));
    if let Some(up) = changes.up {
        link.header.change_mask = LinkFlags::Up;
        link.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
    }
    let mut requests = Vec::new();
    if changes.up.is_some() || !link.attributes.is_empty() {
        requests.push(Request::one(RTM_SETLINK, 0, &link));
    }
    requests.extend(port(index, changes));
    requests
}

fn port(index: u32, changes: &LinkChanges) -> Option<Request> {
    let settings = [
        (IFLA_BRPORT_MODE, changes.hairpin),
        (IFLA_BRPORT_ISOLATED, changes.isolated),
        (IFLA_BRPORT_LEARNING, changes.learning),
    ];
    let set = settings
        .into_iter()
        .filter_map(|(kind, on)| on.map(|on| LinkProtoInfoBridge::Other(DefaultNla::new(kind, vec![u8::from(on)]))));
    let set: Vec<_> = set.collect();
    if set.is_empty() {
        return None;
    }
    let mut message = message(index);
    message.header.interface_family = AddressFamily::Bridge;
    message.attributes.push(LinkAttribute::ProtoInfoBridge(set));
    Some(Request::one(RTM_SETLINK, 0, &message))
}

/// A name as the kernel wants it: it fills `%d` with the lowest free number (`dev_alloc_name`).
pub(crate) fn pattern(name: &NewName) -> String {
    match name {
        NewName::Exact(name) => name.to_string(),
        NewName::Prefix(name) => format!("{name}%d"),
    }
}

/// What the changes change, as it is before them.
fn previous(changes: &LinkChanges, old: &Seen) -> Result<LinkChanges, Error> {
    let name = changes.name.as_ref().map(|_| LinkName::new(&old.info.name).map(NewName::Exact)).transpose()?;
    let port = |wanted: Option<bool>, was: Option<bool>| wanted.and(was);
    Ok(LinkChanges {
        name,
        mac: changes.mac.and(old.info.mac).filter(|_| !FIXED_MACS.contains(&old.info.kind.as_str())),
        mtu: changes.mtu.map(|_| old.info.mtu),
        up: changes.up.map(|_| old.info.up),
        master: changes.master.map(|_| old.info.master.unwrap_or(0)),
        hairpin: port(changes.hairpin, old.port.hairpin),
        isolated: port(changes.isolated, old.port.isolated),
        learning: port(changes.learning, old.port.learning),
    })
}

pub(crate) fn message(index: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message
}

/// Sets the loopback of the calling thread's namespace up.
pub(crate) fn loopback_up() -> Result<(), Error> {
    // Every namespace has it from the start, with the first index (LOOPBACK_IFINDEX).
    let up = requests(1, &LinkChanges { up: Some(true), ..LinkChanges::default() });
    let answers = Socket::open(Protocol::Route)?.exchange(&up)?;
    let refused = answers.iter().find_map(|a| a.as_ref().err());
    refused.map_or(Ok(()), |refusal| Err(Error::kernel("setting the loopback up", refusal)))
}
