//! Devices of others in containers: they are taken, which changes nothing but that an alternative name tells whose they are, moved, and given back.
//!
//! A device that a namespace had when it died is on the host again, under another name if its own was taken (`default_device_exit_net`); one of a
//! kind, such as a veth, is deleted with the namespace. Devices are looked for by their tag, because an engine moves them, too.

use std::time::{Duration, Instant};

use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::{LinkAttribute, LinkFlags, Prop};
use netlink_packet_route::route::{RouteAttribute, RouteMessage, RouteType};
use rustix::io::Errno;

use crate::change::apply::Note;
use crate::ip::address::{self, FAMILIES, IFA_ADDRESS, RTM_GETADDR, RTM_NEWADDR};
use crate::ip::path::{RTA_MULTIPATH, several};
use crate::ip::route::{self, RTA_GATEWAY, RTA_OIF, RTM_GETROUTE, RTM_NEWROUTE};
use crate::link::mark::Marks;
use crate::link::naming::{RTM_DELLINKPROP, RTM_NEWLINKPROP};
use crate::link::options::{self, IFLA_INFO_DATA};
use crate::link::read::{
    HEADER, IFLA_ALT_IFNAME, IFLA_INFO_KIND, IFLA_LINKINFO, RTM_GETLINK, Seen, all_messages, by_index, by_name, get,
    must, read,
};
use crate::link::set::{RTM_SETLINK, message, requests};
use crate::options::Place;
use crate::transport::attribute::{Writer, after, attributes, ip, number, text};
use crate::transport::session::Session;
use crate::transport::socket::{Message, Request, flag, malformed};
use crate::{
    Applied, Change, Device, DeviceState, Error, LinkChanges, LinkKey, LinkName, Mark, Namespace, NewLink, NewName,
    Outcome,
};

/// What a device may have to be taken: it is kept in the store, and put back one by one.
const ADDRESSES: usize = 64;
const ROUTES: usize = 256;

/// How long the kernel may take to give a device back from a namespace that died: it does so on a thread of its own.
const RETURN: Duration = Duration::from_secs(3);

/// What a device is called on the host where something else has its name by now.
const ANOTHER: &str = "dev%d";

pub(crate) const IFF_LOOPBACK: u32 = 0x8;
/// The link that a tunnel lies on (IFLA_VXLAN_LINK). IFLA_LINK does not say it.
pub(crate) const IFLA_VXLAN_LINK: u16 = 3;
pub(crate) const IFA_F_PERMANENT: u8 = 0x80;
/// RTPROT_REDIRECT, RTPROT_KERNEL and RTPROT_RA: the kernel makes these again itself.
const KERNELS_ROUTES: [u8; 3] = [1, 2, 9];
const RTM_F_CLONED: u32 = 0x200;
const RTNH_F_ONLINK: u32 = 0x4;

/// Takes a device of the host's.
pub(crate) fn take(session: &mut Session, key: &LinkKey, marks: Marks, note: Note) -> Result<Applied, Error> {
    let device = look(session, key, marks)?;
    let undo = vec![Change::GiveBack(Box::new(device.clone()))];
    note(&undo)?;
    tag(session, key.index, RTM_NEWLINKPROP, flag::CREATE | flag::EXCL, &marks.tag(device.index, &device.name))?;
    // Another Pontoon may have looked at the same moment. Each sees what the other one has put there by now.
    let tags = get(session, &key.namespace, by_index(key.index), marks)?.map(|seen| seen.tags.len());
    if tags.is_some_and(|tags| tags > 1) {
        tag(session, key.index, RTM_DELLINKPROP, 0, &marks.tag(device.index, &device.name))?;
        return Err(taken(&device.name));
    }
    Ok(Applied { outcome: Outcome::Device(Box::new(device)), undo })
}

fn taken(name: &LinkName) -> Error {
    Error::system(format_args!("{name} is taken for a container already"), Errno::EXIST)
}

