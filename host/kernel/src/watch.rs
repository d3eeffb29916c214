//! Subscriptions to the changes that others make on the host: to nftables (NFNLGRP_NFTABLES), and to links, addresses, routes, policy rules
//! and forwarding (RTNLGRP_*).

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use netlink_sys::{Socket as Raw, SocketAddr};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};

use crate::link::mark::Marks;
use crate::link::read::by_index;
use crate::transport::attribute::{after, attributes, number, text};
use crate::transport::session::Own;
use crate::transport::socket::{Protocol, Request};
use crate::{Error, nft};

/// NFNLGRP_NFTABLES 7 of linux/netfilter/nfnetlink.h, as a bit.
const NFTABLES: u32 = 1 << 6;
/// RTNLGRP_LINK 1, _IPV4_IFADDR 5, _IPV4_ROUTE 7, _IPV4_RULE 8, _IPV6_IFADDR 9, _IPV6_ROUTE 11, _IPV6_RULE 19, _IPV4_NETCONF 24 and
/// _IPV6_NETCONF 25 of linux/rtnetlink.h, as bits from 1 on.
const LINKS: u32 = 1 | 1 << 4 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 18 | 1 << 23 | 1 << 24;
const NFPROTO_INET: u8 = 1;
const NFPROTO_IPV4: u8 = 2;
const NFPROTO_IPV6: u8 = 10;
/// The attribute that names the table is number 1 in every message, whatever it is about.
const TABLE: u16 = 1;
/// `struct nlmsghdr` and `struct nfgenmsg`.
const HEADER: usize = 16 + 4;
/// linux/rtnetlink.h, if_link.h, fib_rules.h, netconf.h.
const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_DELADDR: u16 = 21;
const RTM_DELROUTE: u16 = 25;
const RTM_DELRULE: u16 = 33;
const RTM_NEWNETCONF: u16 = 80;
const LINK_HEADER: usize = 16;
/// `struct rtmsg`: its fifth byte is the table, its eighth the type.
const ROUTE_HEADER: usize = 12;
const RULE_HEADER: usize = 12;
const RTA_OIF: u16 = 4;
const RT_TABLE_MAIN: u8 = 254;
const RTN_UNICAST: u8 = 1;
const NETCONF_HEADER: usize = 4;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_GROUP: u16 = 27;
const FRA_PROTOCOL: u16 = 21;
const NETCONFA_IFINDEX: u16 = 1;
const NETCONFA_FORWARDING: u16 = 2;
const IFF_UP: u32 = 1;
const AF_BRIDGE: u8 = 7;
const RT_SCOPE_LINK: u8 = 253;
/// NETCONFA_IFINDEX_ALL: the namespace's own switch.
const ALL: u32 = u32::MAX;
const PIECE: usize = 64 * 1024;
/// The kernel takes no shorter time limit than a tick; zero would be none.
const SHORTEST: Duration = Duration::from_millis(1);

/// See the module. One thread waits; any other may end that.
#[derive(Debug)]
pub struct Watch {
    source: Source,
    ended: AtomicBool,
}

/// Where changes come from.
#[derive(Debug)]
enum Source {
    /// The kernel, which tells of every change: of those that concern this instance, whoever waits hears, unless this process made them.
    Kernel { raw: Raw, concerns: Concerns, question: Request, own: Arc<Own> },
    /// A fake, in which nobody else has a firewall: it only ends.
    Nobody { end: Mutex<()>, told: Condvar },
}

/// What to hear of.
#[derive(Debug)]
enum Concerns {
    /// Tables of families inet and bridge whose names begin with this, and iptables' own.
    Tables(String),
    /// Links and policy rules with this instance's mark, addresses and routes of any link, and the switch for forwarding.
    Links(Marks),
}

/// What came while somebody waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The table `filter` of iptables changed; or something of this instance's is gone or was changed.
    Change,
    /// A table of the tag changed, or so much happened that it may have.
    Loss,
    /// The link of this index is no bridge's port any more, is down, has lost an address or a route, or is gone.
    Port(u32),
    /// Nothing, in the time that was given.
    Nothing,
    /// [`Watch::end`] was called.
    End,
}

impl Watch {
    /// Subscribes to changes of nftables in the calling thread's namespace.
    pub(super) fn tables(tag: &str, own: Arc<Own>) -> Result<Self, Error> {
        Self::open(Protocol::Netfilter, NFTABLES, Concerns::Tables(tag.to_owned()), nft::get_generation(), own)
    }

    /// Subscribes to changes of links and what is on them.
    pub(super) fn links(marks: Marks, own: Arc<Own>) -> Result<Self, Error> {
        Self::open(Protocol::Route, LINKS, Concerns::Links(marks), by_index(1), own)
    }

