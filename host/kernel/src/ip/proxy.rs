//! Addresses that the host answers for on a link (`ip neigh add proxy`): the kernel has them beside the neighbours, with NTF_PROXY.

use netlink_packet_route::AddressFamily;
use rustix::io::Errno;

use crate::change::apply::Note;
use crate::ip::address::FAMILIES;
use crate::ip::neighbour::{HEADER, NDA_DST, NDA_IFINDEX, RTM_DELNEIGH, RTM_GETNEIGH, RTM_NEWNEIGH};
use crate::link::mark::Marks;
use crate::transport::attribute::{Writer, after, ip, number};
use crate::transport::session::Session;
use crate::transport::socket::{Request, flag, malformed};
use crate::{Applied, Change, Error, LinkKey, Outcome, Proxy};

pub(crate) const NTF_PROXY: u8 = 0x08;
const NDA_PROTOCOL: u16 = 12;

/// Adds an entry, where there is none: the kernel itself would say nothing of another's.
pub(crate) fn add(session: &mut Session, proxy: &Proxy, marks: Marks, note: Note) -> Result<Applied, Error> {
    let at = &proxy.link.namespace;
    let question = Request::of(RTM_GETNEIGH, 0, message(proxy).finish());
    let there = session.exchange(at, &[question])?;
    if matches!(there.first(), Some(Ok(messages)) if !messages.is_empty()) {
        return Err(Error::system("the host answers for that address there already", Errno::EXIST));
    }
    let undo = vec![Change::RemoveProxy(proxy.clone())];
    note(&undo)?;
    let body = message(proxy).put(NDA_PROTOCOL, &[marks.protocol()]).finish();
    match session.exchange(at, &[Request::of(RTM_NEWNEIGH, flag::CREATE, body)])?.first() {
        Some(Err(refusal)) => Err(Error::kernel("the entry", refusal)),
        _ => Ok(Applied { outcome: Outcome::Done, undo }),
    }
}

/// Removes an entry.
pub(crate) fn remove(session: &mut Session, proxy: &Proxy) -> Result<Applied, Error> {
    let request = Request::of(RTM_DELNEIGH, 0, message(proxy).finish());
    let undo = match session.exchange(&proxy.link.namespace, &[request])?.first() {
        Some(Err(refusal)) if refusal.is(&[Errno::NOENT, Errno::NODEV]) => Vec::new(),
        Some(Err(refusal)) => return Err(Error::kernel("the entry", refusal)),
        _ => vec![Change::AddProxy(proxy.clone())],
    };
    Ok(Applied { outcome: Outcome::Done, undo })
}

fn message(proxy: &Proxy) -> Writer {
    let (family, address) = match proxy.address {
        std::net::IpAddr::V4(v4) => (AddressFamily::Inet, v4.octets().to_vec()),
        std::net::IpAddr::V6(v6) => (AddressFamily::Inet6, v6.octets().to_vec()),
    };
    header(family, proxy.link.index).put(NDA_DST, &address)
}

fn header(family: AddressFamily, index: u32) -> Writer {
    Writer::after(&[[u8::from(family), 0, 0, 0], index.to_ne_bytes(), [0, 0, NTF_PROXY, 0]].concat())
}

/// The entries of a link.
pub(crate) fn list(session: &mut Session, key: &LinkKey) -> Result<Vec<Proxy>, Error> {
    let mut found = Vec::new();
    for family in FAMILIES {
        // The index is read from the attribute, and the header's must be none.
        let body = header(family, 0).put(NDA_IFINDEX, &key.index.to_ne_bytes()).finish();
        for message in session.list(&key.namespace, "neighbours", Request::all(RTM_GETNEIGH, body))? {
            let body = message.body.as_slice();
            let head = body.first_chunk::<HEADER>().ok_or_else(malformed)?;
            let is_its = number(&head[4..8])? == key.index && head[10] & NTF_PROXY != 0;
            let address = after(body, HEADER)?.find(NDA_DST)?.map(ip).transpose()?;
            let proxy = address.map(|address| Proxy { link: key.clone(), address });
            found.extend(proxy.filter(|_| is_its));
        }
    }
    Ok(found)
}