/// A device as it is, if it can be taken.
fn look(session: &mut Session, key: &LinkKey, marks: Marks) -> Result<Device, Error> {
    let answer = session.exchange(&key.namespace, &[by_index(key.index)])?.pop().ok_or_else(malformed)?;
    let seen = must(Some(&answer), key, marks)?;
    let found = answer.ok().and_then(|messages| messages.into_iter().next()).ok_or_else(malformed)?;
    let name = LinkName::new(&seen.info.name)?;
    let flags = found.body.get(8..12).ok_or_else(malformed).and_then(number)?;
    if key.namespace != Namespace::Host || seen.info.mark.is_made() || flags & IFF_LOOPBACK != 0 {
        return Err(Error::system(
            format_args!("{name} is no device of the host's that a container can get"),
            Errno::INVAL,
        ));
    }
    if !seen.tags.is_empty() {
        return Err(taken(&name));
    }
    if let Some(upper) = upper(session, &seen, marks)? {
        return Err(Error::system(format_args!("{name} can't be taken: {upper} goes by it"), Errno::BUSY));
    }
    let (mut options, _) = options::read_message(&found)?;
    options.set.retain(|option, _| matches!(option.place(), Place::Queue | Place::Flag(_)));
    let (addresses, routes) = (addresses(session, key.index)?, routes(session, key.index)?);
    if addresses.len() > ADDRESSES || routes.len() > ROUTES {
        let (has, most) = (addresses.len() + routes.len(), ADDRESSES + ROUTES);
        return Err(Error::system(
            format_args!("{name} has {has} addresses and routes, too many to be put back: at most {most}"),
            Errno::NOBUFS,
        ));
    }
    let Seen { info, .. } = seen;
    let before = DeviceState { kind: info.kind, mac: info.mac, mtu: info.mtu, up: info.up, options, addresses, routes };
    Ok(Device { index: key.index, name, inside: None, before: Some(before) })
}

/// The name of a link that a device is a port of, or that lies on it.
fn upper(session: &mut Session, device: &Seen, marks: Marks) -> Result<Option<String>, Error> {
    let index = device.info.index;
    for message in all_messages(session, &Namespace::Host)? {
        let other = read(&message, marks)?;
        let is_master = device.info.master == Some(other.info.index);
        let is_on = !other.elsewhere && other.info.parent == Some(index) && other.info.kind != "veth";
        let is_port = other.info.master == Some(index);
        if other.info.index != index && (is_master || is_on || is_port || tunnels_by(&message)? == Some(index)) {
            return Ok(Some(other.info.name));
        }
    }
    Ok(None)
}

fn tunnels_by(message: &Message) -> Result<Option<u32>, Error> {
    let Some(info) = after(&message.body, HEADER)?.find(IFLA_LINKINFO)? else { return Ok(None) };
    let is_vxlan = attributes(info).find(IFLA_INFO_KIND)?.is_some_and(|kind| text(kind) == "vxlan");
    let data = attributes(info).find(IFLA_INFO_DATA)?.filter(|_| is_vxlan);
    let Some(data) = data else { return Ok(None) };
    attributes(data).find(IFLA_VXLAN_LINK)?.map(number).transpose()
}

/// Of IPv6 the permanent ones: the others come again with a router's word.
fn addresses(session: &mut Session, index: u32) -> Result<Vec<Vec<u8>>, Error> {
    let mut question = AddressMessage::default();
    question.header.index = index;
    let messages = session.list(&Namespace::Host, "addresses", Request::dump(RTM_GETADDR, &question))?;
    let mut found = Vec::new();
    for Message { body } in messages {
        let [family, _, flags, _, of @ ..] = *body.first_chunk::<{ address::HEADER }>().ok_or_else(malformed)?;
        let is_ipv6 = family == u8::from(FAMILIES[1]);
        if u32::from_ne_bytes(of) != index || !(is_ipv6 || family == u8::from(FAMILIES[0])) {
            continue;
        }
        let of_link = match after(&body, address::HEADER)?.find(IFA_ADDRESS)?.map(ip).transpose()? {
            Some(std::net::IpAddr::V6(v6)) => v6.is_unicast_link_local(),
            _ => false,
        };
        if !is_ipv6 || (flags & IFA_F_PERMANENT != 0 && !of_link) {
            found.push(body);
        }
    }
    Ok(found)
}

