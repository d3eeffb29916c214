//! Connection tracking: deleting the entries of the host that a new or a removed address or port makes false
//! (linux/netfilter/nfnetlink_conntrack.h). A packet of an old entry goes where the entry says, whatever the rules say by now.
//!
//! The kernel looks at each place of its table whatever it is asked for, of which a host has 262,144: 5 ms. It does not where nothing is
//! tracked. To tell of 20,000 entries takes it 25 ms more, so where there are many it is asked for those that can be false alone
//! (CTA_FILTER, Linux 5.8).

mod filter;

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustix::io::Errno;

use crate::host::Host;
use crate::ip::address;
use crate::transport::attribute::{Writer, after, attributes};
use crate::transport::session::Session;
use crate::transport::socket::{Message, Protocol, Request, flag};
use crate::{Error, Namespace};

/// NFNL_SUBSYS_CTNETLINK, the high byte of the message types.
const SUBSYSTEM: u16 = 1;
const IPCTNL_MSG_CT_GET: u16 = 1;
const IPCTNL_MSG_CT_DELETE: u16 = 2;
/// How many there are, of the reader's namespace.
const COUNT: &str = "/proc/sys/net/netfilter/nf_conntrack_count";
/// `struct nfgenmsg`.
const HEADER: usize = 4;
const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_ID: u16 = 12;
const CTA_ZONE: u16 = 18;
const CTA_FILTER: u16 = 25;
const CTA_FILTER_ORIG_FLAGS: u16 = 1;
const CTA_FILTER_REPLY_FLAGS: u16 = 2;
const CTA_TUPLE_IP: u16 = 1;
const CTA_TUPLE_PROTO: u16 = 2;
const CTA_IP_V4_SRC: u16 = 1;
const CTA_IP_V4_DST: u16 = 2;
const CTA_IP_V6_SRC: u16 = 3;
const CTA_IP_V6_DST: u16 = 4;
const CTA_PROTO_NUM: u16 = 1;
const CTA_PROTO_DST_PORT: u16 = 3;

/// What entries are false now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stale {
    /// Those from or to these addresses, none of them the host's own.
    pub addresses: BTreeSet<IpAddr>,
    /// Those of what is sent to these ports of the host, translated as was or not at all.
    pub ports: BTreeSet<StalePort>,
}

/// Ports of the host that packets are sent elsewhere from, or were.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StalePort {
    /// TCP 6, UDP 17, SCTP 132.
    pub protocol: u8,
    /// The first and the last port.
    pub ports: (u16, u16),
    /// The host's address; none: each.
    pub host: Option<IpAddr>,
    /// Where they are sent to.
    pub target: IpAddr,
}

/// One direction of an entry.
struct Tuple {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    destination_port: u16,
}

/// Deletes what is false. Answers how many there were.
pub(super) fn forget(session: &mut Session, stale: &Stale) -> Result<usize, Error> {
    let found = candidates(session, stale)?;
    // Mostly none can be, and then nobody need know the host's addresses, which are as many as its links.
    if !found.iter().any(|entry| deletion(entry, stale, None).is_some()) {
        return Ok(0);
    }
    let addresses = address::list(session, &Namespace::Host, 0)?;
    let local = addresses.into_iter().map(|(_, network)| network.addr()).collect();
    // Several questions may have found the same one.
    let mut seen = BTreeSet::new();
    let deletions = found.iter().filter_map(|entry| deletion(entry, stale, Some(&local)));
    let false_now: Vec<Request> = deletions.filter(|deletion| seen.insert(deletion.body.clone())).collect();
    for answer in session.exchange_with(&Namespace::Host, Protocol::Netfilter, &false_now)? {
        if let Err(refusal) = answer
            && !refusal.is(&[Errno::NOENT])
        {
            return Err(Error::kernel("deleting a tracked connection", &refusal));
        }
    }
    Ok(false_now.len())
}

/// The entries among which those are that are false.
fn candidates(session: &mut Session, stale: &Stale) -> Result<Vec<Message>, Error> {
    let count = count(session);
    if count == Some(0) {
        return Ok(Vec::new());
    }
    if let Some(questions) = filter::questions(stale, count) {
        let answers = questions.into_iter().map(|question| list(session, question));
        if let Some(found) = answers.collect::<Result<Option<Vec<_>>, _>>()? {
            return Ok(found.concat());
        }
    }
    Ok(list(session, everything())?.unwrap_or_default())
}