    fn open(
        protocol: Protocol,
        groups: u32,
        concerns: Concerns,
        question: Request,
        own: Arc<Own>,
    ) -> Result<Self, Error> {
        let failed = |e: io::Error| Error::io("subscribing to changes of the host", &e);
        let mut raw = Raw::new(protocol as isize).map_err(failed)?;
        raw.bind(&SocketAddr::new(0, groups)).map_err(failed)?;
        Ok(Self { source: Source::Kernel { raw, concerns, question, own }, ended: AtomicBool::new(false) })
    }

    /// One that nothing ever comes to.
    pub(super) fn of_nobody() -> Self {
        Self { source: Source::Nobody { end: Mutex::default(), told: Condvar::new() }, ended: AtomicBool::new(false) }
    }

    /// Waits for a change; without `patience`, as long as it takes.
    pub fn wait(&self, patience: Option<Duration>) -> Result<Seen, Error> {
        match &self.source {
            Source::Kernel { raw, concerns, own, .. } => {
                self.listen(raw, &|message| concerns.seen(message).filter(|_| !own.has(sender(message))), patience)
            }
            Source::Nobody { end, told } => {
                let guard = end.lock().unwrap_or_else(PoisonError::into_inner);
                let goes_on = |(): &mut ()| !self.ended.load(Ordering::Acquire);
                // As long as it takes is, here, until the end.
                let patience = patience.unwrap_or(Duration::MAX);
                drop(told.wait_timeout_while(guard, patience, goes_on));
                Ok(if self.ended.load(Ordering::Acquire) { Seen::End } else { Seen::Nothing })
            }
        }
    }

    fn listen(
        &self,
        raw: &Raw,
        concerns: &dyn Fn(&[u8]) -> Option<Seen>,
        patience: Option<Duration>,
    ) -> Result<Seen, Error> {
        let (deadline, mut set) = (patience.map(|patience| Instant::now() + patience), None);
        let mut piece = Vec::with_capacity(PIECE);
        while !self.ended.load(Ordering::Acquire) {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Ok(Seen::Nothing);
            }
            if set != Some(left) {
                set_socket_timeout(raw, Timeout::Recv, left.map(|left| left.max(SHORTEST)))
                    .map_err(|e| Error::system("waiting for changes of the host", e))?;
                set = Some(left);
            }
            piece.clear();
            match raw.recv_from(&mut piece, 0) {
                // Any process may send to a netlink socket; the kernel's own address is 0.
                Ok((_, from)) if from.port_number() == 0 => {
                    if let Some(seen) = most(&piece, concerns) {
                        return Ok(seen);
                    }
                }
                Ok(_) => {}
                // There was more than the socket holds.
                Err(e) if e.raw_os_error() == Some(Errno::NOBUFS.raw_os_error()) => return Ok(Seen::Loss),
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(e) => return Err(Error::io("waiting for changes of the host", &e)),
            }
        }
        Ok(Seen::End)
    }

    /// Lets whoever waits now or later see [`Seen::End`].
    pub fn end(&self) -> Result<(), Error> {
        let (raw, request) = match &self.source {
            Source::Kernel { raw, question, .. } => (raw, question),
            Source::Nobody { end, told } => {
                let _guard = end.lock().unwrap_or_else(PoisonError::into_inner);
                self.ended.store(true, Ordering::Release);
                told.notify_all();
                return Ok(());
            }
        };
        self.ended.store(true, Ordering::Release);
        // A question whose answer comes to the one who waits.
        let mut question = Vec::new();
        request.write(0, &mut question)?;
        let sent = raw.send_to(&question, &SocketAddr::new(0, 0), 0);
        sent.map(|_| ()).map_err(|e| Error::io("ending to wait for changes of the host", &e))
    }
}