/// Those that lead by this device alone, in all tables.
fn routes(session: &mut Session, index: u32) -> Result<Vec<Vec<u8>>, Error> {
    let (mut connected, mut behind) = (Vec::new(), Vec::new());
    for family in FAMILIES {
        let mut question = RouteMessage::default();
        question.header.address_family = family;
        question.attributes.push(RouteAttribute::Oif(index));
        for Message { mut body } in session.list(&Namespace::Host, "routes", Request::dump(RTM_GETROUTE, &question))? {
            let [_, _, _, _, _, protocol, _, _, flags @ ..] =
                *body.first_chunk::<{ route::HEADER }>().ok_or_else(malformed)?;
            let flags = u32::from_ne_bytes(flags);
            let by = after(&body, route::HEADER)?.find(RTA_OIF)?.map(number).transpose()?;
            if by != Some(index) || KERNELS_ROUTES.contains(&protocol) || flags & RTM_F_CLONED != 0 {
                continue;
            }
            let is_behind = after(&body, route::HEADER)?.find(RTA_GATEWAY)?.is_some();
            // What else the kernel says there, that the link is down, it takes from nobody.
            body[8..route::HEADER].copy_from_slice(&(flags & RTNH_F_ONLINK).to_ne_bytes());
            if is_behind { behind.push(body) } else { connected.push(body) }
        }
    }
    connected.extend(behind);
    Ok(connected)
}