/// How many connections the host tracks; none where the kernel does not say.
fn count(session: &Session) -> Option<usize> {
    let Host::Real(real) = session.host() else { return None };
    real.within(|| Ok(fs::read_to_string(COUNT).ok())).ok().flatten()?.trim().parse().ok()
}

/// The question for all entries.
fn everything() -> Request {
    question(Writer::after(&[0; HEADER]))
}

fn question(body: Writer) -> Request {
    Request { kind: SUBSYSTEM << 8 | IPCTNL_MSG_CT_GET, flags: flag::REQUEST | flag::DUMP, body: body.finish() }
}

/// None: the kernel has no connection tracking, or nothing asked for it yet, or does not know such a question.
fn list(session: &mut Session, question: Request) -> Result<Option<Vec<Message>>, Error> {
    match session.ask(&Namespace::Host, Protocol::Netfilter, question)? {
        Ok(found) => Ok(Some(found)),
        Err(refusal) if refusal.is(&[Errno::INVAL, Errno::OPNOTSUPP, Errno::NOENT]) => Ok(None),
        Err(refusal) => Err(Error::kernel("listing tracked connections", &refusal)),
    }
}

/// The request that deletes an entry, if it is false; without the host's addresses, if it can be. One that can't be read is left alone.
fn deletion(entry: &Message, stale: &Stale, local: Option<&BTreeSet<IpAddr>>) -> Option<Request> {
    let family = *entry.body.first()?;
    let find = |kind| after(&entry.body, HEADER).ok()?.find(kind).ok().flatten();
    let (original, reply) = (tuple(find(CTA_TUPLE_ORIG)?)?, tuple(find(CTA_TUPLE_REPLY)?)?);
    if !is_false(&original, &reply, stale, local) {
        return None;
    }
    let kept = [CTA_TUPLE_ORIG | NESTED, CTA_ID, CTA_ZONE];
    let body = kept.into_iter().fold(Writer::after(&[family, 0, 0, 0]), |body, kind| match find(kind & !NESTED) {
        Some(value) => body.put(kind, value),
        None => body,
    });
    let kind = SUBSYSTEM << 8 | IPCTNL_MSG_CT_DELETE;
    Some(Request { kind, flags: flag::REQUEST | flag::ACK, body: body.finish() })
}

/// NLA_F_NESTED.
const NESTED: u16 = 1 << 15;

fn is_false(original: &Tuple, reply: &Tuple, stale: &Stale, local: Option<&BTreeSet<IpAddr>>) -> bool {
    let others = |address: &IpAddr| local.is_none_or(|local| !local.contains(address));
    let ends = [original.source, original.destination, reply.source, reply.destination];
    if ends.iter().any(|address| stale.addresses.contains(address) && others(address)) {
        return true;
    }
    stale.ports.iter().any(|port| {
        let to = original.destination;
        let is_host = local.is_none_or(|local| local.contains(&to)) && port.host.is_none_or(|host| host == to);
        // Sent where a rule sends it, or not sent elsewhere at all.
        let sent = reply.source == port.target || reply.source == to;
        original.protocol == port.protocol
            && (port.ports.0..=port.ports.1).contains(&original.destination_port)
            && port.target.is_ipv4() == to.is_ipv4()
            && is_host
            && sent
    })
}

fn tuple(bytes: &[u8]) -> Option<Tuple> {
    let part = |bytes, kind| attributes(bytes).find(kind).ok().flatten();
    let (addresses, protocol) = (part(bytes, CTA_TUPLE_IP)?, part(bytes, CTA_TUPLE_PROTO)?);
    let ipv4 = |kind| Some(IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(part(addresses, kind)?).ok()?)));
    let ipv6 = |kind| Some(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(part(addresses, kind)?).ok()?)));
    let port = part(protocol, CTA_PROTO_DST_PORT).and_then(|port| port.try_into().ok()).map(u16::from_be_bytes);
    Some(Tuple {
        source: ipv4(CTA_IP_V4_SRC).or_else(|| ipv6(CTA_IP_V6_SRC))?,
        destination: ipv4(CTA_IP_V4_DST).or_else(|| ipv6(CTA_IP_V6_DST))?,
        protocol: *part(protocol, CTA_PROTO_NUM)?.first()?,
        destination_port: port.unwrap_or_default(),
    })
}
