//! What the kernel says of a link (RTM_NEWLINK, linux/if_link.h), and the questions for it.

use netlink_packet_route::link::{LinkAttribute, LinkExtentMask, LinkMessage};

use crate::link::mark::{Marks, TAGS};
use crate::transport::attribute::{after, attributes, number, text};
use crate::transport::session::Session;
use crate::transport::socket::{Answer, Message, Request, malformed};
use crate::{Error, LinkInfo, LinkKey, MacAddress, Mark, Namespace};

pub(crate) const RTM_GETLINK: u16 = 18;
/// `struct ifinfomsg`.
pub(crate) const HEADER: usize = 16;
pub(crate) const IFLA_ADDRESS: u16 = 1;
pub(crate) const IFLA_IFNAME: u16 = 3;
pub(crate) const IFLA_MTU: u16 = 4;
pub(crate) const IFLA_LINK: u16 = 5;
pub(crate) const IFLA_MASTER: u16 = 10;
pub(crate) const IFLA_LINKINFO: u16 = 18;
pub(crate) const IFLA_GROUP: u16 = 27;
pub(crate) const IFLA_LINK_NETNSID: u16 = 37;
pub(crate) const IFLA_PROP_LIST: u16 = 52;
pub(crate) const IFLA_ALT_IFNAME: u16 = 53;
pub(crate) const IFLA_INFO_KIND: u16 = 1;
pub(crate) const IFLA_INFO_SLAVE_DATA: u16 = 5;
pub(crate) const IFLA_BRPORT_MODE: u16 = 4;
pub(crate) const IFLA_BRPORT_LEARNING: u16 = 8;
pub(crate) const IFLA_BRPORT_ISOLATED: u16 = 33;
pub(crate) const IFF_UP: u32 = 0x1;
pub(crate) const IFF_RUNNING: u32 = 0x40;

/// A link as the layer itself needs it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// What others see of it.
    pub info: LinkInfo,
    /// IFLA_BRPORT_MODE, _ISOLATED and _LEARNING, where it is a bridge's port.
    pub port: Port,
    /// Its parent or other end is in another namespace.
    pub elsewhere: bool,
    /// The alternative names that say which Pontoon has taken it for a container.
    pub tags: Vec<String>,
}

/// A bridge port's settings.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Port {
    pub hairpin: Option<bool>,
    pub isolated: Option<bool>,
    pub learning: Option<bool>,
}

/// The question for a link by its index.
pub(crate) fn by_index(index: u32) -> Request {
    let mut message = question();
    message.header.index = index;
    Request::one(RTM_GETLINK, 0, &message)
}

/// The question for a link by its name.
pub(crate) fn by_name(name: &str) -> Request {
    let mut message = question();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    Request::one(RTM_GETLINK, 0, &message)
}

fn question() -> LinkMessage {
    let mut message = LinkMessage::default();
    // Counting the statistics of a link over all processors costs more than the rest of the answer.
    message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    message
}

/// Asks for one link.
pub(crate) fn get(
    session: &mut Session,
    at: &Namespace,
    question: Request,
    marks: Marks,
) -> Result<Option<Seen>, Error> {
    let answer = session.exchange(at, std::slice::from_ref(&question))?.pop().ok_or_else(malformed)?;
    seen(&answer, marks)
}

/// The same, unless the operation knows the link as this instance's: see [`KnownLinks`](crate::KnownLinks).
pub(crate) fn known(
    session: &mut Session,
    at: &Namespace,
    question: Request,
    marks: Marks,
) -> Result<Option<Seen>, Error> {
    let known = session.known_link(at, &question).map(|answer| seen(&answer, marks)).transpose()?.flatten();
    match known.filter(|seen| seen.info.mark != Mark::Foreign) {
        Some(seen) => Ok(Some(seen)),
        None => get(session, at, question, marks),
    }
}

/// Reads the answer to [`by_index`] or [`by_name`]; none: there is no such link.
pub(crate) fn seen(answer: &Answer, marks: Marks) -> Result<Option<Seen>, Error> {
    match answer {
        Ok(messages) => messages.first().map(|m| read(m, marks)).transpose(),
        Err(refusal) if refusal.is(&[rustix::io::Errno::NODEV]) => Ok(None),
        Err(refusal) => Err(Error::kernel("looking at a link", refusal)),
    }
}

/// All links of a namespace.
pub(crate) fn all(session: &mut Session, at: &Namespace, marks: Marks) -> Result<Vec<Seen>, Error> {
    all_messages(session, at)?.iter().map(|m| read(m, marks)).collect()
}

/// What the kernel says of each.
pub(crate) fn all_messages(session: &mut Session, at: &Namespace) -> Result<Vec<Message>, Error> {
    session.list(at, "links", Request::dump(RTM_GETLINK, &question()))
}

