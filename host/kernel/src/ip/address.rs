//! Addresses on links (RTM_*ADDR, linux/if_addr.h).

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressProtocol,
};
use rustix::io::Errno;

use crate::change::plan::Plan;
use crate::link::mark::Marks;
use crate::transport::attribute::{after, ip};
use crate::transport::session::Session;
use crate::transport::socket::{Message, Request, flag, malformed};
use crate::{Change, Error, LinkKey, Namespace};

pub(crate) const RTM_NEWADDR: u16 = 20;
pub(crate) const RTM_DELADDR: u16 = 21;
pub(crate) const RTM_GETADDR: u16 = 22;
/// `struct ifaddrmsg`.
pub(crate) const HEADER: usize = 8;
pub(crate) const IFA_ADDRESS: u16 = 1;
pub(crate) const IFA_LOCAL: u16 = 2;

/// Both families, for dumps.
pub(crate) const FAMILIES: [AddressFamily; 2] = [AddressFamily::Inet, AddressFamily::Inet6];

/// The family of a network.
pub(crate) fn family(network: &IpNet) -> AddressFamily {
    family_of(network.addr())
}

/// The family of an address.
pub(crate) fn family_of(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

/// Adds an address.
pub(crate) fn add(key: &LinkKey, address: IpNet, marks: Marks) -> Plan {
    Plan::make(new(key.index, address, marks), Change::RemoveAddress(key.clone(), address))
}

/// The message that adds an address.
pub(crate) fn new(index: u32, address: IpNet, marks: Marks) -> Request {
    let mut message = message(index, address);
    // Known to kernels since 5.18; older ones ignore it.
    message.attributes.push(AddressAttribute::Protocol(AddressProtocol::Other(marks.protocol())));
    match address {
        // As dockerd and CNI plugins set it; 31 and 32 have no broadcast address.
        IpNet::V4(v4) if v4.prefix_len() < 31 => message.attributes.push(AddressAttribute::Broadcast(v4.broadcast())),
        IpNet::V4(_) => {}
        IpNet::V6(_) => {
            message.header.flags = AddressHeaderFlags::Nodad;
            message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
    }
    Request::one(RTM_NEWADDR, flag::CREATE | flag::EXCL, &message)
}

/// Removes an address. A primary IPv4 address takes the others of its subnet along, unless net.ipv4.conf.*.promote_secondaries is set.
pub(crate) fn remove(key: &LinkKey, address: IpNet) -> Plan {
    let request = delete(key.index, address);
    Plan::remove(request, &[Errno::ADDRNOTAVAIL, Errno::NODEV], Change::AddAddress(key.clone(), address))
}

/// The message that removes an address.
pub(crate) fn delete(index: u32, address: IpNet) -> Request {
    Request::one(RTM_DELADDR, 0, &message(index, address))
}

/// The message that removes a link's first IPv4 address, with the others of its subnet.
pub(crate) fn delete_first_ipv4(index: u32) -> Request {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.index = index;
    Request::one(RTM_DELADDR, 0, &message)
}

fn message(index: u32, address: IpNet) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(&address);
    message.header.prefix_len = address.prefix_len();
    message.header.index = index;
    message.attributes = vec![AddressAttribute::Local(address.addr()), AddressAttribute::Address(address.addr())];
    message
}

/// The addresses of one link, or of all (`index` 0), each with the index of its link.
pub(crate) fn list(session: &mut Session, at: &Namespace, index: u32) -> Result<Vec<(u32, IpNet)>, Error> {
    let mut question = AddressMessage::default();
    question.header.family = AddressFamily::Unspec;
    question.header.index = index;
    let messages = session.list(at, "addresses", Request::dump(RTM_GETADDR, &question))?;
    // Whatever else has addresses on links: phones, management controllers.
    let is_ip = |message: &&Message| {
        message.body.first().is_some_and(|family| FAMILIES.iter().any(|ip| u8::from(*ip) == *family))
    };
    let mut found = messages.iter().filter(is_ip).map(read).collect::<Result<Vec<_>, _>>()?;
    // Kernels before 5.0 don't filter.
    found.retain(|(i, _)| index == 0 || *i == index);
    Ok(found)
}

/// The address that a message of the kernel is about, and the ifindex of its link.
pub(crate) fn read(message: &Message) -> Result<(u32, IpNet), Error> {
    let body = message.body.as_slice();
    let [_, prefix, _, _, index @ ..] = body.first_chunk::<HEADER>().ok_or_else(malformed)?;
    // On a point-to-point link IFA_ADDRESS is the other end's, and IPv6 leaves IFA_LOCAL out otherwise.
    let local = after(body, HEADER)?.find(IFA_LOCAL)?;
    let value = local.or(after(body, HEADER)?.find(IFA_ADDRESS)?).ok_or_else(malformed)?;
    let address = IpNet::new(ip(value)?, *prefix).map_err(|_| malformed())?;
    Ok((u32::from_ne_bytes(*index), address))
}