/// Whether packets of the host's for the outside may leave by this link: a default route goes by it.
pub(crate) fn is_way_out(session: &mut Session, index: u32) -> Result<bool, Error> {
    for family in FAMILIES {
        let mut question = RouteMessage::default();
        question.header.address_family = family;
        for Message { body } in session.list(&Namespace::Host, "routes", Request::dump(RTM_GETROUTE, &question))? {
            let [_, prefix, _, _, _, _, _, kind, ..] =
                *body.first_chunk::<{ route::HEADER }>().ok_or_else(malformed)?;
            if prefix != 0 || kind != u8::from(RouteType::Unicast) {
                continue;
            }
            let attribute = |kind| after(&body, route::HEADER)?.find(kind);
            let by = attribute(RTA_OIF)?.map(number).transpose()?;
            let hops = attribute(RTA_MULTIPATH)?.map(several).transpose()?.unwrap_or_default();
            if by == Some(index) || hops.iter().any(|hop| hop.link == index) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// The devices on the host that carry this instance's tag, without what they were.
pub(crate) fn tagged(session: &mut Session, marks: Marks) -> Result<Vec<Device>, Error> {
    let mut found = Vec::new();
    for message in all_messages(session, &Namespace::Host)? {
        let seen = read(&message, marks)?;
        found.extend(seen.tags.iter().filter(|_| seen.info.mark == Mark::Taken).filter_map(|tag| marks.read_tag(tag)));
    }
    Ok(found)
}

/// Moves a device from the host into its container, where it arrives down and without addresses, under another name.
pub(crate) fn move_in(session: &mut Session, device: &Device, marks: Marks) -> Result<Applied, Error> {
    let name = &device.name;
    let inside = device.inside.clone().ok_or_else(|| Error::refused(format!("{name} has no container to go to")))?;
    let (at, host) = (Namespace::At(inside), Namespace::Host);
    let seen = find(session, &host, device, marks)?;
    let seen = seen.ok_or_else(|| Error::system(format_args!("{name} is gone"), Errno::NODEV))?;
    // Nothing else in a container has this name.
    let there = LinkName::new(&format!("pd{:x}", device.index))?;
    let mut request = message(seen.info.index);
    request.attributes.push(LinkAttribute::NetNsFd(session.descriptor(&at)?));
    request.attributes.push(LinkAttribute::IfName(there.to_string()));
    let answers = session.exchange(&host, &[Request::one(RTM_SETLINK, 0, &request)])?;
    if let Some(refusal) = answers.iter().find_map(|answer| answer.as_ref().err()) {
        return Err(Error::kernel(format_args!("moving {name}"), refusal));
    }
    let arrived = get(session, &at, by_name(there.as_str()), marks)?;
    let arrived = arrived.ok_or_else(|| Error::refused(format!("{name} did not arrive")))?.info;
    let link = NewLink { key: LinkKey { namespace: at, index: arrived.index }, name: there, mac: arrived.mac };
    Ok(Applied { outcome: Outcome::Link(link, None), undo: vec![Change::GiveBack(Box::new(device.clone()))] })
}

/// Brings a device back to the host, and makes it what it was there, as far as it goes. Ok if it is gone.
pub(crate) fn give_back(session: &mut Session, device: &Device, marks: Marks) -> Result<Applied, Error> {
    let done = Applied { outcome: Outcome::Done, undo: Vec::new() };
    let Some(seen) = fetch(session, device, marks)? else {
        tracing::warn!(device = %device.name, "it is not on the host any more, and not in its container");
        return Ok(done);
    };
    let index = seen.info.index;
    let mut errors: Vec<Error> = rename(session, device, &seen, marks).err().into_iter().collect();
    if let Some(before) = &device.before {
        errors.extend(restore(session, before, index, marks).unwrap_or_else(|error| vec![error]));
    }
    errors.extend(tag(session, index, RTM_DELLINKPROP, 0, &marks.tag(device.index, &device.name)).err());
    match errors.into_iter().next() {
        None => Ok(done),
        Some(error) => Err(Error { message: format!("{} is not all that it was: {error}", device.name), ..error }),
    }
}

/// A device on the host, where it is brought if it is in its container.
fn fetch(session: &mut Session, device: &Device, marks: Marks) -> Result<Option<Seen>, Error> {
    let begin = Instant::now();
    let host = Namespace::Host;
    loop {
        if let Some(seen) = find(session, &host, device, marks)? {
            return Ok(Some(seen));
        }
        if let Some(inside) = &device.inside {
            let at = Namespace::At(inside.clone());
            match bring(session, &at, device, marks) {
                Ok(true) => {
                    let seen = find(session, &host, device, marks)?;
                    return seen.map(Some).ok_or_else(|| Error::refused("it did not arrive on the host"));
                }
                Err(error) if !crate::namespace::is_gone(&error) => return Err(error),
                _ => {}
            }
        }
        let is_physical = device.before.as_ref().is_some_and(|before| before.kind.is_empty());
        if !is_physical || begin.elapsed() > RETURN {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Moves it out of a container; false: it is not there.
fn bring(session: &mut Session, at: &Namespace, device: &Device, marks: Marks) -> Result<bool, Error> {
    let Some(seen) = find(session, at, device, marks)? else { return Ok(false) };
    let host = Namespace::Host;
    let is_free = get(session, &host, by_name(device.name.as_str()), marks)?.is_none();
    let name = if is_free { device.name.as_str() } else { ANOTHER };
    // Packet rules may go by its index.
    for (name, index) in [(name, i32::try_from(device.index).ok()), (name, None), (ANOTHER, None)] {
        let mut request = message(seen.info.index);
        request.attributes.push(LinkAttribute::NetNsFd(session.descriptor(&host)?));
        request.attributes.push(LinkAttribute::IfName(name.to_owned()));
        request.attributes.extend(index.map(LinkAttribute::NewIfIndex));
        match session.exchange(at, &[Request::one(RTM_SETLINK, 0, &request)])?.first() {
            // Something else has its index (EBUSY) or, since a moment, its name: then it may have come all the same, under the one that it had.
            Some(Err(refusal)) if refusal.is(&[Errno::EXIST, Errno::BUSY]) => {}
            Some(Err(refusal)) => return Err(Error::kernel(format_args!("moving {} back", device.name), refusal)),
            _ => return Ok(true),
        }
        if find(session, at, device, marks)?.is_none() {
            return Ok(true);
        }
    }
    Err(Error::system(format_args!("moving {} back", device.name), Errno::EXIST))
}

/// A device by its tag.
fn find(session: &mut Session, at: &Namespace, device: &Device, marks: Marks) -> Result<Option<Seen>, Error> {
    let tag = marks.tag(device.index, &device.name);
    let is_it = |seen: &Seen| seen.tags.contains(&tag);
    if let Some(seen) = get(session, at, by_index(device.index), marks)?.filter(is_it) {
        return Ok(Some(seen));
    }
    let by_tag = Writer::after(&[0; HEADER]).put_text(IFLA_ALT_IFNAME, &tag);
    if let Some(seen) = get(session, at, Request::of(RTM_GETLINK, 0, by_tag.finish()), marks)?.filter(is_it) {
        return Ok(Some(seen));
    }
    // Before Linux 6.6 no device was found by its alternative names in the namespace that it moved to.
    let messages = all_messages(session, at)?;
    let found = messages.iter().map(|message| read(message, marks)).find(|seen| seen.as_ref().is_ok_and(is_it));
    found.transpose()
}

fn tag(session: &mut Session, index: u32, kind: u16, flags: u16, tag: &str) -> Result<(), Error> {
    let mut link = message(index);
    link.attributes.push(LinkAttribute::PropList(vec![Prop::AltIfName(tag.to_owned())]));
    match session.exchange(&Namespace::Host, &[Request::one(kind, flags, &link)])?.first() {
        Some(Err(refusal)) => Err(Error::kernel("the name by which a device that is taken is known", refusal)),
        _ => Ok(()),
    }
}

/// Gives a device the name that it had, if nothing else has that.
fn rename(session: &mut Session, device: &Device, seen: &Seen, marks: Marks) -> Result<(), Error> {
    let (now, name) = (&seen.info.name, &device.name);
    if now == name.as_str() {
        return Ok(());
    }
    if get(session, &Namespace::Host, by_name(name.as_str()), marks)?.is_some() {
        tracing::warn!("the host has another {name} by now: the device that was called so is {now}");
        return Ok(());
    }
    let name = Some(NewName::Exact(name.clone()));
    send(session, &requests(seen.info.index, &LinkChanges { name, up: Some(false), ..LinkChanges::default() }), &[])
}

/// Answers what can't be as it was. What is so already stays, so that whoever was cut off can do it again.
fn restore(session: &mut Session, before: &DeviceState, index: u32, marks: Marks) -> Result<Vec<Error>, Error> {
    let key = LinkKey { namespace: Namespace::Host, index };
    let Some(now) = get(session, &key.namespace, by_index(index), marks)?.map(|seen| seen.info) else {
        return Ok(Vec::new());
    };
    let mut errors = Vec::new();
    let changes = LinkChanges {
        mac: before.mac.filter(|mac| now.mac != Some(*mac)),
        mtu: (before.mtu != now.mtu).then_some(before.mtu),
        ..LinkChanges::default()
    };
    errors.extend(send(session, &requests(index, &changes), &[]).err());
    errors.extend(options::set_back(session, &key, &before.options, marks).err());
    if before.up != now.up {
        let mut request = message(index);
        request.header.change_mask = LinkFlags::Up;
        request.header.flags = if before.up { LinkFlags::Up } else { LinkFlags::empty() };
        errors.extend(send(session, &[Request::one(RTM_SETLINK, 0, &request)], &[]).err());
    }
    for body in &before.addresses {
        let mut body = body.clone();
        body.get_mut(4..8).into_iter().for_each(|place| place.copy_from_slice(&index.to_ne_bytes()));
        let request = Request::of(RTM_NEWADDR, flag::CREATE | flag::EXCL, body);
        errors.extend(send(session, &[request], &[Errno::EXIST]).err());
    }
    for body in &before.routes {
        let request = Request::of(RTM_NEWROUTE, flag::CREATE | flag::EXCL, by_link(body, index)?);
        errors.extend(send(session, &[request], &[Errno::EXIST]).err());
    }
    Ok(errors)
}

/// A route's message, by a link that may have another index by now.
fn by_link(body: &[u8], index: u32) -> Result<Vec<u8>, Error> {
    let head = body.get(..route::HEADER).ok_or_else(malformed)?;
    let mut written = Writer::after(head);
    for attribute in after(body, route::HEADER)? {
        let (kind, value) = attribute?;
        written =
            written.put(kind, if kind == RTA_OIF { index.to_ne_bytes().to_vec() } else { value.to_vec() }.as_slice());
    }
    Ok(written.finish())
}

fn send(session: &mut Session, requests: &[Request], fine: &[Errno]) -> Result<(), Error> {
    let answers = session.exchange(&Namespace::Host, requests)?;
    match answers.iter().find_map(|answer| answer.as_ref().err().filter(|refusal| !refusal.is(fine))) {
        Some(refusal) => Err(Error::kernel("giving it back", refusal)),
        None => Ok(()),
    }
}