/// What the messages tell, a loss before any other change.
fn most(mut bytes: &[u8], concerns: &dyn Fn(&[u8]) -> Option<Seen>) -> Option<Seen> {
    let mut seen = None;
    while let Some((length, _)) = bytes.split_first_chunk() {
        let length = u32::from_ne_bytes(*length) as usize;
        let Some(message) = bytes.get(..length).filter(|m| m.len() >= HEADER) else { return seen };
        match concerns(message) {
            Some(Seen::Loss) => return Some(Seen::Loss),
            other => seen = seen.or(other),
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    seen
}

/// nlmsg_pid: whose request it was; 0: nobody's, or the kernel does not say.
fn sender(message: &[u8]) -> u32 {
    u32::from_ne_bytes([message[12], message[13], message[14], message[15]])
}

impl Concerns {
    fn seen(&self, message: &[u8]) -> Option<Seen> {
        let kind = u16::from_ne_bytes([message[4], message[5]]);
        match self {
            Self::Tables(tag) => of_table(kind, message, tag),
            Self::Links(marks) => of_link(kind, &message[HEADER - 4..], *marks),
        }
    }
}

fn of_table(kind: u16, message: &[u8], tag: &str) -> Option<Seen> {
    if kind >> 8 != nft::NFT_SUBSYSTEM || kind & 0xff == nft::NFT_MSG_NEWGEN {
        return None;
    }
    let table = attributes(&message[HEADER..]).find(TABLE).ok().flatten().map(text).unwrap_or_default();
    match message[16] {
        NFPROTO_IPV4 | NFPROTO_IPV6 if table == "filter" => Some(Seen::Change),
        NFPROTO_INET | nft::NFPROTO_BRIDGE if table.starts_with(tag) => Some(Seen::Loss),
        _ => None,
    }
}

/// The index in a message about a link.
fn port(body: &[u8]) -> Option<Seen> {
    body.get(4..8).and_then(|index| number(index).ok()).map(Seen::Port)
}

/// A bridge that went or is down, a port that is none any more, an address or a route that went, a rule of this instance's, forwarding switched off.
fn of_link(kind: u16, body: &[u8], marks: Marks) -> Option<Seen> {
    let attribute = |header, kind| after(body, header).ok()?.find(kind).ok().flatten();
    let is = match kind {
        RTM_DELLINK if body.first() == Some(&AF_BRIDGE) => return port(body),
        RTM_NEWLINK | RTM_DELLINK => {
            let flags = u32::from_ne_bytes(body.get(8..12)?.try_into().ok()?);
            let is_ours = number(attribute(LINK_HEADER, IFLA_GROUP)?).ok() == Some(marks.owned());
            let made = attributes(attribute(LINK_HEADER, IFLA_LINKINFO)?).find(IFLA_INFO_KIND).ok().flatten().map(text);
            match (is_ours, kind == RTM_DELLINK, made.as_deref() == Some("veth")) {
                (false, ..) => return None,
                // Ends of pairs come and go with their containers.
                (_, true, true) => return None,
                (_, true, false) => true,
                (_, false, true) if flags & IFF_UP == 0 => return port(body),
                (_, false, _) => flags & IFF_UP == 0,
            }
        }
        RTM_DELADDR if body.get(3).is_some_and(|scope| *scope < RT_SCOPE_LINK) => return port(body),
        RTM_DELROUTE if body.get(4) == Some(&RT_TABLE_MAIN) && body.get(7) == Some(&RTN_UNICAST) => {
            return number(attribute(ROUTE_HEADER, RTA_OIF)?).ok().map(Seen::Port);
        }
        RTM_DELRULE => attribute(RULE_HEADER, FRA_PROTOCOL)?.first() == Some(&marks.protocol()),
        RTM_NEWNETCONF => {
            number(attribute(NETCONF_HEADER, NETCONFA_IFINDEX)?).ok() == Some(ALL)
                && attribute(NETCONF_HEADER, NETCONFA_FORWARDING).and_then(|on| number(on).ok()) == Some(0)
        }
        _ => false,
    };
    is.then_some(Seen::Change)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_messages_concern_nobody() {
        let both = [Concerns::Tables("t".into()), Concerns::Links(Marks::new(1))];
        let concerns = |bytes: &[u8]| {
            let [tables, _] = both.each_ref().map(|concerns| most(bytes, &|message| concerns.seen(message)));
            tables.is_some()
        };
        let message = |kind: u16, family: u8, table: &str| {
            let attribute = [&[table.len() as u8 + 5, 0, 1, 0], table.as_bytes(), &[0]].concat();
            let length = (HEADER + attribute.len()) as u32;
            let head = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10], &[family, 0, 0, 0]].concat();
            let mut bytes = [head, attribute].concat();
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes
        };
        let rule = nft::NFT_SUBSYSTEM << 8 | 6;
        for (family, table) in [(2, "filter"), (10, "filter"), (1, "t")] {
            assert!(concerns(&message(rule, family, table)));
            assert!(concerns(&[message(rule, 1, "other"), message(rule, family, table)].concat()));
        }
        let other = [message(rule, 2, "nat"), message(rule, 1, "filter"), message(2, 2, "filter")].concat();
        assert!(!concerns(&other));
        let good = message(rule, 2, "filter");
        // Its last byte pads it.
        (0..good.len() - 1).for_each(|end| assert!(!concerns(&good[..end])));
        for position in 0..good.len() {
            for value in [0, 1, 3, 15, 127, 255] {
                let mut odd = good.clone();
                odd[position] = value;
                concerns(&odd);
            }
        }
    }
}