/// The link of a key, which must be there.
pub(crate) fn must(answer: Option<&Answer>, key: &LinkKey, marks: Marks) -> Result<Seen, Error> {
    let seen = answer.map(|a| seen(a, marks)).transpose()?.flatten();
    seen.ok_or_else(|| Error {
        message: format!("there is no {key}"),
        errno: Some(rustix::io::Errno::NODEV.raw_os_error()),
    })
}

pub(crate) fn read(message: &Message, marks: Marks) -> Result<Seen, Error> {
    let body = message.body.as_slice();
    let field = |at: usize| body.get(at..at + 4).ok_or_else(malformed).and_then(number);
    let flags = field(8)?;
    let mut info = LinkInfo {
        index: field(4)?,
        name: String::new(),
        kind: String::new(),
        mac: None,
        mtu: 0,
        up: flags & IFF_UP != 0,
        running: flags & IFF_RUNNING != 0,
        master: None,
        parent: None,
        mark: marks.read(0),
    };
    let (mut port, mut elsewhere, mut tags) = (Port::default(), false, Vec::new());
    for attribute in after(body, HEADER)? {
        let (kind, value) = attribute?;
        match kind {
            IFLA_ADDRESS => info.mac = value.try_into().ok().map(MacAddress),
            IFLA_IFNAME => info.name = text(value),
            IFLA_MTU => info.mtu = number(value)?,
            IFLA_LINK => info.parent = Some(number(value)?),
            IFLA_MASTER => info.master = Some(number(value)?),
            IFLA_GROUP => info.mark = marks.read(number(value)?),
            IFLA_LINK_NETNSID => elsewhere = true,
            IFLA_LINKINFO => read_kind(value, &mut info, &mut port)?,
            IFLA_PROP_LIST => tags = read_tags(value)?,
            _ => {}
        }
    }
    if info.mark == Mark::Foreign && tags.iter().any(|tag| marks.read_tag(tag).is_some()) {
        info.mark = Mark::Taken;
    }
    Ok(Seen { info, port, elsewhere, tags })
}

fn read_tags(value: &[u8]) -> Result<Vec<String>, Error> {
    let names = attributes(value).map(|attribute| attribute.map(|(_, name)| text(name)));
    names.filter(|name| name.as_ref().is_ok_and(|name| name.starts_with(TAGS)) || name.is_err()).collect()
}

fn read_kind(value: &[u8], info: &mut LinkInfo, port: &mut Port) -> Result<(), Error> {
    for attribute in attributes(value) {
        let (kind, value) = attribute?;
        match kind {
            IFLA_INFO_KIND => info.kind = text(value),
            IFLA_INFO_SLAVE_DATA => *port = read_port(value)?,
            _ => {}
        }
    }
    Ok(())
}

/// The slave data of other masters than bridges has other meanings; their ports are never this instance's.
fn read_port(value: &[u8]) -> Result<Port, Error> {
    let mut port = Port::default();
    for attribute in attributes(value) {
        let (kind, value) = attribute?;
        let set = value.first().map(|v| *v != 0);
        match kind {
            IFLA_BRPORT_MODE => port.hairpin = set,
            IFLA_BRPORT_LEARNING => port.learning = set,
            IFLA_BRPORT_ISOLATED => port.isolated = set,
            _ => {}
        }
    }
    Ok(port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::attribute::Writer;

    fn body() -> Vec<u8> {
        let port = Writer::default().put(IFLA_BRPORT_MODE, &[1]).put(IFLA_BRPORT_ISOLATED, &[0]);
        let info = Writer::default().put_text(IFLA_INFO_KIND, "veth").nest(IFLA_INFO_SLAVE_DATA, port);
        let head = [[0; 4], 7u32.to_ne_bytes(), IFF_UP.to_ne_bytes(), [0; 4]].concat();
        let link = Writer::after(&head).put_text(IFLA_IFNAME, "ve0").put(IFLA_MTU, &1500u32.to_ne_bytes());
        link.put(IFLA_ADDRESS, &[2; 6]).nest(IFLA_LINKINFO, info).finish()
    }

    fn seen(body: Vec<u8>) -> Result<Option<Seen>, Error> {
        super::seen(&Ok(vec![Message { body }]), Marks::new(1))
    }

    #[test]
    fn a_link_is_read() {
        let link = seen(body()).ok().flatten().map(|s| (s.info.name, s.info.kind, s.info.index, s.port.hairpin));
        assert_eq!(link, Some(("ve0".into(), "veth".into(), 7, Some(true))));
    }

    #[test]
    fn odd_links_are_errors_but_never_panics() {
        let good = body();
        assert!(seen(good[..HEADER - 1].to_vec()).is_err());
        assert!(seen(good[..good.len() - 1].to_vec()).is_err());
        for position in 0..good.len() {
            let _ = seen(good[..position].to_vec());
            for value in [0, 1, 3, 127, 255] {
                let mut odd = good.clone();
                odd[position] = value;
                let _ = seen(odd);
            }
        }
    }
}
